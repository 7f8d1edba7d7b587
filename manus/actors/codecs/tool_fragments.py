"""Own the question which tool call a fragment belongs to.

OpenAI keys fragments by `index` and names id and function only in the first one. Compatible servers
repeat ids and names, leave the index out, give every whole call the index 0, or send the id late. The
rules (openai.md, section 4, rule 1): the first non-empty id and name hold; a known index continues its
call unless a new id comes with a name; without an index a new id, or a name without an id, begins a call.
"""

from __future__ import annotations

from manus.actors.codecs.answer_writer import AnswerWriter
from manus.actors.codecs.call_ids import made_call_id


class _Call:
    __slots__ = ("has_arguments", "held", "id", "name", "ordinal", "part")

    def __init__(self, ordinal: int) -> None:
        self.ordinal = ordinal
        self.id = ""
        self.name = ""
        self.part: int | None = None
        self.held: list[str] = []
        self.has_arguments = False


class ToolFragments:
    """Puts the fragments of one answer's tool calls together, onto an `AnswerWriter`.

    A call is begun when its name is known; arguments that come before it are held.
    """

    __slots__ = ("_by_id", "_by_index", "_calls", "_last", "_seed", "_writer")

    def __init__(self, writer: AnswerWriter) -> None:
        self._writer = writer
        self._by_index: dict[int, _Call] = {}
        self._by_id: dict[str, _Call] = {}
        self._calls: list[_Call] = []
        self._last: _Call | None = None
        self._seed: tuple[object, ...] = ()

    def seed(self, *answer: object) -> None:
        """Name the answer, so that ids made for it differ from those of other answers."""
        self._seed = answer

    def take(self, index: int | None, call_id: str | None, name: str | None, arguments: str | None) -> None:
        """Take one fragment, as it came."""
        if self._writer.done:
            return
        call = self._call_of(index, call_id or "", name or "")
        self._last = call
        if not call.id and call_id:
            call.id = call_id
            self._by_id.setdefault(call_id, call)
        if not call.name and name:
            call.name = name
            self._begin(call)
        if not arguments:
            return
        call.has_arguments = True
        if call.part is None:
            call.held.append(arguments)
            self._writer.spend(len(arguments))
        else:
            self._writer.arguments(call.part, arguments)

    def complete(self, index: int, call_id: str | None, name: str | None, arguments: str | None) -> None:
        """Take a whole call, on a wire that tells where one ends. What had come of its arguments is not taken twice."""
        known = self._by_index.get(index)
        told = known is not None and known.has_arguments
        self.take(index, call_id, name, None if told else arguments)
        call = self._by_index.get(index)
        if call is not None and call.part is not None:
            self._writer.close(call.part)

    def finish(self) -> None:
        """Begin the calls whose name never came: nameless, so that nobody runs them."""
        for call in self._calls:
            if call.part is None:
                self._begin(call)

    def _call_of(self, index: int | None, call_id: str, name: str) -> _Call:
        known = self._by_index.get(index) if index is not None else None
        if known is not None:
            another = bool(call_id and known.id and call_id != known.id and name)
            return self._new(index) if another else known
        if index is not None:
            return self._new(index)
        if call_id:
            return self._by_id.get(call_id) or self._new(None)
        if name or self._last is None:
            return self._new(None)
        return self._last

    def _new(self, index: int | None) -> _Call:
        call = _Call(len(self._calls))
        if index is not None:
            self._by_index[index] = call
        self._calls.append(call)
        self._writer.admit_call(len(self._calls))
        return call

    def _begin(self, call: _Call) -> None:
        if self._writer.done:
            return
        if not call.id:
            call.id = made_call_id(*self._seed, call.ordinal, call.name)
        call.part = self._writer.begin_call(call.id, call.name)
        for held in call.held:
            self._writer.arguments(call.part, held)
        call.held.clear()
