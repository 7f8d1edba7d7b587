"""Own what is read of a server's process from outside: memory, open files, threads."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

import msgspec

KIB: Final = 1024
MIB: Final = 1024 * 1024
SETTLES_S: Final = 60.0


class Footprint(msgspec.Struct, frozen=True, kw_only=True):
    """What a process holds."""

    resident_bytes: int
    peak_bytes: int
    files: int
    threads: int


def footprint(pid: int) -> Footprint:
    """Look at a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return Footprint(
        resident_bytes=int(status["VmRSS"].split()[0]) * KIB,
        peak_bytes=int(status["VmHWM"].split()[0]) * KIB,
        files=len(os.listdir(f"/proc/{pid}/fd")),
        threads=int(status["Threads"]),
    )


def connections(pid: int, path: Path) -> int:
    """Count the sockets that a process has open at a Unix socket's path, the one that listens among them."""
    inodes = {
        f"socket:[{words[6]}]"
        for words in (line.split() for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines())
        if words[-1] == str(path)
    }
    return sum(_target(file) in inodes for file in Path(f"/proc/{pid}/fd").iterdir())


def wait_for_connections(pid: int, path: Path, count: int) -> None:
    """Return when the process has no more connections open than that.

    Raises:
        AssertionError: it goes on having more.
    """
    give_up_at = time.monotonic() + SETTLES_S
    while connections(pid, path) > count:
        assert time.monotonic() < give_up_at, f"{connections(pid, path)} connections are open, not {count}"
        time.sleep(0.02)


def _target(file: Path) -> str:
    try:
        return os.readlink(file)
    except FileNotFoundError:
        return ""  # it was closed since it was listed
