"""Own what signals do to `manus chat`: at the prompt they raise, in the middle of an answer they have it cancelled.

An exception that a signal raises may come out of any line, finalisers included, where Python drops it. So signals raise
only while a line is read; at other times the handler takes a note, and a thread cancels the answer, if there is one.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Final, Self, final

from manus.cli import exits
from manus.errors import LLMError

if TYPE_CHECKING:
    from manus.hosts.sync_stream import SyncStream
    from manus.responses import LLMResponse

STATUS_OF: Final = {
    signal.SIGINT: exits.INTERRUPTED,
    signal.SIGTERM: exits.TERMINATED,
    signal.SIGHUP: exits.HUNG_UP,
}

IMPATIENCE: Final = 3
"""So many Ctrl-C in the middle of one answer end the program on the spot, where people sit at a prompt."""


class Ended(KeyboardInterrupt):
    """A signal ends the program; raised where Ctrl-C would be."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@final
class Answering:
    """One answer that is being read, and may be cancelled by a signal."""

    def __init__(self, stream: SyncStream) -> None:
        self.stream = stream
        self.cancelled = False
        self._outcomes: queue.SimpleQueue[LLMResponse | LLMError] = queue.SimpleQueue()

    def cancel(self) -> None:
        """Cancel it, and keep what comes of that. In the canceller's thread."""
        try:
            self._outcomes.put(self.stream.cancel())
        except LLMError as error:
            self._outcomes.put(error)

    def response(self) -> LLMResponse:
        """Give the whole answer, or, where it was cancelled, what had come of it.

        Raises:
            LLMError: the request failed.
        """
        if not self.cancelled:
            return self.stream.response()
        outcome = self._outcomes.get()
        if isinstance(outcome, LLMError):
            raise outcome
        return outcome


@final
class Signals:
    """The signals of one conversation, for the main thread; a context manager that puts former handlers back.

    Args:
        at_prompt: whether people sit at a prompt, where Ctrl-C ends an answer or clears a line, and not the program.
    """

    def __init__(self, *, at_prompt: bool) -> None:
        self.at_prompt = at_prompt
        self._reading = False
        self._answering: Answering | None = None
        self._noted: Ended | None = None
        self._count = 0
        # Its `put` may be called in the middle of anything, which is where a handler runs.
        self._to_cancel: queue.SimpleQueue[Answering | None] = queue.SimpleQueue()
        self._former = {number: signal.getsignal(number) for number in STATUS_OF}

    def __enter__(self) -> Self:
        threading.Thread(target=self._cancel_what_comes, name="cancel", daemon=True).start()
        for number in STATUS_OF:
            signal.signal(number, self._come)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._to_cancel.put(None)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let signals raise for as long as a line is read.

        Raises:
            Ended: the program is to end; the signal may have come before.
            KeyboardInterrupt: Ctrl-C.
        """
        self._count = 0
        self._reading = True
        try:
            if self._noted is not None:
                raise self._noted
            yield
        finally:
            self._reading = False

    @contextmanager
    def answering(self, stream: SyncStream) -> Iterator[Answering]:
        """Have signals cancel this answer for as long as it is read."""
        self._answering = answering = Answering(stream)
        if self._count:  # it came after the line was read, and before there was an answer to cancel
            self._cancel(answering)
        try:
            yield answering
        finally:
            self._answering = None

    def _come(self, number: int, _: FrameType | None) -> None:
        name = signal.Signals(number)
        ends = name != signal.SIGINT or not self.at_prompt
        if self._reading:
            self._reading = False  # once: what handles the first must not be broken off by a second
            raise Ended(STATUS_OF[name]) if ends else KeyboardInterrupt
        self._count += 1
        if self._noted is not None or self._count >= IMPATIENCE:
            os._exit(STATUS_OF[name])  # a second signal is immediate; the ledger survives it
        if ends:
            self._noted = Ended(STATUS_OF[name])
        if self._answering is not None:
            self._cancel(self._answering)

    def _cancel(self, answering: Answering) -> None:
        if not answering.cancelled:
            answering.cancelled = True
            self._to_cancel.put(answering)

    def _cancel_what_comes(self) -> None:
        while (answering := self._to_cancel.get()) is not None:
            answering.cancel()
