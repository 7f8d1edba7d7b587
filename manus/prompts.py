"""Own the way from what a caller says to canonical turns: text, turns, or messages in OpenAI's shape.

What is checked here is the shape that Python's types leave open, and text in the caller's own terms; `actors.validate`
checks the canonical request that comes of it. An error names the place and the mend and never quotes the prompt.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast, get_args

import msgspec

from manus.config.did_you_mean import listing, suggestion
from manus.errors import InvalidRequestError
from manus.messages.content import (
    AnyPart,
    Audio,
    Document,
    Image,
    ImageDetail,
    Part,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    VendorTurn,
)

Prompt = str | Turn | Mapping[str, Any] | Sequence[Turn | Mapping[str, Any]]
"""What may stand for a prompt; Any: OpenAI's messages nest parts of several shapes."""

PROMPT_BYTES_MAX: Final = 8 * 1024 * 1024
"""Text of one request, in UTF-8 bytes. The largest context windows (a million tokens) hold about five of these."""

TURNS_MAX: Final = 10_000

ROLES: Final = ("system", "developer", "user", "assistant", "tool")
_MESSAGE_KEYS: Final = ("role", "content", "name", "tool_calls", "tool_call_id", "refusal")
_PART_KEYS: Final = {
    "text": ("type", "text"),
    "image_url": ("type", "image_url"),
    "input_audio": ("type", "input_audio"),
    "file": ("type", "file"),
    "refusal": ("type", "refusal"),
}


def turns_of(prompt: Prompt, *, system_prompt: object = None) -> tuple[Turn, ...]:
    """Turn a prompt into a conversation, system turns first.

    Raises:
        InvalidRequestError: it is too large, of no known shape, or holds what no wire can carry.
    """
    turns = [*_listed(prompt)]
    if system_prompt is not None:
        if not isinstance(system_prompt, str):
            raise InvalidRequestError("system_prompt: expected text")
        turns.insert(0, Turn(role="system", parts=(Text(text=clean(system_prompt, "system_prompt")),)))
    size_bytes = sum(_text_bytes(part) for turn in turns for part in turn.parts)
    if size_bytes > PROMPT_BYTES_MAX:
        raise InvalidRequestError(
            f"The prompt holds {size_bytes} bytes of text, more than the {PROMPT_BYTES_MAX} that one request may have; "
            "shorten it, or send it in parts."
        )
    return tuple(turns)


def clean(text: str, place: str) -> str:
    """Give `text` back if every wire can carry it.

    Raises:
        InvalidRequestError: it holds a NUL or a lone surrogate; the error names `place` and the position.
    """
    position = text.find("\0")
    if position >= 0:
        raise InvalidRequestError(f"{place}: holds a NUL character at position {position}; remove it")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidRequestError(
            f"{place}: holds a lone surrogate at position {error.start}, which is no character; "
            "decode the text anew, or remove it"
        ) from None
    return text


def _listed(prompt: object) -> list[Turn]:
    match prompt:
        case str():
            return [Turn(role="user", parts=(Text(text=clean(prompt, "prompt")),))]
        case Turn():
            return [_checked(prompt, "prompt")]
        case Mapping():
            return [_turn_of_message(prompt, "prompt")]
        case Sequence() if not isinstance(prompt, bytes | bytearray | memoryview):
            if len(prompt) > TURNS_MAX:
                raise InvalidRequestError(f"messages: {len(prompt)} of them; a request may have at most {TURNS_MAX}")
            return [_turn_of(item, f"messages[{index}]") for index, item in enumerate(prompt)]
        case _:
            expected = "text, a Turn, or a list of Turns or of messages {'role': ..., 'content': ...}"
            raise InvalidRequestError(f"prompt: expected {expected}; got {type(prompt).__name__}")


def _turn_of(item: object, place: str) -> Turn:
    match item:
        case Turn():
            return _checked(item, place)
        case Mapping():
            return _turn_of_message(item, place)
        case _:
            raise InvalidRequestError(f"{place}: expected a Turn or a message; got {type(item).__name__}")


def _checked(turn: Turn, place: str) -> Turn:
    """Check a caller's own turn: Structs do not look at what they are made of."""
    if turn.role not in get_args(Role):
        raise InvalidRequestError(f"{place}.role: expected {listing(get_args(Role))}")
    if not isinstance(turn.parts, tuple):
        raise InvalidRequestError(f"{place}.parts: expected a tuple of parts; got {type(turn.parts).__name__}")
    if turn.name is not None:
        _text(turn.name, f"{place}.name")
    if not isinstance(turn.vendor, VendorTurn | None):
        raise InvalidRequestError(
            f"{place}.vendor: expected what an answer's turn has; got {type(turn.vendor).__name__}"
        )
    for index, part in enumerate(turn.parts):
        _check_part(part, f"{place}.parts[{index}]")
    return turn


def _check_part(part: object, place: str) -> None:
    if not isinstance(part, Part):
        raise InvalidRequestError(f"{place}: expected a part such as Text(text=...); got {type(part).__name__}")
    fields = msgspec.structs.asdict(part)
    try:
        msgspec.convert(fields, type(part), builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        raise InvalidRequestError(f"{place}: {error}") from None
    if isinstance(part, ToolResult):
        for index, inner in enumerate(part.content):
            _check_part(inner, f"{place}.content[{index}]")


def _turn_of_message(message: Mapping[str, Any], place: str) -> Turn:
    _known_keys(message, _MESSAGE_KEYS, place)
    role = message.get("role")
    if role not in ROLES:
        raise InvalidRequestError(f"{place}.role: expected {listing(ROLES)}{_near(role, ROLES)}")
    if role == "tool":
        return Turn(role="tool", parts=(_tool_result(message, place),))
    parts: list[AnyPart] = list(_parts(message.get("content"), f"{place}.content"))
    if message.get("refusal") is not None:
        parts.append(Refusal(text=_text(message["refusal"], f"{place}.refusal")))
    calls = message.get("tool_calls")
    if calls is not None:
        if role != "assistant":
            raise InvalidRequestError(f"{place}.tool_calls: only an assistant calls tools")
        parts.extend(_tool_calls(calls, f"{place}.tool_calls"))
    name = message.get("name")
    canonical = "system" if role == "developer" else role
    return Turn(
        role=cast("Role", canonical),
        parts=tuple(parts),
        name=None if name is None else _text(name, f"{place}.name"),
    )


def _parts(content: object, place: str) -> list[AnyPart]:
    match content:
        case None:
            return []
        case str():
            return [Text(text=clean(content, place))] if content else []
        case list() | tuple():
            return [_part(item, f"{place}[{index}]") for index, item in enumerate(content)]
        case _:
            raise InvalidRequestError(f"{place}: expected text or a list of parts; got {type(content).__name__}")


def _part(item: object, place: str) -> AnyPart:
    if isinstance(item, Part):
        _check_part(item, place)
        return cast("AnyPart", item)
    if not isinstance(item, Mapping):
        raise InvalidRequestError(f"{place}: expected a part {{'type': 'text', ...}}; got {type(item).__name__}")
    kind = item.get("type")
    if not isinstance(kind, str) or kind not in _PART_KEYS:
        raise InvalidRequestError(f"{place}.type: expected {listing(_PART_KEYS)}{_near(kind, _PART_KEYS)}")
    _known_keys(item, _PART_KEYS[kind], place)
    inner = item.get(kind)
    match kind:
        case "text":
            return Text(text=_text(inner, f"{place}.text"))
        case "refusal":
            return Refusal(text=_text(inner, f"{place}.refusal"))
        case "image_url":
            return _image(inner, f"{place}.image_url")
        case "input_audio":
            audio = _fields(inner, ("data", "format"), f"{place}.input_audio")
            data = _base64(audio.get("data"), f"{place}.input_audio.data")
            return Audio(data=data, format=_text(audio.get("format", "wav"), f"{place}.input_audio.format"))
        case _:
            return _file(inner, f"{place}.file")


def _image(value: object, place: str) -> Image:
    fields = {"url": value} if isinstance(value, str) else _fields(value, ("url", "detail"), place)
    url = _text(fields.get("url"), f"{place}.url")
    detail = fields.get("detail", "auto")
    if detail not in get_args(ImageDetail):
        raise InvalidRequestError(f"{place}.detail: expected {listing(get_args(ImageDetail))}")
    if url.startswith("data:"):
        media_type, data = _data_url(url, f"{place}.url")
        return Image(data=data, media_type=media_type, detail=cast("ImageDetail", detail))
    if not url.startswith(("https://", "http://")):
        raise InvalidRequestError(f"{place}.url: expected an http, https or data URL")
    return Image(url=url, detail=cast("ImageDetail", detail))


def _file(value: object, place: str) -> Document:
    fields = _fields(value, ("file_id", "file_data", "filename"), place)
    name = _text(fields.get("filename", "document"), f"{place}.filename")
    if "file_id" in fields:
        return Document(file_id=_text(fields["file_id"], f"{place}.file_id"), name=name)
    text = _text(fields.get("file_data"), f"{place}.file_data")
    if text.startswith("data:"):
        media_type, data = _data_url(text, f"{place}.file_data")
        return Document(data=data, media_type=media_type, name=name)
    return Document(data=_base64(text, f"{place}.file_data"), name=name)


def _tool_result(message: Mapping[str, Any], place: str) -> ToolResult:
    content = _parts(message.get("content"), f"{place}.content")
    if not all(isinstance(part, Text | Image) for part in content):
        raise InvalidRequestError(f"{place}.content: a tool's result is text and images")
    name = message.get("name")
    return ToolResult(
        id=_text(message.get("tool_call_id"), f"{place}.tool_call_id"),
        name=None if name is None else _text(name, f"{place}.name"),
        content=tuple(part for part in content if isinstance(part, Text | Image)),
    )


def _tool_calls(calls: object, place: str) -> list[ToolCall]:
    if not isinstance(calls, list | tuple):
        raise InvalidRequestError(f"{place}: expected a list of calls; got {type(calls).__name__}")
    made: list[ToolCall] = []
    for index, call in enumerate(calls):
        where = f"{place}[{index}]"
        fields = _fields(call, ("id", "type", "function"), where)
        function = _fields(fields.get("function"), ("name", "arguments"), f"{where}.function")
        made.append(
            ToolCall(
                id=_text(fields.get("id"), f"{where}.id"),
                name=_text(function.get("name"), f"{where}.function.name"),
                arguments=_text(function.get("arguments", "{}"), f"{where}.function.arguments"),
            )
        )
    return made


def _fields(value: object, keys: Sequence[str], place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidRequestError(f"{place}: expected an object with {listing(keys)}; got {type(value).__name__}")
    _known_keys(value, keys, place)
    return value


def _known_keys(value: Mapping[str, Any], keys: Sequence[str], place: str) -> None:
    for key in value:
        if key not in keys:
            shown = f"key {key}" if isinstance(key, str) and key.isidentifier() else "key"
            raise InvalidRequestError(f"{place}: unknown {shown}{_near(key, keys)}; it may have {listing(keys)}")


def _near(value: object, known: Sequence[str] | Mapping[str, object]) -> str:
    return suggestion(value, known) if isinstance(value, str) else ""


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise InvalidRequestError(f"{place}: expected text; got {type(value).__name__}")
    return clean(value, place)


def _data_url(url: str, place: str) -> tuple[str, bytes]:
    head, comma, body = url.partition(",")
    media_type, semicolon, encoding = head.removeprefix("data:").rpartition(";")
    if not comma or not semicolon or encoding != "base64":
        raise InvalidRequestError(f"{place}: expected data:MEDIA/TYPE;base64,...")
    return media_type, _base64(body, place)


def _base64(value: object, place: str) -> bytes:
    text = _text(value, place)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequestError(f"{place}: is not base64") from None


def _text_bytes(part: AnyPart) -> int:
    """Count a part's text; pictures and files have the bound of the whole request body instead."""
    match part:
        case Text(text=text) | Refusal(text=text):
            return _utf8_bytes(text)
        case ToolCall(arguments=arguments):
            return _utf8_bytes(arguments)
        case ToolResult(content=content):
            return sum(_text_bytes(each) for each in content)
        case Document(text=str(text)):
            return _utf8_bytes(text)
        case _:
            return 0


def _utf8_bytes(text: str) -> int:
    # A lone surrogate is somebody else's to refuse; here it only must not stand in the way of counting.
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
