"""Old prices and models that are switched off are warned of once, and never an error."""

from __future__ import annotations

import logging
from datetime import date, timedelta

import pytest

from manus.config.dated_facts import RETIRES_WITHIN_DAYS, dated_warnings, retiring_models, stale_prices
from manus.messages.policy import ModelCard, ProviderPolicy
from manus.messages.usage import UNKNOWN_PRICE, Price
from manus.opening import open_agent

READ = date(2026, 11, 23)
PRICE = Price(input=1, output=2, version="catalogue 2026-11-23")


def providers(*prices: Price, as_of: str | None = READ.isoformat()) -> tuple[ProviderPolicy, ...]:
    cards = tuple(ModelCard(name=f"m{number}", price=price, as_of=as_of) for number, price in enumerate(prices))
    return (ProviderPolicy(name="p", type="openai", models=cards),)


@pytest.mark.parametrize(("days", "is_old"), [(0, False), (120, False), (121, True), (1000, True)])
def test_a_price_is_old_after_so_many_days_and_no_earlier(days: int, is_old: bool) -> None:
    said = stale_prices(providers(PRICE), today=READ + timedelta(days=days), warn_after_days=120)
    assert (said is not None) is is_old
    if said is not None:
        assert f"{days} days old" in said
        assert "p/m0" in said
        assert "cost_per_input" in said


def test_nobody_is_warned_who_does_not_want_it() -> None:
    assert stale_prices(providers(PRICE), today=READ + timedelta(days=9999), warn_after_days=0) is None


@pytest.mark.parametrize("price", [UNKNOWN_PRICE, Price(input=1, output=2, version="config")])
def test_only_prices_of_the_catalogue_are_judged(price: Price) -> None:
    assert stale_prices(providers(price), today=READ + timedelta(days=9999), warn_after_days=1) is None
    assert stale_prices(providers(price, as_of=None), today=READ + timedelta(days=9999), warn_after_days=1) is None


def test_many_are_told_in_one_sentence() -> None:
    said = stale_prices(providers(*[PRICE] * 9), today=READ + timedelta(days=200), warn_after_days=1)
    assert said is not None
    assert "p/m4 and 4 more" in said


@pytest.mark.parametrize(("days", "is_told"), [(-1, True), (0, True), (RETIRES_WITHIN_DAYS, True), (31, False)])
def test_a_model_whose_last_day_is_near_or_past_is_named(days: int, is_told: bool) -> None:
    last_day = (READ + timedelta(days=days)).isoformat()
    cards = (ModelCard(name="leaving", retires=last_day), ModelCard(name="staying"))
    said = retiring_models([ProviderPolicy(name="p", type="openai", models=cards)], today=READ)
    assert (said is not None) is is_told
    if said is not None:
        assert f"p/leaving ({last_day})" in said
        assert "staying" not in said


def test_where_nothing_is_old_nothing_is_said() -> None:
    assert dated_warnings(providers(PRICE), today=READ, price_age_days=120) == ()


async def test_an_agent_says_it_once_and_works(caplog: pytest.LogCaptureFixture) -> None:
    config = {
        "ledger": {"path": ":memory:"},
        "providers": {"openai": {"api_key": "k", "models": [{"name": "gpt-4o-mini"}]}},
    }
    caplog.set_level(logging.INFO, logger="manus")
    year_2036 = 2_083_000_000.0
    async with open_agent(config, now_unix_s=lambda: year_2036) as agent:
        assert any("gpt-4o-mini" in note and "days old" in note for note in agent.notes)
    said = [record for record in caplog.records if "days old" in record.message]
    assert [record.levelno for record in said] == [logging.WARNING]

    caplog.clear()
    async with open_agent(config | {"general": {"price_age_warning_days": 0}}, now_unix_s=lambda: year_2036) as agent:
        assert not any("days old" in note for note in agent.notes)
