"""Own what the start of the subprocess costs: from `manus serve --stdio` to its first reply and its first answer.

Each is a fresh process with its byte code compiled, pinned to one core; beside it a Python that imports what the agent
is built on, and one that imports nothing. CPU is that of the process until the moment its reply was read.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.contenders.agent_stdio import serve_command, write_configuration
from benchmarks.contract import MAX_TOKENS, PROMPT
from benchmarks.processes import CONTENDER_CORE, ROOT, cpu_s, pin, upstream

ROW = "start of a subprocess, until (ms)"
FLOOR = "import trio, httpx, msgspec"
END_S = 30.0

SAMPLE = tuple[float, float]
"""Wall and CPU, in seconds."""


def print_start(rounds: int) -> None:
    """Measure and print."""
    samples: dict[str, list[SAMPLE]] = {}
    with upstream() as base_url, tempfile.TemporaryDirectory(prefix="manus-bench-") as directory:
        config = write_configuration(base_url, Path(directory))
        for number in range(rounds + 1):
            found: dict[str, SAMPLE] = {"python -c pass": _ended("pass"), FLOOR: _ended(FLOOR)} | served(config)
            if number:  # the first one compiles
                for name, sample in found.items():
                    samples.setdefault(name, []).append(sample)
    print(ROW)
    spread = "min    median       max"
    print(f"    {'':<30}{'wall: ' + spread:>30}{'CPU: ' + spread:>30}{'CPU/wall':>10}{'to imports':>12}")
    floor_s = statistics.median(cpu for _, cpu in samples[FLOOR])
    for name, each in samples.items():
        walls, cpus = zip(*each, strict=True)
        marks = "".join(
            f"{mark * 1e3:10.1f}" for of in (walls, cpus) for mark in (min(of), statistics.median(of), max(of))
        )
        busy = statistics.median(cpu / wall for wall, cpu in each)
        print(f"    {name:<30}{marks}{busy:10.2f}{statistics.median(cpus) / floor_s:11.2f}x")
    sys.stdout.flush()


def served(config: Path) -> dict[str, SAMPLE]:
    """Start the server once; tell when it had shaken hands, and when it had answered its first request."""
    began_s = time.perf_counter()
    process = subprocess.Popen(
        serve_command(config),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env=_environment(),
        preexec_fn=partial(pin, CONTENDER_CORE),
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        until: dict[str, SAMPLE] = {}
        shake = [(1, "initialize", {"protocolVersion": 1}), (2, "ping", {})]
        first = [(3, "generate", {"prompt": PROMPT, "model": "whole", "max_tokens": MAX_TOKENS})]
        for name, calls in (("serve: hands shaken, ping", shake), ("serve: the first answer", first)):
            for number, method, params in calls:
                call = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
                process.stdin.write(json.dumps(call).encode() + b"\n")
            process.stdin.flush()
            for _ in calls:
                reply = json.loads(process.stdout.readline())
                assert "result" in reply, reply
            until[name] = (time.perf_counter() - began_s, cpu_s(process.pid))
        process.stdin.close()
        process.wait(END_S)
    return until


def _ended(text: str) -> SAMPLE:
    """Run a Python to its end."""
    began_s = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", text], env=_environment(), preexec_fn=partial(pin, CONTENDER_CORE)
    )
    _, status, used = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began_s
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return wall_s, used.ru_utime + used.ru_stime


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
