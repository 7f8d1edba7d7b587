"""The watch over the loop. These few tests run on the real clock: a blocked loop knows no other."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time

import trio

from manus.supervisor.events import LoopStalled
from manus.supervisor.stall import ABORT_EXIT_CODE, StallPolicy
from tests.supervisor.rig import Diary, echo, in_s, running, serving, worker

STALL_S = 0.05


def guilty_of_blocking_the_loop(reported: threading.Event) -> None:
    """Hold the loop until the watch has noticed."""
    assert reported.wait(30)


async def test_a_stalled_loop_is_reported_at_once_with_the_function_that_holds_it() -> None:
    reports: list[str] = []
    reported = threading.Event()

    def report(text: str) -> None:
        reports.append(text)
        reported.set()

    diary = Diary()
    stalled = trio.Event()
    diary.bus.add_listener(lambda event: stalled.set() if isinstance(event, LoopStalled) else None)
    policy = StallPolicy(stall_s=STALL_S, report=report)
    async with running(worker("a", serving(echo)), diary=diary, stall=policy) as tree:
        guilty_of_blocking_the_loop(reported)
        with trio.fail_after(30):
            await stalled.wait()
        # Nothing died of it.
        assert await tree.ref("a").ask("x", deadline=in_s(30)) == "x"

    assert "guilty_of_blocking_the_loop" in reports[0]
    event = diary.of(LoopStalled)[0]
    assert "guilty_of_blocking_the_loop" in event.stack
    assert event.stalled_s >= STALL_S


async def test_the_watch_ends_with_its_tree() -> None:
    async with running(worker("a", serving(echo)), stall=StallPolicy(stall_s=STALL_S)):
        assert any(thread.name == "loop stall watch" for thread in threading.enumerate())
    assert not any(thread.name == "loop stall watch" for thread in threading.enumerate())


async def test_no_thread_is_started_where_none_was_asked_for(autojump_clock: object) -> None:
    before = threading.active_count()
    async with running(worker("a", serving(echo))):
        assert threading.active_count() == before


def test_a_host_may_have_the_process_ended_instead() -> None:
    program = textwrap.dedent(
        f"""
        import time
        import trio
        from manus.supervisor import StallPolicy, SupervisorSpec, open_tree

        def guilty_of_blocking_the_loop():
            time.sleep(600)

        async def main():
            stall = StallPolicy(stall_s={STALL_S}, abort_s={4 * STALL_S})
            async with open_tree(SupervisorSpec(id="root"), stall=stall):
                guilty_of_blocking_the_loop()

        trio.run(main)
        """
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == ABORT_EXIT_CODE
    assert "guilty_of_blocking_the_loop" in done.stderr
    assert "giving up" in done.stderr
    assert time.monotonic() - began < 600
