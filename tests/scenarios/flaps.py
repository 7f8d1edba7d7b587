"""Own the scenarios of several requests: what one of them met must help the next, and must not harm it."""

from __future__ import annotations

from manus.sim.faults import Rejected
from tests.scenarios.vocabulary import Ask, Expected, Provider, Scenario, plays

DOWN_S = 60.0
EVERY_S = 4.0
REQUESTS = 23
BACK_WITHIN_S = 30.0
"""How long after its recovery the primary may be without traffic."""

_SERVED = Expected(by=None, calls=None, calls_most=(3, 1), roles=None, bookings=None, took_s=(0.0, 0.6))
_BACK = Expected()

_DOWN = plays(Rejected(status=503))
_BAD = plays(Rejected(status=400))
_REFUSED = Expected(text=None, error="InvalidRequestError", kind="invalid_request", bookings=("released",))


def _flapping() -> tuple[Ask, ...]:
    """A request every four seconds: the primary is down at first, then well again, and has its traffic back in time."""
    asks = []
    for number in range(REQUESTS):
        at_s = number * EVERY_S
        asks.append(
            Ask(
                at_s=at_s,
                expected=_BACK if at_s >= DOWN_S + BACK_WITHIN_S - EVERY_S else _SERVED,
                primary=plays() if DOWN_S <= at_s < DOWN_S + EVERY_S else None,
            )
        )
    return tuple(asks)


FLAPS: tuple[Scenario, ...] = (
    Scenario(
        name="flapping",
        says="Down for a minute, then well: everybody is answered, few find out, and the traffic returns by itself.",
        primary=Provider(plays=_DOWN),
        asks=_flapping(),
        calls_most=(3 + 2 + 4 + 8, REQUESTS),
        scales=False,
    ),
    Scenario(
        name="bad-requests-open-nothing",
        says="Ten requests that are wrong in themselves: the next good one is answered by the same provider.",
        primary=Provider(plays=_BAD),
        asks=(*(Ask(expected=_REFUSED),) * 10, Ask(primary=plays())),
    ),
)
