"""Own the words between the supervisor's core and its shell: inputs in, actions out.

The shell turns what happens into inputs, hands each to `SupervisorCore.handle`, and executes the
actions it gets, in the given order, synchronously, before it takes the next input.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import msgspec

from manus.supervisor.events import SupervisionEvent
from manus.supervisor.reasons import ExitReason, Hung
from manus.supervisor.spec import AnySpec


class CoreData(msgspec.Struct, frozen=True, kw_only=True):
    """What inputs and actions share: plain values that never leave the process."""


# --- inputs -------------------------------------------------------------------------------------


class StartRequested(CoreData, frozen=True, kw_only=True):
    """Start all children, in order. The first input, exactly once."""


class ChildStarted(CoreData, frozen=True, kw_only=True):
    """The incarnation said `started()`. For a supervisor: its own core said `Ready`."""

    id: str
    generation: int


class ChildExited(CoreData, frozen=True, kw_only=True):
    """The incarnation is gone, its tasks included. Exactly one per `Start`, also long after a `Fence`.

    A runner that ends before `started()` need not classify: the core makes it `InitFailed`.
    """

    id: str
    generation: int
    reason: ExitReason


class ChildHung(CoreData, frozen=True, kw_only=True):
    """Liveness gave its verdict on a running incarnation."""

    id: str
    generation: int
    reason: Hung


class Tick(CoreData, frozen=True, kw_only=True):
    """The timer that `ScheduleAt` set has come due. A timer that means nothing any more is ignored,
    so the shell need not, but may, forget a child's earlier timer when a new one is set."""

    id: str
    timer: int


class StopRequested(CoreData, frozen=True, kw_only=True):
    """End all children in reverse order: drain until `drain_until`, then cancel; fence what is left at `hard_until`.

    Both are absolute loop times. A second request can only shorten the times of the first, so
    `drain_until=now` from a second signal skips to cancellation. `retire` is False when the children
    will be started again by the supervisor's successor (its parent restarts it): mailboxes are kept.
    """

    by: str
    drain_until: float = -math.inf
    hard_until: float = math.inf
    retire: bool = True


class AddRequested(CoreData, frozen=True, kw_only=True):
    """Add a child after the present ones and start it. Its spec has been checked against the tree."""

    spec: AnySpec


class DrainRequested(CoreData, frozen=True, kw_only=True):
    """End one child for good by draining it; its spec stays, its state becomes `stopped`."""

    id: str
    drain_until: float


class RemoveRequested(CoreData, frozen=True, kw_only=True):
    """End one child as `DrainRequested` does, then forget it."""

    id: str
    drain_until: float


Input: TypeAlias = (
    StartRequested
    | ChildStarted
    | ChildExited
    | ChildHung
    | Tick
    | StopRequested
    | AddRequested
    | DrainRequested
    | RemoveRequested
)


# --- actions ------------------------------------------------------------------------------------


class Start(CoreData, frozen=True, kw_only=True):
    """Start an incarnation on the child's slot. From now on the slot's generation is this one.

    Tasks of incarnations belong in a nursery that outlives this supervisor, lest a zombie keep a
    failed supervisor from ending.
    """

    id: str
    generation: int
    cause: str


class Drain(CoreData, frozen=True, kw_only=True):
    """Close the child's gate and ask the incarnation to finish its queue and what it has in hand.

    It ends by itself (`ChildExited`) or is cancelled by a later action. For a supervisor child:
    give its core `StopRequested(by, drain_until=until, hard_until=hard_until)`.
    """

    id: str
    generation: int
    by: str
    until: float
    hard_until: float


class Cancel(CoreData, frozen=True, kw_only=True):
    """Cancel the incarnation's scope. `reason` is why, `by` names who for its `Shutdown`.

    For a supervisor child: give its core `StopRequested(by, drain_until=-inf, hard_until, retire=retire)`
    instead, so that its children end in order. May be repeated with an earlier `hard_until`.
    """

    id: str
    generation: int
    by: str
    hard_until: float
    retire: bool


class Fence(CoreData, frozen=True, kw_only=True):
    """The incarnation ignores its cancellation: close its clone of the receive side, drop its replies for ever.

    `AnswerInHand` for it follows. For a supervisor child: fence all beneath it.
    Its task may still end one day: `ChildExited` with its generation.
    """

    id: str
    generation: int


class AnswerInHand(CoreData, frozen=True, kw_only=True):
    """Answer everything the incarnation had in hand (usually done by its runner already) with `reason`."""

    id: str
    generation: int
    reason: ExitReason


class ScheduleAt(CoreData, frozen=True, kw_only=True):
    """Give `Tick(id, timer)` at or after the loop time `at`, behind all inputs that are waiting then."""

    at: float
    id: str
    timer: int


class Quarantine(CoreData, frozen=True, kw_only=True):
    """Shut the mailbox for a while: answer what is queued, and what comes, with Unavailable until `Readmit`.

    `retry_after_s` of those answers is what is left until `until`, and never negative.
    """

    id: str
    until: float


class Readmit(CoreData, frozen=True, kw_only=True):
    """The probation incarnation is up: open the mailbox again.

    For a supervisor child: open all beneath it, except of those that rest by themselves.
    """

    id: str


class Retire(CoreData, frozen=True, kw_only=True):
    """The child will not come back: close the gate, answer the queue (`why`), close the channel.

    `stopping` and `unavailable` are the reasons that `Undelivered` gives. For a supervisor child:
    retire all slots beneath it.
    """

    id: str
    why: Literal["stopping", "unavailable"]


class Forget(CoreData, frozen=True, kw_only=True):
    """The child was removed: drop its slot. Follows its `Retire`."""

    id: str


class Refuse(CoreData, frozen=True, kw_only=True):
    """A request about a child cannot be met.

    It is unknown; already there; the supervisor is stopping; or too many zombies of a removed child
    of that name linger for another one to be started.
    """

    id: str
    why: Literal["unknown", "duplicate", "stopping", "wedged"]


class Ready(CoreData, frozen=True, kw_only=True):
    """Every first child is up or has come to rest otherwise. Once; a nested supervisor says `started()` on it."""


class Escalate(CoreData, frozen=True, kw_only=True):
    """A child could not be kept running: this supervisor gives up. It stops its children, then says `Exit`."""

    child: str
    reason: ExitReason


class Exit(CoreData, frozen=True, kw_only=True):
    """No child runs any more: leave. The last action but for a `Refuse`. `Crashed` after an escalation:
    the parent must see it as one.
    """

    reason: ExitReason


class Emit(CoreData, frozen=True, kw_only=True):
    """Publish an event."""

    event: SupervisionEvent


Action: TypeAlias = (
    Start
    | Drain
    | Cancel
    | Fence
    | AnswerInHand
    | ScheduleAt
    | Quarantine
    | Readmit
    | Retire
    | Forget
    | Refuse
    | Ready
    | Escalate
    | Exit
    | Emit
)
