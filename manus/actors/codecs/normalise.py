"""Own the mending of a conversation before it is written for a wire (canonical.md, section 5).

A history may come from another vendor, from a tool loop that was broken off, or from a host that keeps
its own book. Vendors refuse what is merely untidy: a result without its call, a call without its result,
an id that another vendor made. Here such things become something every vendor takes, and what belongs to
another vendor (its signed thinking, its own parts) is left out. The same conversation always gives the
same result, to the byte, and a longer one begins with the same: ids that must be made again are made from the
old ones. What differs between vendors is a `WireRules`, so that a vendor's encoder only has to write.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from manus.actors.codecs.call_ids import made_call_id
from manus.messages.content import AnyPart, Citation, Opaque, Reasoning, Refusal, Text, ToolCall, ToolResult, Turn

_Place = tuple[int, int]
"""Turn and part within the turn."""


class WireRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a wire demands of a conversation.

    Args:
        wire: the wire family, as it stands in `Reasoning.provider`.
        id_shape: which tool-call ids it takes.
        made_id_chars: the length of an id that must be made again, for a wire whose `id_shape` takes no other.
        name_shape: which names of tools it takes; None takes any.
        keeps_reasoning: it takes its own model's thinking back.
        keeps_opaque: it takes the parts back that only its own model can read.
        keeps_citations: it has a place for the sources of an answer; whether one fits is told by its `raw`.
        keeps_vendor_turns: it replays `Turn.vendor`. The turn's parts are then as they were made, or it has none.
        keeps_blank_text: it takes text that is empty or nothing but blanks.
        merges_neighbours: it wants the speakers to alternate: neighbours of one speaker become one turn, and results
            and what the user says after them one turn of the user, which begins with the results. Results with
            nothing after them stay a turn of role tool.
        first_is_user: after the system's turns the first one has to be the user's.
        system_anywhere: it takes a system turn after the others have begun; otherwise the user says it, marked.
    """

    wire: str
    id_shape: re.Pattern[str]
    made_id_chars: int | None = None
    name_shape: re.Pattern[str] | None = None
    keeps_reasoning: bool = False
    keeps_opaque: bool = False
    keeps_citations: bool = False
    keeps_vendor_turns: bool = False
    keeps_blank_text: bool = True
    merges_neighbours: bool = False
    first_is_user: bool = False
    system_anywhere: bool = True


NAME_CHARS_MAX = 64

UNANSWERED = "The tool was not run: this call was left unanswered."
"""What the model is told of a call that nobody answered."""

OPENING = "(The conversation begins.)"
"""What the user says first where a wire wants him to, and he did not."""


def normalise(turns: Sequence[Turn], rules: WireRules, model: str) -> tuple[Turn, ...]:
    """Give the conversation in a form that `rules` allow.

    Results follow their calls at once, in the calls' order and one for each; a result that answers nothing
    becomes the user's text; turns of which nothing is left go.
    """
    answers = _matched(turns)
    answered = {place for place, _ in answers.values()}
    taken: set[str] = set()
    mended: list[Turn] = []
    for number, turn in enumerate(turns):
        if turn.role == "assistant":
            mended.extend(_assistant_turns(turn, number, answers, taken, rules, model))
        else:
            parts = tuple(
                part
                for index, part in enumerate(turn.parts)
                if (number, index) not in answered and not isinstance(part, ToolCall)
            )
            mended.extend(_other_turns(turn, parts, rules, model))
    if not rules.system_anywhere:
        mended = list(_system_first(mended))
    if rules.first_is_user:
        mended = _user_first(mended)
    return tuple(_merged(mended) if rules.merges_neighbours else mended)


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
    taken: set[str],
    rules: WireRules,
    model: str,
) -> list[Turn]:
    parts: list[AnyPart] = []
    results: list[ToolResult] = []
    for index, part in enumerate(turn.parts):
        if isinstance(part, ToolCall):
            call = _named(part, rules, taken)
            taken.add(call.id)
            parts.append(call)
            _, result = answers.get((number, index), (None, None))
            if result is None:
                result = ToolResult(id=call.id, content=(Text(text=UNANSWERED),), is_error=True)
            results.append(_fitting_result(replace(result, id=call.id, name=result.name or call.name), rules))
        elif _may_go(part, rules, model) and not isinstance(part, ToolResult):
            parts.append(part)
    turns: list[Turn] = []
    if parts:
        vendor = turn.vendor
        as_made = len(parts) == len(turn.parts) and all(a is b for a, b in zip(parts, turn.parts, strict=True))
        own = vendor is not None and vendor.provider == rules.wire and vendor.model == model
        if vendor is not None and not (rules.keeps_vendor_turns and own and as_made):
            turn = replace(turn, vendor=None)
        turns.append(replace(turn, parts=tuple(parts)))
    if results:
        turns.append(Turn(role="tool", parts=tuple(results)))
    return turns


def _named(call: ToolCall, rules: WireRules, taken: set[str]) -> ToolCall:
    """Give a call an id that the wire takes and no other call has, and a name that it takes; itself if it has both."""
    call_id = call.id
    attempt = 0
    while call_id in taken or not rules.id_shape.fullmatch(call_id):
        call_id = made_call_id(call.id, attempt)
        if rules.made_id_chars is not None:
            call_id = call_id[-rules.made_id_chars :]
        attempt += 1
    name = call.name
    if rules.name_shape is not None and not rules.name_shape.fullmatch(name):
        name = re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:NAME_CHARS_MAX] or "_"
    return call if call_id == call.id and name == call.name else replace(call, id=call_id, name=name)


def _fitting_result(result: ToolResult, rules: WireRules) -> ToolResult:
    if rules.keeps_blank_text:
        return result
    content = tuple(part for part in result.content if not _is_blank(part))
    return result if len(content) == len(result.content) else replace(result, content=content)


def _other_turns(turn: Turn, parts: tuple[AnyPart, ...], rules: WireRules, model: str) -> list[Turn]:
    mended: list[AnyPart] = []
    for part in parts:
        if isinstance(part, ToolResult):
            label = f"Result of the tool {part.name}:" if part.name else "Result of a tool:"
            mended.append(Text(text=label))
            mended.extend(each for each in part.content if _may_go(each, rules, model))
        elif _may_go(part, rules, model):
            mended.append(part)
    if not mended:
        return []
    # A tool turn holds nothing but results; whatever else it held is the user's word.
    role = "user" if turn.role == "tool" else turn.role
    return [replace(turn, role=role, parts=tuple(mended), vendor=None)]


def _may_go(part: AnyPart, rules: WireRules, model: str) -> bool:
    if isinstance(part, Citation):
        return rules.keeps_citations
    if isinstance(part, Opaque):
        return rules.keeps_opaque and part.provider == rules.wire and part.model in (model, None)
    if isinstance(part, Reasoning):
        return rules.keeps_reasoning and part.provider == rules.wire and part.model == model
    if isinstance(part, Refusal) and not part.text:
        return False  # it says nothing, and a turn of nothing else is refused
    return rules.keeps_blank_text or not _is_blank(part)


def _is_blank(part: AnyPart) -> bool:
    return isinstance(part, Text | Refusal) and not part.text.strip()


# --- whole turns -----------------------------------------------------------------------------------------


def _system_first(turns: Iterable[Turn]) -> Iterable[Turn]:
    """Let the user say what the system said after the others had begun."""
    begun = False
    for turn in turns:
        begun = begun or turn.role != "system"
        if begun and turn.role == "system":
            parts = (Text(text="<system>"), *turn.parts, Text(text="</system>"))
            yield replace(turn, role="user", parts=parts)
        else:
            yield turn


def _user_first(turns: list[Turn]) -> list[Turn]:
    for number, turn in enumerate(turns):
        if turn.role == "user":
            break
        if turn.role != "system":
            return [*turns[:number], Turn(role="user", parts=(Text(text=OPENING),)), *turns[number:]]
    return turns


def _merged(turns: Iterable[Turn]) -> list[Turn]:
    """Make one turn of neighbours that the wire takes for one speaker's. Results stand before everything else."""
    merged: list[Turn] = []
    for turn in turns:
        last = merged[-1] if merged else None
        if last is None or "system" in (turn.role, last.role) or _speaker(turn) != _speaker(last):
            merged.append(turn)
            continue
        role = last.role if last.role == turn.role else "user"
        merged[-1] = replace(last, role=role, parts=(*last.parts, *turn.parts), vendor=None)
    return merged


def _speaker(turn: Turn) -> str:
    return "user" if turn.role == "tool" else turn.role
