"""Own the step from a configuration to the values actors are handed; behind it nobody knows there was a file."""

from __future__ import annotations

import os.path
from pathlib import Path
from typing import Final

import msgspec

from manus.config.costs import priced
from manus.config.model_cards import CardFinder, known_card
from manus.config.provider_places import base_url_of, type_of
from manus.config.schema import LLMConfig, ModelConfig, ProviderConfig, TimeoutsConfig
from manus.messages.conversations import ConversationPolicy
from manus.messages.policy import LedgerPolicy, LocalPolicy, ModelCard, ProviderPolicy, Timeouts
from manus.messages.requests import OnUnsupported
from manus.messages.routing_policy import HealthPolicy, HedgePolicy, RetryPolicy, RouterPolicy

IN_MEMORY: Final = ":memory:"
"""The ledger path that means books which end with the process, spelt as SQLite spells it."""

DAY_S: Final = 86_400.0

LEDGER_NAME: Final = "ledger.sqlite"

_SAME_FIELDS: Final = tuple(
    field
    for field in ModelConfig.__struct_fields__
    if field in ModelCard.__struct_fields__ and field not in ("efforts", "tags")
)
"""What a model's configuration and its card have under the same name; the configured value wins."""

TYPE_TIMEOUTS: Final[dict[str, Timeouts]] = {
    # Both load a model on demand before the first byte, from a disk that may be cold and large.
    "ollama": Timeouts(headers_s=300.0, first_content_s=300.0),
    "local": Timeouts(headers_s=300.0, first_content_s=300.0),
    # Thinking can be silent for minutes, and there is no sign of life meanwhile (bedrock.md section 4).
    "bedrock": Timeouts(first_content_s=300.0, idle_s=300.0),
}
"""Where a type needs more patience than the rest."""

TYPE_CONCURRENCY: Final = {
    "openai": 64,
    "anthropic": 64,
    "bedrock": 64,
    "azure": 64,
    "ollama": 8,
    "local": LocalPolicy().parallel,
}
"""Calls at once where the configuration does not say. A server on one's own machine computes only a few at a time."""


def provider_policies(config: LLMConfig) -> tuple[ProviderPolicy, ...]:
    """Describe every enabled entry, in the order of the file."""
    return tuple(
        provider_policy(name, entry, config.on_unsupported) for name, entry in config.providers.items() if entry.enabled
    )


def provider_policy(name: str, entry: ProviderConfig, on_unsupported: OnUnsupported = "drop") -> ProviderPolicy:
    """Describe one entry, without its credentials. The entry has passed the checks, so its type is known.

    `on_unsupported` is what `[general]` says, for an entry that says nothing.
    """
    kind = type_of(name, entry)
    assert kind is not None, "an enabled entry without a type does not pass the checks"
    return ProviderPolicy(
        name=name,
        type=kind,
        priority=entry.priority,
        models=tuple(model_card(model, kind, entry) for model in entry.models),
        any_model=not entry.models if entry.any_model is None else entry.any_model,
        describe=CardFinder(kind=kind, base_url=base_url_of(kind, entry)),
        on_unsupported=entry.on_unsupported or on_unsupported,
        weight=entry.weight,
        tags=tuple(entry.tags),
    )


def model_card(model: ModelConfig, kind: str, entry: ProviderConfig) -> ModelCard:
    """Describe one model: what its configuration says, field by field, over what the catalogue knows of it."""
    known = known_card(kind, base_url_of(kind, entry), model.name, base=model.base, area=model.cost_area)
    given = {field: getattr(model, field) for field in _SAME_FIELDS if getattr(model, field) is not None}
    card: ModelCard = msgspec.structs.replace(
        priced(known, model, kind, entry),
        context_tokens=model.context_length or _window_we_give(kind, entry) or known.context_tokens,
        prompt_tokens=None if model.context_length is not None else known.prompt_tokens,
        efforts=known.efforts if model.efforts is None else tuple(model.efforts),
        tags=tuple(model.tags),
        **given,
    )
    return card


def timeouts_of(name: str, config: LLMConfig) -> Timeouts:
    """Combine the waits on one entry: its own before `[timeouts]` before those of its type."""
    entry = config.providers[name]
    waits = TYPE_TIMEOUTS.get(type_of(name, entry) or "", Timeouts())
    return msgspec.structs.replace(waits, **{**_given(config.timeouts), **_given(entry.timeouts)})


def router_policy(config: LLMConfig) -> RouterPolicy:
    """Give the router's bounds and rules. A fallback that is not configured was warned of, and is nobody here."""
    fallback, routing = config.fallback_providers, config.routing
    return RouterPolicy(
        in_flight_max=config.limits.in_flight_max,
        batch_share=config.limits.batch_share,
        batch_waiting_max=config.limits.batch_waiting_max,
        stream_buffer=config.limits.stream_buffer,
        consumer_stall_s=config.timeouts.consumer_stall_s,
        timeout_s=config.timeouts.request_s,
        on_interrupt=routing.on_interrupt,
        on_cancel=routing.on_cancel,
        drain_s=routing.drain_s,
        drains_max=routing.drains_max,
        default_provider=config.default_provider,
        fallback_providers=None
        if fallback is None
        else tuple(each for each in fallback if _is_configured(each, config)),
        fallbacks={model: tuple(items) for model, items in routing.fallbacks.items()},
        policy_fallbacks=tuple(each for each in routing.content_policy_fallbacks if _is_configured(each, config)),
        strategy=config.routing_strategy.value,
        affinity_s=routing.affinity_s,
        retry=RetryPolicy(**msgspec.structs.asdict(config.retry)),
        health=HealthPolicy(**msgspec.structs.asdict(config.health)),
        hedge=HedgePolicy(**msgspec.structs.asdict(config.hedge)),
    )


def ledger_policy(config: LLMConfig, *, base: Path, state: Path | None) -> LedgerPolicy:
    """Say where the books are kept.

    Args:
        config: the configuration.
        base: where a relative path starts: the directory of the file.
        state: the user's state directory, for books whose place is not configured; None keeps those in memory.
    """
    path = config.ledger.path
    if path == IN_MEMORY:
        file = None
    elif path is not None:
        file = base / os.path.expanduser(path)  # unlike Path.expanduser, this never raises
    else:
        file = None if state is None else state / LEDGER_NAME
    return LedgerPolicy(
        path=None if file is None else str(file.absolute()),
        durability=config.ledger.durability,
        confirm_s=config.ledger.confirm_s,
        keep_days=config.ledger.keep_days,
    )


def conversation_policy(config: LLMConfig, *, base: Path) -> ConversationPolicy:
    """Say how conversations are kept; `base` is where a relative path starts."""
    table, path = config.conversations, config.conversations.path
    file = None if path is None or path == IN_MEMORY else base / os.path.expanduser(path)
    return ConversationPolicy(
        path=None if file is None else str(file.absolute()),
        conversations_max=table.conversations_max,
        bytes_max=table.bytes_max,
        conversation_bytes_max=table.conversation_bytes_max,
        idle_s=None if table.idle_days is None else table.idle_days * DAY_S,
        when_full=table.when_full,
        waiting_max=table.waiting_max,
        in_hand_max=table.in_hand_max,
        answer_tokens=table.answer_tokens,
        trim_to=table.trim_to,
        confirm_s=table.confirm_s,
    )


def local_policy(entry: ProviderConfig, *, base: Path) -> LocalPolicy:
    """Say how the model server of an entry of type `local` is run; `base` is where a relative model path starts."""
    usual = LocalPolicy()
    return LocalPolicy(
        command=entry.command,
        args=tuple(entry.args),
        health_path=entry.health_path or usual.health_path,
        api_path=usual.api_path if entry.api_path is None else entry.api_path,
        model_path=None if entry.model_path is None else str(base / os.path.expanduser(entry.model_path)),
        context_tokens=entry.context or usual.context_tokens,
        parallel=concurrency_of("local", entry),
        threads=entry.threads,
        start_timeout_s=entry.start_timeout_s or usual.start_timeout_s,
    )


def concurrency_of(kind: str, entry: ProviderConfig) -> int:
    """Say how many calls may be made at once; what is beyond waits with us, where it can still go elsewhere."""
    return entry.concurrency or TYPE_CONCURRENCY[kind]


def _is_configured(item: str, config: LLMConfig) -> bool:
    """Tell whether an item of a fallback list, `entry` or `entry/model`, names an entry that there is."""
    return item.partition("/")[0] in config.providers


def _window_we_give(kind: str, entry: ProviderConfig) -> int | None:
    """Tell the context window of a model whose server we start ourselves."""
    if kind == "local" and entry.command is None:
        return entry.context or LocalPolicy().context_tokens
    return entry.context if kind == "ollama" else None


def _given(waits: TimeoutsConfig) -> dict[str, float]:
    fields = TimeoutsConfig.__struct_fields__
    return {field: getattr(waits, field) for field in fields if getattr(waits, field) is not None}
