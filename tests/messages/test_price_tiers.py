"""Rates of long prompts: which of them a call meets, what it costs, and the bound that holds before it is made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.messages.usage import Price, PriceTier, Usage, nano_usd

LONG = Price(
    input=nano_usd(2.5),
    output=nano_usd(15),
    cache_read=nano_usd(0.25),
    tiers=(PriceTier(above_tokens=272_000, input=nano_usd(5), output=nano_usd("22.5"), cache_read=nano_usd(0.5)),),
)
"""The rates of a model with two bands, as its vendor lists them."""


@pytest.mark.parametrize(
    ("uncached", "cached", "output", "usd"),
    [
        (1_000, 0, 1_000, "0.0175"),
        (272_000, 0, 0, "0.68"),
        (272_001, 0, 0, "1.360005"),
        # What is read from the cache is part of the prompt's length, and every token of the call is dearer.
        (72_001, 200_000, 1_000, "0.482505"),
        (72_000, 200_000, 1_000, "0.245"),
    ],
    ids=["short", "at the threshold", "one above it", "one above it with the cache", "at it with the cache"],
)
def test_a_call_costs_the_rates_of_the_band_its_whole_prompt_falls_in(
    uncached: int, cached: int, output: int, usd: str
) -> None:
    usage = Usage(input_uncached=uncached, cache_read=cached, output=output, source="reported")
    assert LONG.cost_nano_usd(usage) == nano_usd(usd)


def test_the_highest_threshold_that_was_passed_decides() -> None:
    price = Price(
        input=1,
        output=0,
        tiers=tuple(PriceTier(above_tokens=n, input=n, output=0) for n in (1_000_000, 2_000_000, 3_000_000)),
    )
    assert price.cost_nano_usd(Usage(input_uncached=2_500_000)) == 2_500_000 * 2_000_000 // 1_000_000


rates = st.integers(min_value=0, max_value=10**11)
tiers = st.lists(
    st.builds(
        PriceTier,
        above_tokens=st.integers(min_value=1, max_value=10**6),
        input=rates,
        output=rates,
        cache_read=st.none() | rates,
        cache_write_short=st.none() | rates,
        cache_write_long=st.none() | rates,
    ),
    max_size=3,
    unique_by=lambda tier: tier.above_tokens,
).map(lambda made: tuple(sorted(made, key=lambda tier: tier.above_tokens)))
prices = st.builds(Price, input=rates, output=rates, cache_read=st.none() | rates, tiers=tiers)
share = st.floats(min_value=0, max_value=1)


@given(prices, st.integers(0, 2 * 10**6), st.integers(0, 10**6), share, share, share)
def test_no_call_within_the_bound_costs_more_than_the_bound_does(
    price: Price, prompt: int, answer: int, used: float, cached: float, written: float
) -> None:
    total = int(prompt * used)
    read = int(total * cached)
    short = int((total - read) * written)
    usage = Usage(
        input_uncached=total - read - short, cache_read=read, cache_write_short=short, output=int(answer * used)
    )
    worst = price.worst_nano_usd(input_tokens=prompt, output_tokens=answer)
    cost = price.cost_nano_usd(usage)
    assert worst is not None
    assert cost is not None
    assert cost <= worst


def test_the_bound_of_a_price_that_is_unknown_is_unknown() -> None:
    assert Price(input=1).worst_nano_usd(input_tokens=1, output_tokens=1) is None
