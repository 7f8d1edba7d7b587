"""Own the step from the limits and budgets of a configuration to the policy that accounting is handed.

They stand in five kinds of places (everything, a tag, a provider, one of its models, one of its keys), and mean the
same in each: `bounded_places` lists the places with the scopes that they hold for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from manus.config.limit_schema import BudgetsTable, LimitsTable
from manus.config.problems import child_path
from manus.config.provider_places import type_of
from manus.config.schema import LLMConfig, ModelConfig, ProviderConfig
from manus.messages.ids import deployment_id
from manus.messages.limits import AdmissionPolicy, BudgetRule, LimitRule, Scope, TokenCounting
from manus.messages.usage import nano_usd

HOUR_S: Final = 3600.0

FingerprintOf = Callable[[str], str]
"""Gives the name under which the books know a key."""

TYPE_COUNTING: Final[dict[str, TokenCounting]] = {
    # openai.md section 5: a 429 tells what was "requested", cap included; azure.md section 5 says the same outright.
    "openai": TokenCounting(asked=True),
    "azure": TokenCounting(asked=True),
    # anthropic.md section 6: cache reads do not count for most models, and `max_tokens` not before it is used.
    "anthropic": TokenCounting(cache_reads=False),
}
"""How the vendors count tokens against limits per minute; whoever is not here counts what was used."""

_BURNS: Final = re.compile(r"anthropic\.claude-(?!3-(?!7)|v\d|instant)")
"""Models on Bedrock whose answers count five times: Claude from 3.7 on (bedrock.md section 4, read 2026-11)."""

_BURNT: Final = TokenCounting(output_weight=5)

_FLOWS: Final = (
    "requests_per_minute",
    "tokens_per_minute",
    "input_tokens_per_minute",
    "output_tokens_per_minute",
    "concurrency",
)


class BoundedPlace(msgspec.Struct, frozen=True, kw_only=True):
    """One place of the configuration where bounds may stand.

    Args:
        limits_path, budgets_path: where the two tables are.
        scopes: whom they hold for; a model has a deployment per key, and each has the bounds to itself.
        provider: the entry's name, where it is one's.
        model: the model's name, where it is one's.
    """

    limits: LimitsTable
    budgets: BudgetsTable
    limits_path: str
    budgets_path: str
    scopes: tuple[Scope, ...]
    counting: TokenCounting = TokenCounting()
    provider: str | None = None
    model: str | None = None


def admission_policy(config: LLMConfig, fingerprint_of: FingerprintOf) -> AdmissionPolicy:
    """Say what is admitted: every limit and budget of the configuration, those of entries that are switched off aside.

    Args:
        config: the configuration, checked.
        fingerprint_of: gives the name of a key in the books.
    """
    places = [place for place in bounded_places(config, fingerprint_of) if is_in_use(place, config)]
    budgets = config.budgets
    return AdmissionPolicy(
        limits=(*_seeds_limit(config), *(rule for place in places for rule in _limit_rules(place))),
        budgets=(*seeds_budget(config), *(rule for place in places for rule in budget_rules(place))),
        usd_per_request=None if budgets.usd_per_request is None else nano_usd(budgets.usd_per_request),
        on_unknown_price=budgets.on_unknown_price,
        learn=config.limits.learn,
        waiting_max=config.limits.waiting_max,
        warn_at=tuple(sorted(set(budgets.warn_at))),
        refresh_s=budgets.refresh_s,
    )


def bounded_places(config: LLMConfig, fingerprint_of: FingerprintOf) -> Iterator[BoundedPlace]:
    """List every place where bounds may stand, whether some do or not: from the widest to the narrowest."""
    yield BoundedPlace(
        limits=config.limits,
        budgets=config.budgets,
        limits_path="limits",
        budgets_path="budgets",
        scopes=(Scope(),),
    )
    for tag in dict.fromkeys((*config.limits.tags, *config.budgets.tags)):
        yield BoundedPlace(
            limits=config.limits.tags.get(tag, LimitsTable()),
            budgets=config.budgets.tags.get(tag, BudgetsTable()),
            limits_path=child_path("limits.tags", tag),
            budgets_path=child_path("budgets.tags", tag),
            scopes=(Scope(kind="tag", name=tag),),
        )
    for name, entry in config.providers.items():
        yield from _places_of_entry(name, entry, fingerprint_of)


def is_in_use(place: BoundedPlace, config: LLMConfig) -> bool:
    """Tell whether somebody may be asked there."""
    return place.provider is None or config.providers[place.provider].enabled


def budget_rules(place: BoundedPlace) -> Iterator[BudgetRule]:
    """Give the budgets of one place; `tokens_per_day` of its limits is one of them."""
    table, path = place.budgets, place.budgets_path
    for scope in place.scopes:
        if place.limits.tokens_per_day is not None and place.limits.tokens_per_day != table.tokens_per_day:
            source = f"{place.limits_path}.tokens_per_day"
            yield BudgetRule(amount=place.limits.tokens_per_day, unit="tokens", scope=scope, source=source)
        if table.usd_per_day is not None:
            yield BudgetRule(amount=nano_usd(table.usd_per_day), scope=scope, source=f"{path}.usd_per_day")
        if table.usd_per_month is not None:
            amount = nano_usd(table.usd_per_month)
            yield BudgetRule(amount=amount, period="month", scope=scope, source=f"{path}.usd_per_month")
        if table.tokens_per_day is not None:
            source = f"{path}.tokens_per_day"
            yield BudgetRule(amount=table.tokens_per_day, unit="tokens", scope=scope, source=source)
        if table.tokens_per_month is not None:
            source = f"{path}.tokens_per_month"
            yield BudgetRule(amount=table.tokens_per_month, unit="tokens", period="month", scope=scope, source=source)
        yield from _rolling_rules(table, path, scope)


def _rolling_rules(table: BudgetsTable, path: str, scope: Scope) -> Iterator[BudgetRule]:
    for index, each in enumerate(table.rolling):
        place, window_s = f"{path}.rolling[{index}]", each.hours * HOUR_S
        if each.usd is not None:
            amount = nano_usd(each.usd)
            yield BudgetRule(amount=amount, period="rolling", window_s=window_s, scope=scope, source=f"{place}.usd")
        if each.tokens is not None:
            yield BudgetRule(
                amount=each.tokens,
                unit="tokens",
                period="rolling",
                window_s=window_s,
                scope=scope,
                source=f"{place}.tokens",
            )


def _limit_rules(place: BoundedPlace) -> Iterator[LimitRule]:
    flows = {field: getattr(place.limits, field) for field in _FLOWS}
    if any(bound is not None for bound in flows.values()):
        for scope in place.scopes:
            yield LimitRule(scope=scope, source=place.limits_path, counting=place.counting, **flows)


def _seeds_limit(config: LLMConfig) -> Iterator[LimitRule]:
    if config.global_rate_limit_rpm and config.limits.requests_per_minute is None:
        yield LimitRule(source="general.global_rate_limit_rpm", requests_per_minute=config.global_rate_limit_rpm)


def seeds_budget(config: LLMConfig) -> Iterator[BudgetRule]:
    """Give the budget of `general.global_token_limit_daily`, where no other key says the same."""
    tokens = config.global_token_limit_daily
    if tokens and tokens not in (config.limits.tokens_per_day, config.budgets.tokens_per_day):
        yield BudgetRule(amount=tokens, unit="tokens", source="general.global_token_limit_daily")


def _places_of_entry(name: str, entry: ProviderConfig, fingerprint_of: FingerprintOf) -> Iterator[BoundedPlace]:
    path = child_path("providers", name)
    kind = type_of(name, entry)
    counting = TYPE_COUNTING.get(kind or "", TokenCounting())
    keys = [fingerprint_of(each.key.reveal()) for each in entry.api_keys]
    yield BoundedPlace(
        limits=entry.limits,
        budgets=entry.budgets,
        limits_path=f"{path}.limits",
        budgets_path=f"{path}.budgets",
        scopes=(Scope(kind="provider", name=name),),
        counting=counting,
        provider=name,
    )
    for index, (key, fingerprint) in enumerate(zip(entry.api_keys, keys, strict=True)):
        yield BoundedPlace(
            limits=key.limits,
            budgets=key.budgets,
            limits_path=f"{path}.api_keys[{index}].limits",
            budgets_path=f"{path}.api_keys[{index}].budgets",
            scopes=(Scope(kind="key", name=f"{name}#{fingerprint}"),),
            counting=counting,
            provider=name,
        )
    for index, model in enumerate(entry.models):
        yield BoundedPlace(
            limits=model.limits,
            budgets=model.budgets,
            limits_path=f"{path}.models[{index}].limits",
            budgets_path=f"{path}.models[{index}].budgets",
            scopes=_deployments(name, model.name, keys),
            counting=_BURNT if kind == "bedrock" and _burns(model) else counting,
            provider=name,
            model=model.name,
        )


def _deployments(provider: str, model: str, keys: list[str]) -> tuple[Scope, ...]:
    """Name the deployments of a model as the router does: one per key, where there are several."""
    names = [deployment_id(provider, model)] if len(keys) < 2 else [deployment_id(provider, model, key) for key in keys]
    return tuple(Scope(kind="deployment", name=name) for name in names)


def _burns(model: ModelConfig) -> bool:
    return _BURNS.search(model.base or model.name) is not None
