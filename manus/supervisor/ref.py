"""Own the sending side of a mailbox: refs, stable for the life of the tree, questions and places got through them."""

from __future__ import annotations

from typing import Any, Self, final

import trio

from manus.supervisor.dialog import Dialog, Sink
from manus.supervisor.envelope import PENDING, Envelope
from manus.supervisor.mailbox import Slot
from manus.supervisor.terminals import Expired


@final
class Ref:
    """A name for an actor's mailbox slot. Incarnations come and go behind it; it never changes and never dangles."""

    __slots__ = ("_slot", "id")

    def __init__(self, slot: Slot) -> None:
        self.id = slot.id
        self._slot = slot

    def __repr__(self) -> str:
        return f"<Ref {self.id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and other._slot is self._slot

    def __hash__(self) -> int:
        return hash(self.id)

    async def tell(self, message: object) -> None:
        """Send without wanting an answer; return when the mailbox has accepted it.

        Waits for room unless the mailbox sheds. What is refused becomes a dead letter, and the teller goes on. Not
        necessarily a checkpoint. Cancelled while it waits for room, the message is not sent.
        """
        slot = self._slot
        envelope = Envelope(slot, message, wants_reply=False)
        slot.offer(envelope, trio.current_time(), shed=False)
        if envelope.id in slot.blocked:
            try:
                await envelope.wait()
            finally:
                slot.blocked.pop(envelope.id, None)

    def cast(self, message: object) -> bool:
        """Send without wanting an answer or waiting; False, and a `DeadLetter` event, when it was refused."""
        slot = self._slot
        return slot.offer(Envelope(slot, message, wants_reply=False), trio.current_time(), shed=True)

    async def ask(
        self,
        message: object,
        *,
        deadline: float,
        sink: Any = None,
        trace_id: str = "",
        shed: bool = False,
    ) -> object:
        """Send and wait for the one answer: the handler's, or a `SupervisorTerminal`.

        Returns by `deadline` (absolute, on the loop's clock) and a tick, whatever happens to the actor. With `shed` a
        full mailbox answers `Undelivered(reason="full")` instead of making the asker wait for room. Not necessarily a
        checkpoint: an idle actor with synchronous turns answers in this very call. Cancelled, it withdraws the
        message, or cancels the work on it, and leaves.

        `sink` goes to the handler as it is (Any: the two agree on its type).
        """
        slot = self._slot
        envelope = Envelope(slot, message, wants_reply=True, deadline=deadline, sink=sink, trace_id=trace_id)
        return await _answer(slot, envelope, shed=shed)

    def put(
        self, message: object, *, deadline: float, sink: Any = None, trace_id: str = "", shed: bool = False
    ) -> Question:
        """Send, and get the asker's end of the one answer: `ask` for work that may outlive the task that wants it.

        The arguments are those of `ask`, and so is the answer. Synchronous. Whoever holds the question has its answer
        or leaves it.
        """
        slot = self._slot
        envelope = Envelope(slot, message, wants_reply=True, deadline=deadline, sink=sink, trace_id=trace_id)
        _send(slot, envelope, shed=shed)
        return Question(envelope)

    def ask_stream(self, message: object, *, deadline: float, buffer: int = 32, trace_id: str = "") -> Dialog:
        """Send and get the asker's end of a stream of at most `buffer` unread items. Synchronous.

        Waiting for room in the mailbox, the queue and the work itself all count against `deadline`.
        """
        slot = self._slot
        sink = Sink(buffer)
        envelope = Envelope(slot, message, wants_reply=True, deadline=deadline, sink=sink, trace_id=trace_id)
        envelope.stream = sink
        _send(slot, envelope, shed=False)
        return Dialog(envelope, sink)

    def place(self) -> Place | None:
        """Book room for one later message; None when the mailbox cannot promise it (full, or its gate is closed)."""
        return Place(self._slot) if self._slot.book() else None


@final
class Question:
    """An ask whose asker may stop waiting, and somebody else wait on. For one waiting task at a time."""

    __slots__ = ("_envelope",)

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope

    @property
    def answered(self) -> bool:
        """Whether the answer is there."""
        return self._envelope.answered

    async def answer(self) -> object:
        """Wait for the answer and give it. A checkpoint only while it is to come; cancelled, the work goes on."""
        while self._envelope.answer is PENDING:
            await self._envelope.wait()
        return self._envelope.answer

    def cancel(self) -> None:
        """Cancel the work; the answer, which is the handler's last word, is still to come. Synchronous."""
        self._envelope.cancel_work("the asker cancelled")

    def leave(self) -> None:
        """Want no answer any more: the work is cancelled. Synchronous; once it is answered, and twice, harmless."""
        self._envelope.leave()


@final
class Place:
    """Room in a mailbox, promised: for exactly one use, or `free`.

    The message is accepted at once, also while the actor is down, and once accepted it is handled even if its asker
    leaves or its deadline passes: only the answer is not waited for. As a context manager it frees what is unused.
    """

    __slots__ = ("_slot", "_used")

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._used = False

    def cast(self, message: object) -> None:
        """Use the place for a message without an answer."""
        self._use()
        self._slot.offer(Envelope(self._slot, message, wants_reply=False, booked=True), trio.current_time(), shed=True)

    async def ask(self, message: object, *, deadline: float) -> object:
        """Use the place for an ask; answers and deadline are those of `Ref.ask`."""
        self._use()
        envelope = Envelope(self._slot, message, wants_reply=True, booked=True, deadline=deadline)
        return await _answer(self._slot, envelope, shed=False)

    def free(self) -> None:
        """Give the room back unused."""
        self._mark_used()
        self._slot.place_freed()

    @property
    def used(self) -> bool:
        """Whether it was used or freed."""
        return self._used

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._used:
            self.free()

    def _use(self) -> None:
        self._mark_used()
        self._slot.unbook()

    def _mark_used(self) -> None:
        assert not self._used, f"a place at {self._slot.id} was used twice"
        self._used = True


def _send(slot: Slot, envelope: Envelope, *, shed: bool) -> None:
    now = trio.current_time()
    if envelope.deadline <= now and not envelope.booked:
        envelope.deliver(Expired(where="queued"))
        return
    if slot.offer(envelope, now, shed=shed) and not envelope.answered:
        slot.commons.deadlines.watch(envelope)


async def _answer(slot: Slot, envelope: Envelope, *, shed: bool) -> object:
    _send(slot, envelope, shed=shed)
    if envelope.answer is PENDING:
        try:
            await envelope.wait()
        finally:
            envelope.leave()
    return envelope.answer
