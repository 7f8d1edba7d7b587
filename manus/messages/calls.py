"""Own what the router asks of a provider actor: one attempt at one deployment."""

from __future__ import annotations

from manus.messages.base import Message
from manus.messages.ids import DeploymentId
from manus.messages.requests import ChatRequest, EmbedRequest


class Call(Message, frozen=True, kw_only=True, tag="call", omit_defaults=True):
    """Ask this provider's `model` for an answer to `request` (of an embedding: one batch), as attempt `attempt` of it.

    The provider actor answers with a `CallEnded`; events go through the delivery in the envelope.
    `estimated_input_tokens` lets it label usage that the vendor never reported.
    """

    request: ChatRequest | EmbedRequest
    model: str
    deployment: DeploymentId
    attempt: int
    estimated_input_tokens: int = 0


class StatusAsked(Message, frozen=True, kw_only=True, tag="status_asked", omit_defaults=True):
    """Ask a provider actor how it is; answered with a `ProviderStatus`."""


class ProviderStatus(Message, frozen=True, kw_only=True, tag="provider_status", omit_defaults=True):
    """How one provider entry is doing. `state` is the supervisor's word for its actor."""

    name: str
    type: str
    state: str
    models: tuple[str, ...] = ()
    in_flight: int = 0
    waiting: int = 0
    limit: int = 0
    connections: int = 0
    calls: int = 0
    failures: int = 0
    restarts: int = 0
    last_failure: str | None = None
