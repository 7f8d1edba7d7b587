"""Own the writing of a conversation as Chat Completions messages (openai.md, section 2.1).

Content is a plain string wherever it can be: some servers take nothing else for system and tool messages,
and Ollama's `/v1` splits a list into several messages.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import assert_never

from manus.actors.codecs.base import CodecOptions
from manus.actors.codecs.encoding import (
    Body,
    Unencodable,
    data_url,
    image_media_type,
    result_text,
    text_document,
    wrapped_arguments,
)
from manus.actors.codecs.normalise import WireRules
from manus.actors.codecs.openai_models import Family, family_of
from manus.actors.codecs.openai_shared import TOOL_NAME
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
    Turn,
)

_ID = re.compile(r".{1,40}", re.DOTALL)
"""Ids: any string, though 41 characters and more were refused (`string_above_max_length`)."""

_MISTRAL = re.compile(r"(?:.*/)?(?:open-)?(?:mi[sx]tral|magistral|ministral|codestral|devstral|pixtral|voxtral)", re.I)
_MISTRAL_ID = re.compile(r"[a-zA-Z0-9]{9}")
_MISTRAL_ID_CHARS = 9
"""Mistral, and servers that tokenise as its models do, refuse every other id."""


@lru_cache(maxsize=256)
def rules_for(wire: str, model: str, *, keeps_reasoning: bool) -> WireRules:
    """Give what this wire demands of a conversation with `model`.

    Args:
        keeps_reasoning: the server wants its model's thinking back, under the field that the entry names.
    """
    if _MISTRAL.match(model):
        shape, chars = _MISTRAL_ID, _MISTRAL_ID_CHARS
        return WireRules(wire=wire, id_shape=shape, made_id_chars=chars, keeps_reasoning=keeps_reasoning)
    # A deployment's name says nothing of its model, which most likely is one of OpenAI's.
    name_shape = TOOL_NAME if family_of(model).openai or wire == "azure-chat" else None
    return WireRules(wire=wire, id_shape=_ID, name_shape=name_shape, keeps_reasoning=keeps_reasoning)


def write_messages(turns: Sequence[Turn], family: Family, options: CodecOptions, *, files: bool = True) -> list[Body]:
    """Write a normalised conversation.

    Args:
        files: the server takes documents as files; without, one that is no plain text cannot go.

    Raises:
        Unencodable: a part cannot go over this wire.
    """
    messages: list[Body] = []
    pictures: list[Image] = []
    for turn in turns:
        if turn.role != "tool" and pictures:
            messages.append(_pictures_message(pictures))
            pictures = []
        if turn.role == "tool":
            results = [part for part in turn.parts if isinstance(part, ToolResult)]
            messages.extend(_tool_message(result) for result in results)
            pictures.extend(part for result in results for part in result.content if isinstance(part, Image))
        elif turn.role == "assistant":
            messages.append(_assistant_message(turn, family, options))
        else:
            messages.append(_message(turn, family, options, files=files))
    if pictures:
        messages.append(_pictures_message(pictures))
    return messages


def _message(turn: Turn, family: Family, options: CodecOptions, *, files: bool) -> Body:
    role: str = turn.role
    if turn.role == "system":
        role = family.system if options.system_role == "auto" else options.system_role
    breakpoints = family.explicit_cache and any(part.cache for part in turn.parts)
    texts = [part.text for part in turn.parts if isinstance(part, Text | Refusal)]
    message: Body = {"role": role}
    if len(texts) == len(turn.parts) and not breakpoints and (turn.role == "system" or len(texts) == 1):
        message["content"] = "\n".join(texts)
    else:
        message["content"] = [_content_part(part, breakpoints=breakpoints, files=files) for part in turn.parts]
    if turn.name:
        message["name"] = turn.name
    return message


def _content_part(part: AnyPart, *, breakpoints: bool, files: bool) -> Body:
    match part:
        case Text() | Refusal():
            written: Body = {"type": "text", "text": part.text}
        case Image():
            written = {"type": "image_url", "image_url": _image(part)}
        case Document():
            written = _document(part, files=files)
        case Audio():
            sound = {"data": base64.b64encode(part.data).decode(), "format": part.format}
            written = {"type": "input_audio", "input_audio": sound}
        case ToolCall() | ToolResult() | Reasoning() | Citation() | Opaque():
            raise Unencodable("invalid_request", f"A {_kind(part)} cannot stand in a user's or system's turn.", "turns")
        case _:
            assert_never(part)
    if breakpoints and part.cache:
        written["prompt_cache_breakpoint"] = {"mode": "explicit"}
    return written


def _image(image: Image) -> Body:
    if image.data is not None:
        url = data_url(image.data, image_media_type(image.data, image.media_type))
    elif image.url is not None:
        url = image.url
    else:
        raise Unencodable(
            "unsupported", "Chat Completions takes no file ids for images: send bytes or a URL.", "turns.image.file_id"
        )
    return {"url": url} if image.detail == "auto" else {"url": url, "detail": image.detail}


def _document(document: Document, *, files: bool) -> Body:
    text = document.text
    if text is None and document.data is not None:
        text = text_document(document.data, document.media_type)
    if text is not None:
        return {"type": "text", "text": f"{document.name}:\n{text}"}
    if not files:
        message = 'This server takes no documents over Chat Completions: set wire.api = "responses", or send text.'
        raise Unencodable("unsupported", message, "turns.document")
    if document.file_id is not None:
        return {"type": "file", "file": {"file_id": document.file_id}}
    if document.data is None:
        raise Unencodable(
            "unsupported",
            "Chat Completions takes no URLs for documents: fetch it and send bytes.",
            "turns.document.url",
        )
    return {
        "type": "file",
        "file": {"filename": document.name, "file_data": data_url(document.data, document.media_type)},
    }


def _assistant_message(turn: Turn, family: Family, options: CodecOptions) -> Body:
    texts = [part.text for part in turn.parts if isinstance(part, Text)]
    refusals = [part.text for part in turn.parts if isinstance(part, Refusal)]
    calls = [_call(part) for part in turn.parts if isinstance(part, ToolCall)]
    if refusals and not family.openai:
        texts.extend(refusals)  # only OpenAI knows the field; to others it was what the assistant said
        refusals = []
    message: Body = {"role": "assistant", "content": "".join(texts) if texts else None}
    if message["content"] is None and not calls and not refusals:
        message["content"] = ""
    if refusals:
        message["refusal"] = "".join(refusals)
    if options.reasoning_field is not None:
        thought = "".join(part.text for part in turn.parts if isinstance(part, Reasoning))
        if thought:
            message[options.reasoning_field] = thought
    if calls:
        message["tool_calls"] = calls
    if turn.name:
        message["name"] = turn.name
    _refuse_others(turn.parts)
    return message


def _call(call: ToolCall) -> Body:
    # Always the model's own text, valid or not: that is what it said. Some servers parse it (Ollama's
    # `/v1` refuses what is no JSON), so a call that was cut short goes wrapped.
    arguments = call.arguments if call.valid else wrapped_arguments(call.arguments)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _tool_message(result: ToolResult) -> Body:
    return {"role": "tool", "tool_call_id": result.id, "content": result_text(result)}


def _pictures_message(pictures: Iterable[Image]) -> Body:
    # Tool messages hold no images, and nothing but tool messages may stand between calls and results.
    parts: list[Body] = [{"type": "text", "text": "Images that the tools returned:"}]
    parts.extend({"type": "image_url", "image_url": _image(image)} for image in pictures)
    return {"role": "user", "content": parts}


def _refuse_others(parts: Iterable[AnyPart]) -> None:
    for part in parts:
        if isinstance(part, Image | Document | Audio):
            raise Unencodable("unsupported", f"An assistant's turn cannot hold a {_kind(part)} on this wire.", "turns")


def _kind(part: AnyPart) -> str:
    return type(part).__name__.lower()
