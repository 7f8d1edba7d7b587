"""Own the processes of a run: the upstream on one core, the contenders on the other, one of them busy at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from benchmarks.worker import ANSWER_MARK

ROOT = Path(__file__).resolve().parent.parent
CONTENDER_CORE, UPSTREAM_CORE = 0, 1


class ContenderFailed(Exception):
    """A contender's process ended instead of answering."""


class Worker:
    """One contender's process."""

    def __init__(self, name: str, base_url: str, python: str) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.worker", name, base_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if os.environ.get("BENCH_QUIET", "1") == "1" else None,
            text=True,
            cwd=ROOT,
            preexec_fn=partial(pin, CONTENDER_CORE),
        )
        self._answer()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def order(self, *order: object) -> float:
        """Have one workload done."""
        assert self._process.stdin is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return float(self._answer())

    def close(self) -> None:
        """Let the process end, and wait for it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(ANSWER_MARK):
                return line.removeprefix(ANSWER_MARK).strip()
        said = "" if self._process.stderr is None else self._process.stderr.read()
        raise ContenderFailed(f"{self.name}: {said.strip().splitlines()[-1:] or 'no word'}")


@contextmanager
def upstream() -> Iterator[str]:
    """Run the canned server; give its base URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.upstream"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        preexec_fn=partial(pin, UPSTREAM_CORE),
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.stdin.close()
        process.wait(30)


def cpu_s(pid: int) -> float:
    """Give the CPU time that a process of ours has used so far, all of its threads together, exactly."""
    # A process's CPU clock as the kernel numbers it (clock_getcpuclockid(3)); it counts in nanoseconds, not in ticks.
    return time.clock_gettime(~pid << 3 | 2)


def children_of(pid: int) -> list[int]:
    """Give the processes that a process has started and that live."""
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            with suppress(OSError):  # it has ended meanwhile
                status = (directory / "stat").read_text()
                if int(status.rpartition(")")[2].split()[1]) == pid:
                    found.append(int(directory.name))
    return found


def pin(core: int) -> None:
    """Keep this process on one core, where there is more than one."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core % len(cores)]})
