"""Callers who read slowly, pause, leave or run out of time while their stream is taken up."""

from __future__ import annotations

from typing import Literal

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.ledger.records import AnyRecord
from manus.actors.ledger.store import Fault as BooksFault
from manus.messages.events import Reset, StreamEvent
from manus.messages.outcomes import Outcome
from manus.messages.requests import OnInterrupt
from manus.messages.routing_policy import RouterPolicy
from manus.sim.behaviour import Script
from manus.sim.faults import Cut, Stall
from tests.actors.interrupted import (
    OTHER,
    TEXT,
    TIRELESS,
    cards,
    check_books,
    check_stream,
    chunk,
    ending,
    reset,
    roles,
    saying,
    scripted,
    typed,
)
from tests.actors.rig import Rig, Upstreams, asked, finished, open_rig, outcome_of, text_seen, unfinished
from tests.actors.test_request_rings import rings


async def read_slowly(
    rig: Rig, *, buffer: int, gap_s: float, within_s: float = 600.0, mode: OnInterrupt = "auto"
) -> tuple[list[StreamEvent], Outcome]:
    """Read one item of the stream every `gap_s` seconds."""
    events: list[StreamEvent] = []
    request = asked(stream=True, on_interrupt=mode)
    with rig.router.ask_stream(request, deadline=trio.current_time() + within_s, buffer=buffer) as dialog:
        async for item in dialog:
            assert isinstance(item, list)
            events.extend(item)
            await trio.sleep(gap_s)
        return events, outcome_of(await dialog.outcome())


@pytest.mark.parametrize("accepts", [True, False])
@pytest.mark.parametrize("buffer", [1, 2, 3])
@pytest.mark.parametrize("gap_s", [0.0, 0.7, 5.0])
async def test_slow_reader_gets_every_character_once_whatever_had_no_room_at_the_cut(
    accepts: bool, buffer: int, gap_s: float, autojump_clock: object
) -> None:
    for at in (1, 2, 3, 9, 20):
        async with open_rig(
            ("a", typed(TEXT, at)), ("b", saying(TEXT, "anthropic")), cards=cards("b") if accepts else {}
        ) as rig:
            events, outcome = await read_slowly(rig, buffer=buffer, gap_s=gap_s)

            finished(outcome)
            assert check_stream(events, outcome) == TEXT
            await check_books(rig, outcome)
            await rig.check()


@pytest.mark.parametrize("accepts", [True, False])
async def test_what_had_no_room_when_the_provider_crashed_is_said_before_what_follows(
    accepts: bool, autojump_clock: object
) -> None:
    ways = (("a", Upstreams(Script(text=TEXT, chunk_tokens=1))), ("b", saying(TEXT, "anthropic")))
    async with open_rig(*ways, cards=cards("b") if accepts else {}) as rig:
        request = asked(stream=True)
        with rig.router.ask_stream(request, deadline=trio.current_time() + 60, buffer=2) as dialog:
            await trio.testing.wait_all_tasks_blocked()
            assert rig.upstreams["a"].open_exchanges == 1
            rig.tree.crash("provider/a", RuntimeError("a bug"))
            await trio.testing.wait_all_tasks_blocked()
            events: list[StreamEvent] = []
            async for item in dialog:
                assert isinstance(item, list)
                events.extend(item)
            outcome = outcome_of(await dialog.outcome())

        finished(outcome)
        assert check_stream(events, outcome) == TEXT
        assert outcome.route.attempts[0].result == "actor_crashed"
        await check_books(rig, outcome)
        await rig.check()


@pytest.mark.parametrize("accepts", [True, False])
async def test_paused_reader_finds_the_rest_when_it_resumes(accepts: bool, autojump_clock: object) -> None:
    ways = (("a", typed(TEXT, 9)), ("b", saying(TEXT, "anthropic")))
    async with open_rig(*ways, cards=cards("b") if accepts else {}) as rig:
        events: list[StreamEvent] = []
        request = asked(stream=True)
        with rig.router.ask_stream(request, deadline=trio.current_time() + 900, buffer=2) as dialog:
            dialog.pause()
            await trio.sleep(50.0)
            dialog.resume()
            async for item in dialog:
                assert isinstance(item, list)
                events.extend(item)
            outcome = outcome_of(await dialog.outcome())

        finished(outcome)
        assert check_stream(events, outcome) == TEXT
        await rig.check()


@pytest.mark.parametrize("mode", ["auto", "restart"])
async def test_reader_that_stops_for_good_is_told_that_it_does_not_read(
    mode: OnInterrupt, autojump_clock: object
) -> None:
    policy = RouterPolicy(consumer_stall_s=3.0)
    async with open_rig(("a", typed(TEXT, 2)), ("b", saying(TEXT)), policy=policy) as rig:
        request = asked(stream=True, on_interrupt=mode)
        with rig.router.ask_stream(request, deadline=trio.current_time() + 60, buffer=2) as dialog:
            await trio.sleep(30.0)
            outcome = outcome_of(await dialog.outcome())

        assert unfinished(outcome).failure.kind == "slow_consumer"
        await check_books(rig, outcome)
        await rig.check()


LATE = Script(text=TEXT, first_token_s=2.0, gap_s=0.5)


@pytest.mark.parametrize("accepts", [True, False])
@pytest.mark.parametrize("after_s", [0.0, 1.0, 2.6, 4.1])
@pytest.mark.parametrize("leaves", ["close", "cancel"])
async def test_caller_that_leaves_during_a_rescue_leaves_nothing_behind(
    accepts: bool, after_s: float, leaves: str, autojump_clock: object
) -> None:
    ways = (("a", typed(TEXT, 9)), ("b", Upstreams(LATE, "anthropic")))
    async with open_rig(*ways, cards=cards("b") if accepts else {}) as rig:
        events: list[StreamEvent] = []
        request = asked(stream=True)
        outcome: Outcome | None = None
        with rig.router.ask_stream(request, deadline=trio.current_time() + 60) as dialog:
            with trio.move_on_after(after_s):
                async for item in dialog:
                    assert isinstance(item, list)
                    events.extend(item)
            if leaves == "cancel":
                dialog.cancel()
                async for item in dialog:
                    assert isinstance(item, list)
                    events.extend(item)
                outcome = outcome_of(await dialog.outcome())

        if outcome is not None:
            assert unfinished(outcome).failure.kind == "cancelled"
            assert TEXT.startswith(check_stream(events, outcome))
            assert (unfinished(outcome).partial is None) == (not events)
            await check_books(rig, outcome)
        await rig.check()


@pytest.mark.parametrize("accepts", [True, False])
@pytest.mark.parametrize("within_s", [0.5, 1.9, 2.7, 4.2])
async def test_deadline_during_a_rescue_is_a_deadline_with_what_was_shown(
    accepts: bool, within_s: float, autojump_clock: object
) -> None:
    ways = (("a", typed(TEXT, 9)), ("b", Upstreams(LATE, "anthropic")))
    async with open_rig(*ways, cards=cards("b") if accepts else {}) as rig:
        events, outcome = await rig.stream(within_s=within_s)

        assert unfinished(outcome).failure.kind == "deadline"
        text = check_stream(events, outcome)
        assert TEXT.startswith(text)
        assert len(text) >= 9
        assert outcome.latency_s <= within_s + 0.05
        await rig.check()


@pytest.mark.parametrize("leaves", [False, True])
async def test_answer_that_differs_is_no_cause_of_an_end_while_the_books_stall(
    leaves: bool, autojump_clock: object
) -> None:
    settled = 0

    def stalling(point: Literal["before", "after"], record: AnyRecord) -> BooksFault | None:
        nonlocal settled
        settled += point == "after" and type(record).__name__ == "AttemptSettled"
        return "stall" if settled == 3 else None

    # Of the three attempts the last one differs; its booking is not confirmed before the request is cut short.
    async with open_rig(("a", typed(TEXT, 9)), ("b", saying(OTHER)), faults=stalling, confirm_s=20.0) as rig:
        events: list[StreamEvent] = []
        with rig.router.ask_stream(asked(stream=True), deadline=trio.current_time() + 5) as dialog:
            async with trio.open_nursery() as nursery:
                if leaves:

                    @nursery.start_soon
                    async def leave() -> None:
                        await trio.sleep(3)
                        dialog.cancel()

                async for item in dialog:
                    assert isinstance(item, list)
                    events.extend(item)
            outcome = outcome_of(await dialog.outcome())
        rig.store.heal()

        assert unfinished(outcome).failure.kind == ("cancelled" if leaves else "deadline")
        assert unfinished(outcome).failure.message.startswith("The ")
        assert "differs" not in unfinished(outcome).failure.message
        assert [role for _, role in roles(outcome)] == ["first", "splice", "splice"]
        assert check_stream(events, outcome) == TEXT[:9]
        await rig.check()


async def test_reset_takes_the_place_of_what_the_caller_had_not_read_yet(autojump_clock: object) -> None:
    async with open_rig(("a", typed(TEXT, 20)), ("b", saying(OTHER)), policy=TIRELESS) as rig:
        events, outcome = await read_slowly(rig, buffer=1, gap_s=1.0, mode="restart")

        finished(outcome)
        assert check_stream(events, outcome) == OTHER
        assert [type(event) for event in events].count(Reset) >= 1
        await rig.check()


async def test_whole_answers_are_restarted_and_nobody_is_asked_to_go_on(autojump_clock: object) -> None:
    broken = Upstreams(Script(text=TEXT, fault=Cut(after_chunks=3)))
    async with open_rig(("a", broken), ("b", saying(OTHER, "anthropic")), cards=cards("b")) as rig:
        outcome = finished(await rig.generate())

        assert outcome.answer.parts[0].text == OTHER  # type: ignore[union-attr]
        assert {role for _, role in roles(outcome)} <= {"first", "retry", "failover"}
        await rig.check()


async def test_stream_without_content_yet_fails_over_as_any_request(autojump_clock: object) -> None:
    broken = Upstreams(Script(text=TEXT, fault=Stall(where="first_token")))
    async with open_rig(("a", broken), ("b", saying(OTHER, "anthropic")), cards=cards("b")) as rig:
        events, outcome = await rig.stream()

        assert check_stream(events, outcome) == OTHER
        assert roles(outcome) == [("a", "first"), ("b", "failover")]


@pytest.mark.parametrize("says", [TEXT, OTHER], ids=["joins", "differs"])
@pytest.mark.parametrize("accepts", [True, False])
async def test_rescue_is_freed_when_it_is_over(accepts: bool, says: str, autojump_clock: object) -> None:
    ways = (("a", typed(TEXT, 9)), ("b", saying(says, "anthropic", prefill=None if accepts else "refuse")))
    async with open_rig(*ways, policy=TIRELESS, cards=cards("b")) as rig:
        with rings() as found:
            for _ in range(5):
                await rig.stream()
            await rig.settled()

        assert [name for name in found if found.count(name) >= 5] == []


@pytest.mark.parametrize("mode", ["auto", "restart", "error"])
async def test_policy_decides_where_the_request_does_not_say(mode: OnInterrupt, autojump_clock: object) -> None:
    policy = RouterPolicy(on_interrupt=mode)
    async with open_rig(("a", typed(TEXT, 9)), ("b", saying(OTHER)), policy=policy) as rig:
        events, outcome = await rig.stream()

        assert text_seen(events) == (OTHER if mode == "restart" else TEXT[:9])
        assert len(roles(outcome)) == {"auto": 3, "restart": 3, "error": 1}[mode]


CHUNKS = st.lists(st.integers(1, 5), min_size=1, max_size=12)


def pieces_of(text: str, sizes: list[int]) -> list[str]:
    pieces: list[str] = []
    at = 0
    while at < len(text):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(text[at : at + size])
        at += size
    return pieces


@settings(max_examples=60, deadline=None)
@given(
    text=st.one_of(st.text("ab \n", min_size=1, max_size=40), st.text(min_size=1, max_size=20)),
    other=st.one_of(st.none(), st.text("ab \n", max_size=30)),
    first=CHUNKS,
    second=CHUNKS,
    cut=st.integers(1, 40),
    buffer=st.integers(1, 4),
    mode=st.sampled_from(["auto", "restart", "error"]),
)
def test_caller_has_a_prefix_of_one_answer_and_all_of_it_on_success(
    text: str, other: str | None, first: list[int], second: list[int], cut: int, buffer: int, mode: OnInterrupt
) -> None:
    text = "".join(character for character in text if not "\ud800" <= character <= "\udfff" and character != "\0")
    shown = text[:cut]
    says = text if other is None else other
    if not shown:
        return

    async def main() -> None:
        broken = scripted(*(chunk(content=piece) for piece in pieces_of(shown, first)), reset())
        healthy = scripted(*(chunk(content=piece) for piece in pieces_of(says, second)), ending())
        async with open_rig(("a", broken), ("b", healthy), policy=TIRELESS) as rig:
            events, outcome = await rig.stream(buffer=buffer, on_interrupt=mode)

            got = check_stream(events, outcome)
            if type(outcome).__name__ == "Finished":
                assert got == says
                assert mode == "restart" or says.startswith(shown)
            else:
                assert got == shown
                assert mode == "error" or not says.startswith(shown)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
