"""Own what is known of OpenAI's model families by their names: what a request to each may hold.

Source: openai.md section 2.4, read 2026-11. It only matters for api.openai.com and for gateways to it; a
name of another vendor is an unknown family, which gets the plain old request that all servers take.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

import msgspec

from manus.messages.policy import ModelCard
from manus.messages.requests import Effort

Reasons = Literal["never", "off_by_default", "on_by_default", "always", "unknown"]
ToolRule = Literal["yes", "unless_reasoning", "no"]
Api = Literal["chat", "responses", "responses_only"]

_ORDER: tuple[Effort, ...] = ("off", "minimal", "low", "medium", "high", "xhigh", "max")


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """What a family accepts.

    Args:
        reasons: whether the model thinks, and whether one can have it not think.
        efforts: the values of `reasoning_effort` it takes; `off` stands for `none`.
        openai: a family of OpenAI's; False for the unknown ones.
        tools: function tools on Chat Completions: always; only while the model does not think; never.
        api: which of OpenAI's two wires serves it best, or at all.
        explicit_cache: takes `prompt_cache_breakpoint` on parts.
        system: the role for system turns; the first reasoning models took neither label.
    """

    reasons: Reasons
    efforts: tuple[Effort, ...] = ()
    openai: bool = True
    tools: ToolRule = "yes"
    api: Api = "chat"
    explicit_cache: bool = False
    system: Literal["system", "developer", "user"] = "developer"

    def thinks_with(self, effort: Effort | None) -> bool:
        """Tell whether the model thinks when asked with this effort (None: not asked at all)."""
        if self.reasons in ("never", "unknown"):
            return False
        if effort is not None:
            return effort != "off"
        return self.reasons != "off_by_default"

    def nearest_effort(self, wanted: Effort) -> Effort | None:
        """Give the accepted effort nearest to `wanted`; of two, the lower. None where none is taken.

        Who asks for thought is never given none.
        """
        if self.reasons == "unknown":
            return wanted
        place = _ORDER.index(wanted)
        taken = [_ORDER.index(effort) for effort in self.efforts if effort != "off" or wanted == "off"]
        ranked = [(abs(rank - place), rank) for rank in taken]
        return _ORDER[min(ranked)[1]] if ranked else None


UNKNOWN_FAMILY = Family(reasons="unknown", openai=False, system="system")
"""A model of another vendor, behind a compatible server."""

_PLAIN = Family(reasons="never", system="system")
_THREE: tuple[Effort, ...] = ("low", "medium", "high")
_FIVE: tuple[Effort, ...] = ("minimal", *_THREE)
_UP_TO_XHIGH: tuple[Effort, ...] = (*_THREE, "xhigh")
_UP_TO_MAX: tuple[Effort, ...] = (*_UP_TO_XHIGH, "max")

_O_SERIES = Family(reasons="always", efforts=_THREE)
_ALWAYS_ON = Family(reasons="always", efforts=_UP_TO_XHIGH)
_WITHOUT_TOOLS = Family(reasons="always", efforts=_UP_TO_MAX, tools="no", api="responses", explicit_cache=True)
_LATEST = Family(
    reasons="on_by_default",
    efforts=("off", *_UP_TO_MAX),
    tools="unless_reasoning",
    api="responses",
    explicit_cache=True,
)

# First match wins. `pro`, `codex` and `chat` variants stand before the family they belong to.
_TABLE: tuple[tuple[re.Pattern[str], Family], ...] = tuple(
    (re.compile(pattern), family)
    for pattern, family in (
        (r"o1-(mini|preview)", Family(reasons="always", efforts=(), system="user")),
        (r"o\d", _O_SERIES),
        (r"codex-", _O_SERIES),
        (r"computer-use", Family(reasons="always")),
        (r"(gpt-(3|4)|chatgpt-4)", _PLAIN),
        (r"gpt-5-chat", _PLAIN),
        (r"gpt-audio", _PLAIN),
        (r"(gpt-)?chat-latest", Family(reasons="always", efforts=("medium",))),
        (r"((gpt-)?daybreak|gpt-rosalind)-", _LATEST),
        (r"gpt-5-pro", Family(reasons="always", efforts=("high",))),
        (r"gpt-5(?![.\d])", Family(reasons="always", efforts=_FIVE)),
        (r"gpt-5\.[123]-chat", _ALWAYS_ON),
        (r"gpt-5\.\d+-(pro|codex)", _ALWAYS_ON),
        (r"gpt-5\.1(?!\d)", Family(reasons="off_by_default", efforts=("off", *_THREE))),
        (r"gpt-5\.[23](?!\d)", Family(reasons="off_by_default", efforts=("off", *_UP_TO_XHIGH))),
        (
            r"gpt-5\.4(?!\d)",
            Family(reasons="off_by_default", efforts=("off", *_UP_TO_XHIGH), tools="unless_reasoning", api="responses"),
        ),
        (
            r"gpt-5\.5(?!\d)",
            Family(reasons="on_by_default", efforts=("off", *_UP_TO_XHIGH), tools="unless_reasoning", api="responses"),
        ),
        (r"gpt-6-astra", _WITHOUT_TOOLS),
        (r"gpt-6\.1-sol", _WITHOUT_TOOLS),
        (r"gpt-(5\.|[6-9]|\d\d)", _LATEST),
    )
)


_RESPONSES_ONLY = re.compile(r"codex-|computer-use|.*-(?:pro|codex|deep-research)(?:-|$)")
"""Names of models that Chat Completions does not serve."""


@lru_cache(maxsize=256)
def family_of(model: str) -> Family:
    """Tell the family by the model's name: dated, fine-tuned (`ft:`) or with a gateway's `openai/` before it.

    Such a gateway has one wire for all and asks OpenAI over whichever suits: what bounds OpenAI's two is not its own.
    """
    asked = model.lower()
    name = asked.removeprefix("openai/").removeprefix("ft:")
    if name.startswith("gpt-oss"):
        return UNKNOWN_FAMILY  # open weights, served by everybody
    family = next((family for pattern, family in _TABLE if pattern.match(name)), UNKNOWN_FAMILY)
    if asked.startswith("openai/"):
        return msgspec.structs.replace(family, tools="yes", api="chat")
    if family.openai and _RESPONSES_ONLY.match(name):
        return msgspec.structs.replace(family, api="responses_only")
    return family


def family_for(model: str, card: ModelCard | None) -> Family:
    """Tell the family of a model that may go by a name of the user's own, as a deployment does."""
    return family_of(model if card is None else card.vendor_name)
