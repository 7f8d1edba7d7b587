"""Own the reading of Converse requests as Bedrock does: what is asked, and what is refused, in which words.

Source: provider notes (Bedrock, sections 2, 6 and 7), and recorded refusals. Rules of single model families are not
here, as the simulated models belong to none.
"""

from __future__ import annotations

import json
import re
from typing import Any

from manus.sim.wire import ChatAsked, encode_json
from manus.sim.words import IMAGE_TOKENS, MESSAGE_TOKENS, count_tokens

_TOOL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_DOCUMENT_NAME = re.compile(r"[A-Za-z0-9()\[\]-]+( [A-Za-z0-9()\[\]-]+)*")
_CACHE_POINTS_MAX = 4
_CHOICES = ({"auto"}, {"any"}, {"tool"})
_THINKING = ("enabled", "adaptive")


def mistake_in(asked: dict[str, Any]) -> str | None:
    """Say what is wrong with a request, in the vendor's words; None where nothing is."""
    messages = asked.get("messages")
    if not isinstance(messages, list) or not messages:
        return "The messages field must hold at least one message."
    for at, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ("user", "assistant"):
            return f"Value at 'messages.{at + 1}.member.role' failed to satisfy enum value set: [user, assistant]"
        content = message.get("content")
        if not isinstance(content, list) or not content:
            return f"The content field in the Message object at messages.{at} is empty. Add a ContentBlock object."
        if not all(isinstance(block, dict) and len(block) == 1 for block in content):
            return f"Expected one key in each content block at messages.{at}.content."
    if messages[0]["role"] != "user":
        return "A conversation must start with a user message. Try again with a conversation that starts with one."
    return (
        _mistake_in_settings(asked)
        or _mistake_in_tools(asked, messages)
        or _mistake_in_blocks(messages)
        or _mistake_in_pairs(messages)
        or _mistake_in_caching(asked, messages)
    )


def read_chat(asked: dict[str, Any], model: str, *, stream: bool) -> ChatAsked:
    """Read a request that has no mistakes."""
    messages = asked["messages"]
    said = [_text_of(message["content"]) for message in messages if message["role"] == "user"]
    config = asked.get("toolConfig") or {}
    specs = [tool["toolSpec"] for tool in config.get("tools", ()) if "toolSpec" in tool]
    inference = asked.get("inferenceConfig") or {}
    return ChatAsked(
        model=model,
        stream=stream,
        system=_text_of(asked.get("system") or ()),
        prompt=next((text for text in reversed(said) if text), ""),
        images=sum("image" in block for message in messages for block in message["content"]),
        answers_tool=any("toolResult" in block for block in messages[-1]["content"]),
        begun=_text_of(messages[-1]["content"]) if messages[-1]["role"] == "assistant" else "",
        tools=tuple(spec["name"] for spec in specs),
        tool_schemas=tuple(spec["inputSchema"]["json"] for spec in specs),
        must_call=_must_call(config.get("toolChoice") or {}),
        schema=_schema(asked),
        thinking=_thinks(asked.get("additionalModelRequestFields") or {}),
        max_output_tokens=inference.get("maxTokens"),
        input_tokens=_prompt_tokens(asked),
    )


def _prompt_tokens(asked: dict[str, Any]) -> int:
    """Count the prompt by the rule of `words.py`."""
    system, config = asked.get("system"), asked.get("toolConfig")
    return (
        MESSAGE_TOKENS
        + (MESSAGE_TOKENS + _content_tokens(system) if system else 0)
        + sum(MESSAGE_TOKENS + _content_tokens(message["content"]) for message in asked["messages"])
        + (count_tokens(encode_json(config["tools"]).decode()) if config else 0)
    )


def _mistake_in_settings(asked: dict[str, Any]) -> str | None:
    inference = asked.get("inferenceConfig") or {}
    if inference.get("maxTokens", 1) < 1:
        return "Value at 'inferenceConfig.maxTokens' failed to satisfy: must be greater than or equal to 1"
    for name in ("temperature", "topP"):
        if not 0 <= inference.get(name, 0) <= 1:
            return f"Value at 'inferenceConfig.{name}' failed to satisfy: must be between 0 and 1"
    if not all(inference.get("stopSequences", ("x",))):
        return "Value at 'inferenceConfig.stopSequences' failed to satisfy: members must not be empty"
    for text in (block.get("text", "x") for block in asked.get("system") or ()):
        if not text:
            return "The text field in the SystemContentBlock object is empty."
    return None


def _mistake_in_tools(asked: dict[str, Any], messages: list[Any]) -> str | None:
    config = asked.get("toolConfig")
    if config is None:
        if any({"toolUse", "toolResult"} & block.keys() for message in messages for block in message["content"]):
            return "The toolConfig field must be defined when using toolUse and toolResult content blocks."
        return None
    tools = config.get("tools")
    if not tools:
        return "The tools field in toolConfig must hold at least one tool."
    for at, tool in enumerate(tools):
        spec = tool.get("toolSpec")
        if spec is None:
            continue
        if not _TOOL_NAME.fullmatch(spec.get("name", "")):
            return f"Value at 'toolConfig.tools.{at + 1}.member.toolSpec.name' failed to satisfy: [a-zA-Z0-9_-]+"
        if "description" in spec and not spec["description"]:
            return (
                f"Value at 'toolConfig.tools.{at + 1}.member.toolSpec.description' failed to satisfy: minimum length 1"
            )
        schema = (spec.get("inputSchema") or {}).get("json")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            return f"The value at toolConfig.tools.{at}.toolSpec.inputSchema.json.type must be one of: object."
    choice = config.get("toolChoice")
    if choice is not None and choice.keys() not in _CHOICES:
        return "The toolChoice field must hold one of: auto, any, tool."
    return None


def _mistake_in_blocks(messages: list[Any]) -> str | None:
    for at, message in enumerate(messages):
        if at and message["role"] == messages[at - 1]["role"]:
            return "A conversation must alternate between user and assistant roles."
        user = message["role"] == "user"
        content = message["content"]
        for block in content:
            ((kind, value),) = block.items()
            if kind == "text" and not value.strip():
                return "The model returned the following errors: messages: text content blocks must be non-empty"
            if kind in ("image", "document", "toolResult") and not user:
                return f"The {kind} content block is only allowed in messages of the user."
            if kind == "document" and not _DOCUMENT_NAME.fullmatch(value.get("name", "")):
                return "The document file name holds characters that are not allowed."
        if any("document" in block for block in content) and not any("text" in block for block in content):
            return "A text block is required when using documents."
    return None


def _mistake_in_pairs(messages: list[Any]) -> str | None:
    """Check that each call is answered in the next message."""
    waiting: set[str] = set()
    for at, message in enumerate(messages):
        results = {block["toolResult"].get("toolUseId") for block in message["content"] if "toolResult" in block}
        if message["role"] == "user":
            if results - waiting:
                return f"messages.{at}.content: unexpected toolResult blocks for the Ids: {', '.join(sorted(results))}"
            if waiting - results:
                missing = ", ".join(sorted(waiting))
                return f"Expected toolResult blocks at messages.{at}.content for the following Ids: {missing}"
        uses = [block["toolUse"].get("toolUseId", "") for block in message["content"] if "toolUse" in block]
        if len(set(uses)) < len(uses) or not all(_TOOL_ID.fullmatch(use) for use in uses):
            return f"messages.{at}.content: toolUseId must be unique and match [a-zA-Z0-9_.:-]+"
        waiting = set(uses)
    if waiting:
        return f"Expected toolResult blocks for the following Ids: {', '.join(sorted(waiting))}"
    return None


def _mistake_in_caching(asked: dict[str, Any], messages: list[Any]) -> str | None:
    blocks = [*(asked.get("system") or ()), *(block for message in messages for block in message["content"])]
    if sum("cachePoint" in block for block in blocks) > _CACHE_POINTS_MAX:
        return "A maximum of 4 blocks with cache_control may be provided."
    return None


def _must_call(choice: dict[str, Any]) -> str | None:
    if "tool" in choice:
        return str(choice["tool"]["name"])
    return "" if "any" in choice else None


def _schema(asked: dict[str, Any]) -> dict[str, Any] | None:
    form = (asked.get("outputConfig") or {}).get("textFormat")
    if form is None:
        return None
    schema = json.loads(form["structure"]["jsonSchema"]["schema"])
    return schema if isinstance(schema, dict) else None


def _thinks(fields: dict[str, Any]) -> bool:
    thinking = fields.get("thinking") or fields.get("reasoningConfig") or {}
    named = isinstance(thinking, dict) and thinking.get("type") in _THINKING
    return named or "reasoning_effort" in fields or "reasoning_config" in fields


def _text_of(blocks: Any) -> str:
    return "".join(block["text"] for block in blocks if "text" in block)


def _content_tokens(blocks: list[dict[str, Any]]) -> int:
    tokens = 0
    for block in blocks:
        ((kind, value),) = block.items()
        if kind == "text":
            tokens += count_tokens(value)
        elif kind == "image":
            tokens += IMAGE_TOKENS
        elif kind != "cachePoint":
            tokens += count_tokens(encode_json(value).decode())
    return tokens
