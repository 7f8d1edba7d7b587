"""Own the decoding of Ollama's native answers: one JSON object per line, or one in all.

A stream is a success on `"done": true` and on nothing else: the server's guard against repetition ends a
stream with neither that nor an error (ollama.md, section 4).
"""

from __future__ import annotations

from typing import Any

import msgspec

from manus.actors.codecs.answer_writer import AnswerWriter
from manus.actors.codecs.call_ids import made_call_id
from manus.actors.codecs.classify import protocol_failure, stream_failure
from manus.actors.codecs.error_facts import facts_of_body
from manus.actors.codecs.json_text import MALFORMED_ERRORS, NULL, dump, keep_raw, load_tolerant, well_formed
from manus.actors.codecs.lines import LineBuffer
from manus.actors.codecs.ollama_errors import ollama_failure_kind
from manus.actors.codecs.ollama_types import CalledFunction, CalledTool, Line, Said
from manus.messages.events import (
    FinishReason,
    LogprobsReported,
    ReasoningDelta,
    StreamEvent,
    TextDelta,
    UsageReported,
)
from manus.messages.policy import Bounds
from manus.messages.usage import Usage, VendorCounts

FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "": "stop",
    "length": "length",
    "load": "stop",
    "unload": "stop",
}

_decode_line = msgspec.json.Decoder(Line).decode


class OllamaDecoder:
    """Decodes one answer.

    Args:
        stream: what was asked for; it only decides how long one line may be.
    """

    __slots__ = ("_bounds", "_document", "_document_bytes", "_line_bytes", "_lines", "_saw_line", "_writer")

    def __init__(self, bounds: Bounds, *, stream: bool) -> None:
        self._bounds = bounds
        self._writer = AnswerWriter(bounds, FINISH_REASONS)
        self._line_bytes = bounds.event_bytes if stream else bounds.response_bytes
        self._lines = LineBuffer(self._line_bytes)
        self._document: list[bytes] | None = None
        self._document_bytes = 0
        self._saw_line = False

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
        for text in self._lines.feed(data):
            if self._document is not None:
                self._gather(text)
            else:
                self._take(text)
            if writer.done:
                return writer.take()
        if self._lines.overflowed:
            writer.fail(protocol_failure(f"A line is longer than {self._line_bytes} bytes."))
        return writer.take()

    def finish(self) -> list[StreamEvent]:
        """Take the clean end of the body."""
        if self._writer.done:
            return []
        writer = self._writer
        rest = self._lines.rest()
        if self._document is not None:
            self._document.append(rest)
            self._take_last(b"\n".join(self._document))
        else:
            self._take_last(rest)
        writer.end("none")
        return writer.take()

    def _take_last(self, text: bytes) -> None:
        # What does not parse at the end is part of a cut, unless it never was an answer at all.
        if _is_json(text) or (not self._saw_line and not text.lstrip().startswith(b"{")):
            self._take(text)

    def _take(self, text: bytes) -> None:
        if not text or text.isspace():
            return
        line: Line | None
        try:
            line = _decode_line(text)
        except MALFORMED_ERRORS:
            if not self._saw_line and self._document is None and text.rstrip() in (b"{", b"["):
                self._document = [text]  # one object over many lines, as a proxy or a recorder writes it
                return
            try:
                line = _lenient_line(load_tolerant(text))
            except MALFORMED_ERRORS:
                page = text.lstrip().startswith(b"<")
                what = "with a web page. Check base_url" if page else "with a line that is no JSON"
                self._writer.fail(protocol_failure(f"The server answered {what}."))
                return
        self._saw_line = True
        if line is not None:
            self._take_line(line)

    def _gather(self, text: bytes) -> None:
        assert self._document is not None
        self._document.append(text)
        self._document_bytes += len(text) + 1
        if self._document_bytes > self._bounds.response_bytes:
            self._document.clear()
            bound = self._bounds.response_bytes
            self._writer.fail(protocol_failure(f"The answer is longer than {bound} bytes (response_bytes)."))

    def _take_line(self, line: Line) -> None:
        writer = self._writer
        if line.error != NULL:
            facts = facts_of_body(bytes(line.error))
            writer.fail(stream_failure(ollama_failure_kind(None, facts), facts))
            return
        if not writer.started and (line.model or line.message is not None):
            writer.start(None, well_formed(line.model or ""))
        said = line.message
        if said is not None:
            if said.thinking:
                writer.write(ReasoningDelta, said.thinking)
            if said.content:
                writer.write(TextDelta, said.content)
            for call in said.tool_calls or ():
                self._take_call(call, line)
        elif line.response is not None or line.thinking:
            self._take_completion(line)
        if line.logprobs != NULL:
            writer.add(LogprobsReported(raw=keep_raw(line.logprobs)))
        if line.done:
            writer.add(_usage_reported(line))
            writer.hold_finish(None if line.done_reason is None else well_formed(line.done_reason))
            writer.end("marker")

    def _take_completion(self, line: Line) -> None:
        """Take what `/api/generate` says, which some gateways answer a chat with."""
        if line.thinking:
            self._writer.write(ReasoningDelta, line.thinking)
        if line.response:
            self._writer.write(TextDelta, line.response)

    def _take_call(self, call: CalledTool, line: Line) -> None:
        function = call.function
        self._writer.admit_call(self._writer.call_count + 1)
        if function is None or self._writer.done:
            return
        name = function.name or ""
        arguments = _arguments(function.arguments)
        # Older servers send no id: calls come whole, so everything that tells two apart is known here.
        made = made_call_id(line.model, line.created_at, self._writer.call_count, name, arguments)
        index = self._writer.begin_call(call.id or made, name)
        self._writer.arguments(index, arguments)


def _arguments(raw: msgspec.Raw) -> str:
    if raw == NULL:
        return "{}"
    kept = bytes(keep_raw(raw))
    if kept.startswith(b'"'):  # text that holds JSON, as the OpenAI wire has it
        return str(msgspec.json.decode(kept))
    return kept.decode()


def _usage_reported(line: Line) -> UsageReported:
    # A count of zero is left out by the server, so absence means zero. But no prompt is empty: a server that does not
    # count it (older ones leave it out where all of it was cached) has reported nothing that may be booked as such.
    return UsageReported(
        usage=Usage(
            input_uncached=max(0, line.prompt_eval_count or 0),
            output=max(0, line.eval_count or 0),
            source="missing" if line.prompt_eval_count is None else "reported",
        ),
        counts=VendorCounts(input=line.prompt_eval_count, output=line.eval_count),
    )


def _lenient_line(value: Any) -> Line | None:  # Any: JSON of a foreign hand, each field checked here
    """Read a line whose fields do not fit: those of the wrong type count as absent."""
    if not isinstance(value, dict):
        return None
    said = value.get("message")
    return Line(
        message=_lenient_said(said) if isinstance(said, dict) else None,
        response=_text(value.get("response")),
        thinking=_text(value.get("thinking")),
        done=value.get("done") is True,
        error=_raw(value.get("error")),
        logprobs=_raw(value.get("logprobs")),
        model=_text(value.get("model")),
        created_at=_text(value.get("created_at")),
        done_reason=_text(value.get("done_reason")),
        prompt_eval_count=_number(value.get("prompt_eval_count")),
        eval_count=_number(value.get("eval_count")),
    )


def _lenient_said(said: dict[str, Any]) -> Said:
    calls = said.get("tool_calls")
    functions = [entry for entry in calls if isinstance(entry, dict)] if isinstance(calls, list) else []
    return Said(
        content=_text(said.get("content")),
        thinking=_text(said.get("thinking")),
        tool_calls=[
            CalledTool(
                id=_text(entry.get("id")),
                function=CalledFunction(
                    name=_text(entry["function"].get("name")), arguments=_raw(entry["function"].get("arguments"))
                ),
            )
            for entry in functions
            if isinstance(entry.get("function"), dict)
        ],
    )


def _is_json(text: bytes) -> bool:
    try:
        load_tolerant(text)
    except MALFORMED_ERRORS:
        return False
    return True


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def _raw(value: Any) -> msgspec.Raw:
    if value is None:
        return NULL
    try:
        return msgspec.Raw(dump(value).encode())
    except MALFORMED_ERRORS:
        return NULL
