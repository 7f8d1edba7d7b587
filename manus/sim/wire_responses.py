"""Own the simulated Responses wire: answers as OpenAI writes them, item by item or in one piece.

The shapes are those of the provider notes (sections 6 and 7) and of recorded traffic. What stands in a request is
read in `asked_responses.py`; errors are those of Chat Completions, in `errors_openai.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from manus.sim.asked_responses import mistake_in, read_responses
from manus.sim.errors_openai import invalid_request
from manus.sim.wire import (
    EPOCH_UNIX_S,
    Call,
    ChatAsked,
    Piece,
    PieceKind,
    Reply,
    SimRequest,
    Spoken,
    WireName,
    encode_json,
    identifier,
)
from manus.sim.wire_openai import OpenAIWire
from manus.sim.words import count_tokens, tokens_of

_CUT = {"length": "max_output_tokens", "content_filter": "content_filter", "refusal": "content_filter"}
_FAILURES: dict[str | None, dict[str, str]] = {
    None: {
        "code": "server_error",
        "message": "The server had an error while processing your request. Sorry about that!",
    },
    "throttled": {"code": "rate_limit_exceeded", "message": "Rate limit reached. Please try again in 1s."},
}
"""What is said inside a 200, by the code of an `ErrorInside`."""


class ResponsesWire(OpenAIWire):
    """Responses under `/v1`, with the keys, heads, models and errors of Chat Completions."""

    name: WireName = "openai-responses"

    def read(self, request: SimRequest, models: tuple[str, ...]) -> ChatAsked | Reply:
        """Read a request; answer `/v1/models` and everything that is wrong."""
        path = request.path.rstrip("/")
        if path != "/v1/responses":
            return super().read(request, models)
        if request.method != "POST":
            return invalid_request(405, f"Not allowed to {request.method} on {path}.")
        try:
            asked = msgspec.json.decode(request.body)
        except msgspec.DecodeError:
            return invalid_request(400, "We could not parse the JSON body of your request.")
        if not isinstance(asked, dict):
            return invalid_request(400, "We could not parse the JSON body of your request: expected an object.")
        return mistake_in(asked) or read_responses(asked)

    def pieces(self, spoken: Spoken, *, usage: bool) -> list[Piece]:
        """Write the stream: the answer begun, each item begun, in fragments and whole, and the terminal event."""
        return list(_Stream(spoken).pieces(usage=usage))

    def body(self, spoken: Spoken, *, finished: bool, usage: bool) -> bytes:
        """Write one `response` object; unfinished it is still in progress."""
        response = _response(spoken, _items(spoken), usage=usage)
        return encode_json(response if finished else {**response, "status": "in_progress", "incomplete_details": None})

    def error_body(self, code: str | None = None) -> bytes:
        """Write the error that comes in place of an answer."""
        return encode_json({"type": "error", "error": {"type": "server_error", "param": None, **_FAILURES[code]}})

    def error_event(self, code: str | None = None) -> bytes:
        """Write the last event of an answer that failed."""
        failed: dict[str, Any] = {
            "object": "response",
            "status": "failed",
            "error": _FAILURES[code],
            "output": [],
            "usage": None,
        }
        return self.event(encode_json({"type": "response.failed", "sequence_number": 0, "response": failed}))

    def with_latin1(self, data: bytes) -> bytes:
        """Garble the texts of deltas and of whole items."""
        return data.replace(b'"text":"', b'"text":"\xe9').replace(b'"delta":"', b'"delta":"\xe9')


class _Stream:
    """Writes the events of one answer, numbered."""

    def __init__(self, spoken: Spoken) -> None:
        self._spoken = spoken
        self._number = 0

    def pieces(self, *, usage: bool) -> Iterator[Piece]:
        spoken = self._spoken
        begun = {**_response(spoken, [], usage=False), "status": "in_progress", "incomplete_details": None}
        yield self._piece("opening", "created", response=begun)
        yield self._piece("opening", "in_progress", response=begun)
        items = _items(spoken)
        place = 0
        if spoken.reasoning:
            yield from self._thinking(place, items[place])
            place += 1
        if spoken.chunks or not spoken.calls:
            yield from self._message(place, items[place])
            place += 1
        for call, item in zip(spoken.calls, items[place:], strict=True):
            yield from self._call(place, call, item)
            place += 1
        response = _response(spoken, items, usage=usage)
        yield self._piece("terminal", "incomplete" if spoken.finish in _CUT else "completed", response=response)

    def _thinking(self, place: int, item: dict[str, Any]) -> Iterator[Piece]:
        at = {"item_id": item["id"], "output_index": place, "summary_index": 0}
        empty = {**item, "summary": [], "encrypted_content": None}
        opening = self._event("output_item.added", output_index=place, item=empty)
        for text in self._spoken.reasoning:
            delta = self._event("reasoning_summary_text.delta", **at, delta=text)
            yield Piece("content", opening + delta, 1)
            opening = b""
        yield self._piece("finish", "output_item.done", output_index=place, item=item)

    def _message(self, place: int, item: dict[str, Any]) -> Iterator[Piece]:
        at = {"item_id": item["id"], "output_index": place, "content_index": 0}
        part = item["content"][0]
        empty = {**item, "status": "in_progress", "content": []}
        opening = self._event("output_item.added", output_index=place, item=empty)
        opening += self._event("content_part.added", **at, part={**part, "text": ""})
        for text, tokens in zip(self._spoken.chunks, self._spoken.chunk_tokens, strict=True):
            yield Piece("content", opening + self._event("output_text.delta", **at, delta=text, logprobs=[]), tokens)
            opening = b""
        closing = self._event("output_text.done", **at, text=part["text"], logprobs=[])
        closing += self._event("content_part.done", **at, part=part)
        closing += self._event("output_item.done", output_index=place, item=item)
        yield Piece("finish", opening + closing)

    def _call(self, place: int, call: Call, item: dict[str, Any]) -> Iterator[Piece]:
        at = {"item_id": item["id"], "output_index": place}
        empty = {**item, "status": "in_progress", "arguments": ""}
        opening = self._event("output_item.added", output_index=place, item=empty)
        yield Piece("content", opening, count_tokens(call.name))
        for fragment in tokens_of(call.arguments):
            yield Piece("content", self._event("function_call_arguments.delta", **at, delta=fragment), 1)
        closing = self._event("function_call_arguments.done", **at, name=call.name, arguments=call.arguments)
        yield Piece("finish", closing + self._event("output_item.done", output_index=place, item=item))

    def _piece(self, kind: PieceKind, of_type: str, **fields: Any) -> Piece:
        return Piece(kind, self._event(of_type, **fields))

    def _event(self, of_type: str, /, **fields: Any) -> bytes:
        kind = f"response.{of_type}"
        payload = encode_json({"type": kind, "sequence_number": self._number, **fields})
        self._number += 1
        return b"event: " + kind.encode() + b"\ndata: " + payload + b"\n\n"


def _items(spoken: Spoken) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if spoken.reasoning:
        text = "".join(spoken.reasoning)
        sealed = "gAAAA" + identifier("sealed", spoken.request_id, length=40)
        summary = [{"type": "summary_text", "text": text}]
        items.append({"id": _id("rs", spoken, 0), "type": "reasoning", "summary": summary, "encrypted_content": sealed})
    if spoken.chunks or not spoken.calls:
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": spoken.text}
        message = {"id": _id("msg", spoken, 0), "type": "message", "status": "completed", "content": [part]}
        items.append({**message, "role": "assistant"})
    for place, call in enumerate(spoken.calls):
        named = {"call_id": call.id, "name": call.name, "arguments": call.arguments}
        items.append({"id": _id("fc", spoken, place), "type": "function_call", "status": "completed", **named})
    return items


def _response(spoken: Spoken, output: list[dict[str, Any]], *, usage: bool) -> dict[str, Any]:
    cut = _CUT.get(spoken.finish)
    return {
        "id": _id("resp", spoken, 0),
        "object": "response",
        "created_at": EPOCH_UNIX_S + spoken.number,
        "status": "completed" if cut is None else "incomplete",
        "error": None,
        "incomplete_details": None if cut is None else {"reason": cut},
        "model": spoken.model,
        "output": output,
        "parallel_tool_calls": True,
        "service_tier": spoken.service_tier or "default",
        "store": False,
        "usage": _usage(spoken) if usage else None,
    }


def _usage(spoken: Spoken) -> dict[str, Any]:
    return {
        "input_tokens": spoken.input_tokens,
        "input_tokens_details": {
            "cached_tokens": spoken.cached_tokens,
            "cache_write_tokens": spoken.cache_write_tokens,
        },
        "output_tokens": spoken.output_tokens,
        "output_tokens_details": {"reasoning_tokens": spoken.reasoning_tokens},
        "total_tokens": spoken.input_tokens + spoken.output_tokens,
    }


def _id(prefix: str, spoken: Spoken, place: int) -> str:
    return f"{prefix}_{identifier(prefix, spoken.request_id, place, length=40)}"
