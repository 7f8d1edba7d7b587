"""Own what each method gives, as Structs: the words of the wire for what the agent's objects say of themselves.

A shape that an object of the face has is taken over from it, not written again: `_told` makes the wire's Struct from
the face's. On the wire every member of it is always there, `null` where there is nothing, so that a client needs no
defaults of its own; what may be missing says so in the schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import GenericAlias
from typing import Any, Final, Literal, Protocol, get_args, runtime_checkable

import msgspec
from msgspec import UNSET, UnsetType

from manus.books import DIMENSIONS
from manus.conversations import Conversation
from manus.health_report import Health
from manus.limit_reports import RateLimiter
from manus.messages.accounting import RequestStatus as LedgerStatus
from manus.messages.content import Citation
from manus.messages.limits import BudgetState, LimitState
from manus.messages.outcomes import Route
from manus.messages.policy import Durability
from manus.messages.routing import RoutingMetrics as RouterMetrics
from manus.reloading import Reloaded
from manus.reports import ProviderState, UsageLine, UsageReport
from manus.responses import ChunkKind, LLMResponse, ResponseUsage, StreamChunk, usage_of
from manus.token_counts import TokenCount

Table = dict[str, Any]
"""An object whose members are told where it is made. Any: plain data."""


def _told(
    name: str,
    origin: type[msgspec.Struct],
    *,
    without: tuple[str, ...] = (),
    instead: Mapping[str, Any] = {},  # read only; Any: types are values here
    may_be_missing: tuple[str, ...] = (),
    more: tuple[tuple[str, Any], ...] = (),
) -> Any:
    """Make the wire's Struct for one of the face: `more` members, and of its own all but `without`. Any: a class."""
    fields: list[Any] = []
    for field in msgspec.structs.fields(origin):
        kind = instead.get(field.name, field.type)
        if field.name in may_be_missing:
            fields.append((field.encode_name, kind | UnsetType, UNSET))
        elif field.name not in without:
            fields.append((field.encode_name, kind))
    summary = (origin.__doc__ or "").strip().split("\n")[0]
    return msgspec.defstruct(
        name, [*fields, *more], frozen=True, kw_only=True, namespace={"__doc__": summary}, module=__name__
    )


def _list_of(kind: Any) -> Any:  # Any: types are values here
    return GenericAlias(list, (kind,))


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    """An empty object: it is done."""


class ConnectionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of this connection: bytes of a line, requests at once, and events in flight per stream.

    `window` is null where the pipe itself is the only bound.
    """

    frame_bytes_max: int
    in_flight_max: int
    window: int | None
    window_max: int


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers, and what its books survive.

    Where they survive the process, `request.status` of `unknown` proves that nothing was ever sent.
    """

    name: str
    version: str
    ledger: Durability


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked here."""

    methods: tuple[str, ...]
    notifications: tuple[str, ...]
    dialects: tuple[str, ...]


class Initialized(msgspec.Struct, frozen=True, kw_only=True):
    """What was agreed on."""

    protocolVersion: int  # noqa: N815  # the wire's name
    server: Server
    capabilities: Capabilities
    limits: ConnectionLimits


class Pong(msgspec.Struct, frozen=True, kw_only=True):
    """An empty object, or what was to be echoed."""

    echo: str | UnsetType = UNSET


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a request of that id was in flight, and the message had a meaning for it."""

    known: bool


class ConversationCreated(msgspec.Struct, frozen=True, kw_only=True):
    """The name of the conversation."""

    conversation_id: str


class ConversationDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """Whether there was such a conversation."""

    deleted: bool


class Providers(msgspec.Struct, frozen=True, kw_only=True):
    """Names, the one that is asked first before the others."""

    providers: list[str]


class ProviderStates(msgspec.Struct, frozen=True, kw_only=True):
    """How each provider is doing, by name."""

    providers: dict[str, ProviderState]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of a conversation, as text."""

    role: str
    content: str


class Switched(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asked first from now on."""

    provider: str
    model: str | None


TokenUsage: Any = _told("TokenUsage", ResponseUsage, more=(("total_tokens", int), ("cost_usd", float | None)))

CitationTold: Final = _told(
    "Citation",
    Citation,
    without=("cache",),
    instead={"raw": Any},
    may_be_missing=("title", "url", "quote", "raw"),
    more=(("type", Literal["citation"]),),
)

Response: Final = _told(
    "Response", LLMResponse, without=("answer",), instead={"usage": TokenUsage, "citations": _list_of(CitationTold)}
)


class Embeddings(msgspec.Struct, frozen=True, kw_only=True):
    """Vectors, one per text, in their order. Written out: an array of floats has no word in msgspec's types."""

    vectors: list[list[float]]
    dimensions: int
    usage: TokenUsage
    provider: str
    model: str
    request_id: str
    vendor_request_id: str | None
    warnings: tuple[str, ...]
    latency_ms: float
    route: Route


Line: Final = _told(
    "UsageLine", UsageLine, may_be_missing=DIMENSIONS, more=(("total_tokens", int), ("cost_usd", float))
)
Usage: Final = _told("UsageReport", UsageReport, instead={"lines": _list_of(Line), "total": Line})
LimitTold: Final = _told("LimitState", LimitState, more=(("remaining", int),))
BudgetTold: Final = _told("BudgetState", BudgetState, more=(("remaining", int),))
Limits: Final = _told("Limits", RateLimiter, instead={"limits": _list_of(LimitTold), "budgets": _list_of(BudgetTold)})
RequestStatus: Final = _told("RequestStatus", LedgerStatus, instead={"usage": TokenUsage})

RoutingMetrics: Final = _told("RoutingMetrics", RouterMetrics, may_be_missing=RouterMetrics.__struct_fields__)
ConversationTold: Final = _told(
    "Conversation",
    Conversation,
    instead={"system": list[Table], "exchanges": list[Table]},
    more=(("messages", list[Said]),),
)
"""Turns stand in it with all their canonical parts, which are not for a host to read: `messages` has them as text."""

HealthTold: Final = _told("Health", Health)
ReloadedTold: Final = _told("Reloaded", Reloaded)

Event: Final = _told(
    "Event",
    StreamChunk,
    without=("finish_reason", "usage"),
    instead={"kind": Literal[tuple(kind for kind in get_args(ChunkKind) if kind != "final")]},
    may_be_missing=("text", "tool_call", "index", "provider", "model"),
)
"""One piece of a streamed answer. `kind` and `delta` are always there; `index` 0 and what is empty are left out."""


@runtime_checkable
class Telling(Protocol):
    """An object of the face, which says by itself what it is as plain data."""

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data. Any: as JSON has it."""


def wire_result(result: object) -> object:
    """Give what a method of the agent returned as what goes on the wire; plain data is that already."""
    match result:
        case LLMResponse():
            taken = {name: getattr(result, name) for name in _RESPONSE_FIELDS}
            return Response(**taken | {"usage": wire_usage(result.usage)})
        case LedgerStatus():
            usage = usage_of(result.usage, result.cost_nano_usd, durable=True)
            taken = {name: getattr(result, name) for name in LedgerStatus.__struct_fields__}
            return RequestStatus(**taken | {"usage": wire_usage(usage)})
        case Route() | TokenCount() | ProviderState():
            return result
        case Telling():
            return result.to_dict()
        case _:
            return result


def wire_usage(usage: ResponseUsage) -> Any:
    """Give token counts with their sums. Any: a Struct that is made above."""
    fields = {name: getattr(usage, name) for name in ResponseUsage.__struct_fields__}
    return TokenUsage(**fields, total_tokens=usage.total_tokens, cost_usd=usage.cost_usd)


_RESPONSE_FIELDS: Final = tuple(name for name in LLMResponse.__struct_fields__ if name != "answer")
