"""Own the decoding of Messages answers: the event stream, or one JSON document.

A stream is a success on `message_stop`, or on a stop reason and a clean end of body; without a stop reason
it is none, whatever marker came. Event, block and delta types that we do not know are skipped.
Source: anthropic.md, sections 4 and 5, and recorded traffic.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from manus.actors.codecs.anthropic_blocks import CONTAINER, Blocks
from manus.actors.codecs.anthropic_errors import anthropic_stream_failure
from manus.actors.codecs.anthropic_types import (
    Delta,
    StreamPiece,
    UsageObject,
    WholeMessage,
)
from manus.actors.codecs.anthropic_usage import RunningUsage
from manus.actors.codecs.classify import protocol_failure
from manus.actors.codecs.error_facts import facts_of_body
from manus.actors.codecs.json_fit import fit
from manus.actors.codecs.json_text import MALFORMED_ERRORS, NULL, keep_raw, load_tolerant, well_formed
from manus.actors.codecs.sse_answer import SseAnswerDecoder
from manus.messages.events import FinishReason, Pinged, SafetyReported, WarningRaised
from manus.messages.policy import Bounds

FINISH_REASONS: Mapping[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "compaction": "pause",
    "refusal": "refusal",
}

_WITH_ANSWER_TOOL: Mapping[str, FinishReason] = {**FINISH_REASONS, "tool_use": "stop"}
"""Where a made-up tool carries the answer, its call is the end of it. Real calls beside it still count."""

_decode_piece = msgspec.json.Decoder(StreamPiece).decode
_decode_message = msgspec.json.Decoder(WholeMessage).decode


class AnthropicDecoder(SseAnswerDecoder):
    """Decodes one answer."""

    __slots__ = ("_blocks", "_usage")

    def __init__(self, bounds: Bounds, answer_tool: str | None = None) -> None:
        super().__init__(bounds, FINISH_REASONS if answer_tool is None else _WITH_ANSWER_TOOL)
        self._blocks = Blocks(self._writer, answer_tool)
        self._usage = RunningUsage()

    def _take_event(self, name: bytes, payload: bytes) -> None:
        piece: StreamPiece | None
        try:
            piece = _decode_piece(payload)
        except MALFORMED_ERRORS:
            if payload.strip() == b"[DONE]":
                return  # gateways add the marker of another wire; what counts here came before
            try:
                piece = fit(load_tolerant(payload), StreamPiece)
            except MALFORMED_ERRORS:
                self._writer.fail(protocol_failure("An event of the stream is no JSON."))
                return
            if piece is None:
                return
        if piece.type == "content_block_delta":
            delta = piece.delta
            if delta is None:
                return
            if delta.type == "text_delta" and delta.text and self._blocks.text(piece.index or 0, delta.text):
                return
            self._blocks.extend(piece.index or 0, delta)
            return
        self._take_other(name, piece, payload)

    def _take_other(self, name: bytes, piece: StreamPiece, payload: bytes) -> None:
        match piece.type or name.decode("ascii", "replace"):
            case "ping":
                self._writer.add(Pinged())
            case "content_block_start":
                self._blocks.begin(piece.index or 0, piece.content_block)
            case "content_block_stop":
                self._blocks.end(piece.index or 0)
            case "message_start":
                if piece.message is not None:
                    self._start(piece.message)
                    self._note_usage(piece.message.usage, final=False)
            case "message_delta":
                # The usage says at what the answer was served, which goes into the finish.
                reported = None if piece.usage is None else self._usage.take(piece.usage, final=True)
                if piece.delta is not None:
                    self._note_stop(piece.delta)
                if reported is not None:
                    self._writer.add(reported)
            case "message_stop":
                self._writer.end("marker" if self._writer.finished else "none")
            case "error":
                self._writer.fail(anthropic_stream_failure(payload))
            case _:
                if piece.error != NULL:  # an error of a gateway, in another wire's words
                    self._writer.fail(anthropic_stream_failure(payload))

    def _take_document(self, body: bytes) -> None:
        message: WholeMessage | None
        try:
            message = _decode_message(body)
        except MALFORMED_ERRORS:
            try:
                message = fit(load_tolerant(body), WholeMessage)
            except MALFORMED_ERRORS:
                self._writer.fail(protocol_failure("The answer is no JSON, or was cut short."))
                return
        if message is not None and (message.type == "error" or message.error != NULL):
            self._writer.fail(anthropic_stream_failure(body))
            return
        if message is None or message.content is None:
            if facts_of_body(body).message:
                self._writer.fail(anthropic_stream_failure(body))
                return
            self._writer.fail(protocol_failure("The server answered with JSON that is no message. Check base_url."))
            return
        self._start(message)
        for index, block in enumerate(message.content):
            self._blocks.begin(index, block)
            self._blocks.end(index)
        stop = Delta(
            stop_reason=message.stop_reason,
            stop_sequence=message.stop_sequence,
            stop_details=message.stop_details,
            container=message.container,
        )
        self._note_usage(message.usage, final=True)
        self._note_stop(stop)
        # The JSON is whole, yet only a stop reason says that the answer in it is.
        self._writer.end("marker" if self._writer.finished else "none")

    def _start(self, message: WholeMessage) -> None:
        answer_id = well_formed(message.id or "")
        self._blocks.seed(answer_id)
        self._writer.start(answer_id, well_formed(message.model or ""))
        if message.input_transformations:
            text = "The vendor dropped earlier thinking: what stood before it in the conversation has changed."
            self._writer.add(WarningRaised(code="thinking_dropped_by_vendor", message=text))

    def _note_stop(self, delta: Delta) -> None:
        if delta.stop_details != NULL:
            self._writer.add(SafetyReported(raw=keep_raw(delta.stop_details)))
        if delta.stop_reason:
            self._blocks.settle(cut=FINISH_REASONS.get(delta.stop_reason) == "length")
        if delta.container != NULL:
            self._blocks.carry(CONTAINER, delta.container)
        if not delta.stop_reason:
            return
        detail = None
        if delta.stop_reason == "model_context_window_exceeded":
            detail = "context_window"
        elif delta.stop_details != NULL:
            detail = _category(delta.stop_details)
        sequence = delta.stop_sequence
        self._writer.hold_finish(
            well_formed(delta.stop_reason),
            detail=detail,
            stop_sequence=None if sequence is None else well_formed(sequence),
            service_tier=self._usage.service_tier,
        )

    def _note_usage(self, usage: UsageObject | None, *, final: bool) -> None:
        if usage is not None:
            self._writer.add(self._usage.take(usage, final=final))


def _category(details: msgspec.Raw) -> str | None:
    """Read the category of a refusal: `cyber`, `bio`, ..."""
    value = msgspec.json.decode(keep_raw(details))
    category = value.get("category") if isinstance(value, dict) else None
    return category if isinstance(category, str) and category else None
