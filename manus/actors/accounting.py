"""Own the accounting actor: who admits attempts, keeps their books and answers questions about them.

Every message is one synchronous turn: the ledger decides, the store keeps, the answer goes out. Where the store
confirms later (`durability = "power"`), so does the answer, for at most `confirm_s`: after that a call is refused
before it is made, or its result goes out as not durable.

What must survive a crash of this actor is in its durable cell: the books, what the store has not taken yet, and the
message in hand. The next incarnation finishes that message first, so that no attempt stays open unnoticed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Protocol

import msgspec
import trio

from manus.actors.ledger.ledger import Booking, Ledger
from manus.actors.ledger.records import AnyRecord, AttemptKey, AttemptReserved
from manus.actors.ledger.store import Appended, LedgerStore, Pending, Refused, T
from manus.messages.accounting import (
    Denied,
    Dispatched,
    Doubt,
    Granted,
    LedgerHealed,
    LedgerRecovered,
    LedgerTroubled,
    Release,
    RequestStatus,
    RequestStatusAsked,
    Reserve,
    Settle,
    StatsAsked,
    UsageRow,
    UsageStats,
)
from manus.messages.failures import Failed
from manus.messages.policy import LedgerPolicy
from manus.supervisor.context import Context
from manus.supervisor.envelope import LATER, Envelope
from manus.supervisor.spec import ChildSpec, MailboxSpec

ACCOUNTING = "accounting"
"""The actor's id in the tree."""

MAILBOX_CAPACITY = 1024
"""Room for a reservation and a booked ending of every request the router lets in."""


class Admission(Protocol):
    """Limits and budgets: whether an attempt may be made now. Asked before its intent is written."""

    def __call__(self, reserve: Reserve) -> Failed | None:
        """Give the refusal, which says which limit and when to come back; None admits. Synchronous and total."""
        ...


def admit_all(reserve: Reserve) -> Failed | None:
    """Set no limits."""
    return None


class Books:
    """What survives the actor's crashes: its durable cell."""

    __slots__ = ("in_hand", "ledger", "store", "unwritten")

    def __init__(self, store: LedgerStore, policy: LedgerPolicy) -> None:
        self.ledger = Ledger(open_max=policy.open_max, recent_max=policy.recent_max)
        self.store = store
        # Steps that were taken and that the store has not accepted, in order. Bounded by the open attempts: while it
        # is not empty nothing new is admitted.
        self.unwritten: deque[AnyRecord] = deque()
        self.in_hand: object = None


def accounting_child(
    store: LedgerStore,
    policy: LedgerPolicy,
    *,
    now_unix_s: Callable[[], float],
    admission: Admission = admit_all,
) -> ChildSpec:
    """Make the spec of the accounting actor over an open store. Whoever opened the store closes it, after the tree.

    Args:
        now_unix_s: the wall clock that rows are dated with.
        admission: limits and budgets.
    """

    async def start(context: Context) -> None:
        await Accounting(context, policy, now_unix_s, admission).run()

    return ChildSpec(
        id=ACCOUNTING,
        start=start,
        mailbox=MailboxSpec(capacity=MAILBOX_CAPACITY),
        cell=lambda: Books(store, policy),
    )


class _Confirmation:
    """An answer that waits for the store to say that a record is kept, or for `deadline`."""

    __slots__ = ("_envelope", "_kept", "_lost", "deadline", "done")

    def __init__(
        self, envelope: Envelope, deadline: float, kept: Callable[[], object], lost: Callable[[], object]
    ) -> None:
        self.deadline = deadline
        self.done = False
        self._envelope = envelope
        self._kept = kept
        self._lost = lost

    def settle(self, kept: bool) -> None:
        """Answer, unless that was done already."""
        if not self.done:
            self.done = True
            self._envelope.reply(self._kept() if kept else self._lost())


class Accounting:
    """One incarnation of the actor: turns messages into steps of the books."""

    def __init__(
        self, context: Context, policy: LedgerPolicy, now_unix_s: Callable[[], float], admission: Admission
    ) -> None:
        books = context.cell
        assert isinstance(books, Books)
        self._books = books
        self._context = context
        self._policy = policy
        self._now_unix_s = now_unix_s
        self._admission = admission
        self._confirmations: deque[_Confirmation] = deque()
        # What the store has said since, to be acted on by this incarnation's own task: an error there is this actor's
        # crash, while in the store's callback it would be the loop's.
        self._said: deque[Callable[[], None]] = deque()
        self._retry_at = math.inf
        self._wake = trio.Event()
        self._trouble: str | None = None

    async def run(self) -> None:
        """Live until drained."""
        self._tell_recovered()
        self._finish_what_was_in_hand()
        async with trio.open_nursery(strict_exception_groups=True) as nursery:
            nursery.start_soon(self._tend)
            self._context.started()
            try:
                await self._context.serve_turns(self._turn)
            finally:
                self._close_the_books()
            nursery.cancel_scope.cancel(reason="drained")

    # -- turns

    def _turn(self, envelope: Envelope) -> object:
        self._books.in_hand = envelope.message
        answer = self._answer(envelope)
        self._books.in_hand = None
        return answer

    def _answer(self, envelope: Envelope) -> object:
        match envelope.message:
            case Reserve() as reserve:
                return self._reserve(envelope, reserve)
            case Dispatched() as dispatched:
                self._dispatched(dispatched)
                return None
            case Settle() | Release() | Doubt() as ending:
                return self._end(envelope, ending)
            case StatsAsked() as asked:
                return self._look_up(envelope, self._books.store.sums(asked), lambda rows: self._stats(rows, asked))
            case RequestStatusAsked(request_key=request_key):
                return self._look_up(envelope, self._books.store.status(request_key), _as_it_is)
            case other:
                raise TypeError(f"accounting is not asked {type(other).__name__}")

    def _reserve(self, envelope: Envelope, reserve: Reserve) -> object:
        books = self._books
        self._tell_trouble()
        refusal = self._admission(reserve)
        if refusal is not None:
            return Denied(failure=refusal)
        owed = self._write_owed() if books.unwritten else None
        if isinstance(owed, Refused):
            return Denied(failure=_ledger_failure(owed.reason))
        intent = books.ledger.reserve(reserve, self._now_unix_s())
        match intent:
            case Granted():
                return intent
            case Failed():
                return Denied(failure=intent)
            case AttemptReserved():
                pass
        match books.store.append(intent):
            case None:
                return _or_denied(books.ledger.grant(intent.key))
            case Refused(reason=reason):
                books.ledger.withdraw(intent.key)
                return Denied(failure=_ledger_failure(reason))
            case Pending() as pending:
                return self._confirm(
                    envelope,
                    pending,
                    kept=lambda: self._grant(envelope, intent.key),
                    lost=lambda: self._give_up(intent.key),
                )

    def _grant(self, envelope: Envelope, key: AttemptKey) -> Granted | Denied:
        if envelope.answered:
            return self._give_up(key)  # nobody is there to hold it
        return _or_denied(self._books.ledger.grant(key))

    def _give_up(self, key: AttemptKey) -> Denied:
        reason = f"the ledger's disk did not confirm the intent within {self._policy.confirm_s:g} s (ledger.confirm_s)"
        self._release(key, reason)
        return Denied(failure=_ledger_failure(reason))

    def _dispatched(self, dispatched: Dispatched) -> None:
        key = (dispatched.request_id, dispatched.attempt)
        record = self._books.ledger.dispatch(key, self._now_unix_s(), dispatched.key_fingerprint)
        if record is not None:
            self._write(record)

    def _end(self, envelope: Envelope, ending: Settle | Release | Doubt) -> object:
        booking = self._book(ending)
        if isinstance(booking, Failed):
            return booking
        booked = booking.booked
        if booking.record is None:
            owed = self._books.unwritten or any(not one.done for one in self._confirmations)
            return msgspec.structs.replace(booked, durable=not owed)
        appended = self._write(booking.record)
        match appended:
            case None:
                return booked
            case Refused():
                return msgspec.structs.replace(booked, durable=False)
            case Pending():
                lost = msgspec.structs.replace(booked, durable=False)
                return self._confirm(envelope, appended, kept=lambda: booked, lost=lambda: lost)

    def _book(self, ending: Settle | Release | Doubt) -> Booking | Failed:
        ledger = self._books.ledger
        match ending:
            case Settle():
                return ledger.settle(ending, self._now_unix_s())
            case Release():
                return ledger.release(ending, self._now_unix_s())
            case Doubt():
                return ledger.doubt(ending, self._now_unix_s())

    def _look_up(self, envelope: Envelope, pending: Pending[T | Refused], answer: Callable[[T], object]) -> object:
        def reply(found: T | Refused) -> object:
            return _ledger_failure(found.reason) if isinstance(found, Refused) else answer(found)

        if pending.done:
            return reply(pending.value)
        pending.then(lambda found: self._hear(lambda: envelope.reply(reply(found))))
        return LATER

    def _stats(self, rows: tuple[UsageRow, ...], asked: StatsAsked) -> UsageStats:
        return UsageStats(
            rows=rows,
            recovered_in_doubt=self._books.store.recovered.in_doubt,
            since_unix_s=asked.since_unix_s,
            until_unix_s=asked.until_unix_s,
            by=asked.by,
        )

    # -- the store

    def _write(self, record: AnyRecord) -> Appended:
        """Have the store keep a step that was taken. Refused, it stays owed and is tried again later."""
        self._books.unwritten.append(record)
        return self._write_owed()

    def _write_owed(self) -> Appended:
        books = self._books
        appended: Appended = None
        while books.unwritten:
            appended = books.store.append(books.unwritten[0])
            if isinstance(appended, Refused):
                self._retry_at = trio.current_time() + self._policy.retry_s
                self._wake.set()
                break
            books.unwritten.popleft()
        return appended

    def _confirm(
        self,
        envelope: Envelope,
        pending: Pending[bool],
        *,
        kept: Callable[[], object],
        lost: Callable[[], object],
    ) -> object:
        deadline = trio.current_time() + self._policy.confirm_s
        confirmation = _Confirmation(envelope, deadline, kept, lost)
        waiting = self._confirmations
        while waiting and waiting[0].done:
            waiting.popleft()
        waiting.append(confirmation)
        pending.then(lambda kept: self._hear(lambda: confirmation.settle(kept)))
        self._wake.set()
        return LATER

    def _hear(self, act: Callable[[], None]) -> None:
        self._said.append(act)
        self._wake.set()

    async def _tend(self) -> None:
        """Act on what the store says, and on what it does not say in time; try again what it refused."""
        while True:
            first = self._confirmations[0].deadline if self._confirmations else math.inf
            self._wake = trio.Event()
            with trio.move_on_at(min(first, self._retry_at)):
                await self._wake.wait()
            while self._said:
                self._said.popleft()()
            now = trio.current_time()
            while self._confirmations and (self._confirmations[0].done or self._confirmations[0].deadline <= now):
                self._confirmations.popleft().settle(False)
            if self._retry_at <= now:
                self._retry_at = math.inf
                self._write_owed()
            self._tell_trouble()

    # -- beginning and end of an incarnation

    def _finish_what_was_in_hand(self) -> None:
        """Take up where the last incarnation broke off: release what was never granted, book what it was booking."""
        books = self._books
        for key in books.ledger.ungranted():
            self._release(key, "accounting failed before the attempt was granted")
        ending, books.in_hand = books.in_hand, None
        if isinstance(ending, Settle | Release | Doubt):
            # If it brings this incarnation down as well, the next one keeps the bound and looks no closer.
            reason = "accounting failed while it was booked"
            books.in_hand = Doubt(request_id=ending.request_id, attempt=ending.attempt, reason=reason)
            booking = self._book(ending)
            if isinstance(booking, Booking) and booking.record is not None:
                self._write(booking.record)
            books.in_hand = None
        self._write_owed()

    def _close_the_books(self) -> None:
        """Leave nothing unsaid about what may happen until somebody keeps them again.

        Until the next incarnation reads its mailbox nobody notes a dispatch, so what was granted counts as
        dispatched: should the process be killed meanwhile, it is in doubt rather than released.
        """
        for record in self._books.ledger.presume_dispatched(self._now_unix_s()):
            self._write(record)

    def _release(self, key: AttemptKey, reason: str) -> None:
        booking = self._book(Release(request_id=key[0], attempt=key[1], reason=reason))
        if isinstance(booking, Booking) and booking.record is not None:
            self._write(booking.record)

    # -- events

    def _tell_recovered(self) -> None:
        found = self._books.store.recovered
        if self._context.generation == 1 and (found.runs or found.left):
            self._context.emit(LedgerRecovered(**msgspec.structs.asdict(found)))

    def _tell_trouble(self) -> None:
        trouble = self._books.store.trouble
        if trouble == self._trouble:
            return
        self._trouble = trouble
        self._context.emit(LedgerHealed() if trouble is None else LedgerTroubled(reason=trouble))


def _or_denied(granted: Granted | Failed) -> Granted | Denied:
    return granted if isinstance(granted, Granted) else Denied(failure=granted)


def _as_it_is(status: RequestStatus) -> RequestStatus:
    return status


def _ledger_failure(reason: str) -> Failed:
    return Failed(kind="ledger", message=f"{reason}; nothing was sent", safe_to_retry=True, phase="queued")
