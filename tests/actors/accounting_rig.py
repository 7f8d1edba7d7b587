"""What tests of the accounting actor share: the actor in a tree of its own, over books that can be told to fail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import msgspec
import trio

from manus.actors.accounting import ACCOUNTING, NO_LIMITS, Books, accounting_child
from manus.actors.ledger.records import AnyRecord
from manus.actors.ledger.store import Fault, MemoryStore
from manus.messages.accounting import Dispatched, Doubt, Release, Settle
from manus.messages.ids import RequestId
from manus.messages.limits import AdmissionPolicy
from manus.messages.policy import LedgerPolicy
from manus.messages.usage import Usage
from manus.supervisor.bus import EventBus
from manus.supervisor.ref import Ref
from manus.supervisor.spec import Backoff, Intensity, SupervisorSpec
from manus.supervisor.tree import Tree, open_tree
from tests.actors.books import REPORTED

POLICY = LedgerPolicy(confirm_s=5.0, retry_s=1.0, open_max=64, recent_max=64)
BACKOFF_S = 0.5
DEADLINE_S = 60.0


class Faults:
    """A fault plan by position: `at[n]` befalls the n-th record, before or after it is kept; `always` befalls all."""

    def __init__(self) -> None:
        self.at: dict[int, tuple[Literal["before", "after"], Fault]] = {}
        self.always: Fault | None = None
        self.seen = 0

    def __call__(self, point: Literal["before", "after"], record: AnyRecord) -> Fault | None:
        if point == "before":
            self.seen += 1
        if self.always is not None:
            return self.always if point == "before" else None
        planned = self.at.get(self.seen)
        return planned[1] if planned is not None and planned[0] == point else None


class Rig:
    """The actor, what it works on, and short ways to speak to it."""

    def __init__(self, tree: Tree, store: MemoryStore, faults: Faults, events: list[object]) -> None:
        self.tree = tree
        self.store = store
        self.faults = faults
        self.events = events
        self.ref: Ref = tree.ref(ACCOUNTING)

    @property
    def books(self) -> Books:
        """The durable cell, where a test may look but not touch."""
        cell = self.tree._ground.slots[ACCOUNTING].cell
        assert isinstance(cell, Books)
        return cell

    async def ask(self, message: object) -> Any:
        """Ask, with a deadline that no test here reaches."""
        return await self.ref.ask(message, deadline=trio.current_time() + DEADLINE_S)

    def of(self, kind: type) -> list[Any]:
        """List the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def states(self) -> dict[str, str]:
        """Say how each attempt stands in the store."""
        return {f"{row.request_id}/{row.attempt}": row.state for row in self.store.rows.values()}


@asynccontextmanager
async def accounting(
    *,
    admission: AdmissionPolicy = NO_LIMITS,
    policy: LedgerPolicy = POLICY,
    faults: Faults | None = None,
    store: MemoryStore | None = None,
) -> AsyncIterator[Rig]:
    """Run the actor. At the end the tree has drained. A `store` that is given has its own faults, or none."""
    plan = Faults() if faults is None else faults
    if store is None:
        store = MemoryStore(run_id="run", rows_max=1000, faults=plan)
    bus = EventBus()
    events: list[object] = []
    bus.add_listener(events.append)
    child = accounting_child(store, policy, now_unix_s=lambda: 1000.0 + trio.current_time(), admission=admission)
    child = msgspec.structs.replace(
        child,
        backoff=Backoff(min_s=BACKOFF_S, max_s=BACKOFF_S, factor=1.0, jitter=0.0),
        intensity=Intensity(max_restarts=50, period_s=60.0),
        liveness=None,
    )
    async with open_tree(SupervisorSpec(id="root", children=(child,)), bus=bus, seed=1) as tree:
        yield Rig(tree, store, plan, events)


def settle(name: str = "r1", attempt: int = 1, usage: Usage = REPORTED) -> Settle:
    """Make a settlement."""
    return Settle(request_id=RequestId(name), attempt=attempt, usage=usage, finish="stop")


def release(name: str = "r1", attempt: int = 1) -> Release:
    """Make a release."""
    return Release(request_id=RequestId(name), attempt=attempt, reason="refused")


def doubt(name: str = "r1", attempt: int = 1) -> Doubt:
    """Make a doubt."""
    return Doubt(request_id=RequestId(name), attempt=attempt, reason="cut")


def dispatch(name: str = "r1", attempt: int = 1) -> Dispatched:
    """Make a dispatch."""
    return Dispatched(request_id=RequestId(name), attempt=attempt)
