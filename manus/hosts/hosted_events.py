"""Own a hosted agent's subscription to what happens inside, and its live count of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, final

import trio

from manus.hosts.border import Border, Relay
from manus.hosts.callers import Here
from manus.supervisor.bus import Listener, Subscription
from manus.trio_agent import TrioAgent

if TYPE_CHECKING:
    from manus.hosts.hosted_agent import HostedAgent


@final
class EventPump:
    """The inner end of one subscription: a ring in the runtime's loop, and whoever carries from it to the relay."""

    def __init__(self, border: Border, agent: TrioAgent, capacity: int) -> None:
        # Room for one batch: what comes while that is unread stays in the ring, which drops its oldest when full.
        self.relay: Relay[object] = Relay(border, limit=1)
        self._border = border
        self._agent = agent
        self._capacity = capacity
        self._ring: Subscription | None = None

    # --- in the runtime's loop ------------------------------------------------------------------------

    def start(self) -> None:
        # Here and not in the task, so that calls posted after it are told of.
        self._ring = self._agent.events(self._capacity)
        if not self._border.spawn(self._run):
            self.lost()

    def lost(self) -> None:
        self.relay.end()

    def close(self) -> None:
        if self._ring is not None:
            self._ring.close()

    async def _run(self) -> None:
        assert self._ring is not None, "`start` made it"
        try:
            async for event in self._ring:
                await self.relay.put([event, *_arrived(self._ring)])
        finally:
            self._border.leave(self)
            self._ring.close()
            self.relay.end()


def _arrived(ring: Subscription) -> list[object]:
    events: list[object] = []
    while True:
        try:
            events.append(ring.receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            return events


@final
class HostedEvents:
    """The subscription that `HostedAgent.events` gives; see `AgentEvents`."""

    __slots__ = ("__weakref__", "_agent", "_border", "_here", "_pump")

    def __init__(self, agent: HostedAgent, border: Border, here: Here, pump: EventPump) -> None:
        self._pump = pump
        self._border = border
        self._here = here
        self._agent = agent  # held, so that the runtime lives as long as somebody listens

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> object:
        return await self._pump.relay.get(self._here)

    def close(self) -> None:
        if not self._pump.relay.ended:
            self._border.post_quietly(self._pump.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


@final
class DistantBus:
    """The runtime's bus as somebody outside may listen to it: the listener is called in the runtime's thread."""

    __slots__ = ("_agent", "_border", "_inner")

    def __init__(self, agent: HostedAgent, border: Border, inner: TrioAgent) -> None:
        self._border = border
        self._inner = inner
        self._agent = agent

    def add_listener(self, listener: Listener) -> None:
        self._border.post(self._inner.bus.add_listener, listener)

    def remove_listener(self, listener: Listener) -> None:
        self._border.post_quietly(self._inner.bus.remove_listener, listener)
