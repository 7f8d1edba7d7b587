"""How a process is started, watched until it is at work, and killed at an instant that a seed decides."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_S = 60.0
"""A child that is not at work by then has failed."""


def start(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Run a module of ours in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV_")}
    return subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=ROOT, env=environment)


def wait_for_notes(child: subprocess.Popen[bytes], notes: Path, lines: int) -> None:
    """Wait until the child has written so many lines of notes: then it is at work."""
    give_up_at = time.monotonic() + START_S
    while len(lines_of(notes)) < lines:
        assert child.poll() is None, f"the child ended by itself, with {child.returncode}"
        assert time.monotonic() < give_up_at, "the child never got to work"
        time.sleep(0.005)


def kill_after(child: subprocess.Popen[bytes], delay_s: float) -> None:
    """Kill it, without a word, after `delay_s`."""
    time.sleep(delay_s)
    assert child.poll() is None, f"the child ended by itself, with {child.returncode}"
    child.send_signal(signal.SIGKILL)
    assert child.wait(30) == -signal.SIGKILL


def lines_of(path: Path) -> list[list[str]]:
    """Read the whole lines of a file that somebody was writing when he died."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [line.split(" ") for line in text[: text.rfind("\n") + 1].splitlines()]
