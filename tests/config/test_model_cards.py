"""What is known of a model at an entry, and what its configuration makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from manus.config.model_cards import CardFinder, known_card
from manus.config.policies import model_card
from manus.config.schema import ModelConfig, ProviderConfig
from manus.messages.policy import ModelCard
from manus.messages.usage import FREE, UNKNOWN_PRICE, Price, nano_usd

OPENAI = ProviderConfig(type="openai")


def card(name: str, kind: str = "openai", entry: ProviderConfig = OPENAI, **given: Any) -> ModelCard:
    return model_card(ModelConfig(name=name, **given), kind, entry)


def test_a_model_without_costs_has_the_catalogues_facts() -> None:
    made = card("gpt-4o-mini")
    assert made.price.input == nano_usd("0.15")
    assert made.price.version.startswith("catalogue ")
    assert (made.context_tokens, made.max_output_tokens) == (128_000, 16_384)
    assert made.vision is True
    assert made.reasoning is False
    assert made.as_of is not None


def test_what_is_configured_wins_field_by_field() -> None:
    made = card("gpt-4o-mini", vision=False, context_length=1_000, efforts=["low"])
    assert made.vision is False
    assert made.context_tokens == 1_000
    assert made.efforts == ("low",)
    assert made.max_output_tokens == 16_384
    assert made.price.input == nano_usd("0.15")


def test_a_configured_price_stands_alone() -> None:
    made = card("gpt-5.4", cost_per_input=1, cost_per_output=2)
    known = known_card("openai", "https://api.openai.com/v1", "gpt-5.4").price
    assert made.price == Price(input=nano_usd(1), output=nano_usd(2), tool_calls=known.tool_calls, version="config")
    assert made.service_prices == {}


def test_parts_of_a_price_are_configured_over_the_catalogues() -> None:
    made = card("gpt-5.4", cost_per_cache_read=0.01)
    assert (made.price.input, made.price.output) == (nano_usd("2.5"), nano_usd(15))
    assert made.price.cache_read == nano_usd("0.01")
    assert made.price.tiers == ()
    assert made.price.version.startswith("config over catalogue ")


def test_a_model_nobody_knows_is_allowed_and_its_price_is_unknown() -> None:
    made = card("our-own-model", entry=ProviderConfig(type="openai", base_url="http://gateway.example/v1"))
    assert made == ModelCard(name="our-own-model")
    assert made.price == UNKNOWN_PRICE


def test_half_a_price_of_an_unknown_model_is_no_price() -> None:
    made = card("our-own-model", cost_per_input=1)
    assert not made.price.known


def test_a_familiar_name_at_a_strange_host_is_not_believed() -> None:
    assert known_card("openai", "http://gateway.example/v1", "gpt-4o") == ModelCard(name="gpt-4o")


def test_the_limits_of_an_api_hold_for_models_that_are_not_listed() -> None:
    assert known_card("anthropic", None, "claude-9").image_bytes_max == 3_932_160
    assert known_card("bedrock", None, "acme.model-1").images_max == 20


def test_a_deployment_without_a_base_has_abilities_and_no_price() -> None:
    blind = known_card("azure", "https://acme.openai.azure.com", "gpt-5.4-mini")
    assert blind.tools is True
    assert blind.price == UNKNOWN_PRICE
    told = known_card("azure", "https://acme.openai.azure.com", "production", base="gpt-5.4-mini")
    assert told.price.input == nano_usd("0.75")
    assert (told.name, told.vendor_name) == ("production", "gpt-5.4-mini")


def test_a_profile_of_ones_own_is_known_by_its_base() -> None:
    arn = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/a1b2"
    assert known_card("bedrock", None, arn).price == UNKNOWN_PRICE
    told = known_card("bedrock", None, arn, base="global.anthropic.claude-opus-5-5")
    assert told.price.input == nano_usd(4)


def test_another_service_tier_has_its_own_price_or_none() -> None:
    made = card("gpt-4o")
    assert made.price_at(None) == made.price_at("default") == made.price
    assert made.price_at("priority").input == nano_usd("4.25")
    assert made.price_at("scale") == UNKNOWN_PRICE
    assert card("gpt-4o", cost_per_input=1, cost_per_output=2).price_at("scale").input == nano_usd(1)
    assert ModelCard(name="m", price=FREE).price_at("priority") == FREE


@pytest.mark.parametrize(
    ("base_url", "name", "price"),
    [
        ("http://127.0.0.1:11434", "llama3", FREE),
        ("http://127.0.0.1:11434", "gpt-oss:120b-cloud", UNKNOWN_PRICE),
        ("http://elsewhere.example:11434", "llama3", UNKNOWN_PRICE),
    ],
)
def test_a_model_that_is_not_listed_is_described_by_name(base_url: str, name: str, price: Price) -> None:
    assert CardFinder(kind="ollama", base_url=base_url)(name).price == price


def test_a_model_without_an_effort_field_is_told_from_one_of_which_nothing_is_known() -> None:
    assert card("gpt-4o").efforts == ()
    assert card("gpt-9").efforts is None


def test_the_model_that_comes_along_is_known_to_be_small_and_for_text_alone() -> None:
    card = known_card("local", None, "smollm2-135m-instruct")
    assert (card.name, card.tier, card.vision, card.tools) == ("smollm2-135m-instruct", 1, False, None)
    assert known_card("local", None, "mine", base="smollm2-135m-instruct").tier == 1
    assert known_card("local", None, "mine").tier is None
    assert known_card("ollama", "http://127.0.0.1:11434", "smollm2-135m-instruct").tier is None
