"""Own the grammar of one answer's events: numbered parts, stated bounds, exactly one terminal.

Chat completions and Ollama send no part boundaries: text, thinking and calls come as they come, and
`write` closes one part when another begins. Other wires number their parts, of which several may be open:
for them are `begin`, `extend`, `seal` and `close`. The writer numbers parts in the order in which they
begin, joins characters that were cut between two pieces, holds the finish reason back until the answer is
over, and fails an answer that outgrows its bounds. It knows no vendor.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from manus.actors.codecs.json_text import split_high_surrogate, well_formed
from manus.messages.events import (
    CitationAdded,
    Ended,
    Evidence,
    FinishReason,
    FinishReported,
    OpaqueAdded,
    PartEnded,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    Started,
    StreamEvent,
    StreamFailed,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallStarted,
)
from manus.messages.failures import Failed
from manus.messages.policy import Bounds

Prose = type[TextDelta] | type[ReasoningDelta] | type[RefusalDelta]


class AnswerWriter:
    """Collects the events of one answer; `take` hands over what has gathered.

    `done` turns true with the terminal event, after which everything is ignored.
    """

    __slots__ = (
        "_bounds",
        "_bytes_left",
        "_calls_open",
        "_events",
        "_finish_detail",
        "_finish_raw",
        "_halves",
        "_index",
        "_kind",
        "_next_index",
        "_parts_left",
        "_prose_open",
        "_reasons",
        "_refused",
        "_service_tier",
        "_stop_sequence",
        "call_count",
        "done",
        "finished",
        "started",
    )

    def __init__(self, bounds: Bounds, reasons: Mapping[str, FinishReason]) -> None:
        self._bounds = bounds
        self._reasons = reasons
        self._events: list[StreamEvent] = []
        self._bytes_left = bounds.answer_bytes
        self._parts_left = bounds.parts
        self._next_index = 0
        self._kind: Prose | None = None
        self._index = 0
        self._halves: dict[int, str] = {}
        self._prose_open: dict[int, Prose] = {}
        self._calls_open: dict[int, str] = {}
        self._refused = False
        self._finish_raw: str | None = None
        self._finish_detail: str | None = None
        self._stop_sequence: str | None = None
        self._service_tier: str | None = None
        self.call_count = 0
        self.started = False
        self.finished = False
        """The vendor has named a finish reason (or its equivalent)."""
        self.done = False

    def take(self) -> list[StreamEvent]:
        """Give the events gathered since the last call."""
        events = self._events
        self._events = []
        return events

    def add(self, event: StreamEvent) -> None:
        """Append an event that is no part of the answer's text: usage, safety, a ping."""
        if not self.done:
            self._events.append(event)

    def start(self, answer_id: str | None, model: str | None) -> None:
        """Say that the vendor has begun to answer; only the first call counts."""
        if not self.started:
            self.started = True
            self._events.append(Started(id=answer_id or None, model=model or None))

    def write(self, kind: Prose, text: str) -> None:
        """Add to the text, the thinking or the refusal; begins a new part where the kind changes."""
        if self.done:
            return
        if kind is not self._kind:
            self._close_prose()
            self._index = self.begin(kind)
            self._kind = kind
        self.extend(self._index, text)

    def begin(self, kind: Prose) -> int:
        """Begin a part of text, thinking or refusal beside those that are open; gives its index."""
        assert not self.done
        index = self._take_index()
        if not self.hold_part():
            return index
        self._prose_open[index] = kind
        if kind is RefusalDelta:
            self._refused = True
        return index

    def extend(self, index: int, text: str) -> None:
        """Add to the part `index`. What comes for one that is ended is dropped: its end said that it was whole."""
        kind = self._prose_open.get(index)
        if kind is None or self.done:
            return
        if self._halves or not text.isascii():
            text = self._whole_characters(index, text)
            if not text:
                return
        else:
            self._bytes_left -= len(text)
        self._events.append(kind(text=text, index=index))
        if self._bytes_left < 0:
            self._fail_bound("answer_bytes", self._bounds.answer_bytes)

    def seal(
        self,
        index: int,
        *,
        signature: str | None = None,
        encrypted: str | None = None,
        redacted: str | None = None,
        item_id: str | None = None,
    ) -> None:
        """Add to the thinking that is part `index` what the vendor wants back with it."""
        if self.done:
            return
        words = [None if word is None else well_formed(word) for word in (signature, encrypted, redacted, item_id)]
        event = ReasoningSealed(index=index, signature=words[0], encrypted=words[1], redacted=words[2], id=words[3])
        self._events.append(event)
        self.spend(sum(len(word) for word in words if word))

    def close(self, index: int) -> None:
        """End the part `index`, prose or call, unless it is ended already."""
        if self.done:
            return
        if index in self._prose_open:
            if self._kind is not None and index == self._index:
                self._kind = None
            self._end_prose(index)
        elif index in self._calls_open:
            self._end_call(index)

    def begin_call(self, call_id: str, name: str) -> int:
        """Begin a tool call; gives the part's index for `arguments`."""
        assert not self.done
        self._close_prose()
        index = self._take_index()
        if not self.hold_part():
            return index
        self.call_count += 1
        self._calls_open[index] = ""
        self._events.append(ToolCallStarted(index=index, id=well_formed(call_id), name=well_formed(name)))
        return index

    def arguments(self, index: int, json_text: str) -> None:
        """Add to the arguments of the call that is part `index`; dropped where it is ended."""
        half = self._calls_open.get(index)
        if half is None or self.done or not json_text:
            return
        text = half + json_text
        text, self._calls_open[index] = split_high_surrogate(text)
        if not text:
            return
        text = well_formed(text)
        self._events.append(ToolArgumentsDelta(index=index, json=text))
        self.spend(len(text.encode()))

    def opaque(self, kind: str, raw: msgspec.Raw) -> None:
        """Add a part that is carried unread."""
        if self.done:
            return
        self._close_prose()
        index = self._take_index()
        if not self.hold_part():
            return
        self._events.append(OpaqueAdded(index=index, kind=kind, raw=raw))
        self._events.append(PartEnded(index=index))
        self.spend(len(bytes(raw)))

    def cite(
        self, *, title: str | None, url: str | None, quote: str | None, raw: msgspec.Raw, index: int | None = None
    ) -> None:
        """Add a citation to the part `index`: by default the one that `write` writes, or the last it wrote."""
        if self.done:
            return
        if not self.hold_part():
            return
        place = self._index if index is None else index
        self._events.append(CitationAdded(index=place, title=title, url=url, quote=quote, raw=raw))
        self.spend(len(bytes(raw)))

    def spend(self, size_bytes: int) -> None:
        """Count bytes that the answer makes us hold; over the bound the answer fails."""
        self._bytes_left -= size_bytes
        if self._bytes_left < 0:
            self._fail_bound("answer_bytes", self._bounds.answer_bytes)

    def hold_part(self) -> bool:
        """Count one more part, or what may become one; over the bound the answer fails, and this gives False."""
        self._parts_left -= 1
        if self._parts_left < 0:
            self._fail_bound("parts", self._bounds.parts)
        return self._parts_left >= 0

    def admit_call(self, count: int) -> None:
        """Check the number of tool calls begun so far, named or not; over the bound the answer fails."""
        if count > self._bounds.tool_calls:
            self._fail_bound("tool_calls", self._bounds.tool_calls)

    def hold_finish(
        self,
        raw: str | None,
        *,
        service_tier: str | None = None,
        detail: str | None = None,
        stop_sequence: str | None = None,
    ) -> None:
        """Note why the model stopped. It is reported when the answer is over: more may still come."""
        self.finished = True
        self._finish_raw = _whole(raw)
        self._finish_detail = _whole(detail)
        self._stop_sequence = _whole(stop_sequence)
        self._service_tier = _whole(service_tier) or self._service_tier

    def end(self, evidence: Evidence) -> None:
        """Close the answer. Without evidence the finish is `incomplete`, whatever was said before."""
        if self.done:
            return
        self.close_parts()
        reason: FinishReason = "incomplete" if evidence == "none" else self._reason()
        self._events.append(
            FinishReported(
                reason=reason,
                raw=self._finish_raw,
                detail=self._finish_detail,
                stop_sequence=self._stop_sequence,
                service_tier=self._service_tier,
            )
        )
        self._events.append(Ended(evidence=evidence))
        self.done = True

    def fail(self, failure: Failed) -> None:
        """Close the answer with the vendor's error, or ours about its bytes."""
        if self.done:
            return
        self.close_parts()
        if self._finish_raw is not None:
            self._events.append(FinishReported(reason="error", raw=self._finish_raw))
        self._events.append(StreamFailed(failure=failure))
        self.done = True

    def close_parts(self) -> None:
        """End all open parts."""
        self._kind = None
        for index in tuple(self._prose_open):
            self._end_prose(index)
        for index in tuple(self._calls_open):
            self._end_call(index)

    def _reason(self) -> FinishReason:
        # Precedence of canonical.md, section 2.1. A forced tool finishes with `stop`, and so does a refusal.
        raw = self._finish_raw or ""
        reason = self._reasons.get(raw) or self._reasons.get(raw.lower(), "unknown")
        if self._refused:
            return "refusal"
        if self.call_count and (reason == "stop" or self._finish_raw is None):
            return "tool_calls"
        return reason

    def _close_prose(self) -> None:
        if self._kind is not None:
            self._kind = None
            self._end_prose(self._index)

    def _end_prose(self, index: int) -> None:
        kind = self._prose_open.pop(index)
        half = self._halves.pop(index, "")
        if half:
            self._events.append(kind(text=well_formed(half), index=index))
        self._events.append(PartEnded(index=index))

    def _end_call(self, index: int) -> None:
        half = self._calls_open.pop(index)
        if half:
            self._events.append(ToolArgumentsDelta(index=index, json=well_formed(half)))
        self._events.append(PartEnded(index=index))

    def _whole_characters(self, index: int, text: str) -> str:
        text = self._halves.pop(index, "") + text
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            text, half = split_high_surrogate(text)
            if half:
                self._halves[index] = half
            text = well_formed(text)
            size = len(text.encode())
        self._bytes_left -= size
        return text

    def _take_index(self) -> int:
        index = self._next_index
        self._next_index += 1
        return index

    def _fail_bound(self, name: str, bound: int) -> None:
        self.fail(
            Failed(
                kind="protocol",
                message=f"The answer grew over the bound of {bound} ({name}) and was stopped.",
                phase="streaming",
                param=name,
            )
        )


def _whole(text: str | None) -> str | None:
    return None if text is None else well_formed(text)
