"""Own the cutting of a byte stream into lines: incremental, bounded, and back in step after a line that is too long.

Pure: it neither reads nor waits. It is also the place where bytes are kept that were read and not yet acted upon, so it
belongs to what outlives a session.
"""

from __future__ import annotations

from typing import final


@final
class Oversized:
    """A line was longer than `bytes_max`. Said once, as soon as that is certain; what is left of it never comes."""

    __slots__ = ("bytes_max",)

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max


@final
class Unfinished:
    """The stream ended in the middle of a line. Whoever sent it cannot know that it came, so it is not acted upon."""

    __slots__ = ()


@final
class Framer:
    """Lines that end in LF, or CR LF. Empty ones are left out.

    At most `bytes_max` bytes of a line are ever held, and what one `feed` brought besides.
    """

    __slots__ = ("_buffer", "_bytes_max", "_ended", "_searched", "_skipping")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._buffer = bytearray()
        # How much of the buffer is known to hold no line end: a host may send byte by byte.
        self._searched = 0
        self._skipping = False
        self._ended = False

    @property
    def held_bytes(self) -> int:
        """How much is held."""
        return len(self._buffer)

    def feed(self, chunk: bytes) -> None:
        """Take what was read."""
        if self._skipping:
            end = chunk.find(b"\n")
            if end < 0:
                return
            self._skipping = False
            chunk = chunk[end + 1 :]
        self._buffer += chunk

    def end(self) -> None:
        """The stream has ended: what is held has lost its end."""
        self._ended = True

    def next_line(self) -> bytes | Oversized | Unfinished | None:
        """Take the next line without its end; None where more must be fed first."""
        buffer = self._buffer
        while True:
            end = buffer.find(b"\n", self._searched)
            if end < 0:
                return self._rest()
            self._searched = 0
            line = bytes(buffer[: end - 1 if end > 0 and buffer[end - 1] == _CR else end])
            del buffer[: end + 1]
            if len(line) > self._bytes_max:
                return Oversized(self._bytes_max)
            if line and not line.isspace():
                return line

    def _rest(self) -> Oversized | Unfinished | None:
        """Look at what has no line end yet."""
        buffer = self._buffer
        self._searched = len(buffer)
        if len(buffer) > self._bytes_max + 1:  # one byte more may be the CR of its end
            self._skipping = True
            self._forget()
            return Oversized(self._bytes_max)
        if self._ended and buffer:
            is_nothing = buffer.isspace()
            self._forget()
            return None if is_nothing else Unfinished()
        return None

    def _forget(self) -> None:
        self._buffer.clear()
        self._searched = 0


_CR = 0x0D
