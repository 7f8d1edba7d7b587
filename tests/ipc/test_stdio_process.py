"""`manus serve --stdio` as the subprocess that a host starts: its descriptors, its ends, and what it leaves behind."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import tty
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from manus.sim.behaviour import Script
from tests.ipc.process_host import command, is_alive, kill, open_process, provider_at, until_gone

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'
PONG = {"jsonrpc": "2.0", "id": 1, "result": {}}

MODEL_SERVER = Path(__file__).parents[1] / "actors" / "scripted_model_server.py"


def flags_of(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_GETFL)


async def test_it_answers_streams_and_ends_with_its_input(tmp_path: Path) -> None:
    async with provider_at(tmp_path) as config, open_process(command(config, "--stdio")) as host:
        await host.greet()
        await host.ask(1, "generate", prompt="hello")
        await host.ask(2, "stream", prompt="hello")
        replies: dict[int, str] = {}
        while len(replies) < 2:
            heard = await host.hear()
            if "result" in heard:
                replies[heard["id"]] = heard["result"]["content"]
        assert host.process.stdin is not None
        await host.process.stdin.aclose()

        assert set(replies.values()) == {"One two three."}
        assert await host.process.wait() == 0
        assert await host.rest() == b""


# --- descriptors of every kind ---------------------------------------


async def _over_a_socket(config: Path, tmp_path: Path) -> bytes:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        async with open_process(command(config, "--stdio"), stdin=theirs.fileno(), stdout=theirs.fileno()) as host:
            ours.sendall(PING)
            before = flags_of(theirs.fileno())
            answer = await trio.to_thread.run_sync(ours.recv, 4096)
            assert flags_of(theirs.fileno()) == before & ~os.O_NONBLOCK == before, "the description is shared"
            ours.shutdown(socket.SHUT_WR)
            assert await host.process.wait() == 0
        return answer


async def _over_a_terminal(config: Path, tmp_path: Path) -> bytes:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    try:
        async with open_process(command(config, "--stdio"), stdin=theirs, stdout=theirs) as host:
            os.write(ours, PING)
            answer = await trio.to_thread.run_sync(os.read, ours, 4096)
            assert not flags_of(theirs) & os.O_NONBLOCK, "the description is shared"
            host.process.send_signal(signal.SIGTERM)
            assert await host.process.wait() == 0
            assert not flags_of(theirs) & os.O_NONBLOCK, "nor is it left so for the shell that comes next"
        return answer
    finally:
        os.close(ours)
        os.close(theirs)


async def _over_files(config: Path, tmp_path: Path) -> bytes:
    (tmp_path / "in").write_bytes(PING)
    with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as sink:
        async with open_process(command(config, "--stdio"), stdin=source, stdout=sink) as host:
            assert await host.process.wait() == 0
    return (tmp_path / "out").read_bytes()


async def _over_shared_pipes(config: Path, tmp_path: Path) -> bytes:
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()
    try:
        async with open_process(command(config, "--stdio"), stdin=their_in, stdout=their_out) as host:
            os.write(our_out, PING)
            answer = await trio.to_thread.run_sync(os.read, our_in, 4096)
            assert not (flags_of(their_in) | flags_of(their_out)) & os.O_NONBLOCK, "the descriptions are shared"
            os.close(our_out)
            our_out = -1
            assert await host.process.wait() == 0
        return answer
    finally:
        for fd in {their_in, our_in, their_out, our_out} - {-1}:
            os.close(fd)


@pytest.mark.parametrize("over", [_over_a_socket, _over_a_terminal, _over_files, _over_shared_pipes])
async def test_descriptors_of_every_kind_are_served_and_left_as_they_were(
    over: Callable[..., object], tmp_path: Path
) -> None:
    async with provider_at(tmp_path) as config:
        answer = await over(config, tmp_path)  # type: ignore[misc]  # each is one of the functions above
    assert json.loads(answer) == PONG


async def test_input_that_is_empty_is_an_end(tmp_path: Path) -> None:
    async with provider_at(tmp_path) as config:
        async with open_process(command(config, "--stdio"), stdin=subprocess.DEVNULL) as host:
            assert await host.process.wait() == 0


# --- the guard ------------------------------------------------------

PRINTS = """\
import os, subprocess, sys
from manus.ipc.stdio_guard import take_stdio
taken = take_stdio()
print("stray print", flush=True)
os.system("echo stray echo")
child = "import os, sys; print(any(map(os.path.exists, ('/proc/self/fd/%d', '/proc/self/fd/%d'))), sys.stdin.read())"
subprocess.run([sys.executable, "-c", child % taken[:2]], close_fds=False, check=True)
os.write(taken.sink_fd, os.read(taken.source_fd, 100))
"""


@pytest.mark.parametrize("stderr", ["open", "closed"])
def test_nothing_that_is_printed_gets_into_the_channel(stderr: str) -> None:
    close = "import os; os.close(2)\n" if stderr == "closed" else ""
    process = subprocess.run([sys.executable, "-c", close + PRINTS], input=b"channel", capture_output=True, check=False)

    assert process.stdout == b"channel"
    if stderr == "open":
        assert b"stray print" in process.stderr
        assert b"stray echo" in process.stderr
        assert b"False \n" in process.stderr, "a child has inherited the channel, or can read from it"


# --- ends -----------------------------------------------------------


async def test_a_signal_drains_and_ends_well(tmp_path: Path) -> None:
    async with provider_at(tmp_path, Script(text="One two three four.", gap_s=0.1)) as config:
        async with open_process(command(config, "--stdio")) as host:
            await host.greet()
            await host.ask(1, "stream", prompt="hello")
            await host.hear()
            host.process.send_signal(signal.SIGTERM)
            reply = await host.reply(1)

            assert reply["result"]["finish_reason"] == "stop"
            assert await host.process.wait() == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_second_signal_ends_at_once(number: int, status: int, tmp_path: Path) -> None:
    socket_path = tmp_path / "s"
    async with provider_at(tmp_path, Script(words=5000, gap_s=0.05)) as config:
        async with open_process(command(config, "--stdio", "--unix", str(socket_path))) as host:
            await host.greet()
            await host.ask(1, "stream", prompt="hello")
            await host.hear()
            host.process.send_signal(number)
            # It drains: what is in flight goes on, what is new is refused.
            await host.ask(2, "providers.list")
            while "result" in (reply := await host.reply(2)):
                await host.ask(2, "providers.list")
            assert reply["error"]["data"]["kind"] == "stopping"
            host.process.send_signal(number)

            assert await host.process.wait() == status
            assert not socket_path.exists()


@pytest.mark.parametrize(("words", "status"), [(("exit",), 1), (("shutdown", "exit"), 0)])
async def test_exit_tells_whether_it_was_asked_for_in_order(
    words: tuple[str, ...], status: int, tmp_path: Path
) -> None:
    async with provider_at(tmp_path, Script(words=5000, gap_s=0.05)) as config:
        async with open_process(command(config, "--stdio")) as host:
            await host.greet()
            await host.ask(1, "stream", prompt="hello")
            await host.hear()
            if "shutdown" in words:
                await host.ask(2, "shutdown", deadline_ms=60_000)
            await host.say({"jsonrpc": "2.0", "method": "exit"})

            assert await host.process.wait() == status


async def test_a_host_that_reads_no_more_ends_the_server(tmp_path: Path) -> None:
    async with provider_at(tmp_path, Script(words=5000, gap_s=0.01)) as config:
        async with open_process(command(config, "--stdio")) as host:
            await host.greet()
            await host.ask(1, "stream", prompt="hello")
            await host.hear()
            assert host.process.stdout is not None
            await host.process.stdout.aclose()

            assert await host.process.wait() == 1


async def test_a_hang_up_reloads_and_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    async with provider_at(tmp_path) as config:
        async with open_process(command(config, "--stdio"), stderr=subprocess.PIPE) as host:
            assert host.process.stderr is not None
            await host.greet()
            good = config.read_text()
            told = ""
            for text, event in ((good + "[providers.", "ReloadRefused"), (good, "Reloaded")):
                config.write_text(text)
                host.process.send_signal(signal.SIGHUP)
                while f'"event": "{event}"' not in told:
                    told += (await host.process.stderr.receive_some()).decode()
                await host.ask(1, "generate", prompt="hello")
                assert (await host.reply(1))["result"]["content"] == "One two three."

    assert all(isinstance(json.loads(line), dict) for line in told.splitlines()), "stderr is lines of JSON"


# --- the host's death ------------------------------------------------

HOST = """\
import os, subprocess, sys
held, inherited = os.pipe()
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
server.stdin.write(b'{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":1}}\\n')
server.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"stream","params":{"prompt":"hello"}}\\n')
server.stdin.flush()
server.stdout.readline(), server.stdout.readline()
if HOLD:
    # Somebody else holds the other end of the server's pipes, as processes do that a careless host has forked.
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], close_fds=False,
                     stdin=server.stdin, stdout=subprocess.DEVNULL, pass_fds=(server.stdout.fileno(),))
print(server.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("hold", [False, True])
async def test_a_killed_host_leaves_neither_server_nor_model_server_behind(hold: bool, tmp_path: Path) -> None:
    config = tmp_path / "llm.toml"
    children = tmp_path / "model_servers_child"
    config.write_text(
        '[ledger]\npath = ":memory:"\n[ipc]\ndrain_s = 0.5\n[providers.local]\n'
        f'command = "{sys.executable}"\nargs = ["{MODEL_SERVER}", "{{port}}", "parent", "{children}"]\n'
        'models = [{ name = "m" }]\n'
    )
    program = [sys.executable, "-c", f"HOLD = {hold}\n{HOST}", *command(config, "--stdio")]
    async with open_process(program) as host:
        assert host.process.stdout is not None
        server = int((await host.process.stdout.receive_some()).decode())
        model_servers = int(children.read_text())
        assert is_alive(server)
        assert is_alive(model_servers)
        kill(host.process.pid)

        await until_gone(server)
        await until_gone(model_servers)
