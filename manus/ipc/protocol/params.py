"""Own what each method takes, as Structs. The schema is made from them, and so are a C++ client's expectations.

Names and meanings of what goes to a model are those of `AskOptions` and `EmbedOptions`. What JSON's types leave open is
checked where the requests of every host are, so that all of them are told the same; the bounds here are for the schema.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from manus.asking import LOGPROBS_MAX, PENALTY_MAX, SEED_MAX, STOPS_MAX, TAGS_MAX, TIMEOUT_S_MAX, TOKENS_MAX
from manus.criteria import LATENCY_MS_MAX, USD_MAX
from manus.criteria import TAGS_MAX as CRITERIA_TAGS_MAX
from manus.ipc.protocol.frames import ID_CHARS_MAX, ID_NUMBER_MAX
from manus.messages.accounting import UsageDimension
from manus.messages.requests import (
    Effort,
    EmbedPurpose,
    OnCancel,
    OnInterrupt,
    OnUnsupported,
    Priority,
    Strategy,
)
from manus.option_checks import NAME_CHARS_MAX
from manus.prompts import TURNS_MAX
from manus.tools import TOOLS_MAX

WINDOW_MAX: Final = 65_536
CREDIT_MAX: Final = 2**31 - 1
DEADLINE_MS_MAX: Final = 86_400_000
ECHO_CHARS_MAX: Final = 4096

Id = (
    Annotated[str, Meta(min_length=1, max_length=ID_CHARS_MAX)]
    | Annotated[int, Meta(ge=-ID_NUMBER_MAX, le=ID_NUMBER_MAX)]
)
Window = Annotated[int, Meta(ge=1, le=WINDOW_MAX)]
Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX)]
Tokens = Annotated[int, Meta(ge=1, le=TOKENS_MAX)]
Seconds = Annotated[float, Meta(gt=0, le=TIMEOUT_S_MAX)]
Names = Annotated[list[Name], Meta(max_length=NAME_CHARS_MAX)]
Tags = Annotated[list[Name], Meta(max_length=TAGS_MAX)]
Penalty = Annotated[float, Meta(ge=-PENALTY_MAX, le=PENALTY_MAX)]
Table = dict[str, Any]
"""An object of any members. Any: OpenAI's messages, JSON Schemas, and vendors' own options."""


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a method takes. Members that are not known are refused; `null` is as good as leaving an option out."""


class NoParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Nothing."""


class Criteria(Params, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is asked of the model that answers: `RoutingCriteria`, as JSON."""

    requires_vision: bool = False
    requires_functions: bool = False
    requires_json_schema: bool = False
    requires_reasoning: bool = False
    requires_streaming: bool = False
    min_context_length: Tokens | None = None
    max_cost_usd: Annotated[float, Meta(ge=0, le=USD_MAX)] | None = None
    max_latency_ms: Annotated[float, Meta(gt=0, le=LATENCY_MS_MAX)] | None = None
    prefer_cheap: bool = False
    prefer_fast: bool = False
    prefer_reliable: bool = False
    task_complexity: Annotated[int, Meta(ge=1, le=10)] | None = None
    tags: Annotated[list[str], Meta(max_length=CRITERIA_TAGS_MAX)] = []


class Reasoning(Params, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How much the model may think: `ReasoningOptions`, as JSON."""

    effort: Effort | None = None
    budget_tokens: Tokens | None = None
    show: bool = True


class AskParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The options of a request to a model; what they mean is told at `AskOptions`."""

    provider: Name | None = None
    model: Name | None = None
    fallback_providers: Names | None = None
    system_prompt: str | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    top_k: Tokens | None = None
    seed: Annotated[int, Meta(ge=-SEED_MAX, le=SEED_MAX)] | None = None
    stop: str | Annotated[list[str], Meta(max_length=STOPS_MAX)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logprobs: Annotated[int, Meta(ge=0, le=LOGPROBS_MAX)] | None = None
    max_tokens: Tokens | None = None
    tools: Annotated[list[Table], Meta(max_length=TOOLS_MAX)] | None = None
    tool_choice: str | Table | None = None
    response_format: str | Table | None = None
    reasoning: Effort | Reasoning | None = None
    criteria: Criteria | None = None
    routing_strategy: Strategy | None = None
    priority: Priority | None = None
    timeout_s: Seconds | None = None
    on_interrupt: OnInterrupt | None = None
    on_cancel: OnCancel | None = None
    on_unsupported: OnUnsupported | None = None
    tags: Tags | None = None
    conversation_id: Name | None = None
    end_user_id: Name | None = None
    service_tier: Name | None = None
    request_key: Name | None = None
    extra: dict[str, Table] | None = None


class GenerateParams(AskParams, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A prompt, as text or as messages (one of the two), and options."""

    prompt: str | None = None
    messages: Annotated[list[Table], Meta(max_length=TURNS_MAX)] | None = None


class StreamParams(GenerateParams, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """As of `generate`; `window` is how many events may be on their way before credit is given."""

    window: Window | None = None


class ExplainParams(GenerateParams, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """As of `generate`; `streamed` asks how a stream would be routed."""

    streamed: bool = False


class CountTokensParams(GenerateParams, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """As of `generate`; `exact` insists on the vendor's own count, or on an estimate."""

    exact: bool | None = None


class ChatParams(AskParams, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The next message of a conversation, or several (results of tools); without `conversation_id` a new one begins."""

    message: str | Table | Annotated[list[Table], Meta(max_length=TURNS_MAX)]


class ChatStreamParams(ChatParams, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """As of `chat`, and `window` as of `stream`."""

    window: Window | None = None


class EmbedParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Texts, and options; what they mean is told at `EmbedOptions`."""

    inputs: str | list[str]
    provider: Name | None = None
    model: Name | None = None
    dimensions: Tokens | None = None
    purpose: EmbedPurpose | None = None
    fallback_providers: Names | None = None
    on_unsupported: OnUnsupported | None = None
    timeout_s: Seconds | None = None
    tags: Tags | None = None
    request_key: Name | None = None
    extra: dict[str, Table] | None = None


class Client(Params, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who the host is; it stands in the log."""

    name: Name
    version: str | None = None


class InitializeParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The first request. `window` is that of every stream which names none."""

    protocolVersion: int  # noqa: N815  # the wire's name
    client: Client | None = None
    window: Window | None = None


class PingParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """`echo` comes back."""

    echo: Annotated[str, Meta(max_length=ECHO_CHARS_MAX)] | None = None


class ConversationCreateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A new conversation, under a name of the host's or a new one, with the words that open it."""

    conversation_id: Name | None = None
    system_prompt: str | None = None


class ConversationParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which conversation."""

    conversation_id: Name


class SwitchParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who is asked first from now on, on this connection."""

    provider: Name
    model: Name | None = None


class UsageStatsParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the books are split by; left out, by provider and model."""

    by: str | list[UsageDimension] | None = None


class UsageSummaryParams(UsageStatsParams, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The books of the last `days`; left out, of one."""

    days: Annotated[float, Meta(gt=0)] | None = None


class RequestStatusParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The name that the host gave to the request."""

    request_key: Name


class ShutdownParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How long what is in flight may take; left out, as the configuration says (`ipc.drain_s`)."""

    deadline_ms: Annotated[int, Meta(ge=0, le=DEADLINE_MS_MAX)] | None = None


class AboutRequest(Params, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which request of this connection."""

    id: Id


class CreditParams(AboutRequest, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """So many events more for a stream."""

    n: Annotated[int, Meta(ge=1, le=CREDIT_MAX)]
