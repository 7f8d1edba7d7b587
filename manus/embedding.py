"""Own embeddings at the public face: what `embed` takes, and what it gives."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict

import msgspec

from manus.actors.codecs.embed_answer import unpacked
from manus.asking import checked_fields, given_options, new_request_id
from manus.errors import InvalidRequestError, error_of, error_of_terminal
from manus.messages.outcomes import Embedded, Route, Unfinished
from manus.messages.requests import EmbedPurpose, EmbedRequest, OnUnsupported
from manus.responses import ResponseUsage, usage_of
from manus.supervisor.terminals import ActorFailed, Expired, Unavailable, Undelivered, Withdrawn


class EmbedOptions(TypedDict, total=False):
    """What `embed` takes besides the texts. What is left out is the vendor's or the configuration's.

    Args:
        provider, model: the first choice; without them the first provider that has a model for it.
        dimensions: how long the vectors are to be, where the model can shorten them.
        purpose: `document`, `query`, `classification` or `clustering`, for models that tell them apart.
        fallback_providers: who else may answer, with an embedding model of its own, whose vectors cannot be compared
            with the first choice's; by default only deployments of the same model.
        on_unsupported: what happens to what the model cannot do: `drop` it with a warning, or `refuse`.
        timeout_s: the whole request's time, all calls included.
        tags, request_key, extra: as of `generate`.
    """

    provider: str | None
    model: str | None
    dimensions: int | None
    purpose: EmbedPurpose | None
    fallback_providers: Sequence[str] | None
    on_unsupported: OnUnsupported
    timeout_s: float | None
    tags: Sequence[str]
    request_key: str | None
    extra: Mapping[str, Any]  # Any: options of vendors' own making


OPTIONS: Final = tuple(EmbedOptions.__annotations__)


class EmbeddingResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Vectors.

    Args:
        vectors: one per text, in their order: arrays of float32, which are sequences of floats and buffers at once
            (`numpy.asarray(response.vectors)` copies nothing it need not).
        usage: what it used and cost, over all calls.
        provider, model: who answered; of several calls, the last.
        vendor_request_id: the vendor's own id of the last call, for its support desk.
        warnings: what was asked for and could not be had.
        latency_ms: from the request to its end, all calls included.
        route: the plan and every call.
    """

    vectors: tuple[array[float], ...]
    usage: ResponseUsage = ResponseUsage()
    provider: str = ""
    model: str = ""
    request_id: str = ""
    vendor_request_id: str | None = None
    warnings: tuple[str, ...] = ()
    latency_ms: float = 0.0
    route: Route = Route()

    @property
    def dimensions(self) -> int:
        """How long the vectors are."""
        return len(self.vectors[0])

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        fields = msgspec.structs.asdict(self)
        vectors = [vector.tolist() for vector in self.vectors]
        told = fields | {"usage": self.usage.to_dict(), "vectors": vectors, "route": self.route.to_dict()}
        plain = msgspec.to_builtins(told)
        assert isinstance(plain, dict)
        return plain | {"dimensions": self.dimensions}


def embed_request(inputs: str | Sequence[str], options: Mapping[str, Any]) -> EmbedRequest:
    """Build the request. Any: the options as Python callers really give them, each checked here.

    Raises:
        InvalidRequestError: something in it cannot be; the error names the place and the mend.
        TypeError: an option that does not exist.
    """
    texts = [inputs] if isinstance(inputs, str) else inputs
    if not isinstance(texts, Sequence) or isinstance(texts, bytes | bytearray | memoryview):
        raise InvalidRequestError(f"inputs: expected a text or a list of texts; got {type(inputs).__name__}")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise InvalidRequestError(f"inputs[{number}]: expected text; got {type(text).__name__}")
    fields = checked_fields(given_options(options, OPTIONS))
    return EmbedRequest(request_id=new_request_id(), inputs=tuple(texts), **fields)


def embedding_or_error(outcome: object, request_id: str) -> EmbeddingResponse:
    """Make the response out of a terminal.

    Raises:
        LLMError: the terminal is no success.
    """
    match outcome:
        case Embedded():
            return EmbeddingResponse(
                vectors=tuple(unpacked(vector) for vector in outcome.vectors),
                usage=usage_of(outcome.usage, outcome.cost_nano_usd, durable=outcome.durable),
                provider=outcome.provider,
                model=outcome.model,
                request_id=outcome.request_id,
                vendor_request_id=outcome.vendor_request_id,
                warnings=outcome.warnings,
                latency_ms=outcome.latency_s * 1000,
                route=outcome.route,
            )
        case Unfinished():
            raise error_of(outcome)
        case ActorFailed() | Undelivered() | Unavailable() | Expired() | Withdrawn():
            raise error_of_terminal(outcome, request_id)
        case _:
            raise AssertionError(f"the router answered an embedding with a {type(outcome).__name__}")
