"""Own the rules about what models cost, as one provider entry tells it: whole prices, in order, that mean something.

What a single key may hold (no negative number, no string, no NaN) the walk along the schema has seen to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from manus.config.costs import priced
from manus.config.model_cards import known_card
from manus.config.price_schema import CostTier
from manus.config.problems import Problem, child_path
from manus.config.provider_places import base_url_of, type_of
from manus.config.schema import ModelConfig, ProviderConfig
from manus.messages.policy import STANDARD_TIERS

AREA_TYPES: Final = ("azure", "bedrock")
"""Types whose vendors have a price by area."""

_COSTS: Final = tuple(field for field in ModelConfig.__struct_fields__ if field.startswith("cost_per_"))


def prices_are_whole(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """A price of which half is missing is no price, unless the catalogue has the other half."""
    kind = type_of(name, entry)
    for index, model in enumerate(entry.models):
        given = [key for key in _COSTS if getattr(model, key) not in (None, {})]
        given += [key for key in ("cost_tiers", "service_costs") if getattr(model, key)]
        if not given or kind is None:
            continue
        card = known_card(kind, base_url_of(kind, entry), model.name, base=model.base, area=model.cost_area)
        if not priced(card, model, kind, entry).price.known:
            missing = next(key for key in ("cost_per_input", "cost_per_output") if getattr(model, key) is None)
            yield Problem(
                path=f"models[{index}].{missing}",
                message=f"is missing beside {given[0]}, and the catalogue has no price of this model: what it costs "
                "would be unknown and never counted; add it (0 if it is free)",
            )


def cost_tiers_are_in_order(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """Each band begins where the one before it ends."""
    for index, model in enumerate(entry.models):
        path = f"models[{index}]"
        yield from _unordered(model.cost_tiers, f"{path}.cost_tiers")
        for service, costs in model.service_costs.items():
            yield from _unordered(costs.tiers, f"{child_path(f'{path}.service_costs', service)}.tiers")


def services_are_others(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """What the usual service costs has a place of its own."""
    for index, model in enumerate(entry.models):
        for service in model.service_costs:
            if service in STANDARD_TIERS:
                yield Problem(
                    path=child_path(f"models[{index}].service_costs", service),
                    message="is the usual service, whose costs are cost_per_input and cost_per_output",
                )


def tools_have_names(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """A tool is called something, and "*" is all others."""
    for index, model in enumerate(entry.models):
        for kind in model.cost_per_tool_call:
            if not kind or kind != kind.strip() or len(kind) > 40:
                yield Problem(
                    path=child_path(f"models[{index}].cost_per_tool_call", kind),
                    message='a kind of tool is 1 to 40 characters, as web_search; "*" is all others',
                )


def cost_areas_exist(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """An area is one of a vendor that has prices by area, and of which the catalogue has one."""
    kind = type_of(name, entry)
    for index, model in enumerate(entry.models):
        if model.cost_area is None or kind is None:
            continue
        path = f"models[{index}].cost_area"
        if kind not in AREA_TYPES:
            yield Problem(path=path, message=f"is for types {' and '.join(AREA_TYPES)}; this entry is of type {kind}")
            continue
        card = known_card(kind, base_url_of(kind, entry), model.name, base=model.base, area=model.cost_area)
        if not priced(card, model, kind, entry).price.known:
            yield Problem(
                path=path,
                severity="warning",
                message="is an area of which the catalogue has no price for this model, so what it costs is unknown; "
                "add cost_per_input and cost_per_output",
            )


def _unordered(tiers: Sequence[CostTier], path: str) -> Iterator[Problem]:
    for place in range(1, len(tiers)):
        before, here = tiers[place - 1].above_tokens, tiers[place].above_tokens
        if here <= before:
            yield Problem(
                path=f"{path}[{place}].above_tokens",
                message=f"is {here}, not more than the {before} of the tier before it; write the tiers in order",
            )
