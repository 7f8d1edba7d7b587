"""Own what is shown while the storm blows: what the supervisor says, and how callers are served elsewhere."""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

import trio

from manus.demo.callers import Told
from manus.demo.screen import Colour, Screen
from manus.demo.stage import VICTIMS
from manus.supervisor.bus import Subscription
from manus.supervisor.events import ActorExited, ActorStarted, Quarantined, RequestCrashed, RestartScheduled
from manus.supervisor.reasons import describe

SHOWN_MAX: Final = 3
"""Failed-over questions shown one by one, per provider; the others are counted."""


class Reporter:
    """Writes a line for what people want to see, with the time since `begin`.

    It counts what it saw: `restarts`, `failed_over`, `recovered`.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._began_at = 0.0
        self._well_since: dict[str, float] = {}
        self.told: list[Told] = []
        self.restarts: Counter[str] = Counter()
        self.failed_over: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.recovered: set[str] = set()

    def begin(self) -> None:
        """Start the clock of the storm."""
        self._began_at = trio.current_time()

    def well_again(self, who: str) -> None:
        """Note that `who` could serve again from now on: its next good answer is news."""
        self._well_since[who] = trio.current_time()

    @property
    def elapsed_s(self) -> float:
        """How long the storm has been blowing."""
        return trio.current_time() - self._began_at

    def say(self, who: str, text: str, colour: Colour | None = None) -> None:
        """Write one line of the story."""
        line = f"  {self.elapsed_s:5.2f} s  {who:6} {text}"
        self._screen.line(line if colour is None else self._screen.paint(line, colour))

    async def watch(self, events: Subscription) -> None:
        """Tell what the supervisor does, until cancelled."""
        async for event in events:
            who = getattr(event, "actor", "").removeprefix("provider/")
            if who not in VICTIMS:
                continue
            match event:
                case ActorExited(reason=reason):
                    self.say(who, f"its actor is gone: {describe(reason)}", "red")
                case RestartScheduled(delay_s=delay_s):
                    self.say(who, f"the supervisor restarts it in {delay_s:.2f} s", "yellow")
                case ActorStarted(generation=generation):
                    self.restarts[who] += 1
                    self.well_again(who)
                    self.say(who, f"running again, generation {generation}", "green")
                case Quarantined(rest_s=rest_s):
                    self.say(who, f"crashed too often, rests for {rest_s:.0f} s", "red")
                case RequestCrashed(error=error):
                    self.say(who, f"a request crashed: {error}", "red")
                case _:
                    pass

    def tell(self, told: Told) -> None:
        """Take what one caller was told, and show it if it is news."""
        self.told.append(told)
        if told.failed_over:
            self.failed_over[told.provider] += 1
            if self.failed_over[told.provider] <= SHOWN_MAX:
                self.say(told.provider, f"{_why(told)}: answered by {told.answered_by} after {told.total_s:.2f} s")
        elif told.answered_by is None:
            self.failed[told.provider] += 1
            if self.failed[told.provider] <= SHOWN_MAX:
                self.say(told.provider, f"{told.question!r} failed, and its caller was told: {told.error}", "yellow")
        elif told.at > self._well_since.get(told.provider, math.inf) and told.provider not in self.recovered:
            self.say(told.provider, "answers by itself again", "green")
            self.recovered.add(told.provider)

    def summarise(self, who: str) -> None:
        """Say how many lines of each kind were not shown."""
        for count, what in ((self.failed_over[who], "were answered elsewhere"), (self.failed[who], "failed")):
            if count > SHOWN_MAX:
                self._screen.line(f"           {who:6} ... and {count - SHOWN_MAX} more {what}")


def _why(told: Told) -> str:
    failure = told.attempts[0].failure
    what = "gave no answer" if failure is None else failure.message.rstrip(".")
    return f"{told.question!r}: {what}"
