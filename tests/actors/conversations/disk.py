"""Own a durable store without a thread: its disk takes its time, or refuses, as a test says, and can be read."""

from __future__ import annotations

from collections import deque
from typing import Literal

import trio

from manus.actors.conversations.history import History
from manus.actors.conversations.store import Change, ConversationKept, ConversationRemoved
from manus.actors.ledger.store import Pending
from manus.messages.content import Turn

Image = dict[str, tuple[tuple[Turn, ...], dict[int, bytes]]]
"""What a disk has of each conversation: its system turns, and its exchanges by their numbers."""


class SlowDisk:
    """A `ConversationStore`. Run `work` beside the tree.

    Args:
        passes: scheduler passes from a change to its confirmation.
        state: `refuses` says no to every change and keeps them; `stalls` says nothing.
    """

    durable = True

    def __init__(self, passes: int = 0, state: Literal["well", "refuses", "stalls"] = "well") -> None:
        self.passes = passes
        self.state = state
        self.confirmed = 0
        self.trouble: str | None = None
        self.images: list[Image] = [{}]
        """What was on the disk after each change, the latest last."""
        self._queue: deque[Change] = deque()
        self._waiting: deque[tuple[int, Pending[bool]]] = deque()
        self._put = 0
        self._wake = trio.Event()

    @property
    def backlog(self) -> int:
        """How many changes wait."""
        return len(self._queue)

    @property
    def image(self) -> Image:
        """What is on the disk."""
        return self.images[-1]

    def loaded(self) -> dict[str, History]:
        """Give nothing: it is new."""
        return {}

    def put(self, change: Change) -> int:
        """Take a change."""
        self._put += 1
        self._queue.append(change)
        self.stir()
        return self._put

    def kept(self, number: int) -> Pending[bool] | None:
        """Promise to say when it is kept."""
        if number <= self.confirmed:
            return None
        pending: Pending[bool] = Pending()
        self._waiting.append((number, pending))
        return pending

    def stir(self) -> None:
        """Have the disk look at what waits: something came, or its state changed."""
        self._wake.set()

    async def work(self) -> None:
        """Be the disk."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            for _ in range(self.passes):
                await trio.lowlevel.checkpoint()
            if self.state == "refuses":
                self.trouble = "the disk refuses"
                waiting, self._waiting = self._waiting, deque()
                for _, pending in waiting:
                    pending.resolve(False)
            elif self.state == "well":
                self._take_all()

    def _take_all(self) -> None:
        self.trouble = None
        while self._queue:
            self.images.append(_applied(self.image, self._queue.popleft()))
            self.confirmed += 1
        while self._waiting and self._waiting[0][0] <= self.confirmed:
            self._waiting.popleft()[1].resolve(True)


def _applied(image: Image, change: Change) -> Image:
    """Give what is on the disk after a change, worked out by its definition."""
    match change:
        case ConversationRemoved(conversation_id=name):
            return {each: value for each, value in image.items() if each != name}
        case ConversationKept(conversation_id=name, first=first, next_number=following):
            said = dict(image[name][1]) if name in image else {}
            if change.exchange is not None:
                said[following - 1] = change.exchange
            kept = {number: body for number, body in said.items() if first <= number < following}
            assert sorted(kept) == list(range(first, following)), "an exchange is missing"
            return image | {name: (change.system, kept)}
