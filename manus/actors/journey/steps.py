"""Own the two things that may follow in a request's journey: one more attempt, or none."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from manus.actors.routing.plan import Choice
from manus.messages.failures import Failed
from manus.messages.outcomes import AttemptRole
from manus.messages.requests import ChatRequest

Wanted = Callable[[Choice], bool]
"""Says whether a deployment is one that is looked for."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Ask `choice` after `wait_s`.

    Args:
        role: why, for the story of the route.
        shed: False where nobody else is left: then wait for room in its queue.
        request: what to ask, where it is not the caller's own request.
    """

    choice: Choice
    role: AttemptRole = "first"
    wait_s: float = 0.0
    shed: bool = True
    request: ChatRequest | None = None


class GiveUp(msgspec.Struct, frozen=True, kw_only=True):
    """No attempt follows; `reason` goes into the route. `failure` ends the request in place of the last one."""

    reason: str
    failure: Failed | None = None
