"""Own the quick start of processes to be killed: forks of one that has imported everything, not new interpreters.

    python -m tests.kill.spawner

reads lines and answers each with one: `start SETTINGS` gives a process id, `poll PID` its exit status as `subprocess`
spells it, or `-` while it lives. It has one thread and does nothing else, so a fork of it is a process like any other.
When its input ends it kills whoever is left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kill import agent_child
from tests.kill.killing import ROOT

POLL_S = 0.005


class Forked:
    """A process that was forked by the spawner; it has the shape of a `Popen`."""

    def __init__(self, spawner: Spawner, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._spawner = spawner

    def poll(self) -> int | None:
        """Give its exit status, None while it lives."""
        if self.returncode is None:
            told = self._spawner.ask(f"poll {self.pid}")
            self.returncode = None if told == "-" else int(told)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            TimeoutError: it has not ended by then.
        """
        give_up_at = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if give_up_at is not None and time.monotonic() > give_up_at:
                raise TimeoutError(f"process {self.pid} has not ended")
            time.sleep(POLL_S)
        return status

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        self.send_signal(signal.SIGKILL)


class Spawner:
    """The other end of the spawning process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, question: str) -> str:
        """Ask one thing, and wait for the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        assert answer, "the spawner has died"
        return answer

    def start(self, settings: Path) -> Forked:
        """Start an agent with these settings."""
        return Forked(self, int(self.ask(f"start {settings}")))


@contextmanager
def spawning() -> Iterator[Spawner]:
    """Run a spawner for as long as the block lasts; whom it started dies with it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV_")}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.kill.spawner"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Spawner(process)


def serve() -> None:
    """Do as lines of the input say, until it ends."""
    living: set[int] = set()
    for line in sys.stdin:
        command, argument = line.split()
        if command == "start":
            pid = os.fork()
            if pid == 0:
                _become(Path(argument))
            living.add(pid)
            print(pid, flush=True)
        else:
            pid, status = os.waitpid(int(argument), os.WNOHANG)
            living.discard(pid)
            print("-" if pid == 0 else os.waitstatus_to_exitcode(status), flush=True)
    for pid in living:
        os.kill(pid, signal.SIGKILL)


def _become(settings: Path) -> None:
    """Be that agent, and nothing after it."""
    status = 1
    try:
        # Its input and output are the spawner's talk with the tests.
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        agent_child.run(settings)
        status = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    serve()
