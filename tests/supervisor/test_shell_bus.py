"""The event bus: everybody gets everything in order, the slow lose the oldest and know it, nobody is held up."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from manus.supervisor.bus import EventBus
from manus.supervisor.events import DeadLetter, Lagged
from tests.supervisor.rig import settle


def letter(number: int) -> DeadLetter:
    return DeadLetter(at=0.0, actor=f"a{number}", message="str", why="full")


async def test_a_subscriber_gets_every_event_in_order(autojump_clock: object) -> None:
    bus = EventBus()
    with bus.subscribe() as subscription:
        for number in range(5):
            bus.emit(letter(number))
        assert [await subscription.receive() for _ in range(5)] == [letter(number) for number in range(5)]


async def test_a_slow_subscriber_loses_the_oldest_and_is_told_how_many(autojump_clock: object) -> None:
    bus = EventBus()
    with bus.subscribe(capacity=2) as slow, bus.subscribe(capacity=8) as quick:
        for number in range(5):
            bus.emit(letter(number))
        assert [slow.receive_nowait() for _ in range(3)] == [
            Lagged(at=0.0, actor="", missed=3),
            letter(3),
            letter(4),
        ]
        assert [quick.receive_nowait() for _ in range(5)] == [letter(number) for number in range(5)]
        assert bus.statistics().dropped == 3


async def test_emitting_is_no_checkpoint_and_wakes_who_waits(autojump_clock: object) -> None:
    bus = EventBus()
    got: list[object] = []

    async def read() -> None:
        with bus.subscribe() as subscription:
            got.append(await subscription.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await settle()
        with trio.testing.assert_no_checkpoints():
            bus.emit(letter(1))
    assert got == [letter(1)]


async def test_closing_ends_the_iteration_after_what_was_collected(autojump_clock: object) -> None:
    bus = EventBus()
    subscription = bus.subscribe()
    bus.emit(letter(1))
    subscription.close()
    bus.emit(letter(2))
    assert [event async for event in subscription] == [letter(1)]
    with pytest.raises(trio.EndOfChannel):
        await subscription.receive()
    assert bus.statistics().subscribers == 0


async def test_closing_wakes_a_reader_that_waits(autojump_clock: object) -> None:
    subscription = EventBus().subscribe()
    ended: list[bool] = []

    async def read() -> None:
        ended.append([event async for event in subscription] == [])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await settle()
        subscription.close()
    assert ended == [True]


async def test_a_listener_that_raises_is_detached_and_counted_and_the_others_hear_on(autojump_clock: object) -> None:
    bus = EventBus()
    heard: list[object] = []

    def broken(event: object) -> None:
        raise OSError("no space left")

    bus.add_listener(broken)
    bus.add_listener(heard.append)
    bus.emit(letter(1))
    bus.emit(letter(2))

    statistics = bus.statistics()
    assert heard == [letter(1), letter(2)]
    assert (statistics.listeners, statistics.listeners_failed) == (1, 1)
    assert "no space left" in statistics.last_failure


async def test_a_listener_may_leave_while_it_hears(autojump_clock: object) -> None:
    bus = EventBus()
    heard: list[object] = []

    def once(event: object) -> None:
        heard.append(event)
        bus.remove_listener(once)

    bus.add_listener(once)
    bus.emit(letter(1))
    bus.emit(letter(2))
    assert heard == [letter(1)]


def test_a_subscription_needs_room() -> None:
    with pytest.raises(ValueError, match="at least 1 event"):
        EventBus().subscribe(capacity=0)
