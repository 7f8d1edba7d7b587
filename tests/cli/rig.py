"""Own the rig of the command line's tests: `manus` as a process of its own, against simulated providers on sockets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

KEY = "sk-canary-44d1c0"
TEXT = "Whoever restarts in time need not be perfect."
LIMIT_S = 60


class Terminal:
    """A directory with a configuration, and `manus` run in it with an environment of its own.

    Args:
        directory: an empty directory; it is the working directory and the home.
        base_url: the simulated provider's; None leaves the directory without a configuration.
    """

    def __init__(self, directory: Path, base_url: str | None) -> None:
        self.directory = directory
        self.environ = {name: os.environ[name] for name in ("PATH", "LANG", "VIRTUAL_ENV") if name in os.environ}
        self.environ |= {"HOME": str(directory / "home"), "MY_KEY": KEY}
        if base_url is not None:
            self.configure(base_url)

    def configure(self, base_url: str, more: str = "") -> None:
        """Write the configuration: one provider `sim` with the models that the simulation gives faults."""
        models = ", ".join(
            f'{{ name = "{name}", cost_per_input = 1, cost_per_output = 2 }}'
            for name in ("sim-large", "sim-500", "sim-stall:where=headers", "sim-cut-body")
        )
        (self.directory / "llm.toml").write_text(
            f'{more}\n[providers.sim]\ntype = "openai"\nbase_url = "{base_url}"\napi_key = "${{MY_KEY}}"\n'
            f'models = [{models}]\n[ledger]\npath = "ledger.sqlite"\n'
        )

    def run(self, *arguments: str, stdin: bytes | None = b"") -> subprocess.CompletedProcess[bytes]:
        """Run it to its end, which must come; no output of it may hold the key."""
        done = subprocess.run(
            [sys.executable, "-m", "manus", *arguments],
            input=stdin,
            capture_output=True,
            cwd=self.directory,
            env=self.environ,
            timeout=LIMIT_S,
            check=False,
        )
        assert KEY.encode() not in done.stdout + done.stderr
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done

    @contextmanager
    def start(
        self,
        *arguments: str,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run it without waiting; it is killed at the end of the block, should it still live."""
        command = [sys.executable, "-m", "manus", *arguments]
        with self.start_command(command, stdin=stdin, stdout=stdout, stderr=stderr) as process:
            yield process

    @contextmanager
    def start_command(
        self,
        command: Sequence[str],
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run whatever ends in it."""
        process = subprocess.Popen(
            command, stdin=stdin, stdout=stdout, stderr=stderr, cwd=self.directory, env=self.environ
        )
        with process:
            try:
                yield process
            finally:
                process.kill()


@contextmanager
def simulated(*arguments: str) -> Iterator[str]:
    """Serve a simulated provider in a process of its own; gives its base URL."""
    with subprocess.Popen(
        [sys.executable, "-m", "manus", "sim", "--wire", "openai", "--json", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            assert process.stdout is not None
            told: dict[str, Any] = json.loads(process.stdout.readline())
            yield told["providers"][0]["base_url"]
        finally:
            process.terminate()


def wait_until_working(base_url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the simulated provider has a request in hand, as its own bill tells. `process` must live meanwhile."""
    pause = threading.Event()
    for _ in range(LIMIT_S * 50):
        with urllib.request.urlopen(f"{base_url.removesuffix('/v1')}/_sim/bill", timeout=LIMIT_S) as answer:
            rows = json.load(answer)["rows"]
        if any(row["state"] == "working" for row in rows):
            return
        assert process.poll() is None, process.stderr.read() if process.stderr else b""
        pause.wait(0.02)
    raise AssertionError("no request arrived")
