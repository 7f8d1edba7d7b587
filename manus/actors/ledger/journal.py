"""Own the files of one run: the lock that says it lives, and the journal that outlives it.

The lock file is held by `flock` as long as the process lives, whatever ends it. The journal is a row of segments
of fixed size, allocated before use, written with one `pwrite` per record from the loop's thread (some 1 us) and
removed, oldest first, when SQLite has what they hold.

An intent is taken only where the endings of all open attempts still fit after it: a call that was admitted can
always be booked, even on a disk that has filled up since.

`fork` is not supported: a child that writes would tear its parent's journal, so appending from it is refused; and it
lets go of its parent's lock, or the parent's death would go unnoticed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import weakref
from collections import deque
from pathlib import Path

import msgspec

from manus.actors.ledger.frames import frame

FORMAT = 1
"""Version of the journal's own layout; records have their own way to grow."""


class SegmentHead(msgspec.Struct, frozen=True, kw_only=True):
    """The first frame of every segment: who wrote it, in which layout, and since which boot of the machine."""

    format: int
    run_id: str
    number: int
    boot_id: str = ""


class RunLock:
    """A run's claim to be alive: a locked file whose name is the run's id."""

    __slots__ = ("__weakref__", "_fd", "path")

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd
        _held.add(self)

    @property
    def run_id(self) -> str:
        """Name the run."""
        return self.path.stem

    @classmethod
    def claim(cls, directory: Path, run_id: str) -> RunLock:
        """Declare a new run alive.

        Raises:
            FileExistsError: there is such a run, or a recovery took this one for dead before it was locked.
            OSError: the directory cannot be written, or its file system knows no locks.
        """
        path = directory / f"{run_id}.lock"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        if not _lock(fd, path):
            os.close(fd)
            raise FileExistsError(errno.EEXIST, "this run was taken for dead before it began", str(path))
        return cls(path, fd)

    @classmethod
    def adopt(cls, path: Path) -> RunLock | None:
        """Take over a dead run, so that nobody else closes it meanwhile; None while it lives, or when it is gone."""
        try:
            fd = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return None
        if not _lock(fd, path):
            os.close(fd)
            return None
        return cls(path, fd)

    @property
    def in_place(self) -> bool:
        """Whether the locked file still is the one that others look at."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self._fd))
        except OSError:
            return False

    def release(self, *, remove: bool) -> None:
        """Let go; `remove` it first when nothing of the run is left to recover. A second call does nothing."""
        if self._fd < 0:
            return
        if remove:
            self.path.unlink(missing_ok=True)
        os.close(self._fd)
        self._fd = -1


_held: weakref.WeakSet[RunLock] = weakref.WeakSet()


def _let_go_in_child() -> None:
    """Close what a forked child inherits: it would keep its parent's runs alive beyond the parent's death."""
    for lock in list(_held):
        lock.release(remove=False)


os.register_at_fork(after_in_child=_let_go_in_child)


def _lock(fd: int, path: Path) -> bool:
    """Lock the open file and make sure that it still is the file at `path`, which a recovery may have removed."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(fd))


class Segment:
    """One file of the journal. Written by the loop's thread; synced and removed by others, under its lock."""

    __slots__ = ("_closing", "_fd", "number", "path", "size_bytes", "used_bytes")

    def __init__(self, path: Path, number: int, size_bytes: int, head: bytes, *, sync: bool) -> None:
        self.path = path
        self.number = number
        self.size_bytes = size_bytes
        self.used_bytes = 0
        self._closing = threading.Lock()
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.posix_fallocate(self._fd, 0, size_bytes)
            if sync:
                # Written zeros instead of a promise of blocks: otherwise every fdatasync commits metadata too.
                os.pwrite(self._fd, bytes(size_bytes), 0)
            self.write(head)
            if sync:
                os.fsync(self._fd)
                _sync_directory(path.parent)
        except OSError:
            self.remove()
            raise

    def write(self, data: bytes) -> None:
        """Write `data` after what is there; on failure what was there still is, and the next write takes the place.

        Raises:
            OSError: it could not be written, or only in part.
        """
        if os.pwrite(self._fd, data, self.used_bytes) != len(data):
            raise OSError(errno.ENOSPC, "only a part of the record could be written", str(self.path))
        self.used_bytes += len(data)

    def sync(self) -> None:
        """Wait until what was written before this call is on the disk. Blocks; may be called from any thread."""
        with self._closing:
            if self._fd >= 0:
                os.fdatasync(self._fd)

    def close(self) -> None:
        """Close the file and leave it where it is."""
        with self._closing:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def remove(self) -> None:
        """Close and delete the file."""
        self.close()
        self.path.unlink(missing_ok=True)


class Journal:
    """The segments of a living run: the one being written, a spare, and older ones until they are removed."""

    __slots__ = (
        "_directory",
        "_old",
        "_pid",
        "_run_id",
        "_segment_bytes",
        "_sync",
        "current",
        "distrusted",
        "spare",
        "worn",
    )

    def __init__(self, directory: Path, run_id: str, segment_bytes: int, *, sync: bool) -> None:
        """Make the first segment.

        Raises:
            OSError: there is no room, or no permission.
        """
        self._directory = directory
        self._run_id = run_id
        self._segment_bytes = segment_bytes
        self._sync = sync
        self._pid = os.getpid()
        self._old: deque[Segment] = deque()
        self.current = self._make(1)
        self.spare: Segment | None = None
        self.distrusted = False  # a sync of the current segment failed: what it holds may not be on the disk
        self.worn = False  # the current segment tells of rows that are to go: the next one is taken when it is there

    def append(self, payload: bytes, *, room_bytes: int) -> int:
        """Write one record; give the number of its segment. `room_bytes` must stay free after it.

        Raises:
            OSError: not written: no room, a failing disk, or a forked process.
        """
        if os.getpid() != self._pid:
            raise OSError(errno.EPERM, "the ledger was opened by another process; open it again after a fork")
        data = frame(payload)
        segment = self.current
        full = segment.used_bytes + len(data) + room_bytes > segment.size_bytes
        if full or self.distrusted or (self.worn and self.spare is not None):
            segment = self._next_segment(len(data) + room_bytes)
        segment.write(data)
        return segment.number

    def make_spare(self) -> None:
        """Have the next segment ready, so that the loop's thread never makes one. Any one thread but the loop's.

        Raises:
            OSError: there is no room for it.
        """
        if self.spare is None:
            self.spare = self._make(self.current.number + 1)

    def sync(self) -> None:
        """Wait until all that was appended before this call is on the disk. Blocks; one thread but the loop's.

        Raises:
            OSError: the disk failed; what was not synced may be lost with the power.
        """
        # The current one is looked up first: the loop's thread may move on to the spare at any moment, and then
        # it is among the old ones or still in hand, never in neither.
        current = self.current
        for segment in list(self._old):
            segment.sync()
        current.sync()

    def remove_before(self, number: int) -> None:
        """Delete the segments before `number`: SQLite has what they hold. One thread but the loop's."""
        while self._old and self._old[0].number < number:
            self._old.popleft().remove()

    def close(self, *, remove: bool) -> None:
        """Let go of all files, and delete them when SQLite has everything. After the other threads have ended."""
        segments = [*self._old, self.current, *([self.spare] if self.spare is not None else [])]
        for segment in segments:
            if remove:
                segment.remove()
            else:
                segment.close()

    def _next_segment(self, need_bytes: int) -> Segment:
        spare = self.spare
        if spare is None or spare.used_bytes + need_bytes > spare.size_bytes:
            raise OSError(errno.ENOSPC, "the journal has no room left and SQLite has not caught up")
        self._old.append(self.current)
        self.current, self.spare = spare, None
        self.distrusted = self.worn = False
        return spare

    def _make(self, number: int) -> Segment:
        head = msgspec.msgpack.encode(
            SegmentHead(format=FORMAT, run_id=self._run_id, number=number, boot_id=current_boot_id())
        )
        path = segment_path(self._directory, self._run_id, number)
        return Segment(path, number, self._segment_bytes, frame(head), sync=self._sync)


def segment_path(directory: Path, run_id: str, number: int) -> Path:
    """Name a segment's file: names of one run sort in the order of writing."""
    return directory / f"{run_id}.{number:08d}.journal"


def segments_of(directory: Path, run_id: str) -> list[Path]:
    """List the segments of a run, oldest first."""
    return sorted(directory.glob(f"{run_id}.????????.journal"))


def current_boot_id() -> str:
    """Name this boot of the machine, "" where the system has no name for it.

    What a killed process wrote is whole as long as the machine has not gone down since; after that, it is not sure.
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
