"""Costs as the configuration tells them: every class, over the catalogue's, and each mistake with its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from manus.config.check import check_text
from manus.config.load import load
from manus.config.model_cards import known_card
from manus.config.policies import provider_policies
from manus.config.schema import ModelConfig
from manus.messages.policy import ModelCard
from manus.messages.usage import FREE, UNKNOWN_PRICE, Price, PriceTier, Usage, nano_usd

OPENAI = "https://api.openai.com/v1"
OURS = {"base_url": "http://gateway.example/v1"}


def card(name: str, *, entry: Mapping[str, object] | None = None, **costs: object) -> ModelCard:
    """Describe a model of an OpenAI entry that is configured with `costs`."""
    model = {"name": name, **costs}
    config = load({"providers": {"openai": {"api_key": "k", "models": [model], **(entry or {})}}}, environ={}).config
    return provider_policies(config)[0].models[0]


def test_every_class_can_be_configured() -> None:
    made = card(
        "m",
        entry=OURS,
        cost_per_input=2,
        cost_per_output=8,
        cost_per_cache_read=0.5,
        cost_per_cache_write=2.5,
        cost_per_cache_write_long=4,
        cost_per_audio_input=32,
        cost_per_audio_output=64,
        cost_per_request=0.001,
        cost_per_tool_call={"web_search": 0.01, "*": 0},
        cost_tiers=[{"above_tokens": 200_000, "input": 4, "output": 12, "cache_read": 1}],
        service_costs={"flex": {"input": 1, "output": 4}},
    )
    assert made.price == Price(
        input=nano_usd(2),
        output=nano_usd(8),
        cache_read=nano_usd("0.5"),
        cache_write_short=nano_usd("2.5"),
        cache_write_long=nano_usd(4),
        audio_input=nano_usd(32),
        audio_output=nano_usd(64),
        per_request=nano_usd("0.001"),
        tool_calls={"web_search": 10_000_000, "*": 0},
        tiers=(PriceTier(above_tokens=200_000, input=nano_usd(4), output=nano_usd(12), cache_read=nano_usd(1)),),
        version="config",
    )
    flex = made.price_at("flex")
    assert (flex.input, flex.output, flex.cache_read, flex.tiers) == (nano_usd(1), nano_usd(4), None, ())
    assert (flex.audio_input, flex.per_request, flex.tool_calls) == (
        made.price.audio_input,
        made.price.per_request,
        made.price.tool_calls,
    )
    assert made.price_at("default") == made.price
    assert made.price_at("priority") == UNKNOWN_PRICE


def test_a_price_of_ones_own_holds_at_every_service_until_one_of_them_is_named() -> None:
    made = card("gpt-5.4", cost_per_input=1, cost_per_output=2)
    assert made.price_at("priority") == made.price_at("flex") == made.price
    named = card("gpt-5.4", cost_per_input=1, cost_per_output=2, service_costs={"flex": {"input": 1, "output": 1}})
    assert named.price_at("flex").output == nano_usd(1)
    assert named.price_at("priority") == UNKNOWN_PRICE


def test_tokens_of_ones_own_leave_the_fees_of_tools_as_they_are() -> None:
    known = known_card("openai", OPENAI, "gpt-5.4").price
    made = card("gpt-5.4", cost_per_input=1, cost_per_output=2, cost_per_tool_call={"web_search": 0.02})
    assert made.price.tool_calls == {**known.tool_calls, "web_search": 20_000_000}
    assert made.price.tiers == ()


def test_what_is_charged_by_the_call_is_laid_over_all_of_the_catalogues_prices() -> None:
    known = known_card("openai", OPENAI, "gpt-5.4")
    made = card("gpt-5.4", cost_per_request=0.5, cost_per_audio_input=32)
    assert (made.price.per_request, made.price.audio_input) == (nano_usd("0.5"), nano_usd(32))
    assert made.price.tiers == known.price.tiers
    assert set(made.service_prices) == set(known.service_prices) != set()
    for name, price in made.service_prices.items():
        assert (price.input, price.per_request) == (known.service_prices[name].input, nano_usd("0.5"))


def test_a_part_of_the_tokens_price_takes_bands_and_services_of_the_catalogue_away() -> None:
    made = card("gpt-5.4", cost_per_input=1)
    assert (made.price.input, made.price.output, made.price.tiers) == (nano_usd(1), nano_usd(15), ())
    assert made.price_at("flex") == UNKNOWN_PRICE


def test_bands_alone_are_laid_over_the_catalogues_price() -> None:
    made = card("gpt-5.4", cost_tiers=[{"above_tokens": 9, "input": 9, "output": 9}])
    assert (made.price.input, [tier.above_tokens for tier in made.price.tiers]) == (nano_usd("2.5"), [9])


def test_a_fee_of_nothing_takes_the_catalogues_fee_away() -> None:
    fee = card("gpt-4o-search-preview").price.per_request
    assert fee == 25_000_000
    assert card("gpt-4o-search-preview", cost_per_request=0).price.per_request == 0


def test_zero_is_free_missing_is_unknown_and_local_is_free() -> None:
    assert card("m", entry=OURS, cost_per_input=0, cost_per_output=0).price.cost_nano_usd(Usage(output=5)) == 0
    assert card("m", entry=OURS).price == UNKNOWN_PRICE
    local = load({"providers": {"ollama": {"models": [{"name": "m"}]}}}, environ={}).config
    assert provider_policies(local)[0].models[0].price == FREE


def test_a_data_zone_of_azure_has_prices_of_its_own() -> None:
    def at(**area: str) -> ModelCard:
        model = {"name": "prod", "base": "gpt-6-sol", **area}
        entry = {"type": "azure", "api_key": "k", "base_url": "https://r.openai.azure.com", "models": [model]}
        return provider_policies(load({"providers": {"azure": entry}}, environ={}).config)[0].models[0]

    assert [at().price.input, at(cost_area="us").price.input] == [nano_usd(2), nano_usd("2.2")]
    assert at(cost_area="eu").price.input == nano_usd("2.4")
    assert at().price_at("priority").input == nano_usd(4)
    assert at(cost_area="us").price_at("priority").input == nano_usd("4.4")
    assert at(cost_area="eu").price_at("priority") == UNKNOWN_PRICE
    assert at(cost_area="mars").price == UNKNOWN_PRICE


HEAD = '[providers.openai]\napi_key = "k"\nbase_url = "http://gateway.example/v1"\n'
PLACE = "providers.openai.models[0]"


@pytest.mark.parametrize(
    ("costs", "place", "words"),
    [
        ("cost_per_input = -1, cost_per_output = 1", "cost_per_input", "0 or more; got -1"),
        ("cost_per_input = nan, cost_per_output = 1", "cost_per_input", "USD per million tokens, 0 or more"),
        ("cost_per_input = inf, cost_per_output = 1", "cost_per_input", "USD per million tokens, 0 or more"),
        ("cost_per_input = '2 EUR', cost_per_output = 1", "cost_per_input", "got a string"),
        ("cost_per_input = true, cost_per_output = 1", "cost_per_input", "USD per million tokens"),
        ("cost_per_input = 1", "cost_per_output", "is missing beside cost_per_input"),
        ("cost_per_output = 1", "cost_per_input", "is missing beside cost_per_output"),
        ("cost_per_cache_read = 1", "cost_per_input", "is missing beside cost_per_cache_read"),
        ("cost_per_tool_call = { web_search = 1 }", "cost_per_input", "is missing beside cost_per_tool_call"),
        (
            "cost_tiers = [{ above_tokens = 1, input = 1, output = 1 }]",
            "cost_per_input",
            "is missing beside cost_tiers",
        ),
        ("service_costs = { flex = { input = 1, output = 1 } }", "cost_per_input", "is missing beside service_costs"),
        (
            "cost_per_input = 1, cost_per_output = 1, cost_tiers = [{ above_tokens = 5, input = 1 }]",
            "cost_tiers[0]",
            "has no 'output'",
        ),
        (
            "cost_per_input = 1, cost_per_output = 1, cost_tiers = [{ input = 1, output = 1 }]",
            "cost_tiers[0]",
            "has no 'above_tokens'",
        ),
        (
            "cost_per_input = 1, cost_per_output = 1, cost_tiers = [{ above_tokens = 5, input = -2, output = 1 }]",
            "cost_tiers[0].input",
            "0 or more; got -2",
        ),
        (
            "cost_per_input = 1, cost_per_output = 1, cost_tiers = [{ above_tokens = 5, input = 1, output = 1 }, "
            "{ above_tokens = 5, input = 1, output = 1 }]",
            "cost_tiers[1].above_tokens",
            "is 5, not more than the 5 of the tier before it; write the tiers in order",
        ),
        (
            "cost_per_input = 1, cost_per_output = 1, service_costs = { flex = { input = 1, output = 1, tiers = ["
            "{ above_tokens = 9, input = 1, output = 1 }, { above_tokens = 5, input = 1, output = 1 }] } }",
            "service_costs.flex.tiers[1].above_tokens",
            "write the tiers in order",
        ),
        (
            "cost_per_input = 1, cost_per_output = 1, service_costs = { default = { input = 1, output = 1 } }",
            "service_costs.default",
            "is the usual service",
        ),
        (
            "cost_per_input = 1, cost_per_output = 1, service_costs = { flex = { output = 1 } }",
            "service_costs.flex",
            "has no 'input'",
        ),
        (
            "cost_per_input = 1, cost_per_output = 1, cost_per_tool_call = { web_search = -1 }",
            "cost_per_tool_call.web_search",
            "an amount of USD, 0 or more; got -1",
        ),
        (
            "cost_per_input = 1, cost_per_output = 1, cost_per_tool_call = { ' x' = 1 }",
            'cost_per_tool_call." x"',
            "1 to 40 characters",
        ),
        ("cost_area = 'eu'", "cost_area", "this entry is of type openai"),
        ("cost_per_inptu = 1", "cost_per_inptu", "cost_per_input"),
    ],
)
def test_each_mistake_is_one_error_with_its_field_and_line(costs: str, place: str, words: str) -> None:
    text = f"{HEAD}models = [{{ name = 'm', {costs} }}]\n"
    problems = check_text(text, file="llm.toml", environ={}, base=Path()).problems
    (error,) = [problem for problem in problems if problem.severity == "error"]
    assert error.path == (f"{PLACE}.{place}" if place else PLACE)
    assert error.line == 4
    assert words in error.message


def test_the_catalogue_has_the_other_half_of_a_price() -> None:
    text = "[providers.openai]\napi_key = 'k'\nmodels = [{ name = 'gpt-5.4', cost_per_input = 1 }]\n"
    assert check_text(text, file="llm.toml", environ={}, base=Path()).problems == ()


def test_an_area_without_prices_is_warned_of() -> None:
    text = (
        "[providers.azure]\napi_key = 'k'\nbase_url = 'https://r.openai.azure.com'\n"
        "models = [{ name = 'prod', base = 'gpt-6-sol', cost_area = 'mars' }]\n"
    )
    (warning,) = check_text(text, file="llm.toml", environ={}, base=Path()).problems
    assert (warning.severity, warning.path) == ("warning", "providers.azure.models[0].cost_area")


def test_the_example_of_the_documentation_is_good_and_has_every_cost() -> None:
    text = (Path(__file__).parents[2] / "docs" / "prices.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    checked = check_text(example, file="llm.toml", environ={"OPENAI_API_KEY": "k"}, base=Path())
    assert checked.problems == ()
    costs = {field for field in ModelConfig.__struct_fields__ if "cost" in field}
    assert {cost for cost in costs if cost not in example} == {"cost_area"}
    assert costs <= set(re.findall(r"\w+", text))
