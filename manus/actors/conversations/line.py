"""Own whose turn it is in one conversation: one at a time, in the order of asking, and never more than its bound.

Pure. Tickets are numbered by when they were asked for. Whoever asks in one moment may come to the line in any order,
so a ticket joins first and takes the line a moment later: by then everybody who asked before it has joined.
"""

from __future__ import annotations

from bisect import insort
from typing import Generic, Protocol, TypeVar


class Numbered(Protocol):
    """What stands in line: `number` says when it was asked for, and no two are alike."""

    @property
    def number(self) -> int:
        """Lower was asked for earlier."""
        ...


T = TypeVar("T", bound=Numbered)


class Line(Generic[T]):
    """One conversation's line. `waiting_max` counts those behind the one that runs."""

    __slots__ = ("_waiting", "_waiting_max", "running")

    def __init__(self, waiting_max: int) -> None:
        self.running: T | None = None
        self._waiting: list[T] = []
        self._waiting_max = waiting_max

    def __len__(self) -> int:
        return len(self._waiting) + (self.running is not None)

    @property
    def tickets(self) -> tuple[T, ...]:
        """Everybody in it: who runs, then who waits, in order."""
        return (*(() if self.running is None else (self.running,)), *self._waiting)

    @property
    def has_room(self) -> bool:
        """Whether one more may join."""
        return len(self) <= self._waiting_max

    def join(self, ticket: T) -> None:
        """Stand in line, behind all that were asked for earlier. There has to be room."""
        assert self.has_room, "the line is full"
        insort(self._waiting, ticket, key=_number_of)

    def take(self, ticket: T) -> bool:
        """Let `ticket` run if nobody does and nobody is before it; tell whether it runs now."""
        if self.running is None and self._waiting and self._waiting[0] is ticket:
            self.running = self._waiting.pop(0)
        return self.running is ticket

    def leave(self, ticket: T) -> T | None:
        """Go, whether it ran or waited. Gives who runs now and did not before; somebody has to tell it."""
        if self.running is ticket:
            self.running = None
        else:
            self._waiting = [each for each in self._waiting if each is not ticket]
        if self.running is not None or not self._waiting:
            return None
        self.running = self._waiting.pop(0)
        return self.running


def _number_of(ticket: Numbered) -> int:
    return ticket.number
