"""Own what a serving has to do for one exchange, one step after the other.

A provider plans steps and a serving plays them; nobody else decides anything. `Accept` and `Generate`
are the provider's own (they go on its bill) and never reach a serving.
"""

from __future__ import annotations

import msgspec


class Step(msgspec.Struct, frozen=True, gc=False):
    """One thing to do."""


class Accept(Step, frozen=True, gc=False):
    """The request has been read and work begins: from here on its prompt is billed."""

    input_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0


class Generate(Step, frozen=True, gc=False):
    """So many more tokens have been generated, and are billed whether or not they arrive."""

    tokens: int


class Refuse(Step, frozen=True, gc=False):
    """Accept no connection for `for_s` seconds, beginning with this one."""

    for_s: float


class Wait(Step, frozen=True, gc=False):
    """Let `seconds` pass."""

    seconds: float


class Head(Step, frozen=True):
    """Send the response's head. Names are lower-case; framing headers are included."""

    status: int
    headers: tuple[tuple[str, str], ...]


class Send(Step, frozen=True, gc=False):
    """Send bytes of the body; `final` marks the last ones of an answer that is complete with them."""

    data: bytes
    final: bool = False


class Hangup(Step, frozen=True, gc=False):
    """End the connection here, in the middle of the message; by RST if `reset`."""

    reset: bool


class Silence(Step, frozen=True, gc=False):
    """Do nothing more until the client leaves."""


class End(Step, frozen=True, gc=False):
    """End the body in good order."""


Played = Refuse | Wait | Head | Send | Hangup | Silence | End
"""What a serving sees."""

Planned = Accept | Generate | Played
"""What a plan consists of."""
