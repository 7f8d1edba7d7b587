"""Own what encoders share: refusals as values, warnings, media types, and writing the body.

An encoder raises `Unencodable` deep inside and turns it into a `Failed` at its own border, which keeps
the writing of nested bodies readable. Bodies are written deterministically: keys in the order in which
the encoder puts them, so that equal requests are equal bytes and prompt caches stay warm.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from manus.messages.content import Image, Text, ToolResult
from manus.messages.events import WarningRaised
from manus.messages.failures import Failed, FailureKind
from manus.messages.policy import Bounds

Body = dict[str, Any]
"""A JSON object being written. Any: its values are JSON, down to the leaves."""


class Unencodable(Exception):
    """The request cannot be written for this wire. Never leaves a codec."""

    def __init__(self, kind: FailureKind, message: str, param: str) -> None:
        super().__init__(message)
        self.failure = Failed(kind=kind, message=message, param=param, safe_to_retry=True, phase="queued")


class Warnings:
    """Gathers what an encoder had to drop or adapt; each thing is said once."""

    __slots__ = ("_raised",)

    def __init__(self) -> None:
        self._raised: dict[str, WarningRaised] = {}

    def say(self, code: str, message: str) -> None:
        """Note one thing that the caller asked for and does not get."""
        self._raised.setdefault(code, WarningRaised(code=code, message=message))

    def all(self) -> tuple[WarningRaised, ...]:
        """Give everything noted, in order."""
        return tuple(self._raised.values())


def write_body(body: Body, bounds: Bounds) -> bytes:
    """Write the body as UTF-8 JSON.

    Raises:
        Unencodable: it holds a lone surrogate, or is longer than `Bounds.request_bytes`.
    """
    try:
        data = msgspec.json.encode(body)
    except UnicodeEncodeError:
        message = "The request holds a lone surrogate, which is no text. Replace it before sending."
        raise Unencodable("invalid_request", message, "turns") from None
    if len(data) > bounds.request_bytes:
        message = f"The request is {len(data)} bytes long; the bound is {bounds.request_bytes} (request_bytes)."
        raise Unencodable("too_large", message, "turns")
    return data


def options_of(extra: Mapping[str, msgspec.Raw], *names: str) -> dict[str, msgspec.Raw]:
    """Read the caller's own vendor options: those of the wire family first, the entry's own over them.

    Raises:
        Unencodable: one of them is no JSON object.
    """
    merged: dict[str, msgspec.Raw] = {}
    for name in dict.fromkeys(names):
        if name not in extra:
            continue
        try:
            merged.update(_decode_options(extra[name]))
        except (ValueError, RecursionError):
            raise Unencodable(
                "invalid_request", f"extra[{name!r}] must be a JSON object of vendor options.", f"extra.{name}"
            ) from None
    return merged


def data_url(data: bytes, media_type: str) -> str:
    """Write bytes as a `data:` URL."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def image_media_type(data: bytes, declared: str | None) -> str:
    """Tell an image's type by its first bytes, which vendors check, rather than by what was declared."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return declared or "image/png"


def is_text(media_type: str) -> bool:
    """Tell whether documents of this type are plain text under another name."""
    return re.match(r"text/|application/(json|xml|yaml|x-yaml|toml)\b", media_type) is not None


def text_document(data: bytes, media_type: str) -> str | None:
    """Give the text of a document that is plain text under another name; None for anything else."""
    if not is_text(media_type):
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def result_text(result: ToolResult) -> str:
    """Join a result's text; an error is said in words, on wires that have no flag for it."""
    text = "\n".join(part.text for part in result.content if isinstance(part, Text))
    if any(isinstance(part, Image) for part in result.content):
        text = f"{text}\n(images follow)" if text else "(images follow)"
    return f"Error: {text}" if result.is_error else text


def wrapped_arguments(arguments: str) -> str:
    """Make an object of arguments that are none, as when a token limit cut them."""
    return msgspec.json.encode({"_raw": arguments}).decode()


_decode_options = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
