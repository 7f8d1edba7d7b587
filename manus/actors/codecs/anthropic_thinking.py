"""Own how much a Claude is told to think: type, budget, effort and display, by family (anthropic.md, section 3).

| asked | models that lead themselves (4.6 and later) | models with a budget (3.7 to 4.5) |
|---|---|---|
| an effort | `adaptive`, and the nearest effort they take | a budget of that size; Opus 4.5 also the effort |
| a budget | 4.6: as asked; later: `adaptive`, with a warning | as asked, at least 1024 and below `max_tokens` |
| `off` | `disabled`, or the lowest effort where they always think | nothing: they do not unless told to |
| nothing | nothing | nothing |

Thinking gives way to what the caller demanded besides: a tool that must be called, and a tool loop that was begun
without thinking. Each time a warning says so.
"""

from __future__ import annotations

import msgspec

from manus.actors.codecs.anthropic_models import Family, nearest
from manus.actors.codecs.encoding import Body, Warnings
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, Effort, ReasoningOptions

BUDGET_TOKENS_MIN = 1024
"""The smallest budget that the vendor takes."""

ANSWER_TOKENS = 8192
"""What is left for the answer beside a budget, where the caller set no bound."""

DEFAULT_MAX_TOKENS = 32_000
"""The wire demands a bound; this one cuts no usual answer, thinking included, on models that can write so much."""

HARD_MAX_TOKENS = 64_000
"""The same for the highest efforts, which think longer."""

_BUDGET_OF: dict[Effort, int] = {
    "minimal": 1024,
    "low": 4096,
    "medium": 10_000,
    "high": 20_000,
    "xhigh": 32_000,
    "max": 48_000,
}


class Thinking(msgspec.Struct, frozen=True, kw_only=True):
    """What the request says of thinking.

    Args:
        body: the value of `thinking`; None to leave it out.
        effort: the value of `output_config.effort`.
        max_tokens: the bound of the answer, which has to be larger than the budget.
    """

    body: Body | None
    effort: Effort | None
    max_tokens: int

    @property
    def budgeted(self) -> bool:
        """Whether the model thinks with a budget, which goes with fewer other things than `adaptive`."""
        return self.body is not None and self.body["type"] == "enabled"


def plan_thinking(
    request: ChatRequest,
    family: Family,
    card: ModelCard | None,
    *,
    forced: bool,
    begun_without: bool,
    warnings: Warnings,
) -> Thinking:
    """Decide what is said of thinking, and the bound of the answer.

    Args:
        forced: the tool choice leaves the model no other way.
        begun_without: the conversation stands in a tool loop whose calls were made without thinking.
    """
    most = family.max_output_tokens if card is None or card.max_output_tokens is None else card.max_output_tokens
    bound = _bound(request, most, warnings)
    wanted = request.reasoning
    if wanted is None or (wanted.effort is None and wanted.budget_tokens is None):
        shown = _shown({"type": "adaptive"}, family, wanted) if wanted and family.thinks_by_default else None
        return Thinking(body=shown, effort=None, max_tokens=_max_tokens(bound, most, None, 0))
    if (card is not None and card.reasoning is False) or not family.thinking:
        if wanted.effort != "off":
            warnings.say("reasoning_dropped", "The model does not think.")
        return Thinking(body=None, effort=None, max_tokens=_max_tokens(bound, most, None, 0))
    if wanted.effort == "off":
        return _without(family, card, bound, most, warnings)
    effort = _effort(wanted.effort, family, card, warnings)
    if family.adaptive and not (family.budget and wanted.budget_tokens is not None):
        if wanted.budget_tokens is not None:
            warnings.say("reasoning_budget_dropped", "The model takes no thinking budget in tokens; set an effort.")
        body = _shown({"type": "adaptive"}, family, wanted)
        return Thinking(body=body, effort=effort, max_tokens=_max_tokens(bound, most, effort, 0))
    budget = _budget(wanted, card, bound or most, forced=forced, begun_without=begun_without, warnings=warnings)
    enabled = None if budget is None else _shown({"type": "enabled", "budget_tokens": budget}, family, wanted)
    return Thinking(body=enabled, effort=effort, max_tokens=_max_tokens(bound, most, effort, budget or 0))


def _without(
    family: Family, card: ModelCard | None, bound: int | None, most: int | None, warnings: Warnings
) -> Thinking:
    can = family.can_be_thoughtless
    if card is not None and card.thinking_off is not None:
        can = card.thinking_off
    if can:
        silent = family.claude and not family.thinks_by_default
        body: Body | None = None if silent else {"type": "disabled"}
        return Thinking(body=body, effort=None, max_tokens=_max_tokens(bound, most, None, 0))
    efforts = family.efforts if card is None or card.efforts is None else card.efforts
    lowest = nearest("minimal", efforts)
    warnings.say("reasoning_always_on", f"The model always thinks; the lowest effort was sent ({lowest}).")
    return Thinking(body=None, effort=lowest, max_tokens=_max_tokens(bound, most, lowest, 0))


def _effort(wanted: Effort | None, family: Family, card: ModelCard | None, warnings: Warnings) -> Effort | None:
    efforts = family.efforts if card is None or card.efforts is None else card.efforts
    if wanted is None:
        return None
    chosen = nearest(wanted, efforts)
    if chosen is not None and chosen != wanted:
        warnings.say("reasoning_effort_changed", f"The model takes no effort {wanted!r}; {chosen!r} was sent.")
    return chosen


def _budget(
    wanted: ReasoningOptions, card: ModelCard | None, bound: int | None, *, forced: bool, begun_without: bool,
    warnings: Warnings,
) -> int | None:  # fmt: skip
    if card is not None and card.thinking_budget is False and not card.efforts:
        warnings.say("reasoning_dropped", "The model takes no thinking budget.")
        return None
    if forced:
        warnings.say("reasoning_off_for_forced_tool", "The model does not think where a tool must be called.")
        return None
    if begun_without:
        text = "The model cannot begin to think inside a tool loop that was begun without thinking, or elsewhere."
        warnings.say("reasoning_off_in_tool_loop", text)
        return None
    budget = wanted.budget_tokens
    if budget is None:
        assert wanted.effort is not None
        budget = _BUDGET_OF[wanted.effort]
    room = budget if bound is None else min(budget, bound - 1)
    if room < BUDGET_TOKENS_MIN and bound is not None and bound <= BUDGET_TOKENS_MIN:
        text = f"Thinking takes at least {BUDGET_TOKENS_MIN} tokens and its answer {bound}: it was left out."
        warnings.say("reasoning_dropped", text)
        return None
    chosen = max(room, BUDGET_TOKENS_MIN)
    if wanted.budget_tokens is not None and chosen != wanted.budget_tokens:
        warnings.say("reasoning_budget_changed", f"The thinking budget was set to {chosen} tokens.")
    return chosen


def _shown(body: Body, family: Family, wanted: ReasoningOptions) -> Body:
    if family.hides_thinking and wanted.show:
        body["display"] = "summarized"
    elif family.adaptive and not family.hides_thinking and not wanted.show:
        body["display"] = "omitted"
    return body


def _bound(request: ChatRequest, most: int | None, warnings: Warnings) -> int | None:
    """Give the caller's bound, no higher than the model's own: more is a 400."""
    bound = request.max_output_tokens
    if bound is not None and most is not None and bound > most:
        warnings.say("max_output_tokens_lowered", f"The model writes at most {most} tokens; {bound} were asked for.")
        return most
    return bound


def _max_tokens(bound: int | None, most: int | None, effort: Effort | None, budget: int) -> int:
    if bound is not None:
        return bound
    wanted = max(HARD_MAX_TOKENS if effort in ("xhigh", "max") else DEFAULT_MAX_TOKENS, budget + ANSWER_TOKENS)
    return wanted if most is None else min(wanted, most)
