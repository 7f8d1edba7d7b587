"""Own the rarer contents of a Chat Completions answer: usage, citations, audio and custom tool calls.

Audio and custom calls come in fragments but go to the caller whole, as parts that are carried unread:
the canonical request has neither, so nothing but the caller's own options can have asked for them.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from manus.actors.codecs.answer_writer import AnswerWriter
from manus.actors.codecs.json_text import MALFORMED_ERRORS, NULL, dump, keep_raw, load_tolerant, well_formed
from manus.actors.codecs.openai_chat_types import InputDetails, OutputDetails, ServerToolUse, ToolPiece, UsageObject
from manus.actors.codecs.server_tools import ServerToolTally
from manus.messages.events import UsageReported, WarningRaised
from manus.messages.usage import Usage, VendorCounts

_NO_INPUT_DETAILS = InputDetails()
_NO_OUTPUT_DETAILS = OutputDetails()


def usage_reported(usage: UsageObject, *, standard: bool = True) -> UsageReported:
    """Bring a usage object into normal form.

    Cached tokens are a part of `prompt_tokens` and reasoning is a part of `completion_tokens`
    (openai.md 3.1). One vendor (xAI) counts reasoning beside the completion, another (Mistral) sound beside the prompt;
    their own totals say so.
    Counts that contradict each other are clamped to zero, never below (canonical.md 2.2).

    Args:
        standard: False for usage that stands outside the answer's `usage`, whose numbers are good but
            are not what the vendor's documentation calls the usage.
    """
    into = usage.prompt_tokens_details or _NO_INPUT_DETAILS
    outof = usage.completion_tokens_details or _NO_OUTPUT_DETAILS
    counts = VendorCounts(
        input=usage.prompt_tokens,
        output=usage.completion_tokens,
        cached=into.cached_tokens,
        cache_write=into.cache_write_tokens,
        reasoning=outof.reasoning_tokens,
    )
    prompt = _count(usage.prompt_tokens)
    completion = _count(usage.completion_tokens)
    reasoning = _count(outof.reasoning_tokens)
    cached = _first(
        into.cached_tokens, usage.cached_tokens, usage.prompt_cache_hit_tokens, usage.cache_read_input_tokens
    )
    if usage.total_tokens == prompt + completion and into.cached_tokens:
        cached = min(cached, prompt)  # what xAI says of its cache may be more than the prompt that its total has
    written = _first(into.cache_write_tokens, usage.cache_creation_input_tokens)
    if reasoning and usage.total_tokens == prompt + completion + reasoning:
        completion += reasoning
    audio = _count(into.audio_tokens)
    if audio and usage.total_tokens == prompt + completion + audio:
        prompt += audio
    uncached = max(0, prompt - cached - written)
    served = _served(usage.server_tool_use_details)
    complete = usage.prompt_tokens is not None and usage.completion_tokens is not None
    return UsageReported(
        usage=Usage(
            input_uncached=uncached,
            cache_read=cached,
            cache_write_short=written,
            output=completion,
            reasoning=min(reasoning, completion),
            audio_input=min(audio, uncached),
            audio_output=min(_count(outof.audio_tokens), completion),
            server_tool_calls=served.total,
            server_tools=served.kinds,
            source="reported" if complete else "missing",
        ),
        counts=counts if standard else None,
    )


def _served(use: ServerToolUse | None) -> ServerToolTally:
    """Count what the vendor ran itself; calls beyond its searches are of a kind that it does not tell."""
    tally = ServerToolTally()
    if use is not None:
        searches = _count(use.web_search_requests)
        tally.add("web_search", searches)
        tally.add(None, _count(use.tool_calls_executed) - searches)
    return tally


def cite(writer: AnswerWriter, annotation: msgspec.Raw) -> None:
    """Add one entry of `annotations`: a citation where it names a source, else a part carried unread."""
    raw = keep_raw(annotation)
    value = msgspec.json.decode(raw)
    if not isinstance(value, dict):
        return
    kind = value.get("type")
    source = value.get("url_citation")
    if isinstance(source, dict):
        writer.cite(title=_text(source.get("title")), url=_text(source.get("url")), quote=None, raw=raw)
    else:
        writer.opaque(kind if isinstance(kind, str) and kind else "annotation", raw)


class CustomCalls:
    """Gathers calls of custom tools, whose input is free text and no JSON, by their index."""

    __slots__ = ("_calls", "_writer")

    def __init__(self, writer: AnswerWriter) -> None:
        self._writer = writer
        self._calls: dict[int, dict[str, str]] = {}

    def take(self, piece: ToolPiece) -> bool:
        """Take the fragment if it belongs to a custom call; tells whether it did."""
        known = piece.index is not None and piece.index in self._calls and piece.function is None
        if piece.custom is None and piece.type != "custom" and not known:
            return False
        index = piece.index if piece.index is not None else -1 - len(self._calls)
        call = self._calls.setdefault(index, {"id": "", "name": "", "input": ""})
        call["id"] = call["id"] or piece.id or ""
        if piece.custom is not None:
            call["name"] = call["name"] or piece.custom.name or ""
            call["input"] += piece.custom.input or ""
            self._writer.spend(len(piece.custom.input or ""))
        self._writer.admit_call(len(self._calls))
        return True

    def finish(self) -> None:
        """Hand the gathered calls over."""
        for call in self._calls.values():
            body = {"id": call["id"], "type": "custom", "custom": {"name": call["name"], "input": call["input"]}}
            self._writer.opaque("custom_tool_call", msgspec.Raw(dump(body).encode()))
        self._calls.clear()


class AudioPieces:
    """Gathers spoken output: the sound, its transcript and the id by which a later turn refers to it."""

    __slots__ = ("_fields", "_sound", "_transcript", "_writer")

    def __init__(self, writer: AnswerWriter) -> None:
        self._writer = writer
        self._fields: dict[str, Any] = {}
        self._sound: list[bytes] = []
        self._transcript: list[str] = []

    def take(self, raw: msgspec.Raw) -> None:
        """Take one fragment. Each holds base64 of its own, so sound is joined as bytes."""
        try:
            piece = load_tolerant(bytes(raw))
        except MALFORMED_ERRORS:
            return
        if not isinstance(piece, dict):
            return
        self._writer.spend(len(bytes(raw)))
        data = piece.pop("data", None)
        if isinstance(data, str):
            try:
                self._sound.append(base64.b64decode(data))
            except ValueError:
                self._writer.add(WarningRaised(code="audio_undecodable", message="A piece of the sound is no base64."))
        transcript = piece.pop("transcript", None)
        if isinstance(transcript, str):
            self._transcript.append(transcript)
        self._fields.update(piece)

    def finish(self) -> None:
        """Hand the sound over as one part, if there was any."""
        if not (self._fields or self._sound or self._transcript):
            return
        body = {
            **self._fields,
            "data": base64.b64encode(b"".join(self._sound)).decode(),
            "transcript": "".join(self._transcript),
        }
        try:
            raw = msgspec.Raw(dump(body).encode())
        except MALFORMED_ERRORS:
            raw = NULL
        self._writer.opaque("audio", raw)
        self._fields.clear()
        self._sound.clear()
        self._transcript.clear()


def _count(value: int | None) -> int:
    return max(0, value or 0)


def _first(*values: int | None) -> int:
    return next((_count(value) for value in values if value is not None), 0)


def _text(value: object) -> str | None:
    return well_formed(value) if isinstance(value, str) else None
