"""Reading the sources of the catalogue: small tables of our own making in the shapes of the real ones."""

from __future__ import annotations

import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from manus.config.catalogue_file import Rates
from scripts.catalogue import genai_prices, litellm_table
from scripts.catalogue.facts import BadSource, Facts

TODAY = date(2026, 11, 23)

GENAI = """
import datetime
from decimal import Decimal
from .types import *

providers: list[Provider] = [
    Provider(
        id='openai',
        models=[
            ModelInfo(
                id='big',
                match=ClauseOr(or_=[ClauseEquals(equals='big'), ClauseRegex(regex='^big-\\\\d{4}$')]),
                context_window=1000,
                prices=ModelPrice(
                    input_mtok=TieredPrices(base=Decimal('2.5'), tiers=[Tier(start=272000, price=Decimal('5'))]),
                    cache_read_mtok=Decimal('0.25'),
                    output_mtok=TieredPrices(base=Decimal('15'), tiers=[Tier(start=272000, price=Decimal('22.5'))]),
                    input_audio_mtok=Decimal('32'),
                    output_audio_mtok=Decimal('64'),
                    web_searches_kcount=Decimal('10'),
                    storage_searches_kcount=Decimal('2.5'),
                ),
                price_variants=[
                    PriceVariant(when={'processing': 'batch'}, prices=ModelPrice(input_mtok=Decimal('1'))),
                    PriceVariant(
                        when={'service_tier': 'flex'},
                        prices=ModelPrice(input_mtok=Decimal('1.25'), output_mtok=Decimal('7.5')),
                    ),
                    PriceVariant(
                        when={'service_tier': 'priority'},
                        prices=ModelPrice(input_mtok=Decimal('5'), output_mtok=Decimal('30')),
                        constraint=StartDateConstraint(start_date=datetime.date(2027, 1, 1)),
                    ),
                    PriceVariant(
                        when={'speed': 'fast'}, prices=ModelPrice(input_mtok=Decimal('9'), output_mtok=Decimal('10'))
                    ),
                    PriceVariant(
                        when={'route': 'eu'}, prices=ModelPrice(input_mtok=Decimal('9'), output_mtok=Decimal('11'))
                    ),
                ],
            ),
            ModelInfo(
                id='dated',
                match=ClauseAnd(and_=[ClauseStartsWith(starts_with='dat'), ClauseEndsWith(ends_with='ed')]),
                prices=[
                    ConditionalPrice(prices=ModelPrice(input_mtok=Decimal('1'), output_mtok=Decimal('1'))),
                    ConditionalPrice(
                        constraint=StartDateConstraint(start_date=datetime.date(2026, 11, 23)),
                        prices=ModelPrice(input_mtok=Decimal('2'), output_mtok=Decimal('2')),
                    ),
                    ConditionalPrice(
                        constraint=StartDateConstraint(start_date=datetime.date(2026, 11, 24)),
                        prices=ModelPrice(input_mtok=Decimal('9'), output_mtok=Decimal('9')),
                    ),
                ],
            ),
            ModelInfo(
                id='hourly',
                match=ClauseContains(contains='hour'),
                prices=[
                    ConditionalPrice(prices=ModelPrice(input_mtok=Decimal('1'), output_mtok=Decimal('1'))),
                    ConditionalPrice(
                        constraint=TimeOfDateConstraint(
                            start_time=datetime.time(1, 0, tzinfo=datetime.UTC),
                            end_time=datetime.time(4, 0, tzinfo=datetime.UTC),
                        ),
                        prices=ModelPrice(input_mtok=Decimal('3'), output_mtok=Decimal('3')),
                    ),
                ],
            ),
            ModelInfo(id='gone', match=ClauseEquals(equals='gone'), prices=ModelPrice(), deprecated=True),
            ModelInfo(id='sounds', match=ClauseEquals(equals='sounds'), prices=ModelPrice(audio_hours=Decimal('1'))),
        ],
    ),
    Provider(
        id='aws',
        models=[
            ModelInfo(
                id='global.acme.model-1',
                match=ClauseEndsWith(ends_with='global.acme.model-1'),
                prices=ModelPrice(input_mtok=Decimal('1'), output_mtok=Decimal('2')),
            ),
        ],
    ),
    Provider(id='somebody-else', models=[]),
]
"""


def genai() -> dict[str, Facts]:
    return {facts.id: facts for facts in genai_prices.read_source(GENAI, TODAY)}


def test_prices_are_read_exactly_with_their_bands() -> None:
    price = genai()["big"].price
    assert price == Rates(
        input=2_500_000_000,
        output=15_000_000_000,
        read=250_000_000,
        audio_in=32_000_000_000,
        audio_out=64_000_000_000,
        tiers=(Rates(above=272_000, input=5_000_000_000, output=22_500_000_000, read=250_000_000),),
    )


def test_calls_of_tools_that_are_charged_by_the_thousand_get_their_price() -> None:
    assert genai()["big"].tools == {"web_search": 10_000_000, "file_search": 2_500_000}
    assert genai()["dated"].tools == {}


def test_of_dated_prices_the_one_in_force_counts_and_of_hourly_ones_the_dearest() -> None:
    models = genai()
    assert models["dated"].price == Rates(input=2_000_000_000, output=2_000_000_000)
    assert models["hourly"].price == Rates(input=3_000_000_000, output=3_000_000_000)


def test_service_tiers_are_read_and_batches_and_the_future_are_not() -> None:
    assert genai()["big"].services == {
        "flex": Rates(input=1_250_000_000, output=7_500_000_000),
        "fast": Rates(input=9_000_000_000, output=10_000_000_000),
    }


def test_what_is_deprecated_is_left_out_and_what_is_not_text_has_no_price() -> None:
    models = genai()
    assert "gone" not in models
    assert models["sounds"].price is None


@pytest.mark.parametrize(
    ("model", "name", "matches"),
    [
        ("big", "big", True),
        ("big", "big-2026", True),
        ("big", "bigger", False),
        ("dated", "dated", True),
        ("dated", "date", False),
        ("hourly", "an-hour", True),
    ],
)
def test_a_source_decides_which_names_are_a_models(model: str, name: str, matches: bool) -> None:
    matcher = genai()[model].matches
    assert matcher is not None
    assert matcher(name) is matches


def test_the_area_of_a_profile_is_told_apart_from_the_model() -> None:
    facts = genai()["acme.model-1"]
    assert (facts.vendor, facts.area) == ("bedrock", "global")


def read_and_match(source: str) -> None:
    """Read a source, and ask each of its models whether a name is its own."""
    for facts in genai_prices.read_source(source, TODAY):
        assert facts.matches is not None
        facts.matches("anything")


@pytest.mark.parametrize(
    "source",
    [
        "x = 1",
        "providers: list[Provider] = make()",
        "providers: list[Provider] = [Provider(id=1 + 1)]",
        GENAI.replace("ClauseContains", "ClauseSoundsLike"),
        GENAI.replace("TimeOfDateConstraint", "MoonConstraint"),
        GENAI.replace("'0.25'", "'-0.25'"),
    ],
    ids=["no list", "no literal", "no constant", "new clause", "new condition", "negative price"],
)
def test_a_source_that_changed_its_shape_is_refused(source: str) -> None:
    with pytest.raises(BadSource):
        read_and_match(source)


def litellm(key: str, **entry: object) -> Facts | None:
    table = {"sample_spec": {"litellm_provider": "one of"}, key: {"mode": "chat", **entry}}
    found = litellm_table.read_table(msgspec.json.encode(table))
    return found[0] if found else None


def test_prices_per_token_become_exact_prices_per_million() -> None:
    facts = litellm(
        "m",
        litellm_provider="openai",
        input_cost_per_token=2.5e-06,
        output_cost_per_token=1.5e-05,
        cache_read_input_token_cost=8.75e-09,
        input_cost_per_token_above_272k_tokens=5e-06,
        output_cost_per_token_above_272k_tokens=2.25e-05,
        input_cost_per_token_priority=5e-06,
        output_cost_per_token_priority=3e-05,
        input_cost_per_token_batches=1e-06,
    )
    assert facts is not None
    assert facts.price == Rates(
        input=2_500_000_000,
        output=15_000_000_000,
        read=8_750_000,
        tiers=(Rates(above=272_000, input=5_000_000_000, output=22_500_000_000),),
    )
    assert facts.services == {"priority": Rates(input=5_000_000_000, output=30_000_000_000)}


COSTS = {"input_cost_per_token": 2e-06, "output_cost_per_token": 8e-06}
SEARCHES = {"search_context_cost_per_query": {"search_context_size_low": 0.01, "search_context_size_high": 0.025}}


def test_sounds_and_searches_have_prices_of_their_own() -> None:
    facts = litellm(
        "m",
        litellm_provider="openai",
        input_cost_per_audio_token=3.2e-05,
        output_cost_per_audio_token=6.4e-05,
        provider_specific_entry={"us": 1.1, "fast": 2},
        **COSTS,
        **SEARCHES,
    )
    assert facts is not None
    assert facts.price == Rates(
        input=2_000_000_000, output=8_000_000_000, audio_in=32_000_000_000, audio_out=64_000_000_000
    )
    assert facts.tools == {"web_search": 25_000_000}
    assert facts.regions == {"us": Decimal("1.1")}


def test_a_model_that_searches_for_every_answer_costs_that_by_the_call() -> None:
    facts = litellm("m-search-preview", litellm_provider="openai", **COSTS, **SEARCHES)
    assert facts is not None
    assert facts.price == Rates(input=2_000_000_000, output=8_000_000_000, request=25_000_000)
    assert facts.tools == {}


def test_a_flag_that_is_absent_says_nothing() -> None:
    facts = litellm("m", litellm_provider="openai", supports_vision=True, supports_function_calling=False)
    assert facts is not None
    assert facts.flags == {"vision": True, "tools": False, "embeddings": False}
    assert facts.price is None
    assert facts.efforts is None


def test_efforts_are_read_where_enough_is_said() -> None:
    facts = litellm(
        "m",
        litellm_provider="openai",
        supports_reasoning=True,
        supports_none_reasoning_effort=False,
        supports_minimal_reasoning_effort=False,
        supports_xhigh_reasoning_effort=True,
    )
    assert facts is not None
    assert facts.efforts == ("low", "medium", "high", "xhigh")
    assert facts.flags["thinking_off"] is False
    listed = litellm("mistral/m", litellm_provider="mistral", reasoning_effort_levels=["none", "high"])
    assert listed is not None
    assert listed.efforts == ("off", "high")


def test_an_embedder_costs_nothing_for_its_answer() -> None:
    facts = litellm("e", litellm_provider="openai", mode="embedding", input_cost_per_token=2e-08, max_input_tokens=8191)
    assert facts is not None
    assert facts.price == Rates(input=20_000_000, output=0)
    assert facts.flags == {"embeddings": True}
    assert facts.output is None


@pytest.mark.parametrize(
    ("key", "provider", "name", "area"),
    [
        ("us.acme.m-1", "bedrock", "acme.m-1", "us"),
        ("us-gov.acme.m-1", "bedrock_converse", "acme.m-1", "us-gov"),
        ("acme.m-1", "bedrock", "acme.m-1", ""),
        ("azure/gpt-9", "azure", "gpt-9", ""),
        ("azure/eu/gpt-9", "azure", "gpt-9", "eu"),
        ("azure/us-gov/gpt-9", "azure", "gpt-9", "us-gov"),
        ("together_ai/acme/m", "together_ai", "acme/m", ""),
        ("groq/acme/m", "groq", "acme/m", ""),
    ],
)
def test_names_are_those_of_the_vendor(key: str, provider: str, name: str, area: str) -> None:
    facts = litellm(key, litellm_provider=provider)
    assert facts is not None
    assert (facts.id, facts.area) == (name, area)


@pytest.mark.parametrize(
    ("key", "entry"),
    [
        ("bedrock/us-east-1/acme.m-1", {"litellm_provider": "bedrock"}),
        ("azure/standard/gpt-9", {"litellm_provider": "azure"}),
        ("m", {"litellm_provider": "somebody"}),
        ("m", {"litellm_provider": "openai", "mode": "image_generation"}),
    ],
)
def test_what_is_no_model_of_ours_is_left_out(key: str, entry: dict[str, object]) -> None:
    assert litellm(key, **entry) is None


@pytest.mark.parametrize("raw", [b"[]", b"{", b'{"m": 1}'])
def test_a_table_that_is_none_is_refused(raw: bytes) -> None:
    with pytest.raises(BadSource):
        litellm_table.read_table(raw)


def test_wheels_are_read_without_being_installed(tmp_path: Path) -> None:
    genai_wheel, litellm_wheel = tmp_path / "genai_prices-1-py3.whl", tmp_path / "litellm-1-py3.whl"
    with zipfile.ZipFile(genai_wheel, "w") as wheel:
        wheel.writestr("genai_prices/data.py", GENAI)
    with zipfile.ZipFile(litellm_wheel, "w") as wheel:
        wheel.writestr(litellm_table.TABLE, b'{"m": {"litellm_provider": "openai", "mode": "chat"}}')
    assert {facts.id for facts in genai_prices.read_wheel(genai_wheel, TODAY)} >= {"big", "acme.model-1"}
    assert [facts.id for facts in litellm_table.read_wheel(litellm_wheel)] == ["m"]
