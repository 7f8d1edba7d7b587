"""`manus ask` that is ended by a signal, or by a reader who leaves: a real process, a real socket, a ledger on disk."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from manus.sim.words import count_tokens
from tests.cli.rig import LIMIT_S, Terminal, simulated

WORDS = 40
GAP_S = 0.1
INPUT_TOKENS = "input_uncached + cache_read + cache_write_short + cache_write_long"


@pytest.fixture
def spoken() -> Iterator[str]:
    """Serve a provider that takes a few seconds for its answer."""
    with simulated("--words", str(WORDS), "--gap-s", str(GAP_S)) as base_url:
        yield base_url


def read_words(process: subprocess.Popen[bytes], words: int) -> str:
    """Read the answer until so many words have come."""
    assert process.stdout is not None
    text = b""
    while len(text.split()) < words:
        piece = os.read(process.stdout.fileno(), 4096)
        assert piece, "the answer ended early"
        text += piece
    return text.decode(errors="ignore")


def end_by_a_signal(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LIMIT_S)
    return 130


def end_by_closing_the_pipe(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.read()
    process.wait(timeout=LIMIT_S)
    return 141


def bill_of(base_url: str) -> dict[str, Any]:  # Any: JSON
    """Give the only line of the provider's bill, once the provider has seen its client go."""
    for _ in range(LIMIT_S * 20):
        with urllib.request.urlopen(f"{base_url.removesuffix('/v1')}/_sim/bill", timeout=LIMIT_S) as answer:
            (row,) = json.load(answer)["rows"]
        if row["state"] not in ("arriving", "working"):
            return dict(row)
        time.sleep(0.05)
    raise AssertionError("the provider never saw its client go")


@pytest.mark.parametrize("on_cancel", ["abort", "drain"])
@pytest.mark.parametrize("end", [end_by_a_signal, end_by_closing_the_pipe])
@pytest.mark.parametrize("words", [7, *(pytest.param(words, marks=pytest.mark.long) for words in (1, 2, 3, 20, 38))])
def test_command_that_is_ended_leaves_one_true_row(
    words: int, end: Any, on_cancel: str, spoken: str, tmp_path: Path
) -> None:
    terminal = Terminal(tmp_path, None)
    terminal.configure(spoken, f'[routing]\non_cancel = "{on_cancel}"')
    with terminal.start("ask", "Hello") as process:
        seen = read_words(process, words)
        ended_at = time.monotonic()
        status = end(process)
    assert process.returncode == status
    bill = bill_of(spoken)
    # What is made while the process comes to its end: a chunk, and more where the machine is slow.
    ran_ahead = 1 + int((time.monotonic() - ended_at) / GAP_S)

    with closing(sqlite3.connect(terminal.directory / "ledger.sqlite")) as connection:
        ((state, source, input_tokens, output_tokens),) = connection.execute(
            f"SELECT state, source, {INPUT_TOKENS}, output FROM attempts"
        ).fetchall()
    if on_cancel == "drain":
        assert (bill["state"], state, source) == ("complete", "settled", "reported")
        assert (input_tokens, output_tokens) == (bill["input_tokens"], bill["output_tokens"])
        assert output_tokens >= WORDS
    else:
        assert (bill["state"], state, source) == ("disconnected", "settled", "estimated")
        assert count_tokens(seen) - 1 <= output_tokens <= bill["output_tokens"]
        assert bill["output_tokens"] - output_tokens <= ran_ahead
