"""Own the scenarios in which no wait is configured, and all that bounds a silence is what the caller gives the request.

The usual waits are longer than the budget. While somebody else could be asked, a stream may be silent for a third of
what is left, and an answer in one piece, which is silent until it is whole, for half of it.
"""

from __future__ import annotations

from manus.sim.faults import Slow, Stall
from tests.scenarios.silences import GIVEN_UP, TOO_SLOW_S
from tests.scenarios.vocabulary import BUDGET_S, Ask, Expected, Provider, Scenario, plays, with_fields

BUDGETS: tuple[Scenario, ...] = (
    Scenario(
        name="silent-by-default",
        says="Never answered: silence may cost a share of the budget, and the rest is the fallback's.",
        primary=Provider(plays=plays(Stall(where="headers"))),
        asks=(
            Ask(
                expected=with_fields(GIVEN_UP, took_s=(BUDGET_S / 2, BUDGET_S / 2)),
                streamed=with_fields(GIVEN_UP, took_s=(BUDGET_S / 3, BUDGET_S / 3)),
            ),
        ),
        scales=False,
    ),
    Scenario(
        name="slow-first-token-by-default",
        says="The first word after 20 s of 30, and no wait is configured: the fallback has answered by then.",
        primary=Provider(plays=plays(Slow(where="first_token", delay_s=TOO_SLOW_S))),
        asks=(Ask(expected=with_fields(GIVEN_UP, took_s=(BUDGET_S / 3, BUDGET_S / 3))),),
        methods=("stream",),
        scales=False,
    ),
    Scenario(
        name="slow-alone-by-default",
        says="The first word after 20 s of 30, and nobody else to ask: then it is waited for.",
        primary=Provider(plays=plays(Slow(where="first_token", delay_s=TOO_SLOW_S))),
        fallback=None,
        asks=(Ask(expected=Expected(took_s=(TOO_SLOW_S, TOO_SLOW_S))),),
        scales=False,
    ),
    Scenario(
        name="stall-by-default",
        says="Silent for ever in the middle, and no wait is configured: taken up after a share of the budget.",
        primary=Provider(plays=plays(Stall(after_chunks=20))),
        asks=(
            Ask(
                expected=with_fields(
                    GIVEN_UP,
                    roles=("first", "splice"),
                    bookings=("settled", "settled"),
                    took_s=(BUDGET_S / 3, BUDGET_S / 3 * 1.01),
                )
            ),
        ),
        methods=("stream",),
        scales=False,
    ),
)
