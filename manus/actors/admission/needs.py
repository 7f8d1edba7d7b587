"""Own what one attempt may take of limits and budgets: its amounts before the call, and how it ended."""

from __future__ import annotations

from typing import NamedTuple

from manus.actors.estimates.bound import worst_cost_nano_usd
from manus.messages.accounting import Booked, Reserve
from manus.messages.limits import TokenCounting
from manus.messages.usage import Usage


class Ended(NamedTuple):
    """How an attempt ended, for who counted it.

    Args:
        booked: how the books have it.
        sent: whether any of it may have left; of what never left nobody has counted anything.
        at: seconds of the loop's clock.
    """

    booked: Booked
    sent: bool
    at: float


class Clock(NamedTuple):
    """One moment on both clocks: the loop's, which never goes back, and the wall's, which may be set."""

    at: float
    unix_s: float


def bound_cost(reserve: Reserve) -> int | None:
    """Give the most that an attempt can cost, in nano-USD; None where its price is unknown."""
    if reserve.bound_cost_nano_usd is not None:
        return reserve.bound_cost_nano_usd
    return worst_cost_nano_usd(reserve.price, reserve.bound)


def input_counted(usage: Usage, counting: TokenCounting) -> int:
    """Give what `usage` counts against a limit on tokens of input."""
    return usage.input_total if counting.cache_reads else usage.input_total - usage.cache_read


def output_asked(reserve: Reserve, used_tokens: int = 0) -> int:
    """Give the output that a vendor counts which goes by what is asked: the cap that the request names.

    Where it names none, nobody can say what the vendor takes for it: what is expected, or what was used if more.
    """
    if reserve.asked_output_tokens is not None:
        return min(reserve.asked_output_tokens, reserve.bound.output)
    return max(reserve.estimate.output, used_tokens)
