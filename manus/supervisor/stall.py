"""Own the watch over the loop itself: a thread that notices when no task can run, and names what holds the loop.

Nothing on the loop can see that the loop does not run. So a task leaves a beat, and a thread of the operating system
reads it. Nothing can be restarted meanwhile, and no exception is thrown into the loop's thread, for that would break
Trio's own invariants: the thread reports at once, posts an event for when the loop is back, and, only where the host
asked for it, ends the process.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import final

import msgspec
import trio

from manus.supervisor.bus import EventBus
from manus.supervisor.events import LoopStalled

ABORT_EXIT_CODE = 70
"""The exit code of a process that a stalled loop ended: EX_SOFTWARE of sysexits.h."""

_JOIN_S = 1.0
_FRAMES_MAX = 40


def _report_on_stderr(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


class StallPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When a loop counts as stalled, and what then.

    A beat older than `stall_s` is a stall; the beat comes four times as often. `report` gets the text at once, in the
    watching thread. `abort_s`, when set, is the age of the beat at which all stacks are dumped to stderr and the
    process ends with exit code 70: for hosts that would rather be restarted than wait.
    """

    stall_s: float = 1.0
    abort_s: float | None = None
    report: Callable[[str], None] = _report_on_stderr


@final
class StallWatch:
    """Watches the loop it was made on, from then on: `run` must follow, for the beat and for the end of the thread."""

    def __init__(self, policy: StallPolicy, bus: EventBus) -> None:
        self._policy = policy
        self._bus = bus
        self._beat = time.monotonic()
        self._loop_thread = threading.get_ident()
        self._token = trio.lowlevel.current_trio_token()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="loop stall watch", daemon=True)
        self.stalls = 0
        self._thread.start()

    async def run(self) -> None:
        """Beat until cancelled, then end the thread."""
        try:
            while True:
                self._beat = time.monotonic()
                await trio.sleep(self._policy.stall_s / 4)
        finally:
            self._closing.set()
            # The thread wakes at once; the bound is for a report that blocks.
            self._thread.join(_JOIN_S)

    # --- in the thread --------------------------------------------------------------------------

    def _watch(self) -> None:
        reported_beat = 0.0
        while not self._closing.wait(self._policy.stall_s / 4):
            beat = self._beat
            age_s = time.monotonic() - beat
            if age_s >= self._policy.stall_s and beat != reported_beat:
                reported_beat = beat
                self._report(age_s)
            if self._policy.abort_s is not None and age_s >= self._policy.abort_s:
                self._abort(age_s)

    def _report(self, age_s: float) -> None:
        frame = sys._current_frames().get(self._loop_thread)
        stack = "" if frame is None else "".join(traceback.format_stack(frame)[-_FRAMES_MAX:])
        del frame
        self.stalls += 1
        try:
            self._token.run_sync_soon(self._post, age_s, stack)
        except trio.RunFinishedError:
            return
        self._policy.report(f"the event loop has not run for {age_s:.2f} s; its thread is here:\n{stack}")

    def _abort(self, age_s: float) -> None:
        self._policy.report(f"the event loop has not run for {age_s:.2f} s: giving up\n")
        faulthandler.dump_traceback(file=sys.__stderr__ or 2, all_threads=True)
        os._exit(ABORT_EXIT_CODE)

    # --- on the loop ------------------------------------------------------------------------------

    def _post(self, age_s: float, stack: str) -> None:
        self._bus.emit(LoopStalled(at=trio.current_time(), actor="", stalled_s=age_s, stack=stack))
