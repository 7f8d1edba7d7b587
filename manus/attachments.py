"""Own the way from a file, an address or bytes to a part of a prompt: `image(...)` and `document(...)`.

What a file is is told by its first bytes, not by its name. Whether a model takes it, and up to which size, is known
when a model has been chosen; here it is only made sure that it is something at all.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path, PurePath
from typing import Final, get_args
from urllib.parse import unquote_to_bytes

from manus.actors.pictures import is_pdf, picture_of
from manus.config.did_you_mean import listing
from manus.errors import InvalidRequestError
from manus.messages.content import Document, Image, ImageDetail

FILE_BYTES_MAX: Final = 48 * 1024 * 1024
"""The largest file that is read: as base64 it just fits into the largest request that anybody takes (64 MiB)."""

PICTURE_TYPES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")
PDF: Final = "application/pdf"

_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_BY_SUFFIX: Final = {
    ".csv": "text/csv",
    ".doc": "application/msword",
    ".docx": f"{_OFFICE}wordprocessingml.document",
    ".htm": "text/html",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".pdf": PDF,
    ".txt": "text/plain",
    ".xls": "application/vnd.ms-excel",
    ".xlsx": f"{_OFFICE}spreadsheetml.sheet",
    ".xml": "application/xml",
}

Source = bytes | str | Path
"""Bytes, an http, https or data URL, or the path of a file."""


def image(source: Source, *, detail: ImageDetail = "auto") -> Image:
    """Make a picture to be put into a turn. A file is read at once; an address is left to the vendor to fetch.

    ```python
    Turn(role="user", parts=(Text(text="What is this?"), image("photo.jpg")))
    ```

    Args:
        source: the picture.
        detail: how closely the model is to look, where the vendor has a word for it.

    Raises:
        InvalidRequestError: it cannot be read, or is no PNG, JPEG, GIF or WebP; the error says what it is.
    """
    if detail not in get_args(ImageDetail):
        raise InvalidRequestError(f"detail: expected {listing(get_args(ImageDetail))}")
    if isinstance(source, str) and _is_address(source):
        return Image(url=source, detail=detail)
    data, place = _bytes_of(source, "image")
    picture = picture_of(data)
    if picture is None or picture.media_type not in PICTURE_TYPES:
        shown = "no picture that is known" if picture is None else picture.media_type
        raise InvalidRequestError(f"{place}: is {shown}; models take PNG, JPEG, GIF and WebP. Convert it.")
    return Image(data=data, media_type=picture.media_type, detail=detail)


def document(source: Source, *, name: str | None = None, media_type: str | None = None) -> Document:
    """Make a document to be put into a turn. A file is read at once; an address is left to the vendor to fetch.

    Plain text travels as text, which every model reads; a PDF and office files as they are.

    Args:
        source: the document.
        name: what the model is told that it is called; left out, the file's name.
        media_type: what it is; left out, its first bytes and then its name tell.

    Raises:
        InvalidRequestError: it cannot be read, or nobody can tell what it is.
    """
    if isinstance(source, str) and _is_address(source):
        return Document(url=source, name=name or _name_in(source), media_type=media_type or PDF)
    data, place = _bytes_of(source, "document")
    called = name or (_name_in(str(source)) if isinstance(source, Path | str) and place != "document" else "document")
    suffix = PurePath(called).suffix.lower()
    kind = media_type or (PDF if is_pdf(data) else None) or _BY_SUFFIX.get(suffix)
    if kind == PDF and not is_pdf(data):
        raise InvalidRequestError(f"{place}: does not begin as a PDF does. Correct media_type, or the file.")
    if kind is None or _is_text(kind):
        text = _text_of(data)
        if text is not None:
            return Document(text=text, name=called, media_type=kind or "text/plain")
    if kind is None:
        raise InvalidRequestError(f"{place}: is neither a PDF nor UTF-8 text. Say what it is (media_type=...).")
    return Document(data=data, name=called, media_type=kind)


def _is_address(text: str) -> bool:
    return text.startswith(("https://", "http://"))


def _bytes_of(source: object, what: str) -> tuple[bytes, str]:
    """Read `source`, and say what to call it in an error: never by its content."""
    match source:
        case bytes():
            data, place = source, what
        case str() if source.startswith("data:"):
            data, place = _data_of(source, what), what
        case str() | Path():
            data, place = _file_bytes(Path(source)), f"file {str(source)!r}"
        case _:
            expected = "bytes, a path, or an http, https or data URL"
            raise InvalidRequestError(f"{what}: expected {expected}; got {type(source).__name__}")
    if not data:
        raise InvalidRequestError(f"{place}: is empty.")
    return data, place


def _file_bytes(path: Path) -> bytes:
    place = f"file {str(path)!r}"
    try:
        with path.expanduser().open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is no path"
        raise InvalidRequestError(f"{place}: cannot be read: {reason}.") from None
    if len(data) > FILE_BYTES_MAX:
        raise InvalidRequestError(f"{place}: has more than {FILE_BYTES_MAX} bytes. Send a smaller one, or its URL.")
    return data


def _data_of(url: str, what: str) -> bytes:
    head, comma, body = url.partition(",")
    if not comma:
        raise InvalidRequestError(f"{what}: expected data:MEDIA/TYPE;base64,...")
    if not head.endswith(";base64"):
        return unquote_to_bytes(body)
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequestError(f"{what}: its data URL is not base64.") from None


def _name_in(place: str) -> str:
    """Give the last piece of a path or an address; what stands behind `?` may be a signature and stays away."""
    return PurePath(place.split("?")[0].split("#")[0]).name or "document"


def _is_text(media_type: str) -> bool:
    return media_type.startswith("text/") or media_type in ("application/json", "application/xml")


def _text_of(data: bytes) -> str | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
