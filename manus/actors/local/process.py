"""Own one run of a guarded program: its guard, what is known of it, and its end.

The guard (`guard.py`) is our only child; the program is the guard's. Nothing here waits except
`start`, which forks in a thread, and `close`, which is bounded. The program's death is known from the kernel where it
tells (a pidfd, Linux): the guard's report comes some milliseconds later. What is left is the instant between the
closing of its sockets and the end of the process; a call that falls into it finds nobody, and may be made again.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import trio

_GUARD = Path(__file__).with_name("guard.py")
_READ_BYTES = 65536
_GUARD_MARGIN_S = 2.0
"""What the guard may take beyond its grace before it is itself killed."""


class _Fact(msgspec.Struct):
    pid: int | None = None
    url: str | None = None
    exit: int | None = None
    output: str | None = None


_decode_fact = msgspec.json.Decoder(_Fact).decode


class GuardedProcess:
    """A program that ends with us, whatever ends us.

    `pid`, `url`, `exit_code` and `output` are what has been reported by the last `look`.
    """

    __slots__ = ("_death", "_death_poll", "_grace_s", "_guard", "_rest", "ended", "exit_code", "output", "pid", "url")

    def __init__(self, guard: subprocess.Popen[bytes], grace_s: float) -> None:
        self._guard = guard
        self._grace_s = grace_s
        self._rest = b""
        self._death: int | None = None
        self._death_poll = select.poll()
        self.pid: int | None = None
        self.url: str | None = None
        self.ended = False
        self.exit_code: int | None = None
        self.output = ""

    @classmethod
    async def start(cls, program: Sequence[str], *, output_bytes: int, grace_s: float) -> GuardedProcess:
        """Start the guard, and through it the program. Cancellation waits for the fork: nothing is lost.

        Raises:
            OSError: the guard itself cannot be run; a program that cannot be is reported by `look`.
        """
        command = [sys.executable, "-I", "-S", str(_GUARD), str(output_bytes), str(grace_s), *program]

        def fork() -> subprocess.Popen[bytes]:
            # A session of its own: Ctrl-C at the terminal is for us, and we end what we started in order.
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

        # Waited for even when cancelled: a process that nobody holds would be an orphan.
        guard = await trio.to_thread.run_sync(fork, abandon_on_cancel=False)
        assert guard.stdout is not None
        os.set_blocking(guard.stdout.fileno(), False)
        return cls(guard, grace_s)

    def look(self) -> bool:
        """Tell whether the program runs, without waiting: one or two system calls."""
        if self.ended:
            return False
        self._hear()
        if self._death_poll.poll(0):
            self.ended = True
        return not self.ended

    def close(self) -> None:
        """End the program and wait until it is gone: at most its grace and a little more, usually milliseconds."""
        self._let_go()
        try:
            self._guard.wait(self._grace_s + _GUARD_MARGIN_S)
        except subprocess.TimeoutExpired:
            self._kill()
        self._bury()

    async def aclose(self) -> None:
        """Do the same without blocking the loop. Cancelled, it kills at once."""
        self._let_go()
        assert self._guard.stdout is not None
        try:
            with trio.move_on_after(self._grace_s + _GUARD_MARGIN_S):
                while self.look():
                    await trio.lowlevel.wait_readable(self._guard.stdout)
        finally:
            if not self.ended:
                self._kill()
            self.close()

    def _hear(self) -> None:
        assert self._guard.stdout is not None
        try:
            data = os.read(self._guard.stdout.fileno(), _READ_BYTES)
        except BlockingIOError:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)
        self.ended = self.ended or not data

    def _take(self, line: bytes) -> None:
        try:
            fact = _decode_fact(line)
        except ValueError:
            # Not the guard's: the interpreter complains on stderr, which is the same pipe.
            self.output += line.decode("utf-8", "replace") + "\n"
            return
        if fact.pid is not None:
            self.pid = fact.pid
            with contextlib.suppress(OSError, AttributeError):  # ended already; no such call on this system
                self._death = os.pidfd_open(fact.pid)
                self._death_poll.register(self._death, select.POLLIN)
        self.url = fact.url or self.url
        if fact.output is not None:
            self.exit_code = fact.exit
            self.output += fact.output
            self.ended = True

    def _let_go(self) -> None:
        assert self._guard.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._guard.stdin.close()

    def _kill(self) -> None:
        self._guard.kill()
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        self._guard.wait()

    def _bury(self) -> None:
        stdout = self._guard.stdout
        assert stdout is not None
        self._let_go()
        if not stdout.closed:
            self._hear()  # the guard's last word, why it ended
            stdout.close()
        if self._death is not None:
            self._death_poll.unregister(self._death)
            os.close(self._death)
            self._death = None
        self.ended = True
