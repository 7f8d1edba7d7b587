"""Own the knowledge that the program which started this one is dead, also where its end of the pipe stays open.

Another process may have inherited that end. The kernel's own signal for this (`PR_SET_PDEATHSIG`) comes when the
*thread* that forked ends, which in a host with threads says nothing about the host. A pidfd tells of the process, and
at once; where there is none, the parent's number is looked at.
"""

from __future__ import annotations

import os
from typing import Final

import trio

LOOK_S: Final = 1.0

_NOBODY: Final = (0, 1)
"""The parent's number in a container's first process, and where the parent was init or died before we could ask."""


async def wait_parent_dead(parent: int) -> None:
    """Sleep until the process `parent`, which was ours when we started, has ended. For ever where it cannot."""
    if parent in _NOBODY:
        await trio.sleep_forever()
    fd = _watched(parent)
    if fd is not None:
        try:
            await trio.lowlevel.wait_readable(fd)
        finally:
            os.close(fd)
        return
    while os.getppid() == parent:  # noqa: ASYNC110  # nothing tells of it but looking
        await trio.sleep(LOOK_S)


def _watched(parent: int) -> int | None:
    """Get what becomes readable when `parent` ends; None where there is no such thing, or it is dead already."""
    try:
        fd = os.pidfd_open(parent)
    except (OSError, AttributeError):
        return None
    if os.getppid() != parent:
        os.close(fd)  # it died before, and the number may be somebody else's by now
        return None
    return fd
