"""Own what a supervisor is told about its children: specs as frozen values.

A spec says how a child starts, ends and comes back. Whether a tree of specs makes sense is decided
by `spec_check`, once, when the tree is built.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from manus.supervisor.context import Context

Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
"""Come back after every end; only after an abnormal one; never."""

Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
"""Whom a restart takes along: nobody; all siblings; those that start after it."""

OnExhausted: TypeAlias = Literal["escalate", "quarantine"]
"""A child that spent its restart intensity: end the supervisor, or rest the child and try again later."""


class MailboxSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How much may wait at an actor, and what happens to the next message.

    `capacity` counts messages; 0 is a rendezvous. Control messages have a channel of their own, so
    that a ping never queues behind work.
    """

    capacity: int = 64
    overflow: Literal["block", "shed"] = "block"
    control_capacity: int = 8


class Intensity(msgspec.Struct, frozen=True, kw_only=True):
    """How many restarts within `period_s` a child may have. One more, and it is exhausted."""

    max_restarts: int = 5
    period_s: float = 60.0


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait before the n-th restart in a row: `min(max_s, min_s * factor^n * (1 + jitter * u))`.

    Jitter comes before the cap, so `max_s` means what it says. `reset_after_s` is how long an
    incarnation must have run for the series to begin anew; None means the intensity's period.
    """

    min_s: float = 0.2
    max_s: float = 30.0
    factor: float = 2.0
    jitter: float = 0.2
    reset_after_s: float | None = None


class Liveness(msgspec.Struct, frozen=True, kw_only=True):
    """When an actor counts as hung: an unanswered ping, or queued work and none done for `progress_timeout_s`."""

    ping_interval_s: float = 5.0
    ping_timeout_s: float = 5.0
    progress_timeout_s: float | None = None


class SupervisedSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a parent must know of a child, be it a worker or a supervisor.

    `id` is unique in the whole tree and path-like (`upstream/alpha`). `shutdown_s` is the grace
    between cancellation and the verdict that it is ignored; 0 gives none. `drain_s` bounds the time
    for finishing work in hand before cancellation. `significant` ends the supervisor when the child
    ends by itself and is not restarted. `quarantine_s` is the rest before a probation restart.
    """

    id: str
    restart: Restart = "permanent"
    shutdown_s: float = 5.0
    drain_s: float = 30.0
    start_timeout_s: float = 10.0
    significant: bool = False
    intensity: Intensity = Intensity()
    backoff: Backoff = Backoff()
    on_exhausted: OnExhausted = "escalate"
    quarantine_s: float = 30.0


class ChildSpec(SupervisedSpec, frozen=True, kw_only=True):
    """A worker: an actor with a mailbox.

    `start` runs until the actor is done or cancelled and calls `ctx.started()` once ready.
    `uses` names the refs the actor may hold, by id or by `prefix/*`. `cell` makes the durable cell,
    once for the life of the mailbox slot: what it returns survives every incarnation. `liveness`
    None turns hang detection off.
    """

    start: Callable[[Context], Awaitable[None]]
    mailbox: MailboxSpec = MailboxSpec()
    liveness: Liveness | None = Liveness()
    uses: tuple[str, ...] = ()
    cell: Callable[[], object] | None = None


class SupervisorSpec(SupervisedSpec, frozen=True, kw_only=True):
    """A supervisor, which to its own parent is a child like any other.

    `ordered` children start one after another, each when its elder is up, and stop in reverse order.
    Without order they start and stop together, under one shared time limit; that needs `one_for_one`.
    Its children have time limits of their own, hence the infinite ones here.
    """

    children: tuple[ChildSpec | SupervisorSpec, ...] = ()
    strategy: Strategy = "one_for_one"
    ordered: bool = True
    shutdown_s: float = math.inf
    drain_s: float = math.inf
    start_timeout_s: float = math.inf


AnySpec: TypeAlias = ChildSpec | SupervisorSpec
