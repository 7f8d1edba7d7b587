"""Own what the simulated wires have in common: what a provider is asked, what it says, and the protocol
that turns the one into the other's bytes. Knows no vendor, no fault and no pace.
"""

from __future__ import annotations

import hashlib
from email.utils import formatdate
from typing import Any, ClassVar, Literal, Protocol

import msgspec

WireName = Literal["openai", "openai-responses", "anthropic", "bedrock", "ollama", "azure"]

EPOCH_UNIX_S = 1_788_220_800
"""Simulated time begins at 2026-09-01T00:00:00Z; the n-th request is answered n seconds later. So bytes
depend on no clock."""

REQUEST_BYTES_MAX = 64 * 1024 * 1024
"""A request body longer than this is refused with 413, as the vendors' edges do."""

Headers = tuple[tuple[str, str], ...]


class SimRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came in. Header names are lower-case; `path` is without the query, and neither is decoded."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = {}
    body: bytes = b""


class EmbedAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What an embedding asks for besides: the texts, how long the vectors are to be, and whether they are packed."""

    inputs: tuple[str, ...]
    dimensions: int | None = None
    packed: bool = False


class ChatAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What a chat request asks for, read from any wire.

    Args:
        model: as named in the request.
        stream: whether the answer is to be streamed.
        include_usage: whether a stream ends with the usage.
        system: the text of the system prompt, wherever the wire puts it.
        prompt: the text of the last user message.
        images: how many pictures the conversation holds.
        answers_tool: whether the conversation ends with a tool's result.
        begun: the text of a last turn of the assistant: the beginning of the answer that is asked for.
        tools: names of the tools offered.
        tool_schemas: the schema of each tool's arguments, in the same order; None where it has none.
        must_call: the tool that has to be called; any of them, where it is an empty string; None: none has to be.
        schema: the JSON schema that the answer must fit.
        thinking: whether the answer is to begin with thinking.
        max_output_tokens: where the answer is to be cut.
        input_tokens: what the prompt costs by the rule of `words.py`.
        embed: set where vectors are asked for and no words.
    """

    model: str
    stream: bool
    include_usage: bool = True
    system: str = ""
    prompt: str = ""
    images: int = 0
    answers_tool: bool = False
    begun: str = ""
    tools: tuple[str, ...] = ()
    tool_schemas: tuple[dict[str, Any] | None, ...] = ()
    must_call: str | None = None
    schema: dict[str, Any] | None = None
    thinking: bool = False
    max_output_tokens: int | None = None
    input_tokens: int = 0
    embed: EmbedAsked | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A whole response that needs no script: a list of models, a health probe, an error."""

    status: int
    body: bytes
    headers: Headers = ()


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call with the id it got."""

    id: str
    name: str
    arguments: str


Finish = Literal["stop", "length", "tool_calls", "content_filter", "refusal", "pause"]
"""Why an answer ends; each wire has its own words. `pause`: the vendor interrupts a long turn, to be continued."""


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """One planned answer, before it is put on a wire.

    `chunks` are the pieces of text with their token counts; usage covers all that is generated. `input_tokens` is all
    of the prompt; `cached_tokens` of it were read from the cache and `cache_write_tokens` of it were written there.
    """

    number: int
    request_id: str
    model: str
    reasoning: tuple[str, ...] = ()
    reasoning_tokens: int = 0
    chunks: tuple[str, ...] = ()
    chunk_tokens: tuple[int, ...] = ()
    calls: tuple[Call, ...] = ()
    call_tokens: tuple[int, ...] = ()
    finish: Finish = "stop"
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    service_tier: str | None = None
    include_usage: bool = True
    embed: EmbedAsked | None = None

    @property
    def text(self) -> str:
        """All that is said."""
        return "".join(self.chunks)

    @property
    def output_tokens(self) -> int:
        """All that is generated."""
        return self.reasoning_tokens + sum(self.chunk_tokens) + sum(self.call_tokens)


PieceKind = Literal["opening", "content", "finish", "usage", "terminal"]


class Piece(msgspec.Struct, frozen=True, gc=False):
    """One event of a stream as bytes, with the tokens generated for it."""

    kind: PieceKind
    data: bytes
    tokens: int = 0


class Wire(Protocol):
    """A vendor's format. Every method is a pure function of its arguments."""

    name: WireName
    base_path: str
    """What follows the origin in a client's `base_url`."""

    def read(self, request: SimRequest, models: tuple[str, ...]) -> ChatAsked | Reply:
        """Read a request; everything that is no good chat request gets its `Reply` here."""
        ...

    def stream_head(self, spoken: Spoken) -> Headers:
        """Give the headers of a streamed 200."""
        ...

    def body_head(self, spoken: Spoken) -> Headers:
        """Give the headers of a 200 in one piece, without its length."""
        ...

    def pieces(self, spoken: Spoken, *, usage: bool) -> list[Piece]:
        """Write the whole stream, event by event; without the usage if `usage` is False."""
        ...

    def body(self, spoken: Spoken, *, finished: bool, usage: bool) -> bytes:
        """Write the answer in one piece; `finished` False leaves out that it ended."""
        ...

    def rejection(
        self, status: int, *, number: int, model: str, code: str | None = None, retry_after_s: float | None = None,
        key: str = "",
    ) -> Reply:  # fmt: skip
        """Write an HTTP error in the vendor's words."""
        ...

    def error_body(self, code: str | None = None) -> bytes:
        """Write the JSON of an error that comes in place of an answer, inside a 200; `code` is an `ErrorInside`'s."""
        ...

    def error_event(self, code: str | None = None) -> bytes:
        """Write the event of an error that comes inside a stream."""
        ...

    def malformed_event(self) -> bytes:
        """Write an event that is framed well and holds nothing that the vendor's format knows."""
        ...

    def corrupt(self, event: bytes) -> bytes:
        """Spoil the checksum of an event. Asked only of wires that have checksums."""
        ...

    def event(self, payload: bytes) -> bytes:
        """Frame any bytes as one event of a stream."""
        ...

    def event_around(self, filler_bytes: int) -> tuple[bytes, bytes]:
        """Give what stands before and behind so many letters `a` that are one event."""
        ...

    def with_latin1(self, data: bytes) -> bytes:
        """Put one Latin-1 letter behind every quote that opens a text, in a stream or a body: it is no UTF-8 there."""
        ...

    def ping(self) -> bytes:
        """Write what keeps a stream alive and says nothing."""
        ...

    def key_of(self, request: SimRequest) -> str:
        """Find the key that a request shows, or the empty string."""
        ...

    def admits(self, request: SimRequest, api_key: str) -> bool:
        """Whether the request shows this key, or proves to know it."""
        ...


class TextWire:
    """What the wires have in common whose streams are text, line by line, with a key in a header."""

    text_openings: ClassVar[tuple[bytes, ...]] = (b'"content":"', b'"text":"', b'"delta":"')
    """After which bytes a text of the answer begins, in events and in bodies."""

    def error_event(self: Wire, code: str | None = None) -> bytes:
        """Write the error as an event like any other."""
        return self.event(self.error_body(code))

    def malformed_event(self: Wire) -> bytes:
        """Write an event that holds no JSON."""
        return self.event(b'{"choices": [{"delta": {"content": "brok')

    def corrupt(self, event: bytes) -> bytes:
        """Text has no checksums."""
        raise AssertionError(f"nothing guards an event of {type(self).__name__}: {event[:40]!r}")

    def event_around(self: Wire, filler_bytes: int) -> tuple[bytes, bytes]:
        """Take an event apart where its payload stands: its framing does not depend on it."""
        opening, closing = self.event(b"\x00").split(b"\x00")
        return opening, closing

    def with_latin1(self, data: bytes) -> bytes:
        """Garble the texts, whatever the wire calls them."""
        for opening in self.text_openings:
            data = data.replace(opening, opening + b"\xe9")
        return data

    def admits(self: Wire, request: SimRequest, api_key: str) -> bool:
        """Whether the request shows this key."""
        return self.key_of(request) == api_key


def encode_json(value: object) -> bytes:
    """Write compact JSON with raw UTF-8, as the vendors do."""
    return msgspec.json.encode(value)


def identifier(*seeds: object, length: int) -> str:
    """Make an id of `length` hexadecimal digits that depends on its seeds alone."""
    name = "/".join(str(seed) for seed in seeds)
    return hashlib.shake_128(name.encode()).hexdigest((length + 1) // 2)[:length]


def http_date(number: int) -> str:
    """Write the simulated time of the `number`-th answer as HTTP does."""
    return formatdate(EPOCH_UNIX_S + number, usegmt=True)


def header_of(request: SimRequest, name: str) -> str:
    """Look up a header; the empty string where it is missing."""
    return request.headers.get(name, "")
