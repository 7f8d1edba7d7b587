"""Own what all gauges have in common: one bound of one scope, what is asked of it, and how it says no.

There is a kind for flows (`flows.py`), one for budgets (`budgets.py`) and one for what vendors tell (`learning.py`).
Nothing here waits or decides: that is `admission`'s and the line's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

import msgspec

from manus.actors.admission.needs import Clock, Ended
from manus.messages.accounting import Reserve
from manus.messages.failures import Advice, Failed
from manus.messages.limits import Scope

if TYPE_CHECKING:
    from manus.actors.admission.groups import Group

COME_BACK_S: Final = 1.0
"""What who is refused is told where it depends on open attempts when there is room again."""

ELSEWHERE: Final = Advice("no", "yes", False)
"""What to do where waiting is of no use: somebody else may have room, or be cheaper."""


Seniority = tuple[float, int]
"""Where somebody stands: the lower comes first. Seconds of the loop's clock, and a number that nobody shares."""


class Spot:
    """A group's place at a gauge that holds it up."""

    __slots__ = ("group", "seniority")

    def __init__(self, group: Group, seniority: Seniority) -> None:
        self.group = group
        self.seniority = seniority

    def __lt__(self, other: Spot) -> bool:
        return self.seniority < other.seniority


class Shortage(msgspec.Struct, frozen=True, kw_only=True):
    """There is no room for an attempt now, and there will be.

    Args:
        gauge: where there is none.
        failure: what to tell who cannot wait.
        free_at: when there may be room at the earliest, on the loop's clock; None where that depends on what is open.
        loading: nobody knows yet what is used, and it is being looked up: also who would not wait waits for that.
    """

    gauge: Gauge
    failure: Failed
    free_at: float | None = None
    loading: bool = False


class Gauge(ABC):
    """One bound of one scope.

    Args:
        scope: whom it holds for.
        source: the place in the configuration, for messages.
        watches: it wants to be told when the vendor begins to answer.
    """

    __slots__ = ("line", "scope", "source", "watches")

    def __init__(self, scope: Scope, source: str, *, watches: bool = False) -> None:
        self.scope = scope
        self.source = source
        self.watches = watches
        self.line: list[Spot] = []
        """Who is held up here, as a heap whose first is in line; `line.Line` keeps it."""

    @property
    @abstractmethod
    def identity(self) -> tuple[object, ...]:
        """What makes it the same gauge after the configuration has changed: all but how much it allows."""

    @abstractmethod
    def need(self, reserve: Reserve) -> int:
        """Give what an attempt takes while it is open."""

    @abstractmethod
    def refusal(self, reserve: Reserve, need: int, clock: Clock) -> Failed | None:
        """Say why it cannot have what it needs however long it waits; None where it may."""

    @abstractmethod
    def has_room(self, reserve: Reserve, need: int, clock: Clock) -> bool:
        """Tell whether `need` fits now, beside all that counts, and nothing refuses it."""

    @abstractmethod
    def shortage(self, reserve: Reserve, need: int, clock: Clock) -> Shortage:
        """Say what is missing, to one that there is no room for or that others stand before."""

    @abstractmethod
    def take(self, need: int, clock: Clock) -> object:
        """Count an attempt as open; gives what the gauge wants back with its end."""

    def answered(self, reserve: Reserve, mark: object, need: int, now: float) -> object:
        """Note that the vendor has counted the request by now; gives the mark anew."""
        return mark

    @abstractmethod
    def end(self, reserve: Reserve, mark: object, need: int, ended: Ended) -> None:
        """Count what came of an attempt in place of what it held."""

    @abstractmethod
    def put_back(self, mark: object, need: int) -> None:
        """Take an attempt back that was not made after all."""


def name_of(scope: Scope) -> str:
    """Name a scope for people."""
    return "all requests" if scope.kind == "all" else f"{scope.kind} {scope.name}"


def refused(reserve: Reserve, message: str, *, retry_after_s: float | None) -> Failed:
    """Refuse an attempt for want of room that will come."""
    return Failed(
        kind="admission",
        message=message,
        retry_after_s=retry_after_s,
        safe_to_retry=True,
        phase="queued",
        provider=reserve.provider,
        model=reserve.model,
    )


def never(reserve: Reserve, message: str) -> Failed:
    """Refuse an attempt that no waiting makes room for."""
    return msgspec.structs.replace(refused(reserve, message, retry_after_s=None), advice=ELSEWHERE)
