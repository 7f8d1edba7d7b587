"""Own the reading of Chat Completions events that do not fit the typed shapes.

Compatible servers send content as a list of parts or as a bare object, numbers as strings or floats,
and text with lone surrogates. Such an event is parsed again here, field by field: a field of the wrong
type counts as absent, the others hold. The result is the same shape as on the fast path.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from manus.actors.codecs.json_text import MALFORMED_ERRORS, NULL, dump
from manus.actors.codecs.openai_chat_types import (
    Choice,
    CustomPiece,
    Delta,
    FunctionPiece,
    GroqExtension,
    InputDetails,
    Opening,
    OutputDetails,
    ReasoningDetail,
    ServerToolUse,
    ToolPiece,
    UsageObject,
)

# Any, throughout this file: values are JSON of a foreign hand, and each is checked before it is used.

_Counts = TypeVar("_Counts", InputDetails, OutputDetails, ServerToolUse)


def lenient_opening(value: Any) -> Opening | None:
    """Read one event; None where it is no JSON object, or holds nothing this wire knows."""
    if not isinstance(value, dict) or not ({"choices", "usage", "error", "object", "id"} & value.keys()):
        return None
    groq = value.get("x_groq")
    return Opening(
        choices=[_choice(entry) for entry in _list(value.get("choices")) if isinstance(entry, dict)],
        usage=_usage(value.get("usage")),
        error=_raw(value.get("error")),
        service_tier=_text(value.get("service_tier")),
        x_groq=GroqExtension(usage=_usage(groq.get("usage"))) if isinstance(groq, dict) else None,
        prompt_filter_results=_raw(value.get("prompt_filter_results")),
        moderation=_raw(value.get("moderation")),
        id=_text(value.get("id")),
        model=_text(value.get("model")),
        created=_number(value.get("created")),
    )


def _choice(entry: dict[str, Any]) -> Choice:
    return Choice(
        index=_number(entry.get("index")),
        delta=_delta(entry.get("delta")),
        message=_delta(entry.get("message")),
        finish_reason=_text(entry.get("finish_reason")),
        logprobs=_raw(entry.get("logprobs")),
        content_filter_results=_raw(entry.get("content_filter_results")),
        error=_raw(entry.get("error")),
    )


def _delta(value: Any) -> Delta | None:
    if not isinstance(value, dict):
        return None
    content, thinking = _content(value.get("content"))
    return Delta(
        content=content,
        tool_calls=[_tool(entry) for entry in _list(value.get("tool_calls")) if isinstance(entry, dict)],
        refusal=_text(value.get("refusal")),
        reasoning_content=_text(value.get("reasoning_content")) or thinking,
        reasoning=_text(value.get("reasoning")),
        reasoning_details=[
            ReasoningDetail(text=_text(entry.get("text")), summary=_text(entry.get("summary")))
            for entry in _list(value.get("reasoning_details"))
            if isinstance(entry, dict)
        ],
        function_call=_function(value.get("function_call")),
        annotations=[_raw(entry) for entry in _list(value.get("annotations"))],
        audio=_raw(value.get("audio")),
    )


def _content(value: Any) -> tuple[str | None, str | None]:
    """Read content that is text, a list of typed parts (Mistral), or the answer's own JSON (Cloudflare)."""
    if value is None or isinstance(value, str):
        return value, None
    if isinstance(value, list):
        texts: list[str] = []
        thoughts: list[str] = []
        for part in value:
            if isinstance(part, str):
                texts.append(part)
            elif isinstance(part, dict):
                texts.append(_text(part.get("text")) or "")
                thoughts.append(_thought(part.get("thinking")))
        return "".join(texts), "".join(thoughts) or None
    return _dumped(value), None


def _thought(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "".join(_text(part.get("text")) or "" for part in _list(value) if isinstance(part, dict))


def _tool(entry: dict[str, Any]) -> ToolPiece:
    custom = entry.get("custom")
    return ToolPiece(
        index=_number(entry.get("index")),
        id=_text(entry.get("id")),
        type=_text(entry.get("type")),
        function=_function(entry.get("function")),
        custom=CustomPiece(name=_text(custom.get("name")), input=_text(custom.get("input")))
        if isinstance(custom, dict)
        else None,
    )


def _function(value: Any) -> FunctionPiece | None:
    if not isinstance(value, dict):
        return None
    arguments = value.get("arguments")
    if isinstance(arguments, dict):  # some servers send the object itself, as Ollama's own wire does
        arguments = _dumped(arguments)
    return FunctionPiece(name=_text(value.get("name")), arguments=_text(arguments))


def _usage(value: Any) -> UsageObject | None:
    if not isinstance(value, dict):
        return None
    return UsageObject(
        prompt_tokens=_number(value.get("prompt_tokens")),
        completion_tokens=_number(value.get("completion_tokens")),
        total_tokens=_number(value.get("total_tokens")),
        prompt_tokens_details=_details(InputDetails, value.get("prompt_tokens_details")),
        completion_tokens_details=_details(OutputDetails, value.get("completion_tokens_details")),
        cached_tokens=_number(value.get("cached_tokens")),
        prompt_cache_hit_tokens=_number(value.get("prompt_cache_hit_tokens")),
        cache_read_input_tokens=_number(value.get("cache_read_input_tokens")),
        cache_creation_input_tokens=_number(value.get("cache_creation_input_tokens")),
        server_tool_use_details=_details(ServerToolUse, value.get("server_tool_use_details")),
    )


def _details(shape: type[_Counts], value: Any) -> _Counts | None:
    if not isinstance(value, dict):
        return None
    return shape(**{name: _number(value.get(name)) for name in shape.__struct_fields__})


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> int | None:
    """Read a whole number: also one that is spelt `12.0` or `"12"`."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, str) and len(value) < 19 and value.isascii() and value.isdigit():
        return int(value)
    return None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _raw(value: Any) -> msgspec.Raw:
    text = None if value is None else _dumped(value)
    return NULL if text is None else msgspec.Raw(text.encode())


def _dumped(value: Any) -> str | None:
    try:
        return dump(value)
    except MALFORMED_ERRORS:
        return None
