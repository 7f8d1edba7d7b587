"""Own the seam between conversations and what keeps them: what a store promises, and the store in memory.

A store takes changes in order. Each change is whole: a store never shows half of one, whatever dies.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from manus.actors.conversations.history import History
from manus.actors.ledger.store import Pending
from manus.messages.content import Turn


class ConversationKept(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as it stands, but for its exchanges: of these the one that is new.

    Args:
        first, next_number: exchanges below `first` and from `next_number` on are none of it, whatever was kept before.
        system: its system turns.
        exchange: the latest one as JSON, with the number `next_number - 1`, where it is new.
    """

    conversation_id: str
    system: tuple[Turn, ...]
    created_unix_s: float
    used_unix_s: float
    first: int
    next_number: int
    exchange: bytes | None = None


class ConversationRemoved(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that is no more."""

    conversation_id: str


Change = ConversationKept | ConversationRemoved


class ConversationStore(Protocol):
    """Where changes go. One store belongs to one process at a time; nothing but the loop's thread calls it.

    What every store promises:

    * Nothing here waits or raises. A change that was put is kept as long as the process lives, and tried until the disk
      takes it; the order of changes is that of putting.
    * After the death of the process a durable store has the changes up to some number, `confirmed` or later, each one
      whole.
    """

    @property
    def durable(self) -> bool:
        """Whether what is confirmed outlives the process."""
        ...

    @property
    def confirmed(self) -> int:
        """All changes up to this number are kept."""
        ...

    @property
    def trouble(self) -> str | None:
        """What keeps changes from being kept, in words; None where nothing does."""
        ...

    @property
    def backlog(self) -> int:
        """How many changes wait."""
        ...

    def loaded(self) -> dict[str, History]:
        """Give what the store had when it was opened, longest unused first. To be asked once."""
        ...

    def put(self, change: Change) -> int:
        """Take a change, and give its number."""
        ...

    def kept(self, number: int) -> Pending[bool] | None:
        """Promise to say when the change of this number is kept, or has failed once; None where it is kept."""
        ...


class MemoryStore:
    """Keeps nothing: conversations end with the process. It has no thread, which simulations rely on."""

    __slots__ = ()

    durable = False
    confirmed = 0
    trouble: str | None = None
    backlog = 0

    def loaded(self) -> dict[str, History]:
        """Give nothing."""
        return {}

    def put(self, change: Change) -> int:
        """Forget the change."""
        return 0

    def kept(self, number: int) -> Pending[bool] | None:
        """Nothing is owed."""
        return None
