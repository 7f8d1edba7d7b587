"""Own what must hold of deployments that rest, recomputed from what vendors answered and what breakers told.

A naive oracle, which knows nothing of how health is kept. It sees the moves that breakers told, the attempts that
clients were told of (one that walked away is told nothing, so some are missing), and the visits at the providers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from manus.messages.watching import AttemptEnded, BreakerMoved
from manus.sim.chaos_asked import TIE_S, Asked, attempts_of
from manus.sim.chaos_world import Report, Visit
from manus.sim.faults import Rejected
from manus.supervisor.events import ActorExited

MOVES = {("closed", "open"), ("open", "half_open"), ("half_open", "open"), ("half_open", "closed")}
"""Every move that a breaker can make; whoever is half open and learns nothing stays so."""

HARMLESS_KINDS = frozenset(
    {
        *("invalid_request", "context_length", "content_policy", "too_large", "not_found", "unsupported"),
        *("no_candidate", "admission", "budget_exceeded", "shed", "slow_consumer", "cancelled", "rate_limited"),
        *("actor_crashed", "actor_hung", "stopped", "unavailable", "ledger"),
    }
)
"""Results of attempts that say nothing of the deployment's health; `rate_limited` is a cooldown."""

TOLD_LATER_S = 1.0
"""How much later than it is judged an attempt may be told as ended: the books come between, which may stall."""


def breakers(report: Report) -> list[str]:
    """Breakers make only the moves that there are, for a reason, and what they forbid is not done."""
    wrong: list[str] = []
    moves: dict[str, list[BreakerMoved]] = defaultdict(list)
    asked: dict[str, list[Asked]] = defaultdict(list)
    told_s = TOLD_LATER_S if any(blow.kind.startswith("books") for blow in report.plan.blows) else TIE_S
    for event in report.events:
        if isinstance(event, BreakerMoved):
            moves[str(event.deployment)].append(event)
    for each in attempts_of(report):
        asked[str(each.attempt.deployment)].append(each)
    for deployment, its in moves.items():
        wrong += [f"{deployment}: {sentence}" for sentence in _moves(its, _key_fell_before(its[0], moves))]
        wrong += [f"{deployment}: {sentence}" for sentence in _asked_while_open(its, asked[deployment])]
        wrong += [f"{deployment}: {sentence}" for sentence in _probes(its, asked[deployment], report.ended_at)]
        wrong += [f"{deployment}: {sentence}" for sentence in _causes(its, _results_under(report, deployment), told_s)]
    return wrong


def cooldowns(report: Report) -> list[str]:
    """Who was told when to come back does not come before.

    What began before the word was there may still arrive, and so may what asks with another key. A word that a dead
    router had heard and not yet noted is lost with it.
    """
    if _router_died(report):
        return []
    keyed = {each.name for each in report.plan.providers if each.proof == "keys"}
    asked = attempts_of(report)
    wrong: list[str] = []
    for told_at, visit, rest_s in _told_to_wait(report):
        if visit.provider in keyed:
            continue
        for each in asked:
            if (each.attempt.provider, each.attempt.model) != (visit.provider, visit.model):
                continue
            if told_at + TIE_S < each.began_at < visit.at + rest_s - TIE_S and _arrived(report, each):
                wrong.append(
                    f"{visit.provider} said at {told_at:g} to come back after {rest_s:g} s, and client "
                    f"{each.client.number} came at {each.began_at:g}"
                )
    return wrong


def _key_fell_before(first: BreakerMoved, moves: dict[str, list[BreakerMoved]]) -> bool:
    """Whether another deployment of the same provider had opened: one that nobody had asked rests with its key."""
    provider = str(first.deployment).partition("/")[0]
    return any(
        its[0].after == "open" and its[0].at <= first.at
        for deployment, its in moves.items()
        if deployment != first.deployment and deployment.partition("/")[0] == provider
    )


def _moves(moves: list[BreakerMoved], key_fell: bool) -> Iterator[str]:
    state = moves[0].before if key_fell else "closed"
    rests_until = 0.0
    for move in moves:
        if move.after != "open" and move.at < rests_until - TIE_S:
            yield f"moved to {move.after} at {move.at:g} and was to rest until {rests_until:g}"
        rests_until = move.at + (move.retry_in_s or 0.0)
        if move.before != state or (move.before, move.after) not in MOVES:
            yield f"was {state} and moved from {move.before} to {move.after} at {move.at:g}"
        if move.after == "open" and (move.retry_in_s is None or move.retry_in_s <= 0):
            yield f"opened at {move.at:g} and does not say for how long"
        if not move.reason:
            yield f"moved to {move.after} at {move.at:g} without a reason"
        state = move.after


def _asked_while_open(moves: list[BreakerMoved], asked: list[Asked]) -> Iterator[str]:
    for place, move in enumerate(moves):
        if move.after != "open" or move.retry_in_s is None:
            continue
        until = move.at + move.retry_in_s
        if place + 1 < len(moves):
            until = min(until, moves[place + 1].at)
        for each in asked:
            if move.at + TIE_S < each.began_at < until - TIE_S:
                yield f"opened at {move.at:g} for {move.retry_in_s:g} s, and was asked at {each.began_at:g}"


def _probes(moves: list[BreakerMoved], asked: list[Asked], ended_at: float) -> Iterator[str]:
    """While it is half open, one attempt at a time finds out."""
    for place, move in enumerate(moves):
        if move.after != "half_open":
            continue
        until = moves[place + 1].at if place + 1 < len(moves) else ended_at
        probes = [each for each in asked if move.at - TIE_S <= each.began_at < until - TIE_S]
        for one, other in pairwise(probes):
            if other.began_at < one.ended_at - TOLD_LATER_S - TIE_S:
                yield f"was half open at {move.at:g}, and was asked at {one.began_at:g} and at {other.began_at:g}"


def _causes(moves: list[BreakerMoved], results: list[tuple[float, str]], told_s: float) -> Iterator[str]:
    """Who opens a breaker is a failure that counts, and nothing else."""
    for move in moves:
        if (move.before, move.after) != ("closed", "open"):
            continue
        near = [kind for at, kind in results if move.at - TIE_S <= at <= move.at + told_s]
        if near and all(kind == "ok" or kind in HARMLESS_KINDS for kind in near):
            yield f"opened at {move.at:g} on nothing but {sorted(set(near))}"


def _results_under(report: Report, deployment: str) -> list[tuple[float, str]]:
    """Give how attempts ended at all deployments of the same provider: a key that is refused rests all of them."""
    provider = deployment.partition("/")[0]
    return [
        (event.at, event.result)
        for event in report.events
        if isinstance(event, AttemptEnded) and str(event.deployment).partition("/")[0] == provider
    ]


def _told_to_wait(report: Report) -> Iterator[tuple[float, Visit, float]]:
    """Give who was told to wait: when the word was there, the visit, and for how long."""
    ended: dict[tuple[str, str], list[AttemptEnded]] = defaultdict(list)
    visits: dict[tuple[str, str], list[Visit]] = defaultdict(list)
    for event in report.events:
        if isinstance(event, AttemptEnded):
            ended[str(event.request_id), str(event.deployment)].append(event)
    for visit in report.visits:
        visits[f"client-{visit.number}", f"{visit.provider}/{visit.model}"].append(visit)
    for key, its in visits.items():
        if len(its) != len(ended[key]):
            continue  # some attempt did not come as far as the provider, and which one is not known
        for visit, event in zip(its, ended[key], strict=True):
            fault = visit.script.fault
            if event.result == "rate_limited" and isinstance(fault, Rejected) and fault.retry_after_s is not None:
                yield event.at, visit, fault.retry_after_s


def _arrived(report: Report, asked: Asked) -> bool:
    """Whether the attempt came as far as the provider."""
    return any(
        visit.number == asked.client.number
        and visit.provider == asked.attempt.provider
        and visit.model == asked.attempt.model
        and asked.began_at - TIE_S <= visit.at <= asked.ended_at + TIE_S
        for visit in report.visits
    )


def _router_died(report: Report) -> bool:
    return any(isinstance(event, ActorExited) and event.actor == "router" for event in report.events[:-1])
