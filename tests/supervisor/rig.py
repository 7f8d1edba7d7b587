"""What the shell's tests share: small actors to command, specs with short words, and what the bus carried."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import trio
import trio.testing

from manus.supervisor.bus import EventBus
from manus.supervisor.context import Context
from manus.supervisor.envelope import Envelope
from manus.supervisor.spec import AnySpec, Backoff, ChildSpec, SupervisorSpec
from manus.supervisor.tree import Tree, open_tree

Event = TypeVar("Event")
Handler = Callable[[Envelope], Awaitable[object]]

BACKOFF_S = 1.0
STEADY = Backoff(min_s=BACKOFF_S, max_s=BACKOFF_S, factor=1.0, jitter=0.0)
"""A back-off that tests can count on."""


class Boom(Exception):
    """What the actors here die of."""


class Diary:
    """Everything a bus carried, in order."""

    def __init__(self) -> None:
        self.bus = EventBus()
        self.events: list[Any] = []
        self.bus.add_listener(self.events.append)

    def of(self, kind: type[Event]) -> list[Event]:
        """Give the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def one(self, kind: type[Event]) -> Event:
        """Give the one event of its kind."""
        found = self.of(kind)
        assert len(found) == 1, f"{len(found)} events of {kind.__name__}: {found}"
        return found[0]


def worker(
    name: str, start: Callable[[Context], Awaitable[None]], *, backoff: Backoff = STEADY, **settings: Any
) -> ChildSpec:
    """Specify an actor; what is not said is the default, but for a back-off without chance."""
    return ChildSpec(id=name, start=start, backoff=backoff, **settings)


def running(
    *children: AnySpec, diary: Diary | None = None, drain_s: float = 0.0, **settings: Any
) -> AbstractAsyncContextManager[Tree]:
    """Open a tree of `children` beneath a one_for_one root."""
    bus = None if diary is None else diary.bus
    return open_tree(SupervisorSpec(id="root", children=children), bus=bus, seed=1, drain_s=drain_s, **settings)


def serving(handler: Handler, **settings: Any) -> Callable[[Context], Awaitable[None]]:
    """Make the `start` of an actor that serves every envelope in a task of its own."""

    async def start(ctx: Context) -> None:
        ctx.started()
        await ctx.serve(handler, **settings)

    return start


def taking_turns(handler: Callable[[Envelope], object]) -> Callable[[Context], Awaitable[None]]:
    """Make the `start` of an actor with synchronous turns."""

    async def start(ctx: Context) -> None:
        ctx.started()
        await ctx.serve_turns(handler)

    return start


async def echo(envelope: Envelope) -> object:
    """Answer with the message."""
    return envelope.message


async def for_ever(envelope: Envelope) -> object:
    """Never answer; end only when cancelled."""
    await trio.sleep_forever()


async def settle() -> None:
    """Let everything that can run, run, without time passing."""
    await trio.testing.wait_all_tasks_blocked()


def in_s(seconds: float) -> float:
    """Give the loop time `seconds` from now."""
    return trio.current_time() + seconds


class Answers:
    """Asks running in the background, and what became of them."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self.got: dict[object, object] = {}
        self.at: dict[object, float] = {}
        self.order: list[object] = []

    def ask(self, ref: Any, message: object, *, within_s: float = 60.0, **settings: Any) -> None:
        """Ask in a task of its own; the answer is filed under the message."""

        async def ask() -> None:
            self.got[message] = await ref.ask(message, deadline=in_s(within_s), **settings)
            self.at[message] = trio.current_time()
            self.order.append(message)

        self._nursery.start_soon(ask)
