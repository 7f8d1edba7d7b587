"""Own the answers the supervisor gives in an actor's place: why an ask got no reply from a handler.

They are values, not exceptions: the asker routes on them. Everything else that an ask returns is what the
handler returned.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from manus.supervisor.phase import Phase


class _Terminal(msgspec.Struct, frozen=True, kw_only=True, tag_field="terminal"):
    """The end of a dialog, said by the supervisor."""


class ActorFailed(_Terminal, frozen=True, kw_only=True, tag="actor_failed"):
    """The request was in hand when its actor, or only its own handler, came to grief.

    `safe_to_retry` is true while `phase` is below `Phase.SENT`: nothing had left yet, so nothing can have been
    done twice. `detail` names the type of the error and never its text, which may quote what was asked.
    """

    kind: Literal["actor_crashed", "actor_hung", "actor_wedged", "request_crashed", "stopped"]
    safe_to_retry: bool
    phase: Phase
    detail: str = ""


class Undelivered(_Terminal, frozen=True, kw_only=True, tag="undelivered"):
    """No handler saw the request and none will: the gate is closed, the mailbox full, or the actor given up."""

    reason: Literal["stopping", "full", "unavailable"]


class Unavailable(_Terminal, frozen=True, kw_only=True, tag="unavailable"):
    """The actor is quarantined; its next probation starts in `retry_after_s` seconds."""

    retry_after_s: float


class Expired(_Terminal, frozen=True, kw_only=True, tag="expired"):
    """The deadline passed while the request waited (`queued`) or was worked on (`running`)."""

    where: Literal["queued", "running"]


class Withdrawn(_Terminal, frozen=True, kw_only=True, tag="withdrawn"):
    """The asker cancelled the request before its deadline."""


SupervisorTerminal: TypeAlias = ActorFailed | Undelivered | Unavailable | Expired | Withdrawn
