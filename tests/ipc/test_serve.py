"""Serving in a process of one's own: the socket's path, what is said when ready, and closed descriptors."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from manus.errors import ConfigurationError
from manus.ipc import notify
from manus.ipc.parent_watch import wait_parent_dead
from manus.ipc.serve import serve
from tests.ipc.process_host import command, open_process, provider_at, write_config

HOLDS = """\
import os
from manus.ipc.stdio_guard import take_stdio
os.close(2)
taken = take_stdio()
next_opened = os.open("/dev/null", os.O_RDONLY)
os.write(2, b"lost")
os.write(taken.sink_fd, b"%d" % next_opened)
"""


async def test_a_socket_without_a_path_is_a_matter_of_configuration(tmp_path: Path) -> None:
    config = write_config(tmp_path / "llm.toml", "http://nobody/v1")
    with trio.fail_after(30), pytest.raises(ConfigurationError, match="set ipc"):
        await serve(config, unix="configured")


async def test_a_path_that_cannot_be_ends_the_start_and_touches_nothing(tmp_path: Path) -> None:
    config = write_config(tmp_path / "llm.toml", "http://nobody/v1")
    (tmp_path / "s").write_text("precious")
    with trio.fail_after(30), pytest.raises(ConfigurationError, match="is no socket"):
        await serve(config, unix=tmp_path / "s")
    assert (tmp_path / "s").read_text() == "precious"


async def test_a_configuration_that_is_wrong_ends_the_start(tmp_path: Path) -> None:
    config = tmp_path / "llm.toml"
    config.write_text("[providers.")
    with trio.fail_after(30), pytest.raises(ConfigurationError):
        await serve(config, unix=tmp_path / "s")
    assert not (tmp_path / "s").exists()


async def test_both_are_served_and_the_end_of_the_owner_is_the_end_of_all(tmp_path: Path) -> None:
    async with provider_at(tmp_path, more='[ipc]\nsocket_path = "sock"') as config:
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.bind(str(tmp_path / "notify"))
        environ = os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        async with open_process(command(config, "--stdio", "--unix"), env=environ) as host:
            await host.greet()
            async with await trio.open_unix_socket(tmp_path / "sock") as stream:
                await stream.send_all(b'{"command": "generate", "params": {"prompt": "hello"}}\n')
                assert b"One two three." in await stream.receive_some()
                assert host.process.stdin is not None
                await host.process.stdin.aclose()
                assert await stream.receive_some() == b""

            assert await host.process.wait() == 0
            assert not (tmp_path / "sock").exists()
        told = [manager.recv(64), manager.recv(64)]
        manager.close()

    assert told == [b"READY=1", b"STOPPING=1"]


def test_a_closed_stderr_is_not_taken_by_the_next_file_that_is_opened() -> None:
    process = subprocess.run([sys.executable, "-c", HOLDS], input=b"", capture_output=True, check=True)
    assert int(process.stdout) > 2


async def test_the_death_of_a_process_is_noticed_at_once_or_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with trio.fail_after(30):
        process = await trio.lowlevel.open_process([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=-1)
        monkeypatch.setattr(os, "getppid", lambda: process.pid)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_parent_dead, process.pid)
            assert process.stdin is not None
            await process.stdin.aclose()
        await process.wait()


async def test_without_a_word_from_the_kernel_the_parents_number_tells(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    monkeypatch.setattr(os, "getppid", lambda: 4242 if trio.current_time() < 100 else 1)

    await wait_parent_dead(4242)

    assert 100 <= trio.current_time() < 102


async def test_init_is_nobodys_host(autojump_clock: trio.testing.MockClock) -> None:
    with trio.move_on_after(1000) as waiting:
        await wait_parent_dead(1)
    assert waiting.cancelled_caught


def test_a_manager_that_is_gone_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for address in ("", str(tmp_path / "nobody"), "nonsense"):
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        notify.say("READY=1")
