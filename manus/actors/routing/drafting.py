"""Own the making of one request's plan from the pool of its kind: the order, the caps, the warm cache, the windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from manus.actors.health.verdicts import Ready
from manus.actors.routing.context_fit import fit_context
from manus.actors.routing.criteria import Caps
from manus.actors.routing.expected_cost import ExpectedCost
from manus.actors.routing.needs import Routable
from manus.actors.routing.no_candidate import nobody
from manus.actors.routing.ordering import Ordering
from manus.actors.routing.plan import Choice, Plan, candidates_told, left_out_of
from manus.actors.routing.pool import LARGER, Pool, same_model, window_of
from manus.actors.routing.standing import Standing
from manus.actors.routing.strategies import LAST, arranged, turned
from manus.messages.failures import Failed
from manus.messages.ids import DeploymentId
from manus.messages.outcomes import Candidate

REMEMBERED = "answered this conversation before"
"""Why a deployment goes before its equals."""

NOBODY_ELSE = "nobody but the first choice is to be asked (fallback_providers is empty)"
"""Why an able deployment is left out of a plan that holds one."""


class Draft:
    """One request's plan in the making. Used once."""

    __slots__ = ("_caps", "_choices", "_left_out", "_ordering", "_pool", "_request", "_scores", "_standing", "_tokens")

    def __init__(
        self, pool: Pool, ordering: Ordering, request: Routable, *, caps: Caps | None, tokens: int, standing: Standing
    ) -> None:
        self._pool = pool
        self._ordering = ordering
        self._request = request
        self._caps = caps
        self._tokens = tokens
        self._standing = standing
        self._choices: list[Choice] = []
        self._left_out = list(pool.left_out)
        self._scores: dict[DeploymentId, float] = {}

    def finished(self, costs: ExpectedCost, remembered: DeploymentId | None) -> Plan | Failed:
        """Give the plan; takes a turn where the pool's deployments take turns and no warm cache decides instead.

        Args:
            costs: what the request costs at a model.
            remembered: who answered its conversation last, where that counts.
        """
        pool, turns = self._pool, self._standing.turns
        name = pool.groups[0].name
        turn = turns.next(name) if pool.takes_turns else 0
        for group in pool.groups:
            places = self._within_caps(group.choices)
            if not places:
                continue
            order, by = arranged(group, places, self._ordering, turn, costs, self._standing)
            ordered = [group.choices[place] for place in order]
            if by is not None:
                self._score(ordered, [by[place] for place in order])
            if not self._choices:
                warm = remembered is not None and self._put_first(ordered, remembered, any_of_them=group.equals)
                if pool.takes_turns and not warm:
                    turns.take(name)
            self._choices += ordered
        if not self._choices:
            return nobody(self._left_out, self._request, ())
        reserves = [pool.reserves[place] for place in self._within_caps(pool.reserves)]
        choices = self._alone(reserves) if pool.alone else [*self._choices, *reserves]
        return fitted(choices, self._left_out, self._scores, self._ordering, tokens=self._tokens, pool=pool)

    def _score(self, choices: Sequence[Choice], scores: Sequence[float]) -> None:
        """Take down what the strategy ordered by; of what is unknown there is no score."""
        for choice, score in zip(choices, scores, strict=True):
            if score != LAST:
                self._scores[choice.deployment] = score

    def _within_caps(self, choices: Sequence[Choice]) -> list[int]:
        """Give the places of those that exceed no cap; the others are left out, and say which."""
        if self._caps is None:
            return list(range(len(choices)))
        places: list[int] = []
        for place, choice in enumerate(choices):
            told = self._caps.exceeded_by(choice)
            if told:
                self._left_out.append(left_out_of(choice, told))
            else:
                places.append(place)
        return places

    def _put_first(self, ordered: list[Choice], remembered: DeploymentId, *, any_of_them: bool) -> bool:
        """Let the deployment that answered the conversation last go before its equals, unless it rests."""
        place = next((place for place, choice in enumerate(ordered) if choice.deployment == remembered), None)
        if place is None:
            return False
        choice, first = ordered[place], ordered[0]
        if not (any_of_them or self._ordering.among_equals or same_model(choice, first)):
            return False
        standing = self._standing
        if not standing.health.all_well:
            verdict = standing.health.verdict(remembered, provider=choice.provider, key=choice.key, now=standing.now)
            if not isinstance(verdict, Ready) or verdict.probe:
                return False
        del ordered[place]
        ordered.insert(0, msgspec.structs.replace(choice, reason=REMEMBERED))
        return True

    def _alone(self, reserves: Sequence[Choice]) -> list[Choice]:
        kept, others = alone(self._choices, reserves)
        self._left_out += others
        return kept


def plan_of_turn(pool: Pool, ordering: Ordering, turn: int) -> Plan:
    """Make the plan of all requests of a kind whose order depends on nothing but whose turn it is."""
    choices: list[Choice] = []
    for group in pool.groups:
        places = turned(group, list(range(len(group.choices))), turn)
        choices += (group.choices[place] for place in places)
    left_out = list(pool.left_out)
    if pool.alone:
        choices, others = alone(choices, pool.reserves)
        left_out += others
    else:
        choices += pool.reserves
    told = candidates_told(choices, {})
    return Plan(choices=tuple(choices), left_out=tuple(left_out), strategy=ordering.strategy, told=told)


def fitted(
    choices: Sequence[Choice],
    left_out: Sequence[Candidate],
    scores: Mapping[DeploymentId, float],
    ordering: Ordering,
    *,
    tokens: int,
    pool: Pool,
) -> Plan | Failed:
    """Make a plan of those whose windows a prompt of about `tokens` fits into."""
    if pool.is_overflown_by(tokens):
        fit = fit_context(choices, tokens)
        if isinstance(fit, Failed):
            return fit
        choices, too_small = fit
        left_out = [*left_out, *too_small]
    return Plan(choices=tuple(choices), left_out=tuple(left_out), strategy=ordering.strategy, scores=scores)


def alone(choices: Sequence[Choice], reserves: Sequence[Choice]) -> tuple[list[Choice], list[Candidate]]:
    """Keep the first choice under all its keys, and its larger siblings in reserve; the others are left out."""
    first = choices[0]
    window = window_of(first.card)
    kept: list[Choice] = []
    larger: list[Choice] = []
    left_out: list[Candidate] = []
    for choice in (*choices, *reserves):
        if same_model(choice, first):
            kept.append(choice)
        elif choice.provider == first.provider and 0 < window < window_of(choice.card):
            larger.append(msgspec.structs.replace(choice, use="larger_window", reason=LARGER))
        else:
            left_out.append(left_out_of(choice, NOBODY_ELSE))
    return [*kept, *sorted(larger, key=_window)], left_out


def _window(choice: Choice) -> int:
    return window_of(choice.card)
