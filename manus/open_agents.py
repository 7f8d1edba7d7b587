"""Own the list of the agents that are open in this process, for what is made without being told which one to use."""

from __future__ import annotations

import threading
import weakref
from typing import Final

import trio

from manus.agent import LLMAgent
from manus.errors import ConfigurationError

_lock: Final = threading.Lock()
_open: Final[weakref.WeakKeyDictionary[LLMAgent, trio.lowlevel.TrioToken | None]] = weakref.WeakKeyDictionary()
"""Each open agent, and the loop that it belongs to; None where any loop of the process may use it."""


def opened(agent: LLMAgent, *, loop: trio.lowlevel.TrioToken | None = None) -> None:
    """Count an agent among the open ones."""
    with _lock:
        _open[agent] = loop


def closed(agent: LLMAgent) -> None:
    """Count an agent no more; unknown ones are ignored."""
    with _lock:
        _open.pop(agent, None)


def the_open_agent() -> LLMAgent:
    """Give the one agent that a caller here may use.

    Raises:
        ConfigurationError: there is none, or there are several.
    """
    here = trio.lowlevel.current_trio_token() if trio.lowlevel.in_trio_run() else None
    with _lock:
        usable = [agent for agent, loop in _open.items() if loop is None or loop is here]
    match usable:
        case [agent]:
            return agent
        case []:
            raise ConfigurationError("no agent is open here; open one first (manus.create_agent), or hand one over")
        case _:
            raise ConfigurationError(f"{len(usable)} agents are open; say which one is meant: StreamHandler(agent)")
