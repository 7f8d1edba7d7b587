"""Own the writing of a conversation as `system` and `messages` (anthropic.md, sections 2, 2.1, 2.5 and 6).

The wire knows two roles, which take turns. Leading system turns become `system`; later ones keep their role on
models that take it there, and are the user's words elsewhere. Results stand first in the user's message. A last
turn of the assistant is continued by the models of the 4.5 generation and before; the others are asked in words
to go on. What was asked of the model besides (`asked_besides`) stands at the very end, so that all before it
stays the same from call to call and prompt caches stay warm.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from manus.actors.codecs.anthropic_blocks import CALLER, CONTAINER
from manus.actors.codecs.anthropic_parts import assistant_block, cache_control, own_citations, user_block
from manus.actors.codecs.encoding import Body, Unencodable, Warnings
from manus.actors.codecs.normalise import OPENING, WireRules
from manus.messages.content import Citation, Opaque, Reasoning, Text, ToolCall, ToolResult, Turn

WIRE = "anthropic"

RULES = WireRules(
    wire=WIRE,
    id_shape=re.compile(r"[a-zA-Z0-9_-]{1,128}"),
    name_shape=re.compile(r"[a-zA-Z0-9_-]{1,128}"),
    keeps_reasoning=True,
    keeps_opaque=True,
    keeps_citations=True,
    keeps_blank_text=False,
    merges_neighbours=True,
    first_is_user=True,
    system_anywhere=False,
)
RULES_WITH_SYSTEM = msgspec.structs.replace(RULES, system_anywhere=True)
"""For models that take turns of role system inside the conversation."""

BREAKPOINTS_MAX = 4

GO_ON = "Continue exactly where your last message stopped. Do not repeat any of it and say nothing about it."
"""What a model is told that does not continue its own last words by itself."""

_SERVER_RUN = ("server_tool_use", "mcp_tool_use")


def write_system(turns: Sequence[Turn]) -> tuple[list[Body], Sequence[Turn]]:
    """Write the leading system turns as text blocks; gives them and the turns after them."""
    blocks: list[Body] = []
    for place, turn in enumerate(turns):
        if turn.role != "system":
            return blocks, turns[place:]
        blocks.extend(_system_blocks(turn))
    return blocks, ()


def write_messages(
    turns: Sequence[Turn], *, prefill: bool, asked_besides: Sequence[str], betas: set[str], warnings: Warnings
) -> list[Body]:  # fmt: skip
    """Write the turns after the leading system ones.

    Args:
        prefill: the model continues a last turn of the assistant.
        asked_besides: sentences that go to the end of what the user says.
        betas: names of the betas that the blocks need are added to it.
    """
    messages: list[Body] = []
    for place, turn in enumerate(turns):
        if turn.name:
            warnings.say("turn_name_dropped", "This wire has no names of speakers.")
        if turn.role == "system":
            _append_system(messages, turns, place)
        elif turn.role == "assistant":
            _append(messages, "assistant", _assistant_blocks(turn))
        else:
            _append(messages, "user", _user_blocks(turn, betas))
    if not messages or messages[0]["role"] != "user":
        messages.insert(0, {"role": "user", "content": [{"type": "text", "text": OPENING}]})
    if messages[-1]["role"] == "assistant":
        _end_with_assistant(messages, prefill=prefill, warnings=warnings)
    for sentence in asked_besides:
        _last_of_user(messages).append({"type": "text", "text": sentence})
    return messages


def stands_in_loop_without_thinking(turns: Sequence[Turn]) -> bool:
    """Tell whether the conversation ends with results of calls that were made without signed thinking."""
    end = len(turns)
    while end and turns[end - 1].role != "assistant":
        end -= 1
    answered = any(isinstance(part, ToolResult) for turn in turns[end:] for part in turn.parts)
    if not end or not answered:
        return False
    parts = turns[end - 1].parts
    first = parts[0] if parts else None
    signed = isinstance(first, Reasoning) and bool(first.signature or first.redacted is not None)
    return not signed and any(isinstance(part, ToolCall) for part in parts)


def container_of(turns: Sequence[Turn]) -> str | None:
    """Give the id of the container in which the vendor's tools wait for this very request, if they do.

    They wait for results of calls that their code made, and where the vendor paused; a finished answer needs none.
    """
    for turn in reversed(turns):
        if turn.role == "assistant":
            for part in turn.parts:
                if isinstance(part, Opaque) and part.kind == CONTAINER:
                    value = msgspec.json.decode(part.raw)
                    name = value.get("id") if isinstance(value, dict) else None
                    return name if isinstance(name, str) else None
            return None
        if not any(isinstance(part, ToolResult) for part in turn.parts):
            return None
    return None


def bound_breakpoints(tools: list[Body], system: list[Body], messages: list[Body], warnings: Warnings) -> None:
    """Keep to the vendor's rules for breakpoints: four at most, and none that lives longer than one before it.

    Too many: the first one, which holds what is always the same, and the last ones stay.
    """
    marked = [block for block in (*tools, *system) if "cache_control" in block]
    for message in messages:
        marked.extend(block for block in message["content"] if "cache_control" in block)
    if len(marked) > BREAKPOINTS_MAX:
        for block in marked[1 : len(marked) - BREAKPOINTS_MAX + 1]:
            del block["cache_control"]
        text = f"At most {BREAKPOINTS_MAX} cache breakpoints are taken: the first and the last ones were kept."
        warnings.say("cache_breakpoints_dropped", text)
        marked = [block for block in marked if "cache_control" in block]
    short = False
    for block in marked:
        lasts = _lasts_long(block["cache_control"])
        if lasts and short:
            block["cache_control"] = cache_control("short")
            text = "A long cache life cannot follow a short one in a prompt: the later was made short."
            warnings.say("cache_life_shortened", text)
        short = short or not lasts


def _lasts_long(mark: Body | msgspec.Raw) -> bool:
    """Read a breakpoint, which may be the caller's own JSON."""
    value = msgspec.json.decode(mark) if isinstance(mark, msgspec.Raw) else mark
    return isinstance(value, dict) and value.get("ttl") == "1h"


def _system_blocks(turn: Turn) -> list[Body]:
    blocks: list[Body] = []
    for part in turn.parts:
        if not isinstance(part, Text):
            raise Unencodable("unsupported", "A system turn holds nothing but text on this wire.", "turns.system")
        if part.text.strip():
            blocks.append({"type": "text", "text": part.text})
        if part.cache and blocks:
            blocks[-1]["cache_control"] = cache_control(part.cache)
    return blocks


def _user_blocks(turn: Turn, betas: set[str]) -> list[Body]:
    blocks: list[Body] = []
    for part in turn.parts:
        block = user_block(part, betas)
        if block is not None:
            blocks.append(block)
        inner = [piece.cache for piece in part.content if piece.cache] if isinstance(part, ToolResult) else []
        life = part.cache or (inner[-1] if inner else None)
        if life and blocks:
            blocks[-1]["cache_control"] = cache_control(life)
    return blocks


def _assistant_blocks(turn: Turn) -> list[Body]:
    blocks: list[Body] = []
    caller: msgspec.Raw | None = None
    for place, part in enumerate(turn.parts):
        if isinstance(part, Opaque) and part.kind in (CONTAINER, CALLER):
            caller = part.raw if part.kind == CALLER else caller
            continue
        block = assistant_block(part)
        if block is not None:
            if isinstance(part, ToolCall) and caller is not None:
                block["caller"] = caller
                caller = None
            if isinstance(part, Text):
                cited = own_citations(_citations_after(turn, place))
                if cited:
                    block["citations"] = cited
            blocks.append(block)
        if part.cache:
            # Never on thinking, which the vendor refuses: on the block before it.
            fit = next((old for old in reversed(blocks) if "thinking" not in old["type"]), None)
            if fit is not None:
                fit["cache_control"] = cache_control(part.cache)
    return blocks


def _citations_after(turn: Turn, place: int) -> list[Citation]:
    cited: list[Citation] = []
    for part in turn.parts[place + 1 :]:
        if not isinstance(part, Citation):
            break
        cited.append(part)
    return cited


def _append(messages: list[Body], role: str, blocks: list[Body]) -> None:
    if not blocks:
        return
    if messages and messages[-1]["role"] == role:
        messages[-1]["content"].extend(blocks)
    else:
        messages.append({"role": role, "content": blocks})


def _append_system(messages: list[Body], turns: Sequence[Turn], place: int) -> None:
    """Keep the role where it is taken: behind the user, and last or before the assistant. Else the user says it."""
    blocks = _system_blocks(turns[place])
    after = next((turn.role for turn in turns[place + 1 :] if turn.role != "system"), None)
    if messages and messages[-1]["role"] in ("user", "system") and after in (None, "assistant"):
        _append(messages, "system", blocks)
    elif blocks:
        marks = ({"type": "text", "text": "<system>"}, {"type": "text", "text": "</system>"})
        _append(messages, "user", [marks[0], *blocks, marks[1]])


def _end_with_assistant(messages: list[Body], *, prefill: bool, warnings: Warnings) -> None:
    last = messages[-1]["content"]
    if _is_paused(last):
        return  # the vendor goes on with its own tools, on every model
    if prefill:
        while last and last[-1]["type"] == "text":
            last[-1]["text"] = last[-1]["text"].rstrip()
            if last[-1]["text"]:
                break
            last.pop()
        if last and last[-1]["type"] == "text":
            return
        if not last:
            messages.pop()
            return
    warnings.say("prefill_in_words", "The model does not continue its own last turn; it was asked to in words.")
    messages.append({"role": "user", "content": [{"type": "text", "text": GO_ON}]})


def _is_paused(blocks: list[Body]) -> bool:
    kind: str = blocks[-1]["type"]
    return kind in _SERVER_RUN or kind.endswith("_tool_result") or kind == "compaction"


def _last_of_user(messages: list[Body]) -> list[Body]:
    for message in reversed(messages):
        if message["role"] == "user":
            content: list[Body] = message["content"]
            return content
    raise AssertionError("a conversation on this wire has a user's message")
