"""Own the question of loopback ports: which one is free, and who listens on it.

A port that is chosen for a program may be taken before the program binds it. Then its health would be a
stranger's, and prompts would go to whoever that is, so on Linux the listener is looked up.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"

_LISTENING = "0A"
"""The state of a listening socket in `/proc/net/tcp`."""


def free_port() -> int:
    """Ask the kernel for a port that is free now; it may be taken by the time it is used."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        return int(taken.getsockname()[1])


def is_taken(port: int) -> bool:
    """Tell whether somebody listens on `port`."""
    with socket.socket() as probe:
        # As servers do: without it the remains of closed connections count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def is_strangers(port: int, session: int) -> bool:
    """Tell whether `port` is certainly served by processes outside the given session; False where nobody can tell.

    Reads `/proc`, a few milliseconds: call it in a thread.
    """
    sockets = _listening_sockets(port)
    if not sockets:
        return False
    return not any(sockets & _sockets_of(pid) for pid in _processes_of(session))


def _listening_sockets(port: int) -> set[str]:
    found: set[str] = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found


def _processes_of(session: int) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            # The program's name stands in parentheses and may hold anything; state, parent, group and session follow.
            fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # ended meanwhile
        if int(fields[3]) == session:
            found.append(int(name))
    return found


def _sockets_of(pid: int) -> set[str]:
    found = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
    except OSError:
        pass  # ended or closed meanwhile: what was seen counts
    return found
