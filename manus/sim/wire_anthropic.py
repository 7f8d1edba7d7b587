"""Own the simulated Messages wire: answers as Anthropic writes them, event by event or in one piece.

The shapes are those of the provider notes (Anthropic, sections 4 and 5) and of recorded traffic. What stands in a
request, and what Anthropic refuses of it, is read in `asked_anthropic.py`; errors stand in `errors_anthropic.py`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from manus.sim.asked_anthropic import mistake_in, prompt_tokens, read_chat
from manus.sim.errors_anthropic import error_json, invalid_request, rejection, served_by
from manus.sim.wire import (
    Call,
    ChatAsked,
    Finish,
    Headers,
    Piece,
    Reply,
    SimRequest,
    Spoken,
    TextWire,
    WireName,
    encode_json,
    header_of,
    identifier,
)
from manus.sim.words import count_tokens, tokens_of

_JSON: Headers = (("content-type", "application/json"),)

_STOP_REASONS: dict[Finish, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
    "pause": "pause_turn",
}

_INSIDE: dict[str | None, tuple[str, str]] = {
    None: ("api_error", "Internal server error"),
    "overloaded": ("overloaded_error", "Overloaded"),
    "throttled": ("rate_limit_error", "This request would exceed your organization's rate limit."),
}
"""What is said inside a 200, by the code of an `ErrorInside`."""


class AnthropicWire(TextWire):
    """Messages under `/v1`; an implementation of `Wire`."""

    name: WireName = "anthropic"
    base_path = ""

    def read(self, request: SimRequest, models: tuple[str, ...]) -> ChatAsked | Reply:
        """Read a chat request; answer `/v1/models`, token counts and everything that is wrong."""
        path = request.path.rstrip("/")
        if path == "/v1/models" or path.startswith("/v1/models/"):
            return _models(request, path, models)
        if path not in ("/v1/messages", "/v1/messages/count_tokens"):
            return invalid_request(404, "Not Found", type_="not_found_error")
        if request.method != "POST":
            return invalid_request(405, "Method Not Allowed")
        if not header_of(request, "anthropic-version"):
            return invalid_request(400, "anthropic-version: header is required")
        try:
            asked = msgspec.json.decode(request.body)
        except msgspec.DecodeError as error:
            return invalid_request(400, f"The request body is not valid JSON: {error}")
        if not isinstance(asked, dict):
            return invalid_request(400, "The request body is not valid JSON: an object was expected")
        counts = path.endswith("/count_tokens")
        mistake = mistake_in({"max_tokens": 1, **asked} if counts else asked)
        if mistake is not None:
            return invalid_request(400, mistake)
        if counts:
            return Reply(status=200, body=encode_json({"input_tokens": prompt_tokens(asked)}), headers=_JSON)
        return read_chat(asked)

    def key_of(self, request: SimRequest) -> str:
        """Find the API key, or the bearer token of an OAuth login."""
        scheme, _, token = header_of(request, "authorization").partition(" ")
        return header_of(request, "x-api-key") or (token.strip() if scheme.lower() == "bearer" else "")

    def stream_head(self, spoken: Spoken) -> Headers:
        """Give the headers of an event stream."""
        return (
            ("content-type", "text/event-stream; charset=utf-8"),
            ("cache-control", "no-cache"),
            *served_by(spoken.number, spoken.request_id),
            ("transfer-encoding", "chunked"),
        )

    def body_head(self, spoken: Spoken) -> Headers:
        """Give the headers of a JSON answer."""
        return (*_JSON, *served_by(spoken.number, spoken.request_id))

    def pieces(self, spoken: Spoken, *, usage: bool) -> list[Piece]:
        """Write the start, the blocks one after the other, the stop reason with the usage, and the stop.

        The start of a block goes with its first delta and its stop with the last one, so that each piece of content
        is a whole number of tokens.
        """
        start = {**_envelope(spoken), "content": [], "stop_reason": None, "stop_sequence": None}
        if usage:
            start["usage"] = {**_usage(spoken), "output_tokens": 1}
        pieces = [Piece("opening", self._typed({"type": "message_start", "message": start}))]
        for index, (block, deltas) in enumerate(_blocks(spoken)):
            opening = self._typed({"type": "content_block_start", "index": index, "content_block": block})
            if not index:
                opening += self.ping()
            for position, (delta, tokens) in enumerate(deltas):
                data = self._typed({"type": "content_block_delta", "index": index, "delta": delta})
                if position == 0:
                    data = opening + data
                if position == len(deltas) - 1:
                    if block["type"] == "thinking":
                        sealed = {"type": "signature_delta", "signature": _signature(spoken)}
                        data += self._typed({"type": "content_block_delta", "index": index, "delta": sealed})
                    data += self._typed({"type": "content_block_stop", "index": index})
                pieces.append(Piece("content", data, tokens))
        ending: dict[str, Any] = {"type": "message_delta", "delta": _ending(spoken)}
        if usage:
            ending["usage"] = {key: value for key, value in _usage(spoken).items() if key.endswith("_tokens")}
        pieces.append(Piece("finish", self._typed(ending)))
        pieces.append(Piece("terminal", self._typed({"type": "message_stop"})))
        return pieces

    def body(self, spoken: Spoken, *, finished: bool, usage: bool) -> bytes:
        """Write one `message` object."""
        content: list[dict[str, Any]] = []
        if spoken.reasoning:
            thought = "".join(spoken.reasoning)
            content.append({"type": "thinking", "thinking": thought, "signature": _signature(spoken)})
        if spoken.text:
            content.append({"type": "text", "text": spoken.text})
        content.extend({**_tool_use(call), "input": msgspec.Raw(call.arguments.encode())} for call in spoken.calls)
        ending = _ending(spoken) if finished else {"stop_reason": None, "stop_sequence": None}
        message = {**_envelope(spoken), "content": content, **ending}
        if usage:
            message["usage"] = _usage(spoken)
        return encode_json(message)

    def rejection(
        self, status: int, *, number: int, model: str, code: str | None = None, retry_after_s: float | None = None,
        key: str = "",
    ) -> Reply:  # fmt: skip
        """Write an HTTP error as Anthropic or the edge before it does; `key` is never shown."""
        return rejection(status, number=number, model=model, code=code, retry_after_s=retry_after_s)

    def error_body(self, code: str | None = None) -> bytes:
        """Write the error object that comes as an event, or in place of a message."""
        return error_json(*_INSIDE[code])

    def event(self, payload: bytes) -> bytes:
        """Frame a payload as one event, named by the type in it; what has none is framed as a delta."""
        try:
            value = msgspec.json.decode(payload)
        except msgspec.DecodeError:
            value = None
        name = value.get("type") if isinstance(value, dict) else None
        return _framed(str(name or "content_block_delta"), payload)

    def ping(self) -> bytes:
        """Write the event that keeps a stream alive."""
        return _framed("ping", b'{"type":"ping"}')

    def _typed(self, event: dict[str, Any]) -> bytes:
        return _framed(event["type"], encode_json(event))


def _framed(name: str, payload: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + payload + b"\n\n"


def _blocks(spoken: Spoken) -> list[tuple[dict[str, Any], list[tuple[dict[str, Any], int]]]]:
    """Give each block as it starts, and its deltas with the tokens generated for them."""
    blocks: list[tuple[dict[str, Any], list[tuple[dict[str, Any], int]]]] = []
    if spoken.reasoning:
        thoughts = [
            ({"type": "thinking_delta", "thinking": thought}, count_tokens(thought)) for thought in spoken.reasoning
        ]
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, thoughts))
    if spoken.chunks:
        said = [
            ({"type": "text_delta", "text": text}, tokens)
            for text, tokens in zip(spoken.chunks, spoken.chunk_tokens, strict=True)
        ]
        blocks.append(({"type": "text", "text": ""}, said))
    for call in spoken.calls:
        fragments = [({"type": "input_json_delta", "partial_json": ""}, count_tokens(call.name))]
        fragments += [
            ({"type": "input_json_delta", "partial_json": fragment}, 1) for fragment in tokens_of(call.arguments)
        ]
        blocks.append(({**_tool_use(call), "input": {}}, fragments))
    return blocks


def _tool_use(call: Call) -> dict[str, Any]:
    return {"type": "tool_use", "id": "toolu_01" + call.id.removeprefix("call_"), "name": call.name}


def _envelope(spoken: Spoken) -> dict[str, Any]:
    message_id = "msg_01" + identifier("message", spoken.request_id, length=22)
    return {"model": spoken.model, "id": message_id, "type": "message", "role": "assistant"}


def _ending(spoken: Spoken) -> dict[str, Any]:
    return {"stop_reason": _STOP_REASONS[spoken.finish], "stop_sequence": None}


def _usage(spoken: Spoken) -> dict[str, Any]:
    return {
        "input_tokens": spoken.input_tokens - spoken.cached_tokens - spoken.cache_write_tokens,
        "cache_creation_input_tokens": spoken.cache_write_tokens,
        "cache_read_input_tokens": spoken.cached_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": spoken.cache_write_tokens,
            "ephemeral_1h_input_tokens": 0,
        },
        "output_tokens": spoken.output_tokens,
        "service_tier": spoken.service_tier or "standard",
    }


def _signature(spoken: Spoken) -> str:
    return "Eq" + identifier("signature", spoken.request_id, length=64)


def _models(request: SimRequest, path: str, models: tuple[str, ...]) -> Reply:
    if request.method != "GET":
        return invalid_request(405, "Method Not Allowed")
    items = [
        {"type": "model", "id": name, "display_name": name, "created_at": "2026-09-01T00:00:00Z"} for name in models
    ]
    name = path.removeprefix("/v1/models").removeprefix("/")
    if not name:
        first, last = (models[0], models[-1]) if models else (None, None)
        body = encode_json({"data": items, "has_more": False, "first_id": first, "last_id": last})
    elif name in models:
        body = encode_json(items[models.index(name)])
    else:
        return invalid_request(404, f"model: {name}", type_="not_found_error")
    return Reply(status=200, body=body, headers=_JSON)
