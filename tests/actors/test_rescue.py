"""What a caller gets of a stream that is cut, at every place, with every kind of help left, in every mode (P6)."""

from __future__ import annotations

from typing import Literal

import pytest

from manus.messages.events import Reset
from manus.messages.requests import OnInterrupt
from tests.actors.interrupted import (
    OTHER,
    TEXT,
    TIRELESS,
    cards,
    check_books,
    check_stream,
    chunk,
    reset,
    roles,
    saying,
)
from tests.actors.rig import Upstreams, finished, open_rig, unfinished
from tests.actors.scripted import Reply, ScriptedTransport

Target = Literal["goes on", "same words", "other words", "refuses", "refuses, other words", "nobody"]


def target(kind: Target) -> tuple[tuple[str, Upstreams], ...]:
    match kind:
        case "goes on":
            return (("b", saying(TEXT, "anthropic")),)
        case "same words":
            return (("b", saying(TEXT)),)
        case "other words":
            return (("b", saying(OTHER)),)
        case "refuses":
            return (("b", saying(TEXT, "anthropic", prefill="refuse")),)
        case "refuses, other words":
            return (("b", saying(OTHER, "anthropic", prefill="refuse")),)
        case "nobody":
            return ()


KINDS: tuple[Target, ...] = ("goes on", "same words", "other words", "refuses", "refuses, other words", "nobody")
ACCEPTING = ("goes on", "refuses", "refuses, other words")


@pytest.mark.parametrize("mode", ["auto", "restart", "error"])
@pytest.mark.parametrize("kind", KINDS)
async def test_stream_cut_at_every_character_is_whole_or_honest(
    kind: Target, mode: OnInterrupt, autojump_clock: object
) -> None:
    transport = ScriptedTransport(Reply())
    first = Upstreams()
    first.wrap = lambda inner: transport
    accepting = cards("b") if kind in ACCEPTING else {}
    async with open_rig(("a", first), *target(kind), policy=TIRELESS, cards=accepting) as rig:
        for at in range(1, len(TEXT) + 1):
            transport.reply = Reply(
                *(chunk(content=character) for character in TEXT[:at]),
                reset(),
                headers={"content-type": "text/event-stream"},
            )
            events, outcome = await rig.stream(on_interrupt=mode)

            text = check_stream(events, outcome)
            resets = [event for event in events if isinstance(event, Reset)]
            assert outcome.route.attempts[0].result == "network"
            helped = mode == "restart" or kind in ("goes on", "same words", "refuses")
            if mode == "error" or kind == "nobody" or not helped:
                ended = unfinished(outcome)
                assert (ended.failure.kind, ended.failure.provider) == ("network", "a")
                assert text == TEXT[:at]
                assert len(roles(outcome)) == 1 or mode != "error"
                assert bool(resets) == (mode == "restart")
            else:
                finished(outcome)
                assert text == (OTHER if "other" in kind else TEXT)
                assert bool(resets) == (mode == "restart")
            if mode == "auto":
                assert roles(outcome) == EXPECTED[kind], at
            await check_books(rig, outcome)
        await rig.check()


EXPECTED: dict[Target, list[tuple[str, str]]] = {
    "goes on": [("a", "first"), ("b", "continue")],
    "same words": [("a", "first"), ("a", "splice"), ("b", "splice")],
    "other words": [("a", "first"), ("a", "splice"), ("b", "splice")],
    "refuses": [("a", "first"), ("b", "continue"), ("b", "splice")],
    "refuses, other words": [("a", "first"), ("b", "continue"), ("b", "splice")],
    "nobody": [("a", "first"), ("a", "splice")],
}
"""Who is asked in turn: a deployment that a reset befell once more, before others; a beginning that was refused is not
offered again."""
