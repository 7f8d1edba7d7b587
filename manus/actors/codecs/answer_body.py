"""Own the telling apart of the two forms in which an answer comes: an event stream, or one JSON document.

A body's first byte tells, not what was asked for: servers answer a stream request with a plain document, and the
reverse. `{` and `[` begin JSON, `<` begins a proxy's web page; the lines of an event stream begin otherwise.
"""

from __future__ import annotations

from manus.actors.codecs.sse import SseSplitter
from manus.messages.policy import Bounds

_BLANK = b" \t\r\n\xef\xbb\xbf"
"""What may stand before the byte that tells: blanks and a byte order mark."""


class AnswerBody:
    """Takes the bytes of one answer and gives its events, or at the end its document."""

    __slots__ = ("_bounds", "_document", "_document_bytes", "_sse", "too_long")

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._document: list[bytes] = []
        self._document_bytes = 0
        self._sse: SseSplitter | None = None
        self.too_long: str | None = None
        """Set to the reason once a bound was passed; nothing more must be fed."""

    @property
    def streamed(self) -> bool:
        """Whether the body has shown itself to be an event stream."""
        return self._sse is not None

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """Give the events that `data` completes, as `SseSplitter` does; none while a document is gathered."""
        sse = self._sse
        if sse is None:
            return self._feed_head(data)
        events = sse.feed(data)
        if sse.overflowed:
            self.too_long = f"An event is longer than {self._bounds.event_bytes} bytes (event_bytes)."
        return events

    def rest(self) -> list[tuple[bytes, bytes]]:
        """Give the last event of a stream that ended without a blank line; it may be cut short."""
        return [] if self._sse is None else self._sse.finish()

    def document(self) -> bytes:
        """Give the document, as far as it came."""
        return b"".join(self._document)

    def _feed_head(self, data: bytes) -> list[tuple[bytes, bytes]]:
        if not self._document:
            data = data.lstrip(_BLANK)
            if not data:
                return []
            if data[:1] not in (b"{", b"[", b"<"):
                self._sse = SseSplitter(self._bounds.event_bytes)
                return self.feed(data)
        self._document.append(data)
        self._document_bytes += len(data)
        if self._document_bytes > self._bounds.response_bytes:
            self._document.clear()
            self.too_long = f"The answer is longer than {self._bounds.response_bytes} bytes (response_bytes)."
        return []
