"""`manus sim` says where its providers are, meets requests with the asked faults, and ends on a signal."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.config.check import check_text
from manus.messages.content import text_turn
from manus.messages.ids import RequestId
from manus.messages.requests import ChatRequest
from manus.sim.provider import CODECS, WIRES, SimProvider

END_S = 20.0
"""How long a process may take to end; a hang is reported as such."""


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `manus sim` with `arguments`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "manus", "sim", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def places(process: subprocess.Popen[str]) -> dict[str, str]:
    """Read where the providers are from the one line of `--json`."""
    assert process.stdout is not None
    announced = json.loads(process.stdout.readline())
    return {provider["wire"]: provider["origin"] for provider in announced["providers"]}


def ask(origin: str, wire: str) -> tuple[int, bytes]:
    """Ask for a completion, as our own codec does: status and body."""
    request_id = RequestId("r")
    asked = ChatRequest(request_id=request_id, turns=(text_turn("user", "hi"),), max_output_tokens=100)
    encoded = codec_for(CODECS[wire]).encode(asked, "m", CodecOptions())  # type: ignore[index]
    assert isinstance(encoded, HttpRequest)
    base_path = SimProvider(wire).wire.base_path  # type: ignore[arg-type]
    headers = dict(encoded.headers)
    request = urllib.request.Request(origin + base_path + encoded.path, data=encoded.body, headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=END_S) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_all_wires_answer_and_the_bills_are_told_at_the_end() -> None:
    with running("--json", "--text", "Hello, world.") as process:
        found = places(process)
        assert found.keys() == WIRES.keys()
        for wire, origin in found.items():
            status, body = ask(origin, wire)
            assert status == 200
            assert b"Hello, world." in body
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=END_S)
    assert process.returncode == 0
    for wire in WIRES:
        assert re.search(rf"^{wire}: <Bill 1 requests, 1 billed: 7 tokens in, 2 out>$", told, re.MULTILINE)


def test_a_fault_strikes_the_asked_wire() -> None:
    with running("--json", "--wire", "openai", "--fault", "429:retry_after_s=2") as process:
        origins = places(process)
        assert list(origins) == ["openai"]
        assert ask(origins["openai"], "openai")[0] == 429


def test_refused_means_that_nobody_gets_in() -> None:
    with running("--json", "--wire", "openai", "--fault", "refused") as process:
        host, _, port = places(process)["openai"].rpartition(":")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host.removeprefix("http://"), int(port)), timeout=END_S)


def test_what_it_prints_can_be_pasted_into_a_config() -> None:
    with running(*(word for wire in (*WIRES, "openai") for word in ("--wire", wire))) as process:
        assert process.stdout is not None
        printed: list[str] = []
        while not printed or not printed[-1].startswith("# bill"):
            printed.append(process.stdout.readline())
            assert printed[-1], process.communicate()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=END_S)
    assert process.returncode == 0
    checked = check_text("".join(printed), file="pasted.toml", environ={}, base=Path())
    assert [problem for problem in checked.problems if problem.severity == "error"] == []
    assert checked.config is not None
    assert checked.config.providers.keys() == {*(f"sim-{wire}" for wire in WIRES), "sim-openai2"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--fault", "stal"], "did you mean 'stall'"),
        (["--fault", "stall", "--fault-rate", "7"], "between 0 and 1"),
        (["--gap-s", "-1"], "negative"),
        (["--wire", "telex"], "telex"),
        (["--wire", "ollama", "--fault", "corrupt-frame"], "does not exist on the wire 'ollama'"),
    ],
)
def test_what_cannot_be_done_is_said_with_status_2(arguments: list[str], says: str) -> None:
    with running(*arguments) as process:
        _, told = process.communicate(timeout=END_S)
    assert process.returncode == 2
    assert says in told
    assert "Traceback" not in told


def test_a_taken_port_is_said_with_status_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, running("--port", str(taken.getsockname()[1])) as process:
        _, told = process.communicate(timeout=END_S)
    assert process.returncode == 2
    assert "cannot serve on port" in told
    assert "Traceback" not in told


def test_the_faults_are_listed() -> None:
    with running("--list-faults") as process:
        listed, _ = process.communicate(timeout=END_S)
    assert process.returncode == 0
    assert "cut-utf8" in listed
    assert re.search(r"^corrupt-frame .*only: bedrock$", listed, re.MULTILINE)


def test_limits_are_kept_as_asked() -> None:
    with running("--wire", "openai", "--limit", "requests=1", "--counting", "sliding", "--json") as process:
        origin = places(process)["openai"]
        assert [ask(origin, "openai")[0] for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("spelling", ["rpm=3", "requests=many", "requests=0", "requests"])
def test_a_limit_that_is_none_is_refused(spelling: str) -> None:
    with running("--wire", "openai", "--limit", spelling) as process:
        assert process.wait(END_S) == 2
        assert process.stderr is not None
        assert "limit" in process.stderr.read()
