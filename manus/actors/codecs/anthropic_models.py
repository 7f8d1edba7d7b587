"""Own what is known of Claude's model families by their names: what a request to each may hold.

Source: anthropic.md, sections 2 and 3, and canonical.md, section 4, read 2026-11. Names come as Anthropic spells
them, as Bedrock does (`us.anthropic.claude-sonnet-4-5-20250929-v1:0`, also inside an ARN), as Vertex does
(`claude-sonnet-4-5@20250929`) and as gateways do (`anthropic/claude-sonnet-4.5`). A Claude newer than this table
is taken for the newest of its line; a name that is no Claude's is permitted everything, as other vendors speak
this wire too.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

import msgspec

from manus.messages.requests import Effort

ThinkingType = Literal["enabled", "adaptive", "disabled", "between_tools"]

_ORDER: tuple[Effort, ...] = ("off", "minimal", "low", "medium", "high", "xhigh", "max")


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """What a family accepts. The defaults are those of a model we know nothing of.

    Args:
        claude: one of Anthropic's own.
        sampling: takes temperature, top_p and top_k; where not, anything but the default is a 400.
        one_of_temperature_and_top_p: takes either, not both.
        thinking: the types of `thinking` it takes; empty for a model that does not think.
        thinks_by_default: thinks unless told not to.
        hides_thinking: gives the text of its thinking only when asked to.
        bound_thinking: its thinking is bound to all that came before it in the conversation (anthropic.md, 2.6).
        efforts: the values of `output_config.effort` it takes.
        prefill: continues a last turn of the assistant.
        forced_tools: takes a tool choice that leaves the model no other way.
        json_schema: has `output_config.format`.
        mid_system: takes turns of role system inside the conversation.
        max_output_tokens: the longest answer, thinking included.
    """

    claude: bool = False
    sampling: bool = True
    one_of_temperature_and_top_p: bool = False
    thinking: frozenset[ThinkingType] = frozenset({"enabled", "disabled"})
    thinks_by_default: bool = False
    hides_thinking: bool = False
    bound_thinking: bool = False
    efforts: tuple[Effort, ...] = ()
    prefill: bool = False
    forced_tools: bool = True
    json_schema: bool = True
    mid_system: bool = False
    max_output_tokens: int | None = None

    @property
    def adaptive(self) -> bool:
        """Whether the model itself decides how long to think, led by an effort."""
        return "adaptive" in self.thinking

    @property
    def budget(self) -> bool:
        """Whether it takes a thinking budget in tokens."""
        return "enabled" in self.thinking

    @property
    def can_be_thoughtless(self) -> bool:
        """Whether it can be had without thinking."""
        return not self.thinks_by_default or "disabled" in self.thinking


def nearest(wanted: Effort, efforts: tuple[Effort, ...]) -> Effort | None:
    """Give of `efforts` the one nearest to `wanted`; of two, the lower. None where there are none."""
    place = _ORDER.index(wanted)
    ranked = [(abs(_ORDER.index(effort) - place), _ORDER.index(effort)) for effort in efforts if effort != "off"]
    return _ORDER[min(ranked)[1]] if ranked else None


UNKNOWN_FAMILY = Family()
"""A model of another vendor that speaks this wire. A prefill it may not know is asked for in words."""

_UP_TO_HIGH: tuple[Effort, ...] = ("low", "medium", "high")
_WITHOUT_XHIGH: tuple[Effort, ...] = (*_UP_TO_HIGH, "max")
_UP_TO_MAX: tuple[Effort, ...] = (*_UP_TO_HIGH, "xhigh", "max")
_BUDGET: frozenset[ThinkingType] = frozenset({"enabled", "disabled"})
_ADAPTIVE: frozenset[ThinkingType] = frozenset({"adaptive", "disabled"})
_ALWAYS: frozenset[ThinkingType] = frozenset({"adaptive"})

_CLAUDE_2 = Family(
    claude=True, thinking=frozenset(), prefill=True, forced_tools=False, json_schema=False, max_output_tokens=4096
)
_CLAUDE_3 = Family(claude=True, thinking=frozenset(), prefill=True, json_schema=False, max_output_tokens=4096)
_CLAUDE_35 = msgspec.structs.replace(_CLAUDE_3, max_output_tokens=8192)
_CLAUDE_37 = msgspec.structs.replace(_CLAUDE_3, thinking=_BUDGET, max_output_tokens=64_000)
_CLAUDE_4 = msgspec.structs.replace(_CLAUDE_37, one_of_temperature_and_top_p=True)
_OPUS_4 = msgspec.structs.replace(_CLAUDE_4, max_output_tokens=32_000)
_OPUS_41 = msgspec.structs.replace(_OPUS_4, json_schema=True)
_CLAUDE_45 = msgspec.structs.replace(_CLAUDE_4, json_schema=True)
_OPUS_45 = msgspec.structs.replace(_CLAUDE_45, efforts=_UP_TO_HIGH)
_CLAUDE_46 = msgspec.structs.replace(
    _CLAUDE_45,
    thinking=frozenset({"adaptive", "enabled", "disabled"}),
    efforts=_WITHOUT_XHIGH,
    prefill=False,
    max_output_tokens=128_000,
)
_OPUS_47 = msgspec.structs.replace(
    _CLAUDE_46, sampling=False, thinking=_ADAPTIVE, hides_thinking=True, efforts=_UP_TO_MAX
)
_OPUS_48 = msgspec.structs.replace(_OPUS_47, mid_system=True)
_SONNET_5 = msgspec.structs.replace(_OPUS_47, thinks_by_default=True)
_OPUS_5 = msgspec.structs.replace(_SONNET_5, mid_system=True)
_FABLE_5 = msgspec.structs.replace(_SONNET_5, thinking=_ALWAYS, forced_tools=False)
_FABLE_51 = msgspec.structs.replace(_FABLE_5, bound_thinking=True)
_OPUS_55 = msgspec.structs.replace(_FABLE_51, mid_system=True)
_SONNET_55 = msgspec.structs.replace(_OPUS_55, thinking=frozenset({"adaptive", "between_tools"}))
_HAIKU_55 = msgspec.structs.replace(_OPUS_55, forced_tools=True)

# By line, newest first: the first entry that is no newer than the model holds.
_LINES: dict[str, tuple[tuple[tuple[int, int], Family], ...]] = {
    "opus": (
        ((5, 5), _OPUS_55),
        ((5, 0), _OPUS_5),
        ((4, 8), _OPUS_48),
        ((4, 7), _OPUS_47),
        ((4, 6), _CLAUDE_46),
        ((4, 5), _OPUS_45),
        ((4, 1), _OPUS_41),
        ((4, 0), _OPUS_4),
        ((3, 0), _CLAUDE_3),
    ),
    "sonnet": (
        ((5, 5), _SONNET_55),
        ((5, 0), _SONNET_5),
        ((4, 6), _CLAUDE_46),
        ((4, 5), _CLAUDE_45),
        ((4, 0), _CLAUDE_4),
        ((3, 7), _CLAUDE_37),
        ((3, 5), _CLAUDE_35),
        ((3, 0), _CLAUDE_3),
    ),
    "haiku": (((5, 0), _HAIKU_55), ((4, 0), _CLAUDE_45), ((3, 5), _CLAUDE_35), ((3, 0), _CLAUDE_3)),
    "fable": (((5, 1), _FABLE_51), ((5, 0), _FABLE_5)),
    "mythos": (((5, 0), _FABLE_51),),
}

_LINE = "opus|sonnet|haiku|fable|mythos"
_LINE_FIRST = re.compile(rf"claude-({_LINE})-(\d{{1,2}})(?:[-.](\d{{1,2}}))?(?!\d)")
_NUMBER_FIRST = re.compile(rf"claude-(\d)(?:[-.](\d))?-({_LINE})")
_OLD = re.compile(r"claude-(?:instant|v?[12]\b|v?[12]:|v?2\.1)")


@lru_cache(maxsize=256)
def family_of(model: str) -> Family:
    """Tell the family by the model's name, in whichever cloud's spelling."""
    name = model.lower()
    found = _LINE_FIRST.search(name)
    if found is not None:
        return _newest(found[1], (int(found[2]), int(found[3] or 0)))
    found = _NUMBER_FIRST.search(name)
    if found is not None:
        return _newest(found[3], (int(found[1]), int(found[2] or 0)))
    return _CLAUDE_2 if _OLD.search(name) else UNKNOWN_FAMILY


def _newest(line: str, version: tuple[int, int]) -> Family:
    entries = _LINES[line]
    return next((family for since, family in entries if version >= since), entries[-1][1])
