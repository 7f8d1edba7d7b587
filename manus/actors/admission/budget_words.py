"""Own what who is refused by a budget is told: which budget, how far it is used, and what helps."""

from __future__ import annotations

import msgspec

from manus.actors.admission.gauge import COME_BACK_S, ELSEWHERE, name_of, never, refused
from manus.messages.accounting import Reserve
from manus.messages.failures import Failed
from manus.messages.limits import BudgetRule, BudgetUnit
from manus.messages.usage import format_usd


def amount_of(amount: int, unit: BudgetUnit) -> str:
    """Write an amount of a budget for people."""
    return format_usd(amount) if unit == "nano_usd" else f"{amount} tokens"


def above_budget(rule: BudgetRule, reserve: Reserve, need: int) -> Failed:
    """Refuse a call that is larger than the whole budget."""
    message = (
        f"This call to {reserve.model} may take up to {amount_of(need, rule.unit)}, more than the whole budget of "
        f"{_budget(rule)}. Set a lower max_tokens, or raise the budget."
    )
    return _exceeded(reserve, message, None)


def used_up(rule: BudgetRule, reserve: Reserve, need: int, *, gone: int, free_in_s: float | None) -> Failed:
    """Refuse a call that does not fit beside what is spent and in doubt."""
    message = (
        f"{amount_of(gone, rule.unit)} of {_budget(rule)} are spent or in doubt, and this call to {reserve.model} may "
        f"take up to {amount_of(need, rule.unit)}. Raise the budget, set a lower max_tokens, or come back later."
    )
    return _exceeded(reserve, message, free_in_s)


def held(rule: BudgetRule, reserve: Reserve, need: int, *, gone: int, held: int) -> Failed:
    """Refuse a call that may fit once open ones have ended."""
    message = (
        f"{amount_of(gone, rule.unit)} of {_budget(rule)} are spent or in doubt and {amount_of(held, rule.unit)} are "
        f"held by open calls; this call to {reserve.model} may take up to {amount_of(need, rule.unit)}. Come back "
        "when some have ended, wait in line, or raise the budget."
    )
    return refused(reserve, message, retry_after_s=COME_BACK_S)


def not_known(rule: BudgetRule, reserve: Reserve, trouble: str) -> Failed:
    """Refuse a call because the ledger cannot say what is spent."""
    message = f"{trouble}; so nobody knows what is spent of {_budget(rule)}, and nothing was sent"
    return Failed(kind="ledger", message=message, safe_to_retry=True, phase="queued", retry_after_s=COME_BACK_S)


def above_request_cap(reserve: Reserve, bound: int, cap: int) -> Failed:
    """Refuse a call that may cost more than one may."""
    message = (
        f"This call to {reserve.model} may cost up to {format_usd(bound)}, and one call may cost {format_usd(cap)} "
        "(budgets.usd_per_request). Set a lower max_tokens, or raise usd_per_request."
    )
    return _exceeded(reserve, message, None)


def unpriced(reserve: Reserve) -> Failed:
    """Refuse a call whose price nobody knows."""
    message = (
        f"Nobody knows what {reserve.model} at {reserve.provider} costs, and calls without a price are refused "
        '(budgets.on_unknown_price = "refuse"). Give the model its cost_per_input and cost_per_output (USD per million '
        'tokens) in the configuration, or set on_unknown_price = "allow".'
    )
    return msgspec.structs.replace(_exceeded(reserve, message, None), code="unknown_price")


def _exceeded(reserve: Reserve, message: str, retry_after_s: float | None) -> Failed:
    failure = never(reserve, message)
    return msgspec.structs.replace(failure, kind="budget_exceeded", advice=ELSEWHERE, retry_after_s=retry_after_s)


def _budget(rule: BudgetRule) -> str:
    span = f"rolling {rule.window_s / 3600:g} h" if rule.period == "rolling" else f"per {rule.period}"
    return f"{amount_of(rule.amount, rule.unit)} {span} ({rule.source}, {name_of(rule.scope)})"
