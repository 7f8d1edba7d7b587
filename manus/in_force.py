"""Own what is configured at present, for everybody who has to know it: a reload puts another configuration here."""

from __future__ import annotations

from collections.abc import Callable

import trio

from manus.actors.upstream import ProviderCounters
from manus.config.load import Loaded
from manus.wiring import Wiring


class InForce:
    """The configuration of a running agent. Whoever reads it in two steps takes `wiring` once, for it may change.

    Attributes:
        loaded: the configuration, and where it came from.
        wiring: what its actors were handed.
        counters: what happened at each entry, whichever of its actors it was.
        reloads: how often another one came into force.
        opened_at: when the agent was, on the loop's clock.
        ledger_trouble: says why the books' store is behind or refuses; None where it is well.
        closing: whether the agent is on its way out; nothing is reloaded any more.
    """

    __slots__ = ("closing", "counters", "ledger_trouble", "loaded", "opened_at", "reloads", "wiring")

    def __init__(self, loaded: Loaded, wiring: Wiring, *, ledger_trouble: Callable[[], str | None]) -> None:
        self.loaded = loaded
        self.wiring = wiring
        self.counters = {spec.name: ProviderCounters() for spec in wiring.providers}
        self.reloads = 0
        self.closing = False
        self.opened_at = trio.current_time()
        self.ledger_trouble = ledger_trouble

    def replace(self, loaded: Loaded, wiring: Wiring) -> None:
        """Put another configuration in force. Synchronous."""
        self.loaded, self.wiring = loaded, wiring
        self.reloads += 1
