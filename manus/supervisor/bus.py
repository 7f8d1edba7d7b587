"""Own the way of supervision events to whoever subscribes: bounded, in order, never blocking whoever emits."""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import msgspec
import trio

from manus.supervisor.events import Lagged
from manus.supervisor.wake import WakeSlot

Listener: TypeAlias = Callable[[object], None]
"""Called with every event, in the emitter's own task: synchronous and quick."""


class BusStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What went over the bus since it was made.

    `dropped` counts events that slow subscribers lost. `listeners_failed` counts listeners that raised, and were
    detached for it; `last_failure` is the traceback of the latest.
    """

    emitted: int
    subscribers: int
    listeners: int
    dropped: int
    listeners_failed: int
    last_failure: str


class Subscription:
    """A ring of the latest events for one reader; an async iterator.

    When the ring is full the oldest event makes room, and the reader finds one `Lagged` where events are missing.
    """

    __slots__ = ("_bus", "_capacity", "_closed", "_missed", "_ring", "_wake", "missed_total")

    def __init__(self, bus: EventBus, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"a subscription needs room for at least 1 event, not {capacity}")
        self._bus = bus
        self._capacity = capacity
        self._ring: deque[object] = deque()
        self._missed = 0
        self._closed = False
        self._wake = WakeSlot()
        self.missed_total = 0

    def _put(self, event: object) -> None:
        if len(self._ring) >= self._capacity:
            self._ring.popleft()
            self._missed += 1
            self.missed_total += 1
        self._ring.append(event)
        self._wake.wake()

    def receive_nowait(self) -> object:
        """Take the next event.

        Raises:
            trio.WouldBlock: there is none at present.
            trio.EndOfChannel: there is none, and none will come: the subscription is closed.
        """
        if self._missed:
            missed, self._missed = self._missed, 0
            return Lagged(at=self._bus.now(), actor="", missed=missed)
        if self._ring:
            return self._ring.popleft()
        if self._closed:
            raise trio.EndOfChannel
        raise trio.WouldBlock

    async def receive(self) -> object:
        """Wait for the next event. A checkpoint; cancelled, it takes nothing.

        Raises:
            trio.EndOfChannel: the subscription is closed and empty.
        """
        await trio.lowlevel.checkpoint()
        while True:
            try:
                return self.receive_nowait()
            except trio.WouldBlock:
                await self._wake.wait()

    def close(self) -> None:
        """Stop collecting; what the ring holds can still be read. Synchronous; closing twice is fine."""
        self._closed = True
        self._bus.discard(self)
        self._wake.wake()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> object:
        try:
            return await self.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class EventBus:
    """Carries every event to every listener and subscription. Belongs to one loop."""

    __slots__ = ("_dropped_before", "_emitted", "_failed", "_last_failure", "_listeners", "_subscriptions")

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._subscriptions: list[Subscription] = []
        self._emitted = 0
        self._failed = 0
        self._last_failure = ""
        self._dropped_before = 0

    def now(self) -> float:
        """Tell the loop's time."""
        return trio.current_time()

    def emit(self, event: object) -> None:
        """Hand `event` to everybody. Synchronous; never blocks or raises.

        A listener that raises is detached, lest one broken log sink take down every actor that emits.
        """
        self._emitted += 1
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:
                self._failed += 1
                self._last_failure = traceback.format_exc(limit=8)
                self.remove_listener(listener)
        for subscription in self._subscriptions:
            subscription._put(event)

    def add_listener(self, listener: Listener) -> None:
        """Call `listener` with every event from now on."""
        self._listeners.append(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Call `listener` no more; unknown ones are ignored."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def subscribe(self, capacity: int = 256) -> Subscription:
        """Open a stream of all events from now on; the caller closes it."""
        subscription = Subscription(self, capacity)
        self._subscriptions.append(subscription)
        return subscription

    def discard(self, subscription: Subscription) -> None:
        """Drop a closed subscription."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            self._dropped_before += subscription.missed_total

    def statistics(self) -> BusStatistics:
        """Describe the bus as it is now."""
        return BusStatistics(
            emitted=self._emitted,
            subscribers=len(self._subscriptions),
            listeners=len(self._listeners),
            dropped=self._dropped_before + sum(each.missed_total for each in self._subscriptions),
            listeners_failed=self._failed,
            last_failure=self._last_failure,
        )
