"""Own the one face that chat and embedding codecs show to a call: how it is written, read and refused.

What a model is known to reject or not to fit is seen to here, between the call and its codec, for all wires alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from manus.actors.codecs import codec_for, embed_codec_for
from manus.actors.codecs.base import Codec, CodecOptions, Decoder, EmbedCodec, HttpRequest
from manus.actors.fitness import unfit
from manus.actors.shaping import refusal_of, shape
from manus.actors.wire_choice import wire_of
from manus.messages.calls import Call
from manus.messages.failures import Failed
from manus.messages.requests import ChatRequest, EmbedRequest, OnUnsupported


class Dialect(Protocol):
    """What one call needs of the codec that carries it."""

    @property
    def streamed(self) -> bool:
        """Whether content comes before the end of the body."""
        ...

    @property
    def codec(self) -> Codec | EmbedCodec:
        """Who classifies errors and reads limits."""
        ...

    def encode(self) -> HttpRequest | Failed:
        """Write the request."""
        ...

    def decoder(self, encoded: HttpRequest, headers: Mapping[str, str]) -> Decoder:
        """Make the decoder of the answer, which comes with `headers`, to what was written."""
        ...


class ChatDialect:
    """A chat completion over `codec`. `on_unsupported` holds where the request does not say."""

    __slots__ = ("_model", "_on_unsupported", "_options", "_request", "codec", "streamed")

    def __init__(
        self, codec: Codec, request: ChatRequest, model: str, options: CodecOptions, on_unsupported: OnUnsupported
    ) -> None:
        self.codec = codec
        self.streamed = request.stream
        self._request = request
        self._model = model
        self._options = options
        self._on_unsupported = request.on_unsupported or on_unsupported

    def encode(self) -> HttpRequest | Failed:
        """Write the request as the model takes it."""
        card = self._options.card
        refusal = unfit(self._request, card)
        if refusal is not None:
            return refusal
        shaped = shape(self._request, card, self._on_unsupported)
        if isinstance(shaped, Failed):
            return shaped
        encoded = self.codec.encode(shaped.request, self._model, self._options)
        if isinstance(encoded, Failed):
            return encoded
        if self._on_unsupported == "refuse":
            refusal = refusal_of(encoded.warnings, self._model)
            if refusal is not None:
                return refusal
        if not shaped.warnings:
            return encoded
        return msgspec.structs.replace(encoded, warnings=(*shaped.warnings, *encoded.warnings))

    def decoder(self, encoded: HttpRequest, headers: Mapping[str, str]) -> Decoder:
        """Make the decoder of the answer to what was written."""
        options = self._options
        if encoded.answer_tool is not None:
            options = msgspec.structs.replace(options, answer_tool=encoded.answer_tool)
        return self.codec.decoder(stream=self.streamed, model=self._model, options=options)


class EmbedDialect:
    """An embedding over `codec`. `on_unsupported` holds where the request does not say."""

    __slots__ = ("_model", "_on_unsupported", "_options", "_request", "codec", "streamed")

    def __init__(
        self, codec: EmbedCodec, request: EmbedRequest, model: str, options: CodecOptions, on_unsupported: OnUnsupported
    ) -> None:
        self.codec = codec
        self.streamed = False
        self._request = request
        self._model = model
        self._options = options
        self._on_unsupported = request.on_unsupported or on_unsupported

    def encode(self) -> HttpRequest | Failed:
        """Write the request."""
        encoded = self.codec.encode(self._request, self._model, self._options)
        if isinstance(encoded, HttpRequest) and self._on_unsupported == "refuse":
            return refusal_of(encoded.warnings, self._model) or encoded
        return encoded

    def decoder(self, encoded: HttpRequest, headers: Mapping[str, str]) -> Decoder:
        """Make the decoder of the answer."""
        return self.codec.decoder(self._request, self._model, self._options, headers)


class MuteDialect:
    """An embedding at a vendor that has none: refused before anything is sent."""

    __slots__ = ("codec", "streamed")

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.streamed = False

    def encode(self) -> HttpRequest | Failed:
        """Refuse."""
        return Failed(
            kind="unsupported",
            message="This provider has no embeddings: name one that has, such as OpenAI, Azure, Bedrock or Ollama.",
            safe_to_retry=True,
            phase="queued",
            param="provider",
        )

    def decoder(self, encoded: HttpRequest, headers: Mapping[str, str]) -> Decoder:
        """Nothing is ever sent, so nothing comes back."""
        raise AssertionError("a request that was refused has no answer")


def dialect_of(entry_wire: str, call: Call, options: CodecOptions, on_unsupported: OnUnsupported = "drop") -> Dialect:
    """Choose the codec that carries `call` to an entry that speaks `entry_wire`."""
    request = call.request
    if isinstance(request, ChatRequest):
        codec = codec_for(wire_of(entry_wire, request, options))
        return ChatDialect(codec, request, call.model, options, on_unsupported)
    embedder = embed_codec_for(entry_wire)
    if embedder is None:
        return MuteDialect(codec_for(entry_wire))
    return EmbedDialect(embedder, request, call.model, options, on_unsupported)
