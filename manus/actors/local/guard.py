"""Own one child process on behalf of a parent that may die at any instant: the child never outlives it.

Run as a program, `python -I -S guard.py OUTPUT_BYTES GRACE_S PROGRAM ARGUMENT ...`, with nothing but
the standard library, so that it starts in milliseconds and has nothing to crash on. It starts the program in
a process group of its own and then watches three things at once: its stdin, which the kernel closes when
the parent dies, also by `kill -9`; the child; the child's output, of which it keeps the end.

To the parent it writes JSON lines on stdout: `{"pid": N}` once the program runs, whatever the program
itself reports through the descriptor named in `MANUS_REPORT_FD`, and last `{"exit": CODE, "output": TEXT}`,
where a negative code is a signal's number.

PR_SET_PDEATHSIG cannot do this for the parent: it fires when the *thread* that forked ends, and the parent
forks from short-lived threads. The guard has one thread, so for its own child it is a good second line:
should the guard itself be killed, Linux kills the child.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_READ_BYTES = 65536
_LOOK_S = 0.01
"""How often a dying group is looked at. Only between the request to end and the kill."""


def main(arguments: list[str]) -> int:
    """Run the program until it ends or the parent is gone."""
    output_bytes, grace_s, *program = arguments
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _only_wake)
    signal.signal(signal.SIGTERM, _only_wake)
    try:
        child = _start(program)
    except OSError as error:
        _report({"exit": None, "output": f"cannot run {program[0]!r}: {error.strerror}"})
        return 1
    _report({"pid": child.pid})
    output = _Output(child, int(output_bytes))
    _watch(child, output, woken)
    _end_group(child, float(grace_s))
    output.read()
    _report({"exit": child.returncode, "output": output.text()})
    return 0


class _Output:
    """The end of what the child and its children write."""

    def __init__(self, child: subprocess.Popen[bytes], bytes_max: int) -> None:
        assert child.stdout is not None
        self.fd = child.stdout.fileno()
        os.set_blocking(self.fd, False)
        self.open = True
        self._bytes_max = bytes_max
        self._kept = b""

    def read(self) -> None:
        """Take what is there, without waiting."""
        while self.open:
            try:
                data = os.read(self.fd, _READ_BYTES)
            except BlockingIOError:
                return
            self.open = bool(data)
            self._kept = (self._kept + data)[-self._bytes_max :]

    def text(self) -> str:
        """Give what was kept."""
        return self._kept.decode("utf-8", "replace")


def _start(program: list[str]) -> subprocess.Popen[bytes]:
    report_fd = os.dup(sys.stdout.fileno())
    try:
        return subprocess.Popen(
            program,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(report_fd,),
            env={**os.environ, "MANUS_REPORT_FD": str(report_fd)},
            start_new_session=True,
            # This process has one thread, so the usual danger of code between fork and exec is none.
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    finally:
        os.close(report_fd)


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _ended(child: subprocess.Popen[bytes]) -> bool:
    # Without reaping it: while the child is a zombie its group's number cannot become somebody else's.
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _watch(child: subprocess.Popen[bytes], output: _Output, woken: int) -> None:
    """Return when the child has ended, the parent has closed our stdin, or we were told to end."""
    stdin = sys.stdin.fileno()
    poll = select.poll()
    for fd in (stdin, woken, output.fd):
        poll.register(fd, select.POLLIN)
    while not _ended(child):
        for fd, _ in poll.poll():
            if fd == stdin and not os.read(stdin, _READ_BYTES):
                return
            if fd == woken and signal.SIGTERM in os.read(woken, _READ_BYTES):
                return
            if fd == output.fd:
                output.read()
                if not output.open:
                    poll.unregister(fd)


def _end_group(child: subprocess.Popen[bytes], grace_s: float) -> None:
    """Ask the whole group to end, then kill it: also what the child has left behind when it ended by itself."""
    if not _ended(child):
        _signal_group(child.pid, signal.SIGTERM)
        until = time.monotonic() + grace_s
        while not _ended(child) and time.monotonic() < until:
            time.sleep(_LOOK_S)
    _signal_group(child.pid, signal.SIGKILL)
    child.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    # Gone already; or, on macOS, only zombies are left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _report(fact: dict[str, object]) -> None:
    # The parent may be gone: then nobody needs to know.
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), json.dumps(fact).encode() + b"\n")


def _only_wake(_number: int, _frame: object) -> None:
    """Do nothing: the wake-up descriptor carries the signal's number."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
