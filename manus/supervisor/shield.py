"""Own the ways to shield work from cancellation: as long as a bound says, or until a holder with a bound lets go."""

from __future__ import annotations

import math

import trio


def bounded_shield(seconds: float) -> trio.CancelScope:
    """Give a scope that keeps outside cancellation away for at most `seconds`; use as `with bounded_shield(1.0):`.

    Past the bound the block is cancelled like any other, so that cleanup can never hold a shutdown for ever.
    A shield without a bound is how an actor becomes wedged; a test walks the syntax tree and allows no other.

    Raises:
        ValueError: `seconds` is negative, infinite or not a number.
    """
    if not 0 <= seconds < math.inf:
        raise ValueError(f"a shield needs a finite bound of at least 0 seconds, not {seconds!r}")
    return trio.move_on_after(seconds, shield=True)


def shield_until_released() -> trio.CancelScope:
    """Give a scope that keeps outside cancellation away until its holder sets `shield = False`.

    For the tree's host alone, which notices an outside cancellation elsewhere and then releases this within bounds.
    """
    return trio.CancelScope(shield=True)
