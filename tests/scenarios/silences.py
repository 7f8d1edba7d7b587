"""Own the scenarios in which a provider says nothing: before the head, before the first word, in the middle.

A route that was silent is not asked again: whoever waited once for nothing does not wait for it a second time.
"""

from __future__ import annotations

from manus.sim.faults import Fault, PingsOnly, Slow, Stall
from tests.scenarios.vocabulary import FALLBACK, TEXT, Ask, Expected, Method, Provider, Scenario, plays

PATIENCE_S = 5.0
WAITS = {"headers_s": PATIENCE_S, "answer_s": PATIENCE_S, "first_content_s": PATIENCE_S, "idle_s": PATIENCE_S}
"""The named waits that the caller's configuration gives the primary."""

TOO_SLOW_S = 20.0
SLOW_S = 3.0

GIVEN_UP = Expected(
    by=FALLBACK,
    calls=(1, 1),
    roles=("first", "failover"),
    bookings=("in_doubt", "settled"),
    took_s=(PATIENCE_S, PATIENCE_S),
)


def silent(name: str, says: str, fault: Fault, *, methods: tuple[Method, ...] = ("generate", "stream")) -> Scenario:
    """A primary that is given up after its named wait, for the fallback."""
    return Scenario(
        name=name,
        says=says,
        primary=Provider(plays=plays(fault), timeouts=WAITS),
        asks=(Ask(expected=GIVEN_UP),),
        methods=methods,
    )


SILENCES: tuple[Scenario, ...] = (
    silent(
        "no-response", "The request is taken and never answered: the fallback, after one wait.", Stall(where="headers")
    ),
    Scenario(
        name="no-response-alone",
        says="Never answered, and nobody else: an error after one wait, not after three.",
        primary=Provider(plays=plays(Stall(where="headers")), timeouts=WAITS),
        fallback=None,
        asks=(
            Ask(
                expected=Expected(
                    text=None,
                    error="TimeoutError",
                    kind="timeout",
                    bookings=("in_doubt",),
                    took_s=(PATIENCE_S, PATIENCE_S),
                )
            ),
        ),
    ),
    Scenario(
        name="no-response-anywhere",
        says="Nobody answers: an error after one wait each, within the budget, that tells of both.",
        primary=Provider(plays=plays(Stall(where="headers")), timeouts=WAITS),
        fallback=Provider(plays=plays(Stall(where="headers")), timeouts=WAITS),
        asks=(
            Ask(
                expected=Expected(
                    text=None,
                    error="FallbackError",
                    kind="timeout",
                    calls=(1, 1),
                    roles=("first", "failover"),
                    bookings=("in_doubt", "in_doubt"),
                    took_s=(2 * PATIENCE_S, 2 * PATIENCE_S),
                )
            ),
        ),
    ),
    silent(
        "no-first-token",
        "A head, then nothing: the fallback, after one wait.",
        Stall(where="first_token"),
    ),
    silent(
        "slow-first-token",
        "The first word comes after more than the wait for it: the fallback has answered by then.",
        Slow(where="first_token", delay_s=TOO_SLOW_S),
    ),
    silent(
        "pings-only",
        "Keep-alives for ever, and no word: they are no content, and buy no time.",
        PingsOnly(gap_s=1.0),
        methods=("stream",),
    ),
    Scenario(
        name="slow-first-token-in-time",
        says="The first word is slow, but comes in time: nobody else is asked.",
        primary=Provider(plays=plays(Slow(where="first_token", delay_s=SLOW_S)), timeouts=WAITS),
        asks=(Ask(expected=Expected(took_s=(SLOW_S, SLOW_S))),),
        scales=False,
    ),
    Scenario(
        name="slow-but-alive",
        says="Every word takes its time, and none takes too long: the stream is left alone, however long it is.",
        primary=Provider(plays=plays(chunk_tokens=10, gap_s=SLOW_S, text=TEXT), timeouts=WAITS),
        asks=(Ask(expected=Expected(took_s=(6 * SLOW_S, 8 * SLOW_S))),),
        methods=("stream",),
        scales=False,
    ),
)
