"""Own the answers of accounting that wait for its store: each goes out when the store speaks, or at its deadline."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from manus.supervisor.envelope import Envelope


class Confirmation:
    """An answer that waits for the store to say that a record is kept, or for `deadline`."""

    __slots__ = ("_envelope", "_kept", "_lost", "deadline", "done")

    def __init__(
        self, envelope: Envelope, deadline: float, kept: Callable[[], object], lost: Callable[[], object]
    ) -> None:
        self.deadline = deadline
        self.done = False
        self._envelope = envelope
        self._kept = kept
        self._lost = lost

    def settle(self, kept: bool) -> None:
        """Answer, unless that was done already."""
        if not self.done:
            self.done = True
            self._envelope.reply(self._kept() if kept else self._lost())


class Confirmations:
    """Those that are due, in the order of their deadlines: all wait equally long."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: deque[Confirmation] = deque()

    @property
    def any_due(self) -> bool:
        """Whether the store has yet to confirm something."""
        return any(not one.done for one in self._waiting)

    @property
    def next_at(self) -> float:
        """When the first one must be answered, on the loop's clock."""
        return self._waiting[0].deadline if self._waiting else math.inf

    def add(
        self, envelope: Envelope, deadline: float, *, kept: Callable[[], object], lost: Callable[[], object]
    ) -> Confirmation:
        """Owe an answer: what `kept` gives once the store has the record, or what `lost` gives at the deadline."""
        waiting = self._waiting
        while waiting and waiting[0].done:
            waiting.popleft()
        confirmation = Confirmation(envelope, deadline, kept, lost)
        waiting.append(confirmation)
        return confirmation

    def expire(self, now: float) -> None:
        """Answer those whose deadline has passed."""
        waiting = self._waiting
        while waiting and (waiting[0].done or waiting[0].deadline <= now):
            waiting.popleft().settle(False)
