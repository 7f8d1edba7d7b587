"""Own the rules that no single key can break: what the tables of one configuration say about each other.

Each rule is a small generator of problems over the whole configuration; `RULES` is all of them. Those about where
requests go are in `routing_rules`, those about limits and budgets in `limit_rules`; what one provider entry must hold
by itself is in `provider_rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from manus.config import conversation_rules, limit_rules, routing_rules
from manus.config.problems import Problem, child_path
from manus.config.schema import LLMConfig

Rule = Callable[[LLMConfig], Iterator[Problem]]


def some_provider_is_enabled(config: LLMConfig) -> Iterator[Problem]:
    """Without a provider there is nobody to ask."""
    if not config.providers:
        yield Problem(path="providers", message="no provider is configured; add a table [providers.NAME]")
    elif not any(entry.enabled for entry in config.providers.values()):
        yield Problem(path="providers", message="every provider has enabled = false; enable one of them")


def waits_end_before_their_whole(config: LLMConfig) -> Iterator[Problem]:
    """A wait longer than the one around it can never run out."""
    tables = {"timeouts": config.timeouts} | {
        f"providers.{name}.timeouts": entry.timeouts for name, entry in config.providers.items()
    }
    for path, table in tables.items():
        total_s = table.total_s or config.timeouts.total_s
        for field in (
            "connect_s",
            "tls_s",
            "write_s",
            "headers_s",
            "answer_s",
            "first_content_s",
            "idle_s",
            "finish_s",
        ):
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


def ledger_path_names_a_file(config: LLMConfig) -> Iterator[Problem]:
    """An empty path is the directory of the configuration, which is no file."""
    path = config.ledger.path
    if path is not None and (not path.strip() or path.endswith(("/", "/.", "/..")) or path in (".", "..")):
        message = "names no file; name one, write ':memory:', or leave it out for the user's state directory"
        yield Problem(path="ledger.path", message=message)


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
    routing_rules.default_provider_exists,
    routing_rules.fallback_providers_exist,
    routing_rules.fallback_order_has_no_cycle,
    routing_rules.policy_fallbacks_exist,
    routing_rules.model_fallbacks_exist,
    routing_rules.model_fallbacks_have_no_cycle,
    routing_rules.weights_can_be_shared_out,
    waits_end_before_their_whole,
    retry_waits_are_ordered,
    routing_rules.breakers_can_work,
    routing_rules.hedging_can_happen,
    *limit_rules.RULES,
    ledger_path_names_a_file,
    conversation_rules.conversations_path_names_a_file,
    conversation_rules.a_conversation_fits_among_all,
    provider_names_differ_by_more_than_case,
)
