"""Own how a route is shown to people: the plan as a table, and the story of the attempts it took."""

from __future__ import annotations

from typing import Final

from manus.cli.output import table
from manus.messages.outcomes import Attempt, Candidate, Reservation, Route
from manus.messages.usage import Usage, format_usd

ROLES: Final = {
    "first": "asked first",
    "retry": "asked again",
    "wait": "asked again after its rest",
    "failover": "asked next",
    "continue": "continued the stream",
    "splice": "answered anew, spliced in",
    "restart": "answered anew",
    "hedge": "raced the slow one",
}
"""Why an attempt was made, in the past tense of people."""


def plan_view(route: Route) -> list[str]:
    """Tell a plan: who would be asked, in order, what would be set aside for it, and who would not."""
    lines = [f"strategy {route.strategy}", ""]
    if route.candidates:
        rows = [("RANK", "DEPLOYMENT", "SCORE", "READY", "WHY"), *(_row(each) for each in route.candidates)]
        lines += table(rows)
    else:
        lines.append("nobody can be asked")
    if route.left_out:
        lines += ["", "left out:", *table([(f"  {each.deployment}", each.reason) for each in route.left_out])]
    if route.reservation is not None:
        lines += ["", f"would set aside {_reserved(route.reservation)}"]
    return lines


def story_of_route(route: Route) -> list[str]:
    """Tell what became of a plan: each attempt with its times, result and cost, and why there was none after it."""
    lines = [f"[route by {route.strategy}: {len(route.candidates)} candidates, {len(route.left_out)} left out]"]
    lines += [f"[{line}]" for line in table([_attempt_row(each) for each in route.attempts])] if route.attempts else []
    lines += [f"[{line}]" for each in route.attempts for line in _accounts(each)]
    lines += [f"[{each.number}. {each.failure.message}]" for each in route.attempts if each.failure is not None]
    lines += [f"[left out: {each.deployment}: {each.reason}]" for each in route.left_out]
    if route.gave_up is not None:
        lines.append(f"[then no more: {route.gave_up}]")
    return lines


def _row(candidate: Candidate) -> tuple[str, str, str, str, str]:
    rank = "-" if candidate.rank is None else str(candidate.rank + 1)
    return (rank, candidate.deployment, _score(candidate.score), _readiness(candidate), candidate.reason)


def _score(score: float | None) -> str:
    """Write a score; its unit stands in the reason. Costs in nano-USD are large, latencies in seconds small."""
    if score is None:
        return "-"
    return f"{score:,.0f}" if abs(score) >= 1000 else f"{score:.3g}"


def _readiness(candidate: Candidate) -> str:
    state = "" if candidate.breaker == "closed" else candidate.breaker.replace("_", "-")
    wait = "" if candidate.ready_in_s is None else f"in {candidate.ready_in_s:.3g} s"
    return ", ".join(filter(None, (state, wait))) or "now"


def _attempt_row(attempt: Attempt) -> tuple[str, ...]:
    first = "" if attempt.first_content_s is None else f"first word {attempt.first_content_s:.2f} s"
    return (
        f"{attempt.number}.",
        attempt.deployment,
        ROLES[attempt.role],
        f"{attempt.started_s:.2f} to {attempt.ended_s:.2f} s",
        first,
        attempt.result,
        attempt.booking,
        f"cost {format_usd(attempt.cost_nano_usd)}",
    )


def _accounts(attempt: Attempt) -> list[str]:
    """Tell what was set aside for an attempt, and what of it was used."""
    if attempt.reservation is None:
        return []
    used = _amount(attempt.usage, attempt.cost_nano_usd) + f", {attempt.usage.source}"
    what = {"settled": f"used {used}", "in_doubt": f"in doubt, up to {used}", "released": "nothing was billed"}
    return [f"{attempt.number}. set aside {_reserved(attempt.reservation)}; {what.get(attempt.booking, 'still open')}"]


def _reserved(reservation: Reservation) -> str:
    expected = _amount(reservation.estimate, reservation.estimate_nano_usd)
    return f"{expected}, at most {_amount(reservation.bound, reservation.bound_nano_usd)}"


def _amount(usage: Usage, cost_nano_usd: int | None) -> str:
    return f"{usage.input_total} in + {usage.output} out tokens ({format_usd(cost_nano_usd)})"
