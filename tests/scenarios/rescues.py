"""Own the scenarios in which a stream breaks off after its reader has seen a part of it.

It goes on where another answer fits to the byte, without its reader noticing; else the reader gets the first failure,
with the part that came. What may be over soon is told anew by the same model, twice at most, as retries go; then by the
fallback. Whoever accepts the beginning of an answer is asked before all others.
"""

from __future__ import annotations

from manus.sim.faults import Cut, ErrorInside, Fault, Malformed, NoMarker, Stall
from tests.scenarios.breaks import CUT, TOLD, TWO_THIRDS
from tests.scenarios.silences import PATIENCE_S
from tests.scenarios.vocabulary import FALLBACK, OTHER_TEXT, Ask, Expected, Provider, Scenario, plays, with_fields

RETOLD = Expected(
    by=FALLBACK,
    calls=(3, 1),
    roles=("first", "splice", "splice", "splice"),
    bookings=("settled", "settled", "settled", "settled"),
    took_s=(0.06, 0.6),
)
"""Told anew by the primary, twice, and broken off again; then by the fallback, to its end."""

CONTINUED = Expected(by=FALLBACK, calls=(1, 1), roles=("first", "continue"), bookings=("settled", "settled"))
"""Continued by the fallback, at once."""

CONTINUES = Provider(plays=plays(prefill="continue"), model={"prefill": True})
"""A model that goes on from the beginning of an answer, and is known to."""


def rescued(
    name: str,
    says: str,
    fault: Fault,
    *,
    expected: Expected = RETOLD,
    fallback: Provider | None = None,
    waits: dict[str, float] | None = None,
) -> Scenario:
    """A stream that breaks off in one way or another, again and again."""
    return Scenario(
        name=name,
        says=says,
        primary=Provider(plays=plays(fault), timeouts=waits or {}),
        fallback=fallback or Provider(),
        asks=(Ask(expected=expected),),
        methods=("stream",),
    )


RESCUES: tuple[Scenario, ...] = (
    rescued(
        "cut",
        "Cut after two thirds, always: told anew, held against what was shown, and only the rest is passed on.",
        CUT,
    ),
    rescued(
        "cut-inside-a-character",
        "Cut in the middle of a character of several bytes: none of it is shown, none of it is lost.",
        Cut(where="utf8", after_chunks=TWO_THIRDS // 2),
    ),
    rescued("cut-at-once", "Cut after the first word.", Cut(after_chunks=1)),
    rescued(
        "reset-in-the-middle",
        "Reset after two thirds, as by a process that crashed.",
        Cut(after_chunks=TWO_THIRDS, reset=True),
    ),
    rescued(
        "malformed-chunk",
        "One event that is no JSON: what follows it cannot be trusted to be all.",
        Malformed(after_chunks=10),
    ),
    rescued("error-after-content", "An error event after two thirds of a 200.", ErrorInside(after_chunks=TWO_THIRDS)),
    rescued(
        "truncated",
        "The body ends in good order after two thirds, with no word of an end: no answer is called whole for that.",
        NoMarker(finish=False, after_chunks=TWO_THIRDS),
    ),
    rescued(
        "no-finish",
        "All is said, but neither finish reason nor marker: nobody can know, so another answer has to confirm it.",
        NoMarker(finish=False),
    ),
    rescued(
        "stall-in-the-middle",
        "Silent for ever after two thirds: given up after one wait, not asked again, and told anew by the fallback.",
        Stall(after_chunks=TWO_THIRDS),
        waits={"idle_s": PATIENCE_S},
        expected=with_fields(
            RETOLD,
            calls=(1, 1),
            roles=("first", "splice"),
            bookings=("settled", "settled"),
            took_s=(PATIENCE_S, PATIENCE_S * 1.01),
        ),
    ),
    rescued(
        "prefill",
        "Cut after two thirds, and the fallback goes on from there: it is asked before anybody tells it all again.",
        CUT,
        expected=CONTINUED,
        fallback=CONTINUES,
    ),
    rescued(
        "prefill-refused",
        "The fallback is said to go on from a beginning, and answers 400: it is asked in the usual way, and fits.",
        CUT,
        expected=with_fields(
            RETOLD,
            calls=(1, 2),
            roles=("first", "continue", "splice"),
            bookings=("settled", "released", "settled"),
            took_s=(0.02, 0.2),
        ),
        fallback=Provider(plays=plays(prefill="refuse"), model={"prefill": True}),
    ),
    rescued(
        "prefill-unknown",
        "The fallback would refuse a beginning of the answer, and nothing is known of that: it is given none.",
        CUT,
        fallback=Provider(plays=plays(prefill="refuse")),
    ),
    rescued(
        "cut-other-text",
        "Cut after two thirds, and the fallback says something else: the cut, with the part that came; no glue.",
        CUT,
        expected=with_fields(TOLD, calls=(3, 1), roles=RETOLD.roles, bookings=RETOLD.bookings, took_s=RETOLD.took_s),
        fallback=Provider(plays=plays(text=OTHER_TEXT)),
    ),
    Scenario(
        name="cut-once",
        says="Cut after two thirds, once: the same model says it again, from where it was, and nobody else is asked.",
        primary=Provider(plays=plays(CUT, then=None)),
        asks=(
            Ask(
                expected=Expected(
                    calls=(2, 0), roles=("first", "splice"), bookings=("settled", "settled"), took_s=(0.02, 0.2)
                )
            ),
        ),
        methods=("stream",),
    ),
    Scenario(
        name="cut-alone",
        says="Cut after two thirds, always, and nobody else to ask: the cut, with the part that came.",
        primary=Provider(plays=plays(CUT)),
        fallback=None,
        asks=(
            Ask(
                expected=with_fields(
                    TOLD,
                    calls=(3, 0),
                    roles=("first", "splice", "splice"),
                    bookings=("settled", "settled", "settled"),
                    took_s=(0.06, 0.6),
                )
            ),
        ),
        methods=("stream",),
    ),
)
