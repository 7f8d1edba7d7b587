"""Own the decoding of Converse answers: a stream of binary frames, or one JSON document.

A stream is a success on its `metadata` event behind a `messageStop`, which says why the model stopped and brings
no usage; content is complete where only the first was seen. Which of the two forms a body has is told by its
first byte: proxies answer a stream request with a plain document, and errors come as one.
Source: bedrock.md, sections 3 to 5, and recorded traffic.
"""

from __future__ import annotations

from typing import Any

import msgspec

from manus.actors.codecs.answer_writer import AnswerWriter
from manus.actors.codecs.bedrock_blocks import Blocks
from manus.actors.codecs.bedrock_errors import bedrock_failure_kind, facts_of_exception
from manus.actors.codecs.bedrock_types import (
    BlockDelta,
    BlockStart,
    BlockStop,
    MessageStart,
    MessageStop,
    Metadata,
    ServedTier,
    Trace,
    UsageObject,
    WholeAnswer,
)
from manus.actors.codecs.classify import protocol_failure, stream_failure
from manus.actors.codecs.error_facts import ErrorFacts
from manus.actors.codecs.event_stream import FrameHeaders, FrameSplitter
from manus.actors.codecs.json_fit import TolerantDecoder
from manus.actors.codecs.json_text import MALFORMED_ERRORS, NULL, keep_raw, load_tolerant, well_formed
from manus.messages.events import Evidence, FinishReason, SafetyReported, StreamEvent, UsageReported
from manus.messages.policy import Bounds
from manus.messages.usage import Usage, VendorCounts

FINISH_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "refusal": "refusal",
    "pause_turn": "pause",
}

_FINISH_REASONS_OF_ANSWER_TOOL: dict[str, FinishReason] = {**FINISH_REASONS, "tool_use": "stop"}

_BROKEN = {"malformed_model_output", "malformed_tool_use"}
"""Stop reasons by which the vendor says that the model wrote nonsense; the status is still 200."""

_BLANK = b" \t\r\n\xef\xbb\xbf"
_DOCUMENT_BEGINS = (b"{", b"[", b"<")
"""A frame begins with its length, whose first byte is 0 or 1."""

_decode_delta = msgspec.json.Decoder(BlockDelta).decode
_read_delta = TolerantDecoder(BlockDelta)
_read_start = TolerantDecoder(BlockStart)
_read_stop = TolerantDecoder(BlockStop)
_read_message_start = TolerantDecoder(MessageStart)
_read_message_stop = TolerantDecoder(MessageStop)
_read_metadata = TolerantDecoder(Metadata)
_read_answer = TolerantDecoder(WholeAnswer)


class BedrockDecoder:
    """Decodes one answer.

    Args:
        answer_tool: the tool whose arguments are the answer's text (`HttpRequest.answer_tool`).
    """

    __slots__ = ("_blocks", "_bounds", "_document", "_document_bytes", "_frames", "_stop", "_writer")

    def __init__(self, bounds: Bounds, *, answer_tool: str | None = None) -> None:
        self._bounds = bounds
        reasons = FINISH_REASONS if answer_tool is None else _FINISH_REASONS_OF_ANSWER_TOOL
        self._writer = AnswerWriter(bounds, reasons)
        self._blocks = Blocks(self._writer, answer_tool)
        self._frames: FrameSplitter | None = None
        self._document: list[bytes] = []
        self._document_bytes = 0
        self._stop: MessageStop | None = None

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
        writer, frames = self._writer, self._frames
        if frames is None:
            return self._feed_head(data)
        for headers, payload in frames.feed(data):
            self._take_frame(headers, payload)
            if writer.done:
                return writer.take()
        if frames.fault is not None:
            self._blocks.finish()
            writer.fail(protocol_failure(frames.fault))
        return writer.take()

    def finish(self) -> list[StreamEvent]:
        """Take the clean end of the body."""
        if self._writer.done:
            return []
        if self._frames is None:
            self._take_document(b"".join(self._document))
        self._close("finish_reason" if self._writer.finished else "none")
        return self._writer.take()

    def _feed_head(self, data: bytes) -> list[StreamEvent]:
        if not self._document:
            data = data.lstrip(_BLANK)
            if not data:
                return []
            if data[:1] not in _DOCUMENT_BEGINS:
                self._frames = FrameSplitter(self._bounds.event_bytes)
                return self.feed(data)
        self._document.append(data)
        self._document_bytes += len(data)
        if self._document_bytes > self._bounds.response_bytes:
            self._document.clear()
            bound = self._bounds.response_bytes
            self._writer.fail(protocol_failure(f"The answer is longer than {bound} bytes (response_bytes)."))
        return self._writer.take()

    # --- frames -------------------------------------------------------------------------------------

    def _take_frame(self, headers: FrameHeaders, payload: bytes) -> None:
        kind = headers.get(":event-type")
        if kind == "contentBlockDelta":
            self._take_delta(payload)
            return
        if headers.get(":message-type") in ("exception", "error"):
            self._take_exception(headers, payload)
            return
        known = True
        match kind:
            case "messageStart":
                known = _read_message_start(payload) is not None
                self._writer.start(None, None)
            case "contentBlockStart":
                known = self._take_start(payload)
            case "contentBlockStop":
                stop = _read_stop(payload)
                known = stop is not None
                self._blocks.stop(0 if stop is None else stop.content_block_index or 0)
            case "messageStop":
                ended = _read_message_stop(payload)
                known = ended is not None
                if ended is not None:
                    self._hold(ended, None)
            case "metadata":
                known = self._take_metadata(payload)
        if not known:
            self._fail_protocol("An event of the stream is no JSON.")

    def _take_delta(self, payload: bytes) -> None:
        event: BlockDelta | None
        try:
            event = _decode_delta(payload)
        except MALFORMED_ERRORS:
            event = _read_delta(payload)
            if event is None:
                self._fail_protocol("An event of the stream is no JSON.")
                return
        delta = event.delta
        if delta is None:
            return
        number = event.content_block_index or 0
        blocks = self._blocks
        if delta.text is not None:
            blocks.text(number, delta.text)
        if delta.tool_use is not None:
            blocks.input(number, delta.tool_use.input or "")
        if delta.reasoning_content is not None:
            blocks.reasoning(number, delta.reasoning_content)
        if delta.citation != NULL:
            blocks.cite(number, delta.citation)
        for piece in (delta.tool_result, delta.image):
            if piece != NULL:
                blocks.unread_piece(number, piece)

    def _take_start(self, payload: bytes) -> bool:
        event = _read_start(payload)
        if event is None:
            return False
        start, number = event.start, event.content_block_index or 0
        if start is None:
            return True
        if start.tool_use is not None:
            self._blocks.call(number, start.tool_use)
        elif start.tool_result != NULL:
            self._blocks.unread(number, "toolResult", start.tool_result)
        elif start.image != NULL:
            self._blocks.unread(number, "image", start.image)
        return True

    def _take_metadata(self, payload: bytes) -> bool:
        event = _read_metadata(payload)
        if event is None:
            return False
        self._report(event.usage, event.trace)
        if self._stop is not None:
            self._hold(self._stop, event.service_tier)
            self._close("marker")
        return True

    def _take_exception(self, headers: FrameHeaders, payload: bytes) -> None:
        name = headers.get(":exception-type") or headers.get(":error-code") or ""
        value = _read_any(payload)
        said = headers.get(":error-message")
        if not isinstance(value, dict) and isinstance(said, str):
            value = {"message": said}
        self._fail(facts_of_exception(name if isinstance(name, str) else "", value))

    # --- a whole answer -----------------------------------------------------------------------------

    def _take_document(self, body: bytes) -> None:
        if not body:
            return
        if body.startswith(b"<"):
            self._fail_protocol("The server answered with a web page. Check base_url.")
            return
        answer = _read_answer(body)
        if answer is None:
            self._fail_protocol("The answer is no JSON, or was cut short.")
            return
        said = None if answer.output is None else answer.output.message
        if said is None and answer.stop_reason is None:
            facts = facts_of_exception("", _read_any(body))
            if facts.message or facts.code:
                self._fail(facts)
            else:
                self._fail_protocol("The answer holds no message.")
            return
        self._writer.start(None, None)
        for number, raw in enumerate((None if said is None else said.content) or ()):
            self._blocks.whole(number, raw)
        self._report(answer.usage, answer.trace)
        if answer.stop_reason is not None:
            fields = answer.additional_model_response_fields
            stop = MessageStop(stop_reason=answer.stop_reason, additional_model_response_fields=fields)
            self._hold(stop, answer.service_tier)
            self._close("marker")

    # --- what both have -----------------------------------------------------------------------------

    def _report(self, usage: UsageObject | None, trace: Trace | None) -> None:
        if usage is not None:
            self._writer.add(usage_reported(usage))
        if trace is not None and trace.guardrail != NULL:
            self._writer.add(SafetyReported(raw=keep_raw(trace.guardrail)))

    def _hold(self, stop: MessageStop, tier: ServedTier | None) -> None:
        self._stop = stop
        raw, fields = stop.stop_reason, stop.additional_model_response_fields
        sequence = None if fields is None else fields.stop_sequence
        self._writer.hold_finish(
            None if raw is None else well_formed(raw),
            detail="context_window" if raw == "model_context_window_exceeded" else None,
            stop_sequence=None if sequence is None else well_formed(sequence),
            service_tier=None if tier is None or tier.type is None else well_formed(tier.type),
        )

    def _close(self, evidence: Evidence) -> None:
        self._blocks.finish()
        reason = None if self._stop is None else self._stop.stop_reason
        if reason in _BROKEN:
            facts = ErrorFacts(message="The model wrote something that is no answer.", code=reason)
            self._writer.fail(stream_failure("server", facts))
        self._writer.end(evidence)

    def _fail(self, facts: ErrorFacts) -> None:
        self._blocks.finish()
        self._writer.fail(stream_failure(bedrock_failure_kind(None, facts), facts))

    def _fail_protocol(self, message: str) -> None:
        self._blocks.finish()
        self._writer.fail(protocol_failure(message))


def usage_reported(usage: UsageObject) -> UsageReported:
    """Bring a usage object into normal form: cache reads and writes stand beside the input, not in it."""
    read, written = _count(usage.cache_read_input_tokens), _count(usage.cache_write_input_tokens)
    long = sum(_count(detail.input_tokens) for detail in usage.cache_details or () if detail.ttl == "1h")
    complete = usage.input_tokens is not None and usage.output_tokens is not None
    return UsageReported(
        usage=Usage(
            input_uncached=_count(usage.input_tokens),
            cache_read=read,
            cache_write_short=max(0, written - long),
            cache_write_long=min(long, written),
            output=_count(usage.output_tokens),
            source="reported" if complete else "missing",
        ),
        counts=VendorCounts(
            input=usage.input_tokens,
            output=usage.output_tokens,
            cached=usage.cache_read_input_tokens,
            cache_write=usage.cache_write_input_tokens,
        ),
    )


def _count(count: int | None) -> int:
    return max(0, count or 0)


def _read_any(body: bytes) -> Any:  # Any: JSON of a foreign hand, checked by the reader
    # Also of a body that was read once: msgspec does not look at the bytes of fields that it skips.
    try:
        return load_tolerant(body) if body else None
    except MALFORMED_ERRORS:
        return None
