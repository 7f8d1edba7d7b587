"""Own the answers to questions about the books: totals, and what became of a request. The store may take its time."""

from __future__ import annotations

from collections.abc import Callable

from manus.actors.ledger.store import LedgerStore, Pending, Refused, T
from manus.messages.accounting import RequestStatus, RequestStatusAsked, StatsAsked, UsageRow, UsageStats
from manus.messages.failures import Failed
from manus.supervisor.envelope import LATER, Envelope


class Questions:
    """Asks the store on behalf of whoever asked accounting.

    Args:
        hear: has something done by the actor's own task: what the store says later is said there.
    """

    __slots__ = ("_hear", "_store")

    def __init__(self, store: LedgerStore, hear: Callable[[Callable[[], None]], None]) -> None:
        self._store = store
        self._hear = hear

    def answer(self, envelope: Envelope, question: StatsAsked | RequestStatusAsked) -> object:
        """Answer at once, or `LATER`."""
        match question:
            case StatsAsked():
                return self._look_up(envelope, self._store.sums(question), lambda rows: self._stats(rows, question))
            case RequestStatusAsked(request_key=request_key):
                return self._look_up(envelope, self._store.status(request_key), _as_it_is)

    def _look_up(self, envelope: Envelope, pending: Pending[T | Refused], answer: Callable[[T], object]) -> object:
        def reply(found: T | Refused) -> object:
            return ledger_failure(found.reason) if isinstance(found, Refused) else answer(found)

        if pending.done:
            return reply(pending.value)
        pending.then(lambda found: self._hear(lambda: envelope.reply(reply(found))))
        return LATER

    def _stats(self, rows: tuple[UsageRow, ...], asked: StatsAsked) -> UsageStats:
        return UsageStats(
            rows=rows,
            recovered_in_doubt=self._store.recovered.in_doubt,
            since_unix_s=asked.since_unix_s,
            until_unix_s=asked.until_unix_s,
            by=asked.by,
        )


def ledger_failure(reason: str) -> Failed:
    """Say that the books could not do it."""
    return Failed(kind="ledger", message=f"{reason}; nothing was sent", safe_to_retry=True, phase="queued")


def _as_it_is(status: RequestStatus) -> RequestStatus:
    return status
