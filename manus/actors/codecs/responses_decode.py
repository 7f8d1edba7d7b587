"""Own the decoding of Responses answers: the event stream, or one JSON document.

A stream is a success on its terminal event, `response.completed` or `response.incomplete`; there is no `[DONE]`
and no finish reason: status and output tell together why the model stopped. Failures come at HTTP 200 too, as
`response.failed` or an `error` event. Types of events that nobody here knows are skipped.
Source: openai.md, sections 6 and 7, and recorded traffic.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from manus.actors.codecs.classify import protocol_failure, stream_failure
from manus.actors.codecs.error_facts import ErrorFacts, facts_of_body
from manus.actors.codecs.json_fit import fit
from manus.actors.codecs.json_text import MALFORMED_ERRORS, NULL, keep_raw, load_tolerant, well_formed
from manus.actors.codecs.openai_errors import Classify, openai_failure_kind
from manus.actors.codecs.responses_output import OutputItems
from manus.actors.codecs.responses_types import Document, Event, InputDetails, OutputDetails, Response, UsageObject
from manus.actors.codecs.server_tools import ServerToolTally
from manus.actors.codecs.sse_answer import SseAnswerDecoder
from manus.messages.events import (
    FinishReason,
    LogprobsReported,
    Pinged,
    RefusalDelta,
    SafetyReported,
    TextDelta,
    TurnReported,
    UsageReported,
)
from manus.messages.policy import Bounds
from manus.messages.usage import Usage, VendorCounts

REASONS: dict[str, FinishReason] = {
    "completed": "stop",
    "max_output_tokens": "length",
    "content_filter": "content_filter",
    "cancelled": "cancelled",
}
"""By the reason of an incomplete answer, or by the status of another."""

_EMPTY = (b"null", b"[]", b"{}")
_NO_INPUT_DETAILS = InputDetails()
_NO_OUTPUT_DETAILS = OutputDetails()

_decode_event = msgspec.json.Decoder(Event).decode
_decode_document = msgspec.json.Decoder(Document).decode


class ResponsesDecoder(SseAnswerDecoder):
    """Decodes one answer.

    Args:
        bounds: caps on events, the body and the answer.
        classify: what the server's error codes mean; Azure has some of its own.
    """

    __slots__ = ("_classify", "_items")

    def __init__(self, bounds: Bounds, classify: Classify = openai_failure_kind) -> None:
        super().__init__(bounds, REASONS)
        self._items = OutputItems(self._writer)
        self._classify = classify

    def _take_event(self, name: bytes, payload: bytes) -> None:
        event: Event | None
        try:
            event = _decode_event(payload)
        except MALFORMED_ERRORS:
            if payload.strip() == b"[DONE]":
                return  # of servers that came from Chat Completions; it is no evidence here
            try:
                event = fit(load_tolerant(payload), Event)
            except MALFORMED_ERRORS:
                self._writer.fail(protocol_failure("An event of the stream is no JSON."))
                return
        kind = None if event is None else event.type or name.decode("ascii", "replace")
        if event is not None and kind in _TAKE:
            _TAKE[kind](self, event)
        elif kind == "error" or (event is not None and event.type is None):
            # An error has no shape of its own: some servers nest it, others send it without any type.
            facts = facts_of_body(payload)
            if kind == "error" or facts.message:
                self._fail(facts)

    def _take_document(self, body: bytes) -> None:
        document: Document | None
        try:
            document = _decode_document(body)
        except MALFORMED_ERRORS:
            try:
                document = fit(load_tolerant(body), Document)
            except MALFORMED_ERRORS:
                self._writer.fail(protocol_failure("The answer is no JSON, or was cut short."))
                return
        if document is not None and (document.output is not None or document.status is not None):
            self._start(document)
            self._close(document)
            return
        facts = facts_of_body(body)
        if facts.message:
            self._fail(facts)
        else:
            self._writer.fail(protocol_failure("The answer holds no output."))

    def _end_of_stream(self) -> None:
        if not self._writer.done:
            self._items.finish()
            self._writer.end("none")

    # --- events, by their type ------------------------------------------------------------------------

    def _on_life(self, event: Event) -> None:
        if event.response is not None:
            self._start(event.response)

    def _on_text(self, event: Event) -> None:
        if event.delta:
            self._items.prose(TextDelta, event.output_index, event.content_index, event.delta)
        logprobs = event.logprobs
        if logprobs is not NULL and bytes(logprobs) not in _EMPTY:
            self._writer.add(LogprobsReported(raw=keep_raw(logprobs)))

    def _on_refusal(self, event: Event) -> None:
        if event.delta:
            self._items.prose(RefusalDelta, event.output_index, event.content_index, event.delta)

    def _on_text_done(self, event: Event) -> None:
        if event.text:
            self._items.prose_whole(TextDelta, event.output_index, event.content_index, event.text)

    def _on_refusal_done(self, event: Event) -> None:
        if event.refusal:
            self._items.prose_whole(RefusalDelta, event.output_index, event.content_index, event.refusal)

    def _on_summary(self, event: Event) -> None:
        if event.delta:
            self._items.thought("summary", event.output_index, event.summary_index, event.delta)

    def _on_thought(self, event: Event) -> None:
        if event.delta:
            self._items.thought("content", event.output_index, event.content_index, event.delta)

    def _on_arguments(self, event: Event) -> None:
        if event.delta:
            self._items.arguments(event.output_index, event.delta)

    def _on_annotation(self, event: Event) -> None:
        self._items.cite(event.output_index, event.content_index, event.annotation)

    def _on_item(self, event: Event) -> None:
        self._items.begin(event.output_index, event.item)

    def _on_item_done(self, event: Event) -> None:
        self._items.complete(event.output_index, event.item)

    def _on_ping(self, _event: Event) -> None:
        self._writer.add(Pinged())

    def _on_end(self, event: Event) -> None:
        if event.response is None:
            self._writer.fail(protocol_failure("The answer ended without saying how."))
            return
        self._start(event.response)
        self._close(event.response)

    # --- the life of an answer ------------------------------------------------------------------------

    def _start(self, response: Response) -> None:
        if not self._writer.started:
            answer_id, model = well_formed(response.id or ""), well_formed(response.model or "")
            self._items.seed(answer_id, model)
            self._writer.start(answer_id, model)

    def _close(self, response: Response) -> None:
        writer = self._writer
        self._items.gather(response.output)
        if response.usage is not None:
            writer.add(usage_reported(response.usage, self._items.served))
        for report in (response.content_filters, response.moderation):
            if bytes(report) not in _EMPTY:
                writer.add(SafetyReported(raw=keep_raw(report)))
        details = response.incomplete_details
        reason = details.reason if details is not None and details.reason else response.status
        writer.hold_finish(None if reason is None else well_formed(reason), service_tier=response.service_tier)
        if response.status == "failed" or bytes(response.error) != b"null":
            facts = facts_of_body(bytes(response.error))
            writer.fail(stream_failure(self._classify(None, facts), facts))
        elif response.status in ("queued", "in_progress"):
            writer.end("none")  # asked for in the background by the caller's own options: nothing is answered yet
        else:
            if self._items.wants_turn and response.output:
                writer.add(TurnReported(raw=msgspec.Raw(b"[" + b",".join(map(_checked, response.output)) + b"]")))
            writer.end("marker")

    def _fail(self, facts: ErrorFacts) -> None:
        self._items.finish()
        # The status of the answer that this ends; the event that says so follows, or never comes.
        self._writer.hold_finish("failed")
        self._writer.fail(stream_failure(self._classify(None, facts), facts))


def usage_reported(usage: UsageObject, served: ServerToolTally) -> UsageReported:
    """Bring a usage object into normal form: cached and written tokens are subsets of the input (openai.md 3.1)."""
    into = usage.input_tokens_details or _NO_INPUT_DETAILS
    outof = usage.output_tokens_details or _NO_OUTPUT_DETAILS
    given, made = _count(usage.input_tokens), _count(usage.output_tokens)
    cached, written = _count(into.cached_tokens), _count(into.cache_write_tokens)
    complete = usage.input_tokens is not None and usage.output_tokens is not None
    return UsageReported(
        usage=Usage(
            input_uncached=max(0, given - cached - written),
            cache_read=cached,
            cache_write_short=written,
            output=made,
            reasoning=min(_count(outof.reasoning_tokens), made),
            audio_input=min(_count(into.audio_tokens), max(0, given - cached - written)),
            audio_output=min(_count(outof.audio_tokens), made),
            server_tool_calls=served.total,
            server_tools=served.kinds,
            source="reported" if complete else "missing",
        ),
        counts=VendorCounts(
            input=usage.input_tokens,
            output=usage.output_tokens,
            cached=into.cached_tokens,
            cache_write=into.cache_write_tokens,
            reasoning=outof.reasoning_tokens,
        ),
    )


_TAKE: dict[str, Callable[[ResponsesDecoder, Event], None]] = {
    "response.output_text.delta": ResponsesDecoder._on_text,
    "response.refusal.delta": ResponsesDecoder._on_refusal,
    "response.output_text.done": ResponsesDecoder._on_text_done,
    "response.refusal.done": ResponsesDecoder._on_refusal_done,
    "response.reasoning_summary_text.delta": ResponsesDecoder._on_summary,
    "response.reasoning_text.delta": ResponsesDecoder._on_thought,
    "response.function_call_arguments.delta": ResponsesDecoder._on_arguments,
    "response.output_text.annotation.added": ResponsesDecoder._on_annotation,
    "response.output_item.added": ResponsesDecoder._on_item,
    "response.output_item.done": ResponsesDecoder._on_item_done,
    "response.created": ResponsesDecoder._on_life,
    "response.queued": ResponsesDecoder._on_life,
    "response.in_progress": ResponsesDecoder._on_life,
    "response.completed": ResponsesDecoder._on_end,
    "response.incomplete": ResponsesDecoder._on_end,
    "response.failed": ResponsesDecoder._on_end,
    "response.cancelled": ResponsesDecoder._on_end,
    "keepalive": ResponsesDecoder._on_ping,
    "ping": ResponsesDecoder._on_ping,
}


def _checked(item: msgspec.Raw) -> bytes:
    return bytes(keep_raw(item))


def _count(value: int | None) -> int:
    return max(0, value or 0)
