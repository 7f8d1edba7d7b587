"""Own the rig of the hosts' tests: agents in their own threads over simulated providers in memory, on real clocks."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import manus
from manus.sim.behaviour import Script
from manus.sim.faults import Stall
from tests.face.rig import TEXT, Rig, config
from tests.patience import WAIT_S

SILENT: Final = Script(text=TEXT, fault=Stall(where="headers"))
"""A provider that takes the call and never says a word."""

STUCK: Final = Script(text=TEXT, fault=Stall(where="body", after_chunks=2))
"""A provider that breaks off in the middle of its answer, and keeps the line."""

LONG: Final = Script(words=5_000)
"""More than all buffers between a provider and a reader hold together."""

ROOT: Final = Path(__file__).parent.parent.parent


def options(rig: Rig) -> dict[str, Any]:
    """Give the options of an agent over the rig; Any: `OpenOptions` as keywords."""
    return {"transports": rig.transports(), "seed": 1}


@contextlib.contextmanager
def opened(rig: Rig, **tables: object) -> Iterator[manus.SyncAgent]:
    """Open a sync agent over the rig, and see that its thread is gone afterwards."""
    with manus.open_sync(config(**tables), **options(rig)) as agent:
        yield agent
    assert runtimes() == []


def runtimes() -> list[threading.Thread]:
    """List the threads in which agents live."""
    return [thread for thread in threading.enumerate() if thread.name == "manus runtime"]


def until(condition: Callable[[], bool]) -> None:
    """Wait for what other threads are about to do."""
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        gc.collect()
        time.sleep(0.002)


def run_program(text: str, *, cwd: Path, signal_on: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program of its own in the repository's environment; with warnings on, and never for longer than WAIT_S.

    Args:
        text: the program; `PREAMBLE` stands before it.
        cwd: where it may leave files.
        signal_on: send SIGINT each time the program has printed this line.
    """
    process = subprocess.Popen(
        [sys.executable, "-W", "default", "-c", PREAMBLE + text],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(cwd), "PYTHONUNBUFFERED": "1"},
    )
    watchdog = threading.Timer(WAIT_S, process.kill)
    watchdog.start()
    said: list[str] = []
    try:
        with process:
            assert process.stdout is not None
            assert process.stderr is not None
            for line in process.stdout:
                said.append(line)
                if signal_on is not None and line.strip() == signal_on:
                    process.send_signal(2)
            errors = process.stderr.read()
    finally:
        watchdog.cancel()
    return subprocess.CompletedProcess(process.args, process.returncode, "".join(said), errors)


def booked(directory: Path) -> dict[str, int]:
    """Count the rows of a program's ledger by their state, as a later process finds them."""
    with manus.open_sync(config(ledger={"path": str(directory / "ledger.sqlite")}), **options(Rig())) as agent:
        total = agent.get_usage_stats().total
    counts = {state: getattr(total, state) for state in ("settled", "in_doubt", "released", "open")}
    return {state: count for state, count in counts.items() if count}


PREAMBLE: Final = """
import asyncio, contextlib, gc, os, signal, sys, threading, time
import manus
from manus.sim.behaviour import Script
from manus.sim.faults import Stall
from tests.face.rig import Rig, config
from tests.hosts.rig import LONG, SILENT, STUCK, options, runtimes, until

def say(*words):
    print(*words, flush=True)

on_disk = config(ledger={"path": "ledger.sqlite"})
"""
