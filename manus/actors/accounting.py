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

import msgspec
import trio

from manus.actors.admission.admission import Admission
from manus.actors.admission.needs import Clock
from manus.actors.confirmations import Confirmations
from manus.actors.entrance import Entrance
from manus.actors.ledger.ledger import Booking, Ledger
from manus.actors.ledger.records import AnyRecord, AttemptKey, AttemptReserved
from manus.actors.ledger.store import Appended, LedgerStore, Pending, Refused
from manus.actors.questions import Questions, ledger_failure
from manus.messages.accounting import (
    Denied,
    Dispatched,
    Doubt,
    Granted,
    LedgerHealed,
    LedgerRecovered,
    LedgerTroubled,
    Release,
    RequestStatusAsked,
    Reserve,
    Settle,
    StatsAsked,
)
from manus.messages.failures import Failed
from manus.messages.limits import AdmissionChanged, AdmissionPolicy, Answered, LimitsAsked
from manus.messages.policy import LedgerPolicy
from manus.supervisor.context import Context
from manus.supervisor.envelope import LATER, Envelope
from manus.supervisor.spec import ChildSpec, MailboxSpec

ACCOUNTING = "accounting"
"""The actor's id in the tree."""

MAILBOX_CAPACITY = 1024
"""Room for a reservation and a booked ending of every request the router lets in."""

LOOK_S = 1.0
"""So long after something was written, and as long as there is trouble, the store is looked at again: what its thread
meets shows only then."""

NO_LIMITS = AdmissionPolicy()
"""Nothing is configured; what vendors say is learnt even so."""


class Books:
    """What survives the actor's crashes: its durable cell."""

    __slots__ = ("admission", "confirm_s", "in_hand", "ledger", "store", "unwritten")

    def __init__(self, store: LedgerStore, policy: LedgerPolicy, admission: AdmissionPolicy) -> None:
        self.admission = Admission(admission)
        self.confirm_s = policy.confirm_s
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
    admission: AdmissionPolicy = NO_LIMITS,
) -> ChildSpec:
    """Make the spec of the accounting actor over an open store. Whoever opened the store closes it, after the tree.

    Args:
        now_unix_s: the wall clock that rows are dated with.
        admission: limits and budgets.
    """

    async def start(context: Context) -> None:
        await Accounting(context, policy, now_unix_s).run()

    return ChildSpec(
        id=ACCOUNTING,
        start=start,
        mailbox=MailboxSpec(capacity=MAILBOX_CAPACITY),
        cell=lambda: Books(store, policy, admission),
    )


class Accounting:
    """One incarnation of the actor: turns messages into steps of the books."""

    def __init__(self, context: Context, policy: LedgerPolicy, now_unix_s: Callable[[], float]) -> None:
        books = context.cell
        assert isinstance(books, Books)
        self._books = books
        self._context = context
        self._policy = policy
        self._now_unix_s = now_unix_s
        self._confirmations = Confirmations()
        # What the store has said since, to be acted on by this incarnation's own task: an error there is this actor's
        # crash, while in the store's callback it would be the loop's.
        self._said: deque[Callable[[], None]] = deque()
        self._retry_at = math.inf
        self._look_at = math.inf  # when to see whether the store has trouble, should nobody ask for anything until then
        self._sleeps_until = math.inf
        self._wake = trio.Event()
        self._trouble: str | None = None
        self._questions = Questions(books.store, self._hear)
        self._entrance = Entrance(
            books.admission,
            books.admission.policy,
            books.store,
            now_unix_s=now_unix_s,
            let_in=self._let_in,
            hear=self._hear,
            emit=context.emit,
        )

    async def run(self) -> None:
        """Live until drained."""
        self._tell_recovered()
        self._finish_what_was_in_hand()
        self._entrance.tend()
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
        if self._entrance.stirred:
            self._entrance.go_on()
            if self._entrance.next_at < self._sleeps_until:
                self._wake.set()
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
            case Answered(request_id=request_id, attempt=attempt):
                self._entrance.answered((request_id, attempt))
                return None
            case LimitsAsked():
                return self._entrance.told()
            case AdmissionChanged() as changed:
                self._reconfigure(changed)
                return changed
            case (StatsAsked() | RequestStatusAsked()) as question:
                return self._questions.answer(envelope, question)
            case other:
                raise TypeError(f"accounting is not asked {type(other).__name__}")

    def _reconfigure(self, changed: AdmissionChanged) -> None:
        books = self._books
        books.confirm_s = changed.confirm_s
        clock = Clock(trio.current_time(), self._now_unix_s())
        books.admission.adopt(changed.policy, books.ledger.open_attempts(), clock)
        self._entrance.adopt(changed.policy)

    def _reserve(self, envelope: Envelope, reserve: Reserve) -> object:
        self._tell_trouble()
        watched = False
        if not self._books.admission.is_idle(trio.current_time()):
            decided = self._entrance.decide(envelope, reserve)
            if not isinstance(decided, bool):
                return decided
            watched = decided
        return self._let_in(envelope, reserve, watched)

    def _let_in(self, envelope: Envelope, reserve: Reserve, watched: bool) -> object:
        """Write the intent of an attempt that was admitted; one that is denied even so is not admitted any more."""
        answer = self._intend(envelope, reserve, watched)
        if isinstance(answer, Denied):
            self._entrance.put_back((reserve.request_id, reserve.attempt))
        return answer

    def _intend(self, envelope: Envelope, reserve: Reserve, watched: bool) -> object:
        books = self._books
        owed = self._write_owed() if books.unwritten else None
        if isinstance(owed, Refused):
            return Denied(failure=ledger_failure(owed.reason))
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
                return _or_denied(books.ledger.grant(intent.key), watched)
            case Refused(reason=reason):
                books.ledger.withdraw(intent.key)
                return Denied(failure=ledger_failure(reason))
            case Pending() as pending:
                return self._confirm(
                    envelope,
                    pending,
                    kept=lambda: self._grant(envelope, intent.key, watched),
                    lost=lambda: self._give_up(intent.key),
                )

    def _grant(self, envelope: Envelope, key: AttemptKey, watched: bool) -> Granted | Denied:
        if envelope.answered:
            return self._give_up(key)  # nobody is there to hold it
        return _or_denied(self._books.ledger.grant(key), watched)

    def _give_up(self, key: AttemptKey) -> Denied:
        reason = f"the ledger's disk did not confirm the intent within {self._books.confirm_s:g} s (ledger.confirm_s)"
        self._release(key, reason)
        return Denied(failure=ledger_failure(reason))

    def _dispatched(self, dispatched: Dispatched) -> None:
        key = (dispatched.request_id, dispatched.attempt)
        self._books.admission.sent(key)
        record = self._books.ledger.dispatch(key, self._now_unix_s(), dispatched.key_fingerprint)
        if record is not None:
            self._write(record)

    def _end(self, envelope: Envelope, ending: Settle | Release | Doubt) -> object:
        booking = self._book(ending)
        if isinstance(booking, Failed):
            self._entrance.left((ending.request_id, ending.attempt))  # that is how one ends that waited in line
            return booking
        booked = booking.booked
        if booking.record is None:
            owed = self._books.unwritten or self._confirmations.any_due
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
        """Take down how an attempt ended, in the books and in admission, in one step."""
        ledger, now_unix_s = self._books.ledger, self._now_unix_s()
        key = (ending.request_id, ending.attempt)
        intent = ledger.intent_of(key) if ending.rate_limits and self._books.admission.policy.learn else None
        match ending:
            case Settle():
                booking = ledger.settle(ending, now_unix_s)
            case Release():
                booking = ledger.release(ending, now_unix_s)
            case Doubt():
                booking = ledger.doubt(ending, now_unix_s)
        if isinstance(booking, Booking):
            self._entrance.ended(key, booking.booked, None if intent is None else intent.deployment, ending.rate_limits)
        return booking

    # -- the store

    def _write(self, record: AnyRecord) -> Appended:
        """Have the store keep a step that was taken. Refused, it stays owed and is tried again later."""
        if self._look_at == math.inf:
            self._look_at = trio.current_time() + LOOK_S
            if self._look_at < self._sleeps_until:
                self._wake.set()
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
        deadline = trio.current_time() + self._books.confirm_s
        confirmation = self._confirmations.add(envelope, deadline, kept=kept, lost=lost)
        pending.then(lambda kept: self._hear(lambda: confirmation.settle(kept)))
        self._wake.set()
        return LATER

    def _hear(self, act: Callable[[], None]) -> None:
        self._said.append(act)
        self._wake.set()

    async def _tend(self) -> None:
        """Act on what the store says, and on what it does not say in time; try again what it refused."""
        while True:
            self._wake = trio.Event()
            self._sleeps_until = min(self._confirmations.next_at, self._retry_at, self._entrance.next_at, self._look_at)
            if not self._said:  # said before this task's first step, it has set an event that nobody waits for
                with trio.move_on_at(self._sleeps_until):
                    await self._wake.wait()
            while self._said:
                self._said.popleft()()
            now = trio.current_time()
            self._confirmations.expire(now)
            if self._retry_at <= now:
                self._retry_at = math.inf
                self._write_owed()
            self._entrance.tend()
            self._tell_trouble()
            if self._look_at <= now:
                self._look_at = math.inf if self._trouble is None else now + LOOK_S

    # -- beginning and end of an incarnation

    def _finish_what_was_in_hand(self) -> None:
        """Take up where the last incarnation broke off: release what was never granted, book what it was booking."""
        books = self._books
        books.admission.reconcile(books.ledger.open_keys)
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
        self._books.admission.presume_sent()

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


def _or_denied(granted: Granted | Failed, watched: bool) -> Granted | Denied:
    if isinstance(granted, Failed):
        return Denied(failure=granted)
    return msgspec.structs.replace(granted, watched=True) if watched else granted
