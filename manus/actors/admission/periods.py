"""Own when a budget's period begins and ends: days and months of UTC, by the wall's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from manus.messages.limits import BudgetPeriod

DAY_S: Final = 86_400


class Period(NamedTuple):
    """From a moment (included) to another (not included), in seconds of the wall's clock."""

    begins_unix_s: float
    ends_unix_s: float

    def holds(self, unix_s: float) -> bool:
        """Tell whether a moment is in it."""
        return self.begins_unix_s <= unix_s < self.ends_unix_s


def period_of(kind: BudgetPeriod, unix_s: float) -> Period:
    """Give the day or the month that a moment is in."""
    assert kind != "rolling", "a rolling window has no periods"
    if kind == "day":
        begins = unix_s // DAY_S * DAY_S
        return Period(begins, begins + DAY_S)
    first = datetime.fromtimestamp(unix_s, tz=UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    next_first = (first + timedelta(days=32)).replace(day=1)
    return Period(first.timestamp(), next_first.timestamp())
