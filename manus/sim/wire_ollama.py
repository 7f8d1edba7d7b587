"""Own the simulated Ollama wire: native `/api/chat` in NDJSON, and the probes beside it.

The shapes are those of the provider notes (Ollama, sections 1 to 5) and of recorded traffic: counters that
are zero are left out, tool calls arrive whole with their arguments as an object, errors are a plain
string, and an error inside a stream is a line of its own after which the stream ends.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from manus.sim.embeddings import asked_to_embed, vectors_of
from manus.sim.wire import (
    EPOCH_UNIX_S,
    ChatAsked,
    Headers,
    Piece,
    Reply,
    SimRequest,
    Spoken,
    TextWire,
    WireName,
    encode_json,
    header_of,
    http_date,
)
from manus.sim.words import IMAGE_TOKENS, MESSAGE_TOKENS, count_tokens

_JSON: Headers = (("content-type", "application/json; charset=utf-8"),)
_NANOSECONDS_PER_TOKEN = 20_000_000
_EPOCH_DAY = "2026-09-01"


class OllamaWire(TextWire):
    """The native API under `/api`; an implementation of `Wire`."""

    name: WireName = "ollama"
    base_path = ""

    def read(self, request: SimRequest, models: tuple[str, ...]) -> ChatAsked | Reply:
        """Read a chat request; answer probes, tags and everything that is wrong."""
        path = request.path.rstrip("/")
        probe = _probe(path, models) if request.method in ("GET", "HEAD") else None
        if probe is not None:
            return probe
        if path not in ("/api/chat", "/api/embed"):
            return Reply(status=404, body=b"404 page not found", headers=(("content-type", "text/plain"),))
        if request.method != "POST":
            return Reply(status=405, body=b"405 method not allowed", headers=(("content-type", "text/plain"),))
        if not request.body:
            return _error(400, "missing request body")
        try:
            asked = msgspec.json.decode(request.body)
        except msgspec.DecodeError as error:
            return _error(400, f"invalid character in JSON: {error}")
        if not isinstance(asked, dict):
            return _error(400, "json: cannot unmarshal value into Go value of type api.ChatRequest")
        if path == "/api/embed":
            return _read_embed(asked)
        return _mistake_in(asked) or _read_chat(asked)

    def key_of(self, request: SimRequest) -> str:
        """Find the bearer token that the cloud service wants; a local server ignores it."""
        scheme, _, key = header_of(request, "authorization").partition(" ")
        return key.strip() if scheme.lower() == "bearer" else ""

    def stream_head(self, spoken: Spoken) -> Headers:
        """Give the headers of an NDJSON stream."""
        return (
            ("content-type", "application/x-ndjson"),
            ("date", http_date(spoken.number)),
            ("transfer-encoding", "chunked"),
        )

    def body_head(self, spoken: Spoken) -> Headers:
        """Give the headers of a JSON answer."""
        return (*_JSON, ("date", http_date(spoken.number)))

    def pieces(self, spoken: Spoken, *, usage: bool) -> list[Piece]:
        """Write thinking, content and tool calls line by line, then the line that says done."""

        def line(message: dict[str, Any]) -> bytes:
            return self.event(encode_json({**_envelope(spoken), "message": message, "done": False}))

        pieces = [
            Piece("content", line({"role": "assistant", "content": "", "thinking": thought}), count_tokens(thought))
            for thought in spoken.reasoning
        ]
        pieces += [
            Piece("content", line({"role": "assistant", "content": text}), tokens)
            for text, tokens in zip(spoken.chunks, spoken.chunk_tokens, strict=True)
        ]
        for index, tokens in enumerate(spoken.call_tokens):
            message = {"role": "assistant", "content": "", "tool_calls": [_call(spoken, index)]}
            pieces.append(Piece("content", line(message), tokens))
        last = {**_envelope(spoken), "message": {"role": "assistant", "content": ""}, **_ending(spoken, usage=usage)}
        pieces.append(Piece("terminal", self.event(encode_json(last))))
        return pieces

    def body(self, spoken: Spoken, *, finished: bool, usage: bool) -> bytes:
        """Write the answer as one object, with `done` false where it did not finish; or the vectors asked for."""
        if spoken.embed is not None:
            return _embeddings(spoken, finished=finished, usage=usage)
        message: dict[str, Any] = {"role": "assistant", "content": spoken.text}
        if spoken.reasoning:
            message["thinking"] = "".join(spoken.reasoning)
        if spoken.calls:
            message["tool_calls"] = [_call(spoken, index) for index in range(len(spoken.calls))]
        ending = _ending(spoken, usage=usage) if finished else {"done": False}
        return encode_json({**_envelope(spoken), "message": message, **ending})

    def rejection(
        self, status: int, *, number: int, model: str, code: str | None = None, retry_after_s: float | None = None,
        key: str = "",
    ) -> Reply:  # fmt: skip
        """Write an HTTP error as the server or the cloud before it does; `key` is never shown."""
        reply = _rejection(status, model, code)
        retry: Headers = () if retry_after_s is None else (("retry-after", f"{retry_after_s:g}"),)
        return msgspec.structs.replace(reply, headers=(*reply.headers, ("date", http_date(number)), *retry))

    def error_body(self, code: str | None = None) -> bytes:
        """Write the error line of a runner that crashed."""
        return encode_json({"error": "an error was encountered while running the model: unexpected EOF"})

    def event(self, payload: bytes) -> bytes:
        """Frame a payload as one line."""
        return payload + b"\n"

    def ping(self) -> bytes:
        """Write an empty line: Ollama has no keep-alive of its own, proxies before it do."""
        return b"\n"


def _read_embed(asked: dict[str, Any]) -> ChatAsked | Reply:
    given, model = asked.get("input"), asked.get("model")
    inputs = [given] if isinstance(given, str) else given
    if not isinstance(model, str) or not model:
        return _error(400, "model is required")
    if not isinstance(inputs, list) or not all(isinstance(text, str) for text in inputs):
        return _error(400, "invalid input type")
    return asked_to_embed(model, inputs, dimensions=asked.get("dimensions"))


def _embeddings(spoken: Spoken, *, finished: bool, usage: bool) -> bytes:
    body: dict[str, Any] = {"model": spoken.model, "embeddings": vectors_of(spoken, finished=finished)}
    body["total_duration"] = _NANOSECONDS_PER_TOKEN * spoken.input_tokens
    if usage and spoken.input_tokens:
        body["prompt_eval_count"] = spoken.input_tokens
    return encode_json(body)


def _probe(path: str, models: tuple[str, ...]) -> Reply | None:
    match path:
        case "":
            return Reply(status=200, body=b"Ollama is running", headers=(("content-type", "text/plain"),))
        case "/api/version":
            return Reply(status=200, body=encode_json({"version": "0.21.0"}), headers=_JSON)
        case "/api/tags":
            return Reply(status=200, body=encode_json({"models": [_tag(name) for name in models]}), headers=_JSON)
        case "/api/ps":
            return Reply(status=200, body=encode_json({"models": []}), headers=_JSON)
        case _:
            return None


def _tag(name: str) -> dict[str, Any]:
    details = {
        "parent_model": "",
        "format": "gguf",
        "family": "sim",
        "families": ["sim"],
        "parameter_size": "1B",
        "quantization_level": "Q4_K_M",
    }
    return {
        "name": name,
        "model": name,
        "modified_at": f"{_EPOCH_DAY}T00:00:00Z",
        "size": 1_000_000_000,
        "digest": "0" * 64,
        "details": details,
    }


def _mistake_in(asked: dict[str, Any]) -> Reply | None:
    if not isinstance(asked.get("model"), str) or not asked["model"]:
        return _error(400, "model is required")
    messages = asked.get("messages", [])
    if not isinstance(messages, list):
        return _error(400, _unmarshal("string", "ChatRequest.messages", "[]api.Message"))
    for message in messages:
        if not isinstance(message, dict):
            return _error(400, _unmarshal("string", "ChatRequest.messages", "api.Message"))
        if not isinstance(message.get("content", ""), str):
            return _error(400, _unmarshal("array", "ChatRequest.messages.content", "string"))
        for call in message.get("tool_calls") or ():
            if not isinstance(call.get("function", {}).get("arguments", {}), dict):
                return _error(400, _unmarshal("string", "ChatRequest.messages.tool_calls.function.arguments", "map"))
    return None


def _unmarshal(given: str, field: str, wanted: str) -> str:
    return f"json: cannot unmarshal {given} into Go struct field {field} of type {wanted}"


def _read_chat(asked: dict[str, Any]) -> ChatAsked:
    messages: list[dict[str, Any]] = asked.get("messages", [])
    tools = asked.get("tools") or ()
    said_by_user = [message.get("content", "") for message in messages if message.get("role", "").lower() == "user"]
    limit = (asked.get("options") or {}).get("num_predict", -1)
    instructions = [message.get("content", "") for message in messages if message.get("role", "").lower() == "system"]
    functions = [tool.get("function", {}) for tool in tools]
    form = asked.get("format")
    return ChatAsked(
        model=asked["model"],
        stream=asked.get("stream", True) is not False,
        system="\n".join(instructions),
        prompt=said_by_user[-1] if said_by_user else "",
        images=sum(len(message.get("images") or ()) for message in messages),
        answers_tool=bool(messages) and messages[-1].get("role") == "tool",
        begun=messages[-1].get("content", "") if messages and messages[-1].get("role") == "assistant" else "",
        tools=tuple(function.get("name", "") for function in functions),
        tool_schemas=tuple(function.get("parameters") for function in functions),
        schema={"type": "object"} if form == "json" else form if isinstance(form, dict) else None,
        thinking=asked.get("think") not in (None, False),
        max_output_tokens=limit if isinstance(limit, int) and limit >= 0 else None,
        input_tokens=MESSAGE_TOKENS
        + sum(MESSAGE_TOKENS + _message_tokens(message) for message in messages)
        + (count_tokens(encode_json(tools).decode()) if tools else 0),
    )


def _message_tokens(message: dict[str, Any]) -> int:
    calls = message.get("tool_calls")
    return (
        count_tokens(message.get("content", ""))
        + IMAGE_TOKENS * len(message.get("images") or ())
        + (count_tokens(encode_json(calls).decode()) if calls else 0)
    )


def _envelope(spoken: Spoken) -> dict[str, Any]:
    return {"model": spoken.model, "created_at": _created_at(spoken.number)}


def _created_at(number: int) -> str:
    moment = datetime.fromtimestamp(EPOCH_UNIX_S + number, tz=UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _call(spoken: Spoken, index: int) -> dict[str, Any]:
    call = spoken.calls[index]
    return {
        "id": call.id,
        "function": {"index": index, "name": call.name, "arguments": msgspec.Raw(call.arguments.encode())},
    }


def _ending(spoken: Spoken, *, usage: bool) -> dict[str, Any]:
    ending: dict[str, Any] = {"done": True, "done_reason": "stop" if spoken.finish == "tool_calls" else spoken.finish}
    if not usage:
        return ending
    counters = {
        "total_duration": (spoken.input_tokens + spoken.output_tokens) * _NANOSECONDS_PER_TOKEN,
        "load_duration": 1_000_000,
        "prompt_eval_count": spoken.input_tokens,
        "prompt_eval_duration": spoken.input_tokens * _NANOSECONDS_PER_TOKEN,
        "eval_count": spoken.output_tokens,
        "eval_duration": spoken.output_tokens * _NANOSECONDS_PER_TOKEN,
    }
    return ending | {name: value for name, value in counters.items() if value}


_TEXTS: dict[int, str] = {
    400: "invalid options: temperature",
    403: "this model is not available on your plan",
    408: "timed out waiting for llama runner to start",
    409: "conflict",
    413: "http: request body too large",
    422: "unprocessable",
    500: "llama runner process has terminated: exit status 2",
    502: "upstream unreachable",
    503: "server busy, please try again.  maximum pending requests exceeded",
    504: "upstream timed out",
    529: "overloaded",
}


def _rejection(status: int, model: str, code: str | None) -> Reply:
    match status, code:
        case 400, "context_length_exceeded":
            return _error(400, "the prompt is longer than the context length currently available to the model")
        case 400, "prefill":
            return _error(400, "assistant response prefill is incompatible with enable_thinking")
        case 401, _:
            body = {"error": "unauthorized", "signin_url": "https://ollama.com/connect"}
            return Reply(status=401, body=encode_json(body), headers=_JSON)
        case 404, _:
            return _error(404, f"model '{model}' not found")
        case 429, "insufficient_quota":
            text = (
                "you (sim) have reached your hourly usage limit, upgrade for higher limits: https://ollama.com/upgrade"
            )
            return _error(429, text)
        case 429, _:
            return _error(429, "too many concurrent requests")
        case 502, _:
            page = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"
            return Reply(status=502, body=page, headers=(("content-type", "text/html"),))
        case _:
            return _error(status, _TEXTS.get(status, f"the request failed ({status})"))


def _error(status: int, text: str) -> Reply:
    return Reply(status=status, body=encode_json({"error": text}), headers=_JSON)
