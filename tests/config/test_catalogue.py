"""The catalogue that travels in the package: what it says, and under which names it says it."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.config.catalogue import Catalogue, Place, packaged_catalogue, place_of
from manus.config.catalogue_file import FORMAT, Rates, Row
from manus.config.environment_vendors import ANTHROPIC_MODELS, COMPATIBLE, OPENAI_MODELS
from manus.config.provider_places import DEFAULT_BASE_URLS
from manus.messages.policy import ModelCard
from manus.messages.requests import Effort
from manus.messages.usage import UNKNOWN_PRICE, Price, Usage, nano_usd

OPENAI, ANTHROPIC, BEDROCK, AZURE = (Place(vendor) for vendor in ("openai", "anthropic", "bedrock", "azure"))

VENDORS = ("anthropic", "azure", "bedrock", "deepseek", "groq", "mistral", "ollama", "openai", "openrouter", "together")

EFFORTS = {"none", *Effort.__args__}  # type: ignore[attr-defined]  # a Literal has them


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return packaged_catalogue()


def small(**vendors: list[Row]) -> Catalogue:
    """A catalogue of our own making."""
    file = {
        "format": FORMAT,
        "as_of": "2026-11-23",
        "sources": {"s": "a source"},
        "vendors": {vendor: msgspec.to_builtins(rows) for vendor, rows in vendors.items()},
    }
    return Catalogue(lambda: msgspec.json.encode(file))


def test_the_package_carries_models_of_every_vendor(catalogue: Catalogue) -> None:
    assert catalogue.vendors == VENDORS
    assert all(len(catalogue.rows(vendor)) >= 10 for vendor in VENDORS)
    assert date.fromisoformat(catalogue.as_of) >= date(2026, 11, 1)


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_row_uses_words_that_a_card_knows_and_names_its_sources(catalogue: Catalogue, vendor: str) -> None:
    for row in catalogue.rows(vendor):
        words = [*row.can.split(), *row.cannot.split()]
        assert set(words) <= set(ModelCard.__struct_fields__), row.id
        assert len(words) == len(set(words)), row.id
        assert set(row.efforts.split()) <= EFFORTS, row.id
        assert set(row.source) <= set(catalogue.sources), row.id
        assert any("*" in facts for facts in row.source.values()), row.id


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_model_is_found_by_each_of_its_names(catalogue: Catalogue, vendor: str) -> None:
    for row in catalogue.rows(vendor):
        for name in (row.id, *row.also):
            found = catalogue.find(Place(vendor), name)
            assert found is not None
            assert found.row.id == row.id


@pytest.mark.parametrize(
    ("place", "name", "model"),
    [
        (OPENAI, "gpt-4o", "gpt-4o"),
        (OPENAI, "gpt-4o-2024-11-20", "gpt-4o"),
        (OPENAI, "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        (OPENAI, "gpt-6-sol-2026-09-22", "gpt-6-sol"),
        (OPENAI, "ft:gpt-4o-2024-08-06:acme::Ab1", "ft:gpt-4o-2024-08-06"),
        (ANTHROPIC, "claude-opus-5-5", "claude-opus-5-5"),
        (ANTHROPIC, "claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        (ANTHROPIC, "claude-3-5-haiku-20241022", "claude-3-5-haiku-latest"),
        (BEDROCK, "anthropic.claude-opus-5-5", "anthropic.claude-opus-5-5"),
        (BEDROCK, "anthropic.claude-opus-5-5-v1:0", "anthropic.claude-opus-5-5"),
        (BEDROCK, "anthropic.claude-opus-4-6-v1:0", "anthropic.claude-opus-4-6-v1"),
        (BEDROCK, "eu.anthropic.claude-opus-5-5", "anthropic.claude-opus-5-5"),
        (BEDROCK, "us-gov.anthropic.claude-opus-5-5", "anthropic.claude-opus-5-5"),
        (BEDROCK, "amazon.nova-pro-v1:0:300k", "amazon.nova-pro-v1:0"),
        (
            BEDROCK,
            "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
            "amazon.nova-lite-v1:0",
        ),
        (
            BEDROCK,
            "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:inference-profile/us-gov.anthropic.claude-sonnet-5",
            "anthropic.claude-sonnet-5",
        ),
        (AZURE, "gpt-5.4-mini", "gpt-5.4-mini"),
        (Place("openrouter"), "openai/gpt-4o-mini", "openai/gpt-4o-mini"),
    ],
)
def test_a_model_is_found_by_the_names_its_vendor_gives_it(
    catalogue: Catalogue, place: Place, name: str, model: str
) -> None:
    found = catalogue.find(place, name)
    assert found is not None
    assert found.row.id == model


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (OPENAI, "gpt-4"[:-1]),
        (OPENAI, "gpt-4o-minimal"),
        (OPENAI, "gpt-4o-mini-tuned"),
        (OPENAI, "my-gpt-4o"),
        (OPENAI, "gpt-7"),
        (OPENAI, "GPT-4O"),
        (OPENAI, "gpt-4o-20241399x"),
        (OPENAI, ""),
        (OPENAI, "ft:"),
        (ANTHROPIC, "claude"),
        (ANTHROPIC, "claude-opus-5-55"),
        (BEDROCK, "claude-opus-5-5"),
        (BEDROCK, "anthropic.claude-opus"),
        (BEDROCK, "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"),
        (BEDROCK, "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/a1b2c3"),
        (BEDROCK, "arn:aws:s3:::bucket"),
        (Place("nobody"), "gpt-4o"),
    ],
)
def test_what_only_looks_like_a_model_is_not_found(catalogue: Catalogue, place: Place, name: str) -> None:
    assert catalogue.find(place, name) is None


names = st.text(max_size=40) | st.lists(
    st.sampled_from(
        [
            "gpt-4o",
            "claude-opus-5-5",
            "ft:",
            "us.",
            "global.",
            "anthropic.",
            "-v1:0",
            ":free",
            "-20261123",
            "-2026-11-23",
            "arn:aws:bedrock:us-east-1::foundation-model/",
            "arn:",
            ":",
            "/",
            "-latest",
            "@20260101",
            ".",
            "amazon.nova-pro",
        ]
    ),
    max_size=5,
).map("".join)


@given(st.sampled_from(VENDORS), names)
def test_a_name_is_found_by_what_it_is_or_not_at_all(vendor: str, name: str) -> None:
    found = packaged_catalogue().find(Place(vendor), name)
    if found is not None:
        # Whatever was taken off a name was taken off its ends: the model's own name stands in it, whole.
        known = {each.removesuffix("-latest") for each in (found.row.id, *found.row.also)}
        assert any(each.split(":")[0].removesuffix("-v1") in name for each in known)


def test_a_profile_has_the_price_of_its_region(catalogue: Catalogue) -> None:
    prices = {}
    for area in ("", "global.", "us.", "eu.", "ca.", "us-gov."):
        found = catalogue.find(BEDROCK, f"{area}anthropic.claude-opus-5-5")
        assert found is not None
        prices[area] = found.price.input
    regional, worldwide = nano_usd("4.4"), nano_usd(4)
    # An id without a prefix is served in the region it is sent to, at the region's price.
    assert prices == {
        "": regional,
        "global.": worldwide,
        "us.": regional,
        "eu.": regional,
        "ca.": regional,
        "us-gov.": nano_usd("4.8"),
    }


@pytest.mark.parametrize(
    ("kind", "base_url", "place"),
    [
        ("openai", "https://api.openai.com/v1", Place("openai")),
        ("openai", "https://eu.api.openai.com/v1", Place("openai", priced=False)),
        ("openai", "https://openrouter.ai/api/v1", Place("openrouter")),
        ("openai", "https://api.groq.com/openai/v1", Place("groq")),
        ("openai", "https://api.openai.com.example/v1", None),
        ("openai", "https://api.anthropic.com/v1", None),
        ("openai", "http://127.0.0.1:8080/v1", None),
        ("openai", None, None),
        ("anthropic", None, Place("anthropic")),
        ("anthropic", "https://api.anthropic.com", Place("anthropic")),
        ("anthropic", "http://127.0.0.1:8080", None),
        ("bedrock", "https://vpce-1.bedrock-runtime.eu-west-1.vpce.amazonaws.com", Place("bedrock")),
        ("azure", "https://acme.openai.azure.com", Place("azure")),
        ("ollama", "http://127.0.0.1:11434", Place("ollama", priced=False)),
        ("openai", "http://[broken", None),
        ("local", None, None),
    ],
)
def test_whose_catalogue_holds_is_told_by_type_and_host(kind: str, base_url: str | None, place: Place | None) -> None:
    assert place_of(kind, base_url) == place


def test_every_vendor_found_in_the_environment_has_its_part_of_the_catalogue() -> None:
    for name, url in COMPATIBLE.items():
        assert place_of("openai", url) == Place(name)
    for kind in ("openai", "anthropic"):
        assert place_of(kind, DEFAULT_BASE_URLS[kind]) == Place(kind)


@pytest.mark.parametrize(("vendor", "models"), [("openai", OPENAI_MODELS), ("anthropic", ANTHROPIC_MODELS)])
def test_models_that_are_offered_by_themselves_have_a_price(
    catalogue: Catalogue, vendor: str, models: tuple[str, ...]
) -> None:
    for model in models:
        found = catalogue.find(Place(vendor), model)
        assert found is not None
        assert found.price.known
        assert found.row.context is not None


def test_a_host_with_a_surcharge_has_capabilities_and_no_price(catalogue: Catalogue) -> None:
    found = catalogue.find(Place("openai", priced=False), "gpt-4o")
    assert found is not None
    assert "vision" in found.row.can.split()
    assert found.price == UNKNOWN_PRICE


def test_a_model_that_azure_does_not_list_has_its_abilities_and_no_price() -> None:
    table = small(azure=[], openai=[Row(id="gpt-9", price=Rates(input=1, output=2), can="tools")])
    found = table.find(AZURE, "gpt-9")
    assert found is not None
    assert found.row.can == "tools"
    assert not found.price.known


def test_a_tuned_model_of_an_unlisted_kind_has_no_price() -> None:
    table = small(openai=[Row(id="gpt-9", price=Rates(input=1, output=2), can="tools")])
    found = table.find(OPENAI, "ft:gpt-9-2026-01-01:acme::1")
    assert found is not None
    assert not found.price.known


def test_a_variant_of_a_gateway_that_is_not_listed_has_no_price() -> None:
    rows = [Row(id="a/b", price=Rates(input=1, output=2)), Row(id="a/b:free", price=Rates(input=0, output=0))]
    table = small(openrouter=rows)
    prices = {name: table.find(Place("openrouter"), name) for name in ("a/b", "a/b:free", "a/b:nitro")}
    assert [found is not None and found.price.input for found in prices.values()] == [1, 0, None]


def test_a_row_without_a_price_is_unknown_and_not_free() -> None:
    table = small(openai=[Row(id="m", price=Rates(input=5))])
    found = table.find(OPENAI, "m")
    assert found is not None
    assert found.price == UNKNOWN_PRICE


def test_an_area_has_its_own_prices_and_those_of_its_own_services() -> None:
    row = Row(
        id="gpt-9",
        price=Rates(input=10, output=20),
        areas={"eu": Rates(input=12, output=24)},
        services={"flex": Rates(input=5, output=10), "eu:flex": Rates(input=6, output=12), "priority": Rates()},
    )
    table = small(azure=[row], bedrock=[msgspec.structs.replace(row, id="acme.m-1")])
    found = {area: table.find(Place("azure", area=area), "gpt-9") for area in ("", "eu", "apac")}
    assert [each is not None and each.price.input for each in found.values()] == [10, 12, None]
    for place, name in ((Place("azure", area="eu"), "gpt-9"), (BEDROCK, "eu.acme.m-1")):
        there = table.find(place, name)
        assert there is not None
        assert {tier: price.input for tier, price in there.service_prices.items()} == {"flex": 6}
    assert found["apac"] is not None
    assert found["apac"].service_prices == {}
    elsewhere = table.find(BEDROCK, "jp.acme.m-1")
    assert elsewhere is not None
    assert (elsewhere.price.input, elsewhere.service_prices["flex"].input) == (10, 5)


def test_every_class_of_a_row_is_in_the_price() -> None:
    rates = Rates(input=1, output=2, read=3, write=4, write_long=5, audio_in=6, audio_out=7, request=8)
    found = small(openai=[Row(id="m", price=rates, tools={"web_search": 9})]).find(OPENAI, "m")
    assert found is not None
    assert found.price == Price(
        input=1,
        output=2,
        cache_read=3,
        cache_write_short=4,
        cache_write_long=5,
        audio_input=6,
        audio_output=7,
        per_request=8,
        tool_calls={"web_search": 9},
        version=found.price.version,
    )


def test_a_file_of_another_format_is_refused() -> None:
    raw = msgspec.json.encode({"format": FORMAT + 1, "as_of": "2026-11-23", "sources": {}, "vendors": {}})
    with pytest.raises(ValueError, match="install"):
        Catalogue(lambda: raw).rows("openai")


def test_the_file_is_not_read_before_something_is_looked_up() -> None:
    code = (
        "import sys, pathlib; opened = []; read = pathlib.Path.read_bytes\n"
        "pathlib.Path.read_bytes = lambda self: opened.append(self.name) or read(self)\n"
        "import manus.config.policies, manus.config.catalogue as c\n"
        "assert opened == [], opened\n"
        "c.packaged_catalogue().find(c.Place('openai'), 'gpt-4o')\n"
        "c.packaged_catalogue().find(c.Place('bedrock'), 'x')\n"
        "assert opened == ['catalogue.json'], opened\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


BILLS = [
    # uncached, read, written for 5 minutes, for an hour, answer; the vendor's list price by hand.
    (OPENAI, "gpt-4o-mini", (100, 1920, 0, 0, 300), "0.000339"),
    (OPENAI, "gpt-5.4", (1_000, 0, 0, 0, 500), "0.01"),
    (OPENAI, "gpt-5.4", (200_000, 100_000, 0, 0, 1_000), "1.0725"),
    (OPENAI, "gpt-6.1-sol", (50, 3_000, 1_024, 0, 700), "0.00996"),
    (ANTHROPIC, "claude-opus-5-5", (12, 2_048, 0, 0, 90), "0.0022576"),
    (ANTHROPIC, "claude-sonnet-5-5", (100, 0, 1_000, 2_000, 400), "0.0147"),
    (ANTHROPIC, "claude-haiku-5-5", (100_000, 0, 0, 0, 100), "0.01005"),
    (ANTHROPIC, "claude-haiku-5-5", (100_001, 0, 0, 0, 100), "0.0502505"),
    (BEDROCK, "us.anthropic.claude-haiku-4-5-20251001-v1:0", (13, 1_504, 0, 0, 5), "0.00020724"),
    (BEDROCK, "amazon.nova-micro-v1:0", (1_000, 0, 0, 0, 100), "0.000049"),
    (OPENAI, "text-embedding-3-small", (5, 0, 0, 0, 0), "0.0000001"),
]


@pytest.mark.parametrize(("place", "name", "tokens", "usd"), BILLS, ids=[f"{bill[1]}-{bill[2][0]}" for bill in BILLS])
def test_a_bill_is_what_the_vendors_list_price_makes_of_the_counts(
    catalogue: Catalogue, place: Place, name: str, tokens: tuple[int, int, int, int, int], usd: str
) -> None:
    uncached, read, short, long, output = tokens
    usage = Usage(
        input_uncached=uncached, cache_read=read, cache_write_short=short, cache_write_long=long, output=output
    )
    found = catalogue.find(place, name)
    assert found is not None
    assert found.price.cost_nano_usd(usage) == nano_usd(usd)
    assert found.price.version == f"catalogue {catalogue.as_of}"
