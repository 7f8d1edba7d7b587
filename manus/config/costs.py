"""Own what a model costs: what is configured, over what the catalogue knows, over nothing, which is unknown.

`cost_per_input` with `cost_per_output` is a price of one's own: nothing of the catalogue's tokens is left in it. Less
than that is laid over the catalogue's price. What calls of tools cost stands beside the tokens, and is laid over the
catalogue's in either case: a discount on tokens is no word on searches.
"""

from __future__ import annotations

from typing import Final

import msgspec

from manus.config.model_cards import is_unbilled
from manus.config.price_schema import CostTier, ServiceCost
from manus.config.provider_places import base_url_of
from manus.config.schema import ModelConfig, ProviderConfig
from manus.messages.policy import ModelCard
from manus.messages.usage import FREE, Price, PriceTier, nano_usd

CONFIGURED: Final = "config"
"""The version of a price that was configured; over one of the catalogue, that one's version follows."""

_TOKENS: Final = {
    "input": "cost_per_input",
    "output": "cost_per_output",
    "cache_read": "cost_per_cache_read",
    "cache_write_short": "cost_per_cache_write",
    "cache_write_long": "cost_per_cache_write_long",
}
_SOUNDS: Final = {"audio_input": "cost_per_audio_input", "audio_output": "cost_per_audio_output"}


def priced(card: ModelCard, model: ModelConfig, kind: str, entry: ProviderConfig) -> ModelCard:
    """Give a card of the catalogue the prices that hold by the configuration."""
    tokens, sounds = _given(model, _TOKENS), _given(model, _SOUNDS)
    tiers = tuple(_tier(each) for each in model.cost_tiers)
    if not (tokens or sounds or tiers or _says_more(model)):
        free = is_unbilled(kind, base_url_of(kind, entry), model.name)
        return msgspec.structs.replace(card, price=FREE, service_prices={}) if free else card
    known = card.price
    beside = _beside(model, known)
    if ("input" in tokens and "output" in tokens) or not known.known:
        price = msgspec.structs.replace(Price(tiers=tiers, version=CONFIGURED), **tokens, **sounds, **beside)
        services: dict[str, Price] = {}
    elif tokens or tiers:
        # Bands and services of the catalogue would contradict the part that was configured, so none of them holds.
        version = f"{CONFIGURED} over {known.version}"
        price = msgspec.structs.replace(known, tiers=tiers, version=version, **tokens, **sounds, **beside)
        services = {}
    else:
        version = f"{CONFIGURED} over {known.version}"
        price = msgspec.structs.replace(known, version=version, **sounds, **beside)
        services = {
            name: msgspec.structs.replace(each, version=version, **sounds, **beside)
            for name, each in card.service_prices.items()
        }
    services |= {name: _service(each, price) for name, each in model.service_costs.items()}
    return msgspec.structs.replace(card, price=price, service_prices=services)


def _given(model: ModelConfig, keys: dict[str, str]) -> dict[str, int]:
    costs = {part: getattr(model, key) for part, key in keys.items()}
    return {part: nano_usd(cost) for part, cost in costs.items() if cost is not None}


def _says_more(model: ModelConfig) -> bool:
    return model.cost_per_request is not None or bool(model.cost_per_tool_call) or bool(model.service_costs)


def _beside(model: ModelConfig, known: Price) -> dict[str, int | dict[str, int]]:
    """Give what is charged by the call: what is configured over what is known."""
    tools = {kind: nano_usd(cost) for kind, cost in model.cost_per_tool_call.items()}
    given = model.cost_per_request
    per_request = known.per_request if given is None else nano_usd(given)
    return {"per_request": per_request, "tool_calls": {**known.tool_calls, **tools}}


def _service(costs: ServiceCost, price: Price) -> Price:
    """Make the price of a service; sounds and what is charged by the call cost what they cost otherwise."""
    return msgspec.structs.replace(
        price, tiers=tuple(_tier(each) for each in costs.tiers), version=CONFIGURED, **_rates(costs)
    )


def _tier(costs: CostTier) -> PriceTier:
    rates = {part: rate for part, rate in _rates(costs).items() if rate is not None}
    return PriceTier(above_tokens=costs.above_tokens, **rates)


def _rates(costs: CostTier | ServiceCost) -> dict[str, int | None]:
    given = {
        "input": costs.input,
        "output": costs.output,
        "cache_read": costs.cache_read,
        "cache_write_short": costs.cache_write,
        "cache_write_long": costs.cache_write_long,
    }
    return {part: None if cost is None else nano_usd(cost) for part, cost in given.items()}
