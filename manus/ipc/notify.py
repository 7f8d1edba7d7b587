"""Own the word to a service manager that started us (systemd's `Type=notify`): ready, reloading, stopping."""

from __future__ import annotations

import contextlib
import os
import socket


def say(state: str) -> None:
    """Send `state` to `$NOTIFY_SOCKET`, where there is one; a manager that does not listen is none."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.setblocking(False)
        manager.sendto(state.encode(), address)
