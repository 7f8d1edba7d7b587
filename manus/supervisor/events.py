"""Own the events of supervision: what happened in the tree, told to logs, metrics and tests alike.

Every event carries the loop-clock time `at`, the actor and its generation (0 where there is none),
and a `cause`: the incarnation (`id#generation`) or request (`stop:who`) that set the chain off, the
same string in every event that follows from it.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from manus.supervisor.reasons import ExitReason


class SupervisionEventBase(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", omit_defaults=True):
    """What all events share."""

    at: float
    actor: str
    generation: int = 0
    cause: str = ""


class ActorStarted(SupervisionEventBase, frozen=True, kw_only=True, tag="actor_started"):
    """An incarnation said `started()`: it serves. `probation` is set for the first one after a quarantine."""

    probation: bool = False


class ActorExited(SupervisionEventBase, frozen=True, kw_only=True, tag="actor_exited"):
    """An incarnation that had started is gone, or is fenced for good (`Wedged`)."""

    reason: ExitReason


class StartFailed(SupervisionEventBase, frozen=True, kw_only=True, tag="start_failed"):
    """An incarnation ended before it had started."""

    reason: ExitReason


class RestartScheduled(SupervisionEventBase, frozen=True, kw_only=True, tag="restart_scheduled"):
    """The next incarnation starts in `delay_s`; `n_in_period` restarts fall into the intensity's window."""

    delay_s: float
    n_in_period: int


class Quarantined(SupervisionEventBase, frozen=True, kw_only=True, tag="quarantined"):
    """The child spent its restarts and rests for `rest_s`; meanwhile it is unavailable, at once."""

    rest_s: float
    reason: ExitReason


class Escalated(SupervisionEventBase, frozen=True, kw_only=True, tag="escalated"):
    """The supervisor `actor` gives up, because its child `child` could not be kept running."""

    child: str
    reason: ExitReason


class ShutdownOverran(SupervisionEventBase, frozen=True, kw_only=True, tag="shutdown_overran"):
    """A drain or a cancellation took longer than it was given; what comes next is harder."""

    phase: Literal["drain", "cancel"]
    allowed_s: float


class RequestCrashed(SupervisionEventBase, frozen=True, kw_only=True, tag="request_crashed"):
    """A handler raised: its dialog failed, its actor goes on while its fault budget lasts."""

    error: str
    traceback: str = ""
    trace_id: str = ""


class DeadLetter(SupervisionEventBase, frozen=True, kw_only=True, tag="dead_letter"):
    """A message that nobody waits for an answer to was refused, or its actor ended with it in hand.

    `message` names its type, never its content.
    """

    message: str
    why: Literal["full", "stopping", "unavailable", "crashed"]


class LateReply(SupervisionEventBase, frozen=True, kw_only=True, tag="late_reply"):
    """A reply came after its asker had left, or from a fenced generation; it was dropped."""

    fenced: bool = False
    trace_id: str = ""


class LoopStalled(SupervisionEventBase, frozen=True, kw_only=True, tag="loop_stalled"):
    """No task could run for `stalled_s`: something on the loop's thread did not yield. `stack` names it."""

    stalled_s: float
    stack: str = ""


class Hung(SupervisionEventBase, frozen=True, kw_only=True, tag="hung"):
    """Liveness gave its verdict on a running incarnation; its cancellation follows."""

    kind: Literal["ping", "progress"]
    busy_s: float
    stack: str = ""


class Wedged(SupervisionEventBase, frozen=True, kw_only=True, tag="wedged"):
    """An incarnation ignored its cancellation and was fenced; `zombies` such linger for this child."""

    zombies: int
    stack: str = ""


class Lagged(SupervisionEventBase, frozen=True, kw_only=True, tag="lagged"):
    """A subscriber was too slow: `missed` events before this place in its stream are lost to it."""

    missed: int


SupervisionEvent: TypeAlias = (
    ActorStarted
    | ActorExited
    | StartFailed
    | RestartScheduled
    | Quarantined
    | Escalated
    | ShutdownOverran
    | RequestCrashed
    | DeadLetter
    | LateReply
    | LoopStalled
    | Hung
    | Wedged
    | Lagged
)
