"""Streams that are cut on one vendor's wire and taken up on another's: every pair of wires, and every way to be cut."""

from __future__ import annotations

from typing import get_args

import pytest

from manus.messages.requests import ReasoningOptions
from manus.sim.behaviour import Script
from manus.sim.faults import CorruptFrame, Cut, ErrorInside, Fault, HugeLine, Malformed, NoMarker, Stall, exists_on
from manus.sim.wire import WireName
from manus.sim.words import tokens_of
from tests.actors.interrupted import TIRELESS, cards, check_books, check_stream, roles, saying
from tests.actors.rig import Upstreams, finished, open_rig, unfinished

WIRES: tuple[WireName, ...] = get_args(WireName)
WORDS = "Once upon a time — 🌍 there was a small actor who crashed, and came back before anybody noticed it."
LATER = WORDS.replace("small", "large")
CUTS = (1, 7, 40)


@pytest.mark.parametrize("accepts", [True, False])
@pytest.mark.parametrize("first", WIRES)
async def test_a_stream_of_any_wire_may_be_cut_at_every_event(
    first: WireName, accepts: bool, autojump_clock: object
) -> None:
    ways = (("a", Upstreams(wire=first)), ("b", saying(WORDS, "ollama")))
    async with open_rig(*ways, policy=TIRELESS, cards=cards("b") if accepts else {}) as rig:
        for at in range(len(tokens_of(WORDS)) + 2):
            rig.upstreams["a"].sim.behave(Script(text=WORDS, fault=Cut(after_chunks=at, reset=True)))
            events, outcome = await rig.stream()

            finished(outcome)
            assert check_stream(events, outcome) == WORDS, at
            assert outcome.route.attempts[0].result == "network", at
            await check_books(rig, outcome)
        await rig.check()


@pytest.mark.parametrize("second", WIRES)
@pytest.mark.parametrize("first", WIRES)
async def test_any_wire_goes_on_where_any_other_broke_off(
    first: WireName, second: WireName, autojump_clock: object
) -> None:
    for at in CUTS:
        broken = Upstreams(Script(text=WORDS, fault=Cut(after_chunks=at, reset=True)), first)
        ways = (("a", broken), ("b", saying(WORDS, second, prefill="continue")))
        async with open_rig(*ways, cards=cards("b")) as rig:
            events, outcome = await rig.stream()

            finished(outcome)
            assert check_stream(events, outcome) == WORDS
            assert roles(outcome) == [("a", "first"), ("b", "continue")]
            billed = rig.upstreams["b"].sim.bill.rows()[0]
            assert outcome.route.attempts[1].usage.output == billed.output_tokens < 20
            await check_books(rig, outcome)
            await rig.check()


@pytest.mark.parametrize("second", WIRES)
@pytest.mark.parametrize("first", WIRES)
async def test_any_wire_is_held_against_what_any_other_said(
    first: WireName, second: WireName, autojump_clock: object
) -> None:
    for at, says in ((7, WORDS), (7, LATER), (12, LATER), (2, "Something else.")):
        broken = Upstreams(Script(text=WORDS, fault=Stall(where="body", after_chunks=at)), first)
        shown = "".join(tokens_of(WORDS)[:at])
        async with open_rig(("a", broken), ("b", saying(says, second))) as rig:
            events, outcome = await rig.stream()

            text = check_stream(events, outcome)
            if says.startswith(shown):
                finished(outcome)
                assert text == says
            else:
                ended = unfinished(outcome)
                assert (ended.failure.kind, ended.route.attempts[1].result) == ("timeout", "cancelled")
                assert "differs" in ended.failure.message
                assert text == shown
            assert roles(outcome) == [("a", "first"), ("b", "splice")]
            await check_books(rig, outcome)
            await rig.check()


FAULTS: list[Fault] = [
    Cut(after_chunks=3),
    Cut(after_chunks=3, reset=True),
    Cut(where="utf8", after_chunks=3),
    Stall(where="body", after_chunks=3),
    Malformed(after_chunks=3),
    ErrorInside(after_chunks=3),
    ErrorInside(after_chunks=3, code="overloaded"),
    ErrorInside(after_chunks=3, code="throttled"),
    NoMarker(finish=False, after_chunks=3),
    HugeLine(after_chunks=3, line_bytes=9_000_000),
    CorruptFrame(after_chunks=3),
]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("fault", FAULTS, ids=repr)
async def test_whatever_cuts_a_stream_it_is_taken_up(fault: Fault, wire: WireName, autojump_clock: object) -> None:
    if not exists_on(fault, wire):
        return
    broken = Upstreams(Script(text=WORDS, fault=fault), wire)
    async with open_rig(("a", broken), ("b", saying(WORDS, "anthropic"))) as rig:
        events, outcome = await rig.stream()

        finished(outcome)
        assert check_stream(events, outcome) == WORDS
        assert outcome.route.attempts[-1].role == "splice"
        await rig.check()


SIGNING: tuple[WireName, ...] = ("anthropic", "bedrock", "openai-responses")


@pytest.mark.parametrize("wire", WIRES)
async def test_thinking_that_its_vendor_has_signed_is_never_followed_by_another_answer(
    wire: WireName, autojump_clock: object
) -> None:
    fault = Cut(after_chunks=14, reset=True)
    broken = Upstreams(Script(text=WORDS, reasoning="Let me think of a story.", fault=fault), wire)
    async with open_rig(("a", broken), ("b", saying(WORDS, reasoning="Something else."))) as rig:
        events, outcome = await rig.stream(reasoning=ReasoningOptions(effort="low"))

        text = check_stream(events, outcome)
        if wire in SIGNING:
            assert unfinished(outcome).failure.kind == "network"
            assert "signed" in (outcome.route.gave_up or "")
            assert roles(outcome) == [("a", "first")]
            assert WORDS.startswith(text)
        else:
            finished(outcome)
            assert text == WORDS
        await check_books(rig, outcome)
