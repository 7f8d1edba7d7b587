"""Own what the simulated Responses API reads in a request, and what it refuses as OpenAI does.

Source: provider notes, sections 5 and 5.1, and recorded errors.
"""

from __future__ import annotations

from typing import Any

from manus.sim.errors_openai import invalid_request
from manus.sim.wire import ChatAsked, Reply, encode_json
from manus.sim.words import IMAGE_TOKENS, MESSAGE_TOKENS, count_tokens

# Any, throughout this file: values are JSON of a foreign hand, and each is checked before it is used.

_OUTPUT_TOKENS_MIN = 16

_KNOWN = frozenset(
    {
        "background", "context_management", "conversation", "include", "input", "instructions", "max_output_tokens",
        "max_tool_calls", "metadata", "model", "parallel_tool_calls", "previous_response_id", "prompt",
        "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning", "safety_identifier",
        "service_tier", "store", "stream", "stream_options", "temperature", "text", "tool_choice", "tools",
        "top_logprobs", "top_p", "truncation", "user",
    }
)  # fmt: skip
"""What of Chat Completions is not here (`stop`, `seed`, penalties, `messages`) is an unknown parameter."""

_ROLES = ("user", "system", "developer", "assistant")
_ASSISTANT_PARTS = ("output_text", "refusal")
_INPUT_PARTS = ("input_text", "input_image", "input_file", "input_audio")


def mistake_in(asked: dict[str, Any]) -> Reply | None:
    """Give the refusal of a request, or None for one that is good."""
    if not isinstance(asked.get("model"), str) or not asked["model"]:
        return _parameter("model", "Missing required parameter: 'model'.", "missing_required_parameter")
    for name in asked:
        if name not in _KNOWN:
            return _parameter(name, f"Unknown parameter: '{name}'.", "unknown_parameter")
    given = asked.get("input")
    if not given or not isinstance(given, str | list):
        return _parameter("input", "Missing required parameter: 'input'.", "missing_required_parameter")
    room = asked.get("max_output_tokens")
    if room is not None and room < _OUTPUT_TOKENS_MIN:
        text = f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got {room}."
        return _parameter("max_output_tokens", text, "integer_below_min_value")
    if "include_usage" in (asked.get("stream_options") or {}):
        name = "stream_options.include_usage"
        return _parameter(name, f"Unknown parameter: '{name}'.", "unknown_parameter")
    if asked.get("tool_choice") is not None and not asked.get("tools"):
        text = "Tool choice is only allowed when 'tools' are specified."
        return _parameter("tool_choice", text, None)
    return None if isinstance(given, str) else _mistake_in_items(given)


def read_responses(asked: dict[str, Any]) -> ChatAsked:
    """Read a good request."""
    given = asked["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    said_by_user = [_text_of(item.get("content")) for item in items if item.get("role") == "user"]
    tools = asked.get("tools") or ()
    functions = [tool for tool in tools if tool.get("type") == "function"]
    instructions = asked.get("instructions") or ""
    system = [_text_of(item.get("content")) for item in items if item.get("role") in ("system", "developer")]
    effort = (asked.get("reasoning") or {}).get("effort")
    return ChatAsked(
        model=asked["model"],
        stream=bool(asked.get("stream")),
        system="\n".join(filter(None, (instructions, *system))),
        images=sum(len(_pictures_of(item)) for item in items),
        tool_schemas=tuple(tool.get("parameters") for tool in functions),
        must_call=_must_call(asked.get("tool_choice")),
        schema=((asked.get("text") or {}).get("format") or {}).get("schema"),
        thinking=effort not in (None, "none"),
        prompt=said_by_user[-1] if said_by_user else "",
        answers_tool=items[-1].get("type") == "function_call_output",
        begun=_text_of(items[-1].get("content")) if items[-1].get("role") == "assistant" else "",
        tools=tuple(tool.get("name", "") for tool in functions),
        max_output_tokens=asked.get("max_output_tokens"),
        input_tokens=MESSAGE_TOKENS
        + (MESSAGE_TOKENS + count_tokens(instructions) if instructions else 0)
        + sum(MESSAGE_TOKENS + _item_tokens(item) for item in items)
        + (count_tokens(encode_json(tools).decode()) if tools else 0),
    )


def _mistake_in_items(items: list[Any]) -> Reply | None:
    called: set[str] = set()
    answered: set[str] = set()
    thinking: str | None = None
    for position, item in enumerate(items):
        at = f"input[{position}]"
        if not isinstance(item, dict):
            return _parameter(at, f"Invalid type for '{at}': expected an object.", "invalid_type")
        kind = item.get("type", "message")
        if kind == "reasoning":
            if not item.get("encrypted_content"):
                text = f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is false."
                return _parameter("input", text, None, status=404)
            thinking = str(item.get("id"))
            continue
        if kind == "function_call_output":
            if item.get("call_id") not in called:
                text = f"No tool call found for function call output with call_id {item.get('call_id')}."
                return _parameter("input", text, None)
            answered.add(item["call_id"])
            continue
        thinking = None
        if kind == "function_call":
            called.add(item["call_id"])
        elif kind == "message":
            mistake = _mistake_in_message(at, item)
            if mistake is not None:
                return mistake
    for call_id in sorted(called - answered):
        return _parameter("input", f"No tool output found for function call {call_id}.", None)
    if thinking is not None:
        text = f"Item '{thinking}' of type 'reasoning' was provided without its required following item."
        return _parameter("input", text, None)
    return None


def _mistake_in_message(at: str, item: dict[str, Any]) -> Reply | None:
    role, content = item.get("role"), item.get("content")
    if role not in _ROLES:
        return _parameter(f"{at}.role", f"Invalid value: {role!r}. Supported values are: {_ROLES}.", "invalid_value")
    if isinstance(content, str):
        return None
    if not isinstance(content, list):
        return _parameter(f"{at}.content", f"Invalid type for '{at}.content'.", "invalid_type")
    allowed = _ASSISTANT_PARTS if role == "assistant" else _INPUT_PARTS
    for place, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in allowed:
            name = f"{at}.content[{place}]"
            return _parameter(name, f"Invalid value: {kind!r}. Supported values are: {allowed}.", "invalid_value")
    return None


def _parameter(name: str, message: str, code: str | None, *, status: int = 400) -> Reply:
    return invalid_request(status, message, param=name, code=code)


def _text_of(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return "".join(part.get("text") or "" for part in parts if isinstance(part, dict))


def _must_call(choice: object) -> str | None:
    if isinstance(choice, dict):
        return str(choice.get("name") or "")
    return "" if choice == "required" else None


def _pictures_of(item: dict[str, Any]) -> list[Any]:
    content = item.get("content", item.get("output"))
    parts = content if isinstance(content, list) else ()
    return [part for part in parts if isinstance(part, dict) and part.get("type") == "input_image"]


def _item_tokens(item: dict[str, Any]) -> int:
    content = item.get("content", item.get("output"))
    pictures = _pictures_of(item)
    called = count_tokens(item["name"] + item["arguments"]) if item.get("type") == "function_call" else 0
    return count_tokens(_text_of(content)) + IMAGE_TOKENS * len(pictures) + called
