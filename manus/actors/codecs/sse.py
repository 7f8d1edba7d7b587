"""Own the framing of server-sent events (WHATWG HTML, section 9.2): bytes to event data.

It does not know what the data means, and never decodes it: JSON goes from here to its decoder as bytes.
`id:` and `retry:` have no use here, since no vendor of chat completions resumes by them, and are skipped.
"""

from __future__ import annotations

from manus.actors.codecs.lines import LineBuffer

COMMENT = b"\n"
"""Stands for the event's name where the item is a comment (a keep-alive). No real name holds a line feed."""

_BOM = b"\xef\xbb\xbf"


class SseSplitter:
    """Cuts an event stream into `(event name, data)` pairs; the name is empty where none was given.

    Lines end with `\n`, `\r\n` or `\r`, in any mixture and cut anywhere. Events without data are not
    given. One event's data and one line are bounded by `event_bytes`; over it `overflowed` is set and
    the splitter must not be fed any more.
    """

    __slots__ = ("_bytes_max", "_data", "_data_bytes", "_event", "_head", "_lines", "_skip_line_feed", "overflowed")

    def __init__(self, event_bytes: int) -> None:
        self._bytes_max = event_bytes
        self._lines = LineBuffer(event_bytes)
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._event = b""
        self._head: bytes | None = b""
        self._skip_line_feed = False
        self.overflowed = False

    def feed(self, chunk: bytes) -> list[tuple[bytes, bytes]]:
        """Give the events and comments that `chunk` completes, in order."""
        if self._head is not None:
            chunk = self._without_bom(chunk)
        if self._skip_line_feed and chunk:
            self._skip_line_feed = False
            if chunk[0] == 10:
                chunk = chunk[1:]
        if b"\r" in chunk:
            # The line is complete with its CR: waiting for a possible LF would hold an event back.
            self._skip_line_feed = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        items: list[tuple[bytes, bytes]] = []
        data = self._data
        for line in self._lines.feed(chunk):
            # The lines that nearly all streams are made of, in place: a call for each would be a third of the work.
            head = line[:6]
            if head == b"data: " and not data:
                data.append(line[6:])
                self._data_bytes = len(line) - 6
            elif not line and len(data) == 1:
                if data[0]:
                    items.append((self._event, data[0]))
                data.clear()
                self._data_bytes = 0
                self._event = b""
            elif head == b"event:":
                self._event = line[7:] if line[6:7] == b" " else line[6:]
            else:
                self._take(line, items)
                if self.overflowed:
                    return items
        self.overflowed = self._lines.overflowed
        return items

    def finish(self) -> list[tuple[bytes, bytes]]:
        """Give the last event where the body ended without its blank line.

        The specification drops it; here it is given, for servers that forget the last line feed. It
        may be cut short: the caller must take data that does not parse for a cut, not for garbage.
        """
        items: list[tuple[bytes, bytes]] = []
        rest = (self._head or b"") + self._lines.rest()
        if rest:
            self._take(rest, items)
        self._take(b"", items)
        return items

    def _take(self, line: bytes, items: list[tuple[bytes, bytes]]) -> None:
        if line.startswith(b"data:"):
            data = line[6:] if line[5:6] == b" " else line[5:]
            self._data.append(data)
            self._data_bytes += len(data)
            if self._data_bytes > self._bytes_max:
                self.overflowed = True
        elif not line:
            if self._data:
                data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                self._data.clear()
                self._data_bytes = 0
                if data:
                    items.append((self._event, data))
            self._event = b""
        elif line.startswith(b":"):
            items.append((COMMENT, b""))
        elif line.startswith(b"event:"):
            self._event = line[7:] if line[6:7] == b" " else line[6:]

    def _without_bom(self, chunk: bytes) -> bytes:
        head = (self._head or b"") + chunk
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._head = head
            return b""
        self._head = None
        return head.removeprefix(_BOM)
