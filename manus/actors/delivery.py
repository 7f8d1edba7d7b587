"""Own what reaches the caller: once, in order, from one attempt at a time.

A `Delivery` belongs to one attempt. The router makes it, the provider's request task calls it synchronously, once per
socket read, and nobody else writes to the caller's channel. Fencing is per object: when the router has its terminal
for an attempt, it fences that attempt's delivery, and whatever a late task of an old incarnation still says is dropped.

What found no room yet when an attempt ends stays with the caller's channel: it was said, and whoever goes on from there
speaks behind it.

What happens before the first content (the vendor's id, pings, early usage) is held back, so that a failure at that
point leaves nothing for the caller to forget. The terminal events of a decoder never pass: the terminal of a request
is its outcome, and that comes from the router.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import trio

from manus.actors.assembly import Assembly
from manus.messages.events import Ended, Pinged, Reset, StreamEvent, StreamFailed
from manus.messages.failures import Phase

HELD_EVENTS_MAX = 256
"""Lifecycle events kept back before the first content; a vendor that sends more only pings, and those add nothing."""

PHASES: dict[Phase, int] = {"queued": 0, "connecting": 1, "sending": 2, "sent": 3, "streaming": 4}
"""How far a call got, in order."""

_LEAVING = PHASES["sending"]


class Sink(Protocol):
    """The sending end of the caller's channel, as the runtime gives it."""

    @property
    def closed(self) -> bool:
        """The caller has left."""
        ...

    @property
    def paused(self) -> bool:
        """The caller asked to wait; it is not stalled."""
        ...

    def push(self, item: object) -> bool:
        """Give `item` to the caller; False where there is no room, and then nothing was given."""
        ...

    async def wait_room(self) -> None:
        """Return when there is room again, or the caller has left."""
        ...


class Filter(Protocol):
    """What stands between one attempt and the caller, where another attempt's events have gone before."""

    def feed(self, events: list[StreamEvent]) -> list[StreamEvent]:
        """Give what the caller gets of the events of one socket read. Synchronous, and total."""
        ...


class CallerChannel:
    """A streaming caller's channel over all attempts of its request.

    Args:
        sink: where lists of events go.
        stall_s: how long a caller may leave its full channel unread, unless it paused the stream.
    """

    __slots__ = ("_sink", "_stall_s", "_unsent", "shown")

    def __init__(self, sink: Sink, *, stall_s: float) -> None:
        self._sink = sink
        self._stall_s = stall_s
        self._unsent: list[StreamEvent] | None = None
        self.shown = False
        """Whether content was put into the channel: from then on a new attempt is no longer invisible."""

    def push(self, events: list[StreamEvent]) -> bool:
        """Give `events` to the caller. False where they have to wait for room; they are kept, in order."""
        if self._unsent is not None:
            self._unsent = self._unsent + events
            return False
        if self._sink.push(events) or self._sink.closed:
            return True
        self._unsent = events
        return False

    async def wait_room(self) -> bool:
        """Wait until all that was pushed is in the channel; False where the caller does not read.

        A caller that has left counts as served: its own scope ends the request.
        """
        sink = self._sink
        while self._unsent is not None:
            was_paused = sink.paused
            with trio.move_on_after(self._stall_s) as stall:
                await sink.wait_room()
            if stall.cancelled_caught:
                if not was_paused and not sink.paused:
                    return False
            elif sink.closed or (self._unsent is not None and sink.push(self._unsent)):
                self._unsent = None
        return True

    def start_over(self, reset: Reset) -> bool:
        """Tell the caller to forget what it was shown; what it has not been shown yet is dropped."""
        self._unsent = None
        self.shown = False
        return self.push([reset])


class Delivery:
    """One attempt's way to the caller, and the record of how far it got.

    Args:
        channel: the caller's, or None where it wants the whole answer at once.
        on_sending: called once, synchronously, before the first byte of the request leaves.
    """

    __slots__ = (
        "_channel",
        "_fenced",
        "_filter",
        "_held",
        "_on_sending",
        "assembly",
        "first_content_at",
        "key_fingerprint",
        "on_answered",
        "on_first_content",
        "phase",
        "reader_s",
    )

    def __init__(self, channel: CallerChannel | None, *, on_sending: Callable[[], None]) -> None:
        self._channel = channel
        self._on_sending: Callable[[], None] | None = on_sending
        self._fenced = False
        self._held: list[StreamEvent] = []
        self._filter: Filter | None = None
        self.assembly: Assembly | None = None
        """The answer so far; None until a provider has taken the call."""
        self.first_content_at: float | None = None
        """When the first content came, on the loop's clock."""
        self.on_answered: Callable[[], None] | None = None
        """Called once, synchronously, when the head of the response is there: for who counts as the vendor does."""
        self.on_first_content: Callable[[], None] | None = None
        """Called once, synchronously, before anything of this attempt reaches the caller: for one that is in a race."""
        self.key_fingerprint: str | None = None
        """The name of the key that is shown; set before the first byte leaves, so that the books hold it."""
        self.phase: Phase = "queued"
        """How far the call got. Kept here, because a provider that dies cannot be asked."""
        self.reader_s = 0.0
        """Seconds spent waiting for the caller to read: the provider is not slower for that."""

    @property
    def fenced(self) -> bool:
        """Whether this attempt is over for the router."""
        return self._fenced

    def begin(self, assembly: Assembly) -> None:
        """A provider has taken the call and folds its events into `assembly`."""
        self.assembly = assembly

    def pass_through(self, between: Filter) -> None:
        """Have only what `between` lets through reach the caller. To be said before the call begins."""
        self._filter = between

    def advance(self, phase: Phase) -> None:
        """Note how far the call got. A resend on a fresh connection does not take it back."""
        before, now = PHASES[self.phase], PHASES[phase]
        if now <= before:
            return
        self.phase = phase
        if before < _LEAVING <= now and self._on_sending is not None:
            self._on_sending()

    def answered(self) -> None:
        """Note that the head of the response is there: by now the vendor has counted the request."""
        self.advance("sent")
        on_answered = self.on_answered
        if on_answered is not None:
            self.on_answered = None
            on_answered()

    def finishes(self) -> None:
        """Note that the vendor has named a finish reason: of the answer itself nothing is missing any more."""
        if self.assembly is not None and not self._fenced:
            self.assembly.finishing = True

    def deliver(self, events: list[StreamEvent]) -> bool:
        """Fold the events of one socket read and pass them on. Synchronous, and total.

        Returns:
            False where the caller has no room for them: `await wait_room()` before reading on.
        """
        assembly = self.assembly
        if self._fenced or assembly is None or not events:
            return True
        assembly.add(events)
        if self._filter is not None:
            return self._deliver_filtered(self._filter, events)
        if self.first_content_at is None:
            if not assembly.has_content:
                self._hold(events)
                return True
            self.first_content_at = trio.current_time()
            self.phase = "streaming"
            self._lead()
            if self._held:
                events = self._held + events
                self._held = []
        channel = self._channel
        if channel is None:
            return True
        last = type(events[-1])
        if last is Ended or last is StreamFailed:
            events = events[:-1]
            if not events:
                return True
        elif last is Pinged and len(events) == 1:
            return True
        channel.shown = True
        return channel.push(events)

    async def wait_room(self) -> bool:
        """Wait until what was delivered is in the caller's channel; False where the caller does not read."""
        if self._channel is None or self._fenced:
            return True
        began_at = trio.current_time()
        try:
            return await self._channel.wait_room()
        finally:
            self.reader_s += trio.current_time() - began_at

    def flush_held(self) -> bool:
        """Pass on what an answer without any content consisted of. False: wait for room."""
        held, self._held = self._held, []
        if self._channel is None or self._fenced or not held:
            return True
        self._lead()
        return self._channel.push(held)

    def mute(self) -> None:
        """Let nothing more reach the caller, who has left; what still comes is only taken down."""
        self._channel = None
        self._filter = None
        self._held = []
        self.on_first_content = None

    def fence(self) -> None:
        """Drop whatever this attempt still says."""
        if not self._fenced:
            self._fenced = True
            # It leads back to the attempt that holds this delivery: a ring that only the collector could free.
            self._on_sending = None
            self.on_answered = None
            self.on_first_content = None
            self._filter = None
            self._held = []

    def _deliver_filtered(self, between: Filter, events: list[StreamEvent]) -> bool:
        assembly, channel = self.assembly, self._channel
        assert assembly is not None
        if self.first_content_at is None and assembly.has_content:
            self.first_content_at = trio.current_time()
            self.phase = "streaming"
        passed = between.feed(events)
        if channel is None or not passed:
            return True
        channel.shown = True
        return channel.push(passed)

    def _lead(self) -> None:
        on_first_content, self.on_first_content = self.on_first_content, None
        if on_first_content is not None:
            on_first_content()

    def _hold(self, events: list[StreamEvent]) -> None:
        if self._channel is not None:
            kept = [event for event in events if type(event) not in (Ended, StreamFailed, Pinged)]
            self._held.extend(kept[: HELD_EVENTS_MAX - len(self._held)])
