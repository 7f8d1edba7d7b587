"""Own the decoding of Chat Completions answers: the event stream, or one JSON document.

A stream is a success on `data: [DONE]`, or on a finish reason and a clean end of body: OpenAI closes with
both, some servers forget the first. Which of the two forms a body has is told by its first byte, not by
what was asked for: servers answer a stream request with a plain document, and the reverse.
Source: openai.md, sections 3 and 4, and recorded traffic of fifteen compatible servers.
"""

from __future__ import annotations

import msgspec

from manus.actors.codecs.classify import protocol_failure, stream_failure
from manus.actors.codecs.error_facts import ErrorFacts, facts_of_body
from manus.actors.codecs.json_text import MALFORMED_ERRORS, NULL, keep_raw, load_tolerant, well_formed
from manus.actors.codecs.openai_chat_extras import AudioPieces, CustomCalls, cite, usage_reported
from manus.actors.codecs.openai_chat_lenient import lenient_opening
from manus.actors.codecs.openai_chat_types import Choice, Chunk, Delta, Opening, ToolPiece
from manus.actors.codecs.openai_errors import Classify, openai_failure_kind
from manus.actors.codecs.sse_answer import SseAnswerDecoder
from manus.actors.codecs.tool_fragments import ToolFragments
from manus.messages.events import (
    Evidence,
    FinishReason,
    LogprobsReported,
    ReasoningDelta,
    RefusalDelta,
    SafetyReported,
    TextDelta,
)
from manus.messages.policy import Bounds

FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    # of compatible servers
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "tool_use": "tool_calls",
}

_BROKEN_OFF = {"error", "insufficient_system_resource"}
"""Finish reasons that mean the server gave up: OpenRouter's and Mistral's, and DeepSeek's."""

_MARKER = b"[DONE]"

_decode_chunk = msgspec.json.Decoder(Chunk).decode
_decode_opening = msgspec.json.Decoder(Opening).decode


class OpenAIChatDecoder(SseAnswerDecoder):
    """Decodes one answer. Choice 0 only: a canonical request never asks for more.

    Args:
        bounds: caps on events, the body and the answer.
        classify: what the server's error codes mean; Azure has some of its own.
    """

    __slots__ = ("_audio", "_calls", "_classify", "_customs", "_saw_choice")

    _marker = _MARKER

    def __init__(self, bounds: Bounds, classify: Classify = openai_failure_kind) -> None:
        super().__init__(bounds, FINISH_REASONS)
        self._classify = classify
        self._calls = ToolFragments(self._writer)
        self._customs = CustomCalls(self._writer)
        self._audio = AudioPieces(self._writer)
        self._saw_choice = False

    def _end_of_stream(self) -> None:
        self._close("finish_reason" if self._writer.finished else "none")

    def _take_event(self, name: bytes, payload: bytes) -> None:
        chunk: Chunk | None
        try:
            chunk = _decode_chunk(payload) if self._writer.started else _decode_opening(payload)
        except MALFORMED_ERRORS:
            if payload.strip() == _MARKER:
                # A marker behind nothing at all is no evidence of an answer.
                self._close("marker" if self._saw_choice else "none")
                return
            try:
                value = load_tolerant(payload)
            except MALFORMED_ERRORS:
                self._writer.fail(protocol_failure("An event of the stream is no JSON."))
                return
            chunk = lenient_opening(value)
        if name == b"error" and (chunk is None or chunk.error == NULL):
            self._fail(facts_of_body(payload))
        elif chunk is not None:
            self._take_chunk(chunk)

    def _take_document(self, body: bytes) -> None:
        chunk: Opening | None
        try:
            chunk = _decode_opening(body)
        except MALFORMED_ERRORS:
            try:
                chunk = lenient_opening(load_tolerant(body))
            except MALFORMED_ERRORS:
                self._writer.fail(protocol_failure("The answer is no JSON, or was cut short."))
                return
        if chunk is not None:
            self._take_chunk(chunk)
        if self._saw_choice:
            # The JSON is whole, yet only a finish reason says that the answer in it is.
            self._close("marker" if self._writer.finished else "none")
            return
        facts = facts_of_body(body)
        if facts.message:
            self._fail(facts)
        else:
            self._writer.fail(protocol_failure("The answer holds no choices."))

    def _take_chunk(self, chunk: Chunk) -> None:
        writer = self._writer
        if not writer.started and isinstance(chunk, Opening):
            self._start(chunk)
        if chunk.error != NULL:
            self._fail(facts_of_body(bytes(chunk.error)), chunk.choices)
            return
        if chunk.choices:
            for choice in chunk.choices:
                if not choice.index:
                    self._take_choice(choice, chunk.service_tier)
                    break
        if chunk.usage is not None:
            writer.add(usage_reported(chunk.usage))
        elif chunk.x_groq is not None and chunk.x_groq.usage is not None:
            writer.add(usage_reported(chunk.x_groq.usage, standard=False))
        if chunk.prompt_filter_results != NULL:
            self._report_safety(chunk.prompt_filter_results)
        if chunk.moderation != NULL:
            self._report_safety(chunk.moderation)

    def _start(self, opening: Opening) -> None:
        if opening.id or opening.model or opening.choices:
            answer_id = well_formed(opening.id or "")
            model = well_formed(opening.model or "")
            self._calls.seed(answer_id, model, opening.created)
            self._writer.start(answer_id, model)

    def _take_choice(self, choice: Choice, service_tier: str | None) -> None:
        self._saw_choice = True
        delta = choice.delta or choice.message
        if delta is not None:
            self._take_delta(delta)
        if choice.logprobs != NULL:
            self._writer.add(LogprobsReported(raw=keep_raw(choice.logprobs)))
        if choice.content_filter_results != NULL:
            self._report_safety(choice.content_filter_results)
        if choice.error != NULL:
            self._fail(facts_of_body(bytes(choice.error)), [choice])
        elif choice.finish_reason:
            self._writer.hold_finish(well_formed(choice.finish_reason), service_tier=service_tier)
            if choice.finish_reason in _BROKEN_OFF:
                self._fail(ErrorFacts(message="The server broke the answer off.", code=choice.finish_reason))

    def _take_delta(self, delta: Delta) -> None:
        writer = self._writer
        thought = delta.reasoning_content or delta.reasoning
        if not thought and delta.reasoning_details:
            thought = "".join(detail.text or detail.summary or "" for detail in delta.reasoning_details)
        if thought:
            writer.write(ReasoningDelta, thought)
        if delta.content:
            writer.write(TextDelta, delta.content)
        if delta.refusal:
            writer.write(RefusalDelta, delta.refusal)
        if delta.tool_calls:
            for piece in delta.tool_calls:
                self._take_tool(piece)
        if delta.function_call is not None:
            # The deprecated form: one call at most, and without an id.
            self._calls.take(0, None, delta.function_call.name, delta.function_call.arguments)
        if delta.annotations:
            for annotation in delta.annotations:
                cite(writer, annotation)
        if delta.audio != NULL:
            self._audio.take(delta.audio)

    def _take_tool(self, piece: ToolPiece) -> None:
        if self._customs.take(piece):
            return
        function = piece.function
        name = None if function is None else function.name
        arguments = None if function is None else function.arguments
        self._calls.take(piece.index, piece.id, name, arguments)

    def _report_safety(self, raw: msgspec.Raw) -> None:
        if bytes(raw) not in (b"{}", b"[]"):
            self._writer.add(SafetyReported(raw=keep_raw(raw)))

    def _fail(self, facts: ErrorFacts, choices: list[Choice] | None = None) -> None:
        for choice in choices or ():
            if choice.finish_reason and not choice.index:
                self._writer.hold_finish(well_formed(choice.finish_reason))
        self._gather()
        self._writer.fail(stream_failure(self._classify(None, facts), facts))

    def _close(self, evidence: Evidence) -> None:
        if not self._writer.done:
            self._gather()
            self._writer.end(evidence)

    def _gather(self) -> None:
        self._calls.finish()
        self._audio.finish()
        self._customs.finish()
