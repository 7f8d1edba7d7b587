"""Own the writing of a conversation as Converse messages (bedrock.md, sections 2.1 and 7).

Blocks have one key each. Cache points are blocks of their own behind what they cover, images and documents go as
bytes or as a place in S3, and results stand in the user's turn right behind the calls, in some families alone.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Final, Literal, assert_never

import msgspec

from manus.actors.codecs.anthropic_messages import GO_ON
from manus.actors.codecs.bedrock_models import BedrockFamily
from manus.actors.codecs.encoding import Body, Unencodable, Warnings, image_media_type, wrapped_arguments
from manus.actors.codecs.json_text import MALFORMED_ERRORS
from manus.actors.codecs.normalise import WireRules
from manus.messages.content import (
    AnyPart,
    Audio,
    CacheLife,
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

WIRE: Final = "bedrock"

RULES = WireRules(
    wire=WIRE,
    id_shape=re.compile(r"[a-zA-Z0-9_.:-]{1,64}"),
    name_shape=re.compile(r"[a-zA-Z0-9_-]{1,64}"),
    keeps_reasoning=True,
    keeps_opaque=True,
    keeps_blank_text=False,
    merges_neighbours=True,
    first_is_user=True,
    system_anywhere=False,
)

CACHE_POINTS_MAX = 4

FILLER = "."
"""What is said where something must be and there is nothing: blank text is refused."""

_NO_OUTPUT = "(no output)"

_IMAGE_FORMATS = {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"}

_DOCUMENT_FORMATS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}

_DOCUMENT_NAME_CHARS_MAX = 200


class MessageWriter:
    """Writes one conversation.

    Args:
        family: what the model accepts.
        cache: whether cache points are sent at all.
        prefill: whether a last turn of the assistant may be the beginning of the answer.
    """

    __slots__ = ("_bound", "_cache", "_family", "_names", "_prefill", "_warnings")

    def __init__(self, family: BedrockFamily, warnings: Warnings, *, cache: bool, prefill: bool) -> None:
        self._family = family
        self._bound = family.claude is not None and family.claude.bound_thinking
        self._warnings = warnings
        self._cache = cache
        self._prefill = prefill
        self._names: set[str] = set()

    def write(self, turns: Sequence[Turn], asked_besides: Sequence[str]) -> tuple[list[Body], list[Body]]:
        """Give `system` and `messages` of a normalised conversation.

        `asked_besides` goes to the end of what the user says, so that all before it stays the same from call to
        call and prompt caches stay warm.

        Raises:
            Unencodable: a part cannot go over this wire.
        """
        system: list[Body] = []
        messages: list[Body] = []
        for turn in turns:
            if turn.role == "system":
                for part in turn.parts:
                    self._add(system, part, "system")
            elif turn.role == "assistant":
                content: list[Body] = []
                for part in turn.parts:
                    self._add(content, part, "assistant")
                messages.append({"role": "assistant", "content": content or [{"text": FILLER}]})
            else:
                messages.extend(self._user_messages(turn))
        if not self._family.system and system:
            messages[:0] = [{"role": "user", "content": system}]
            if len(messages) > 1 and messages[1]["role"] == "user":
                system.extend(messages.pop(1)["content"])
            system = []
        self._end(messages)
        if self._bound:
            _forget_earlier_thinking(messages)
        for sentence in asked_besides:
            self._last_of_user(messages).append({"text": sentence})
        self._bound_cache_points([system, *(message["content"] for message in messages)])
        return system, messages

    def _last_of_user(self, messages: list[Body]) -> list[Body]:
        spoken = [message for message in messages if message["role"] == "user"]
        if not spoken:
            spoken.append({"role": "user", "content": []})
            messages.append(spoken[-1])
        if self._bound:
            return _content_of_question(messages)
        last = spoken[-1]
        alone = self._family.results_alone and any("toolResult" in block for block in last["content"])
        if alone and last is messages[-1]:
            last = {"role": "user", "content": []}
            messages += [{"role": "assistant", "content": [{"text": FILLER}]}, last]
        content: list[Body] = last["content"]
        return content

    def _user_messages(self, turn: Turn) -> list[Body]:
        results: list[Body] = []
        others: list[Body] = []
        images: list[Image] = []
        for part in turn.parts:
            if isinstance(part, ToolResult):
                results.append(self._result(part, images))
                self._point(results, part.cache)
            else:
                self._add(others, part, "user")
        if images:
            others[:0] = [{"text": "Images that the tools returned:"}, *(_image(image) for image in images)]
        if any("document" in block for block in others) and not any("text" in block for block in others):
            others.append({"text": FILLER})
        if results and others and self._family.results_alone:
            said: Body = {"role": "assistant", "content": [{"text": FILLER}]}
            return [{"role": "user", "content": results}, said, {"role": "user", "content": others}]
        return [{"role": "user", "content": [*results, *others] or [{"text": FILLER}]}]

    def _add(self, blocks: list[Body], part: AnyPart, role: Literal["system", "user", "assistant"]) -> None:
        match part:
            case Text() | Refusal():
                blocks.append({"text": part.text})
            case Image() | Document() | Audio() if role != "user":
                kind = type(part).__name__.lower()
                raise Unencodable("unsupported", f"Only the user's turns can hold a {kind} on this wire.", "turns")
            case Image():
                blocks.append(_image(part))
            case Document():
                blocks.append(self._document(part))
                if part.cache:
                    blocks.append({"text": FILLER})  # a cache point must not stand right behind a document
            case Audio():
                source = {"bytes": base64.b64encode(part.data).decode()}
                blocks.append({"audio": {"format": part.format, "source": source}})
            case ToolCall() if role == "assistant":
                blocks.append({"toolUse": {"toolUseId": part.id, "name": part.name, "input": _input(part)}})
            case Reasoning() if role == "assistant":
                blocks.extend(_reasoning(part))
            case Opaque() if role == "assistant":
                blocks.append(_opaque(part))
            case ToolCall() | ToolResult() | Reasoning() | Citation() | Opaque():
                raise Unencodable("invalid_request", f"A {role}'s turn cannot hold a {type(part).__name__}.", "turns")
            case _:
                assert_never(part)
        if not isinstance(part, Reasoning):
            self._point(blocks, part.cache)

    def _result(self, result: ToolResult, images: list[Image]) -> Body:
        family = self._family
        content: list[Body] = []
        for part in result.content:
            if isinstance(part, Text):
                content.append(_result_text(part.text, family))
            elif family.result_images:
                content.append(_image(part))
            else:
                images.append(part)
                content.append({"text": "(an image follows)"})
        if result.is_error and not family.result_status:
            content.insert(0, {"text": "Error:"})
        written: Body = {"toolUseId": result.id, "content": content or [{"text": _NO_OUTPUT}]}
        if result.is_error and family.result_status:
            written["status"] = "error"
        return {"toolResult": written}

    def _document(self, document: Document) -> Body:
        written: Body = {"format": _document_format(document), "name": self._name(document.name)}
        if document.text is not None:
            written["source"] = {"text": document.text}
        elif document.data is not None:
            written["source"] = {"bytes": base64.b64encode(document.data).decode()}
        else:
            written["source"] = _s3(document.url or document.file_id, "document")
        return {"document": written}

    def _name(self, wanted: str) -> str:
        # Letters, digits, single blanks, hyphens, parentheses and brackets, each name once; a dot is refused.
        plain = re.sub(r"[^A-Za-z0-9 ()\[\]-]+", "-", wanted)
        plain = re.sub(r" {2,}", " ", plain).strip(" -")[:_DOCUMENT_NAME_CHARS_MAX].strip() or "document"
        name, number = plain, 1
        while name in self._names:
            number += 1
            ending = f" ({number})"
            name = plain[: _DOCUMENT_NAME_CHARS_MAX - len(ending)] + ending
        self._names.add(name)
        return name

    def _point(self, blocks: list[Body], life: CacheLife | None) -> None:
        if life is None:
            return
        if not self._cache:
            self._warnings.say("cache_dropped", "The model takes no cache points.")
            return
        point: Body = {"type": "default"}
        if life == "long":
            if self._family.long_cache:
                point["ttl"] = "1h"
            else:
                self._warnings.say("cache_shortened", "The model's cache keeps nothing for an hour.")
        blocks.append({"cachePoint": point})

    def _bound_cache_points(self, contents: list[list[Body]]) -> None:
        """Keep to four at most, the first and the last ones, and to none that lives longer than one before it."""
        points = [block for content in contents for block in content if "cachePoint" in block]
        spared = points[1 : len(points) - CACHE_POINTS_MAX + 1] if len(points) > CACHE_POINTS_MAX else []
        if spared:
            text = f"At most {CACHE_POINTS_MAX} cache points are taken: the first and the last ones were kept."
            self._warnings.say("cache_points_dropped", text)
            for content in contents:
                content[:] = [block for block in content if not any(block is point for point in spared)]
        short = False
        for block in points:
            lasts = "ttl" in block["cachePoint"]
            if lasts and short:
                del block["cachePoint"]["ttl"]
                text = "A long cache life cannot follow a short one in a prompt: the later was made short."
                self._warnings.say("cache_life_shortened", text)
            short = short or not lasts

    def _end(self, messages: list[Body]) -> None:
        if not messages or messages[-1]["role"] != "assistant":
            return
        if not self._prefill:
            text = "The model does not continue its own last turn; it was asked to in words."
            self._warnings.say("prefill_in_words", text)
            messages.append({"role": "user", "content": [{"text": GO_ON}]})
            return
        last = messages[-1]["content"][-1]
        if "text" in last:
            last["text"] = last["text"].rstrip() or FILLER  # trailing blanks are refused


def _question_at(messages: list[Body]) -> int:
    """Find where the tool loop that is under way began: at the last message of the user without results."""
    places = range(len(messages) - 1, -1, -1)
    asked = (at for at in places if messages[at]["role"] == "user" and not _holds_results(messages[at]))
    return next(asked, 0)


def _content_of_question(messages: list[Body]) -> list[Body]:
    content: list[Body] = messages[_question_at(messages)]["content"]
    return content


def _holds_results(message: Body) -> bool:
    return any("toolResult" in block for block in message["content"])


def _forget_earlier_thinking(messages: list[Body]) -> None:
    """Leave out the thinking of loops that are over, for models that bind it to all that came before.

    A sealed thought is refused where anything before it has changed, a thought included, and on Bedrock nobody can ask
    for it to be dropped instead (bedrock.md, section 7). Within a loop nothing changes: what is said besides stands at
    its beginning, and thoughts of earlier loops are never there.
    """
    for message in messages[: _question_at(messages)]:
        if message["role"] == "assistant":
            kept = [block for block in message["content"] if "reasoningContent" not in block]
            message["content"] = kept or [{"text": FILLER}]


def _image(image: Image) -> Body:
    if image.data is None:
        return {
            "image": {"format": _image_format(image.media_type), "source": _s3(image.url or image.file_id, "image")}
        }
    media_type = image_media_type(image.data, image.media_type)
    source = {"bytes": base64.b64encode(image.data).decode()}
    return {"image": {"format": _image_format(media_type), "source": source}}


def _image_format(media_type: str | None) -> str:
    form = _IMAGE_FORMATS.get(media_type or "image/png")
    if form is None:
        message = f"Bedrock takes png, jpeg, gif and webp images, and no {media_type}: convert it."
        raise Unencodable("unsupported", message, "turns.image.media_type")
    return form


def _document_format(document: Document) -> str:
    if document.text is not None:
        return "txt"
    form = _DOCUMENT_FORMATS.get(document.media_type.partition(";")[0].strip().lower())
    if form is None:
        known = ", ".join(_DOCUMENT_FORMATS.values())
        message = f"Bedrock takes no documents of type {document.media_type}: it knows {known}."
        raise Unencodable("unsupported", message, "turns.document.media_type")
    return form


def _s3(place: str | None, kind: str) -> Body:
    if place is not None and place.startswith("s3://"):
        return {"s3Location": {"uri": place}}
    message = f"Bedrock takes no URL and no file id for a {kind}, only bytes or an s3:// place: fetch it first."
    raise Unencodable("unsupported", message, f"turns.{kind}.url")


def _input(call: ToolCall) -> msgspec.Raw:
    arguments = call.arguments if call.valid else wrapped_arguments(call.arguments)
    try:
        # Checked, because one bad call in a long history would spoil the whole body.
        _decode_object(arguments)
    except MALFORMED_ERRORS:
        arguments = wrapped_arguments(call.arguments)
    return msgspec.Raw(arguments.encode())


def _reasoning(part: Reasoning) -> list[Body]:
    blocks: list[Body] = []
    if part.signature is not None:
        blocks.append({"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.signature}}})
    if part.redacted is not None:
        blocks.append({"reasoningContent": {"redactedContent": part.redacted}})
    # Thinking without either is refused by Claude as unsigned, and by DeepSeek altogether.
    return blocks


def _opaque(part: Opaque) -> Body:
    try:
        return dict(_decode_object(bytes(part.raw)))
    except MALFORMED_ERRORS:
        message = "An unread part of an earlier answer is no JSON object: leave it out."
        raise Unencodable("invalid_request", message, "turns.opaque.raw") from None


def _result_text(text: str, family: BedrockFamily) -> Body:
    if family.results_as_json and text.lstrip().startswith("{"):
        try:
            _decode_object(text)
        except MALFORMED_ERRORS:
            pass
        else:
            return {"json": msgspec.Raw(text.encode())}
    return {"text": text}


_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
