"""Own the cost of importing: CPU milliseconds of a fresh interpreter, less those of one that imports nothing."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys

OURS = "manus.opening"
OUR_DEPENDENCIES = "trio, httpx, msgspec, tomli, sqlite3, httptools"


def import_ms(modules: str, *, python: str = sys.executable, rounds: int = 7) -> float:
    """Give the median over fresh processes; byte code is compiled, the first round sees to that."""
    _cpu_ms(modules, python)
    rounds_ms = [_cpu_ms(modules, python) - _cpu_ms("sys", python) for _ in range(rounds)]
    return statistics.median(rounds_ms)


def _cpu_ms(modules: str, python: str) -> float:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([python, "-c", f"import {modules}"], check=True, env=environment, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1e3
