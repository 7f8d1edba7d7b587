"""Token normal form and money: sums are exact, unknown is never zero, rounding happens once."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.messages.usage import FREE, NANO_USD, UNKNOWN_PRICE, Price, Usage, format_usd, nano_usd

counts = st.integers(min_value=0, max_value=10**9)
usages = st.builds(
    Usage,
    input_uncached=counts,
    cache_read=counts,
    cache_write_short=counts,
    cache_write_long=counts,
    output=counts,
    reasoning=counts,
    source=st.sampled_from(["reported", "estimated", "bound", "missing"]),
)
rates = st.integers(min_value=0, max_value=10**12)
prices = st.builds(
    Price,
    input=rates,
    output=rates,
    cache_read=st.none() | rates,
    cache_write_short=st.none() | rates,
    cache_write_long=st.none() | rates,
    per_request=st.integers(min_value=0, max_value=10**9),
)


@given(usages, prices)
def test_cost_is_the_exact_sum_rounded_once_half_to_even(usage: Usage, price: Price) -> None:
    assert price.input is not None
    assert price.output is not None
    long = (price.cache_write_long, price.cache_write_short, price.input)
    exact = Decimal(0)
    for tokens, rate in (
        (usage.input_uncached, price.input),
        (usage.cache_read, price.input if price.cache_read is None else price.cache_read),
        (usage.cache_write_short, price.input if price.cache_write_short is None else price.cache_write_short),
        (usage.cache_write_long, next(rate for rate in long if rate is not None)),
        (usage.output, price.output),
    ):
        exact += Decimal(tokens) * Decimal(rate)
    expected = int((exact / 1_000_000).to_integral_value(rounding=ROUND_HALF_EVEN)) + price.per_request
    assert price.cost_nano_usd(usage) == expected


@pytest.mark.parametrize(
    "price", [UNKNOWN_PRICE, Price(input=1), Price(output=1)], ids=["both unknown", "output unknown", "input unknown"]
)
def test_an_unknown_price_gives_no_cost_rather_than_zero(price: Price) -> None:
    assert not price.known
    assert price.cost_nano_usd(Usage(input_uncached=10, output=10)) is None


def test_a_free_model_costs_zero_and_that_is_known() -> None:
    assert FREE.known
    assert FREE.cost_nano_usd(Usage(input_uncached=10, output=10)) == 0


@given(usages, usages)
def test_addition_keeps_every_token_and_the_worse_provenance(left: Usage, right: Usage) -> None:
    total = left + right
    assert total.total == left.total + right.total
    assert total.reasoning == left.reasoning + right.reasoning
    order = ["reported", "estimated", "bound", "missing"]
    assert order.index(total.source) == max(order.index(left.source), order.index(right.source))


@pytest.mark.parametrize(
    ("written", "nano"),
    [(5.0, 5 * NANO_USD), (0.15, 150_000_000), ("0.000000001", 1), (0, 0), (15, 15 * NANO_USD), (0.0375, 37_500_000)],
)
def test_prices_as_people_write_them_are_exact(written: float | int | str, nano: int) -> None:
    assert nano_usd(written) == nano


@pytest.mark.parametrize("written", [-1, float("nan"), float("inf"), "free"])
def test_what_is_no_amount_of_money_is_refused(written: float | str) -> None:
    with pytest.raises(ValueError, match="not an amount of USD"):
        nano_usd(written)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "unknown"),
        (0, "$0.00"),
        (1, "$0.000000001"),
        (1_500_000_000, "$1.50"),
        (-250_000_000, "-$0.25"),
        (12_345_678_901, "$12.345678901"),
    ],
)
def test_money_is_written_for_people(amount: int | None, text: str) -> None:
    assert format_usd(amount) == text
