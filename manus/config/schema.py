"""Own the shape of the configuration file: its tables and keys, their types, units, bounds and defaults.

`LLMConfig` is the whole file; `[general]` stands flat in it, as programs write it:
`LLMConfig(default_provider="openai", providers={"openai": ProviderConfig(...)})`. The tables about routing are in
`routing_schema`, those about limits and budgets in `limit_schema`, chat memory in `conversation_schema`, `[ipc]` in
`ipc_schema`, what numbers may be in `units`, and rules across keys in `rules`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from manus.config.conversation_schema import ConversationsConfig
from manus.config.ipc_schema import IpcConfig
from manus.config.limit_schema import BudgetsConfig, BudgetsTable, LimitsConfig, LimitsTable
from manus.config.price_schema import CostTier, ServiceCost
from manus.config.routing_schema import HealthConfig, HedgeConfig, RetryConfig, RoutingConfig, RoutingStrategy
from manus.config.secrets import Secret
from manus.config.units import (
    Count,
    CountOrNone,
    Seconds,
    Section,
    Usd,
    UsdPerMillionTokens,
    Weight,
)
from manus.messages.requests import Effort, OnUnsupported

ProviderType = Literal["openai", "anthropic", "bedrock", "ollama", "azure", "local"]


class ModelConfig(Section, frozen=True, kw_only=True):
    """One model of a provider.

    Costs are USD per million tokens; a model without them has an unknown price, never a price of zero.
    `cost_per_cache_read` and `cost_per_cache_write` fall back to `cost_per_input`, `cost_per_cache_write_long` to
    `cost_per_cache_write`; sounds fall back to nothing. `cost_per_request` is USD per call, `cost_per_tool_call` USD
    per call of a tool that the vendor runs, by its kind (`web_search`; `*` is every other). `cost_tiers` are the costs
    of long prompts, `service_costs` those of other services by their names (`flex`); `cost_area` names the area whose
    prices hold where the name of the model does not say it (an Azure data zone: `us`, `eu`).
    Capabilities (`vision` to `images_max`) may be left out: unknown is permitted; each is told at
    `messages.policy.ModelCard`. `tier` is 1 (small) to 10 (frontier). `weight` is the model's share of its provider's
    traffic under the `weighted` strategy, `tags` are added to the provider's. `base` is the vendor's own model behind a
    name of one's own: of an Azure deployment, whose name is `name`, or of an inference profile. `limits` and `budgets`
    hold for this model at this provider, under each of its keys by itself.
    """

    name: str
    base: str | None = None
    cost_per_input: UsdPerMillionTokens | None = None
    cost_per_output: UsdPerMillionTokens | None = None
    cost_per_cache_read: UsdPerMillionTokens | None = None
    cost_per_cache_write: UsdPerMillionTokens | None = None
    cost_per_cache_write_long: UsdPerMillionTokens | None = None
    cost_per_audio_input: UsdPerMillionTokens | None = None
    cost_per_audio_output: UsdPerMillionTokens | None = None
    cost_per_request: Usd | None = None
    cost_per_tool_call: Mapping[str, Usd] = {}
    cost_tiers: Sequence[CostTier] = ()
    service_costs: Mapping[str, ServiceCost] = {}
    cost_area: str | None = None
    context_length: Count | None = None
    max_output_tokens: Count | None = None
    vision: bool | None = None
    documents: bool | None = None
    audio: bool | None = None
    tools: bool | None = None
    parallel_tools: bool | None = None
    forced_tools: bool | None = None
    json_schema: bool | None = None
    reasoning: bool | None = None
    efforts: Sequence[Effort] | None = None
    thinking_budget: bool | None = None
    thinking_off: bool | None = None
    streaming: bool | None = None
    sampling: bool | None = None
    seed: bool | None = None
    stop: bool | None = None
    penalties: bool | None = None
    logprobs: bool | None = None
    prefill: bool | None = None
    cache_control: bool | None = None
    responses_api: bool | None = None
    embeddings: bool | None = None
    image_bytes_max: Count | None = None
    images_max: Count | None = None
    tier: Annotated[int, Meta(ge=1, le=10, description="a whole number from 1 (small) to 10 (frontier)")] | None = None
    weight: Weight = 1.0
    tags: Sequence[str] = ()
    limits: LimitsTable = LimitsTable()
    budgets: BudgetsTable = BudgetsTable()


class TimeoutsConfig(Section, frozen=True, kw_only=True):
    """The named waits on a provider; what is left out comes from `[timeouts]`, then from the type's defaults."""

    connect_s: Seconds | None = None
    tls_s: Seconds | None = None
    write_s: Seconds | None = None
    headers_s: Seconds | None = None
    answer_s: Seconds | None = None
    first_content_s: Seconds | None = None
    idle_s: Seconds | None = None
    finish_s: Seconds | None = None
    total_s: Seconds | None = None


class GlobalTimeoutsConfig(TimeoutsConfig, frozen=True, kw_only=True):
    """`[timeouts]`: the waits of all providers, and those of a request as a whole.

    Args:
        request_s: a request's deadline over all attempts, where the caller names none.
        consumer_stall_s: how long a stream waits for a caller that does not read.
    """

    request_s: Seconds = 600.0
    consumer_stall_s: Seconds = 30.0


class WireConfig(Section, frozen=True, kw_only=True):
    """`[providers.NAME.wire]`: where a server that speaks a vendor's wire differs from that vendor.

    Args:
        api: which of OpenAI's two APIs is spoken, Chat Completions or Responses; `auto` goes by the model at OpenAI and
            Azure themselves, and is Chat Completions at any other server.
        max_tokens_field: how the bound of the answer is spelt; `auto` goes by the model's family.
        system_role: how system turns are labelled; `auto` goes by the model's family.
        include_usage: ask for usage in streams; off for servers that refuse `stream_options`.
        top_k: the server takes `top_k`.
        reasoning_field: where the server wants the model's earlier thinking back.
        truncate: let Ollama drop the oldest turns silently where the prompt is too long.
    """

    api: Literal["auto", "chat", "responses"] = "auto"
    max_tokens_field: Literal["auto", "max_completion_tokens", "max_tokens"] = "auto"
    system_role: Literal["auto", "system", "developer"] = "auto"
    include_usage: bool = True
    top_k: bool = False
    reasoning_field: Literal["reasoning_content", "reasoning"] | None = None
    truncate: bool = False


class EntraConfig(Section, frozen=True, kw_only=True):
    """`[providers.NAME.entra]`: who asks Microsoft Entra ID for tokens. `entra = true` is this table left empty.

    Args:
        tenant, client_id, client_secret: an application of one's own; all three, or none of them: then whoever the
            surroundings know, as the vendor's own tools find them (environment, managed identity, `az login`).
        scope: what the token is for.
        authority: the host that gives tokens, where it is not the public cloud's.
    """

    tenant: str | None = None
    client_id: str | None = None
    client_secret: Secret | None = None
    scope: str | None = None
    authority: str | None = None

    def __post_init__(self) -> None:
        """Hide a secret that a program passed as plain text."""
        msgspec.structs.force_setattr(self, "client_secret", _hidden(self.client_secret))


SECRET_FIELDS: Final = (
    "api_key",
    "api_keys",
    "auth_token",
    "headers",
    "proxy",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
)
"""The keys of a provider entry that hold secrets, besides those of its tables."""


class KeyConfig(Section, frozen=True, kw_only=True):
    """One of several keys of a provider. Keys without a weight of their own share the traffic evenly.

    Args:
        key: the secret; in a file `{ env = "NAME", weight = 2 }`, `{ file = "PATH", ... }` or `{ key = "...", ... }`.
        weight: its share of the provider's traffic under the `weighted` strategy; 0 is used after the others.
        tags: labels in addition to the provider's.
        limits, budgets: what may be used under this key.
    """

    key: Secret
    weight: Weight = 1.0
    tags: Sequence[str] = ()
    limits: LimitsTable = LimitsTable()
    budgets: BudgetsTable = BudgetsTable()

    def __post_init__(self) -> None:
        """Hide a key that a program passed as plain text."""
        msgspec.structs.force_setattr(self, "key", _hidden(self.key))


class ProviderConfig(Section, frozen=True, kw_only=True):
    """One `[providers.NAME]`.

    Args:
        type: which wire it speaks; left out where NAME itself is a type.
        priority: lower is asked first.
        api_key: text, `${VARIABLE}`, or a table `{ env = "NAME" }` or `{ file = "PATH" }`.
        api_keys: several of them, each of which may also say `weight` and `tags`.
        key_order: whether several keys are used in turn, or the first one for as long as it lives.
        auth_token: of `anthropic` and `azure`: a bearer token in place of a key, for as long as it lasts.
        base_url: where the API lives, up to and without the endpoint's own path.
        betas: of `anthropic`: features that are asked for by name in `anthropic-beta`.
        region: of `bedrock`: the AWS region.
        profile: of `bedrock`: the profile of the AWS configuration files to take credentials and region from.
        aws_access_key_id, aws_secret_access_key, aws_session_token: of `bedrock`: keys of one's own. Without these,
            without `api_key` and without `profile`, credentials are found as the AWS tools find them.
        api_version: of `azure`: the version of the classic API; left out, the v1 API is spoken.
        entra: of `azure`: tokens of Microsoft Entra ID in place of a key: `true`, or a table.
        headers: sent with every request; treated as secrets.
        any_model: whether models that are not listed may be asked for; default: only where none is listed.
        on_unsupported: what is done with a parameter that a model rejects; left out, what `[general]` says.
        weight: share of the traffic under the `weighted` strategy; 0 is asked only after everybody else.
        tags: labels that a request may ask for (`criteria.tags`).
        limits, budgets: what may be used at this provider.
        concurrency: calls at once; more wait in the mailbox.
        proxy: URL of an HTTP proxy, may carry credentials.
        verify: false accepts any TLS certificate; for test servers only.
        ca_file: certificates to trust in place of the usual ones, relative to the configuration file.
        context: the context window in tokens to ask a local server or Ollama for.
        wire: peculiarities of the server.
        command, args, health_path, api_path: of `type = "local"`: the server to run in place of the embedded one. In
            `args`, `{port}` and `{model}` stand for the port and the model's path. It is ready when `health_path`
            answers 200, and speaks the OpenAI API from `api_path` on.
        model_path: of `type = "local"`: the model file in place of the embedded one, relative to the configuration.
        threads: of `type = "local"`: how many the embedded server computes with; left out, one per CPU but one.
        start_timeout_s: of `type = "local"`: how long the server may take until it answers.
    """

    type: ProviderType | None = None
    enabled: bool = True
    priority: Annotated[int, Meta(ge=-(10**6), le=10**6, description="a whole number; lower is asked first")] = 100
    api_key: Secret | None = None
    api_keys: Sequence[KeyConfig] = ()
    key_order: Literal["round_robin", "sticky"] = "round_robin"
    auth_token: Secret | None = None
    base_url: str | None = None
    betas: Sequence[str] = ()
    region: str | None = None
    profile: str | None = None
    aws_access_key_id: Secret | None = None
    aws_secret_access_key: Secret | None = None
    aws_session_token: Secret | None = None
    api_version: str | None = None
    entra: bool | EntraConfig = False
    organization: str | None = None
    project: str | None = None
    headers: Mapping[str, Secret] = {}
    models: Sequence[ModelConfig] = ()
    any_model: bool | None = None
    on_unsupported: OnUnsupported | None = None
    timeouts: TimeoutsConfig = TimeoutsConfig()
    wire: WireConfig = WireConfig()
    limits: LimitsTable = LimitsTable()
    budgets: BudgetsTable = BudgetsTable()
    concurrency: Annotated[int, Meta(ge=1, le=10_000, description="a whole number from 1 to 10000")] | None = None
    weight: Weight = 1.0
    tags: Sequence[str] = ()
    proxy: Secret | None = None
    verify: bool = True
    ca_file: str | None = None
    command: str | None = None
    args: Sequence[str] = ()
    health_path: str | None = None
    api_path: str | None = None
    model_path: str | None = None
    threads: Annotated[int, Meta(ge=1, le=1024, description="a whole number from 1 to 1024")] | None = None
    start_timeout_s: Seconds | None = None
    context: Annotated[int, Meta(ge=256, le=10**8, description="tokens, 256 or more")] | None = None

    def __post_init__(self) -> None:
        """Hide keys that a program passed as plain text, before anything can print them."""
        for field in SECRET_FIELDS:
            msgspec.structs.force_setattr(self, field, _hidden(getattr(self, field)))
        msgspec.structs.force_setattr(self, "api_keys", _keys(self.api_keys))
        if self.entra == EntraConfig():
            msgspec.structs.force_setattr(self, "entra", True)


class LedgerConfig(Section, frozen=True, kw_only=True):
    """`[ledger]`: where the books are kept.

    Args:
        path: the SQLite file, relative to the configuration file; `:memory:` for books that end with the process;
            left out, a file in the user's state directory.
        durability: `process` survives kill -9, `power` also survives the plug.
        confirm_s: how long an answer waits for a stalled disk.
        keep_days: for how long every call is kept one by one; older ones only as sums. Left out, for good.
    """

    path: str | None = None
    durability: Literal["process", "power"] = "process"
    confirm_s: Seconds = 5.0
    keep_days: Annotated[float, Meta(ge=1, le=36_500, description="days, 1 or more")] | None = None


class General(Section, frozen=True, kw_only=True):
    """`[general]`.

    Args:
        default_provider: the first choice; left out, the enabled provider of lowest priority number.
        fallback_providers: who is asked next, in order: `entry` or `entry/model`; left out, every enabled provider by
            priority.
        routing_strategy: how candidates are ordered, where a request does not say.
        enable_streaming: whether the command line streams unless told otherwise.
        on_unsupported: what is done with a parameter that a model rejects: `drop` it with a warning, or `refuse` the
            request; a provider and a request may say otherwise.
        price_age_warning_days: a price of the catalogue that is older than this is warned of, once; 0 is never.
        enable_logging: whether supervision events go to the `manus` logger of the standard library.
        global_rate_limit_rpm, global_token_limit_daily: `requests_per_minute` and `tokens_per_day` of `[limits]`; 0 is
            none.
    """

    default_provider: str | None = None
    fallback_providers: Sequence[str] | None = None
    routing_strategy: RoutingStrategy = RoutingStrategy.PRIORITY
    on_unsupported: OnUnsupported = "drop"
    price_age_warning_days: Annotated[int, Meta(ge=0, le=36_500, description="days, 0 or more; 0 is never")] = 120
    enable_streaming: bool = True
    enable_logging: bool = True
    global_rate_limit_rpm: CountOrNone = 0
    global_token_limit_daily: CountOrNone = 0


class LLMConfig(General, frozen=True, kw_only=True):
    """The whole configuration. In a file, the keys of `General` stand under `[general]`."""

    providers: Mapping[str, ProviderConfig] = {}
    routing: RoutingConfig = RoutingConfig()
    timeouts: GlobalTimeoutsConfig = GlobalTimeoutsConfig()
    retry: RetryConfig = RetryConfig()
    health: HealthConfig = HealthConfig()
    hedge: HedgeConfig = HedgeConfig()
    ledger: LedgerConfig = LedgerConfig()
    limits: LimitsConfig = LimitsConfig()
    budgets: BudgetsConfig = BudgetsConfig()
    conversations: ConversationsConfig = ConversationsConfig()
    ipc: IpcConfig = IpcConfig()


def _keys(value: object) -> object:
    """Make keys that were given bare into whole ones; leave what is neither for the checks to refuse."""
    if not isinstance(value, list | tuple):
        return value
    return tuple(KeyConfig(key=item) if isinstance(item, Secret) else item for item in value)


def _hidden(value: object) -> object:
    """Turn text into secrets, also inside lists and tables; leave what is neither for the checks to refuse."""
    match value:
        case str():
            return Secret(value)
        case list() | tuple():
            return tuple(_hidden(item) for item in value)
        case dict():
            return {name: _hidden(item) for name, item in value.items()}
        case _:
            return value
