"""Own what a route tells of a plan's candidates: their order, scores and reasons, and how their breakers stand."""

from __future__ import annotations

import msgspec

from manus.actors.health.verdicts import NotBefore
from manus.actors.routing.plan import Plan
from manus.actors.routing.standing import Readings
from manus.messages.outcomes import Candidate


def candidates_of(plan: Plan, health: Readings, now: float) -> tuple[Candidate, ...]:
    """Tell the choices of `plan` as they stand at `now`, its admission. Asks health, takes nothing.

    Costs nothing beyond the plan's own telling where all is well.
    """
    candidates = plan.candidates
    if health.all_well:
        return candidates
    told: list[Candidate] = []
    for candidate, choice in zip(candidates, plan.choices, strict=True):
        verdict = health.verdict(choice.deployment, provider=choice.provider, key=choice.key, now=now)
        if isinstance(verdict, NotBefore):
            ready_in_s = max(0.0, verdict.at - now)
            reason = f"{candidate.reason}; rests: {verdict.why}" if candidate.reason else f"rests: {verdict.why}"
            candidate = msgspec.structs.replace(candidate, breaker=verdict.state, ready_in_s=ready_in_s, reason=reason)
        elif verdict.probe:
            candidate = msgspec.structs.replace(candidate, breaker="half_open")
        told.append(candidate)
    return tuple(told)
