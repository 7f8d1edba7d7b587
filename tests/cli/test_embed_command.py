"""`manus embed` as its users meet it: a process of its own and real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from manus.sim.embeddings import vector_of
from tests.cli.rig import TEXT, Terminal, simulated


@pytest.fixture(scope="module")
def quick() -> Iterator[str]:
    with simulated("--text", TEXT, "--gap-s", "0") as base_url:
        yield base_url


@pytest.fixture
def terminal(tmp_path: Path, quick: str) -> Terminal:
    return Terminal(tmp_path, quick)


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [(["one", "two"], b""), ([], b"one\n\n two \n"), ([], "one\r\nété".encode())],
    ids=["arguments", "lines", "no last line end"],
)
def test_a_line_of_json_for_each_text_goes_to_stdout(terminal: Terminal, arguments: list[str], stdin: bytes) -> None:
    done = terminal.run("embed", "--dimensions", "4", *arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    texts = arguments or [line.rstrip("\r") for line in stdin.decode().split("\n") if line.strip()]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines == [{"index": index, "embedding": vector_of(text, 4)} for index, text in enumerate(texts)]
    assert "2 vectors of 4 dimensions | " in done.stderr.decode()
    assert "tokens (reported) | cost $0.0000" in done.stderr.decode()


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        ([], b"", "holds no text"),
        ([], b"\n \n", "holds no text"),
        ([], b"\xff\xfe", "is not UTF-8 at byte 0"),
        (["--dimensions", "0", "a"], b"", "dimensions: expected a whole number from 1"),
        (["--provider", "nobody", "a"], b"", "No provider is called 'nobody'"),
        (["--purpose", "fun", "a"], b"", "invalid choice"),
    ],
)
def test_what_cannot_be_embedded_is_said_by_name(
    terminal: Terminal, arguments: list[str], stdin: bytes, message: str
) -> None:
    done = terminal.run("embed", *arguments, stdin=stdin)
    assert done.returncode == 2
    assert done.stdout == b""
    assert message in done.stderr.decode()


def test_a_failure_tells_what_it_cost(terminal: Terminal) -> None:
    done = terminal.run("embed", "--model", "sim-500", "a")
    assert done.returncode == 1
    assert "sim/sim-500: server, released" in done.stderr.decode()
