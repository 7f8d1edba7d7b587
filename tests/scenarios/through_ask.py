"""Own the scenarios as somebody at a shell meets them: `manus ask`, its stdout, its stderr and its exit status."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import trio

from manus.cli import exits
from tests.scenarios.caller import PROMPT
from tests.scenarios.judge import EXACT_S
from tests.scenarios.settings import MODEL
from tests.scenarios.vocabulary import Expected, Scenario

KEPT = ("PATH", "LANG", "VIRTUAL_ENV", "PYTHONPATH")
"""What a shell's environment has that the command needs."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one `manus ask`: the exit status, both streams, the states in its ledger, and how long it took."""

    status: int
    stdout: str
    stderr: str
    states: tuple[str, ...]
    took_s: float


def takes_part(scenario: Scenario) -> bool:
    """Whether a scenario can be played by one command: one request, for which the caller wishes nothing special."""
    return len(scenario.asks) == 1 and scenario.asks[0].on_interrupt is None and "stream" in scenario.methods


async def run_ask(configuration: Path, *, timeout_s: float) -> Asked:
    """Ask, in the directory of the configuration, with no other environment than a shell has."""
    directory = configuration.parent
    environ = {name: os.environ[name] for name in KEPT if name in os.environ} | {"HOME": str(directory)}
    command = [
        sys.executable,
        "-m",
        "manus",
        "ask",
        "--config",
        str(configuration),
        "--timeout",
        str(timeout_s),
        PROMPT,
    ]
    began = trio.current_time()
    done: subprocess.CompletedProcess[bytes] = await trio.run_process(
        command, capture_stdout=True, capture_stderr=True, check=False, cwd=directory, env=environ
    )
    return Asked(
        status=done.returncode,
        stdout=done.stdout.decode(),
        stderr=done.stderr.decode(),
        states=tuple(_states_in(directory / "ledger.sqlite")),
        took_s=trio.current_time() - began,
    )


def complaints_of_ask(scenario: Scenario, asked: Asked, *, slack_s: float | None) -> list[str]:
    """List what is not as promised. `slack_s` is what the start of a process may take; None judges no times."""
    expected = scenario.asks[0].expectation("stream")
    found = list(_about_streams(expected, asked))
    if expected.bookings is not None and Counter(asked.states) != Counter(expected.bookings):
        found.append(f"the ledger has {', '.join(asked.states)}, not {', '.join(expected.bookings)}")
    least, most = expected.took_s
    if slack_s is not None and not least - EXACT_S <= asked.took_s <= most + slack_s:
        found.append(f"it took {asked.took_s:.3f} s, not {least:g} to {most:g}")
    return found


def _about_streams(expected: Expected, asked: Asked) -> Iterator[str]:
    if "Traceback" in asked.stderr:
        yield f"a traceback: {asked.stderr}"
    story = asked.stderr.strip().splitlines()
    if expected.text is not None:
        if asked.stdout != expected.text + "\n":
            yield f"stdout is {asked.stdout!r}"
        if asked.status != exits.OK:
            yield f"it ended with {asked.status}: {asked.stderr}"
        if expected.by is not None and not (story and story[-1].startswith(f"[{expected.by}/{MODEL} | stop | ")):
            yield f"stderr does not say that {expected.by} answered: {asked.stderr!r}"
        if expected.roles is not None and len(story) != len(expected.roles):
            yield f"stderr tells of {len(story)} attempts, not {len(expected.roles)}: {asked.stderr!r}"
        return
    status = exits.BAD_INPUT if expected.error == "InvalidRequestError" else exits.FAILED
    if asked.status != status:
        yield f"it ended with {asked.status}, not {status}: {asked.stderr}"
    if len(asked.stdout.rstrip("\n")) < expected.partial:
        yield f"stdout has {len(asked.stdout)} characters of the answer, not {expected.partial}"
    if not asked.stderr.startswith("manus: ") or expected.says not in asked.stderr:
        yield f"stderr does not say what went wrong: {asked.stderr!r}"


def _states_in(ledger: Path) -> Iterator[str]:
    if not ledger.exists():
        return
    with sqlite3.connect(ledger) as connection:
        rows = connection.execute("SELECT state FROM attempts ORDER BY id").fetchall()
    connection.close()
    yield from (state for (state,) in rows)
