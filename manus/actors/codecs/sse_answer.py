"""Own what the decoders of event-streamed wires share: telling a stream from a document, and their bounds.

Which of the two forms a body has is told by its first byte, not by what was asked for: servers answer a
stream request with a plain document, and the reverse. It knows no vendor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from manus.actors.codecs.answer_writer import AnswerWriter
from manus.actors.codecs.classify import protocol_failure
from manus.actors.codecs.json_text import MALFORMED_ERRORS, load_tolerant
from manus.actors.codecs.sse import COMMENT, SseSplitter
from manus.messages.events import FinishReason, Pinged, StreamEvent
from manus.messages.policy import Bounds

_BLANK = b" \t\r\n\xef\xbb\xbf"
"""What may stand before the byte that tells the form of a body: blanks and a byte order mark."""


class SseAnswerDecoder(ABC):
    """A `Decoder` of one answer; a vendor's own reads the payloads in `_take_event` and `_take_document`."""

    _marker = b""
    """What the vendor ends a stream with, if that is no JSON."""

    __slots__ = ("_bounds", "_document", "_document_bytes", "_saw_event", "_sse", "_writer")

    def __init__(self, bounds: Bounds, reasons: Mapping[str, FinishReason]) -> None:
        self._bounds = bounds
        self._writer = AnswerWriter(bounds, reasons)
        self._sse: SseSplitter | None = None
        self._document: list[bytes] = []
        self._document_bytes = 0
        self._saw_event = False

    @property
    def done(self) -> bool:
        """Whether the terminal event has been given."""
        return self._writer.done

    @property
    def finishing(self) -> bool:
        """Whether the model has said why it stopped."""
        return self._writer.finished

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Take the next bytes and give the events they complete."""
        if self._writer.done:
            return []
        writer = self._writer
        sse = self._sse
        if sse is None:
            return self._feed_head(data)
        for name, payload in sse.feed(data):
            self._take(name, payload)
            if writer.done:
                return writer.take()
        if sse.overflowed:
            writer.fail(protocol_failure(f"An event is longer than {self._bounds.event_bytes} bytes (event_bytes)."))
        return writer.take()

    def finish(self) -> list[StreamEvent]:
        """Take the clean end of the body."""
        if self._writer.done:
            return []
        writer = self._writer
        if self._sse is None:
            self._take_whole(b"".join(self._document))
            return writer.take()
        for name, payload in self._sse.finish():
            # An event without its blank line may be cut short: then it is part of the cut, not garbage.
            if name is COMMENT or payload == self._marker or _is_json(payload):
                self._take(name, payload)
            else:
                self._saw_event = True
        if not self._saw_event:
            writer.fail(protocol_failure("The server answered with something that is no event stream."))
        self._end_of_stream()
        return writer.take()

    @abstractmethod
    def _take_event(self, name: bytes, payload: bytes) -> None:
        """Read one event that is no comment."""

    @abstractmethod
    def _take_document(self, body: bytes) -> None:
        """Read a whole answer, which is neither empty nor a web page, and close it."""

    def _end_of_stream(self) -> None:
        """Close an answer whose stream ended without the vendor's marker."""
        self._writer.end("finish_reason" if self._writer.finished else "none")

    def _feed_head(self, data: bytes) -> list[StreamEvent]:
        # `{` and `[` begin JSON, `<` begins a proxy's HTML; the lines of an event stream begin otherwise.
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
            bound = self._bounds.response_bytes
            self._writer.fail(protocol_failure(f"The answer is longer than {bound} bytes (response_bytes)."))
        return self._writer.take()

    def _take(self, name: bytes, payload: bytes) -> None:
        self._saw_event = True
        if name is COMMENT:
            self._writer.add(Pinged())
        else:
            self._take_event(name, payload)

    def _take_whole(self, body: bytes) -> None:
        if not body:
            self._writer.end("none")
        elif body.startswith(b"<"):
            self._writer.fail(protocol_failure("The server answered with a web page. Check base_url."))
        else:
            self._take_document(body)


def _is_json(payload: bytes) -> bool:
    try:
        load_tolerant(payload)
    except MALFORMED_ERRORS:
        return False
    return True
