"""Own `manus usage --watch`: the books of a living process, looked at again and again; rates, limits and budgets.

Another process makes the calls, so what it holds in memory is not seen: how far a limit or budget is used is worked
out from the ledger and the configuration. Nothing is locked, and no run is taken for dead.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from manus.actors.admission.periods import period_of
from manus.actors.credentials import fingerprint_of
from manus.actors.ledger.file import LedgerUnusable
from manus.cli import exits
from manus.cli.output import say
from manus.cli.usage_reading import Reader, looked_up
from manus.cli.usage_table import aligned, cost_text, shown, usage_table
from manus.config.limit_policies import admission_policy
from manus.config.schema import LLMConfig
from manus.durations import DAY_S, HOUR_S, MINUTE_S, span
from manus.limit_reports import RateLimiter, budget_used, scope_text
from manus.messages.accounting import Spent, SpentAsked, StatsAsked, UsageDimension
from manus.messages.limits import AdmissionPolicy, BudgetRule, BudgetState, LimitRule, LimitState, ScopeKind
from manus.messages.policy import LedgerPolicy
from manus.messages.usage import format_usd
from manus.reports import UsageLine, UsageReport

SCREEN_FROM_THE_TOP: Final = "\x1b[H\x1b[2J"

_SPLIT: Final[dict[ScopeKind, tuple[UsageDimension, ...]]] = {
    "all": (),
    "provider": ("provider",),
    "deployment": ("deployment",),
    "key": ("key",),
    "tag": ("tag",),
}
"""What the last minute is split by to find what flowed through a scope."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at the books shows: totals of some spans, the lines that were asked for, limits and budgets."""

    at_unix_s: float
    spans: tuple[tuple[str, UsageLine], ...]
    report: UsageReport
    limits: tuple[LimitState, ...] = ()
    budgets: tuple[BudgetState, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {
            "at_unix_s": self.at_unix_s,
            "spans": {name: line.to_dict(by=()) for name, line in self.spans},
            "usage": self.report.to_dict(),
            **RateLimiter(limits=self.limits, budgets=self.budgets).to_dict(),
        }


def watch(
    config: LLMConfig | None, policy: LedgerPolicy, asked: StatsAsked, *, every_s: float, as_json: bool = False
) -> int:
    """Show the books every `every_s` seconds until Ctrl-C, which is its good end.

    Raises:
        LedgerUnusable: the first look fails; later failures are told and looked past.
    """
    admission = AdmissionPolicy() if config is None else admission_policy(config, fingerprint_of)
    on_screen = not as_json and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    first = True
    try:
        while True:
            # What is no ledger at first is none; what was not there at first may be found half made.
            look = _look_once(policy, admission, asked, must_succeed=first)
            first = False
            if look is not None:
                block = json.dumps(look.to_dict()) if as_json else look_text(look, str(policy.path), every_s)
                print(SCREEN_FROM_THE_TOP + block if on_screen else block, flush=True)
                if not (on_screen or as_json):
                    print(flush=True)
            time.sleep(every_s)
    except KeyboardInterrupt:
        return exits.OK


def _look_once(
    policy: LedgerPolicy, admission: AdmissionPolicy, asked: StatsAsked, *, must_succeed: bool
) -> Look | None:
    """Look, or say on stderr why that was not possible."""
    if policy.path is None or not Path(policy.path).exists():
        say(f"[no books yet at {policy.path}]" if policy.path else "[these books end with their process]")
        return None
    now = time.time()
    try:
        return looked_up(policy, lambda reader: look_at(reader, admission, asked, now))
    except LedgerUnusable as error:
        if must_succeed:
            raise
        say(f"manus: {error}")
        return None


def look_at(reader: Reader, admission: AdmissionPolicy, asked: StatsAsked, now_unix_s: float) -> Look:
    """Put together what is shown of one moment."""
    today = now_unix_s // DAY_S * DAY_S
    spans = {
        "last minute": now_unix_s - MINUTE_S,
        "last hour": now_unix_s - HOUR_S,
        "today": today,
        "this month": period_of("month", now_unix_s).begins_unix_s,
    }
    since = today if asked.since_unix_s is None else asked.since_unix_s
    return Look(
        at_unix_s=now_unix_s,
        spans=tuple(
            (name, reader.report(StatsAsked(since_unix_s=begins, by=())).total) for name, begins in spans.items()
        ),
        report=reader.report(StatsAsked(since_unix_s=since, by=asked.by)),
        limits=_limit_states(reader, admission.limits, now_unix_s),
        budgets=_budget_states(reader, admission.budgets, now_unix_s),
    )


def look_text(look: Look, path: str, every_s: float) -> str:
    """Write a look for people."""
    at = datetime.fromtimestamp(look.at_unix_s, UTC)
    parts = [f"{shown(path)}  {at:%Y-%m-%d %H:%M:%S} UTC  every {every_s:g} s; Ctrl-C ends it"]
    totals: list[tuple[str, ...]] = [("", "CALLS", "INPUT", "OUTPUT", "COST", "OPEN", "IN DOUBT")]
    totals += [(name, *_span_cells(line)) for name, line in look.spans]
    parts.append(aligned(totals, names=1))
    since = datetime.fromtimestamp(look.report.since_unix_s or 0.0, UTC)
    parts.append(f"since {since:%Y-%m-%d %H:%M} UTC\n{usage_table(look.report)}")
    if look.limits:
        head = ("LIMIT", "OF", "WHAT", "USED", "LIMIT", "")
        parts.append(aligned([head, *map(_limit_cells, look.limits)], names=3))
    if look.budgets:
        head = ("BUDGET", "OF", "USED", "AMOUNT", "", "ENDS IN")
        parts.append(aligned([head, *(_budget_cells(state, look.at_unix_s) for state in look.budgets)], names=2))
    return "\n\n".join(parts)


def _limit_states(reader: Reader, rules: tuple[LimitRule, ...], now_unix_s: float) -> tuple[LimitState, ...]:
    """Work out how far limits are used: by what was reserved in the last minute, and by what is open."""
    flowed: dict[tuple[UsageDimension, ...], dict[str, UsageLine]] = {}
    states = []
    for rule in rules:
        by = _SPLIT[rule.scope.kind]
        if by not in flowed:
            lines = reader.report(StatsAsked(since_unix_s=now_unix_s - MINUTE_S, by=by)).lines
            flowed[by] = {getattr(line, by[0]) or "" if by else "": line for line in lines}
        line = flowed[by].get(rule.scope.name, UsageLine())
        for dimension, limit, used in (
            ("requests", rule.requests_per_minute, line.requests),
            ("tokens", rule.tokens_per_minute, line.total_tokens),
            ("input_tokens", rule.input_tokens_per_minute, line.input_tokens),
            ("output_tokens", rule.output_tokens_per_minute, line.output_tokens),
            ("concurrency", rule.concurrency, line.open),
        ):
            if limit is not None:
                states.append(
                    msgspec.convert(
                        {
                            "source": rule.source,
                            "scope": msgspec.to_builtins(rule.scope),
                            "dimension": dimension,
                            "limit": limit,
                            "used": used,
                        },
                        LimitState,
                    )
                )
    return tuple(states)


def _budget_states(reader: Reader, rules: tuple[BudgetRule, ...], now_unix_s: float) -> tuple[BudgetState, ...]:
    asked = tuple(SpentAsked(scope=rule.scope, since_unix_s=_begins(rule, now_unix_s)) for rule in rules)
    return tuple(
        _budget_state(rule, spent, now_unix_s)
        for rule, spent in zip(rules, reader.spent(asked, now_unix_s), strict=True)
    )


def _begins(rule: BudgetRule, now_unix_s: float) -> float:
    if rule.period == "rolling":
        return now_unix_s - rule.window_s
    return period_of(rule.period, now_unix_s).begins_unix_s


def _budget_state(rule: BudgetRule, spent: Spent, now_unix_s: float) -> BudgetState:
    suffix = "cost_nano_usd" if rule.unit == "nano_usd" else "tokens"
    settled, in_doubt, reserved = (
        sum(getattr(bucket, prefix + suffix) for bucket in spent.buckets) for prefix in ("", "in_doubt_", "open_")
    )
    return BudgetState(
        source=rule.source,
        scope=rule.scope,
        unit=rule.unit,
        period=rule.period,
        amount=rule.amount,
        spent=settled,
        in_doubt=in_doubt,
        reserved=reserved,
        ends_unix_s=None if rule.period == "rolling" else period_of(rule.period, now_unix_s).ends_unix_s,
    )


def _span_cells(line: UsageLine) -> tuple[str, ...]:
    doubt = f"{line.in_doubt} (up to {format_usd(line.in_doubt_cost_nano_usd)})" if line.in_doubt else "0"
    tokens = (f"{line.input_tokens:,}", f"{line.output_tokens:,}")
    return (f"{line.requests:,}", *tokens, cost_text(line), f"{line.open:,}", doubt)


def _limit_cells(state: LimitState) -> tuple[str, ...]:
    what = "at once" if state.dimension == "concurrency" else f"{state.dimension.replace('_', ' ')} a minute"
    share = _share(state.used, state.limit)
    return (shown(state.source), shown(scope_text(state.scope)), what, f"{state.used:,}", f"{state.limit:,}", share)


def _budget_cells(state: BudgetState, now_unix_s: float) -> tuple[str, ...]:
    used = budget_used(state)
    if state.unit == "nano_usd":
        amounts = (format_usd(used), format_usd(state.amount))
    else:
        amounts = (f"{used:,} tokens", f"{state.amount:,} tokens")
    ends = "rolling" if state.ends_unix_s is None else span(max(0.0, state.ends_unix_s - now_unix_s))
    return (shown(state.source), shown(scope_text(state.scope)), *amounts, _share(used, state.amount), ends)


def _share(used: int, bound: int) -> str:
    return f"{100 * used / bound:.0f} %"
