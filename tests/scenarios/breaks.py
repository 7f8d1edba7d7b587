"""Own the scenarios in which a stream ends badly, and nobody has to take it up: it was whole, or its reader says so."""

from __future__ import annotations

from manus.sim.faults import Cut, NoMarker
from manus.sim.words import tokens_of
from tests.scenarios.vocabulary import FALLBACK, OTHER_TEXT, TEXT, Ask, Expected, Provider, Scenario, plays

TWO_THIRDS = len(tokens_of(TEXT)) * 2 // 3
SHOWN = len("".join(tokens_of(TEXT)[:TWO_THIRDS]))
"""How many characters a stream has shown that breaks off after two thirds."""

CUT = Cut(after_chunks=TWO_THIRDS)

TOLD = Expected(text=None, error="StreamingError", kind="network", partial=SHOWN)
"""The cut itself, with what was shown."""

BREAKS: tuple[Scenario, ...] = (
    Scenario(
        name="no-marker",
        says="All is said, and the finish reason too, but the terminal marker never comes: whole, and at once.",
        primary=Provider(plays=plays(NoMarker(finish=True))),
        asks=(Ask(),),
        methods=("stream",),
    ),
    Scenario(
        name="cut-told",
        says="Cut after two thirds, and the caller wants no rescue: the failure, with the part that came.",
        primary=Provider(plays=plays(CUT)),
        asks=(Ask(expected=TOLD, on_interrupt="error"),),
        methods=("stream",),
    ),
    Scenario(
        name="cut-restart",
        says="Cut after two thirds, for a caller that handles a reset: it starts over with another model's answer.",
        primary=Provider(plays=plays(CUT)),
        fallback=Provider(plays=plays(text=OTHER_TEXT)),
        asks=(
            Ask(
                expected=Expected(
                    text=OTHER_TEXT,
                    by=FALLBACK,
                    calls=(3, 1),
                    roles=None,
                    bookings=("settled", "settled", "settled", "settled"),
                    took_s=(0.06, 0.6),
                    resets=3,
                ),
                on_interrupt="restart",
            ),
        ),
        methods=("stream",),
    ),
)
