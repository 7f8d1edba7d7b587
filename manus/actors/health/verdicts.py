"""Own what health answers when it is asked whether a deployment may be called, and the ticket of one that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from manus.messages.failures import FailureKind
from manus.messages.outcomes import BreakerState

if TYPE_CHECKING:
    from manus.actors.health.tracked import Tracked


class Ready(msgspec.Struct, frozen=True):
    """It may be asked. `probe`: by one request that finds out whether it is well again, which this one would be."""

    probe: bool


class NotBefore(msgspec.Struct, frozen=True, kw_only=True):
    """It is left alone until `at` (the loop's clock, always in the future); `why` is in words.

    `refused` is how the vendor refused the key, where that is why.
    """

    at: float
    why: str
    state: BreakerState
    refused: FailureKind | None = None


READY: Final = Ready(probe=False)
PROBE: Final = Ready(probe=True)


class Ticket:
    """One attempt that runs: its place at a deployment, and the probes that it is, if any.

    Hand it back once, by `Health.ended` or `Health.withdrawn`; whatever follows is ignored.
    """

    __slots__ = ("began_at", "epoch", "incarnation", "key_epoch", "key_probe", "own_probe", "tracked")

    def __init__(self, tracked: Tracked, began_at: float, incarnation: int, own_probe: bool, key_probe: bool) -> None:
        self.tracked = tracked
        self.began_at = began_at
        self.incarnation = incarnation
        """Of the router; `RETURNED` once it was handed back."""
        self.own_probe = own_probe
        self.key_probe = key_probe
        self.epoch = tracked.breaker.epoch
        """The period of the breaker that it began in; of the key's, `key_epoch`."""
        self.key_epoch = tracked.key.breaker.epoch

    def counts_from_here(self) -> None:
        """Be an attempt like any other, of the present period, and no probe."""
        self.own_probe = self.key_probe = False
        self.epoch = self.tracked.breaker.epoch
        self.key_epoch = self.tracked.key.breaker.epoch

    @property
    def probe(self) -> bool:
        """Whether this attempt finds out if the deployment is well again."""
        return self.own_probe or self.key_probe


RETURNED: Final = -1
"""In the place of an incarnation: the ticket was handed back."""
