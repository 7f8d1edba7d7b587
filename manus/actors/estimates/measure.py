"""Own the one walk over a request that counting takes: what its parts weigh, and how many bytes they are.

What comes of it depends on no model, so it is done once per request; an estimate and a bound for each candidate are
then a few multiplications (`prompt`, `bound`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, assert_never

import msgspec

from manus.actors.documents import text_of
from manus.actors.estimates.text import weigh, weigh_bytes
from manus.actors.pictures import picture_of
from manus.messages.content import (
    AnyPart,
    Audio,
    Citation,
    Document,
    Image,
    ImageDetail,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from manus.messages.requests import ChatRequest, EmbedRequest, Tool

BYTES_PER_SOUND_TOKEN: Final = 3200
"""Ten tokens a second of 16 kHz mono samples, 16 bits each."""

NOTHING: Final = (0.0, 0)

_Sides = tuple[int, int] | None


class Measured(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a request holds. Tokens are those of the base vocabulary, unrounded; bytes are upper bounds of tokens.

    Args:
        text, text_bytes: all that is said, arguments and results of tools included.
        turns, pieces: how many turns, and parts in them; `calls` the parts that are calls of tools or their results.
        tools, tool_text, tool_bytes: the tools offered; names, descriptions and schemas.
        form_text, form_bytes: the answer's schema, 0 where any JSON will do; `has_form` whether JSON is asked for.
        thinking: whether the request says how much to think.
        pictures: sides, where they could be read, and the detail asked for.
        documents: files whose text we cannot read, so that nothing is known of them.
        sound_bytes: recorded sound.
    """

    text: float = 0.0
    text_bytes: int = 0
    turns: int = 0
    pieces: int = 0
    calls: int = 0
    tools: int = 0
    tool_text: float = 0.0
    tool_bytes: int = 0
    form_text: float = 0.0
    form_bytes: int = 0
    has_form: bool = False
    thinking: bool = False
    pictures: tuple[tuple[_Sides, ImageDetail], ...] = ()
    documents: int = 0
    sound_bytes: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether its tokens are those of its text: nothing is in it that is counted by other rules."""
        return not (self.pictures or self.documents or self.sound_bytes)


Weigher = Callable[[str], tuple[float, int]]
"""Gives a text's tokens and the bound of them: `text.weigh`, or an exact count."""


def measure(request: ChatRequest | EmbedRequest, weigh: Weigher = weigh) -> Measured:
    """Walk over a request, once."""
    if isinstance(request, EmbedRequest):
        weights = [weigh(text) for text in request.inputs]
        tokens, size = sum(tokens for tokens, _ in weights), sum(size for _, size in weights)
        return Measured(text=tokens, text_bytes=size, pieces=len(weights))
    text, size, pieces = 0.0, 0, 0
    walk: _Walk | None = None
    for turn in request.turns:
        for part in turn.parts:
            # Most parts are plain text, and this is the path of every request.
            if type(part) is Text:
                tokens, length = weigh(part.text)
                text += tokens
                size += length
                pieces += 1
            else:
                walk = walk or _Walk(weigh)
                walk.add(part)
        if turn.vendor is not None:
            size += len(bytes(turn.vendor.raw))
    thinking = request.reasoning is not None and request.reasoning.effort != "off"
    plain = Measured(text=text, text_bytes=size, turns=len(request.turns), pieces=pieces, thinking=thinking)
    if walk is None and not request.tools and request.output is None:
        return plain
    return (walk or _Walk(weigh)).measured(plain, request)


class _Walk:
    """Sums, while the parts are walked over."""

    __slots__ = ("_weigh", "calls", "documents", "pictures", "pieces", "sound_bytes", "text", "text_bytes")

    def __init__(self, weigh: Weigher) -> None:
        self._weigh = weigh
        self.text = 0.0
        self.text_bytes = 0
        self.pieces = 0
        self.calls = 0
        self.documents = 0
        self.sound_bytes = 0
        self.pictures: list[tuple[_Sides, ImageDetail]] = []

    def add(self, part: AnyPart) -> None:
        """Count one part, and those inside it."""
        self.pieces += 1
        match part:
            case Text(text=text) | Refusal(text=text):
                self._say(text)
            case Image():
                self.pictures.append((_sides(part.data), part.detail))
            case Document():
                self._document(part)
            case Audio(data=data):
                self.sound_bytes += len(data)
            case ToolCall():
                self.calls += 1
                self._say(part.arguments)
                self._say(part.name)
                self._carry(part.id)
            case ToolResult():
                self.calls += 1
                self._carry(part.id)
                self._carry(part.name)
                for inner in part.content:
                    self.add(inner)
            case Reasoning():
                self._say(part.text)
                for sealed in (part.signature, part.encrypted, part.redacted):
                    self._carry(sealed)
            case Citation(raw=raw) | Opaque(raw=raw):
                tokens, size = self.weigh_json(raw)
                self.text += tokens
                self.text_bytes += size
            case _:
                assert_never(part)

    def measured(self, plain: Measured, request: ChatRequest) -> Measured:
        """Give the whole: the plain text that was measured already, and what was walked over or stands beside it."""
        tool_text, tool_bytes = self.tools(request.tools)
        form_text, form_bytes = NOTHING
        if request.output is not None and not request.output.any_object:
            form_text, form_bytes = self.weigh_json(request.output.schema)
        return msgspec.structs.replace(
            plain,
            text=plain.text + self.text,
            text_bytes=plain.text_bytes + self.text_bytes,
            pieces=plain.pieces + self.pieces,
            calls=self.calls,
            tools=len(request.tools),
            tool_text=tool_text,
            tool_bytes=tool_bytes,
            form_text=form_text,
            form_bytes=form_bytes,
            has_form=request.output is not None,
            pictures=tuple(self.pictures),
            documents=self.documents,
            sound_bytes=self.sound_bytes,
        )

    def tools(self, tools: tuple[Tool, ...]) -> tuple[float, int]:
        """Weigh what is said of the tools offered."""
        weigh = self._weigh
        text, size = 0.0, 0
        for tool in tools:
            for tokens, length in (self.weigh_json(tool.schema), weigh(tool.description), weigh(tool.name)):
                text += tokens
                size += length
        return text, size

    def weigh_json(self, raw: msgspec.Raw) -> tuple[float, int]:
        """Weigh JSON as it will be written."""
        data = bytes(raw)
        return weigh_bytes(data) if self._weigh is weigh else self._weigh(data.decode("utf-8", "replace"))

    def _say(self, text: str) -> None:
        tokens, size = self._weigh(text)
        self.text += tokens
        self.text_bytes += size

    def _carry(self, text: str | None) -> None:
        """Count what goes along and is mostly not read: it is in the bound, for some vendor may read it."""
        if text:
            self.text_bytes += 4 * len(text)

    def _document(self, part: Document) -> None:
        self._carry(part.name)
        text = text_of(part)
        if text is None:
            self.documents += 1
        else:
            self._say(text)


def _sides(data: bytes | None) -> _Sides:
    picture = None if data is None else picture_of(data)
    if picture is None or picture.width is None or picture.height is None:
        return None
    return picture.width, picture.height
