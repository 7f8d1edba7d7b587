"""Own what the router asks of a provider actor: one attempt at one deployment."""

from __future__ import annotations

from manus.messages.base import Message
from manus.messages.failures import Failed
from manus.messages.ids import DeploymentId
from manus.messages.requests import ChatRequest, EmbedRequest


class Call(Message, frozen=True, kw_only=True, tag="call", omit_defaults=True):
    """Ask this provider's `model` for an answer to `request` (of an embedding: one batch), as attempt `attempt` of it.

    The provider actor answers with a `CallEnded`; events go through the delivery in the envelope.
    `key` names the key to show, of an entry that has several; `patience_s` is how long it may be silent, where others
    are to have their time too; `estimated_input_tokens`, `output_ratio` (tokens of this model for each that we
    estimate) and `output_max` (what was set aside) let it say what was used where the vendor never reported it.
    """

    request: ChatRequest | EmbedRequest
    model: str
    deployment: DeploymentId
    attempt: int
    key: str | None = None
    patience_s: float | None = None
    estimated_input_tokens: int = 0
    output_ratio: float = 1.0
    output_max: int | None = None


class ProbeAsked(Message, frozen=True, kw_only=True, tag="probe_asked", omit_defaults=True):
    """Ask a provider actor to try its vendor with the cheapest question there is, its list of models, under `key`.

    Answered with a `Probed`.
    """

    key: str | None = None


class Probed(Message, frozen=True, kw_only=True, tag="probed", omit_defaults=True):
    """What came of a probe. `supported` is False where the vendor has no such question: then nothing was learnt."""

    failure: Failed | None = None
    supported: bool = True


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
