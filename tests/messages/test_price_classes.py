"""What is billed besides text: sounds, the vendor's own tools, a fee per call; and the bound that holds over all."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.messages.usage import ANY_TOOL, FREE, Price, PriceTier, Usage, nano_usd

TALKING = Price(
    input=nano_usd("2.5"),
    output=nano_usd(10),
    audio_input=nano_usd(32),
    audio_output=nano_usd(64),
    tool_calls={"web_search": nano_usd("0.01"), "file_search": nano_usd("0.0025")},
    per_request=nano_usd("0.001"),
)


def test_sound_is_a_part_of_the_prompt_and_of_the_answer_at_rates_of_its_own() -> None:
    usage = Usage(input_uncached=1_000, audio_input=400, output=100, audio_output=90, source="reported")
    # 600 x 2.5 + 400 x 32 + 10 x 10 + 90 x 64 millionths of a USD, and the fee
    assert TALKING.cost_nano_usd(usage) == 1_500_000 + 12_800_000 + 100_000 + 5_760_000 + 1_000_000


def test_sound_in_the_cache_costs_what_the_cache_costs() -> None:
    usage = Usage(input_uncached=100, cache_read=300, audio_input=400, source="reported")
    assert TALKING.cost_nano_usd(usage) == 100 * 32_000 + 300 * 2_500 + 1_000_000


@pytest.mark.parametrize("part", ["audio_input", "audio_output"])
def test_sound_without_a_rate_has_an_unknown_cost_and_not_that_of_text(part: str) -> None:
    price = msgspec.structs.replace(TALKING, **{part: None})
    heard = msgspec.structs.replace(Usage(input_uncached=9, output=9), **{part: 1})
    assert price.cost_nano_usd(heard) is None
    assert price.cost_nano_usd(Usage(input_uncached=9, output=9)) is not None


def test_each_kind_of_tool_has_its_rate() -> None:
    usage = Usage(server_tool_calls=5, server_tools=(("file_search", 2), ("web_search", 3)))
    assert TALKING.cost_nano_usd(usage) == 2 * 2_500_000 + 3 * 10_000_000 + 1_000_000


@pytest.mark.parametrize(
    "usage",
    [
        Usage(server_tool_calls=1, server_tools=(("code_interpreter", 1),)),
        Usage(server_tool_calls=2, server_tools=(("web_search", 1),)),
        Usage(server_tool_calls=1),
    ],
    ids=["a kind without a rate", "one call of a kind that nobody told", "no kind told"],
)
def test_a_tool_without_a_rate_has_an_unknown_cost(usage: Usage) -> None:
    assert TALKING.cost_nano_usd(usage) is None
    assert Price(input=1, output=1).cost_nano_usd(usage) is None
    others = msgspec.structs.replace(TALKING, tool_calls={**TALKING.tool_calls, ANY_TOOL: 7})
    assert others.cost_nano_usd(usage) in (1_000_007, 11_000_007)


def test_writing_for_an_hour_falls_back_to_writing_for_minutes() -> None:
    price = Price(input=nano_usd(2), output=0, cache_write_short=nano_usd("2.5"))
    assert price.cost_nano_usd(Usage(cache_write_long=1_000)) == 2_500_000
    assert Price(input=nano_usd(2), output=0).cost_nano_usd(Usage(cache_write_long=1_000)) == 2_000_000


def test_what_is_free_is_free_in_every_class() -> None:
    usage = Usage(input_uncached=9, audio_input=9, output=9, audio_output=9, server_tool_calls=3)
    assert FREE.cost_nano_usd(usage) == 0
    assert FREE.worst_nano_usd(input_tokens=9, output_tokens=9, server_tool_calls=3) == 0


def test_calls_of_tools_add_up_by_kind() -> None:
    one = Usage(server_tool_calls=3, server_tools=(("file_search", 1), ("web_search", 2)))
    other = Usage(server_tool_calls=5, server_tools=(("web_fetch", 4), ("web_search", 1)))
    total = one + other
    assert total.server_tool_calls == 8
    assert total.server_tools == (("file_search", 1), ("web_fetch", 4), ("web_search", 3))
    assert (one + Usage()).server_tools == one.server_tools


def test_the_bound_of_calls_of_tools_without_any_rate_is_unknown() -> None:
    text = Price(input=1, output=1)
    assert text.worst_nano_usd(input_tokens=9, output_tokens=9, server_tool_calls=1) is None
    assert text.worst_nano_usd(input_tokens=9, output_tokens=9) == 1


@pytest.mark.parametrize(
    "usage",
    [
        Usage(input_uncached=700, audio_input=700),
        Usage(output=700, audio_output=700),
        Usage(server_tool_calls=4, server_tools=(("web_search", 4),)),
        Usage(
            input_uncached=700,
            audio_input=700,
            output=50,
            audio_output=50,
            server_tool_calls=1,
            server_tools=(("web_search", 1),),
        ),
    ],
    ids=["all heard", "all spoken", "the dearest tool alone", "all of it"],
)
@pytest.mark.parametrize("tiers", [(), (PriceTier(above_tokens=1, input=nano_usd(3), output=nano_usd(9)),)])
def test_a_call_of_nothing_but_the_dearest_class_costs_its_bound(usage: Usage, tiers: tuple[PriceTier, ...]) -> None:
    price = msgspec.structs.replace(TALKING, tiers=tiers)
    worst = price.worst_nano_usd(
        input_tokens=usage.input_total, output_tokens=usage.output, server_tool_calls=usage.server_tool_calls
    )
    assert worst == price.cost_nano_usd(usage)


@pytest.mark.parametrize(("tokens", "nano"), [(499_999, 0), (500_000, 0), (500_001, 1), (1_500_000, 2), (2_500_000, 2)])
def test_exact_halves_go_to_the_even_neighbour(tokens: int, nano: int) -> None:
    assert Price(input=1, output=1).cost_nano_usd(Usage(input_uncached=tokens)) == nano


rates = st.integers(0, 10**11)
maybe = st.none() | rates
kinds = st.sampled_from(["web_search", "file_search", "code_interpreter", ANY_TOOL])
tiers = st.lists(
    st.builds(
        PriceTier,
        above_tokens=st.integers(1, 3_000),
        input=rates,
        output=rates,
        cache_read=maybe,
        cache_write_short=maybe,
        cache_write_long=maybe,
    ),
    max_size=3,
    unique_by=lambda tier: tier.above_tokens,
).map(lambda made: tuple(sorted(made, key=lambda tier: tier.above_tokens)))
prices = st.builds(
    Price,
    input=rates,
    output=rates,
    cache_read=maybe,
    cache_write_short=maybe,
    cache_write_long=maybe,
    audio_input=maybe,
    audio_output=maybe,
    per_request=st.integers(0, 10**8),
    tool_calls=st.dictionaries(kinds, st.integers(0, 10**8)),
    tiers=tiers,
)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Draw any usage in normal form."""
    count = st.integers(0, 2_000)
    uncached, output = draw(count), draw(count)
    tools = draw(st.dictionaries(kinds.filter(lambda kind: kind != ANY_TOOL), st.integers(1, 20)))
    return Usage(
        input_uncached=uncached,
        cache_read=draw(count),
        cache_write_short=draw(count),
        cache_write_long=draw(count),
        output=output,
        reasoning=draw(st.integers(0, output)),
        audio_input=draw(st.integers(0, uncached)),
        audio_output=draw(st.integers(0, output)),
        server_tool_calls=sum(tools.values()) + draw(st.integers(0, 3)),
        server_tools=tuple(sorted(tools.items())),
    )


slack = st.integers(0, 500)


@given(prices, usages(), slack, slack, st.integers(0, 3))
def test_no_usage_within_a_bound_costs_more_than_the_bound(
    price: Price, usage: Usage, more_input: int, more_output: int, more_calls: int
) -> None:
    cost = price.cost_nano_usd(usage)
    worst = price.worst_nano_usd(
        input_tokens=usage.input_total + more_input,
        output_tokens=usage.output + more_output,
        server_tool_calls=usage.server_tool_calls + more_calls,
    )
    if cost is not None and not (worst is None and not usage.server_tool_calls and more_calls):
        assert worst is not None
        assert 0 <= cost <= worst


def told(rate: int | None, fallback: int) -> Fraction:
    return Fraction(fallback if rate is None else rate, 10**6)


@given(prices, usages())
def test_a_cost_is_the_sum_of_its_classes_rounded_once(price: Price, usage: Usage) -> None:
    band = max(
        (t for t in price.tiers if usage.input_total > t.above_tokens), key=lambda t: t.above_tokens, default=None
    )
    rates_met = price if band is None else band
    base = rates_met.input or 0
    exact = (usage.input_uncached - usage.audio_input) * Fraction(base, 10**6)
    exact += usage.cache_read * told(rates_met.cache_read, base)
    exact += usage.cache_write_short * told(rates_met.cache_write_short, base)
    short = base if rates_met.cache_write_short is None else rates_met.cache_write_short
    exact += usage.cache_write_long * told(rates_met.cache_write_long, short)
    exact += (usage.output - usage.audio_output) * Fraction(rates_met.output or 0, 10**6)
    known = True
    for count, rate in ((usage.audio_input, price.audio_input), (usage.audio_output, price.audio_output)):
        known = known and (rate is not None or not count)
        exact += count * told(rate, 0)
    unnamed = usage.server_tool_calls - sum(calls for _, calls in usage.server_tools)
    for kind, calls in (*usage.server_tools, (ANY_TOOL, unnamed)):
        fee = price.tool_calls.get(kind, price.tool_calls.get(ANY_TOOL))
        known = known and (fee is not None or not calls)
        exact += calls * (fee or 0)
    assert price.cost_nano_usd(usage) == (round(exact) + price.per_request if known else None)
