"""How programs end: by falling off, by Ctrl-C, by a fork, with agents that nobody has closed. Each in a real process.

None of them hangs, and the books of each are in order when it is gone.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts.rig import booked, run_program

FORGOTTEN_SYNC = """
rig = Rig({script})
agent = manus.open_sync(on_disk, **options(rig))
stream = agent.stream("Hello")
until(lambda: rig.open_exchanges == 1)
say("forgotten")
"""

FORGOTTEN_ASYNCIO = """
kept = []
rig = Rig({script})
async def main():
    kept.append(await manus.create_agent(on_disk, **options(rig)))
    kept.append(kept[0].stream("Hello"))
    while rig.open_exchanges == 0:
        await asyncio.sleep(0.01)
asyncio.run(main())
say("forgotten")
"""

FORGOTTEN_IN_DAEMONS = """
rig = Rig({script})
agent = manus.open_sync(on_disk, **options(rig))
def ask():
    with contextlib.suppress(manus.LLMError):
        agent.stream("Hello").response()
for _ in range(3):
    threading.Thread(target=ask, daemon=True).start()
until(lambda: rig.open_exchanges == 3)
say("forgotten")
"""


@pytest.mark.parametrize(
    ("program", "rows"),
    [(FORGOTTEN_SYNC, 1), (FORGOTTEN_ASYNCIO, 1), (FORGOTTEN_IN_DAEMONS, 3)],
    ids=["sync", "asyncio", "daemon threads"],
)
def test_a_program_that_forgets_its_agent_ends_with_its_books_in_order(program: str, rows: int, tmp_path: Path) -> None:
    done = run_program(program.format(script="STUCK"), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "forgotten\n"), done.stderr
    assert "Error" not in done.stderr
    assert booked(tmp_path) == {"settled": rows}


def test_threads_that_outlive_the_main_thread_keep_their_agent(tmp_path: Path) -> None:
    """A script starts its workers and falls off its end: the interpreter waits for them, and so does the agent."""
    done = run_program(
        """
rig = Rig(Script(text="Late.", latency_s=0.05))
agent = manus.open_sync(on_disk, **options(rig))
def work():
    threading.main_thread().join()
    say(agent.generate("Hello").content)
threading.Thread(target=work).start()
""",
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout) == (0, "Late.\n"), done.stderr
    assert booked(tmp_path) == {"settled": 1}


def test_a_program_that_breaks_off_ends_too(tmp_path: Path) -> None:
    done = run_program(FORGOTTEN_SYNC.format(script="SILENT") + "1 / 0", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("ZeroDivisionError: division by zero")
    assert sum(booked(tmp_path).values()) == 1
    assert "open" not in booked(tmp_path)


def test_ctrl_c_cancels_a_sync_call_and_the_agent_stays_usable(tmp_path: Path) -> None:
    done = run_program(
        """
rig = Rig(SILENT)
with manus.open_sync(on_disk, **options(rig)) as agent:
    threading.Thread(target=lambda: (until(lambda: rig.open_exchanges == 1), say("asking"))).start()
    try:
        agent.generate("Hello")
    except KeyboardInterrupt:
        say("interrupted")
    until(lambda: rig.open_exchanges == 0)
    rig.first.behave(Script(text="Still here."))
    say(agent.generate("Hello").content)
    rig.first.behave(STUCK)
    shown = []
    try:
        for chunk in agent.stream("Hello"):
            shown.append(chunk)
            if len(shown) == 2:
                say("asking")
    except KeyboardInterrupt:
        say("interrupted")
    until(lambda: rig.open_exchanges == 0)
""",
        cwd=tmp_path,
        signal_on="asking",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["asking", "interrupted", "Still here.", "asking", "interrupted"]
    assert "open" not in booked(tmp_path)


def test_ctrl_c_that_nobody_catches_ends_the_program_and_settles(tmp_path: Path) -> None:
    done = run_program(
        """
rig = Rig(SILENT)
with manus.open_sync(on_disk, **options(rig)) as agent:
    threading.Thread(target=lambda: (until(lambda: rig.open_exchanges == 1), say("asking")), daemon=True).start()
    agent.generate("Hello")
""",
        cwd=tmp_path,
        signal_on="asking",
    )
    assert done.returncode in (130, -2), done.stderr
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
    assert sum(booked(tmp_path).values()) == 1
    assert "open" not in booked(tmp_path)


def test_a_second_ctrl_c_ends_the_draining(tmp_path: Path) -> None:
    done = run_program(
        """
rig = Rig(SILENT)
agent = manus.open_sync(on_disk, drain_s=1000.0, **options(rig))
stream = agent.stream("Hello")
until(lambda: rig.open_exchanges == 1)
threading.Thread(target=lambda: (until(lambda: agent._hosted._runtime.stopping), say("draining")), daemon=True).start()
try:
    agent.shutdown()
except KeyboardInterrupt:
    say("interrupted", runtimes())
""",
        cwd=tmp_path,
        signal_on="draining",
    )
    assert (done.returncode, done.stdout) == (0, "draining\ninterrupted []\n"), done.stderr


def test_ctrl_c_in_asyncio_cancels_the_call_and_ends_the_program(tmp_path: Path) -> None:
    done = run_program(
        """
rig = Rig(SILENT)
async def main():
    async with await manus.create_agent(on_disk, **options(rig)) as agent:
        task = asyncio.create_task(agent.generate("Hello"))
        while rig.open_exchanges == 0:
            await asyncio.sleep(0.01)
        say("asking")
        await task
try:
    asyncio.run(main())
except KeyboardInterrupt:
    say("interrupted", runtimes())
""",
        cwd=tmp_path,
        signal_on="asking",
    )
    assert (done.returncode, done.stdout) == (0, "asking\ninterrupted []\n"), done.stderr
    assert sum(booked(tmp_path).values()) == 1
    assert "open" not in booked(tmp_path)


def test_a_fork_is_refused_with_a_clear_error_and_harms_nobody(tmp_path: Path) -> None:
    """Calls, streams and the end of the child: none of them may touch the runtime, which is the parent's alone."""
    done = run_program(
        """
rig = Rig(STUCK)
agent = manus.open_sync(on_disk, **options(rig))
stream = agent.stream("Hello")
next(stream)
parent = os.getpid()
child = os.fork()
if child == 0:
    for call in (lambda: agent.generate("Hello"), lambda: agent.stream("Hello"), agent.health, stream.cancel):
        try:
            call()
        except manus.RequestCancelledError as error:
            assert f"lives in process {parent}" in str(error) and error.kind == "stopped", error
        else:
            os._exit(9)
    stream.close()
    agent.shutdown()
    del stream
    gc.collect()
    with manus.open_sync(config(), **options(Rig())) as another:
        say("child:", another.generate("Hello").content)
    sys.exit(0)  # with all that an interpreter does at its end
_, status = os.waitpid(child, 0)
say("parent:", os.waitstatus_to_exitcode(status), rig.open_exchanges, stream.cancel().finish_reason)
agent.shutdown()
""",
        cwd=tmp_path,
    )
    told = "child: One two three four five six.\nparent: 0 1 cancelled\n"
    assert (done.returncode, done.stdout) == (0, told), done.stderr
    assert booked(tmp_path) == {"settled": 1}


def test_an_agent_in_a_child_of_multiprocessing_is_refused_too(tmp_path: Path) -> None:
    done = run_program(
        """
import multiprocessing
rig = Rig()
agent = manus.open_sync(on_disk, **options(rig))
def ask(queue):
    try:
        agent.generate("Hello")
    except manus.LLMError as error:
        queue.put(type(error).__name__)
context = multiprocessing.get_context("fork")
queue = context.Queue()
process = context.Process(target=ask, args=(queue,))
process.start()
say(queue.get())
process.join()
say(process.exitcode, agent.generate("Hello").content)
agent.shutdown()
""",
        cwd=tmp_path,
    )
    assert done.stdout == "RequestCancelledError\n0 One two three four five six.\n", done.stderr


def test_two_asyncio_programs_in_one_process_one_after_the_other(tmp_path: Path) -> None:
    done = run_program(
        """
async def main():
    async with await manus.create_agent(on_disk, **options(Rig())) as agent:
        say((await agent.generate("Hello")).content, len(runtimes()))
asyncio.run(main())
asyncio.run(main())
say(runtimes())
""",
        cwd=tmp_path,
    )
    answer = "One two three four five six. 1\n"
    assert done.stdout == f"{answer}{answer}[]\n", done.stderr
    assert done.stderr == ""
    assert booked(tmp_path) == {"settled": 2}
