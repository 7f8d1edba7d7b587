"""Own what a caller is told when every deployment that could answer is left alone for a while."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from manus.actors.health import NotBefore
from manus.actors.routing.plan import Choice
from manus.messages.failures import Failed, FailureKind


class Resting(NamedTuple):
    """A deployment that comes into question, and until when it rests; None where it does not."""

    choice: Choice
    verdict: NotBefore | None


def back_in_s(candidates: Sequence[Resting], now: float) -> float | None:
    """Say in how many seconds the first of them may be asked; None where one may be asked already, or there is none."""
    times = [each.verdict.at - now for each in candidates if each.verdict is not None]
    return min(times) if times and len(times) == len(candidates) else None


def all_resting(candidates: Sequence[Resting], now: float) -> Failed:
    """Refuse a request for which nobody was asked, because all of them rest; tells each with its reason."""
    rests = [(each.choice, each.verdict) for each in candidates if each.verdict is not None]
    told = "; ".join(f"{choice.deployment} for {rest.at - now:.3g} s ({rest.why})" for choice, rest in rests)
    return Failed(
        kind=_kind_of([rest for _, rest in rests]),
        message=f"Every candidate rests: {told}.",
        retry_after_s=back_in_s(candidates, now),
        safe_to_retry=True,
        phase="queued",
    )


def _kind_of(rests: Sequence[NotBefore]) -> FailureKind:
    """Say what it is when all rest: a matter of the keys, of patience, or of vendors that do not work."""
    refused = {rest.refused for rest in rests}
    if len(refused) == 1:
        (kind,) = refused
        if kind is not None:
            return kind
    if None not in refused:
        return "auth"  # the keys were refused in several ways; somebody has to look after them in any case
    # A breaker that is closed and rests all the same was told by its vendor to wait.
    return "rate_limited" if all(rest.state == "closed" for rest in rests) else "unavailable"
