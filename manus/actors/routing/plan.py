"""Own the plan of a request: the deployments to ask, in order, and those left out, each with its reason.

A plan is finite and fixed at admission, and names each deployment once, so that no failure can make a request go round
in circles. What happens to it afterwards is `retry.PlanCursor`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

import msgspec

from manus.messages.ids import DeploymentId, deployment_id
from manus.messages.outcomes import Candidate
from manus.messages.policy import ModelCard
from manus.messages.requests import Strategy

Use = Literal["any", "larger_window", "policy"]
"""When a deployment of a plan is asked: in its turn; only after a context length failure; only after a content policy
refused."""


LEFT = "left the configuration, or cannot answer this any more since it changed"
"""Why a deployment is no candidate any more after a reload."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment that a plan may ask.

    Args:
        key: names the key to show, of an entry that has several.
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
    use: Use = "any"
    after_policy: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The deployments to ask, in order, with those left out.

    Args:
        choices: at least one, and the first has `use="any"`.
        left_out: who is not asked, and why.
        strategy: what ordered them.
        scores: what it ordered by, lower first, where that is a number.
        told: the choices told to people, where that was done once for many requests; else `candidates` tells them.
    """

    choices: tuple[Choice, ...]
    left_out: tuple[Candidate, ...] = ()
    strategy: Strategy = "priority"
    scores: Mapping[DeploymentId, float] = {}
    told: tuple[Candidate, ...] | None = None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The choices told to people, in order, as they are where nothing rests."""
        return candidates_told(self.choices, self.scores) if self.told is None else self.told

    def renewed(self, now: Plan | None) -> Plan:
        """Give what is left of it in a plan that was made now, in the order that it had; who is new comes last.

        None, for nobody is left, gives one without choices.
        """
        there = {} if now is None else {choice.deployment: choice for choice in now.choices}
        gone = [choice for choice in self.choices if choice.deployment not in there]
        stayed = [there.pop(choice.deployment) for choice in self.choices if choice.deployment in there]
        # A reserve is asked only after certain failures, whoever stands before it; nobody has to be first.
        return msgspec.structs.replace(
            now or self,
            choices=(*stayed, *there.values()),
            left_out=(*(now or self).left_out, *(left_out_of(choice, LEFT) for choice in gone)),
            told=None,
        )

    def without(self, choices: Collection[Choice], reason: str) -> Plan:
        """Leave out `choices`, which must not be all; the others keep their order."""
        return msgspec.structs.replace(
            self,
            choices=tuple(choice for choice in self.choices if choice not in choices),
            left_out=(*self.left_out, *(left_out_of(choice, reason) for choice in choices)),
            told=None,
        )


def candidates_told(choices: Iterable[Choice], scores: Mapping[DeploymentId, float]) -> tuple[Candidate, ...]:
    """Tell people of choices, in their order."""
    score_of = scores.get
    return tuple(
        Candidate(
            deployment=c.deployment,
            provider=c.provider,
            model=c.model,
            rank=rank,
            score=score_of(c.deployment),
            reason=c.reason,
        )
        for rank, c in enumerate(choices)
    )


def omitted(provider: str, model: str, reason: str, key: str | None = None) -> Candidate:
    """Say why a deployment is not in a plan."""
    return Candidate(deployment=deployment_id(provider, model, key), provider=provider, model=model, reason=reason)


def left_out_of(choice: Choice, reason: str) -> Candidate:
    """Say why a deployment that was chosen is left out after all."""
    return omitted(choice.provider, choice.model, reason, choice.key)
