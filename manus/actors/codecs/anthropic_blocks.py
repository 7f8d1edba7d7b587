"""Own the content blocks of one Messages answer: what becomes of each kind, whole or in deltas.

Text, thinking and calls of the caller's tools become parts of their own. Every other block (tools that
Anthropic runs itself and their results, compaction, what is yet to be invented) is carried unread, since
the vendor wants it back as it was; a block of which we could not read a delta is left out instead. Two things
that the vendor wants back stand in no block of their own and are carried as parts of these kinds: the container
in which its tools ran, and who called a tool of the caller's, where that was the vendor's own code.
Source: anthropic.md, sections 2.2 and 5.
"""

from __future__ import annotations

from typing import Any

import msgspec

from manus.actors.codecs.answer_writer import AnswerWriter
from manus.actors.codecs.anthropic_types import Block, Delta
from manus.actors.codecs.call_ids import made_call_id
from manus.actors.codecs.classify import protocol_failure
from manus.actors.codecs.json_fit import fit
from manus.actors.codecs.json_text import MALFORMED_ERRORS, NULL, dump, keep_raw, load_tolerant, well_formed
from manus.messages.events import ReasoningDelta, TextDelta

CONTAINER = "container"
"""The kind of the part that carries `container`."""

CALLER = "tool_use_caller"
"""The kind of the part that carries the `caller` of the call after it."""

_decode_block = msgspec.json.Decoder(Block).decode


class _Open:
    """A block that has begun. `part` is its number among the answer's parts; unread blocks get one at their end."""

    __slots__ = ("kind", "part", "pieces", "placeholder", "raw", "readable")

    def __init__(self, kind: str, part: int = -1) -> None:
        self.kind = kind
        self.part = part
        self.pieces: list[str] = []
        self.placeholder = ""
        self.raw: dict[str, Any] = {}
        self.readable = True


class Blocks:
    """Puts the blocks of one answer onto an `AnswerWriter`.

    Args:
        answer_tool: the tool whose input is the answer's text, see `HttpRequest.answer_tool`.
    """

    __slots__ = ("_answer_tool", "_bare", "_calls", "_open", "_seed", "_writer")

    def __init__(self, writer: AnswerWriter, answer_tool: str | None) -> None:
        self._writer = writer
        self._answer_tool = answer_tool
        self._open: dict[int, _Open] = {}
        self._bare: _Open | None = None
        self._calls = 0
        self._seed = ""

    def seed(self, answer_id: str) -> None:
        """Name the answer, so that ids made for its calls differ from those of other answers."""
        self._seed = answer_id

    def begin(self, index: int, raw: msgspec.Raw) -> None:
        """Begin the block `index` with what `content_block_start` says of it."""
        if self._writer.done:
            return
        self.end(index)
        self.settle(cut=False)
        try:
            block = _read_block(bytes(raw))
        except MALFORMED_ERRORS:  # the parser of the event skips over a `Raw` without reading it
            self._writer.fail(protocol_failure("A block of the answer is no JSON."))
            return
        if block is None:
            return
        match block.type:
            case "text":
                opened = _Open("text", self._writer.begin(TextDelta))
                if block.text:
                    self._writer.extend(opened.part, block.text)
                for citation in block.citations or ():
                    self._cite(opened.part, citation)
            case "thinking":
                opened = _Open("thinking", self._writer.begin(ReasoningDelta))
                if block.thinking:
                    self._writer.extend(opened.part, block.thinking)
                if block.signature:
                    self._writer.seal(opened.part, signature=block.signature)
            case "redacted_thinking":
                opened = _Open("redacted_thinking", self._writer.begin(ReasoningDelta))
                self._writer.seal(opened.part, redacted=block.data or "")
            case "tool_use":
                opened = self._begin_call(block)
            case _:
                opened = _Open("unread")
                kept = load_tolerant(bytes(keep_raw(raw)))
                if isinstance(kept, dict):
                    opened.raw = kept
                else:  # holds what nobody can write again, such as a number of thousands of digits
                    opened.readable = False
                self._writer.hold_part()
                self._writer.spend(len(bytes(raw)))
        if not self._writer.done:
            self._open[index] = opened

    def carry(self, kind: str, value: msgspec.Raw) -> bool:
        """Carry a value of the vendor's that is no block, if it is an object; tells whether the answer goes on."""
        writer = self._writer
        raw = keep_raw(value)
        if isinstance(msgspec.json.decode(raw), dict):
            writer.opaque(kind, raw)
        return not writer.done

    def text(self, index: int, text: str) -> bool:
        """Add to a text block: the hot path. False where the block `index` is none."""
        opened = self._open.get(index)
        if opened is None or opened.kind != "text":
            return False
        self._writer.extend(opened.part, text)
        return True

    def extend(self, index: int, delta: Delta) -> None:
        """Take one delta of the block `index`; one that does not belong to its kind is skipped."""
        writer = self._writer
        if writer.done:
            return
        opened = self._open.get(index) or self._begin_late(index, delta)
        if opened is None:
            return
        match (opened.kind, delta.type):
            case ("text", "text_delta"):
                if delta.text:
                    writer.extend(opened.part, delta.text)
            case ("text", "citations_delta"):
                self._cite(opened.part, delta.citation)
            case ("thinking", "thinking_delta"):
                if delta.thinking:
                    writer.extend(opened.part, delta.thinking)
            case ("thinking", "signature_delta"):
                if delta.signature:
                    writer.seal(opened.part, signature=delta.signature)
            case ("tool_use", "input_json_delta"):
                if delta.partial_json:
                    opened.placeholder = ""
                    writer.arguments(opened.part, delta.partial_json)
            case ("answer", "input_json_delta"):
                if delta.partial_json:
                    opened.placeholder = ""
                    writer.extend(opened.part, delta.partial_json)
            case ("unread", _):
                self._extend_unread(opened, delta)
            case _:
                pass

    def end(self, index: int) -> None:
        """End the block `index`; a stop without a start is none."""
        opened = self._open.pop(index, None)
        if opened is None or self._writer.done:
            return
        if opened.kind == "unread":
            self._hand_over(opened)
            return
        if opened.kind == "tool_use" and opened.placeholder == "{}":
            self.settle(cut=False)
            self._bare = opened
            return
        if opened.placeholder and opened.kind == "tool_use":
            self._writer.arguments(opened.part, opened.placeholder)
        elif opened.placeholder:
            self._writer.extend(opened.part, opened.placeholder)
        self._writer.close(opened.part)

    def settle(self, *, cut: bool) -> None:
        """End the call that got no input, once it is known whether it was to get none.

        A token limit may have struck before the first piece of it: such a call looks like one without parameters, and
        must not be run. It is given arguments that are no JSON.
        """
        bare, self._bare = self._bare, None
        if bare is not None:
            self._writer.arguments(bare.part, "{" if cut else "{}")
            self._writer.close(bare.part)

    def _begin_call(self, block: Block) -> _Open:
        name = block.name or ""
        # In a stream the input is a placeholder `{}` and comes in deltas; a call without parameters may have none.
        # In a whole answer, and at some compatible servers, it stands here.
        given = "{}" if block.input == NULL else _text_of(block.input)
        if self._answer_tool is not None and name == self._answer_tool:
            opened = _Open("answer", self._writer.begin(TextDelta))
        else:
            self._calls += 1
            self._writer.admit_call(self._calls)
            if self._writer.done:
                return _Open("none")
            call_id = block.id or made_call_id(self._seed, self._calls, name)
            indirect = block.caller != NULL and not _is_direct(block.caller)
            if indirect and not self.carry(CALLER, block.caller):
                return _Open("none")
            opened = _Open("tool_use", self._writer.begin_call(call_id, name))
        opened.placeholder = given
        return opened

    def _begin_late(self, index: int, delta: Delta) -> _Open | None:
        """Begin a block whose start never came; a call cannot be, for nobody has named it."""
        match delta.type:
            case "text_delta":
                opened = _Open("text", self._writer.begin(TextDelta))
            case "thinking_delta" | "signature_delta":
                opened = _Open("thinking", self._writer.begin(ReasoningDelta))
            case _:
                return None
        self._open[index] = opened
        return opened

    def _extend_unread(self, opened: _Open, delta: Delta) -> None:
        match delta.type:
            case "input_json_delta":
                opened.pieces.append(delta.partial_json or "")
                self._writer.spend(len(delta.partial_json or ""))
            case "compaction_delta":
                opened.raw["content"] = f"{opened.raw.get('content') or ''}{delta.content or ''}"
                self._writer.spend(len(delta.content or ""))
            case _:
                opened.readable = False

    def _hand_over(self, opened: _Open) -> None:
        raw = opened.raw
        if not opened.readable:
            return
        text = "".join(opened.pieces)
        if text:
            try:
                raw["input"] = load_tolerant(text)
            except MALFORMED_ERRORS:
                return  # cut by a token limit: nobody could be handed it back
        try:
            written = dump(raw)
        except MALFORMED_ERRORS:
            return  # nested as deep as can be read, and so one level too deep to be written
        self._writer.opaque(well_formed(str(raw.get("type"))), msgspec.Raw(written.encode()))

    def _cite(self, part: int, citation: msgspec.Raw) -> None:
        raw = keep_raw(citation)
        source = msgspec.json.decode(raw)
        if not isinstance(source, dict):
            return
        title = _word(source.get("title")) or _word(source.get("document_title"))
        url = _word(source.get("url")) or _word(source.get("source"))
        self._writer.cite(title=title, url=url, quote=_word(source.get("cited_text")), raw=raw, index=part)


def _read_block(raw: bytes) -> Block | None:
    """Read a block; None for what is no JSON object with a type.

    Raises:
        ValueError, RecursionError: it is no JSON (`MALFORMED_ERRORS`).
    """
    try:
        block: Block | None = _decode_block(raw)
    except MALFORMED_ERRORS:
        block = fit(load_tolerant(raw), Block)
    return None if block is None or not block.type else block


def _is_direct(caller: msgspec.Raw) -> bool:
    value = msgspec.json.decode(keep_raw(caller))
    return not isinstance(value, dict) or value.get("type") == "direct"


def _text_of(raw: msgspec.Raw) -> str:
    return bytes(keep_raw(raw)).decode()


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
