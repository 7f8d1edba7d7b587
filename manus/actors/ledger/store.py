"""Own the seam between the books and what keeps them: what a store promises, and the store in memory.

A store takes records in order, keeps them through the death of the process as far as it promises to, and
answers questions about rows. Everything is synchronous on the loop's side; what takes time is a `Pending`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Literal, Protocol, TypeVar

import msgspec

from manus.actors.ledger.records import AnyRecord, AttemptKey
from manus.actors.ledger.rows import LedgerRow, next_row, status_of
from manus.actors.ledger.sums import (
    DAY_S,
    HOUR_S,
    OTHERS,
    Labels,
    Part,
    add_totals,
    bucket_of,
    bucket_of_part,
    falls_under,
    is_asked_for,
    labels_of,
    part_of,
    spent_of_rows,
    sum_buckets,
    sum_parts,
    total_of,
)
from manus.messages.accounting import RequestStatus, Spent, SpentAsked, StatsAsked, UsageRow
from manus.messages.ids import RequestKey

T = TypeVar("T")

SUMS_MAX = 20_000
"""Sums that books in memory tell apart (some 1 KiB each), before they gather what is new among others."""


class Refused(msgspec.Struct, frozen=True):
    """The store could not do it; `reason` is one sentence for people, without a secret."""

    reason: str


class Pending(Generic[T]):
    """A result that the store owes: resolved once, on the loop's thread."""

    __slots__ = ("_callback", "_value", "done")

    _value: T

    def __init__(self) -> None:
        self.done = False
        self._callback: Callable[[T], None] | None = None

    def resolve(self, value: T) -> None:
        """Give the result to whoever waits, or keep it for who asks next."""
        assert not self.done, "a pending result is resolved once"
        self.done = True
        self._value = value
        if self._callback is not None:
            callback, self._callback = self._callback, None
            callback(value)

    @property
    def value(self) -> T:
        """The result, once it is `done`."""
        assert self.done, "the result is still owed"
        return self._value

    def then(self, callback: Callable[[T], None]) -> None:
        """Call `callback` with the result when it comes. One callback only, and only while it is not `done`."""
        assert self._callback is None, "a pending result has one reader"
        assert not self.done, "the result is there: read it"
        self._callback = callback


Appended = Pending[bool] | Refused | None
"""What appending gives: None, the record is kept; a pending that says whether it came to be kept; a refusal."""


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """What opening the ledger found of runs that never ended cleanly.

    Args:
        runs: how many such runs were closed.
        in_doubt: rows that became in doubt.
        released: rows of which nothing had been sent.
        damaged: journals that made no sense beyond a torn last record; they were put aside, not deleted.
        left: runs that could not be closed, each with the reason; the next start tries again.
    """

    runs: int = 0
    in_doubt: int = 0
    released: int = 0
    damaged: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class LedgerStore(Protocol):
    """Where records go. One store belongs to one run; nothing but the loop's thread calls it.

    What every store promises (`tests/actors/store_promises.py` holds them to it; a server's would be one more):

    * Nothing here waits. What takes time is a `Pending`, resolved once, on the loop's thread, in the order of asking.
    * A record that is kept survives the death of the process as far as the store promises to, and is read after all
      that were kept before it. A record may be appended twice, and counts once. An attempt ends once: the first end
      stands. A step of an attempt whose intent was never kept is nothing.
    * An ending can be appended whenever its intent was: room for it is kept, or there is a `Refused` and it is appended
      again later. A refusal and a `False` are the only ways not to keep a record, and both are told.
    * Answers cover all runs that share the books, open attempts among them, and all that this one appended before.
    * What a run that died left open is ended when the books are opened next: in doubt at its bound if anything may have
      been sent, released if that is certain not to be so. What lives is left alone.
    """

    run_id: str
    recovered: Recovery

    @property
    def trouble(self) -> str | None:
        """Why the store is behind or refuses, for people; None while all is well."""
        ...

    def append(self, record: AnyRecord) -> Appended:
        """Keep `record`, after all that were appended before. A refused record is not kept, and may be tried again."""
        ...

    def sums(self, asked: StatsAsked) -> Pending[tuple[UsageRow, ...] | Refused]:
        """Sum up all runs' rows of a span of time, as `sum_parts` does. Exact to the moment where rows are kept."""
        ...

    def spent(self, asked: tuple[SpentAsked, ...]) -> Pending[tuple[Spent, ...] | Refused]:
        """Say what each scope has spent, one answer for each question. Rather too much than too little, where rows
        that a window begins among are gone.
        """
        ...

    def status(self, request_key: RequestKey) -> Pending[RequestStatus | Refused]:
        """Find the latest request that a host called `request_key`, in all runs."""
        ...

    def close(self) -> None:
        """End the run: flush, end what is open, let go of files. Blocks within a bound; a second call is nothing."""
        ...


Fault = Literal["refuse", "raise", "stall"]


class InjectedFault(Exception):
    """What a fault plan makes the store raise: the crash of whoever called it."""


class FaultPlan(Protocol):
    """Decide what goes wrong with a record. Asked twice: `before` it is kept, and `after`, when it already is.

    `refuse` answers `Refused`, `raise` raises `InjectedFault`. After the record is kept these are the ambiguous ones:
    the caller is told less than is true. `stall` keeps the record and holds back the confirmation until `heal()`.
    """

    def __call__(self, point: Literal["before", "after"], record: AnyRecord) -> Fault | None:
        """Give the fault at this point for this record, None for none."""
        ...


def no_faults(point: Literal["before", "after"], record: AnyRecord) -> Fault | None:
    """Let everything pass."""
    return None


class MemoryStore:
    """Books that end with the process: no thread, no clock, no file. For simulations and for `path = None`.

    Closed rows are kept one by one up to `rows_max`, then as sums per hour, of which there are `sums_max`: what would
    be one more is summed up per day, its conversation and its tags among `OTHERS`. Providers, models, deployments, keys
    and days stay exact, and nothing is left out of any total.
    """

    def __init__(
        self,
        *,
        run_id: str = "memory",
        rows_max: int = 2_000,
        sums_max: int = SUMS_MAX,
        faults: FaultPlan = no_faults,
    ) -> None:
        self.run_id = run_id
        self.recovered = Recovery()
        self.trouble: str | None = None
        self.faults = faults
        self.rows: OrderedDict[AttemptKey, LedgerRow] = OrderedDict()  # in the order in which they were reserved
        self._rows_max = rows_max
        self._sums_max = sums_max
        self._closed: OrderedDict[AttemptKey, None] = OrderedDict()  # in the order in which they ended
        self._folded: dict[tuple[int, Labels], UsageRow] = {}
        self._stalled: list[Pending[bool]] = []

    def __repr__(self) -> str:
        return f"<MemoryStore {self.run_id}: {len(self.rows)} rows, {len(self._stalled)} stalled>"

    def append(self, record: AnyRecord) -> Appended:
        """Keep `record`, unless the fault plan says otherwise."""
        before = self.faults("before", record)
        if before == "refuse":
            return Refused("injected: refused before it was kept")
        if before == "raise":
            raise InjectedFault("before it was kept")
        self._keep(record)
        after = self.faults("after", record)
        if after == "refuse":
            return Refused("injected: refused after it was kept")
        if after == "raise":
            raise InjectedFault("after it was kept")
        if "stall" in (before, after):
            pending: Pending[bool] = Pending()
            self._stalled.append(pending)
            return pending
        return None

    def heal(self) -> None:
        """Confirm everything whose confirmation was kept back."""
        stalled, self._stalled = self._stalled, []
        for pending in stalled:
            pending.resolve(True)

    def sums(self, asked: StatsAsked) -> Pending[tuple[UsageRow, ...] | Refused]:
        """Sum up, at once. Of rows no longer kept one by one, an hour counts whole or not at all, by its beginning."""
        parts = [part_of(row) for row in self.rows.values()] + self._folded_parts()
        pending: Pending[tuple[UsageRow, ...] | Refused] = Pending()
        pending.resolve(sum_parts((part for part in parts if is_asked_for(asked, part.at_unix_s)), asked.by))
        return pending

    def spent(self, asked: tuple[SpentAsked, ...]) -> Pending[tuple[Spent, ...] | Refused]:
        """Say it at once. There are no other runs in these books."""
        pending: Pending[tuple[Spent, ...] | Refused] = Pending()
        pending.resolve(tuple(Spent(scope=one.scope) if one.others_only else self._spent(one) for one in asked))
        return pending

    def status(self, request_key: RequestKey) -> Pending[RequestStatus | Refused]:
        """Find it among the rows kept one by one, at once."""
        named = [row for row in self.rows.values() if row.request_key == request_key]
        latest = [row for row in named if row.request_id == named[-1].request_id]
        pending: Pending[RequestStatus | Refused] = Pending()
        pending.resolve(status_of(request_key, latest))
        return pending

    def close(self) -> None:
        """Let the books go with the process: nobody can recover them, so nothing is ended in their name."""

    def _keep(self, record: AnyRecord) -> None:
        row = next_row(self.rows.get(record.key), record, self.run_id)
        if row is None:
            return
        self.rows[record.key] = row
        if not row.is_open:
            self._closed[record.key] = None
        if len(self._closed) > self._rows_max:
            key, _ = self._closed.popitem(last=False)
            self._fold(self.rows.pop(key))

    def _fold(self, row: LedgerRow) -> None:
        labels = labels_of(row)
        place = (bucket_of(row.created_unix_s, HOUR_S), labels)
        if place not in self._folded and len(self._folded) >= self._sums_max:
            others = labels._replace(
                conversation_id=labels.conversation_id and OTHERS, tags=(OTHERS,) if labels.tags else ()
            )
            place = (bucket_of(row.created_unix_s, DAY_S), others)
        known = self._folded.get(place)
        self._folded[place] = total_of(row) if known is None else add_totals(known, total_of(row))

    def _folded_parts(self) -> list[Part]:
        return [Part(labels, at, total) for (at, labels), total in self._folded.items()]

    def _spent(self, asked: SpentAsked) -> Spent:
        latest = max((row.created_unix_s for row in self.rows.values()), default=0.0)
        kept = spent_of_rows(asked, self.rows.values(), latest)
        older = [
            bucket_of_part(part, int(part.at_unix_s))
            for part in self._folded_parts()
            if part.at_unix_s + HOUR_S > asked.since_unix_s and falls_under(part.labels, asked.scope)
        ]
        return sum_buckets(asked, [*kept.buckets, *older])
