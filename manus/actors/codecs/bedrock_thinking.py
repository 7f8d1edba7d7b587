"""Own how a Bedrock model is told how much to think: each family by a field of its own (bedrock.md, section 2).

Claude's rules are those of its own API (`anthropic_thinking`); only the place differs, for Converse merges
`additionalModelRequestFields` into the model's native request. The open models take an effort by name.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from manus.actors.codecs.anthropic_messages import stands_in_loop_without_thinking
from manus.actors.codecs.anthropic_models import Family as ClaudeFamily
from manus.actors.codecs.anthropic_models import nearest
from manus.actors.codecs.anthropic_thinking import plan_thinking
from manus.actors.codecs.bedrock_models import BedrockFamily
from manus.actors.codecs.encoding import Body, Warnings
from manus.messages.content import Turn
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, Effort

_THREE: tuple[Effort, ...] = ("low", "medium", "high")
_TWO: tuple[Effort, ...] = ("low", "high")


class ThinkingFields(msgspec.Struct, frozen=True, kw_only=True):
    """What the request says of thinking.

    Args:
        fields: members of `additionalModelRequestFields`.
        max_tokens: the bound of the answer, where one is sent.
        free_sampling: whether temperature and the like may be sent beside.
        bounded: whether a bound of the answer may be sent beside.
    """

    fields: Body
    max_tokens: int | None
    free_sampling: bool = True
    bounded: bool = True


def thinking_fields(
    request: ChatRequest, turns: Sequence[Turn], family: BedrockFamily, card: ModelCard | None, *, forced: bool,
    warnings: Warnings,
) -> ThinkingFields:  # fmt: skip
    """Decide what is said of thinking.

    Args:
        turns: the normalised conversation.
        forced: the tool choice leaves the model no other way.
    """
    if family.claude is not None:
        return _of_claude(request, turns, family.claude, card, forced=forced, warnings=warnings)
    wanted = request.reasoning
    bound = request.max_output_tokens
    if wanted is None or (wanted.effort is None and wanted.budget_tokens is None):
        return ThinkingFields(fields={}, max_tokens=bound)
    if wanted.budget_tokens is not None:
        warnings.say("reasoning_budget_dropped", "The model takes no thinking budget in tokens; set an effort.")
    effort = wanted.effort
    if effort is None:
        return ThinkingFields(fields={}, max_tokens=bound)
    if family.effort == "none" or (card is not None and card.reasoning is False):
        if effort != "off":
            warnings.say("reasoning_effort_dropped", "The model does not think, or takes no effort.")
        return ThinkingFields(fields={}, max_tokens=bound)
    return _of_others(effort, family, bound, warnings)


def _of_claude(
    request: ChatRequest, turns: Sequence[Turn], claude: ClaudeFamily, card: ModelCard | None, *, forced: bool,
    warnings: Warnings,
) -> ThinkingFields:  # fmt: skip
    begun_without = stands_in_loop_without_thinking(turns)
    plan = plan_thinking(request, claude, card, forced=forced, begun_without=begun_without, warnings=warnings)
    fields: Body = {}
    if plan.body is not None:
        fields["thinking"] = plan.body
    if plan.effort is not None:
        fields["output_config"] = {"effort": plan.effort}
    # Converse knows the model's own bound; ours only has to leave room for an answer behind a budget.
    sent = request.max_output_tokens is not None or plan.budgeted
    return ThinkingFields(fields=fields, max_tokens=plan.max_tokens if sent else None, free_sampling=not plan.budgeted)


def _of_others(effort: Effort, family: BedrockFamily, bound: int | None, warnings: Warnings) -> ThinkingFields:
    if family.effort == "nova":
        if effort == "off":
            return ThinkingFields(fields={"reasoningConfig": {"type": "disabled"}}, max_tokens=bound)
        chosen = _chosen(effort, _THREE, warnings)
        fields: Body = {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": chosen}}
        # At the highest effort the model sets its own bound and draws its own way, and refuses to be told either.
        free = chosen != "high"
        return ThinkingFields(fields=fields, max_tokens=bound, free_sampling=free, bounded=free)
    if effort == "off":
        warnings.say("reasoning_always_on", "The model cannot be told not to think.")
        return ThinkingFields(fields={}, max_tokens=bound)
    efforts = _THREE if family.effort == "reasoning_effort" else _TWO
    return ThinkingFields(fields={family.effort: _chosen(effort, efforts, warnings)}, max_tokens=bound)


def _chosen(wanted: Effort, efforts: tuple[Effort, ...], warnings: Warnings) -> Effort:
    chosen = nearest(wanted, efforts)
    assert chosen is not None
    if chosen != wanted:
        warnings.say("reasoning_effort_changed", f"The model takes no effort {wanted!r}; {chosen!r} was sent.")
    return chosen
