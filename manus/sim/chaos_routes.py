"""Own what must hold of routes: plans are finite, roles are what they say, nobody is hammered, batch gives way."""

from __future__ import annotations

import math
from collections import Counter

from manus.messages.outcomes import Attempt, Finished, Route, Unfinished
from manus.messages.watching import AttemptEnded
from manus.sim.chaos_asked import TIE_S, attempts_of, routes_of
from manus.sim.chaos_clients import Seen
from manus.sim.chaos_plan import Plan
from manus.sim.chaos_world import Report

AGAIN = ("retry", "wait", "continue", "splice", "restart")
"""Roles of attempts that may be made at a deployment that the request has asked before."""

RESCUES = ("continue", "splice", "restart")
"""Roles of attempts that follow a stream of which the caller has seen a part."""

REQUEST_SHAPED = ("invalid_request", "content_policy", "context_length")
"""Failures that are not answered by asking others."""

LONG_S = 20.0
"""A deadline that leaves time for others when one is silent."""

OUR_OWN_END = ("cancelled", "deadline")
"""Failures that end a request from outside, whatever was tried."""


def finite_plans(report: Report) -> list[str]:
    """A plan is finite and fixed at admission: what is asked stands in it, and no more often than policy allows."""
    wrong: list[str] = []
    for seen, outcome, route in routes_of(report):
        who = f"client {seen.client.number}"
        planned = {candidate.deployment for candidate in route.candidates}
        attempts = route.attempts
        if len(attempts) > report.plan.retry.attempts_max:
            wrong.append(f"{who}: {len(attempts)} attempts, {report.plan.retry.attempts_max} are allowed")
        if sorted(attempt.number for attempt in attempts) != list(range(1, len(attempts) + 1)):
            wrong.append(f"{who}: its attempts are numbered {[attempt.number for attempt in attempts]}")
        wrong += [
            f"{who}: {attempt.deployment} was asked and is no candidate"
            for attempt in attempts
            if attempt.deployment not in planned
        ]
        allowed = _allowed_providers(seen, report.plan)
        wrong += [
            f"{who}: {attempt.provider} was asked against its wish"
            for attempt in attempts
            if attempt.provider not in allowed
        ]
        drains = (seen.client.on_cancel or report.plan.on_cancel) == "drain"
        if any(attempt.booking == "open" and not (drains and attempt.result == "cancelled") for attempt in attempts):
            wrong.append(f"{who}: an attempt is told as open")
        if isinstance(outcome, Unfinished) and _failed_by_itself(seen, outcome) and attempts and not route.gave_up:
            wrong.append(f"{who}: nobody says why no attempt followed the last one ({outcome.failure.kind})")
        wrong += [f"{who}: {sentence}" for sentence in _roles(seen, route, report.plan)]
        if isinstance(outcome, Unfinished):
            wrong += [f"{who}: {sentence}" for sentence in _cause(outcome, route)]
    return wrong


def answered_if_possible(report: Report) -> list[str]:
    """Where one provider is sound, whoever may be answered by it is answered: with time enough, and nothing shown yet.

    What ends a request for good is what is wrong with the request itself, or so its vendor says.
    """
    plan = report.plan
    if plan.sound is None:
        return []
    wrong: list[str] = []
    for seen, outcome, route in routes_of(report):
        client = seen.client
        patient = client.timeout_s >= LONG_S and client.leaves_after_s is None and client.read_gap_s == 0
        if client.alone and client.provider is None:
            continue  # it takes whoever is first, and nobody else
        if not patient or isinstance(outcome, Finished) or outcome.partial is not None:
            continue
        if plan.sound not in _allowed_providers(seen, plan) or len(route.attempts) >= plan.retry.attempts_max:
            continue
        if any(attempt.result in REQUEST_SHAPED for attempt in route.attempts):
            continue  # what was said of the request holds for whoever else is asked, and it need not be the last word
        # An answer in one piece is waited for so long that three who are silent take all the time there is.
        too_late = outcome.failure.kind == "deadline" and not client.stream
        if outcome.failure.kind not in REQUEST_SHAPED and not too_late:
            wrong.append(f"client {client.number} got {outcome.failure.kind}, and {plan.sound} could have answered it")
    return wrong


def nobody_is_hammered(report: Report) -> list[str]:
    """Retries stay within their budget, per request, per deployment and per provider; so do hedges."""
    plan = report.plan
    wrong: list[str] = []
    sent = Counter(
        str(event.deployment).partition("/")[0] for event in report.events if isinstance(event, AttemptEnded)
    )
    retries: Counter[str] = Counter()
    hedges = 0
    for seen, _, route in routes_of(report):
        again = Counter(attempt.deployment for attempt in route.attempts if attempt.role == "retry")
        retries.update(attempt.provider for attempt in route.attempts if attempt.role == "retry")
        hedges += sum(attempt.role == "hedge" for attempt in route.attempts)
        wrong += [
            f"client {seen.client.number}: {count} retries of {deployment}, {plan.retry.same_deployment} are allowed"
            for deployment, count in again.items()
            if count > plan.retry.same_deployment
        ]
    # Every client comes within a minute, which is the time that budgets are taken of, or long after all others.
    wrong += [
        f"{count} retries at {name}, which was sent {sent[name]} requests"
        for name, count in retries.items()
        if count > plan.retry.budget_min + plan.retry.budget_ratio * sent[name] + TIE_S
    ]
    if hedges and not plan.hedge.enabled:
        wrong.append(f"{hedges} hedges, and nobody wanted any")
    if hedges > max(1.0, plan.hedge.budget_ratio * len(plan.clients)) + TIE_S:
        wrong.append(f"{hedges} hedges for {len(plan.clients)} requests")
    return wrong


def batch_gives_way(report: Report) -> list[str]:
    """A batch request begins only while less than its share of the places is taken."""
    plan = report.plan
    if plan.in_flight_max >= len(plan.clients):
        return []
    places = max(1, math.ceil(plan.in_flight_max * plan.batch_share))
    began: dict[int, float] = {}
    for asked in attempts_of(report):
        began.setdefault(asked.client.number, asked.began_at)
    # From its first attempt to its last one a request surely has a place.
    held: list[tuple[float, float]] = []
    ended: dict[int, float] = {}
    for asked in attempts_of(report):
        ended[asked.client.number] = max(ended.get(asked.client.number, 0.0), asked.ended_at)
    held = [(began[number], ended[number]) for number in began]
    wrong: list[str] = []
    for client in plan.clients:
        at = began.get(client.number)
        if client.priority != "batch" or at is None:
            continue
        taken = sum(since + TIE_S < at < until - TIE_S for since, until in held)
        if taken >= places:
            wrong.append(f"client {client.number} (batch) began at {at:g} when {taken} of {places} places were taken")
    return wrong


def _failed_by_itself(seen: Seen, outcome: Unfinished) -> bool:
    """Whether nothing from outside ended it, not even in the tick in which its last attempt failed."""
    client = seen.client
    left = client.leaves_after_s is not None and seen.ended_at >= client.at_s + client.leaves_after_s - TIE_S
    too_late = seen.ended_at >= client.at_s + client.timeout_s - TIE_S
    return outcome.failure.kind not in OUR_OWN_END and not left and not too_late


def _allowed_providers(seen: Seen, plan: Plan) -> set[str]:
    client = seen.client
    everybody = {each.name for each in plan.providers}
    if client.provider is None:
        return everybody
    if client.alone:
        return {client.provider}
    return everybody if client.fallbacks is None else {client.provider, *client.fallbacks}


def _roles(seen: Seen, route: Route, plan: Plan) -> list[str]:
    """Hold what each attempt says of itself against those before it."""
    wrong: list[str] = []
    before: list[Attempt] = []
    for attempt in route.attempts:
        role = attempt.role
        known = {each.deployment for each in before}
        if (role == "first") != (not before):
            wrong.append(f"attempt {attempt.number} is called {role}")
        if role == "retry" and attempt.deployment not in known:
            wrong.append(f"attempt {attempt.number} is called a retry of {attempt.deployment}, which was not asked")
        if attempt.deployment in known and role not in AGAIN:
            wrong.append(f"attempt {attempt.number} asks {attempt.deployment} again as {role}")
        if role in RESCUES:
            if not seen.client.stream:
                wrong.append(f"attempt {attempt.number} is called {role}, and nothing is streamed")
            if not any(each.first_content_s is not None and each.failure is not None for each in before):
                wrong.append(f"attempt {attempt.number} is called {role}, and nothing had broken off")
            if (role == "restart") != (seen.client.on_interrupt == "restart"):
                wrong.append(f"attempt {attempt.number} is called {role} under {seen.client.on_interrupt}")
        if role == "hedge":
            wrong += _hedge(attempt, before, plan)
        before.append(attempt)
    return wrong


def _cause(outcome: Unfinished, route: Route) -> list[str]:
    """Where nobody could take a stream up, it ends with what broke it off, whatever was tried since."""
    taken_up = next((place for place, each in enumerate(route.attempts) if each.role in ("continue", "splice")), None)
    if taken_up is None or outcome.failure.kind in (*OUR_OWN_END, "slow_consumer", "stopped"):
        return []
    # The loser of a race is cancelled, and has shown nothing.
    broke_off = [
        each.result
        for each in route.attempts[:taken_up]
        if each.first_content_s is not None and each.result != "cancelled"
    ]
    if outcome.failure.kind in broke_off:
        return []
    return [f"its stream broke off by {broke_off}, and it was told of {outcome.failure.kind}"]


def _hedge(attempt: Attempt, before: list[Attempt], plan: Plan) -> list[str]:
    raced = [each for each in before if each.started_s <= attempt.started_s <= each.ended_s + TIE_S]
    if not raced:
        return [f"attempt {attempt.number} is called a hedge, and there was nothing to race"]
    slow_s = plan.hedge.delay_min_s
    if all(attempt.started_s < each.started_s + slow_s - TIE_S for each in raced):
        return [f"attempt {attempt.number} raced after less than {slow_s:g} s"]
    return []


def whole_is_finished(report: Report) -> list[str]:
    """A success is that of exactly one attempt, the one it names."""
    wrong: list[str] = []
    for seen, outcome, route in routes_of(report):
        good = [attempt for attempt in route.attempts if attempt.failure is None]
        if isinstance(outcome, Finished) and (outcome.provider, outcome.model) not in {
            (each.provider, each.model) for each in good
        }:
            wrong.append(f"client {seen.client.number} was answered by {outcome.provider}, which has no good attempt")
    return wrong
