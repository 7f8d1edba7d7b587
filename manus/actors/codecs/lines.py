"""Own the cutting of a byte stream into lines, in pieces of any size and with a bound.

Only `\n` cuts. Python's own line splitting also cuts at U+2028, U+0085 and the like, which may stand
unescaped inside JSON strings. Bytes are never decoded here, so a split UTF-8 sequence is no matter.
"""

from __future__ import annotations


class LineBuffer:
    """Gathers bytes and gives complete lines without their line feed.

    Feeding is linear in the bytes fed, also when a long line comes one byte at a time: fragments are
    kept apart until the line feed arrives.
    """

    __slots__ = ("_bytes_max", "_fragments", "_held_bytes", "overflowed")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._fragments: list[bytes] = []
        self._held_bytes = 0
        self.overflowed = False
        """A line has grown over the bound; it was dropped, and nothing more must be fed."""

    def feed(self, data: bytes) -> list[bytes]:
        """Give the lines that `data` completes, up to one that is too long."""
        if b"\n" not in data:
            self._hold(data)
            return []
        if self._fragments:
            self._fragments.append(data)
            data = b"".join(self._fragments)
            self._fragments.clear()
            self._held_bytes = 0
        lines = data.split(b"\n")
        rest = lines.pop()
        if len(data) > self._bytes_max:
            for place, line in enumerate(lines):
                if len(line) > self._bytes_max:
                    self.overflowed = True
                    return lines[:place]
        if rest:
            self._hold(rest)
        return lines

    def rest(self) -> bytes:
        """Give what stands after the last line feed, and forget it."""
        rest = b"".join(self._fragments)
        self._fragments.clear()
        self._held_bytes = 0
        return rest

    def _hold(self, data: bytes) -> None:
        self._held_bytes += len(data)
        if self._held_bytes > self._bytes_max:
            self.overflowed = True
            self._fragments.clear()
            self._held_bytes = 0
        elif data:
            self._fragments.append(data)
