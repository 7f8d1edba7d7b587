"""Own the breaker: closed, open, half open with one probe, and every move between them.

Pure: time is an argument, and jitter comes from the stream that it is given. Only ends of attempts that began in
the present period count: what was under way when it opened neither closes it nor keeps it open.
"""

from __future__ import annotations

from typing import Final, Literal

from manus.actors.health.rest import Rest, spread_s
from manus.actors.health.window import SlidingCounts
from manus.actors.jitter import Jitter
from manus.messages.outcomes import BreakerState
from manus.messages.routing_policy import HealthPolicy

Event = Literal["tripped", "probe_begun", "probe_left", "probe_succeeded", "probe_failed"]

MOVES: Final[dict[tuple[BreakerState, Event], BreakerState]] = {
    ("closed", "tripped"): "open",
    ("closed", "probe_begun"): "closed",
    ("closed", "probe_left"): "closed",
    ("closed", "probe_succeeded"): "closed",
    ("closed", "probe_failed"): "closed",
    ("open", "tripped"): "open",
    ("open", "probe_begun"): "half_open",
    ("open", "probe_left"): "open",
    ("open", "probe_succeeded"): "open",
    ("open", "probe_failed"): "open",
    ("half_open", "tripped"): "half_open",
    ("half_open", "probe_begun"): "half_open",
    ("half_open", "probe_left"): "half_open",
    ("half_open", "probe_succeeded"): "closed",
    ("half_open", "probe_failed"): "open",
}
"""What each event makes of each state. A probe that left says nothing, so the next request is the probe."""

DOUBLINGS_MAX: Final = 16
"""Far beyond any `open_max_s`; so that the power stays a number."""


class Breaker:
    """One breaker. Whoever uses it asks `may_begin` first, and ends every probe that it began, once."""

    __slots__ = (
        "_bad_in_a_row",
        "_good_in_a_row",
        "_jitter",
        "_on_trial",
        "_openings",
        "_policy",
        "_window",
        "epoch",
        "probing",
        "rest",
        "state",
        "why",
    )

    def __init__(self, policy: HealthPolicy, jitter: Jitter) -> None:
        self._policy = policy
        self._jitter = jitter
        self._window = SlidingCounts(policy.window_s)
        self._bad_in_a_row = 0
        self._good_in_a_row = 0
        self._openings = 0
        self._on_trial = False
        self.state: BreakerState = "closed"
        self.rest = Rest()
        self.why = ""
        self.probing = False
        self.epoch = 0
        """Counts the moves: an attempt remembers the one that it began in."""

    def adopt(self, policy: HealthPolicy) -> None:
        """Go by another policy from now on. How it stands, and a rest that has begun, stay as they are."""
        if policy.window_s != self._policy.window_s:
            self._window = SlidingCounts(policy.window_s)
        self._policy = policy

    def may_begin(self, now: float) -> bool:
        """Whether an attempt may begin now; unless it is closed, that attempt is the probe."""
        match self.state:
            case "closed":
                return True
            case "open":
                return not self.rest.holds(now)
            case "half_open":
                return not self.probing

    def begin_probe(self, why: str) -> None:
        """Let one attempt through, to find out."""
        self._move("probe_begun", why)
        self.probing = True

    def count_good(self, now: float) -> None:
        """Count a success of an attempt that began in this period; enough of them prove health."""
        self._on_trial = False
        self._bad_in_a_row = 0
        self._good_in_a_row += 1
        if self._good_in_a_row == self._policy.failures:
            self._openings = 0
        self._window.count(True, now)

    def count_bad(self, now: float, why: str) -> None:
        """Count a failure of an attempt that began in this period; enough of them open the breaker."""
        policy = self._policy
        self._good_in_a_row = 0
        self._bad_in_a_row += 1
        self._window.count(False, now)
        if self._on_trial:
            self._open("tripped", now, None, f"nothing has succeeded since it was closed: {why}")
            return
        if self._bad_in_a_row >= policy.failures:
            self._open("tripped", now, None, f"{self._bad_in_a_row} failures in a row, the last: {why}")
            return
        good, bad = self._window.totals(now)
        calls = good + bad
        if calls >= policy.calls_min and bad >= policy.failure_rate * calls:
            said = f"{bad} of {calls} calls of the last {policy.window_s:g} s failed, the last: {why}"
            self._open("tripped", now, None, said)

    def trip(self, now: float, rest_s: float, why: str) -> None:
        """Open at once, for so long."""
        self._open("tripped", now, rest_s, why)

    def probe_left(self) -> None:
        """End the probe without a verdict: another one may begin at once."""
        self.probing = False
        self._move("probe_left", self.why)

    def probe_succeeded(self, why: str) -> None:
        """Close. That health is proven, and rests are short again, takes more than one success."""
        self.probing = False
        self.rest.end()
        self._move("probe_succeeded", why)

    def probe_answers(self, why: str) -> None:
        """Close on trial: the probe's answer has begun, and others need not wait for its end.

        Until something has succeeded, one failure opens it again.
        """
        self.probe_succeeded(why)
        self._on_trial = True

    def probe_failed(self, now: float, why: str, rest_s: float | None = None) -> None:
        """Open again, for twice as long as before, or for `rest_s`."""
        self.probing = False
        self._open("probe_failed", now, rest_s, why)

    def lose_probe(self) -> None:
        """Whoever made the probe is gone."""
        self.probing = False

    def spread_s(self, rest_s: float) -> float:
        """Lengthen a rest by chance."""
        return spread_s(rest_s, self._policy, self._jitter)

    def _open(self, event: Event, now: float, rest_s: float | None, why: str) -> None:
        policy = self._policy
        if MOVES[self.state, event] == self.state:
            return  # it is not its turn: a rest is neither begun anew nor made longer
        if rest_s is None:
            rest_s = min(policy.open_s * 2.0**self._openings, policy.open_max_s)
            rest_s = self.spread_s(rest_s)
            self._openings = min(self._openings + 1, DOUBLINGS_MAX)
        self.rest.begin(now, rest_s)
        self._on_trial = False
        self._bad_in_a_row = self._good_in_a_row = 0
        self._window.clear()
        self._move(event, why)

    def _move(self, event: Event, why: str) -> None:
        after = MOVES[self.state, event]
        if after != self.state:
            self.state = after
            self.why = why
            self.epoch += 1
