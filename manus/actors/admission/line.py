"""Own the line of those who wait for room: in which order they are served, and whom a gauge with room again wakes.

Every group (`groups.py`) stands at the gauge that holds it up, with the seniority that its first got when it became the
first; one that is served sends its next to the back. At a gauge the most senior comes first, and nobody behind it is
served from there, however small: so nobody overtakes a large one for ever, and nobody starves. A group that is held up
elsewhere does not stand in the way: what fits is served. What waits as `batch` is as senior as what came
`BATCH_BEHIND_S` later.

A group that was let on by one gauge and held up by the next, over and over, keeps its places from the `MOVES_MAX`-th
time on: where tags and providers cross, it might otherwise always find the other one taken. It keeps them for
`KEEP_S`, the next time for twice as long, and so on until it is served: meanwhile others wait for what it may not get.

An ending wakes at most one group per gauge for nothing. Where the next room comes with time, `next_at` says when.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from manus.actors.admission.admission import Admission, Fit
from manus.actors.admission.gauge import COME_BACK_S, ELSEWHERE, Gauge, Seniority, Shortage, Spot, refused
from manus.actors.admission.groups import Asker, AttemptKey, Group, GroupName, Waiter
from manus.actors.admission.needs import Clock
from manus.messages.accounting import Reserve
from manus.messages.failures import Failed
from manus.messages.requests import Priority

BATCH_BEHIND_S: Final = 10.0
"""By how much longer a batch request waits than an interactive one, where both want the same."""

MOVES_MAX: Final = 4
"""From so many moves on a group keeps its places at the gauges that it comes from."""


LAST: Final = (math.inf, 0)
"""The seniority of one behind all others."""


class Served(NamedTuple):
    """A waiter that has left the line: taken by admission, or refused for good."""

    waiter: Waiter
    failure: Failed | None
    watched: bool = False


class Line:
    """Those who wait, of one incarnation of the owner.

    Args:
        waiting_max: how many may.
    """

    __slots__ = (
        "_admission",
        "_groups",
        "_impatient",
        "_number",
        "_timers",
        "_waiting",
        "_waiting_max",
        "_wake_at",
        "gone",
        "stirred",
    )

    def __init__(self, admission: Admission, waiting_max: int) -> None:
        admission.forget_line()
        self._admission = admission
        self._waiting_max = waiting_max
        self._waiting: dict[AttemptKey, Waiter] = {}
        self._groups: dict[GroupName, Group] = {}
        self._impatient: list[Waiter] = []  # those who wait for nothing but to know what budgets have left
        self.gone: list[Waiter] = []
        """Those who were dropped because their askers had left; whoever put them in line clears the list."""
        self.stirred: list[Gauge] = []
        """Gauges from which somebody went without being served: to be refilled."""
        self._number = 0
        self._timers: list[tuple[float, int, Gauge]] = []
        self._wake_at: dict[Gauge, float] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def next_at(self) -> float:
        """When somebody may find room without any ending, on the loop's clock."""
        return self._timers[0][0] if self._timers else math.inf

    def seniority(self, priority: Priority, now: float) -> Seniority:
        """Say where somebody stands who comes now."""
        self._number += 1
        return (now + BATCH_BEHIND_S if priority == "batch" else now, self._number)

    def join(
        self, reserve: Reserve, asker: Asker, shortage: Shortage, seniority: Seniority, *, deadline: float
    ) -> Failed | None:
        """Put an attempt in line that there is no room for; gives why it may not wait.

        One that would not wait is put there too where it is not known yet what its budget has left.
        """
        failure = self._cannot_wait(shortage, deadline) or self._is_full(reserve)
        if failure is not None:
            return failure
        self._line_up(reserve, asker, shortage, seniority, deadline=deadline)
        return None

    def _line_up(
        self, reserve: Reserve, asker: Asker, shortage: Shortage, seniority: Seniority, *, deadline: float
    ) -> None:
        waiter = Waiter(reserve, asker, patient=reserve.wait, deadline=deadline)
        if not waiter.patient:
            self._impatient.append(waiter)
        name = (self._admission.path_name(reserve), reserve.priority)
        group = self._groups.get(name)
        if group is not None:
            group.add(waiter)
            return
        group = self._groups[name] = Group(name, seniority, self._waiting, self.gone)
        group.add(waiter)
        self._stand(group, shortage)

    def rejoin(self, waiter: Waiter, seniority: Seniority, clock: Clock) -> Served | None:
        """Have one that stood in another line ask again, as senior as it was; gives it where it need not wait.

        Those have their places already, however many may wait.
        """
        reserve, deadline = waiter.reserve, waiter.deadline
        weighed = self._admission.weigh(reserve, clock, seniority)
        if isinstance(weighed, Failed):
            return Served(waiter, weighed)
        if not isinstance(weighed, Shortage):
            return Served(waiter, None, self._admission.take(reserve, weighed, clock))
        if not waiter.patient and not weighed.loading:
            return Served(waiter, weighed.failure)
        failure = self._cannot_wait(weighed, deadline)
        if failure is not None:
            return Served(waiter, failure)
        self._line_up(reserve, waiter.asker, weighed, seniority, deadline=deadline)
        return None

    def everybody(self) -> list[tuple[Seniority, Waiter]]:
        """List those who wait, each as senior as its group, in their order."""
        found = [(group.seniority, waiter) for group in self._groups.values() for waiter in group.everybody()]
        return sorted(found, key=_seniority_of)

    def leave(self, key: AttemptKey, clock: Clock) -> list[Served]:
        """Let an attempt go whose asker left; gives whom that lets on. Nothing where it does not wait."""
        waiter = self._waiting.get(key)
        if waiter is None or waiter.group is None:
            return []
        group = waiter.group
        group.drop(waiter)
        return self.refill(tuple(group.spots), clock)

    def refill(self, gauges: Iterable[Gauge], clock: Clock) -> list[Served]:
        """Serve who waits at gauges that may have room again. What is served is taken."""
        served: list[Served] = []
        work = [gauge for gauge in (*gauges, *self.stirred) if gauge.line]
        self.stirred.clear()
        while work:
            self._serve(work.pop(), clock, served, work)
        if self._impatient:
            served += self._turn_away(clock)
        return served

    def due(self, clock: Clock) -> list[Served]:
        """Serve who waits for what time has freed by now."""
        gauges: list[Gauge] = []
        while self._timers and self._timers[0][0] <= clock.at:
            at, _, gauge = heapq.heappop(self._timers)
            if self._wake_at.get(gauge) == at:
                del self._wake_at[gauge]
                gauges.append(gauge)
        return self.refill(gauges, clock)

    def waiting_at(self, gauge: Gauge) -> int:
        """Count those who are held up at a gauge."""
        return sum(len(group) for group in self._groups.values() if gauge in group.spots)

    # -- who may wait

    def _cannot_wait(self, shortage: Shortage, deadline: float) -> Failed | None:
        if shortage.free_at is None or shortage.free_at < deadline:
            return None
        return msgspec.structs.replace(shortage.failure, advice=ELSEWHERE)

    def _is_full(self, reserve: Reserve) -> Failed | None:
        if len(self._waiting) >= self._waiting_max:
            self._sweep()
        if len(self._waiting) < self._waiting_max:
            return None
        message = (
            f"{len(self._waiting)} calls wait for room in limits and budgets, the most that may (limits.waiting_max). "
            "Come back later."
        )
        failure = refused(reserve, message, retry_after_s=COME_BACK_S)
        return msgspec.structs.replace(failure, advice=ELSEWHERE)

    def _sweep(self) -> None:
        """Drop all whose askers have left without a word; whom that lets on is for the next `refill` to say."""
        for waiter in [each for each in self._waiting.values() if each.asker.answered]:
            group = waiter.group
            assert group is not None, "who waits stands somewhere"
            group.drop(waiter)
            self.stirred += group.spots
            if not len(group):
                self._dissolve(group, self.stirred)

    def _turn_away(self, clock: Clock) -> list[Served]:
        """Refuse those who would not wait, behind others who do, once it is known what their budgets have left."""
        turned: list[Served] = []
        waiting = [waiter for waiter in self._impatient if waiter.group is not None]
        self._impatient.clear()
        for waiter in waiting:
            group = waiter.group
            assert group is not None, "it waits"
            weighed = self._admission.weigh(waiter.reserve, clock, LAST)
            if isinstance(weighed, Shortage) and weighed.loading:
                self._impatient.append(waiter)
            elif not isinstance(weighed, Fit):
                turned.append(Served(waiter, weighed.failure if isinstance(weighed, Shortage) else weighed))
                group.remove(waiter)
                if not len(group):
                    self._dissolve(group, self.stirred)
        return turned

    # -- serving

    def _serve(self, gauge: Gauge, clock: Clock, served: list[Served], work: list[Gauge]) -> None:
        """Serve those who stand at a gauge, in their order, until one has to go on standing there."""
        line = gauge.line
        while line:
            group = line[0].group
            waiter = group.first()
            if waiter is None:
                self._dissolve(group, work)
                continue
            weighed = self._admission.weigh(waiter.reserve, clock, group.seniority)
            if isinstance(weighed, Shortage):
                failure = self._cannot_wait(weighed, waiter.deadline)
                if failure is None and not waiter.patient and not weighed.loading:
                    failure = weighed.failure
                if failure is None:
                    if self._stays(group, gauge, weighed, clock.at):
                        return
                    continue
            elif isinstance(weighed, Failed):
                failure = weighed
            else:
                failure = None
                watched = self._admission.take(waiter.reserve, weighed, clock)
                served.append(Served(waiter, None, watched))
                group.take_first()
                self._turn_over(group, gauge, clock, work)
            if failure is not None:
                served.append(Served(waiter, failure))
                group.remove(waiter)

    def _stays(self, group: Group, gauge: Gauge, shortage: Shortage, now: float) -> bool:
        """Have a group stand where it is held up; tells whether that is (also) still at `gauge`."""
        if shortage.gauge is gauge:
            self._wake(gauge, shortage.free_at)
            return True
        if shortage.gauge not in group.spots:
            group.moves += 1
            if group.moves == MOVES_MAX:
                group.keeps_until = now + group.keep_s
            self._stand(group, shortage)
        if group.moves >= MOVES_MAX:
            if now < group.keeps_until:
                self._wake(gauge, group.keeps_until)
                return True
            group.moves, group.keep_s = 0, 2.0 * group.keep_s
        self._leave_spot(group, gauge)
        return False

    def _turn_over(self, group: Group, gauge: Gauge, clock: Clock, work: list[Gauge]) -> None:
        """After its first was served: have its next stand behind all others at `gauge`."""
        work += [other for other in group.spots if other is not gauge]
        for other in tuple(group.spots):
            self._leave_spot(group, other)
        if group.first() is None:
            del self._groups[group.name]
            return
        group.seniority = self.seniority(group.name[1], clock.at)
        spot = group.spots[gauge] = Spot(group, group.seniority)
        heapq.heappush(gauge.line, spot)

    def _dissolve(self, group: Group, work: list[Gauge]) -> None:
        for gauge in tuple(group.spots):
            self._leave_spot(group, gauge)
            work.append(gauge)
        del self._groups[group.name]

    def _stand(self, group: Group, shortage: Shortage) -> None:
        gauge = shortage.gauge
        if gauge not in group.spots:
            spot = group.spots[gauge] = Spot(group, group.seniority)
            heapq.heappush(gauge.line, spot)
        self._wake(gauge, shortage.free_at)

    def _leave_spot(self, group: Group, gauge: Gauge) -> None:
        """Leave one place, mostly the first one."""
        spot, line = group.spots.pop(gauge), gauge.line
        if line[0] is spot:
            heapq.heappop(line)
        else:
            line.remove(spot)
            heapq.heapify(line)

    def _wake(self, gauge: Gauge, at: float | None) -> None:
        """Look again at `at`, unless that is to be done sooner."""
        if at is not None and at < self._wake_at.get(gauge, math.inf):
            self._wake_at[gauge] = at
            self._number += 1
            heapq.heappush(self._timers, (at, self._number, gauge))


def _seniority_of(found: tuple[Seniority, Waiter]) -> Seniority:
    return found[0]
