"""Own the ways from the router to the actors that it calls: which attempts keep to an actor that another one replaces.

An attempt keeps to the actor that it was begun for until it is over, so that the price it was reserved at and the key
it is sent under are those of one configuration. An actor that has left the table can go once its lane is free.
"""

from __future__ import annotations

from typing import Final

import msgspec
import trio

from manus.supervisor.ref import Ref


class LaneAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Ask to be told when no attempt needs an actor any more that has left the table; answered with `LaneFree`."""

    actor: str


class LaneFree(msgspec.Struct, frozen=True):
    """None does: the actor can go."""


LANE_FREE: Final = LaneFree()


class Lane:
    """The way to one actor, and how many attempts of this incarnation keep to it, whatever is configured meanwhile."""

    __slots__ = ("_freed", "attempts", "ref")

    def __init__(self, ref: Ref) -> None:
        self.ref = ref
        self.attempts = 0
        self._freed: trio.Event | None = None

    def leave(self) -> None:
        """Note that an attempt is over."""
        self.attempts -= 1
        if not self.attempts and self._freed is not None:
            self._freed.set()

    async def free(self) -> None:
        """Wait until no attempt keeps to it; for a lane that takes no new ones."""
        while self.attempts:
            if self._freed is None:
                self._freed = trio.Event()
            await self._freed.wait()
