"""Own the canonical request: what a caller wants, before anyone decides who answers.

Codecs encode these; the router reads them to find out which capabilities are needed. Nothing here
knows a vendor. `None` always means "the vendor's default".
"""

from __future__ import annotations

from typing import Literal

import msgspec

from manus.messages.base import Message
from manus.messages.content import Turn
from manus.messages.ids import RequestId, RequestKey

Effort = Literal["off", "minimal", "low", "medium", "high", "xhigh", "max"]
OnInterrupt = Literal["auto", "restart", "error"]
OnCancel = Literal["abort", "drain"]
Priority = Literal["interactive", "batch"]
Strategy = Literal["priority", "cost_aware", "capability", "latency", "least_busy", "weighted", "round_robin"]
"""How candidates are ordered."""
OnUnsupported = Literal["drop", "refuse"]
"""What is done with a parameter that a model rejects: leave it out and warn, or refuse the request."""
EmbedPurpose = Literal["document", "query", "classification", "clustering"]


class Tool(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A function the model may ask the caller to run.

    `schema` is the JSON Schema (an object schema) of its arguments, as JSON.
    """

    name: str
    description: str = ""
    schema: msgspec.Raw = msgspec.Raw(b'{"type":"object","properties":{}}')
    strict: bool = False


class ToolChoice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether tools may, must or must not be called; `name` goes with mode `tool`."""

    mode: Literal["auto", "none", "required", "tool"] = "auto"
    name: str | None = None
    parallel: bool = True


class OutputFormat(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Structured output: any JSON object (`any_object`) or one that fits a JSON Schema.

    `schema` is JSON, `null` for none: msgspec reads a `Raw` beside no other type, so it cannot be optional.
    `description` says what the object is for, to models that are told it.
    """

    schema: msgspec.Raw = msgspec.Raw(b"null")
    name: str = "answer"
    description: str = ""
    strict: bool = True

    @property
    def any_object(self) -> bool:
        """Whether any JSON object will do."""
        return bytes(self.schema) == b"null"


class ReasoningOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much the model may think: by effort, or by a budget in tokens; `show` asks for the text."""

    effort: Effort | None = None
    budget_tokens: int | None = None
    show: bool = True


class Sampling(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the answer is drawn. Which of these a model accepts is its capability, not our guess."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: int | None = None


class RoutingCriteria(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the caller asks of the model that answers, besides what the request itself implies.

    `max_cost_usd` is for one request; `task_complexity` runs from 1 (trivial) to 10 (hard); `tags` are those that a
    deployment has to bear, all of them.
    """

    requires_vision: bool = False
    requires_functions: bool = False
    requires_json_schema: bool = False
    requires_reasoning: bool = False
    requires_streaming: bool = False
    min_context_length: int | None = None
    max_cost_usd: float | None = None
    max_latency_ms: float | None = None
    prefer_cheap: bool = False
    prefer_fast: bool = False
    prefer_reliable: bool = False
    task_complexity: int | None = None
    tags: tuple[str, ...] = ()


class ChatRequest(Message, frozen=True, kw_only=True, tag="chat", omit_defaults=True):
    """One chat completion, as the caller wants it.

    Args:
        request_id: ours, unique in the ledger.
        request_key: the host's own name for it, for `request.status` after a crash.
        turns: the conversation, system turns first.
        provider, model: the first choice; `None` lets the router choose.
        stream: whether events go to the caller as they come.
        max_output_tokens: upper bound of the answer, thinking included.
        on_interrupt: what happens when a stream breaks off; None for what the router's policy says.
        on_cancel: what happens to the call when the caller leaves: break it off, or read it to its end for the vendor's
            own count; None for what the router's policy says.
        on_unsupported: what is done with a parameter that the model rejects; None for what the entry says.
        strategy: how candidates are ordered; None for what the router's policy says.
        priority: `batch` requests give way to `interactive` ones.
        extra: vendor options passed through untouched, keyed by wire family or provider entry.
        tags: the caller's labels, kept in the ledger.
        timeout_s: the whole request's budget; the deadline in the envelope is made from it.
    """

    request_id: RequestId
    turns: tuple[Turn, ...]
    request_key: RequestKey | None = None
    provider: str | None = None
    model: str | None = None
    stream: bool = False
    max_output_tokens: int | None = None
    sampling: Sampling = Sampling()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    output: OutputFormat | None = None
    reasoning: ReasoningOptions | None = None
    criteria: RoutingCriteria | None = None
    fallback_providers: tuple[str, ...] | None = None
    on_interrupt: OnInterrupt | None = None
    on_cancel: OnCancel | None = None
    on_unsupported: OnUnsupported | None = None
    strategy: Strategy | None = None
    priority: Priority = "interactive"
    conversation_id: str | None = None
    end_user_id: str | None = None
    service_tier: str | None = None
    tags: tuple[str, ...] = ()
    timeout_s: float | None = None
    extra: dict[str, msgspec.Raw] = {}


class EmbedRequest(Message, frozen=True, kw_only=True, tag="embed", omit_defaults=True):
    """Vectors for texts, in the order given.

    Args:
        request_id, request_key: as of a chat request.
        inputs: the texts, none of them empty.
        provider, model: the first choice; `None` lets the router choose.
        dimensions: how long the vectors are to be, where the model can shorten them.
        purpose: what the texts are, for models that embed questions and passages differently.
        fallback_providers: who else may answer with an embedding model of its own. `None` allows only deployments of
            the same model: vectors of two models cannot be compared.
        on_unsupported: as of a chat request.
        extra: vendor options passed through untouched, keyed by wire family or provider entry.
    """

    request_id: RequestId
    inputs: tuple[str, ...]
    request_key: RequestKey | None = None
    provider: str | None = None
    model: str | None = None
    dimensions: int | None = None
    purpose: EmbedPurpose | None = None
    fallback_providers: tuple[str, ...] | None = None
    on_unsupported: OnUnsupported | None = None
    end_user_id: str | None = None
    tags: tuple[str, ...] = ()
    timeout_s: float | None = None
    extra: dict[str, msgspec.Raw] = {}
