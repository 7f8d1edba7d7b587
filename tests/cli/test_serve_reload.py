"""`manus serve` and SIGHUP: another configuration comes into force, or is refused; what is in flight goes on."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.rig import LIMIT_S, Terminal, simulated
from tests.cli.serve_rig import host_of, serving, wait_until_it_says

WORDS = 40


@pytest.fixture(scope="module")
def slow() -> Iterator[str]:
    with simulated("--words", str(WORDS), "--gap-s", "0.03") as base_url:
        yield base_url


def add_a_provider(directory: Path, base_url: str) -> None:
    with (directory / "llm.toml").open("a") as file:
        file.write(f'\n[providers.second]\ntype = "openai"\nbase_url = "{base_url}"\napi_key = "sk-second-2201"\n')


def test_a_provider_is_added_under_a_stream_that_does_not_notice(tmp_path: Path, slow: str) -> None:
    with serving(Terminal(tmp_path, slow), "--stdio") as process:
        host = host_of(process)
        stream = host.begin_stream({"prompt": "Hello"})
        add_a_provider(tmp_path, slow)
        process.send_signal(signal.SIGHUP)
        told = wait_until_it_says(process, "Reloaded")
        assert (told["added"], told["unchanged"]) == (["second"], ["sim"])
        assert host.ask("providers.list") == {"providers": ["sim", "second"]}
        result = host.reply(stream)["result"]
        assert (result["finish_reason"], len(result["content"].split())) == ("stop", WORDS)


def test_a_configuration_that_is_wrong_is_refused_and_the_former_one_stays(tmp_path: Path, slow: str) -> None:
    with serving(Terminal(tmp_path, slow), "--stdio") as process:
        host = host_of(process)
        (tmp_path / "llm.toml").write_text("[providers.sim]\nbase = 1\n")
        process.send_signal(signal.SIGHUP)
        told = wait_until_it_says(process, "ReloadRefused")
        assert told["level"] == "error"
        assert "providers.sim.base: unknown key" in told["message"]
        assert host.ask("providers.list") == {"providers": ["sim"]}


def test_a_service_manager_is_told_when_it_is_ready_reloads_and_stops(tmp_path: Path, slow: str) -> None:
    terminal = Terminal(tmp_path, slow)
    manager = Path(os.path.relpath(tmp_path / "n"))
    terminal.environ["NOTIFY_SOCKET"] = str(tmp_path / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as words:
        words.bind(str(manager))
        words.settimeout(LIMIT_S)
        with serving(terminal, "--unix", os.path.relpath(tmp_path / "s", tmp_path)) as process:
            assert words.recv(64) == b"READY=1"
            assert (tmp_path / "s").is_socket()
            process.send_signal(signal.SIGHUP)
            assert words.recv(64).splitlines()[0] == b"RELOADING=1"
            assert words.recv(64) == b"READY=1"
            process.send_signal(signal.SIGTERM)
            assert words.recv(64) == b"STOPPING=1"
            assert process.wait(LIMIT_S) == 0
