"""Own what a conversation is made of: turns, their parts, tool calls and tool results.

Vendors' shapes differ; these are the canonical ones. A codec translates, and nothing else does.
Every part is immutable data and survives a round trip through JSON (bytes as base64).
"""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["system", "user", "assistant", "tool"]
CacheLife = Literal["short", "long"]
ImageDetail = Literal["auto", "low", "high"]


class Part(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """What one piece of a turn has in common with the others.

    `cache` asks the vendor to cache the prompt up to and including this part, where it can.
    """

    cache: CacheLife | None = None


class Text(Part, frozen=True, kw_only=True, tag="text", omit_defaults=True):
    """Plain text. Never holds a lone surrogate or a NUL once a request has been validated."""

    text: str


class Image(Part, frozen=True, kw_only=True, tag="image", omit_defaults=True):
    """A picture: exactly one of `data` (raw bytes), `url` or `file_id` is set."""

    data: bytes | None = None
    url: str | None = None
    file_id: str | None = None
    media_type: str | None = None
    detail: ImageDetail = "auto"


class Document(Part, frozen=True, kw_only=True, tag="document", omit_defaults=True):
    """A file to be read by the model: exactly one of `data`, `url`, `text` or `file_id` is set."""

    data: bytes | None = None
    url: str | None = None
    text: str | None = None
    file_id: str | None = None
    name: str = "document"
    media_type: str = "application/pdf"


class Audio(Part, frozen=True, kw_only=True, tag="audio", omit_defaults=True):
    """Recorded sound as raw bytes with the container's name (`wav`, `mp3`)."""

    data: bytes
    format: str = "wav"


class ToolCall(Part, frozen=True, kw_only=True, tag="tool_call", omit_defaults=True):
    """The model asks the caller to run a tool.

    `arguments` is the vendor's JSON text as it came. `valid` is False where that text is not a JSON
    object (cut by a token limit, for instance): such a call must never be run.
    """

    id: str
    name: str
    arguments: str = "{}"
    valid: bool = True


class ToolResult(Part, frozen=True, kw_only=True, tag="tool_result", omit_defaults=True):
    """The caller's answer to one `ToolCall`, matched by `id`. Content is text and images."""

    id: str
    name: str | None = None
    content: tuple[Text | Image, ...] = ()
    is_error: bool = False


class Reasoning(Part, frozen=True, kw_only=True, tag="reasoning", omit_defaults=True):
    """Thinking shown by the model, with what the vendor needs to accept it back.

    `signature`, `encrypted`, `redacted` and `id` are opaque to us and only ever go back to the
    `provider` (its wire family) and `model` that made them.
    """

    text: str = ""
    signature: str | None = None
    encrypted: str | None = None
    redacted: str | None = None
    id: str | None = None
    provider: str | None = None
    model: str | None = None


class Refusal(Part, frozen=True, kw_only=True, tag="refusal", omit_defaults=True):
    """The model's own words for declining."""

    text: str


class Citation(Part, frozen=True, kw_only=True, tag="citation", omit_defaults=True):
    """A source the answer names. `raw` keeps the vendor's whole object as JSON."""

    title: str | None = None
    url: str | None = None
    quote: str | None = None
    raw: msgspec.Raw = msgspec.Raw(b"null")


class Opaque(Part, frozen=True, kw_only=True, tag="opaque", omit_defaults=True):
    """A vendor's own part that we carry without reading: server-side tools, compaction, audio out.

    `raw` is the vendor's JSON. It is echoed to the same `provider` family and `model`, and dropped for others.
    """

    provider: str
    kind: str
    raw: msgspec.Raw
    model: str | None = None


AnyPart = Text | Image | Document | Audio | ToolCall | ToolResult | Reasoning | Refusal | Citation | Opaque


class VendorTurn(msgspec.Struct, frozen=True, kw_only=True):
    """The raw payload of an assistant turn, replayed when the next call goes to the same model.

    Args:
        provider: wire family (`openai-chat`, `ollama`, ...), not the configured entry's name.
        model: the model as requested.
        raw: the vendor's message object as JSON.
    """

    provider: str
    model: str
    raw: msgspec.Raw


class Turn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of a conversation. Tool results stand in turns of role `tool`."""

    role: Role
    parts: tuple[AnyPart, ...] = ()
    name: str | None = None
    vendor: VendorTurn | None = None


def text_turn(role: Role, text: str) -> Turn:
    """Make the commonest turn: one piece of text."""
    return Turn(role=role, parts=(Text(text=text),))


def text_of(parts: tuple[AnyPart, ...]) -> str:
    """Join the text of `parts`, leaving out everything that is not `Text`."""
    return "".join(part.text for part in parts if isinstance(part, Text))
