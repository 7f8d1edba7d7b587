"""Own the table of methods: what each takes, what it gives, and which messages want no reply.

The session dispatches by it, the schema is made from it, and `initialize` tells the host its names.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from manus._version import __version__
from manus.ipc.protocol import params as p
from manus.ipc.protocol import results as r
from manus.messages.outcomes import Route
from manus.messages.policy import Durability
from manus.token_counts import TokenCount

PROTOCOL_VERSION: Final = 1
SUPPORTED: Final = (PROTOCOL_VERSION,)


class Method(msgspec.Struct, frozen=True):
    """One method: its params, its result, and in a sentence what it does. Any: Structs and plain tables alike."""

    params: type[p.Params]
    result: Any
    does: str


METHODS: Final[dict[str, Method]] = {
    "initialize": Method(p.InitializeParams, r.Initialized, "Agree on the protocol's version; the first request."),
    "ping": Method(p.PingParams, r.Pong, "Say that the session lives; allowed before `initialize`."),
    "generate": Method(p.GenerateParams, r.Response, "Ask, and get the whole answer."),
    "stream": Method(p.StreamParams, r.Response, "Ask, and get the answer in events as it comes, then whole."),
    "chat": Method(p.ChatParams, r.Response, "Say one thing in a conversation."),
    "chat_stream": Method(p.ChatStreamParams, r.Response, "The same, with events."),
    "conversation.create": Method(p.ConversationCreateParams, r.ConversationCreated, "Begin a conversation."),
    "conversation.get": Method(p.ConversationParams, r.ConversationTold, "Give a conversation with its exchanges."),
    "conversation.delete": Method(p.ConversationParams, r.ConversationDeleted, "Forget a conversation."),
    "embed": Method(p.EmbedParams, r.Embeddings, "Turn texts into vectors."),
    "explain": Method(p.ExplainParams, Route, "Tell how a request would be routed, without making it."),
    "count_tokens": Method(p.CountTokensParams, TokenCount, "Count a prompt for whoever would be asked."),
    "providers.list": Method(p.NoParams, r.Providers, "Name the providers, the one asked first before the others."),
    "providers.status": Method(p.NoParams, r.ProviderStates, "Tell how each provider is doing."),
    "providers.switch": Method(p.SwitchParams, r.Switched, "Choose who is asked first, on this connection."),
    "usage.stats": Method(p.UsageStatsParams, r.Usage, "Give the books of all time."),
    "usage.summary": Method(p.UsageSummaryParams, r.Usage, "Give the books of the last days."),
    "limits": Method(p.NoParams, r.Limits, "Tell how far limits and budgets are used."),
    "routing.metrics": Method(p.NoParams, r.RoutingMetrics, "Give the router's counts."),
    "request.status": Method(p.RequestStatusParams, r.RequestStatus, "Tell what the ledger knows of a request key."),
    "health": Method(p.NoParams, r.HealthTold, "Tell in one word, and in detail, whether requests can be served."),
    "reload": Method(p.NoParams, r.ReloadedTold, "Read the configuration again; what is in flight goes on."),
    "shutdown": Method(p.ShutdownParams, r.Nothing, "End: drain, settle, and reply last of all."),
    "$/cancelRequest": Method(p.AboutRequest, r.Known, "End a request now; its own reply still comes."),
    "$/credit": Method(p.CreditParams, r.Known, "Let a stream send so many events more."),
    "$/pause": Method(p.AboutRequest, r.Known, "Stop the events of a stream, which then does not count as stalled."),
    "$/resume": Method(p.AboutRequest, r.Known, "Take back `$/pause`."),
}
"""Every request. Those that begin with `$/` are meant as notifications, and are answered if they are requests."""

NOTIFICATIONS: Final[dict[str, type[p.Params]]] = {
    "$/cancelRequest": p.AboutRequest,
    "$/credit": p.CreditParams,
    "$/pause": p.AboutRequest,
    "$/resume": p.AboutRequest,
    "exit": p.NoParams,
}
"""What a host may say without wanting a reply. Any other notification is dropped."""

EVENT: Final = "stream.event"
"""The one notification that a host is sent."""


def param_names(method: str) -> tuple[str, ...]:
    """Name the params of a method; none of one that does not exist."""
    found = METHODS.get(method)
    return () if found is None else found.params.__struct_fields__


def initialize_result(
    *,
    window: int | None,
    window_max: int,
    frame_bytes_max: int,
    in_flight_max: int,
    engine: bool,
    durability: Durability,
) -> r.Initialized:
    """Tell a host what was agreed on, and what it may ask here."""
    return r.Initialized(
        protocolVersion=PROTOCOL_VERSION,
        server=r.Server(name="manus", version=__version__, ledger=durability),
        capabilities=r.Capabilities(
            methods=tuple(METHODS),
            notifications=(*NOTIFICATIONS, EVENT),
            dialects=("json-rpc", "short", "engine") if engine else ("json-rpc", "short"),
        ),
        limits=r.ConnectionLimits(
            frame_bytes_max=frame_bytes_max, in_flight_max=in_flight_max, window=window, window_max=window_max
        ),
    )
