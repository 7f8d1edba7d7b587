"""Own the comparison of two runs of one plan, with the faults of one provider and without: nobody else may notice."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

from manus.messages.content import text_of as text_in
from manus.messages.outcomes import Finished
from manus.sim.chaos_asked import TIE_S, attempts_of
from manus.sim.chaos_clients import Seen
from manus.sim.chaos_invariants import short
from manus.sim.chaos_world import Report


def isolated(with_faults: Report, without: Report, name: str) -> list[str]:
    """P2: what clients of provider `name` saw, and when, is the same with and without the others' faults.

    Where that provider has troubles of its own, requests and attempts there that come in one tick decide nothing: who
    is first is the order of tasks, and the others' tasks are part of that order.
    """
    if any(_has_ties(report, name) for report in (with_faults, without)):
        return []
    wrong: list[str] = []
    calm = {seen.client.number: seen for seen in without.seen}
    for seen in with_faults.seen:
        if seen.client.provider != name:
            continue
        other = calm[seen.client.number]
        if _fate(seen) != _fate(other):
            wrong.append(
                f"client {seen.client.number} of {name}: {_fate(seen)} with the others' faults, {_fate(other)} without"
            )
    return wrong


def _has_ties(report: Report, name: str) -> bool:
    asked_there = [asked for asked in attempts_of(report) if asked.attempt.provider == name]
    # Of those who came together one may have been the probe that the others waited for: which one is a tie.
    waited = defaultdict(set)
    for asked in asked_there:
        if asked.attempt.number == 1:
            waited[asked.client.at_s].add(asked.began_at - asked.client.at_s > TIE_S)
    if any(len(ways) > 1 for ways in waited.values()):
        return True
    if next(each.grid for each in report.plan.providers if each.name == name):
        return False
    began = sorted(asked.began_at for asked in asked_there)
    return any(later - earlier < TIE_S for earlier, later in pairwise(began))


def _fate(seen: Seen) -> tuple[object, ...]:
    outcome = seen.outcome
    ended = round(seen.ended_at, 6)
    if isinstance(outcome, Finished):
        return ("finished", ended, text_in(outcome.answer.parts), outcome.usage, seen.text)
    return (short(outcome), ended, seen.text)
