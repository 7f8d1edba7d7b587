"""Own the mailbox slot: the place that a ref names, which outlives every incarnation of its actor.

The slot keeps what waits, what is in hand, the generation and the durable cell. It is not a memory channel, because it
must do what none can: promise room for one later message (a place), give back the room of an expired message while its
actor is down, and hand a message to an idle actor and enter it in the ledger in one synchronous step. What a clone of
a receive side would be is here the `Inbox` or server that an incarnation puts in front of the slot: at most one, and
taken away from a dead or fenced incarnation, which from then on can take nothing.

Two rules make a crash lose nothing. `take` removes from the queue and enters in the ledger with no checkpoint
between. `finish` delivers the reply and removes from the ledger likewise.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from itertools import count
from typing import Any, Literal, Protocol

import msgspec
import trio

from manus.supervisor.bus import EventBus
from manus.supervisor.deadlines import DeadlineWatch
from manus.supervisor.envelope import Envelope, Phase
from manus.supervisor.events import DeadLetter, LateReply
from manus.supervisor.spec import MailboxSpec
from manus.supervisor.terminals import ActorFailed, SupervisorTerminal, Unavailable, Undelivered


class Gate(Enum):
    """Whether a slot lets messages in: all; only booked ones; none for a while; none any more."""

    OPEN = "open"
    DRAINING = "draining"
    QUARANTINED = "quarantined"
    RETIRED = "retired"


class Front(Protocol):
    """What an incarnation puts in front of its slot to be given work: a server or an inbox."""

    free: int
    """How many envelopes it would begin right now; read on the path of every request."""

    def begin(self, envelope: Envelope) -> None:
        """Work on `envelope`, which is in hand already. Synchronous; never raises for what the work does."""

    def work_waits(self) -> None:
        """Come and `take`: something was queued. Synchronous."""

    def drained(self) -> None:
        """A drain was asked for, or found nothing left: see whether you are done. Synchronous; takes nothing."""


class Commons:
    """What all slots of one tree share."""

    __slots__ = ("bus", "deadlines", "envelope_ids", "redact")

    def __init__(self, bus: EventBus, redact: Callable[[str], str]) -> None:
        self.bus = bus
        self.deadlines = DeadlineWatch()
        self.envelope_ids = count(1)
        self.redact = redact


class SlotStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """One slot as it is now. The peaks and counts are over its whole life, across incarnations.

    `queued` were accepted, `blocked` wait for room, `booked` places are still to be used. `oldest_in_hand_s` is the
    age of the oldest envelope in hand since it was taken, 0 with none.
    """

    queued: int
    blocked: int
    booked: int
    in_hand: int
    oldest_in_hand_s: float
    queued_peak: int
    in_hand_peak: int
    handled: int
    undelivered: int
    dead_letters: int
    late_replies: int


class Slot:
    """One mailbox. Everything here is synchronous and belongs to the loop's thread."""

    def __init__(self, slot_id: str, spec: MailboxSpec, commons: Commons, cell: object = None) -> None:
        self.id = slot_id
        self.spec = spec
        self.commons = commons
        # Any: the actor's own durable state, which only its `start` knows the type of.
        self.cell: Any = cell
        self.generation = 0
        self.gate = Gate.OPEN
        self.front: Front | None = None
        self.queue: OrderedDict[int, Envelope] = OrderedDict()
        self.blocked: OrderedDict[int, Envelope] = OrderedDict()
        self.booked = 0
        # By envelope id, oldest first.
        self.in_hand: dict[int, Envelope] = {}
        self.undelivered = 0
        self._on_idle: Callable[[], None] | None = None
        self._reopens_at = 0.0
        self._retired_for: Literal["stopping", "unavailable"] = "stopping"
        self._queued_peak = 0
        self._in_hand_peak = 0
        self._handled = 0
        self._dead_letters = 0
        self._late_replies = 0

    def __repr__(self) -> str:
        return (
            f"<Slot {self.id}#{self.generation}: {self.gate.value}, {len(self.queue)} queued, "
            f"{len(self.blocked)} blocked, {self.booked} booked, {len(self.in_hand)} in hand>"
        )

    # --- senders ----------------------------------------------------------------------------------

    def offer(self, envelope: Envelope, now: float, *, shed: bool) -> bool:
        """Have `envelope` begun, queued, or wait for room; tell whether it was, or refused.

        An idle actor begins it in this very call; order is kept because that needs an empty queue. With `shed` it does
        not wait for room. A refusal has answered the ask, or made the tell a dead letter.
        """
        gate = self.gate
        if gate is not Gate.OPEN and not (envelope.booked and gate is Gate.DRAINING):
            self._end(envelope, self._gate_terminal(now), self._gate_reason())
            return False
        front = self.front
        if front is not None and front.free > 0 and not self.queue and not self.blocked:
            self._enter(envelope, now)
            front.begin(envelope)
            return True
        if envelope.booked or self.room > 0:
            self._enqueue(envelope)
        elif shed or self.spec.overflow == "shed":
            self._end(envelope, Undelivered(reason="full"), "full")
            return False
        else:
            self.blocked[envelope.id] = envelope
        if front is not None:
            front.work_waits()
        return True

    def withdraw(self, envelope: Envelope) -> bool:
        """Take `envelope` out of the queue, or from among the blocked; False when it is in neither."""
        if self.queue.pop(envelope.id, None) is not None:
            self._admit_blocked()
            self._check_idle()
            return True
        return self.blocked.pop(envelope.id, None) is not None

    def book(self) -> bool:
        """Set room for one message aside; False when the mailbox cannot promise it."""
        if self.gate is not Gate.OPEN or self.room <= 0:
            return False
        self.booked += 1
        return True

    def unbook(self) -> None:
        """Give booked room back, to its message or to whoever waits for room."""
        assert self.booked > 0, f"{self!r} has no booked place"
        self.booked -= 1

    def place_freed(self) -> None:
        """Let who waits profit from a place given up unused."""
        self.unbook()
        self._admit_blocked()
        self._check_idle()

    @property
    def room(self) -> int:
        """How many messages more the queue accepts; never negative."""
        return max(0, self.spec.capacity - len(self.queue) - self.booked)

    # --- the incarnation --------------------------------------------------------------------------

    def take(self) -> Envelope | None:
        """Receive the oldest message and enter it in the ledger, in one synchronous step; None when none waits.

        What expired meanwhile is dropped, and told so.
        """
        now = trio.current_time()
        while self.queue or self.blocked:
            if self.queue:
                _, envelope = self.queue.popitem(last=False)
                self._admit_blocked()
            else:
                _, envelope = self.blocked.popitem(last=False)
                self._accepted(envelope)
            if envelope.deadline <= now and not envelope.booked:
                envelope.leave()
                continue
            self._enter(envelope, now)
            return envelope
        self._check_idle()
        return None

    def finish(self, envelope: Envelope, value: object, *, by_handler: bool = True) -> None:
        """Deliver the reply and remove the envelope from the ledger, in one synchronous step."""
        if self.in_hand.pop(envelope.id, None) is not None:
            self._handled += 1
        if not envelope.answered:
            envelope.deliver(value)
        elif by_handler and envelope.wants_reply:
            self._late_replies += 1
            self.commons.bus.emit(
                LateReply(
                    at=trio.current_time(),
                    actor=self.id,
                    generation=envelope.generation,
                    cause=f"{self.id}#{envelope.generation}",
                    fenced=envelope.generation != self.generation,
                    trace_id=envelope.trace_id,
                )
            )
        self._check_idle()

    @property
    def idle(self) -> bool:
        """Whether nothing waits, nothing is in hand and no place is booked."""
        return not (self.queue or self.in_hand or self.booked or self.blocked)

    def when_idle(self, call: Callable[[], None]) -> None:
        """Call `call` once, when a drain finds nothing left; at once if that is so already."""
        self._on_idle = call
        self._check_idle()

    # --- the supervisor ---------------------------------------------------------------------------

    def incarnation_begins(self, generation: int) -> None:
        """Belong to a new incarnation from now on; replies of older ones are fenced."""
        self.generation = generation
        self.front = None
        self._on_idle = None

    def incarnation_ended(self) -> None:
        """Keep what comes from now on for the next incarnation: a drain ends with the one it was asked of."""
        if self.gate is Gate.DRAINING:
            self.gate = Gate.OPEN

    def answer_in_hand(
        self,
        generation: int,
        kind: Literal["actor_crashed", "actor_hung", "actor_wedged", "stopped"],
        detail: str,
    ) -> None:
        """Answer for an incarnation that will not: everything it has in hand, at once."""
        for envelope in [each for each in self.in_hand.values() if each.generation == generation]:
            del self.in_hand[envelope.id]
            phase = envelope.phase
            failed = ActorFailed(kind=kind, safe_to_retry=phase < Phase.SENT, phase=phase, detail=detail)
            self._end(envelope, failed, "stopping" if kind == "stopped" else "crashed")
        self._check_idle()

    def drain(self) -> None:
        """Let only booked messages in; release whoever waits for room."""
        if self.gate is Gate.OPEN:
            self.gate = Gate.DRAINING
        self._end_all(self.blocked)
        self._check_idle()

    def quarantine(self, until: float) -> None:
        """Answer what waits, and what comes, with `Unavailable`, until `readmit`."""
        self.gate = Gate.QUARANTINED
        self._reopens_at = until
        self._end_all(self.queue)
        self._end_all(self.blocked)

    def readmit(self) -> None:
        """End the quarantine."""
        if self.gate is Gate.QUARANTINED:
            self.gate = Gate.OPEN

    def retire(self, why: Literal["stopping", "unavailable"]) -> None:
        """Close for good: what waits is undelivered, and so is what comes."""
        self.gate = Gate.RETIRED
        self._retired_for = why
        self._end_all(self.queue)
        self._end_all(self.blocked)

    def statistics(self) -> SlotStatistics:
        """Describe the slot as it is now."""
        oldest = next(iter(self.in_hand.values()), None)
        return SlotStatistics(
            queued=len(self.queue),
            blocked=len(self.blocked),
            booked=self.booked,
            in_hand=len(self.in_hand),
            oldest_in_hand_s=0.0 if oldest is None else trio.current_time() - oldest.taken_at,
            queued_peak=self._queued_peak,
            in_hand_peak=self._in_hand_peak,
            handled=self._handled,
            undelivered=self.undelivered,
            dead_letters=self._dead_letters,
            late_replies=self._late_replies,
        )

    # --- inside -----------------------------------------------------------------------------------

    def _enter(self, envelope: Envelope, now: float) -> None:
        envelope.generation = self.generation
        envelope.taken_at = now
        in_hand = self.in_hand
        in_hand[envelope.id] = envelope
        if len(in_hand) > self._in_hand_peak:
            self._in_hand_peak = len(in_hand)

    def _enqueue(self, envelope: Envelope) -> None:
        self.queue[envelope.id] = envelope
        self._queued_peak = max(self._queued_peak, len(self.queue))

    def _admit_blocked(self) -> None:
        while self.blocked and self.room > 0:
            _, envelope = self.blocked.popitem(last=False)
            self._enqueue(envelope)
            self._accepted(envelope)

    def _accepted(self, envelope: Envelope) -> None:
        # A teller waits for acceptance, an asker for the answer.
        if not envelope.wants_reply:
            envelope.rouse()

    def _check_idle(self) -> None:
        if self.gate is Gate.DRAINING and self.idle:
            if self.front is not None:
                self.front.drained()
            if self._on_idle is not None:
                on_idle, self._on_idle = self._on_idle, None
                on_idle()

    def _gate_terminal(self, now: float) -> SupervisorTerminal:
        if self.gate is Gate.QUARANTINED:
            return Unavailable(retry_after_s=max(0.0, self._reopens_at - now))
        return Undelivered(reason=self._retired_for if self.gate is Gate.RETIRED else "stopping")

    def _gate_reason(self) -> Literal["stopping", "unavailable"]:
        if self.gate is Gate.QUARANTINED:
            return "unavailable"
        return self._retired_for if self.gate is Gate.RETIRED else "stopping"

    def _end_all(self, waiting: OrderedDict[int, Envelope]) -> None:
        terminal, why = self._gate_terminal(trio.current_time()), self._gate_reason()
        while waiting:
            _, envelope = waiting.popitem(last=False)
            self._end(envelope, terminal, why)

    def _end(
        self,
        envelope: Envelope,
        terminal: SupervisorTerminal,
        why: Literal["full", "stopping", "unavailable", "crashed"],
    ) -> None:
        """End a dialog that no handler will. A message whose sender will not learn of it becomes a dead letter."""
        if isinstance(terminal, Undelivered | Unavailable):
            self.undelivered += 1
        if not envelope.wants_reply or (envelope.booked and envelope.answered):
            self._dead_letters += 1
            self.commons.bus.emit(
                DeadLetter(
                    at=trio.current_time(),
                    actor=self.id,
                    generation=self.generation,
                    cause=f"{self.id}#{self.generation}",
                    message=type(envelope.message).__name__,
                    why=why,
                )
            )
        envelope.deliver(terminal)
