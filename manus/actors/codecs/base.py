"""Own the shape of a codec: what every vendor's wire is turned into and made from.

A codec is sans-IO: it never awaits, sleeps, logs, reads an environment or a clock. `encode` is a function;
a decoder object lives for one call. Nothing here knows a vendor.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, Protocol

import msgspec

from manus.messages.events import StreamEvent, WarningRaised
from manus.messages.failures import Failed
from manus.messages.outcomes import RateLimitReading
from manus.messages.policy import Bounds, ModelCard
from manus.messages.requests import ChatRequest, EmbedRequest


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What goes on the wire, except for credentials.

    Args:
        path: appended to the entry's base URL.
        headers: without authorization; that belongs to the credentials.
        warnings: what had to be dropped or adapted; the call emits them before the first byte leaves.
        answer_tool: a tool that the encoder made up and forced, because the model has no other way to keep to a
            schema: what it is called with is the answer's text. The call hands it to the decoder's options.
        other_host: the vendor answers this at another of its hosts, whose name has the second of these words where the
            base URL's has the first. A base URL of one's own, without that word, is asked itself.
    """

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    warnings: tuple[WarningRaised, ...] = ()
    answer_tool: str | None = None
    other_host: tuple[str, str] | None = None

    def url_at(self, base_url: str) -> str:
        """Give the address of this request for an entry with this base URL."""
        base_url = base_url.rstrip("/")
        if self.other_host is not None:
            scheme, separator, rest = base_url.partition("://")
            host, slash, path = rest.partition("/")
            base_url = f"{scheme}{separator}{host.replace(*self.other_host, 1)}{slash}{path}"
        return f"{base_url}{self.path}"


class CodecOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the entry's configuration says about its wire. The defaults suit the vendor's own service.

    Args:
        provider: the configured entry's name; its key in `ChatRequest.extra`.
        bounds: caps on bodies, events and answers.
        card: what is known of the model; `None` fields of it are decided by the model's name.
        api: which of OpenAI's two wires carries a call: Chat Completions, Responses, or whichever suits the model.
            `auto` is for OpenAI's own service and Azure's; other servers may not have the second one.
        max_tokens_field: how the answer's bound is spelt; `auto` decides by model family, for servers
            of other vendors it is the older `max_tokens`, which all of them read.
        system_role: how system turns are labelled; `auto` decides by model family.
        include_usage: ask for usage in streams; off for servers that refuse `stream_options`.
        top_k: the server takes `top_k` on the chat completions wire, as llama.cpp and vLLM do.
        reasoning_field: where this server wants the model's earlier thinking back in the history
            (`reasoning_content` or `reasoning`); None leaves it out, as OpenAI demands.
        context_tokens: the context window to ask Ollama for (`num_ctx`). Keep it constant: a change
            reloads the model.
        truncate: let Ollama drop the oldest turns silently when the prompt is too long. Off, because an
            answer to a question that was not asked is a lie; the call then fails as `context_length`.
        betas: names for Anthropic's `anthropic-beta`.
        api_version: of the classic API of Azure; None speaks the v1 API.
        answer_tool: of one call, not of a configuration: `HttpRequest.answer_tool` as the encoder set it.
    """

    provider: str = ""
    bounds: Bounds = Bounds()
    card: ModelCard | None = None
    api: Literal["auto", "chat", "responses"] = "auto"
    max_tokens_field: Literal["auto", "max_completion_tokens", "max_tokens"] = "auto"
    system_role: Literal["auto", "system", "developer"] = "auto"
    include_usage: bool = True
    top_k: bool = False
    reasoning_field: Literal["reasoning_content", "reasoning"] | None = None
    context_tokens: int | None = None
    truncate: bool = False
    betas: tuple[str, ...] = ()
    api_version: str | None = None
    answer_tool: str | None = None


class Decoder(Protocol):
    """Turns the body of one successful response into events, whatever pieces it comes in."""

    @property
    def done(self) -> bool:
        """Whether the terminal event has been given; whatever is still fed is ignored."""
        ...

    @property
    def finishing(self) -> bool:
        """Whether the vendor has said why the model stopped, so that only counts and an end marker are to come."""
        ...

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Take the next bytes and give the events they complete. Never raises, whatever the bytes.

        At most one `Ended` or `StreamFailed`, and nothing after it.
        """
        ...

    def finish(self) -> list[StreamEvent]:
        """Take the clean end of the body; gives the terminal event unless `feed` already did.

        Not called when the connection broke: then there is no end of body, and the transport's failure
        is the terminal fact.
        """
        ...


class Codec(Protocol):
    """One wire family: `openai-chat`, `ollama`, ..."""

    wire: str

    def encode(self, request: ChatRequest, model: str, options: CodecOptions) -> HttpRequest | Failed:
        """Write `request` for `model`. `Failed` says which part this wire or model cannot carry."""
        ...

    def decoder(self, *, stream: bool, model: str, options: CodecOptions) -> Decoder:
        """Make the decoder of one call. With `stream=False` events come when the body is complete."""
        ...

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now_unix_s: float) -> Failed:
        """Classify an HTTP error. `headers` have lower-case names; `body` may be cut short.

        `now_unix_s` is the wall clock, for hints that name a date.
        """
        ...

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimitReading, ...]:
        """Read what the vendor's headers tell of its limits; nothing where they tell nothing."""
        ...

    def list_models_request(self, options: CodecOptions) -> HttpRequest:
        """Write the request that costs nothing and lists the models: also the health probe."""
        ...

    def decode_models(self, body: bytes) -> tuple[str, ...]:
        """Read the names of the models; empty where the body is not a list of models."""
        ...


NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
"""Those of an answer whose body says everything."""


class EmbedLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one call may hold. The router splits longer lists of inputs, in order; no codec does.

    Args:
        inputs: texts in one call.
        tokens: tokens of all of them together, None where nobody says.
    """

    inputs: int
    tokens: int | None = None


class EmbedCodec(Protocol):
    """How one wire family embeds. A wire that cannot has none.

    The decoder is an ordinary one: it gives `Started` (if there is something to say), one `VectorsReported` with
    exactly as many vectors as there were inputs, `UsageReported`, `FinishReported(reason="stop")` and
    `Ended(evidence="marker")`; `embed_answer.EmbedDecoder` brings all of that but the reading of the vendor's body.
    """

    wire: str

    def limits(self, model: str, options: CodecOptions) -> EmbedLimits:
        """Tell what one call to `model` may hold."""
        ...

    def encode(self, request: EmbedRequest, model: str, options: CodecOptions) -> HttpRequest | Failed:
        """Write `request`, which is within the limits, for `model`."""
        ...

    def decoder(
        self, request: EmbedRequest, model: str, options: CodecOptions, headers: Mapping[str, str] = NO_HEADERS
    ) -> Decoder:
        """Make the decoder of one call, whose answer came with `headers` (names in lower case)."""
        ...

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now_unix_s: float) -> Failed:
        """Classify an HTTP error, as `Codec.failure` does."""
        ...

    def rate_limits(self, headers: Mapping[str, str]) -> tuple[RateLimitReading, ...]:
        """Read what the vendor's headers tell of its limits."""
        ...
