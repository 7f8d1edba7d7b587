"""The router's places, as a structure of their own: who gets one, in which order, and what shed requests are told."""

from __future__ import annotations

import random

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.waiting_room import COME_BACK_MAX_S, COME_BACK_MIN_S, FIRST_GUESS_S, SPREAD, WaitingRoom


def room(places: int = 4, *, batch_share: float = 0.5, waiting_max: int = 8, seed: int = 1) -> WaitingRoom:
    return WaitingRoom(places, batch_share=batch_share, waiting_max=waiting_max, rng=random.Random(seed))


class Queue:
    """Batch requests that wait in a room, each in a task, with a scope to cancel it by."""

    def __init__(self, waiting_room: WaitingRoom, nursery: trio.Nursery) -> None:
        self.room = waiting_room
        self.begun: list[int] = []
        self.gone: list[int] = []
        self.scopes: dict[int, trio.CancelScope] = {}
        self._nursery = nursery

    async def join(self, number: int) -> None:
        """Have request `number` wait; it is in the line on return, or has begun."""
        self.scopes[number] = trio.CancelScope()
        self._nursery.start_soon(self._one, number)
        await trio.testing.wait_all_tasks_blocked()

    async def _one(self, number: int) -> None:
        with self.scopes[number] as scope:
            await self.room.wait()
            self.begun.append(number)
        if scope.cancelled_caught:
            self.gone.append(number)


# --- places -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("places", "share", "for_batch"), [(4, 0.5, 2), (4, 0.75, 3), (5, 0.5, 3), (1, 0.75, 1), (8, 0.01, 1), (3, 1.0, 3)]
)
def test_batch_starts_only_while_less_than_its_share_is_taken(places: int, share: float, for_batch: int) -> None:
    each = room(places, batch_share=share)
    assert [each.enter(0.0, batch=True) for _ in range(places)].count(True) == for_batch
    assert [each.enter(0.0, batch=False) for _ in range(places)].count(True) == places - for_batch
    assert not each.enter(0.0, batch=True)
    assert each.taken == places


async def test_there_is_room_for_who_may_start_or_wait() -> None:
    each = room(4, batch_share=0.5, waiting_max=1)
    rooms: list[tuple[bool, bool]] = []
    async with trio.open_nursery() as nursery:
        queue = Queue(each, nursery)
        for number in range(4):
            rooms.append((each.has_room(batch=True), each.has_room(batch=False)))
            assert each.enter(0.0, batch=number < 2)
            if number == 2:
                await queue.join(number)
        rooms.append((each.has_room(batch=True), each.has_room(batch=False)))
        nursery.cancel_scope.cancel()
    assert rooms == [(True, True), (True, True), (True, True), (False, True), (False, False)]


async def test_who_waited_longest_begins_first_and_only_below_the_share() -> None:
    each = room()
    for _ in range(4):
        assert each.enter(0.0, batch=False)
    async with trio.open_nursery() as nursery:
        queue = Queue(each, nursery)
        for number in range(3):
            await queue.join(number)
        each.leave(1.0, 1.0)
        each.leave(1.0, 1.0)
        await trio.testing.wait_all_tasks_blocked()
        assert (queue.begun, each.taken, each.waiting) == ([], 2, 3)

        each.leave(1.0, 1.0)
        # The place has passed over already, in the same step: nobody can slip in between.
        assert (each.taken, each.waiting) == (2, 2)
        assert not each.enter(1.0, batch=True)
        await trio.testing.wait_all_tasks_blocked()
        assert queue.begun == [0]
        for number in (1, 2):
            each.leave(1.0, 1.0)
            await trio.testing.wait_all_tasks_blocked()
            assert queue.begun[-1] == number
    assert each.taken == 2


async def test_who_is_cancelled_leaves_the_line_at_once_and_no_place_with_it() -> None:
    each = room(1)
    assert each.enter(0.0, batch=True)
    async with trio.open_nursery() as nursery:
        queue = Queue(each, nursery)
        for number in range(3):
            await queue.join(number)
        queue.scopes[0].cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert (queue.gone, each.waiting, each.taken) == ([0], 2, 1)

        each.leave(1.0, 1.0)
        queue.scopes[1].cancel()  # too late by the blink of an eye: the place is its own, and it has to leave it
        await trio.testing.wait_all_tasks_blocked()
        assert (queue.begun, queue.gone, each.taken) == ([1], [0], 1)
        each.leave(1.0, 1.0)
    assert (queue.begun, each.taken, each.waiting) == ([1, 2], 1, 0)


STEPS = st.lists(
    st.sampled_from(["interactive", "batch", "leave", "cancel first", "cancel last", "leave and cancel", "rest"]),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(
    steps=STEPS, places=st.integers(1, 5), share=st.sampled_from([0.01, 0.5, 0.75, 1.0]), waiting_max=st.integers(0, 4)
)
def test_whatever_happens_nobody_waits_while_a_place_is_free_and_no_place_is_lost(
    steps: list[str], places: int, share: float, waiting_max: int
) -> None:
    async def play() -> None:
        each = room(places, batch_share=share, waiting_max=waiting_max)
        probe = room(places, batch_share=share)
        for_batch = [probe.enter(0.0, batch=True) for _ in range(places)].count(True)
        entered = 0
        line: list[int] = []
        begun: list[int] = []
        async with trio.open_nursery() as nursery:
            queue = Queue(each, nursery)
            for number, step in enumerate(steps):
                match step:
                    case "interactive":
                        room_for_one = each.taken < places
                        assert each.enter(0.0, batch=False) is room_for_one
                        entered += room_for_one
                    case "batch":
                        if each.enter(0.0, batch=True):
                            assert not line, "it overtook those who wait"
                            entered += 1
                        elif each.has_room(batch=True):
                            await queue.join(number)
                            line.append(number)
                    case "leave" | "leave and cancel":
                        if entered:
                            entered -= 1
                            each.leave(1.0, 0.0)
                            # What was passed on is taken in this very step; cancelling it afterwards is too late.
                            passed_on = len(line) - each.waiting
                            begun += line[:passed_on]
                            entered += passed_on
                            del line[:passed_on]
                            if step == "leave and cancel" and begun:
                                queue.scopes[begun[-1]].cancel()
                    case "cancel first" | "cancel last":
                        if line:
                            queue.scopes[line.pop(0 if step == "cancel first" else -1)].cancel()
                            await trio.testing.wait_all_tasks_blocked()
                    case _:
                        await trio.testing.wait_all_tasks_blocked()
                assert each.taken == entered
                assert each.waiting == len(line) <= waiting_max
                assert each.taken <= places
                assert not line or each.taken >= for_batch, "somebody waits for a place that is free"
            await trio.testing.wait_all_tasks_blocked()
            assert queue.begun == begun
            nursery.cancel_scope.cancel()

    trio.run(play)


# --- what shed requests are told ----------------------------------------------------------------------------------


def busy(places: int, *, held_s: float, requests: int = 1000) -> WaitingRoom:
    """Give a full room in which `requests` went through, each of which held its place for so long."""
    each = room(places, batch_share=1.0)
    for number in range(requests):
        assert each.enter(float(number), batch=False)
        each.leave(held_s, float(number))
    for _ in range(places):
        assert each.enter(float(requests), batch=False)
    return each


def without_spread(told_s: float) -> tuple[float, float]:
    """Give between which bounds the time lies that was spread into `told_s`."""
    return told_s / (1.0 + SPREAD), told_s


def says(each: WaitingRoom, now: float, expected_s: float) -> None:
    least, most = without_spread(each.come_back_s(now))
    assert least <= expected_s * 1.0001
    assert most >= expected_s * 0.9999


def test_shed_requests_are_told_when_a_place_should_be_free_one_after_the_other() -> None:
    each = busy(10, held_s=5.0)
    for number in range(1, 40):
        says(each, 1000.0, number * 0.5)


def test_a_router_of_which_nothing_is_known_yet_gives_a_guess() -> None:
    each = room(1)
    assert each.enter(0.0, batch=False)
    says(each, 0.0, FIRST_GUESS_S)


def test_slower_requests_mean_a_longer_wait_and_faster_ones_a_shorter_one() -> None:
    slow, fast = busy(4, held_s=20.0), busy(4, held_s=0.4)
    says(slow, 1000.0, 5.0)
    says(fast, 1000.0, 0.1)


def test_a_router_that_stands_still_is_not_said_to_be_fast() -> None:
    each = busy(10, held_s=5.0)
    says(each, 1012.0, 12.0)


def test_long_idleness_before_a_rush_is_not_taken_for_standing_still() -> None:
    each = room(2, batch_share=1.0)
    for _ in range(1000):
        assert each.enter(0.0, batch=False)
        each.leave(1.0, 1.0)
    for _ in range(2):
        assert each.enter(3600.0, batch=False)
    says(each, 3600.0, 0.5)


def test_places_that_became_free_shorten_the_line_again() -> None:
    each = busy(10, held_s=5.0)
    for _ in range(6):
        each.come_back_s(1000.0)
    for _ in range(6):
        each.leave(5.0, 1000.0)
        assert each.enter(1000.0, batch=False)
    says(each, 1000.0, 0.5)


async def test_a_shed_batch_request_comes_after_those_who_wait() -> None:
    each = busy(10, held_s=5.0)
    async with trio.open_nursery() as nursery:
        queue = Queue(each, nursery)
        for number in range(3):
            await queue.join(number)
        says(each, 1000.0, 4 * 0.5)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("held_s", "bound"), [(0.0001, COME_BACK_MIN_S), (3600.0, COME_BACK_MAX_S)])
def test_what_is_told_is_bounded_and_spread(held_s: float, bound: float) -> None:
    each = busy(10, held_s=held_s)
    told = [each.come_back_s(1000.0) for _ in range(100)]
    assert all(bound <= each_s <= bound * (1 + SPREAD) for each_s in told)
    assert len(set(told)) == 100
    assert max(told) - min(told) > 0.8 * SPREAD * bound


def test_line_that_is_too_long_to_be_told_does_not_grow_further() -> None:
    each = busy(10, held_s=5.0)
    for _ in range(10_000):
        each.come_back_s(1000.0)
    for _ in range(int(COME_BACK_MAX_S / 0.5)):
        each.leave(5.0, 1000.0)
        assert each.enter(1000.0, batch=False)
    says(each, 1000.0, 0.5)


@pytest.mark.parametrize("seed", [1, 2])
def test_spread_follows_the_seed(seed: int) -> None:
    def told(seed: int) -> list[float]:
        each = room(1, seed=seed)
        assert each.enter(0.0, batch=False)
        return [each.come_back_s(0.0) for _ in range(5)]

    assert told(seed) == told(seed) != told(3)
