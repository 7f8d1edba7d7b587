"""Own the plan of a request: the deployments to ask, in order, and those left out, each with its reason.

A plan is finite and fixed at admission, and names each deployment once, so that no failure can make a request go round
in circles. What happens to it afterwards is `retry.PlanCursor`'s.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from manus.messages.ids import DeploymentId, deployment_id
from manus.messages.outcomes import Candidate
from manus.messages.policy import ModelCard
from manus.messages.requests import Strategy

Use = Literal["any", "larger_window", "policy"]
"""When a deployment of a plan is asked: in its turn; only after a context length failure; only after a content policy
refused."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment that a plan may ask.

    Args:
        key: names the key to show, of an entry that has several.
        score: what the strategy ordered by.
        use: when it is asked.
        after_policy: whether it may be asked after a content policy refused: all that have `use="policy"`, and those
            that are asked in their turn and are policy fallbacks too.
    """

    deployment: DeploymentId
    provider: str
    model: str
    card: ModelCard
    reason: str
    key: str | None = None
    score: float | None = None
    use: Use = "any"
    after_policy: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The deployments to ask, in order, and the same told to people, with those left out."""

    choices: tuple[Choice, ...]
    candidates: tuple[Candidate, ...] = ()
    left_out: tuple[Candidate, ...] = ()
    strategy: Strategy = "priority"


def plan_of(choices: tuple[Choice, ...], left_out: tuple[Candidate, ...], strategy: Strategy = "priority") -> Plan:
    """Make a plan that asks `choices` in their order."""
    candidates = tuple(
        Candidate(
            deployment=c.deployment, provider=c.provider, model=c.model, rank=rank, score=c.score, reason=c.reason
        )
        for rank, c in enumerate(choices)
    )
    return Plan(choices=choices, candidates=candidates, left_out=left_out, strategy=strategy)


def omitted(provider: str, model: str, reason: str, key: str | None = None) -> Candidate:
    """Say why a deployment is not in a plan."""
    return Candidate(deployment=deployment_id(provider, model, key), provider=provider, model=model, reason=reason)


def left_out_of(choice: Choice, reason: str) -> Candidate:
    """Say why a deployment that was chosen is left out after all."""
    return omitted(choice.provider, choice.model, reason, choice.key)
