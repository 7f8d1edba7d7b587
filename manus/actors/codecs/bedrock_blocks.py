"""Own how the numbered blocks of a Converse answer become parts, streamed or whole.

A stream numbers its blocks. Text and thinking begin without a word, at their first piece; calls and results of
tools that the vendor runs itself begin with a start, and those go to the caller whole, as parts carried unread.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from manus.actors.codecs.answer_writer import AnswerWriter, Prose
from manus.actors.codecs.bedrock_types import Block, CitationObject, ReasoningPiece, ToolUse
from manus.actors.codecs.call_ids import made_call_id
from manus.actors.codecs.classify import protocol_failure
from manus.actors.codecs.json_fit import TolerantDecoder
from manus.actors.codecs.json_text import MALFORMED_ERRORS, NULL, dump, keep_raw, well_formed
from manus.messages.events import ReasoningDelta, TextDelta

SERVER_TOOL = "server_tool_use"
"""The type of a call that the vendor has run itself: nobody may run it again."""

_decode_block = TolerantDecoder(Block)
_decode_citation = TolerantDecoder(CitationObject)


class _Open:
    """A block under way. `part` is its number among the answer's parts, None where it is gathered unread."""

    __slots__ = ("held", "kind", "part", "redacted", "signature", "start")

    def __init__(self, kind: Prose | None, part: int | None) -> None:
        self.kind = kind
        self.part = part
        self.signature = ""
        self.redacted: list[str] = []
        self.start: tuple[str, msgspec.Raw] | None = None
        self.held: list[str] = []


class Blocks:
    """Puts one answer's blocks onto an `AnswerWriter`.

    Args:
        answer_tool: the tool that was forced so that its arguments are the answer: they become text, and the
            model's own text, if any, counts only where the tool was not called.
    """

    __slots__ = ("_answer_tool", "_answered", "_calls", "_held_text", "_open", "_writer")

    def __init__(self, writer: AnswerWriter, answer_tool: str | None) -> None:
        self._writer = writer
        self._answer_tool = answer_tool
        self._answered = False
        self._held_text: list[str] = []
        self._open: dict[int, _Open] = {}
        self._calls = 0

    def text(self, number: int, text: str) -> None:
        """Add text to block `number`."""
        if not text:
            return
        if self._answer_tool is not None:
            if not self._answered:
                self._held_text.append(text)
                self._writer.spend(len(text))
            return
        block = self._open.get(number)
        if block is None or block.kind is not TextDelta:
            block = self._begin(number, TextDelta)
            if block is None:
                return
        assert block.part is not None
        self._writer.extend(block.part, text)

    def reasoning(self, number: int, piece: ReasoningPiece) -> None:
        """Add thinking, its signature or hidden thinking to block `number`."""
        if not (piece.text or piece.signature or piece.redacted_content):
            return
        block = self._open.get(number)
        if block is None or block.kind is not ReasoningDelta:
            block = self._begin(number, ReasoningDelta)
            if block is None:
                return
        assert block.part is not None
        if piece.text:
            self._writer.extend(block.part, piece.text)
        if piece.signature:
            block.signature += piece.signature
            self._writer.seal(block.part, signature=block.signature)
        if piece.redacted_content:
            block.redacted.append(piece.redacted_content)
            self._writer.seal(block.part, redacted=_joined_base64(block.redacted))

    def call(self, number: int, use: ToolUse) -> None:
        """Begin the call that is block `number`."""
        self.stop(number)
        self._calls += 1
        self._writer.admit_call(self._calls)
        if self._writer.done:
            return
        if use.type == SERVER_TOOL:
            start = {"toolUseId": use.tool_use_id, "name": use.name, "type": use.type}
            self.unread(number, "toolUse", msgspec.Raw(dump(start).encode()))
            return
        name = use.name or ""
        if self._answer_tool is not None and name == self._answer_tool:
            # Several at once are several answers: the first is it.
            self._open[number] = _Open(TextDelta, None if self._answered else self._writer.begin(TextDelta))
            self._answered = True
            self._held_text.clear()
            return
        call_id = use.tool_use_id or made_call_id("bedrock", self._calls, name)
        self._open[number] = _Open(None, self._writer.begin_call(call_id, name))

    def input(self, number: int, json_text: str) -> None:
        """Add to the arguments of the call that is block `number`."""
        block = self._open.get(number)
        if block is None:
            self.call(number, ToolUse())
            block = self._open.get(number)
        if block is None or not json_text:
            return
        if block.start is not None:
            block.held.append(json_text)
            self._writer.spend(len(json_text))
        elif block.kind is TextDelta and block.part is not None:
            self._writer.extend(block.part, json_text)
        elif block.kind is None and block.part is not None:
            self._writer.arguments(block.part, json_text)

    def unread(self, number: int, kind: str, start: msgspec.Raw) -> None:
        """Begin a block that is gathered and then carried unread."""
        self.stop(number)
        if self._writer.done:
            return
        block = self._open[number] = _Open(None, None)
        block.start = (kind, keep_raw(start))
        self._writer.hold_part()
        self._writer.spend(len(bytes(start)))

    def unread_piece(self, number: int, piece: msgspec.Raw) -> None:
        """Add to a block that is carried unread: a list of content, of which it may get several."""
        block = self._open.get(number)
        if block is None or block.start is None:
            return
        text = bytes(keep_raw(piece)).decode()
        block.held.append(text)
        self._writer.spend(len(text))

    def cite(self, number: int, citation: msgspec.Raw) -> None:
        """Add a source to block `number`."""
        if self._answer_tool is not None:
            return
        block = self._open.get(number)
        if block is None or block.kind is not TextDelta:
            block = self._begin(number, TextDelta)
            if block is None:
                return
        raw = keep_raw(citation)
        found = _decode_citation(raw)
        if found is None:
            return
        web = None if found.location is None else found.location.web
        url = web.url if web is not None else found.source
        quote = "".join(piece.text or "" for piece in found.source_content or ())
        self._writer.cite(title=_clean(found.title), url=_clean(url), quote=_clean(quote), raw=raw, index=block.part)

    def stop(self, number: int) -> None:
        """End block `number`; one that never began is no matter."""
        block = self._open.pop(number, None)
        if block is None or self._writer.done:
            return
        if block.start is not None:
            kind, start = block.start
            raw = _whole(kind, start, block.held)
            if raw is not None:
                self._writer.opaque(kind, raw)
        elif block.part is not None:
            self._writer.close(block.part)

    def whole(self, number: int, raw: msgspec.Raw) -> None:
        """Take a whole block of an answer that is not streamed."""
        if self._writer.done:
            return
        block = _decode_block(raw)
        if block is None:
            # Left out it would be an answer that says less than the model did.
            self._writer.fail(protocol_failure("A part of the answer cannot be read."))
            return
        if block.text is not None:
            self.text(number, block.text)
        elif block.tool_use is not None and block.tool_use.type != SERVER_TOOL:
            self.call(number, block.tool_use)
            self.input(number, _input_text(block.tool_use.input))
        elif block.reasoning_content is not None:
            said = block.reasoning_content.reasoning_text
            self.reasoning(
                number,
                ReasoningPiece(
                    text=None if said is None else said.text,
                    signature=None if said is None else said.signature,
                    redacted_content=block.reasoning_content.redacted_content,
                ),
            )
        elif block.citations_content is not None:
            for piece in block.citations_content.content or ():
                self.text(number, piece.text or "")
            for citation in block.citations_content.citations or ():
                self.cite(number, citation)
        else:
            self._carry(raw)
        self.stop(number)

    def finish(self) -> None:
        """End what is open. Text that was held for an answer that never came as a call is the answer."""
        for number in tuple(self._open):
            self.stop(number)
        if self._held_text and not self._answered and not self._writer.done:
            part = self._writer.begin(TextDelta)
            self._writer.extend(part, "".join(self._held_text))
            self._writer.close(part)
        self._held_text.clear()

    def _begin(self, number: int, kind: Prose) -> _Open | None:
        self.stop(number)
        if self._writer.done:
            return None
        block = self._open[number] = _Open(kind, self._writer.begin(kind))
        return block

    def _carry(self, raw: msgspec.Raw) -> None:
        kept = keep_raw(raw)
        value = msgspec.json.decode(kept)
        if isinstance(value, dict) and value:
            self._calls += 1
            self._writer.admit_call(self._calls)
            self._writer.opaque(str(next(iter(value))), kept)


def _whole(kind: str, start: msgspec.Raw, held: list[str]) -> msgspec.Raw | None:
    """Write the block as an answer that is not streamed has it: its start, with all that came after.

    None for a call whose input was cut by a token limit: nobody could be handed it back.
    """
    try:
        block = msgspec.json.decode(start)
    except MALFORMED_ERRORS:
        block = None
    fields = block if isinstance(block, dict) else {}
    if kind == "toolUse":
        fields["input"] = keep_raw(msgspec.Raw(_input_of("".join(held)).encode()))
        return None if fields["input"] == NULL else msgspec.Raw(msgspec.json.encode({kind: fields}))
    content: list[object] = []
    for text in held:
        piece = msgspec.json.decode(text)
        if isinstance(piece, list):
            content.extend(piece)
        elif isinstance(piece, dict):
            fields.update(piece)
    if content:
        fields["content"] = content
    return msgspec.Raw(msgspec.json.encode({kind: fields}))


def _input_of(text: str) -> str:
    return well_formed(text) if text.strip() else "{}"


def _input_text(raw: msgspec.Raw) -> str:
    return "" if raw == NULL else bytes(keep_raw(raw)).decode()


def _joined_base64(pieces: list[str]) -> str:
    """Join hidden thinking that came in pieces; one piece stays as it came, to the letter."""
    if len(pieces) == 1:
        return pieces[0]
    try:
        return base64.b64encode(b"".join(base64.b64decode(piece, validate=True) for piece in pieces)).decode()
    except (binascii.Error, ValueError):
        return "".join(pieces)


def _clean(text: str | None) -> str | None:
    return well_formed(text) if text else None
