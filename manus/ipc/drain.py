"""Own the word that all connections are to end, and by when: said once, heard by those that come later too."""

from __future__ import annotations

import math
from typing import final

import trio


@final
class Drain:
    """One for all connections of a server. `deadline` is on the loop's clock; it can only come nearer."""

    __slots__ = ("_asked", "deadline")

    def __init__(self) -> None:
        self._asked = trio.Event()
        self.deadline = math.inf

    @property
    def is_asked(self) -> bool:
        """Whether it was said."""
        return self._asked.is_set()

    def ask(self, within_s: float) -> None:
        """Have every connection end within that time."""
        self.deadline = min(self.deadline, trio.current_time() + within_s)
        self._asked.set()

    async def wait(self) -> None:
        """Sleep until it is said."""
        await self._asked.wait()
