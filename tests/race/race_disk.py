"""Own the books of a race and the disk under them: kept in memory, over two runs, on a disk that may be unwell."""

from __future__ import annotations

from typing import Literal

import msgspec

from manus.actors.ledger.records import AnyRecord
from manus.actors.ledger.store import Fault, MemoryStore, Pending, Refused
from manus.messages.accounting import Spent, SpentAsked, SpentBucket


class RaceStore(MemoryStore):
    """Books in memory that know of those of an earlier run, as a file would."""

    def __init__(self, run_id: str, faults: FaultSwitch, earlier: RaceStore | None = None) -> None:
        super().__init__(run_id=run_id, rows_max=10_000, faults=faults)
        self.earlier = earlier

    def spent(self, asked: tuple[SpentAsked, ...]) -> Pending[tuple[Spent, ...] | Refused]:
        """Say what was spent, by the earlier run as well."""
        own = super().spent(asked)
        if self.earlier is None:
            return own
        before = self.earlier.spent(tuple(msgspec.structs.replace(one, others_only=False) for one in asked))
        assert not isinstance(own.value, Refused)
        assert not isinstance(before.value, Refused)
        pending: Pending[tuple[Spent, ...] | Refused] = Pending()
        pending.resolve(tuple(_joined(one, other) for one, other in zip(before.value, own.value, strict=True)))
        return pending


class FaultSwitch:
    """The disk: well, or refusing, or slow to confirm, for as long as the plan says."""

    def __init__(self) -> None:
        self.now: Literal["well", "refuse", "stall"] = "well"

    def __call__(self, point: Literal["before", "after"], record: AnyRecord) -> Fault | None:
        """Give the disk's fault, on the way to it."""
        return None if self.now == "well" or point == "after" else self.now


def _joined(one: Spent, other: Spent) -> Spent:
    buckets: dict[float, SpentBucket] = {}
    for bucket in (*one.buckets, *other.buckets):
        known = buckets.get(bucket.at_unix_s, SpentBucket(at_unix_s=bucket.at_unix_s))
        fields = msgspec.structs.asdict(bucket)
        sums = {name: value + getattr(known, name) for name, value in fields.items() if name != "at_unix_s"}
        buckets[bucket.at_unix_s] = SpentBucket(at_unix_s=bucket.at_unix_s, **sums)
    return Spent(scope=one.scope, buckets=tuple(buckets[at] for at in sorted(buckets)))
