"""Own what is known of a race when it is over: what callers were told, what vendors billed, what the books say."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from manus.actors.ledger.rows import LedgerRow
from manus.messages.failures import Failed
from manus.messages.limits import LimitsTold
from manus.sim.quota import Excess, Quota
from manus.supervisor.statistics import ActorStatus
from tests.race.race_plan import Caller, RacePlan

End = Literal["answered", "refused", "broken", "denied", "expired", "left", "lost", "killed", "waiting"]
"""What became of a caller. `lost`: accounting crashed on it too often. `killed`: its process ended."""


class Bill(msgspec.Struct, kw_only=True):
    """One call as its vendor billed it. Changes while it is served."""

    caller: int
    attempt: int
    vendor: str
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(self) -> int:
        """All that is billed."""
        return self.input_tokens + self.output_tokens


class Told(msgspec.Struct, kw_only=True):
    """What one caller lived through, in seconds of the loop's clock; NaN for what never came.

    `attempt` is the last one it made; `asked_at` is when that one was asked for, and `answered_at` when it was told.
    """

    caller: Caller
    end: End = "waiting"
    attempt: int = 0
    asked_at: float = math.nan
    answered_at: float = math.nan
    granted_at: float = math.nan
    arrived_at: float = math.nan
    ended_at: float = math.nan
    failure: Failed | None = None


class RaceReport(msgspec.Struct, kw_only=True):
    """One race, over. `rows` are those of all runs; `limits` is what accounting said at the end, at `limits_at`."""

    plan: RacePlan
    told: list[Told]
    rows: list[LedgerRow]
    bills: list[Bill]
    quotas: dict[str, Quota]
    limits: LimitsTold
    events: list[object]
    excesses: list[Excess]
    statuses: tuple[ActorStatus, ...]
    limits_at: float
