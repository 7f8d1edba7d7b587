"""What a call is booked at where a model has more than one price: bands of long prompts, and service tiers."""

from __future__ import annotations

import pytest

from manus.messages.policy import ModelCard
from manus.messages.usage import FREE, Price, PriceTier, Usage
from manus.sim.behaviour import Script
from tests.actors.rig import MODEL, Rig, Upstreams, finished, open_rig

LIST = Price(input=1_000_000, output=2_000_000, version="catalogue 2026-11-23")
DEARER = Price(input=3_000_000, output=6_000_000, version="catalogue 2026-11-23")
BANDED = Price(
    input=1_000_000,
    output=2_000_000,
    tiers=(PriceTier(above_tokens=50, input=10_000_000, output=20_000_000),),
    version="catalogue 2026-11-23",
)


def card(price: Price, **services: Price) -> dict[str, tuple[ModelCard, ...]]:
    return {"a": (ModelCard(name=MODEL, price=price, service_prices=services, context_tokens=32_000),)}


async def booked(rig: Rig, *, text: str = "Hello", service_tier: str | None = None) -> tuple[int | None, int, int]:
    """Ask once; gives the cost, and the tokens of prompt and answer. What the caller is told is in the books."""
    outcome = finished(await rig.generate(text=text, service_tier=service_tier))
    row = rig.rows()[-1]
    assert row.cost_nano_usd == outcome.cost_nano_usd
    return row.cost_nano_usd, row.usage.input_total, row.usage.output


@pytest.mark.parametrize(
    ("asked", "served", "price"),
    [
        (None, None, LIST),
        ("default", "default", LIST),
        ("priority", "priority", DEARER),
        ("auto", "priority", DEARER),
        (None, "priority", DEARER),
        ("priority", "default", LIST),
        ("priority", "auto", DEARER),
    ],
    ids=[
        "nothing asked",
        "the usual",
        "priority",
        "the vendor chose priority",
        "priority unasked",
        "priority asked and not had",
        "no word on what was served",
    ],
)
async def test_a_call_is_booked_at_the_price_of_the_service_tier_that_it_was_served_at(
    asked: str | None, served: str | None, price: Price, autojump_clock: object
) -> None:
    script = Script(text="one two", service_tier=served)
    async with open_rig(("a", Upstreams(script)), cards=card(LIST, priority=DEARER)) as rig:
        cost, prompt, answer = await booked(rig, service_tier=asked)
        assert price.input is not None
        assert price.output is not None
        assert cost == prompt * price.input // 1_000_000 + answer * price.output // 1_000_000
        await rig.check()


@pytest.mark.parametrize("asked", [None, "scale"], ids=["unasked", "asked"])
async def test_a_service_tier_that_nobody_has_priced_costs_nobody_knows_what(
    asked: str | None, autojump_clock: object
) -> None:
    script = Script(text="one two", service_tier="scale")
    async with open_rig(("a", Upstreams(script)), cards=card(LIST)) as rig:
        cost, _, _ = await booked(rig, service_tier=asked)
        assert cost is None
        assert rig.rows()[-1].price_version == "unknown"
        assert (rig.rows()[-1].bound_cost_nano_usd is None) is (asked is not None)
        await rig.check()


async def test_a_price_of_the_users_own_and_a_free_model_hold_at_every_service_tier(autojump_clock: object) -> None:
    script = Script(text="one two", service_tier="scale")
    own = Price(input=1_000_000, output=2_000_000, version="config")
    for price in (own, FREE):
        async with open_rig(("a", Upstreams(script)), cards=card(price)) as rig:
            cost, prompt, answer = await booked(rig, service_tier="scale")
            assert cost == price.cost_nano_usd(Usage(input_uncached=prompt, output=answer))
            await rig.check()


async def test_a_long_prompt_is_booked_and_bounded_at_the_rates_of_its_band(autojump_clock: object) -> None:
    async with open_rig(("a", Upstreams(Script(text="one two"))), cards=card(BANDED)) as rig:
        short = await booked(rig)
        long = await booked(rig, text="word " * 200)
        assert short[1] <= 50 < long[1]
        assert short[0] == short[1] * 1 + short[2] * 2
        assert long[0] == long[1] * 10 + long[2] * 20
        for row in rig.rows():
            assert row.bound_cost_nano_usd is not None
            assert row.cost_nano_usd is not None
            assert row.bound_cost_nano_usd >= row.cost_nano_usd
        await rig.check()
