"""Own the one face that chat and embedding codecs show to a call: how it is written, read and refused."""

from __future__ import annotations

from typing import Protocol

import msgspec

from manus.actors.codecs import codec_for, embed_codec_for
from manus.actors.codecs.base import Codec, CodecOptions, Decoder, EmbedCodec, HttpRequest
from manus.actors.wire_choice import wire_of
from manus.messages.calls import Call
from manus.messages.failures import Failed
from manus.messages.requests import ChatRequest, EmbedRequest


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

    def decoder(self, encoded: HttpRequest) -> Decoder:
        """Make the decoder of the answer to what was written."""
        ...


class ChatDialect:
    """A chat completion over `codec`."""

    __slots__ = ("_model", "_options", "_request", "codec", "streamed")

    def __init__(self, codec: Codec, request: ChatRequest, model: str, options: CodecOptions) -> None:
        self.codec = codec
        self.streamed = request.stream
        self._request = request
        self._model = model
        self._options = options

    def encode(self) -> HttpRequest | Failed:
        """Write the request."""
        return self.codec.encode(self._request, self._model, self._options)

    def decoder(self, encoded: HttpRequest) -> Decoder:
        """Make the decoder of the answer to what was written."""
        options = self._options
        if encoded.answer_tool is not None:
            options = msgspec.structs.replace(options, answer_tool=encoded.answer_tool)
        return self.codec.decoder(stream=self.streamed, model=self._model, options=options)


class EmbedDialect:
    """An embedding over `codec`."""

    __slots__ = ("_model", "_options", "_request", "codec", "streamed")

    def __init__(self, codec: EmbedCodec, request: EmbedRequest, model: str, options: CodecOptions) -> None:
        self.codec = codec
        self.streamed = False
        self._request = request
        self._model = model
        self._options = options

    def encode(self) -> HttpRequest | Failed:
        """Write the request."""
        return self.codec.encode(self._request, self._model, self._options)

    def decoder(self, encoded: HttpRequest) -> Decoder:
        """Make the decoder of the answer."""
        return self.codec.decoder(self._request, self._model, self._options)


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

    def decoder(self, encoded: HttpRequest) -> Decoder:
        """Nothing is ever sent, so nothing comes back."""
        raise AssertionError("a request that was refused has no answer")


def dialect_of(entry_wire: str, call: Call, options: CodecOptions) -> Dialect:
    """Choose the codec that carries `call` to an entry that speaks `entry_wire`."""
    request = call.request
    if isinstance(request, ChatRequest):
        return ChatDialect(codec_for(wire_of(entry_wire, request, options)), request, call.model, options)
    codec = embed_codec_for(entry_wire)
    if codec is None:
        return MuteDialect(codec_for(entry_wire))
    return EmbedDialect(codec, request, call.model, options)
