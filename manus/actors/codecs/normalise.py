"""Own the mending of a conversation before it is written for a wire (canonical.md, section 5).

A history may come from another vendor, from a tool loop that was broken off, or from a host that keeps
its own book. Vendors refuse what is merely untidy: a result without its call, a call without its result,
an id that another vendor made. Here such things become something every vendor takes, and what belongs to
another vendor (its signed thinking, its own parts) is left out. The same conversation always gives the
same result, to the byte: ids that must be made again are made from the old ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from manus.actors.codecs.call_ids import made_call_id
from manus.messages.content import AnyPart, Citation, Opaque, Reasoning, Text, ToolCall, ToolResult, Turn

_Place = tuple[int, int]
"""Turn and part within the turn."""


class WireRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a wire demands of a conversation.

    Args:
        wire: the wire family, as it stands in `Reasoning.provider`.
        id_shape: which tool-call ids it takes.
        keeps_reasoning: it takes its own model's thinking back.
        keeps_opaque: it takes the parts back that only its own model can read.
        keeps_citations: it has a place for the sources of an answer; whether one fits is told by its `raw`.
    """

    wire: str
    id_shape: re.Pattern[str]
    keeps_reasoning: bool = False
    keeps_opaque: bool = False
    keeps_citations: bool = False


UNANSWERED = "The tool was not run: this call was left unanswered."
"""What the model is told of a call that nobody answered."""


def normalise(turns: Sequence[Turn], rules: WireRules, model: str) -> tuple[Turn, ...]:
    """Give the conversation in a form that `rules` allow.

    Results follow their calls at once, in the calls' order and one for each; a result that answers nothing
    becomes the user's text; turns of which nothing is left go.
    """
    answers = _matched(turns)
    answered = {place for place, _ in answers.values()}
    mended: list[Turn] = []
    for number, turn in enumerate(turns):
        if turn.role == "assistant":
            mended.extend(_assistant_turns(turn, number, answers, rules, model))
        else:
            parts = tuple(
                part
                for index, part in enumerate(turn.parts)
                if (number, index) not in answered and not isinstance(part, ToolCall)
            )
            mended.extend(_other_turns(turn, parts, rules, model))
    return tuple(mended)


def _matched(turns: Sequence[Turn]) -> dict[_Place, tuple[_Place, ToolResult]]:
    """Give for each answered call the place and the result: the first one after it with its id."""
    waiting: dict[str, list[_Place]] = {}
    answers: dict[_Place, tuple[_Place, ToolResult]] = {}
    for number, turn in enumerate(turns):
        for index, part in enumerate(turn.parts):
            if isinstance(part, ToolCall) and turn.role == "assistant":
                waiting.setdefault(part.id, []).append((number, index))
            elif isinstance(part, ToolResult) and waiting.get(part.id):
                answers[waiting[part.id].pop(0)] = ((number, index), part)
    return answers


def _assistant_turns(
    turn: Turn,
    number: int,
    answers: dict[_Place, tuple[_Place, ToolResult]],
    rules: WireRules,
    model: str,
) -> list[Turn]:
    parts: list[AnyPart] = []
    results: list[ToolResult] = []
    taken: set[str] = set()
    for index, part in enumerate(turn.parts):
        if isinstance(part, ToolCall):
            call_id = part.id
            if call_id in taken or not rules.id_shape.fullmatch(call_id):
                call_id = made_call_id(part.id, sum(1 for other in parts if isinstance(other, ToolCall)))
            taken.add(call_id)
            parts.append(replace(part, id=call_id))
            _, result = answers.get((number, index), (None, None))
            if result is None:
                result = ToolResult(id=call_id, content=(Text(text=UNANSWERED),), is_error=True)
            results.append(replace(result, id=call_id, name=result.name or part.name))
        elif _may_go(part, rules, model) and not isinstance(part, ToolResult):
            parts.append(part)
    turns = [replace(turn, parts=tuple(parts))] if parts else []
    if results:
        turns.append(Turn(role="tool", parts=tuple(results)))
    return turns


def _other_turns(turn: Turn, parts: tuple[AnyPart, ...], rules: WireRules, model: str) -> list[Turn]:
    mended: list[AnyPart] = []
    for part in parts:
        if isinstance(part, ToolResult):
            label = f"Result of the tool {part.name}:" if part.name else "Result of a tool:"
            mended.append(Text(text=label))
            mended.extend(part.content)
        elif _may_go(part, rules, model):
            mended.append(part)
    if not mended:
        return []
    # A tool turn holds nothing but results; whatever else it held is the user's word.
    role = "user" if turn.role == "tool" else turn.role
    return [replace(turn, role=role, parts=tuple(mended))]


def _may_go(part: AnyPart, rules: WireRules, model: str) -> bool:
    if isinstance(part, Citation):
        return rules.keeps_citations
    if isinstance(part, Opaque):
        return rules.keeps_opaque and part.provider == rules.wire and part.model in (model, None)
    if isinstance(part, Reasoning):
        return rules.keeps_reasoning and part.provider == rules.wire and part.model == model
    return True
