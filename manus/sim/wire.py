"""Own what the simulated wires have in common: what a provider is asked, what it says, and the protocol
that turns the one into the other's bytes. Knows no vendor, no fault and no pace.
"""

from __future__ import annotations

import hashlib
from email.utils import formatdate
from typing import Literal, Protocol

import msgspec

WireName = Literal["openai", "openai-responses", "anthropic", "bedrock", "ollama", "azure"]

EPOCH_UNIX_S = 1_788_220_800
"""Simulated time begins at 2026-09-01T00:00:00Z; the n-th request is answered n seconds later. So bytes
depend on no clock."""

REQUEST_BYTES_MAX = 64 * 1024 * 1024
"""A request body longer than this is refused with 413, as the vendors' edges do."""

Headers = tuple[tuple[str, str], ...]


class SimRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came in. Header names are lower-case; `path` is without the query."""

    method: str
    path: str
    headers: dict[str, str] = {}
    body: bytes = b""


class ChatAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What a chat request asks for, read from either wire.

    Args:
        model: as named in the request.
        stream: whether the answer is to be streamed.
        include_usage: whether a stream ends with the usage.
        prompt: the text of the last user message.
        answers_tool: whether the conversation ends with a tool's result.
        tools: names of the tools offered.
        max_output_tokens: where the answer is to be cut.
        input_tokens: what the prompt costs by the rule of `words.py`.
    """

    model: str
    stream: bool
    include_usage: bool = True
    prompt: str = ""
    answers_tool: bool = False
    tools: tuple[str, ...] = ()
    max_output_tokens: int | None = None
    input_tokens: int = 0


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


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """One planned answer, before it is put on a wire.

    `chunks` are the pieces of text with their token counts; usage covers all that is generated.
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
    finish: str = "stop"
    input_tokens: int = 0
    cached_tokens: int = 0
    include_usage: bool = True

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

    def error_body(self) -> bytes:
        """Write the JSON of an error that comes inside a 200."""
        ...

    def event(self, payload: bytes) -> bytes:
        """Frame any bytes as one event of a stream."""
        ...

    def ping(self) -> bytes:
        """Write what keeps a stream alive and says nothing."""
        ...

    def key_of(self, request: SimRequest) -> str:
        """Find the key that a request shows, or the empty string."""
        ...


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
