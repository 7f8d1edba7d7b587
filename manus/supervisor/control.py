"""Own the control lane of an actor: pings and the order to drain, which never queue behind work."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class Ping(msgspec.Struct, frozen=True, kw_only=True):
    """Ask an incarnation whether it still runs; `nonce` tells pings apart."""

    nonce: int


class DrainNow(msgspec.Struct, frozen=True, kw_only=True):
    """Ask an incarnation to finish what waits and what it has in hand, then to end."""


Control: TypeAlias = Ping | DrainNow


class Pong(msgspec.Struct, frozen=True, kw_only=True):
    """An incarnation's answer to `Ping`: that it runs, and how its work stands."""

    nonce: int
    generation: int
    queued: int
    in_hand: int
    oldest_in_hand_s: float
    handled: int
