"""Own the Bedrock codec: one object that brings the Converse encoder, decoder and error mapping together."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from manus.actors.codecs.base import CodecOptions, Decoder, HttpRequest
from manus.actors.codecs.bedrock_decode import BedrockDecoder
from manus.actors.codecs.bedrock_encode import encode_bedrock
from manus.actors.codecs.bedrock_errors import bedrock_failure_kind, facts_of_error, mend_of
from manus.actors.codecs.bedrock_messages import WIRE
from manus.actors.codecs.bedrock_types import ModelListing
from manus.actors.codecs.classify import http_failure
from manus.actors.codecs.json_fit import TolerantDecoder
from manus.messages.failures import Failed
from manus.messages.outcomes import RateLimitReading
from manus.messages.requests import ChatRequest

CONTROL_HOST = ("bedrock-runtime", "bedrock")
"""How the control plane's host is named beside the runtime's; both are signed for as the service `bedrock`."""

_read_models = TolerantDecoder(ModelListing)


class Bedrock:
    """The wire family `bedrock`: Converse and ConverseStream of Amazon Bedrock's runtime."""

    wire = WIRE

    def encode(self, request: ChatRequest, model: str, options: CodecOptions) -> HttpRequest | Failed:
        """Write `request` for `model`."""
        return encode_bedrock(request, model, options)

    def decoder(self, *, stream: bool, model: str, options: CodecOptions) -> Decoder:
        """Make the decoder of one call. The body's own first byte decides its form, not `stream`."""
        return BedrockDecoder(options.bounds, answer_tool=options.answer_tool)

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now_unix_s: float) -> Failed:
        """Classify an HTTP error."""
        facts = facts_of_error(headers, body)
        failure = http_failure(bedrock_failure_kind(status, facts), status, headers, facts, now_unix_s=now_unix_s)
        mend = mend_of(facts)
        return failure if mend is None else msgspec.structs.replace(failure, message=f"{failure.message} {mend}")

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimitReading, ...]:
        """Bedrock sends no such headers."""
        return ()

    def list_models_request(self, options: CodecOptions) -> HttpRequest:
        """Write `GET /foundation-models` for the control plane, which has a host of its own."""
        return HttpRequest(
            method="GET",
            path="/foundation-models?byOutputModality=TEXT",
            headers=(("accept", "application/json"),),
            other_host=CONTROL_HOST,
        )

    def decode_models(self, body: bytes) -> tuple[str, ...]:
        """Read the ids of models, or of inference profiles."""
        listed = _read_models(body)
        if listed is None:
            return ()
        names = [entry.model_id for entry in listed.model_summaries or ()]
        names += [entry.inference_profile_id for entry in listed.inference_profile_summaries or ()]
        return tuple(name for name in names if name)
