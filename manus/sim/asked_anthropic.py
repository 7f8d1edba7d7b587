"""Own the reading of Messages requests as Anthropic does: what is asked, and what is refused, in which words.

Source: provider notes (Anthropic, sections 2 and 6), and recorded refusals. Rules of single model families are not
here, as the simulated models belong to none.
"""

from __future__ import annotations

import re
from typing import Any

from manus.sim.wire import ChatAsked, encode_json
from manus.sim.words import IMAGE_TOKENS, MESSAGE_TOKENS, count_tokens

_FIELDS = frozenset(
    {"model", "messages", "max_tokens", "system", "stream", "temperature", "top_p", "top_k", "stop_sequences", "tools"}
    | {"tool_choice", "thinking", "output_config", "metadata", "service_tier", "cache_control", "container"}
)
_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_BREAKPOINTS_MAX = 4
_BUDGET_TOKENS_MIN = 1024


def mistake_in(asked: dict[str, Any]) -> str | None:
    """Say what is wrong with a request, in the vendor's words; None where nothing is."""
    for name in ("model", "messages", "max_tokens"):
        if name not in asked:
            return f"{name}: Field required"
    unknown = asked.keys() - _FIELDS
    if unknown:
        return f"{min(unknown)}: Extra inputs are not permitted"
    if not isinstance(asked["model"], str) or not asked["model"]:
        return "model: String should have at least 1 character"
    if not isinstance(asked["max_tokens"], int) or asked["max_tokens"] < 1:
        return "max_tokens: must be greater than or equal to 1"
    messages = asked["messages"]
    if not isinstance(messages, list) or not messages:
        return "messages: at least one message is required"
    return (
        _mistake_in_settings(asked)
        or _mistake_in_messages(messages)
        or _mistake_in_pairs(messages)
        or _mistake_in_caching(asked)
    )


def read_chat(asked: dict[str, Any]) -> ChatAsked:
    """Read a request that has no mistakes."""
    messages = asked["messages"]
    said = [_text_of(message["content"]) for message in messages if message["role"] == "user"]
    last = messages[-1]["content"]
    tools = asked.get("tools") or ()
    form = (asked.get("output_config") or {}).get("format") or {}
    return ChatAsked(
        model=asked["model"],
        stream=asked.get("stream") is True,
        system=_text_of(asked.get("system")),
        prompt=next((text for text in reversed(said) if text), ""),
        images=sum(_images(message["content"]) for message in messages),
        answers_tool=isinstance(last, list) and any(block["type"] == "tool_result" for block in last),
        begun=_text_of(last) if messages[-1]["role"] == "assistant" else "",
        tools=tuple(tool.get("name", "") for tool in tools),
        tool_schemas=tuple(tool.get("input_schema") for tool in tools),
        must_call=_must_call(asked.get("tool_choice") or {}),
        schema=form.get("schema"),
        thinking=(asked.get("thinking") or {}).get("type") in ("enabled", "adaptive"),
        max_output_tokens=asked["max_tokens"],
        input_tokens=prompt_tokens(asked),
    )


def prompt_tokens(asked: dict[str, Any]) -> int:
    """Count the prompt by the rule of `words.py`."""
    tools = asked.get("tools") or ()
    system = asked.get("system")
    return (
        MESSAGE_TOKENS
        + (MESSAGE_TOKENS + _content_tokens(system) if system else 0)
        + sum(MESSAGE_TOKENS + _content_tokens(message["content"]) for message in asked["messages"])
        + (count_tokens(encode_json(tools).decode()) if tools else 0)
    )


def _mistake_in_settings(asked: dict[str, Any]) -> str | None:
    temperature = asked.get("temperature")
    if temperature is not None and not 0 <= temperature <= 1:
        return "temperature: range: 0..1"
    if any(not sequence.strip() for sequence in asked.get("stop_sequences") or ()):
        return "stop_sequences: each stop sequence must contain non-whitespace"
    tools = asked.get("tools") or ()
    if asked.get("tool_choice") is not None and not tools:
        return "tool_choice: may only be specified while providing tools"
    for at, tool in enumerate(tools):
        if tool.get("type", "custom") != "custom":
            continue
        if not _TOOL_NAME.fullmatch(tool.get("name", "")):
            return f"tools.{at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        schema = tool.get("input_schema")
        if not isinstance(schema, dict) or "type" not in schema:
            return f"tools.{at}.custom.input_schema.type: Field required"
        if schema["type"] != "object":
            return f"tools.{at}.custom.input_schema.type: Input should be 'object'"
    return _mistake_in_thinking(asked)


def _mistake_in_thinking(asked: dict[str, Any]) -> str | None:
    thinking = asked.get("thinking") or {}
    if thinking.get("type") != "enabled":
        return None
    budget = thinking.get("budget_tokens", 0)
    if budget < _BUDGET_TOKENS_MIN:
        return "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
    if budget >= asked["max_tokens"]:
        return "`max_tokens` must be greater than `thinking.budget_tokens`."
    if (asked.get("tool_choice") or {}).get("type") in ("any", "tool"):
        return "Thinking may not be enabled when tool_choice forces tool use."
    return None


def _mistake_in_messages(messages: list[Any]) -> str | None:
    if not isinstance(messages[0], dict) or messages[0].get("role") != "user":
        return 'messages: first message must use the "user" role'
    for at, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in ("user", "assistant", "system"):
            return f"messages.{at}.role: Input should be 'user' or 'assistant'"
        content = message.get("content")
        last = at == len(messages) - 1
        if not content and not (last and role == "assistant"):
            return (
                f"messages.{at}: all messages must have non-empty content except for the optional final assistant "
                "message"
            )
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if not isinstance(blocks, list):
            return f"messages.{at}.content: Input should be a valid list"
        if not all(isinstance(block, dict) and isinstance(block.get("type"), str) for block in blocks):
            return f"messages.{at}.content.0.type: Field required"
        for place, block in enumerate(blocks):
            if block.get("type") == "text" and not block.get("text", "").strip():
                return f"messages: text content blocks must contain non-whitespace text (messages.{at}.content.{place})"
        if last and role == "assistant" and blocks and blocks[-1].get("text", "x")[-1:].isspace():
            return "messages: final assistant content cannot end with trailing whitespace"
    return None


def _mistake_in_pairs(messages: list[Any]) -> str | None:
    """Check that each call is answered in the next message, and that results stand first in theirs."""
    waiting: list[str] = []
    for at, message in enumerate(_merged(messages)):
        blocks = message["content"]
        results = [block for block in blocks if block["type"] == "tool_result"]
        for place, block in enumerate(results):
            if block.get("tool_use_id") not in waiting:
                return (
                    f"messages.{at}.content.{place}: unexpected `tool_use_id` found in `tool_result` blocks: "
                    f"{block.get('tool_use_id')}. Each `tool_result` block must have a corresponding `tool_use` block "
                    "in the previous message."
                )
            waiting.remove(block["tool_use_id"])
        if waiting or [block["type"] for block in blocks[: len(results)]] != ["tool_result"] * len(results):
            return _unanswered(at, waiting)
        waiting = [block.get("id", "") for block in blocks if block["type"] == "tool_use"]
        for place, call_id in enumerate(waiting):
            if not _TOOL_ID.fullmatch(call_id):
                return f"messages.{at}.content.{place}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
        if len(set(waiting)) < len(waiting):
            return f"messages.{at}: `tool_use` ids must be unique"
    return _unanswered(len(messages), waiting) if waiting else None


def _unanswered(at: int, call_ids: list[str]) -> str:
    return (
        f"messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{', '.join(call_ids)}. Each `tool_use` block must have a corresponding `tool_result` block in the next "
        "message."
    )


def _mistake_in_caching(asked: dict[str, Any]) -> str | None:
    system = asked.get("system")
    blocks = [*(asked.get("tools") or ()), *(system if isinstance(system, list) else ())]
    for message in asked["messages"]:
        blocks += message["content"] if isinstance(message["content"], list) else ()
    marked = [block for block in blocks if block.get("cache_control")]
    if len(marked) > _BREAKPOINTS_MAX:
        return f"A maximum of 4 blocks with cache_control may be provided. Found {len(marked)}."
    if any("thinking" in block["type"] for block in marked if "type" in block):
        return "cache_control cannot be set on thinking blocks"
    return None


def _merged(messages: list[Any]) -> list[dict[str, Any]]:
    merged: list[dict[str, Any]] = []
    for message in messages:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if merged and merged[-1]["role"] == message["role"]:
            merged[-1]["content"].extend(blocks)
        else:
            merged.append({"role": message["role"], "content": list(blocks)})
    return merged


def _text_of(content: object) -> str:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else ()
    return "".join(block.get("text", "") for block in blocks if block.get("type") == "text")


def _images(content: object) -> int:
    blocks = content if isinstance(content, list) else ()
    return sum((block.get("type") == "image") + _images(block.get("content")) for block in blocks)


def _must_call(choice: dict[str, Any]) -> str | None:
    match choice.get("type"):
        case "tool":
            return str(choice.get("name", ""))
        case "any":
            return ""
        case _:
            return None


def _content_tokens(content: object) -> int:
    if isinstance(content, str):
        return count_tokens(content)
    tokens = 0
    for block in content if isinstance(content, list) else ():
        match block.get("type"):
            case "text":
                tokens += count_tokens(block.get("text", ""))
            case "image":
                tokens += IMAGE_TOKENS
            case "tool_result":
                tokens += _content_tokens(block.get("content", ""))
            case _:
                tokens += count_tokens(encode_json(block).decode())
    return tokens
