"""The read-out of limits and budgets: what is left for a call, by all that it falls under."""

from __future__ import annotations

from manus.limit_reports import RateLimiter, scope_text
from manus.messages.limits import BudgetState, LimitState, Scope

ALL, TEAM, OPENAI = Scope(), Scope(kind="tag", name="team"), Scope(kind="provider", name="openai")
MODEL = Scope(kind="deployment", name="openai/m#f00")
KEY = Scope(kind="key", name="openai#f00")


def limit(scope: Scope, limit: int, used: int, free_in_s: float | None = None) -> LimitState:
    return LimitState(source="limits", scope=scope, dimension="requests", limit=limit, used=used, free_in_s=free_in_s)


def budget(scope: Scope, amount: int, spent: int = 0, in_doubt: int = 0, reserved: int = 0) -> BudgetState:
    return BudgetState(
        source="budgets.usd_per_day",
        scope=scope,
        unit="nano_usd",
        period="day",
        amount=amount,
        spent=spent,
        in_doubt=in_doubt,
        reserved=reserved,
    )


def test_nothing_bounds_a_call_where_there_are_no_limits() -> None:
    told = RateLimiter()
    assert (told.remaining(), told.budget_left(), told.wait_s()) == (None, None, 0.0)
    assert told.to_dict() == {"limits": [], "budgets": []}


def test_the_tightest_bound_that_a_call_falls_under_decides() -> None:
    told = RateLimiter(
        limits=(limit(ALL, 100, 40), limit(TEAM, 30, 25), limit(OPENAI, 20, 12), limit(KEY, 9, 6), limit(MODEL, 5, 4))
    )
    assert told.remaining() == 60
    assert told.remaining(tags=["team", "other"]) == 5
    assert told.remaining(provider="openai") == 8
    assert told.remaining(provider="ollama") == 60
    assert told.remaining(deployment="openai/m#f00") == 1
    assert told.remaining(deployment="openai/n#f00") == 3
    assert told.remaining(deployment="openai/n") == 8
    assert told.remaining("tokens") is None


def test_what_is_over_a_limit_leaves_nothing_and_no_less() -> None:
    assert RateLimiter(limits=(limit(ALL, 5, 9),)).remaining() == 0
    assert RateLimiter(budgets=(budget(ALL, 5, spent=9),)).budget_left() == 0


def test_a_budget_has_lost_what_is_settled_in_doubt_or_reserved() -> None:
    told = RateLimiter(budgets=(budget(ALL, 100, spent=10, in_doubt=20, reserved=30), budget(TEAM, 90, spent=80)))
    assert told.budget_left() == 40
    assert told.budget_left(tags=["team"]) == 10
    assert told.budget_left("tokens") is None
    assert [each["remaining"] for each in told.to_dict()["budgets"]] == [40, 10]


def test_a_call_waits_for_the_last_of_the_limits_that_are_full() -> None:
    told = RateLimiter(limits=(limit(ALL, 5, 5, 3.0), limit(OPENAI, 5, 5, 7.0), limit(TEAM, 5, 4, 9.0)))
    assert told.wait_s() == 3.0
    assert told.wait_s(provider="openai", tags=["team"]) == 7.0


def test_nobody_says_how_long_where_it_is_unknown_or_a_budget_is_used_up() -> None:
    assert RateLimiter(limits=(limit(ALL, 5, 5),)).wait_s() is None
    assert RateLimiter(budgets=(budget(ALL, 5, spent=5),)).wait_s() is None
    assert RateLimiter(budgets=(budget(TEAM, 5, spent=5),)).wait_s() == 0.0


def test_it_is_plain_data_on_request() -> None:
    (told,) = RateLimiter(limits=(limit(TEAM, 5, 3, 1.5),)).to_dict()["limits"]
    assert told["scope"] == {"kind": "tag", "name": "team"}
    assert (told["remaining"], told["free_in_s"], told["learnt"]) == (2, 1.5, False)
    assert (scope_text(ALL), scope_text(TEAM)) == ("all", "tag team")
