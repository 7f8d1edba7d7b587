"""Own the socket file: made for this user alone, never taken from a live server, and gone when we are.

Everything here blocks, for microseconds but for the lock: call it before the loop has work, or in a thread.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, final

from manus.errors import ConfigurationError

MODE: Final = 0o600
BACKLOG: Final = 128
PATH_BYTES_MAX: Final = 107
"""What the kernel has room for in an address, without the NUL at its end."""

LOCK_S: Final = 5.0
"""How long another server may take to make its own socket in the same directory."""

_LOOK_S: Final = 0.02
_PROBE_S: Final = 1.0


class Peer(NamedTuple):
    """Who is at the other end, as the kernel knows; `pid` is 0 where that is in another namespace."""

    pid: int
    uid: int


@final
class BoundSocket:
    """A listening socket and its file."""

    __slots__ = ("_identity", "listener", "path")

    def __init__(self, listener: socket.socket, path: Path) -> None:
        self.listener = listener
        self.path = path
        self._identity = _identity(path)

    def close(self) -> None:
        """Stop listening, and remove the file if it is still ours. Harmless twice."""
        self.listener.close()
        self.unlink()

    def unlink(self) -> None:
        """Remove the file if it is still ours."""
        with contextlib.suppress(OSError):
            if _identity(self.path) == self._identity:
                self.path.unlink()


def bind(path: Path) -> BoundSocket:
    """Listen at `path`, for this user alone.

    A socket that a dead server left is replaced; one that is served, and whatever else is no socket, is not touched.

    Raises:
        ConfigurationError: it cannot be; the text names the path and the mend.
    """
    if len(os.fsencode(path)) > PATH_BYTES_MAX:
        raise _refused(path, f"is longer than {PATH_BYTES_MAX} bytes; choose a shorter one")
    try:
        with _directory_locked(path):
            _clear(path)
            return BoundSocket(_listening(path), path)
    except FileNotFoundError:
        raise _refused(path, f"cannot be made: there is no directory {path.parent}") from None
    except OSError as error:
        raise _refused(path, f"cannot be made: {error.strerror or error}") from None


def peer_of(connection: socket.socket) -> Peer | None:
    """Tell who has connected; None where the system cannot."""
    if sys.platform != "linux":
        return None
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    pid, uid, _ = _UCRED.unpack(told)
    return Peer(pid=pid, uid=uid)


def _listening(path: Path) -> socket.socket:
    """Listen beside `path`, and move the file there: whoever waits for it to be there can connect at once."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    new = _beside(path)
    _clear(new)
    bound = False
    try:
        with contextlib.suppress(OSError):
            # Linux gives the file the mode of the socket: it never exists with another one.
            os.fchmod(listener.fileno(), MODE)
        listener.bind(os.fspath(new))
        bound = True
        # Elsewhere this sets it, and nobody could connect before: it does not listen yet.
        new.chmod(MODE)
        listener.listen(BACKLOG)
        new.rename(path)
    except OSError:
        listener.close()
        if bound:
            new.unlink(missing_ok=True)
        raise
    return listener


def _beside(path: Path) -> Path:
    """Name a file of the same directory, no longer than `path`, so that it fits where that does."""
    name = path.name
    return path.with_name(name[:-1] + ("~" if name[-1] != "~" else "^"))


def _clear(path: Path) -> None:
    """Remove what a dead server left at `path`."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise _refused(path, "exists and is no socket; remove it, or choose another path")
    if _is_served(path):
        raise _refused(path, "is in use by a running server; choose another path")
    path.unlink()


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_S)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            return False
        except FileNotFoundError:
            return False
        except OSError as error:
            # A full backlog, or another user's: somebody lives there.
            return error.errno != errno.ECONNREFUSED
    return True


@contextlib.contextmanager
def _directory_locked(path: Path) -> Iterator[None]:
    """Have one server at a time look whether a socket is dead, and replace it. The lock leaves no file behind."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        until = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise
                time.sleep(_LOOK_S)
        yield
    finally:
        os.close(directory)


def _identity(path: Path) -> tuple[int, int]:
    told = path.lstat()
    return told.st_dev, told.st_ino


def _refused(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(f"The socket {path} {why} (--unix, ipc.socket_path).")


_UCRED: Final = struct.Struct("3i")
