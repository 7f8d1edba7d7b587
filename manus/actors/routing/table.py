"""Own the routing table: it answers a request with a plan, or says why nobody can answer it.

Pure: the time, the draws, and what was observed are handed in. What is the same for all requests of a kind (who is
able, and why the others are not) is prepared once and kept; only what a strategy orders by is looked at per request.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import msgspec

from manus.actors.estimates.measure import Measured
from manus.actors.routing.criteria import Caps, has_caps
from manus.actors.routing.drafting import Draft, fitted, plan_of_turn
from manus.actors.routing.entries import Entries
from manus.actors.routing.expected_cost import ExpectedCost
from manus.actors.routing.needs import Needs, Routable, needs_of
from manus.actors.routing.ordering import Ordering, ordering_of
from manus.actors.routing.plan import Plan
from manus.actors.routing.pool import Pool
from manus.actors.routing.pooling import PoolMaker
from manus.actors.routing.standing import Standing
from manus.messages.failures import Failed
from manus.messages.ids import DeploymentId
from manus.messages.policy import ProviderPolicy
from manus.messages.requests import ChatRequest
from manus.messages.routing_policy import RouterPolicy

POOLS_KEPT = 256
"""Pools remembered, one for each kind of request; a kind is what was named and what is needed, so there are few."""

CHOICES_KEPT = 32_768
"""Deployments in all of them, lest the pools of requests that name something new each time hold much memory."""

TURNS_PLANNED = 12
"""Turns after which all keys stand as before, at most, for their plans to be kept: five entries with 2 to 4 keys."""


class Prepared(msgspec.Struct, frozen=True):
    """What is kept for a kind of request: its pool, what orders it, and its plans where they do not depend on more.

    `plans` has one for each turn, made when it is first needed; it is empty where a request's order is its own.
    """

    pool: Pool
    ordering: Ordering
    plans: list[Plan | None]

    def plan_of(self, turn: int) -> Plan:
        """Give the plan of a turn."""
        place = turn % len(self.plans)
        plan = self.plans[place]
        if plan is None:
            plan = self.plans[place] = plan_of_turn(self.pool, self.ordering, turn)
        return plan


class RoutingTable:
    """The configured entries, ready to be planned over.

    Args:
        providers: the enabled entries.
        policy: strategy, first choice and fallbacks where a request names none.
        disabled: names of entries that exist but are switched off; naming one is answered so.

    Raises:
        ValueError: the policy names an entry or a model that does not exist, a name occurs twice, or weights are no
            shares.
    """

    __slots__ = ("_choices_kept", "_entries", "_policy", "_prepared")

    def __init__(
        self, providers: Sequence[ProviderPolicy], policy: RouterPolicy, *, disabled: Collection[str] = ()
    ) -> None:
        self._entries = Entries(providers, disabled=disabled)
        self._policy = policy
        self._prepared: dict[tuple[object, ...], Prepared] = {}
        self._choices_kept = 0
        self._check_names()

    def plan(
        self,
        request: Routable,
        *,
        estimated_input_tokens: int,
        standing: Standing,
        measured: Measured | None = None,
    ) -> Plan | Failed:
        """Order the candidates for `request`, or say why nobody can answer it.

        With the prompt `measured`, costs are those of each family's own count of it.

        May take a turn and draw from `standing`; `Standing.rehearsal` is for plans that nobody carries out.
        """
        prepared = self._prepare(request)
        if isinstance(prepared, Failed):
            return prepared
        pool, ordering = prepared.pool, prepared.ordering
        tokens = estimated_input_tokens
        capped, remembered = False, None
        if isinstance(request, ChatRequest):
            capped = has_caps(request)
            if request.conversation_id is not None and pool.has_equals:
                remembered = self._remembered(request.conversation_id, standing)
        if prepared.plans and remembered is None and not capped:
            plan = prepared.plan_of(standing.turns.take(pool.groups[0].name) if pool.takes_turns else 0)
            if not pool.is_overflown_by(tokens):
                return plan
            return fitted(plan.choices, plan.left_out, {}, ordering, tokens=tokens, pool=pool)
        costs = ExpectedCost(request, tokens, measured)
        caps = Caps(request, costs, standing) if capped and isinstance(request, ChatRequest) else None
        draft = Draft(pool, ordering, request, caps=caps, tokens=tokens, standing=standing)
        return draft.finished(costs, remembered)

    def _prepare(self, request: Routable) -> Prepared | Failed:
        """Give what is kept for requests of this kind."""
        needs = needs_of(request)
        strategy, criteria = self._policy.strategy, None
        if isinstance(request, ChatRequest):
            strategy = request.strategy or strategy
            criteria = request.criteria
        kind: tuple[object, ...] = (request.provider, request.model, request.fallback_providers, needs, strategy)
        if criteria is None:
            return self._prepared.get(kind) or self._prepare_anew(kind, request, needs, ordering_of(strategy, None))
        ordering = ordering_of(strategy, criteria)
        kind = (*kind, ordering, criteria.min_context_length, criteria.tags)
        return self._prepared.get(kind) or self._prepare_anew(kind, request, needs, ordering)

    def _prepare_anew(
        self, kind: tuple[object, ...], request: Routable, needs: Needs, ordering: Ordering
    ) -> Prepared | Failed:
        pool = PoolMaker(self._entries, self._policy, request, needs, ordering).make()
        if isinstance(pool, Failed):
            return pool
        turns = math.lcm(*(end - first for group in pool.groups for first, end in group.rings))
        prepared = Prepared(pool, ordering, [None] * turns if ordering.by_entry and turns <= TURNS_PLANNED else [])
        size = pool.size * (1 + len(prepared.plans))
        if len(self._prepared) >= POOLS_KEPT or self._choices_kept + size > CHOICES_KEPT:
            self._prepared.clear()
            self._choices_kept = 0
        self._prepared[kind] = prepared
        self._choices_kept += size
        return prepared

    def _remembered(self, conversation_id: str, standing: Standing) -> DeploymentId | None:
        """Tell who answered the conversation last, if that was lately enough for its prompt cache to be warm."""
        return standing.affinity.recall(conversation_id, now=standing.now, for_s=self._policy.affinity_s)

    def _check_names(self) -> None:
        """Refuse a policy that names what does not exist."""
        policy, entries = self._policy, self._entries
        default = policy.default_provider
        if default is not None and default not in entries.by_name and default not in entries.disabled:
            raise ValueError(f"the routing policy names a provider {default!r} that is not configured")
        for field in ("fallback_providers", "policy_fallbacks"):
            for item in getattr(policy, field) or ():
                problem = entries.problem_of(item)
                if problem is not None:
                    raise ValueError(f"{field} of the routing policy: {problem}")
        for model, items in policy.fallbacks.items():
            for name in (model, *items):
                problem = entries.problem_of_substitute(name)
                if problem is not None:
                    raise ValueError(f"fallbacks of the routing policy, of {model!r}: {problem}")
