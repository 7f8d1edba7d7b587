"""Own the pictures of a tree that it gives of itself: how each actor stands, and how a stop went."""

from __future__ import annotations

import msgspec

from manus.supervisor.child import ChildState
from manus.supervisor.mailbox import SlotStatistics
from manus.supervisor.reasons import ExitReason


class ActorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One child of the tree as it is now; for a supervisor the counts of messages are 0.

    `queued` counts what was accepted and `blocked` who waits for room. `mailbox` has the counts over the slot's life.
    `zombies` are fenced incarnations whose tasks have not ended. `last_exit` is why the latest incarnation ended.
    """

    id: str
    supervisor: str
    state: ChildState
    generation: int
    restarts: int
    in_hand: int = 0
    queued: int = 0
    blocked: int = 0
    zombies: int = 0
    last_exit: ExitReason | None = None
    mailbox: SlotStatistics | None = None


class ChildStopped(msgspec.Struct, frozen=True, kw_only=True):
    """How one actor came to rest: why its last incarnation ended (None: it had none), and when."""

    id: str
    reason: ExitReason | None
    stopped_at: float | None
    undelivered: int


class StopReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a tree came to rest. `children` are in start order; `undelivered` counts what nobody will handle.

    `wedged` names the actors of which an incarnation ignored its cancellation. Their tasks still exist: the loop
    cannot end before they do, and it is for the host to decide whether to wait.
    """

    began_at: float
    ended_at: float
    children: tuple[ChildStopped, ...]
    undelivered: int
    wedged: tuple[str, ...]
