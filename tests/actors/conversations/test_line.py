"""The line of one conversation: one at a time, in the order of asking, however its tasks come to it."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from manus.actors.conversations.line import Line


class Ticket:
    def __init__(self, number: int) -> None:
        self.number = number


def test_tickets_run_in_the_order_of_their_numbers_in_whatever_order_they_join() -> None:
    for order in itertools.permutations(range(4)):
        tickets = [Ticket(number) for number in range(4)]
        line: Line[Ticket] = Line(8)
        for number in order:
            line.join(tickets[number])
        ran = []
        for number in order:
            line.take(tickets[number])
        following = line.running
        while following is not None:
            ran.append(following.number)
            following = line.leave(following)
        assert ran == [0, 1, 2, 3]


def test_a_line_takes_one_that_runs_and_as_many_as_may_wait() -> None:
    line: Line[Ticket] = Line(2)
    tickets = [Ticket(number) for number in range(3)]
    had_room = []
    for ticket in tickets:
        had_room.append(line.has_room)
        line.join(ticket)
        line.take(ticket)
    had_room.append(line.has_room)
    line.leave(tickets[1])
    had_room.append(line.has_room)
    assert had_room == [True, True, True, False, True]
    assert line.tickets == (tickets[0], tickets[2])


def test_who_leaves_while_waiting_calls_nobody() -> None:
    line: Line[Ticket] = Line(2)
    first, second, third = (Ticket(number) for number in range(3))
    for ticket in (first, second, third):
        line.join(ticket)
    assert line.take(first)
    assert not line.take(third)
    assert line.leave(second) is None
    assert line.leave(first) is third
    assert line.take(third), "who was called need not be told twice"


class NaiveLine:
    """Everybody in a list; the lowest number that took its place runs."""

    def __init__(self) -> None:
        self.inside: list[int] = []
        self.running: int | None = None

    def take(self, number: int) -> bool:
        if self.running is None and number == min(self.inside):
            self.running = number
        return self.running == number

    def leave(self, number: int) -> int | None:
        self.inside.remove(number)
        if self.running == number:
            self.running = None
        if self.running is None and self.inside:
            self.running = min(self.inside)
            return self.running
        return None


@given(st.lists(st.tuples(st.sampled_from(["join", "take", "leave"]), st.integers(0, 9)), max_size=60))
def test_line_does_what_a_naive_one_does(steps: list[tuple[str, int]]) -> None:
    line: Line[Ticket] = Line(100)
    naive = NaiveLine()
    tickets = {number: Ticket(number) for number in range(10)}
    for step, number in steps:
        inside = number in naive.inside
        if step == "join" and not inside:
            line.join(tickets[number])
            naive.inside.append(number)
        elif step == "take" and inside:
            assert line.take(tickets[number]) == naive.take(number)
        elif step == "leave" and inside:
            called = line.leave(tickets[number])
            assert (None if called is None else called.number) == naive.leave(number)
        assert len(line) == len(naive.inside)
        assert (None if line.running is None else line.running.number) == naive.running
        assert sorted(ticket.number for ticket in line.tickets) == sorted(naive.inside)
