"""How a process is started, watched until it is at work, and ended in one of the ways in which processes end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal, Protocol, assert_never

from tests.kill.notes import lines_of

ROOT = Path(__file__).parents[2]
START_S = 60.0
"""A child that is not at work by then has failed."""

END_S = 60.0
"""A child that has not ended by then hangs."""

Way = Literal["kill", "exit", "abort", "end", "interrupt", "end-kill", "interrupt-kill"]
"""How a process ends: SIGKILL; `os._exit` in the middle of its own code; SIGABRT; SIGTERM, which it answers with a
drain and an orderly end; SIGINT, which cancels what is under way; and each of these two cut short by SIGKILL."""


class Process(Protocol):
    """What is needed of a process to watch it and to end it; a `Popen` has it."""

    returncode: int | None

    def poll(self) -> int | None:
        """Give its exit status, None while it lives."""

    def send_signal(self, sig: int, /) -> None:
        """Send it a signal."""

    def kill(self) -> None:
        """Kill it."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and give the status."""


EXITED = 70
"""What `exit` leaves as the status."""


def start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Run a module of ours in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV_")}
    return subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=ROOT, env=environment)


def wait_for_notes(child: Process, notes: Path, lines: int) -> None:
    """Wait until the child has written so many lines of notes: then it is at work."""
    give_up_at = time.monotonic() + START_S
    while len(lines_of(notes)) < lines:
        assert child.poll() is None, f"the child ended by itself, with {child.returncode}"
        assert time.monotonic() < give_up_at, "the child never got to work"
        time.sleep(0.005)


def kill_after(child: Process, delay_s: float) -> None:
    """Kill it, without a word, after `delay_s`."""
    time.sleep(delay_s)
    end(child, "kill")


def end(child: Process, way: Way, *, cut_short_after_s: float = 0.0) -> bool:
    """End the child, and wait until it has; True if it had the time to end in good order."""
    assert child.poll() is None, f"the child ended by itself, with {child.returncode}"
    match way:
        case "kill":
            return _ended(child, signal.SIGKILL, -signal.SIGKILL)
        case "exit":
            return _ended(child, signal.SIGUSR1, EXITED)
        case "abort":
            return _ended(child, signal.SIGABRT, -signal.SIGABRT)
        case "end":
            return _ended(child, signal.SIGTERM, 0)
        case "interrupt":
            return _ended(child, signal.SIGINT, 0)
        case "end-kill" | "interrupt-kill":
            child.send_signal(signal.SIGTERM if way == "end-kill" else signal.SIGINT)
            time.sleep(cut_short_after_s)
            child.kill()
            status = child.wait(END_S)
            assert status in (0, -signal.SIGKILL), f"cut short while it ended, it gave {status}"
            return status == 0
        case _:
            assert_never(way)


def _ended(child: Process, how: signal.Signals, status: int) -> bool:
    child.send_signal(how)
    found = child.wait(END_S)
    assert found == status, f"{how.name} ended the child with {found}, not {status}"
    return status == 0
