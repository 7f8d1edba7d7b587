"""Own the writing of a conversation as Responses input items (openai.md, section 5.1).

Nothing is left on the server (`store` is off), so all that a model needs of its former turns is sent again: its
thinking, encrypted, before the item that it led to, and the items of tools that the vendor ran. Ids of items are
left out elsewhere: they cannot be looked up, and an item that names one is refused without its thinking.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, assert_never

import msgspec

from manus.actors.codecs.encoding import (
    Body,
    Unencodable,
    Warnings,
    data_url,
    image_media_type,
    result_text,
    text_document,
    wrapped_arguments,
)
from manus.actors.codecs.json_text import MALFORMED_ERRORS
from manus.actors.codecs.normalise import WireRules
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

ID_SHAPE = re.compile(r".{1,64}", re.DOTALL)
"""Call ids: any string, of 64 characters at most."""

_ANNOTATIONS = ("url_citation", "file_citation", "container_file_citation", "file_path")


@lru_cache(maxsize=8)
def rules_for(wire: str) -> WireRules:
    """Give what this wire demands of a conversation, for the place where it is spoken."""
    return WireRules(
        wire=wire,
        id_shape=ID_SHAPE,
        name_shape=TOOL_NAME,
        keeps_reasoning=True,
        keeps_opaque=True,
        keeps_citations=True,
        keeps_vendor_turns=True,
    )


def write_items(turns: Sequence[Turn], system_role: str, *, breakpoints: bool, warnings: Warnings) -> list[Body]:
    """Write a normalised conversation.

    Args:
        turns: without the turn that went into `instructions`.
        system_role: the label of system turns.
        breakpoints: the model takes explicit cache breakpoints.
        warnings: told of what has no place here.

    Raises:
        Unencodable: a part cannot go over this wire.
    """
    items: list[Body] = []
    for turn in turns:
        if turn.name:
            warnings.say("name_dropped", "This wire has no names of speakers.")
        if turn.role == "tool":
            items.extend(_result_item(part) for part in turn.parts if isinstance(part, ToolResult))
        elif turn.role == "assistant":
            items.extend(_AssistantItems().written(turn.parts) if turn.vendor is None else replayed(turn.vendor.raw))
        else:
            role = system_role if turn.role == "system" else "user"
            items.append({"role": role, "content": _content(turn.parts, breakpoints=breakpoints)})
    return items


def _content(parts: tuple[AnyPart, ...], *, breakpoints: bool) -> str | list[Body]:
    marked = breakpoints and any(part.cache for part in parts)
    if len(parts) == 1 and isinstance(parts[0], Text) and not marked:
        return parts[0].text
    return [_marked(_input_part(part), part, marked) for part in parts]


def _marked(written: Body, part: AnyPart, marked: bool) -> Body:
    if marked and part.cache:
        written["prompt_cache_breakpoint"] = {"mode": "explicit"}
    return written


def _input_part(part: AnyPart) -> Body:
    match part:
        case Text() | Refusal():
            return {"type": "input_text", "text": part.text}
        case Image():
            return _image(part)
        case Document():
            return _document(part)
        case Audio():
            sound = {"data": base64.b64encode(part.data).decode(), "format": part.format}
            return {"type": "input_audio", "input_audio": sound}
        case ToolCall() | ToolResult() | Reasoning() | Citation() | Opaque():
            raise Unencodable("invalid_request", f"A {_kind(part)} cannot stand in a user's or system's turn.", "turns")
        case _:
            assert_never(part)


def _image(image: Image) -> Body:
    written: Body = {"type": "input_image"}
    if image.data is not None:
        written["image_url"] = data_url(image.data, image_media_type(image.data, image.media_type))
    elif image.url is not None:
        written["image_url"] = image.url
    else:
        written["file_id"] = image.file_id
    if image.detail != "auto":
        written["detail"] = image.detail
    return written


def _document(document: Document) -> Body:
    if document.file_id is not None:
        return {"type": "input_file", "file_id": document.file_id}
    if document.url is not None:
        return {"type": "input_file", "file_url": document.url}
    text = document.text
    if text is None and document.data is not None:
        text = text_document(document.data, document.media_type)
    if text is not None:
        return {"type": "input_text", "text": f"{document.name}:\n{text}"}
    assert document.data is not None
    file_data = data_url(document.data, document.media_type)
    return {"type": "input_file", "filename": document.name, "file_data": file_data}


def _result_item(result: ToolResult) -> Body:
    output: str | list[Body]
    if any(isinstance(part, Image) for part in result.content):
        output = [_input_part(part) for part in result.content]
        if result.is_error:
            output.insert(0, {"type": "input_text", "text": "Error:"})
    else:
        output = result_text(result)
    return {"type": "function_call_output", "call_id": result.id, "output": output}


class _AssistantItems:
    """Writes one turn of the model as the items it once was.

    Thinking waits for the item it led to: without one the server refuses it.
    """

    __slots__ = ("_content", "_items", "_thoughts")

    def __init__(self) -> None:
        self._items: list[Body | msgspec.Raw] = []
        self._thoughts: list[Body] = []
        self._content: list[Body] = []

    def written(self, parts: tuple[AnyPart, ...]) -> list[Any]:
        """Write the parts; the result is JSON, some of it raw."""
        for part in parts:
            self._add(part)
        self._end_message()
        return self._items

    def _add(self, part: AnyPart) -> None:
        match part:
            case Text():
                self._content.append({"type": "output_text", "text": part.text, "annotations": []})
            case Refusal():
                self._content.append({"type": "refusal", "refusal": part.text})
            case Citation():
                self._annotate(part)
            case Reasoning():
                self._end_message()
                if part.encrypted is not None:
                    self._thoughts.append(_reasoning_item(part))
            case ToolCall():
                self._end_message()
                self._put(_call_item(part))
            case Opaque():
                self._end_message()
                self._put(part.raw)
            case ToolResult():
                pass  # normalising has put them into a turn of their own
            case Image() | Document() | Audio():
                message = f"An assistant's turn cannot hold a {_kind(part)} on this wire."
                raise Unencodable("unsupported", message, "turns")
            case _:
                assert_never(part)

    def _annotate(self, citation: Citation) -> None:
        # Other wires' citations come in other shapes; those are not understood here, and only lose their mark.
        raw = _read(citation.raw)
        known = isinstance(raw, dict) and raw.get("type") in _ANNOTATIONS and raw["type"] not in raw
        if known and self._content and "annotations" in self._content[-1]:
            self._content[-1]["annotations"].append(citation.raw)

    def _end_message(self) -> None:
        content, self._content = self._content, []
        if not content:
            return
        plain = len(content) == 1 and content[0].get("annotations") == []
        # The plain form is what every server takes that speaks this wire.
        self._put({"role": "assistant", "content": content[0]["text"] if plain else content})

    def _put(self, item: Body | msgspec.Raw) -> None:
        self._items.extend(self._thoughts)
        self._thoughts = []
        self._items.append(item)


def replayed(raw: msgspec.Raw) -> list[Body]:
    """Give the items of a former answer back as they came, but for what only a stored answer could stand for.

    Thinking without its encrypted content cannot be looked up, and its followers must not name themselves then.

    Raises:
        Unencodable: the turn is not one that this wire made.
    """
    items = _read(raw)
    if not (isinstance(items, list) and all(isinstance(item, dict) for item in items)):
        raise Unencodable("invalid_request", "A vendor turn of this wire is a list of output items.", "turns.vendor")
    kept = [item for item in items if item.get("type") != "reasoning" or item.get("encrypted_content")]
    if len(kept) == len(items):
        return kept
    return [{key: value for key, value in item.items() if key != "id"} for item in kept]


def _read(raw: msgspec.Raw) -> Any:  # Any: JSON that the caller has kept, and may have changed
    try:
        return msgspec.json.decode(raw)
    except MALFORMED_ERRORS:
        return None


def _reasoning_item(thought: Reasoning) -> Body:
    item: Body = {"type": "reasoning"}
    if thought.id is not None:
        item["id"] = thought.id
    item["summary"] = [{"type": "summary_text", "text": thought.text}] if thought.text else []
    item["encrypted_content"] = thought.encrypted
    return item


def _call_item(call: ToolCall) -> Body:
    arguments = call.arguments if call.valid else wrapped_arguments(call.arguments)
    return {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments}


def _kind(part: AnyPart) -> str:
    return type(part).__name__.lower()
