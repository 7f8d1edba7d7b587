"""Own a row of the ledger: what the records of one attempt add up to.

Pure: the SQLite file and the books in memory hold the same rows.
"""

from __future__ import annotations

from typing import Literal, assert_never

import msgspec

from manus.actors.ledger.records import (
    AnyRecord,
    AttemptDispatched,
    AttemptDoubted,
    AttemptKey,
    AttemptReleased,
    AttemptReserved,
    AttemptSettled,
)
from manus.messages.accounting import RequestStatus
from manus.messages.ids import DeploymentId, RequestId, RequestKey
from manus.messages.usage import NO_USAGE, Usage

RowState = Literal["intent", "dispatched", "settled", "released", "in_doubt"]


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt, as the ledger holds it.

    `usage` and `cost_nano_usd` are what was used; of a row in doubt they are the upper bound, and
    `usage.source` says `bound`. A cost of None is unknown, never free. Times are seconds of Unix time.
    """

    request_id: RequestId
    attempt: int
    run_id: str
    state: RowState
    provider: str
    model: str
    deployment: DeploymentId
    created_unix_s: float
    bound: Usage
    estimate: Usage
    request_key: RequestKey | None = None
    conversation_id: str | None = None
    key_fingerprint: str | None = None
    tags: tuple[str, ...] = ()
    dispatched_unix_s: float | None = None
    ended_unix_s: float | None = None
    bound_cost_nano_usd: int | None = None
    estimate_cost_nano_usd: int | None = None
    price_version: str = ""
    usage: Usage = NO_USAGE
    cost_nano_usd: int | None = None
    finish: str | None = None
    reason: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether its ending is still to come."""
        return self.state in ("intent", "dispatched")


def next_row(row: LedgerRow | None, record: AnyRecord, run_id: str) -> LedgerRow | None:
    """Give the row after `record`. Reading a record twice, or one without its intent, changes nothing."""
    if isinstance(record, AttemptReserved):
        return row or _new_row(record, run_id)
    if row is None or not row.is_open:
        return row
    match record:
        case AttemptDispatched():
            if row.state == "dispatched":
                return row
            return msgspec.structs.replace(
                row,
                state="dispatched",
                dispatched_unix_s=record.at_unix_s,
                key_fingerprint=record.key_fingerprint or row.key_fingerprint,
            )
        case AttemptSettled():
            return msgspec.structs.replace(
                row,
                state="settled",
                ended_unix_s=record.at_unix_s,
                usage=record.usage,
                cost_nano_usd=record.cost_nano_usd,
                finish=record.finish,
                price_version=row.price_version if record.price_version is None else record.price_version,
            )
        case AttemptReleased():
            return msgspec.structs.replace(
                row,
                state="released",
                ended_unix_s=record.at_unix_s,
                usage=Usage(source="reported"),
                cost_nano_usd=0,
                reason=record.reason,
            )
        case AttemptDoubted():
            return msgspec.structs.replace(
                row,
                state="in_doubt",
                ended_unix_s=record.at_unix_s,
                usage=record.usage,
                cost_nano_usd=record.cost_nano_usd,
                reason=record.reason,
            )
        case _:
            assert_never(record)


def _new_row(record: AttemptReserved, run_id: str) -> LedgerRow:
    return LedgerRow(
        request_id=record.request_id,
        attempt=record.attempt,
        run_id=run_id,
        state="intent",
        provider=record.provider,
        model=record.model,
        deployment=record.deployment,
        created_unix_s=record.at_unix_s,
        bound=record.bound,
        estimate=record.estimate,
        request_key=record.request_key,
        conversation_id=record.conversation_id,
        key_fingerprint=record.key_fingerprint,
        tags=record.tags,
        bound_cost_nano_usd=record.bound_cost_nano_usd,
        estimate_cost_nano_usd=record.estimate_cost_nano_usd,
        price_version=record.price_version,
    )


def ending_of_orphan(row: LedgerRow, at_unix_s: float, *, certain: bool) -> AttemptReleased | AttemptDoubted:
    """End an open row whose run is over.

    The dispatch is written before the first byte leaves, so an intent without one was never sent and is
    released: unless the journal was damaged (not `certain`), for then the dispatch may be what is missing.
    """
    if row.state == "intent" and certain:
        reason = "the run ended before anything was sent"
        return AttemptReleased(request_id=row.request_id, attempt=row.attempt, at_unix_s=at_unix_s, reason=reason)
    return AttemptDoubted(
        request_id=row.request_id,
        attempt=row.attempt,
        at_unix_s=at_unix_s,
        usage=msgspec.structs.replace(row.bound, source="bound"),
        cost_nano_usd=row.bound_cost_nano_usd,
        reason="the run ended before the answer was booked",
    )


def fold_records(records: list[AnyRecord], run_id: str) -> dict[AttemptKey, LedgerRow]:
    """Add up all records of one run, in the order in which they were written."""
    rows: dict[AttemptKey, LedgerRow] = {}
    for record in records:
        row = next_row(rows.get(record.key), record, run_id)
        if row is not None:
            rows[record.key] = row
    return rows


CERTAIN_ZERO = Usage(source="reported")
"""Where sums begin: adding it makes no count less certain."""


def status_of(request_key: RequestKey, attempts: list[LedgerRow]) -> RequestStatus:
    """Say what became of a request from all its attempts.

    The worst knowledge decides: open while any attempt is, else in doubt if any is, else settled if anything
    was billed. The cost is unknown as soon as one attempt's is.
    """
    if not attempts:
        return RequestStatus(request_key=request_key, state="unknown")
    states = {"open" if row.is_open else row.state for row in attempts}
    state: Literal["open", "settled", "released", "in_doubt"] = "released"
    if "open" in states:
        state = "open"
    elif "in_doubt" in states:
        state = "in_doubt"
    elif "settled" in states:
        state = "settled"
    ended = [row for row in attempts if not row.is_open]
    costs = [row.cost_nano_usd for row in ended]
    known = [cost for cost in costs if cost is not None]
    return RequestStatus(
        request_key=request_key,
        state=state,
        request_id=attempts[-1].request_id,
        attempts=len(attempts),
        usage=sum((row.usage for row in ended), start=CERTAIN_ZERO),
        cost_nano_usd=sum(known) if len(known) == len(attempts) else None,
    )
