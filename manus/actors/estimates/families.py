"""Own what is known of how model families count a prompt, by the names their vendors give them.

A family's vocabulary is described by its ratio to `o200k_base`, in which texts are weighed; what a vendor puts around
the text (roles, preambles for tools, schemas in its own notation) by fixed numbers. The figures are fitted to one half
of the recorded traffic and checked on the other (docs/estimates.md tells how near they are); where records are few they
are a starting point, from which `calibration` learns. A family that nobody described counts as the rest does.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

import msgspec

Pictures = Literal["tiles", "patches", "squares", "area", "unknown"]
"""By what rule a picture is counted (`picture_tokens`)."""

FAMILIES_KEPT: Final = 512
"""Names whose family is remembered; those of one configuration are fewer."""


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """How one family counts, in tokens.

    Args:
        name: for people.
        ratio: tokens of this vocabulary for one of `o200k_base`, on prose and code.
        base, turn: what a conversation, and each turn of it, adds.
        tools, tool: what tools add, and each of them, besides `tool_ratio` for each token of their JSON.
        call: each call or result of a tool in the conversation.
        form: what an answer's schema adds, besides `form_ratio` for each token of its JSON.
        thinking: what asking for thinking adds.
        pictures: by what rule; `picture` the numbers that the rule takes, `picture_max` what no picture exceeds by the
            vendor's own word, None where it gives none.
        vocabulary: which exact tokenizer counts as the vendor does.
        hosted: served by its makers and the clouds alone: whatever holds for local servers does not hold for it.
    """

    name: str
    ratio: float = 1.05
    base: int = 3
    turn: int = 4
    tools: int = 30
    tool: int = 10
    tool_ratio: float = 1.1
    call: int = 15
    form: int = 10
    form_ratio: float = 0.8
    thinking: int = 0
    pictures: Pictures = "unknown"
    picture: tuple[float, ...] = ()
    picture_max: int | None = None
    vocabulary: Literal["o200k_base", "cl100k_base"] | None = None
    hosted: bool = False


UNKNOWN: Final = Family(name="unknown")
"""A family nobody described: what most have in common."""

_GPT_4: Final = Family(
    name="gpt-4o and 4.1",
    ratio=1.0,
    tools=14,
    tool=6,
    tool_ratio=0.55,
    call=6,
    form=9,
    form_ratio=0.8,
    pictures="tiles",
    picture=(85, 170),
    picture_max=1445,
    vocabulary="o200k_base",
    hosted=True,
)
_GPT_5: Final = Family(
    name="gpt-5 and o-series",
    ratio=1.0,
    base=2,
    tools=0,
    tool=0,
    tool_ratio=1.15,
    call=16,
    form=10,
    form_ratio=1.0,
    pictures="tiles",
    picture=(70, 140),
    picture_max=1190,
    vocabulary="o200k_base",
    hosted=True,
)
_CLAUDE: Final = Family(
    name="claude to 4.1",
    ratio=1.14,
    base=4,
    turn=3,
    tools=265,
    tool=20,
    tool_ratio=1.22,
    call=55,
    form=100,
    form_ratio=1.8,
    thinking=28,
    pictures="squares",
    picture=(1568, 1568),
    picture_max=1600,
    hosted=True,
)
_CLAUDE_45: Final = msgspec.structs.replace(
    _CLAUDE, name="claude 4.5 and 4.6", ratio=1.12, base=5, tools=506, tool=0, tool_ratio=1.41, call=40
)
# Anthropic: some 30 % more tokens for the same text since Opus 4.7 (anthropic.md, section 3).
_CLAUDE_47: Final = msgspec.structs.replace(
    _CLAUDE_45,
    name="claude since 4.7",
    ratio=1.35,
    turn=4,
    tools=370,
    tool_ratio=1.9,
    picture=(2576, 4784),
    picture_max=4850,
)
_NOVA: Final = Family(
    name="nova 1",
    ratio=1.15,
    base=0,
    turn=0,
    tools=359,
    tool=0,
    call=25,
    pictures="area",
    picture=(896, 660),
    hosted=True,
)
_FAMILIES: Final[tuple[tuple[str, Family], ...]] = (
    # gpt-oss is what anybody serves; its template has a preamble of its own.
    (
        r"gpt-oss",
        Family(name="gpt-oss", ratio=1.0, base=63, tools=10, tool_ratio=1.2, call=24, vocabulary="o200k_base"),
    ),
    (
        r"gpt-4o-mini",
        msgspec.structs.replace(_GPT_4, name="gpt-4o-mini", picture=(2833, 5667), picture_max=48_169),
    ),
    (
        r"gpt-4\.1-(mini|nano)",
        msgspec.structs.replace(_GPT_4, name="gpt-4.1-mini", pictures="patches", picture=(2.46,), picture_max=3779),
    ),
    (r"(gpt-4o|gpt-4\.1|gpt-4\.5|chatgpt-4o)", _GPT_4),
    (
        r"gpt-(4|3\.?5)",
        msgspec.structs.replace(_GPT_4, name="gpt-4 and 3.5", vocabulary="cl100k_base"),
    ),
    # From gpt-5.4 on a picture may be taken in its own size, whose cap is in no document we have.
    (
        r"gpt-5\.[4-9]|gpt-[6-9]|gpt-5(\.\d)?-(mini|nano)|o4-mini",
        msgspec.structs.replace(_GPT_5, name="gpt-5.4 and small", pictures="patches", picture=(1.2,), picture_max=None),
    ),
    (r"gpt-5|(^|/)o[134]($|-)", _GPT_5),
    (r"(haiku|sonnet|opus)-4[-.][56]|claude-4[-.][56]", _CLAUDE_45),
    (r"opus-4[-.][7-9]|(haiku|sonnet|opus|fable|mythos)-[5-9]|claude-[5-9]", _CLAUDE_47),
    (r"claude", _CLAUDE),
    (r"nova-(2|[3-9])", msgspec.structs.replace(_NOVA, name="nova 2", ratio=1.0, base=46, tools=830, call=45)),
    (r"titan", Family(name="titan", base=0, turn=2)),
    (r"nova-(micro|lite|pro|premier)", _NOVA),
    (
        r"qwen",
        Family(
            name="qwen", ratio=1.0, base=5, turn=5, tools=90, tool=10, tool_ratio=0.9, call=30, form=0, form_ratio=0.0
        ),
    ),
    (r"llama", Family(name="llama", ratio=1.02, base=20, turn=7, tools=80)),
    (
        r"mistral|ministral|mixtral|codestral|pixtral",
        Family(name="mistral", ratio=1.07, base=0, tools=0, tool=15, tool_ratio=1.5, call=0),
    ),
    (r"deepseek", Family(name="deepseek", ratio=1.0, tools=180)),
    (r"grok", Family(name="grok", ratio=1.1, tools=180, call=20)),
)
_MATCHERS: Final = tuple((re.compile(pattern), family) for pattern, family in _FAMILIES)


@lru_cache(maxsize=FAMILIES_KEPT)
def family_of(model: str) -> Family:
    """Tell the family of a model by its vendor's name for it, however gateways and clouds spell that."""
    name = model.lower()
    for pattern, family in _MATCHERS:
        if pattern.search(name):
            return family
    return UNKNOWN
