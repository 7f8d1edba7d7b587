"""Own the taking of stdin and stdout: who prints later prints to stderr, and no child process inherits the channel.

It imports nothing but `os` and its like, so that it can run before whatever might print while it is imported.
"""

from __future__ import annotations

import fcntl
import os
from typing import Final, NamedTuple

LOWEST: Final = 3
"""Below are the three that everybody knows."""


class TakenStdio(NamedTuple):
    """The channel's own descriptors, which no child process inherits. Whoever took them closes them.

    `parent` is the process that had started us by then: the host.
    """

    source_fd: int
    sink_fd: int
    parent: int


def take_stdio() -> TakenStdio:
    """Move the channel away from 0 and 1; then 0 is empty, and 1 is where 2 is (nowhere, where that was closed).

    Raises:
        OSError: stdin or stdout is closed.
    """
    parent = os.getppid()
    source_fd = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, LOWEST)
    try:
        sink_fd = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, LOWEST)
    except OSError:
        os.close(source_fd)
        raise
    _point(0, os.devnull, os.O_RDONLY)
    hold_stderr()
    os.dup2(2, 1)
    return TakenStdio(source_fd, sink_fd, parent)


def hold_stderr() -> None:
    """See to it that 2 is taken: else the next file that is opened would get it, and what is told the host with it."""
    try:
        os.fstat(2)
    except OSError:
        _point(2, os.devnull, os.O_WRONLY)


def _point(fd: int, path: str, flags: int) -> None:
    opened = os.open(path, flags | os.O_CLOEXEC)
    os.dup2(opened, fd)  # inheritable, as these three are; also where it is `fd` itself that was free
    if opened != fd:
        os.close(opened)
