"""Own a pseudo-terminal with a program in it: keys go in, what a user would see comes out, Ctrl-C is the terminal's."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.rig import LIMIT_S, Terminal

CTRL_C = "\x03"
CTRL_D = "\x04"
ENTER = "\r"
TAB = "\t"
UP = "\x1b[A"

ASLEEP_LOOKS, LOOK_S = 3, 0.01
"""A thread that is seen asleep so often waits for more than its turn."""


class Screen:
    """What a program in a terminal has shown so far, and its keyboard."""

    def __init__(self, process: subprocess.Popen[bytes], ours: int) -> None:
        self.process = process
        self.shown = ""
        self._ours = ours
        self._seen = 0

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def wait_for(self, text: str) -> str:
        """Read until this text is shown, beyond what was waited for before; give what came up to its end."""
        ends_at = time.monotonic() + LIMIT_S
        while (at := self.shown.find(text, self._seen)) < 0:
            assert self._read(ends_at), f"{text!r} never came: {self.shown[self._seen :]!r}"
        came = self.shown[self._seen : at + len(text)]
        self._seen = at + len(text)
        return came

    def press_ctrl_c(self) -> None:
        """Press Ctrl-C once the program sleeps, which is when people press it."""
        self.wait_until_asleep()
        self.type(CTRL_C)

    def wait_until_asleep(self) -> None:
        """Wait until the program waits for something outside.

        Python notices signals in the `select` of its prompt; one that comes between two of them waits for the next key.
        """
        main_thread = Path(f"/proc/{self.process.pid}/stat")
        asleep = 0
        while asleep < ASLEEP_LOOKS:
            state = main_thread.read_text().rpartition(")")[2].split()[0]
            asleep = asleep + 1 if state == "S" else 0
            assert self.process.poll() is None, self.shown
            time.sleep(LOOK_S)

    def end(self) -> int:
        """Read to the end, and give the exit status."""
        ends_at = time.monotonic() + LIMIT_S
        while self._read(ends_at):
            pass
        return self.process.wait(LIMIT_S)

    def _read(self, ends_at: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0.0, ends_at - time.monotonic()))
        assert ready, f"nothing more came: {self.shown[self._seen :]!r}"
        try:
            content = os.read(self._ours, 65536)
        except OSError:  # the other end has no process any more
            return False
        self.shown += content.decode("utf-8", "replace")
        return bool(content)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextmanager
def at_terminal(terminal: Terminal, *arguments: str, stdout: int | None = None) -> Iterator[Screen]:
    """Run `manus` with a terminal of its own as stdin, stderr and, by default, stdout; it is killed in the end."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "manus", *arguments],
            stdin=theirs,
            stdout=theirs if stdout is None else stdout,
            stderr=theirs,
            cwd=terminal.directory,
            env=terminal.environ,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
    finally:
        os.close(theirs)
    with process:
        try:
            yield Screen(process, ours)
        finally:
            process.kill()
            os.close(ours)
