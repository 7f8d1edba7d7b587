"""Own what each vendor refuses in a conversation, written from its documents and not from our encoders.

One function per family of wires: it raises `AssertionError` with the rule that a body breaks. Sources: canonical.md
section 5, openai.md sections 2 and 5, anthropic.md section 3, bedrock.md section 3, ollama.md section 2.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

Body = dict[str, Any]  # Any: a vendor's JSON

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def check_chat(body: Body) -> None:
    """Chat Completions: results at once after their calls, all of them and no others."""
    waiting: list[str] = []
    for message in body["messages"]:
        role = message["role"]
        assert role in ("system", "developer", "user", "assistant", "tool"), f"unknown role {role}"
        if role == "tool":
            assert message["tool_call_id"] in waiting, "a result that answers no call before it"
            waiting.remove(message["tool_call_id"])
            assert isinstance(message["content"], str | list), "a result without content"
            _no_images(message["content"])
            continue
        assert not waiting, f"calls {waiting} are not answered"
        content = message.get("content")
        calls = message.get("tool_calls")
        if content is None:
            assert role == "assistant", f"a {role} message without content"
            assert calls or message.get("refusal"), "an assistant message of nothing"
        if isinstance(content, list):
            assert content, "an empty list of parts"
            if role in ("assistant", "system", "developer"):
                _no_images(content)
        if calls is not None:
            assert role == "assistant", "calls of somebody else than the assistant"
            assert calls, "an empty list of calls"
        for call in calls or ():
            assert 1 <= len(call["id"]) <= 40, f"id {call['id']!r} is too long or empty"
            assert NAME.fullmatch(call["function"]["name"]), f"name {call['function']['name']!r}"
            assert isinstance(call["function"]["arguments"], str), "arguments are no text"
            waiting.append(call["id"])
        assert len(waiting) == len(set(waiting)), "an id twice in one turn"
    assert not waiting, f"calls {waiting} are not answered"


def check_responses(body: Body) -> None:
    """Responses: a call has one output, and an output its call before it."""
    items = body["input"]
    assert isinstance(items, list)
    calls: list[str] = []
    outputs: list[str] = []
    for item in items:
        kind = item.get("type", "message")
        if kind == "message":
            role = item["role"]
            assert role in ("system", "developer", "user", "assistant"), f"unknown role {role}"
            content = item["content"]
            assert isinstance(content, str) or content, "a message of nothing"
            for part in content if isinstance(content, list) else ():
                own = ("output_text", "refusal") if role == "assistant" else ("input_text", "input_image", "input_file")
                assert part["type"] in own, f"a part {part['type']} of role {role}"
        elif kind == "function_call":
            assert 1 <= len(item["call_id"]) <= 64, f"call_id {item['call_id']!r}"
            assert NAME.fullmatch(item["name"]), f"name {item['name']!r}"
            assert isinstance(item["arguments"], str), "arguments are no text"
            calls.append(item["call_id"])
        elif kind == "function_call_output":
            assert item["call_id"] in calls, "an output of no call"
            assert isinstance(item["output"], str | list)
            outputs.append(item["call_id"])
    assert len(calls) == len(set(calls)), "a call_id twice"
    assert sorted(calls) == sorted(outputs), "calls and outputs do not match"


def check_anthropic(body: Body) -> None:
    """Messages: speakers alternate, results come first and whole, no text is blank, ids are unique and plain."""
    messages = body["messages"]
    assert messages, "no messages"
    assert messages[0]["role"] == "user", "the first message is not the user's"
    seen: set[str] = set()
    asked: list[str] = []
    last = ""
    for message in messages:
        role = message["role"]
        assert role in ("user", "assistant", "system"), f"unknown role {role}"
        if role != "system":
            assert role != last, f"two {role} messages one after another"
            last = role
        blocks = message["content"]
        blocks = [{"type": "text", "text": blocks}] if isinstance(blocks, str) else blocks
        assert blocks, f"an empty {role} message"
        for block in blocks:
            _no_blank(block)
        results = [block for block in blocks if block["type"] == "tool_result"]
        if role == "user":
            assert blocks[: len(results)] == results, "a result behind something else"
            assert sorted(block["tool_use_id"] for block in results) == sorted(asked), "results do not match the calls"
            for block in results:
                assert block.get("content") != [], "an empty list of content"
                assert block.get("content") != "", "empty content"
                for inner in block["content"] if isinstance(block.get("content"), list) else ():
                    _no_blank(inner)
            asked = []
        else:
            assert not results, f"a result in an {role} message"
        uses = [block for block in blocks if block["type"] == "tool_use"]
        assert not uses or role == "assistant", "a call of the user"
        for block in uses:
            assert re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]), f"id {block['id']!r}"
            assert re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", block["name"]), f"name {block['name']!r}"
            assert isinstance(block["input"], dict), "input is no object"
            assert block["id"] not in seen, "an id twice in the conversation"
            seen.add(block["id"])
            asked.append(block["id"])
    assert not asked, "calls are not answered"


def check_bedrock(body: Body) -> None:
    """Converse: as Messages, with blocks by key, tools declared where the history has any, and no empty results."""
    messages = body["messages"]
    assert messages[0]["role"] == "user", "the first message is not the user's"
    asked: list[str] = []
    has_tools = False
    last = ""
    for message in messages:
        role, blocks = message["role"], message["content"]
        assert role in ("user", "assistant"), f"unknown role {role}"
        assert role != last, f"two {role} messages one after another"
        last = role
        assert isinstance(blocks, list), "content is no list"
        assert blocks, f"an empty {role} message"
        for block in blocks:
            assert "text" not in block or block["text"].strip(), "blank text"
            if "image" in block:
                base64.b64decode(block["image"]["source"]["bytes"], validate=True)
        # What the vendor ran itself stands in the assistant's message, call and result.
        run = {use["toolUseId"] for use in (block.get("toolUse", {}) for block in blocks) if "type" in use}
        results = [block["toolResult"] for block in blocks if "toolResult" in block]
        results = [result for result in results if result["toolUseId"] not in run]
        if role == "user":
            assert sorted(result["toolUseId"] for result in results) == sorted(asked), "results do not match the calls"
            for result in results:
                assert result["content"], "a result of nothing"
                assert all("text" not in inner or inner["text"].strip() for inner in result["content"]), "blank text"
            asked = []
        else:
            assert not results, "a result in an assistant message"
        uses = [block["toolUse"] for block in blocks if "toolUse" in block]
        uses = [use for use in uses if use["toolUseId"] not in run]
        assert not uses or role == "assistant", "a call of the user"
        for use in uses:
            assert re.fullmatch(r"[a-zA-Z0-9_.:-]{1,64}", use["toolUseId"]), f"id {use['toolUseId']!r}"
            assert NAME.fullmatch(use["name"]), f"name {use['name']!r}"
            assert isinstance(use["input"], dict), "input is no object"
            asked.append(use["toolUseId"])
        assert len(asked) == len(set(asked)), "an id twice in one turn"
        has_tools = has_tools or bool(uses or results)
    assert not asked, "calls are not answered"
    assert not has_tools or body.get("toolConfig", {}).get("tools"), "tools in the history and none declared"


def check_ollama(body: Body) -> None:
    """Ollama: content is text, arguments are objects, pictures are bare base64."""
    waiting = 0
    for message in body["messages"]:
        assert message["role"] in ("system", "user", "assistant", "tool")
        assert isinstance(message["content"], str), "content is no text"
        for image in message.get("images", ()):
            base64.b64decode(image, validate=True)
        if message["role"] == "tool":
            assert waiting, "a result of no call"
            assert message.get("tool_name") or message.get("tool_call_id"), "a result that names nothing"
            waiting -= 1
            continue
        assert not waiting, "a call is not answered"
        for call in message.get("tool_calls", ()):
            assert isinstance(call["function"]["arguments"], dict), "arguments are no object"
            waiting += 1
    assert not waiting, "a call is not answered"


CHECKS: dict[str, Callable[[Body], None]] = {
    "openai-chat": check_chat,
    "azure-chat": check_chat,
    "openai-responses": check_responses,
    "azure-responses": check_responses,
    "anthropic": check_anthropic,
    "bedrock": check_bedrock,
    "ollama": check_ollama,
}
"""The rules of each wire that a codec is registered for."""


def checked(wire: str, body: bytes) -> Body:
    """Read a body and check it by the rules of its wire; gives it for more."""
    read: Body = json.loads(body)
    CHECKS[wire](read)
    return read


def _no_images(content: object) -> None:
    for part in content if isinstance(content, list) else ():
        assert part["type"] not in ("image_url", "file", "input_audio"), f"a part {part['type']} where only text goes"


def _no_blank(block: Body) -> None:
    assert block["type"] != "text" or block["text"].strip(), "blank text"
