"""Own the list of hosts: how each comes to have an agent, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from tests.conformance.driver import Driver
from tests.conformance.loops import LoopDriver, TrioLoop

Open = Callable[[dict[str, Any], float], AbstractContextManager[Driver]]
"""Opens a host with an agent of this configuration, whose requests in flight have so many seconds at its end.
Any: the configuration in the shape of the file."""


@contextmanager
def in_trio(config: dict[str, Any], drain_s: float) -> Iterator[Driver]:
    """Run a Trio program with `open_agent`: the same loop, no thread between."""
    loop = TrioLoop(config, drain_s=drain_s)
    try:
        yield LoopDriver(loop)
    finally:
        loop.close()


REFERENCE: Final = "trio"
"""The host that every other one is held against: nothing stands between its caller and the agent."""

HOSTS: Final[dict[str, Open]] = {
    REFERENCE: in_trio,
}
