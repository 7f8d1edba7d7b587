"""Own the writing of single parts as Messages content blocks (anthropic.md, section 2.2).

Blank text is refused by the vendor and left out. What a block of this wire cannot hold (audio, a Word file) is a
failure that names the part. Files that were uploaded before need a beta, which is noted.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import assert_never

import msgspec

from manus.actors.codecs.encoding import Body, Unencodable, image_media_type, text_document, wrapped_arguments
from manus.actors.codecs.json_text import MALFORMED_ERRORS
from manus.messages.content import (
    AnyPart,
    Audio,
    Citation,
    Document,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)

FILES_BETA = "files-api-2025-04-14"

_IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_UNTITLED = "document"

_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def user_block(part: AnyPart, betas: set[str]) -> Body | None:
    """Write a part of the user's; None where nothing is left of it."""
    match part:
        case Text() | Refusal():
            return {"type": "text", "text": part.text} if part.text.strip() else None
        case Image():
            return {"type": "image", "source": _image_source(part, betas)}
        case Document():
            return _document(part, betas)
        case ToolResult():
            return _result(part, betas)
        case Audio():
            raise Unencodable("unsupported", "Anthropic takes no audio: choose another provider.", "turns.audio")
        case Opaque():
            return _members(part.raw)
        case ToolCall() | Reasoning() | Citation():
            raise Unencodable("invalid_request", f"A {_kind(part)} cannot stand in a user's turn.", "turns")
        case _:
            assert_never(part)


def assistant_block(part: AnyPart) -> Body | None:
    """Write a part of the assistant's; None where nothing is left of it. Citations go with their text."""
    match part:
        case Text() | Refusal():
            return {"type": "text", "text": part.text} if part.text.strip() else None
        case Reasoning():
            return _thinking(part)
        case ToolCall():
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": _input(part)}
        case Opaque():
            return _members(part.raw)
        case Citation():
            return None
        case Image() | Document() | Audio() | ToolResult():
            raise Unencodable("unsupported", f"An assistant's turn cannot hold a {_kind(part)} on this wire.", "turns")
        case _:
            assert_never(part)


def own_citations(parts: Iterable[Citation]) -> list[msgspec.Raw]:
    """Give those citations that this wire wrote itself: their types end in `_location`."""
    return [part.raw for part in parts if _is_location(part.raw)]


def cache_control(life: str) -> Body:
    """Write a cache breakpoint."""
    return {"type": "ephemeral", "ttl": "1h"} if life == "long" else {"type": "ephemeral"}


def _image_source(image: Image, betas: set[str]) -> Body:
    if image.data is not None:
        media_type = image_media_type(image.data, image.media_type)
        if media_type not in _IMAGE_TYPES:
            text = f"Anthropic takes PNG, JPEG, GIF and WebP images, not {media_type}: convert it."
            raise Unencodable("unsupported", text, "turns.image.media_type")
        return {"type": "base64", "media_type": media_type, "data": base64.b64encode(image.data).decode()}
    if image.url is not None:
        return {"type": "url", "url": image.url}
    betas.add(FILES_BETA)
    return {"type": "file", "file_id": image.file_id}


def _document(document: Document, betas: set[str]) -> Body | None:
    text = document.text
    if text is None and document.data is not None:
        text = text_document(document.data, document.media_type)
    if text is not None:
        if not text.strip():
            return None
        source: Body = {"type": "text", "media_type": "text/plain", "data": text}
    elif document.data is not None:
        if document.media_type != "application/pdf" and not document.data.startswith(b"%PDF-"):
            message = f"Anthropic reads PDF and text documents, not {document.media_type}: convert it."
            raise Unencodable("unsupported", message, "turns.document.media_type")
        data = base64.b64encode(document.data).decode()
        source = {"type": "base64", "media_type": "application/pdf", "data": data}
    elif document.url is not None:
        source = {"type": "url", "url": document.url}
    else:
        betas.add(FILES_BETA)
        source = {"type": "file", "file_id": document.file_id}
    block: Body = {"type": "document", "source": source}
    if document.name and document.name != _UNTITLED:
        block["title"] = document.name
    return block


def _result(result: ToolResult, betas: set[str]) -> Body:
    block: Body = {"type": "tool_result", "tool_use_id": result.id}
    content = [written for part in result.content if (written := user_block(part, betas)) is not None]
    if len(content) == 1 and content[0]["type"] == "text":
        block["content"] = content[0]["text"]
    elif content:
        block["content"] = content  # left out where it is empty: an empty list is refused
    if result.is_error:
        block["is_error"] = True
    return block


def _thinking(part: Reasoning) -> Body | None:
    if part.redacted is not None:
        return {"type": "redacted_thinking", "data": part.redacted}
    if not part.signature:
        return None  # cut off before it was signed: the vendor would refuse it
    # The text may be empty, where the vendor shows none; the signature is what counts then.
    return {"type": "thinking", "thinking": part.text, "signature": part.signature}


def _input(call: ToolCall) -> dict[str, msgspec.Raw]:
    arguments = call.arguments if call.valid else wrapped_arguments(call.arguments)
    try:
        # Checked, because one bad call in a long history would spoil the whole body.
        return _decode_members(arguments)
    except MALFORMED_ERRORS:
        return _decode_members(wrapped_arguments(arguments))


def _members(raw: msgspec.Raw) -> Body | None:
    """Give a block as it came, its type as text; None for what is no block."""
    try:
        members: Body = dict(_decode_members(raw))
        members["type"] = msgspec.json.decode(members["type"], type=str)
    except (*MALFORMED_ERRORS, KeyError):
        return None
    return members


def _is_location(raw: msgspec.Raw) -> bool:
    try:
        value = msgspec.json.decode(raw)
    except MALFORMED_ERRORS:
        return False
    kind = value.get("type") if isinstance(value, dict) else None
    return isinstance(kind, str) and kind.endswith("_location")


def _kind(part: AnyPart) -> str:
    return type(part).__name__.lower()
