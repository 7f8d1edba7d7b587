"""Own what must hold of every race: one function per promise, from a report to what is wrong with it.

Judged from outside: what vendors counted and billed, what callers were told, what the rows of the books say. What the
order of two things in one tick would decide is judged in favour of the accused.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator

from manus.actors.ledger.rows import LedgerRow
from manus.messages.limits import LimitRule
from tests.race.race_plan import PATIENT_S, Caller
from tests.race.race_readings import (
    TIE_S,
    amount_of,
    covers,
    in_same_period,
    lines_of,
    out_of_line,
    period_of,
    refused_by_budget,
    spells_of,
    spending,
)
from tests.race.race_report import RaceReport, Told

MINUTE_S = 62.0
"""After so long what a vendor counted is over, whoever counts it and however roughly."""

TURNS_MAX = 2

BATCH_BEHIND_S = 10.0
"""By how much longer a batch request may wait than one of a person's (docs/limits.md)."""


def vendors_never_refuse(report: RaceReport) -> list[str]:
    """P9: with limits that are the vendor's own, it never refuses a call, nor writes more than it allows."""
    wrong = [f"a vendor refused a call: {excess}" for excess in report.excesses]
    return wrong + [
        f"{name} was led beyond its limits: {over}"
        for name, quota in report.quotas.items()
        if (over := quota.overruns())
    ]


def budgets_hold(report: RaceReport) -> list[str]:
    """P9: spent, in doubt and reserved together never exceed a budget, at no instant."""
    wrong: list[str] = []
    for rule in report.plan.policy.budgets:
        spells = spells_of(report, rule)
        moments = sorted({spell.from_unix_s for spell in spells})
        for at in moments:
            used = sum(
                spell.final if spell.until_unix_s <= at + TIE_S else spell.bound
                for spell in spells
                if spell.from_unix_s <= at and in_same_period(rule, spell.from_unix_s, at)
            )
            if used > rule.amount:
                wrong.append(f"{rule.source}: {used} of {rule.amount} {rule.unit} at {at:.3f}")
                break
    return wrong


def bills_fit_budgets(report: RaceReport) -> list[str]:
    """P9, by the vendors: what they billed in a period is no more than a budget for everything allows."""
    created = {str(row.request_id): row.created_unix_s for row in report.rows}
    wrong: list[str] = []
    for rule in report.plan.policy.budgets:
        if rule.scope.kind != "all" or rule.period == "rolling":
            continue
        billed: Counter[float] = Counter()
        for bill in report.bills:
            period = period_of(rule, created.get(f"caller-{bill.caller}", math.nan))
            billed[period] += amount_of(rule, bill.tokens)
        wrong += [f"{rule.source}: vendors billed {sum_}" for sum_ in billed.values() if sum_ > rule.amount]
    return wrong


def nobody_is_refused_early(report: RaceReport) -> list[str]:
    """P9: a budget refuses only what fits no more beside what is spent and in doubt: nine tenths are used by then."""
    wrong: list[str] = []
    first = True
    spent = [(rule, spending(report, rule)) for rule in report.plan.policy.budgets]
    for told in sorted(refused_by_budget(report), key=_ended_at):
        at = report.plan.begins_unix_s + told.ended_at
        shares = [
            (by_then(at), rule.amount, amount_of(rule, told.caller.bound_tokens))
            for rule, by_then in spent
            if covers(rule.scope, told.caller)
        ]
        if not any(used + bound > amount for used, amount, bound in shares):
            wrong.append(f"caller {told.caller.number} was refused though it fits: {shares}")
        if first and not any(used >= 0.9 * amount for used, amount, _ in shares):
            wrong.append(f"caller {told.caller.number} was the first refused, with {shares} used")
        first = False
    return wrong


def who_waits_is_answered(report: RaceReport) -> list[str]:
    """P9: whoever may wait, and is patient, is refused by a budget that is used up or by nobody."""
    return [
        f"caller {told.caller.number} waited and was {told.end}: {told.failure}"
        for told in report.told
        if told.caller.wait
        and told.caller.timeout_s >= PATIENT_S
        and told.end in ("denied", "expired", "waiting", "lost")
        and (told.failure is None or told.failure.kind not in ("budget_exceeded", "ledger"))
        and not (told.end == "lost" and report.plan.blows)
    ]


def room_is_used(report: RaceReport) -> list[str]:
    """P9: never blocking what fits: a calm race before limits ends as soon as they allow, give or take a minute."""
    plan = report.plan
    if plan.kind != "rates" or not plan.calm:
        return []
    took_s = max(told.ended_at for told in report.told)
    allowed_s = max(caller.at_s for caller in plan.callers) + sum(
        _longest_s(rule, [caller for caller in plan.callers if covers(rule.scope, caller)])
        for rule in plan.policy.limits
    )
    return [] if took_s <= allowed_s else [f"it took {took_s:.1f} s, its limits allow {allowed_s:.1f} s"]


def _longest_s(rule: LimitRule, callers: list[Caller]) -> float:
    """Say how long callers may take at most who are let in as soon as there is room."""
    if not callers:
        return 0.0
    longest_s = max(caller.dispatch_s + caller.network_s + caller.head_s + caller.answer_s for caller in callers)
    minute_s = MINUTE_S + longest_s
    took_s = 2 * minute_s
    weight = rule.counting.output_weight
    sizes = (
        (rule.requests_per_minute, [1 for _ in callers]),
        (rule.tokens_per_minute, [caller.input_bound + weight * caller.cap_tokens for caller in callers]),
        (rule.input_tokens_per_minute, [caller.input_bound for caller in callers]),
        (rule.output_tokens_per_minute, [weight * caller.cap_tokens for caller in callers]),
    )
    for limit, needs in sizes:
        if limit is not None:
            # What does not fit any more leaves up to the largest need unused in every minute.
            took_s += minute_s * math.ceil(sum(needs) / max(1, limit - max(needs) + 1))
    if rule.concurrency is not None:
        took_s += longest_s * math.ceil(len(callers) / rule.concurrency)
    return took_s


def nobody_overtakes(report: RaceReport) -> list[str]:
    """Fairness among equals: of two who wait with the same tags and priority, who came first is let in first."""
    wrong: list[str] = []
    for line in lines_of(report).values():
        came = [told.asked_at for told in line]
        # For each place in the line: the earliest grant from there on.
        grants = [*(math.inf if math.isnan(told.granted_at) else told.granted_at for told in line), math.inf]
        for place in range(len(line) - 1, -1, -1):
            grants[place] = min(grants[place], grants[place + 1])
        for told in line:
            overtaken_at = grants[bisect_right(came, told.asked_at + TIE_S)]
            if overtaken_at < out_of_line(told) - TIE_S and told.end not in ("killed", "lost"):
                wrong.append(
                    f"caller {told.caller.number} stood in line from {told.asked_at:.2f} to {out_of_line(told):.2f}; "
                    f"one who came later was let in at {overtaken_at:.2f}"
                )
    return wrong


def tags_take_turns(report: RaceReport) -> list[str]:
    """Fairness among tags: between two turns of one there is no more than a turn or two of any other.

    One turn is the other's by right; another one may have been given out before it stood in line.
    """
    if any(rule.scope.kind == "tag" for rule in report.plan.policy.budgets) or report.plan.blows:
        return []
    wrong: list[str] = []
    lines = lines_of(report)
    for (vendor, tags, priority), line in lines.items():
        before = -math.inf
        for told in sorted((each for each in line if not math.isnan(each.granted_at)), key=_granted_at):
            since, until = max(told.asked_at, before), told.granted_at
            before = until
            for (other_vendor, other_tags, other_priority), others in lines.items():
                if (other_vendor, other_priority) != (vendor, priority) or other_tags == tags:
                    continue
                turns = sum(since + TIE_S < each.granted_at < until - TIE_S for each in others)
                if turns > TURNS_MAX:
                    wrong.append(f"{tags} waited from {since:.2f} until {until:.2f} for {turns} turns of {other_tags}")
    return wrong


def batch_gives_way_and_gets_through(report: RaceReport) -> list[str]:
    """Fairness to `batch`: nobody who comes more than ten seconds after it was next is let in before it."""
    if any(rule.scope.kind == "tag" for rule in report.plan.policy.budgets) or report.plan.blows:
        return []
    wrong: list[str] = []
    for vendor in report.plan.vendors:
        mine = [told for told in report.told if told.caller.wait and told.caller.vendor == vendor.name]
        batch = sorted((told for told in mine if told.caller.priority == "batch"), key=out_of_line)
        others = [told for told in mine if told.caller.priority != "batch"]
        before = -math.inf
        for told in batch:
            # From here on it may have been the next of its kind, of whatever tag.
            since, before = max(told.asked_at, before), out_of_line(told)
            wrong += [
                f"batch caller {told.caller.number} was overtaken by {each.caller.number}"
                for each in others
                if each.asked_at > since + BATCH_BEHIND_S + TIE_S and each.granted_at < out_of_line(told) - TIE_S
            ]
    return wrong


def conserved(report: RaceReport) -> list[str]:
    """P7: every call that was billed has its row, and every row is off by no more than it says."""
    wrong: list[str] = []
    rows: dict[tuple[str, int], LedgerRow] = {}
    for row in report.rows:
        if (row.request_id, row.attempt) in rows:
            wrong.append(f"{row.request_id}#{row.attempt} has two rows")
        rows[row.request_id, row.attempt] = row
        if row.is_open:
            wrong.append(f"{row.request_id}#{row.attempt} is still {row.state}")
    billed = {(f"caller-{bill.caller}", bill.attempt): bill for bill in report.bills}
    for key, bill in billed.items():
        found = rows.get(key)
        if found is None or found.state == "released":
            wrong.append(f"{key} was billed {bill.tokens} tokens and has no row that says so")
        elif found.state == "settled" and found.usage.total != bill.tokens:
            wrong.append(f"{key} was billed {bill.tokens} tokens, its row says {found.usage.total}")
        elif found.state == "in_doubt" and found.usage.total < bill.tokens:
            wrong.append(f"{key} was billed {bill.tokens} tokens, its bound is {found.usage.total}")
    wrong += [
        f"{key} is settled and was never billed"
        for key, row in rows.items()
        if row.state == "settled" and key not in billed
    ]
    return wrong


def nothing_is_held(report: RaceReport) -> list[str]:
    """P9, P10: in the end nothing is reserved, nobody waits, and budgets say what the rows come to."""
    wrong: list[str] = []
    now = report.plan.begins_unix_s + report.limits_at  # it may be the next day by then
    for state in report.limits.limits:
        if state.waiting or (state.dimension == "concurrency" and state.used):
            wrong.append(f"in the end {state}")
    rules = {(rule.source, rule.scope): rule for rule in report.plan.policy.budgets}
    if len(report.limits.budgets) != len(rules):
        wrong.append(f"{len(report.limits.budgets)} budgets are told of, there are {len(rules)}")
    for budget in report.limits.budgets:
        rule = rules[budget.source, budget.scope]
        if budget.reserved or budget.waiting:
            wrong.append(f"in the end {budget}")
        period = [spell for spell in spells_of(report, rule) if in_same_period(rule, spell.from_unix_s, now)]
        spent = sum(spell.final for spell in period if spell.row.state == "settled")
        in_doubt = sum(spell.final for spell in period if spell.row.state == "in_doubt")
        if rule.period != "rolling" and (budget.spent, budget.in_doubt) != (spent, in_doubt):
            wrong.append(f"{budget} in the end, the rows come to {spent} spent and {in_doubt} in doubt")
    return wrong


def comes_to_rest(report: RaceReport) -> list[str]:
    """P10: in the end accounting serves, has nothing in hand and owes nobody an answer."""
    return [
        f"in the end {status}"
        for status in report.statuses
        if status.state != "running" or status.in_hand or status.queued or status.blocked or status.zombies
    ]


def rejects_cost_nothing(report: RaceReport) -> list[str]:
    """P9: who was refused has reached no vendor, stands in no book and uses up no window."""
    wrong: list[str] = []
    keys = {(row.request_id, row.attempt) for row in report.rows}
    for told in report.told:
        refused = told.end == "denied" and told.failure is not None and told.failure.kind != "ledger"
        if refused and not math.isnan(told.arrived_at):
            wrong.append(f"caller {told.caller.number} was refused and reached its vendor")
        if refused and (f"caller-{told.caller.number}", told.attempt) in keys:
            wrong.append(f"caller {told.caller.number} was refused and stands in the books")
    ended = max(told.ended_at for told in report.told if not math.isnan(told.ended_at))
    for state in report.limits.limits:
        if state.dimension != "requests" or state.learnt:
            continue
        lately = sum(
            told.granted_at <= ended and told.ended_at >= ended - MINUTE_S and covers(state.scope, told.caller)
            for told in report.told
        )
        if state.used > lately:
            wrong.append(f"{state.used} requests count in the end, {lately} were let in in the last minute")
    return wrong


JUDGES: tuple[Callable[[RaceReport], list[str]], ...] = (
    vendors_never_refuse,
    budgets_hold,
    bills_fit_budgets,
    nobody_is_refused_early,
    who_waits_is_answered,
    room_is_used,
    nobody_overtakes,
    tags_take_turns,
    batch_gives_way_and_gets_through,
    conserved,
    nothing_is_held,
    comes_to_rest,
    rejects_cost_nothing,
)


def judged(report: RaceReport) -> Iterator[str]:
    """Hold a race against every promise."""
    for judge in JUDGES:
        for sentence in judge(report):
            yield f"{judge.__name__}: {sentence}"


def _granted_at(told: Told) -> float:
    return told.granted_at


def _ended_at(told: Told) -> float:
    return told.ended_at
