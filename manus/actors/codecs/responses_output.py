"""Own the parts of a Responses answer: output items, whole or in fragments, onto an `AnswerWriter`.

Items are numbered by `output_index` and may be written by turns; a message's content is numbered again within it.
What came in fragments is not written twice when the whole item follows, and what only came whole is written then:
some servers send no deltas, others send the item in the closing event alone (openai.md, section 7).

Three types of items are read. All others (tools that the vendor runs, compaction) are carried as they came.
"""

from __future__ import annotations

import msgspec

from manus.actors.codecs.answer_writer import AnswerWriter, Prose
from manus.actors.codecs.classify import protocol_failure
from manus.actors.codecs.json_fit import fit
from manus.actors.codecs.json_text import MALFORMED_ERRORS, NULL, keep_raw, load_tolerant, well_formed
from manus.actors.codecs.responses_types import Action, Item
from manus.actors.codecs.server_tools import ServerToolTally
from manus.actors.codecs.tool_fragments import ToolFragments
from manus.messages.events import LogprobsReported, ReasoningDelta, RefusalDelta, TextDelta

_decode_item = msgspec.json.Decoder(Item).decode

_EMPTY = (b"null", b"[]", b"{}")

_Place = tuple[str, int]
"""Where a piece stands in its item: in the `content` or the `summary`, and at which place there."""


class _Open:
    """One item of which something has been seen."""

    __slots__ = ("cited", "closed", "pieces", "thinking")

    def __init__(self) -> None:
        self.cited = False
        self.pieces: dict[_Place, int] = {}
        self.thinking: int | None = None
        self.closed = False


class OutputItems:
    """Writes the output items of one answer."""

    __slots__ = ("_items", "_last", "_tools", "_writer", "served", "wants_turn")

    def __init__(self, writer: AnswerWriter) -> None:
        self._writer = writer
        self._tools = ToolFragments(writer)
        self._items: dict[int, _Open] = {}
        self._last = 0
        self.served = ServerToolTally()
        self.wants_turn = False
        """The vendor wants more back than the parts say: which words were thinking aloud, whose tool was called."""

    def seed(self, *answer: object) -> None:
        """Name the answer, so that ids made for it differ from those of other answers."""
        self._tools.seed(*answer)

    def begin(self, place: int | None, raw: msgspec.Raw) -> None:
        """Take an item that begins: its type, and the name and id of a call."""
        item = _read_item(raw)
        if item is None:
            self._writer.fail(protocol_failure("An item of the answer is no JSON."))
            return
        number = len(self._items) if place is None else place
        self._last = number
        self._open(number)
        if item.type == "function_call":
            self._tools.take(number, item.call_id or item.id, item.name, None)

    def prose(self, kind: Prose, place: int | None, number: int | None, text: str) -> None:
        """Take more of a message's text or refusal."""
        item = self._open(self._last if place is None else place)
        piece: _Place = ("content", number or 0)
        index = item.pieces.get(piece)
        if index is None:
            if self._writer.done:
                return
            index = item.pieces[piece] = self._writer.begin(kind)
        self._writer.extend(index, text)

    def prose_whole(self, kind: Prose, place: int | None, number: int | None, text: str) -> None:
        """Take all of a message's text or refusal, of which nothing has come in pieces: some servers send no deltas."""
        item = self._open(self._last if place is None else place)
        if not item.closed and ("content", number or 0) not in item.pieces:
            self.prose(kind, place, number, text)

    def thought(self, section: str, place: int | None, number: int | None, text: str) -> None:
        """Take more thinking: of the `summary`, or of the `content` where a server shows all of it."""
        self._think(self._open(self._last if place is None else place), (section, number or 0), text)

    def arguments(self, place: int | None, text: str) -> None:
        """Take more of a function call's arguments."""
        self._tools.take(self._last if place is None else place, None, None, text)

    def cite(self, place: int | None, number: int | None, annotation: msgspec.Raw) -> None:
        """Take a source that a message's text names."""
        item = self._open(self._last if place is None else place)
        item.cited = True
        _cite(self._writer, annotation, item.pieces.get(("content", number or 0)))

    def complete(self, place: int | None, raw: msgspec.Raw) -> None:
        """Take an item that is whole, whether or not its fragments came before."""
        number = self._last if place is None else place
        opened = self._open(number)
        if opened.closed or self._writer.done:
            return
        opened.closed = True
        item = _read_item(raw)
        if item is None:
            self._writer.fail(protocol_failure("An item of the answer is no JSON."))
            return
        self.wants_turn = self.wants_turn or bool(item.phase or item.namespace)
        match item.type:
            case "message":
                self._complete_message(opened, item)
            case "reasoning":
                self._complete_thinking(opened, item)
            case "function_call":
                self._tools.complete(number, item.call_id or item.id, item.name, item.arguments)
            case None:
                pass
            case kind:
                self._carry(kind, raw, item.action)

    def gather(self, output: list[msgspec.Raw] | None) -> None:
        """Take the closing list of all items: what no event has told yet is written now."""
        for place, raw in enumerate(output or ()):
            self.complete(place, raw)
        if not self._writer.done:
            self._tools.finish()

    def finish(self) -> None:
        """Close what a broken answer left open."""
        self._tools.finish()

    def _open(self, number: int) -> _Open:
        item = self._items.get(number)
        if item is None:
            item = self._items[number] = _Open()
            # A server that begins items without end must not have us hold them all.
            self._writer.hold_part()
        return item

    def _complete_message(self, opened: _Open, item: Item) -> None:
        for number, piece in enumerate(item.content or ()):
            place: _Place = ("content", number)
            kind, text = (RefusalDelta, piece.refusal) if piece.type == "refusal" else (TextDelta, piece.text)
            known = opened.pieces.get(place)
            if known is None and text and not self._writer.done:
                known = opened.pieces[place] = self._writer.begin(kind)
                self._writer.extend(known, text)
                self._add_logprobs(piece.logprobs)
            for annotation in piece.annotations or ():
                if not opened.cited:
                    _cite(self._writer, annotation, known)
        for index in opened.pieces.values():
            self._writer.close(index)

    def _complete_thinking(self, opened: _Open, item: Item) -> None:
        for section, pieces in (("summary", item.summary), ("content", item.content)):
            for number, piece in enumerate(pieces or ()):
                if piece.text and (section, number) not in opened.pieces:
                    self._think(opened, (section, number), piece.text)
        if self._writer.done:
            return
        if item.encrypted_content and opened.thinking is None:
            opened.thinking = self._writer.begin(ReasoningDelta)
        if opened.thinking is not None:
            self._writer.seal(opened.thinking, encrypted=item.encrypted_content, item_id=item.id)
            self._writer.close(opened.thinking)

    def _think(self, opened: _Open, place: _Place, text: str) -> None:
        if self._writer.done or not text:
            return
        if opened.thinking is None:
            opened.thinking = self._writer.begin(ReasoningDelta)
        elif place not in opened.pieces:
            self._writer.extend(opened.thinking, "\n\n")  # the parts of a summary are paragraphs of their own
        opened.pieces[place] = opened.thinking
        self._writer.extend(opened.thinking, text)

    def _add_logprobs(self, logprobs: msgspec.Raw) -> None:
        if bytes(logprobs) not in _EMPTY:
            self._writer.add(LogprobsReported(raw=keep_raw(logprobs)))

    def _carry(self, kind: str, raw: msgspec.Raw, action: Action | None) -> None:
        self._writer.opaque(well_formed(kind), keep_raw(raw))
        if kind == "custom_tool_call":
            self._writer.call_count += 1  # the caller's to run: the answer waits for it
        elif kind.endswith("_call"):
            self.served.add(_kind_served(kind.removesuffix("_call"), action))


def _kind_served(kind: str, action: Action | None) -> str:
    """Name the kind of a tool's call: searches of the web are on the bill, the pages that are opened are not."""
    if kind == "web_search" and action is not None and action.type not in (None, "search"):
        return "web_page"
    return kind


def _read_item(raw: msgspec.Raw) -> Item | None:
    """Read an item as far as it fits; None where it is no JSON, which the parser of the whole has skipped unread."""
    try:
        return _decode_item(raw)
    except MALFORMED_ERRORS:
        try:
            value = load_tolerant(bytes(raw))
            if isinstance(value, dict) and isinstance(value.get("content"), str):
                value["content"] = [{"type": "output_text", "text": value["content"]}]  # as in the input it may stand
            return fit(value, Item) or Item()
        except MALFORMED_ERRORS:
            return None


def _cite(writer: AnswerWriter, annotation: msgspec.Raw, index: int | None) -> None:
    raw = keep_raw(annotation)
    value = msgspec.json.decode(raw)
    if not isinstance(value, dict) or raw == NULL:
        return
    title = _text(value.get("title")) or _text(value.get("filename"))
    writer.cite(title=title, url=_text(value.get("url")), quote=None, raw=raw, index=index)


def _text(value: object) -> str | None:
    return well_formed(value) if isinstance(value, str) else None
