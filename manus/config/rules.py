"""Own the rules that no single key can break: what the tables of one configuration say about each other.

Each rule is a small generator of problems over the whole configuration; `RULES` is all of them. What one provider
entry must hold by itself is in `provider_rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from manus.config.did_you_mean import listing, suggestion
from manus.config.problems import Problem, child_path
from manus.config.provider_places import TYPES
from manus.config.schema import BudgetsConfig, IpcConfig, LimitsConfig, LLMConfig, RoutingStrategy

STRATEGIES_WIRED: Final = frozenset({RoutingStrategy.PRIORITY})
"""What the router of this version acts on."""

Rule = Callable[[LLMConfig], Iterator[Problem]]


def some_provider_is_enabled(config: LLMConfig) -> Iterator[Problem]:
    """Without a provider there is nobody to ask."""
    if not config.providers:
        yield Problem(path="providers", message="no provider is configured; add a table [providers.NAME]")
    elif not any(entry.enabled for entry in config.providers.values()):
        yield Problem(path="providers", message="every provider has enabled = false; enable one of them")


def default_provider_exists(config: LLMConfig) -> Iterator[Problem]:
    """The first choice must be an enabled entry."""
    name = config.default_provider
    if name is not None:
        yield from _names_an_entry(config, name, "general.default_provider", disabled="error")


def fallback_providers_exist(config: LLMConfig) -> Iterator[Problem]:
    """Fallbacks must be entries; one that is switched off, or a type that has no entry, is skipped, and said so."""
    for index, name in enumerate(config.fallback_providers or ()):
        if name in TYPES and name not in config.providers:
            message = f"names {name}, which is not configured and so is never asked; add [providers.{name}]"
            yield Problem(path=f"general.fallback_providers[{index}]", message=message, severity="warning")
            continue
        yield from _names_an_entry(config, name, f"general.fallback_providers[{index}]", disabled="warning")


def fallback_order_has_no_cycle(config: LLMConfig) -> Iterator[Problem]:
    """Nobody is asked twice: not the first choice again, not a fallback again."""
    seen = {config.default_provider}
    for index, name in enumerate(config.fallback_providers or ()):
        if name in seen:
            which = "the default provider itself" if name == config.default_provider else "named before in this list"
            yield Problem(
                path=f"general.fallback_providers[{index}]",
                message=f"is {which}; a provider is asked once per request, so remove it",
            )
        seen.add(name)


def waits_end_before_their_whole(config: LLMConfig) -> Iterator[Problem]:
    """A wait longer than the one around it can never run out."""
    tables = {"timeouts": config.timeouts} | {
        f"providers.{name}.timeouts": entry.timeouts for name, entry in config.providers.items()
    }
    for path, table in tables.items():
        total_s = table.total_s or config.timeouts.total_s
        for field in ("connect_s", "tls_s", "write_s", "headers_s", "answer_s", "first_content_s", "idle_s"):
            wait_s = getattr(table, field)
            if total_s is not None and wait_s is not None and wait_s > total_s:
                yield Problem(
                    path=f"{path}.{field}",
                    severity="warning",
                    message=f"is {wait_s:g} s, longer than total_s = {total_s:g} s, so it can never run out",
                )


def retry_waits_are_ordered(config: LLMConfig) -> Iterator[Problem]:
    """A back-off grows."""
    if config.retry.base_s > config.retry.max_s:
        yield Problem(
            path="retry.base_s",
            message=f"is {config.retry.base_s:g} s, more than max_s = {config.retry.max_s:g} s; make it smaller",
        )


def what_is_not_enforced_is_said(config: LLMConfig) -> Iterator[Problem]:
    """A limit that is accepted and not enforced would be a lie if nobody said so."""
    strategy = config.routing_strategy
    if strategy not in STRATEGIES_WIRED:
        yield _not_yet("general.routing_strategy", "is accepted, but this version routes by 'priority' only")
    for field in ("global_rate_limit_rpm", "global_token_limit_daily"):
        if getattr(config, field):
            yield _not_yet(f"general.{field}", "is accepted, but not enforced by this version")
    for field in config.ipc.__struct_fields__:
        if getattr(config.ipc, field) != getattr(IpcConfig(), field):
            yield _not_yet(f"ipc.{field}", "is accepted, but this version has no `manus serve` that could act on it")
    for path, table, default in (
        ("limits", config.limits, LimitsConfig()),
        ("budgets", config.budgets, BudgetsConfig()),
    ):
        for field in table.__struct_fields__:
            if field.startswith(("requests_", "tokens_", "usd_")) and getattr(table, field) != getattr(default, field):
                yield _not_yet(f"{path}.{field}", "is accepted, but not enforced by this version")


def limits_do_not_contradict(config: LLMConfig) -> Iterator[Problem]:
    """The seed's keys and `[limits]` may both stand there, if they agree."""
    for general, limit in (
        ("global_rate_limit_rpm", "requests_per_minute"),
        ("global_token_limit_daily", "tokens_per_day"),
    ):
        ours, theirs = getattr(config, general), getattr(config.limits, limit)
        if ours and theirs and ours != theirs:
            yield Problem(path=f"limits.{limit}", message=f"contradicts general.{general}; keep one of the two")


def provider_names_differ_by_more_than_case(config: LLMConfig) -> Iterator[Problem]:
    """Names that look alike are told apart by nobody."""
    seen: set[str] = set()
    for name in config.providers:
        if name.casefold() in seen:
            place = child_path("providers", name)
            yield Problem(path=place, message="another provider's name differs from it only in case; rename one")
        seen.add(name.casefold())


RULES: Final[tuple[Rule, ...]] = (
    some_provider_is_enabled,
    default_provider_exists,
    fallback_providers_exist,
    fallback_order_has_no_cycle,
    waits_end_before_their_whole,
    retry_waits_are_ordered,
    limits_do_not_contradict,
    provider_names_differ_by_more_than_case,
    what_is_not_enforced_is_said,
)


def _names_an_entry(config: LLMConfig, name: str, path: str, *, disabled: str) -> Iterator[Problem]:
    entry = config.providers.get(name)
    if entry is None:
        known = listing(config.providers)
        yield Problem(path=path, message=f"names no provider; there is {known}{suggestion(name, config.providers)}")
    elif not entry.enabled:
        problem = Problem(path=path, message=f"names {name}, which has enabled = false; enable it or name another")
        yield problem if disabled == "error" else msgspec.structs.replace(problem, severity="warning")


def _not_yet(path: str, message: str) -> Problem:
    return Problem(path=path, message=message, severity="warning")
