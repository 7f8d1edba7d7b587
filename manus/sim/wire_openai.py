"""Own the simulated Chat Completions wire: requests as OpenAI reads them, answers as it writes them.

The shapes are those of the provider notes (Chat Completions, sections 1 to 4) and of recorded traffic.
What OpenAI refuses with 400 is refused here too, as far as a client's encoder can get it wrong. Errors
stand in `errors_openai.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from manus.sim.embeddings import openai_embeddings, openai_embeddings_asked
from manus.sim.errors_openai import ServedBy, invalid_request, mask_key, rejection
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
    identifier,
)
from manus.sim.words import IMAGE_TOKENS, MESSAGE_TOKENS, count_tokens, tokens_of

_ROLES = ("developer", "system", "user", "assistant", "tool", "function")
_INSTRUCTING = ("developer", "system")


class OpenAIWire(TextWire):
    """Chat Completions under `/v1`; an implementation of `Wire`."""

    name: WireName = "openai"
    base_path = "/v1"

    def read(self, request: SimRequest, models: tuple[str, ...]) -> ChatAsked | Reply:
        """Read a chat request; answer `/v1/models` and everything that is wrong."""
        path = request.path.rstrip("/")
        if path == "/v1/models" or path.startswith("/v1/models/"):
            return self._models(request, path, models)
        if path not in ("/v1/chat/completions", "/v1/embeddings"):
            return invalid_request(404, f"Invalid URL ({request.method} {request.path})")
        if request.method != "POST":
            return invalid_request(405, f"Not allowed to {request.method} on {path}.")
        try:
            asked = msgspec.json.decode(request.body)
        except msgspec.DecodeError:
            return invalid_request(400, "We could not parse the JSON body of your request.")
        if not isinstance(asked, dict):
            return invalid_request(400, "We could not parse the JSON body of your request: expected an object.")
        if path == "/v1/embeddings":
            return _read_embeddings(asked)
        return _mistake_in(asked) or _read_chat(asked)

    def key_of(self, request: SimRequest) -> str:
        """Find the bearer token."""
        scheme, _, key = header_of(request, "authorization").partition(" ")
        return key.strip() if scheme.lower() == "bearer" else ""

    def stream_head(self, spoken: Spoken) -> Headers:
        """Give the headers of an event stream."""
        return (
            ("content-type", "text/event-stream; charset=utf-8"),
            *_served_by(spoken).headers(),
            ("transfer-encoding", "chunked"),
        )

    def body_head(self, spoken: Spoken) -> Headers:
        """Give the headers of a JSON answer."""
        return (("content-type", "application/json"), *_served_by(spoken).headers())

    def pieces(self, spoken: Spoken, *, usage: bool) -> list[Piece]:
        """Write role chunk, content, tool calls, finish chunk, usage chunk and `[DONE]`."""
        send_usage = usage and spoken.include_usage
        envelope = {
            "id": _completion_id(spoken),
            "object": "chat.completion.chunk",
            "created": EPOCH_UNIX_S + spoken.number,
            "model": spoken.model,
            "service_tier": spoken.service_tier or "default",
            "system_fingerprint": _fingerprint(spoken),
        }

        def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
            body: dict[str, Any] = {**envelope, "choices": [choice]}
            if spoken.include_usage:
                body["usage"] = None
            return self.event(encode_json(body))

        pieces = [Piece("opening", chunk({"role": "assistant", "content": "", "refusal": None}))]
        hidden_tokens = spoken.reasoning_tokens
        for text, tokens in zip(spoken.chunks, spoken.chunk_tokens, strict=True):
            pieces.append(Piece("content", chunk({"content": text}), tokens + hidden_tokens))
            hidden_tokens = 0
        for delta, tokens in _call_deltas(spoken):
            pieces.append(Piece("content", chunk({"tool_calls": [delta]}), tokens + hidden_tokens))
            hidden_tokens = 0
        pieces.append(Piece("finish", chunk({}, _finish(spoken)), hidden_tokens))
        if send_usage:
            body = {**envelope, "choices": [], "usage": _usage(spoken)}
            pieces.append(Piece("usage", self.event(encode_json(body))))
        pieces.append(Piece("terminal", self.event(b"[DONE]")))
        return pieces

    def body(self, spoken: Spoken, *, finished: bool, usage: bool) -> bytes:
        """Write one `chat.completion` object, or the vectors that were asked for."""
        if spoken.embed is not None:
            return openai_embeddings(spoken, finished=finished, usage=usage)
        message: dict[str, Any] = {
            "role": "assistant",
            "content": spoken.text if spoken.chunks or not spoken.calls else None,
            "refusal": None,
            "annotations": [],
        }
        if spoken.calls:
            message["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in spoken.calls
            ]
        finish = _finish(spoken) if finished else None
        body: dict[str, Any] = {
            "id": _completion_id(spoken),
            "object": "chat.completion",
            "created": EPOCH_UNIX_S + spoken.number,
            "model": spoken.model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        }
        if usage:
            body["usage"] = _usage(spoken)
        body |= {"service_tier": spoken.service_tier or "default", "system_fingerprint": _fingerprint(spoken)}
        return encode_json(body)

    def rejection(
        self, status: int, *, number: int, model: str, code: str | None = None, retry_after_s: float | None = None,
        key: str = "",
    ) -> Reply:  # fmt: skip
        """Write an HTTP error as OpenAI or the edge before it does."""
        return rejection(status, number=number, model=model, code=code, retry_after_s=retry_after_s, key=mask_key(key))

    def error_body(self, code: str | None = None) -> bytes:
        """Write the error object that stands in place of `choices`."""
        return encode_json(
            {
                "error": {
                    "message": "The server had an error while processing your request. Sorry about that!",
                    "type": "server_error",
                    "param": None,
                    "code": None,
                }
            }
        )

    def event(self, payload: bytes) -> bytes:
        """Frame a payload as one server-sent event."""
        return b"data: " + payload + b"\n\n"

    def ping(self) -> bytes:
        """Write an SSE comment, which gateways before OpenAI send."""
        return b": keep-alive\n\n"

    def _models(self, request: SimRequest, path: str, models: tuple[str, ...]) -> Reply:
        if request.method != "GET":
            return invalid_request(405, f"Not allowed to {request.method} on {path}.")
        items = [{"id": name, "object": "model", "created": EPOCH_UNIX_S, "owned_by": "manus-sim"} for name in models]
        name = path.removeprefix("/v1/models").removeprefix("/")
        if not name:
            body = encode_json({"object": "list", "data": items})
        elif name in models:
            body = encode_json(items[models.index(name)])
        else:
            return rejection(404, number=0, model=name)
        return Reply(status=200, body=body, headers=(("content-type", "application/json"),))


def _mistake_in(asked: dict[str, Any]) -> Reply | None:
    model, messages = asked.get("model"), asked.get("messages")
    if not isinstance(model, str) or not model:
        return invalid_request(400, "you must provide a model parameter")
    if messages is None:
        return _parameter("messages", "Missing required parameter: 'messages'.", "missing_required_parameter")
    if not isinstance(messages, list) or not messages:
        text = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array."
        return _parameter("messages", text, "empty_array")
    if (asked.get("n") or 1) != 1:
        return _parameter("n", "This simulated provider gives one answer: 'n' must be 1.", "invalid_value")
    if not asked.get("stream") and asked.get("stream_options") is not None:
        return _parameter(
            "stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled.", None
        )
    if not asked.get("tools"):
        for name in ("tool_choice", "parallel_tool_calls"):
            if asked.get(name) is not None:
                return _parameter(name, f"'{name}' is only allowed when 'tools' are specified.", None)
    return _mistake_in_messages(messages)


def _mistake_in_messages(messages: list[Any]) -> Reply | None:
    waiting: list[str] = []
    for position, message in enumerate(messages):
        at = f"messages[{position}]"
        role = message.get("role") if isinstance(message, dict) else None
        if role not in _ROLES:
            return _parameter(
                f"{at}.role", f"Invalid value: {role!r}. Supported values are: {_ROLES}.", "invalid_value"
            )
        if role == "tool":
            if message.get("tool_call_id") not in waiting:
                text = (
                    "Invalid parameter: messages with role 'tool' must be a response to a preceding message "
                    "with 'tool_calls'."
                )
                return _parameter(at, text, None)
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            return _unanswered(at, waiting)
        if not isinstance(message.get("content"), str | list) and not (
            role == "assistant" and message.get("tool_calls")
        ):
            return _parameter(f"{at}.content", "Invalid value for 'content': expected a string, got null.", None)
        waiting = [call.get("id") for call in message.get("tool_calls") or ()]
    return _unanswered(f"messages[{len(messages) - 1}]", waiting) if waiting else None


def _unanswered(at: str, waiting: list[str]) -> Reply:
    text = (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        f"The following tool_call_ids did not have response messages: {', '.join(waiting)}"
    )
    return _parameter(at, text, None)


def _parameter(name: str, message: str, code: str | None) -> Reply:
    return invalid_request(400, message, param=name, code=code)


def _read_embeddings(asked: dict[str, Any]) -> ChatAsked | Reply:
    if not isinstance(asked.get("model"), str) or not asked["model"]:
        return invalid_request(400, "you must provide a model parameter")
    read = openai_embeddings_asked(asked)
    return (
        _parameter(read, f"'$.{read}' is invalid. Please check the API reference.", None)
        if isinstance(read, str)
        else read
    )


def _read_chat(asked: dict[str, Any]) -> ChatAsked:
    messages = asked["messages"]
    tools = asked.get("tools") or ()
    said_by_user = [_text_of(message.get("content")) for message in messages if message["role"] == "user"]
    instructions = [_text_of(message.get("content")) for message in messages if message["role"] in _INSTRUCTING]
    form = asked.get("response_format") or {}
    functions = [tool.get("function", {}) for tool in tools]
    options = asked.get("stream_options") or {}
    limit = asked.get("max_completion_tokens")
    return ChatAsked(
        model=asked["model"],
        stream=bool(asked.get("stream")),
        include_usage=bool(options.get("include_usage")) if asked.get("stream") else True,
        system="\n".join(instructions),
        prompt=said_by_user[-1] if said_by_user else "",
        images=sum(_images(message.get("content")) for message in messages),
        answers_tool=messages[-1]["role"] == "tool",
        begun=_text_of(messages[-1].get("content")) if messages[-1]["role"] == "assistant" else "",
        tools=tuple(function.get("name", "") for function in functions),
        tool_schemas=tuple(function.get("parameters") for function in functions),
        must_call=_must_call(asked.get("tool_choice")),
        schema=_schema(form),
        thinking=asked.get("reasoning_effort") not in (None, "none"),
        max_output_tokens=asked.get("max_tokens") if limit is None else limit,
        input_tokens=MESSAGE_TOKENS
        + sum(MESSAGE_TOKENS + _message_tokens(message) for message in messages)
        + (count_tokens(encode_json(tools).decode()) if tools else 0),
    )


def _must_call(choice: object) -> str | None:
    if isinstance(choice, dict):
        return str(choice.get("function", {}).get("name", ""))
    return "" if choice == "required" else None


def _schema(form: dict[str, Any]) -> dict[str, Any] | None:
    if form.get("type") == "json_object":
        return {"type": "object"}
    schema = (form.get("json_schema") or {}).get("schema")
    return schema if isinstance(schema, dict) else None


def _images(content: object) -> int:
    return sum(part.get("type") == "image_url" for part in content) if isinstance(content, list) else 0


def _text_of(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return "".join(part.get("text", "") for part in parts if isinstance(part, dict))


def _message_tokens(message: dict[str, Any]) -> int:
    content = message.get("content")
    calls = message.get("tool_calls")
    return (
        count_tokens(_text_of(content))
        + IMAGE_TOKENS * _images(content)
        + (count_tokens(encode_json(calls).decode()) if calls else 0)
    )


def _call_deltas(spoken: Spoken) -> Iterator[tuple[dict[str, Any], int]]:
    """Write each call as OpenAI does: id and name first with empty arguments, then the fragments."""
    for index, call in enumerate(spoken.calls):
        opening = {"name": call.name, "arguments": ""}
        yield {"index": index, "id": call.id, "type": "function", "function": opening}, count_tokens(call.name)
        for fragment in tokens_of(call.arguments):
            yield {"index": index, "function": {"arguments": fragment}}, 1


def _finish(spoken: Spoken) -> str:
    """Name the reason of an ending; a refusal in the middle of an answer is the filter's here."""
    return "content_filter" if spoken.finish == "refusal" else spoken.finish


def _usage(spoken: Spoken) -> dict[str, Any]:
    return {
        "prompt_tokens": spoken.input_tokens,
        "completion_tokens": spoken.output_tokens,
        "total_tokens": spoken.input_tokens + spoken.output_tokens,
        "prompt_tokens_details": {"cached_tokens": spoken.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": spoken.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _served_by(spoken: Spoken) -> ServedBy:
    return ServedBy(number=spoken.number, date=http_date(spoken.number), request_id=spoken.request_id)


def _completion_id(spoken: Spoken) -> str:
    return "chatcmpl-" + identifier("completion", spoken.request_id, length=29)


def _fingerprint(spoken: Spoken) -> str:
    return "fp_" + identifier("fingerprint", spoken.model, length=10)
