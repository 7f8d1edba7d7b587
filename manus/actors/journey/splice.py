"""Own the seam of an answer that two attempts make: what of the second one's events goes to who has seen the first's.

Sans-IO: lists of events go in, and what the caller gets comes out, under the caller's numbers of parts. How the texts
join is told by a `Joint` (`joints.py`); this file sees to everything beside the text. It guesses nothing: as soon as
the second answer is not, to the byte, one that goes on from what was shown, it says so, and nothing of it has passed.

What is dropped in any case: the vendor's id (the answer has one), the second attempt's thinking (what was shown of the
first one's stays), and its vendor's own payload of the turn, which is of an answer that nobody received.
"""

from __future__ import annotations

from typing import Protocol, assert_never

from manus.actors.assembly import Outlined
from manus.messages.content import Citation
from manus.messages.events import (
    CitationAdded,
    Ended,
    FinishReported,
    LogprobsReported,
    OpaqueAdded,
    PartEnded,
    Pinged,
    ReasoningDelta,
    ReasoningSealed,
    RefusalDelta,
    Reset,
    SafetyReported,
    Started,
    StreamEvent,
    StreamFailed,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallStarted,
    TurnReported,
    UsageReported,
    VectorsReported,
    WarningRaised,
)

HELD_EVENTS_MAX = 256
"""Events without text that wait for the joint; a vendor that sends more of them is only pinging."""

REFUSING = ("refusal", "content_filter")

PREFILL_IN_WORDS = "prefill_in_words"
"""The codec's warning that the model was asked to go on by words: what comes then may begin anywhere."""


class Joint(Protocol):
    """How a new text joins the one that was shown."""

    @property
    def joined(self) -> bool:
        """Whether the new text has come to where the shown one ends: whatever follows is new."""
        ...

    @property
    def whole(self) -> bool:
        """Whether the new text is an answer from its beginning, and no continuation."""
        ...

    @property
    def differs(self) -> str | None:
        """Why the new text does not join, in words; then it never will."""
        ...

    def take(self, text: str) -> str:
        """Take more of the new text, and give what of it the caller has not seen."""
        ...

    def close(self) -> str:
        """The new text is over, or something else begins: give what waited. It joins now or never."""
        ...


class Splice:
    """One attempt's, made when it begins.

    Args:
        shown: what the caller has seen, part by part.
        warned: what the caller was warned of.
        joint: how the texts join.
    """

    __slots__ = (
        "_cited",
        "_held",
        "_indexes",
        "_joint",
        "_last_text",
        "_new_text",
        "_next",
        "_shown_text",
        "_tail",
        "_thought",
        "_warned",
        "differs",
        "took_up",
    )

    def __init__(self, shown: list[Outlined], warned: tuple[str, ...], joint: Joint) -> None:
        texts = [part for part in shown if part.kind is TextDelta]
        last = shown[-1] if shown else None
        self._joint = joint
        self._warned = set(warned)
        self._cited = [_name_of(source) for part in shown for source in part.citations]
        self._next = 0 if last is None else last.index + 1
        # The part to which new text belongs: the last one, as long as more may come for it.
        self._tail = last.index if last is not None and last.kind is TextDelta and not last.ended else None
        self._shown_text = texts[-1].index if texts else None
        self._indexes: dict[int, int] = {}
        self._last_text: int | None = None
        self._new_text = False
        self._thought = False
        self._held: list[StreamEvent] = []
        self.differs: str | None = None
        """Why this attempt cannot go on from what was shown. Then nothing of it has passed, and nothing will."""
        self.took_up = False
        """Whether anything of this attempt has passed, or it has come to its end with nothing to add."""

    def feed(self, events: list[StreamEvent]) -> list[StreamEvent]:
        """Take the events of one socket read, and give those that the caller gets."""
        passed: list[StreamEvent] = []
        for event in events:
            if self.differs is None:
                self._take(event, passed)
        return passed

    def _take(self, event: StreamEvent, passed: list[StreamEvent]) -> None:
        match event:
            case TextDelta():
                self._text(event, passed)
            case ToolCallStarted() | RefusalDelta() | OpaqueAdded():
                self._other_part(event, passed)
            case ToolArgumentsDelta():
                self._content(_renumbered(event, self._index(event.index)), passed)
            case CitationAdded():
                self._citation(event, passed)
            case PartEnded():
                self._part_ended(event, passed)
            case ReasoningDelta():
                self._thought = True
            case LogprobsReported():
                if self._new_text:  # they come behind the text that they are of
                    self._beside(event, passed)
            case WarningRaised():
                self._warning(event, passed)
            case FinishReported():
                self._finish(event, passed)
            case UsageReported() | SafetyReported():
                self._beside(event, passed)
            case Ended():
                if event.evidence != "none":
                    self._end(passed)
            case Started() | ReasoningSealed() | TurnReported() | VectorsReported() | Pinged() | Reset():
                pass
            case StreamFailed():
                pass  # what was held back has not been shown, so nobody misses it
            case _:
                assert_never(event)

    # --- text ---------------------------------------------------------------------------------------

    def _text(self, event: TextDelta, passed: list[StreamEvent]) -> None:
        joint = self._joint
        ahead = joint.joined
        new = joint.take(event.text)
        self.differs = joint.differs
        if not ahead:
            self._last_text = event.index
        self._new_text = bool(new)
        if new:
            self._content(TextDelta(text=new, index=self._place(event.index)), passed)

    def _place(self, index: int) -> int:
        """Tell where the new text of part `index` goes: into the part that was shown last, where it is that one."""
        place = self._indexes.get(index)
        if place is None:
            begins = self._joint.whole and self._last_text is not None and index != self._last_text
            place = self._tail if self._tail is not None and not begins else self._fresh()
            self._tail = None
            self._indexes[index] = place
        return place

    def _close_joint(self, passed: list[StreamEvent]) -> None:
        """Have the joint decide: no more text comes, or something that is none."""
        waited = self._joint.close()
        self.differs = self._joint.differs
        if waited and self.differs is None:
            self._content(TextDelta(text=waited, index=self._place(self._last_text or 0)), passed)

    # --- what else an answer is made of -------------------------------------------------------------

    def _other_part(self, event: ToolCallStarted | RefusalDelta | OpaqueAdded, passed: list[StreamEvent]) -> None:
        self._close_joint(passed)
        if self.differs is None and isinstance(event, RefusalDelta) and not self.took_up:
            self.differs = "the model refused"
        if self.differs is None:
            self._content(_renumbered(event, self._index(event.index)), passed)

    def _citation(self, event: CitationAdded, passed: list[StreamEvent]) -> None:
        name = (event.title, event.url, event.quote)
        if name in self._cited:
            self._cited.remove(name)  # the caller has it
            return
        place = self._indexes.get(event.index)
        if place is None and self._last_text in (None, event.index):
            place = self._shown_text
        cited = _renumbered(event, self._index(event.index) if place is None else place)
        if self._joint.joined:
            self._content(cited, passed)
        else:
            self._hold(cited)

    def _part_ended(self, event: PartEnded, passed: list[StreamEvent]) -> None:
        place = self._indexes.get(event.index)
        if place is None and event.index == self._last_text and self._joint.joined and self._tail is not None:
            place, self._tail = self._tail, None
            self._indexes[event.index] = place
        if place is not None:
            self._beside(PartEnded(index=place), passed)

    def _warning(self, event: WarningRaised, passed: list[StreamEvent]) -> None:
        if event.code == PREFILL_IN_WORDS and not self.took_up and not self._joint.whole:
            self.differs = "the model had to be asked in words, and may begin anywhere"
        elif event.message not in self._warned:
            self._warned.add(event.message)
            self._beside(event, passed)

    # --- the end ------------------------------------------------------------------------------------

    def _finish(self, event: FinishReported, passed: list[StreamEvent]) -> None:
        self._close_joint(passed)
        if self.differs is None and event.reason in REFUSING and not self.took_up:
            self.differs = "the model refused"
        if self.differs is None:
            self._beside(event, passed)

    def _end(self, passed: list[StreamEvent]) -> None:
        self._close_joint(passed)
        if self.differs is None and self._thought and not self.took_up and not self._joint.whole:
            self.differs = "the model thought, and did not go on"
        if self.differs is None:
            self._flow(passed)

    # --- passing ------------------------------------------------------------------------------------

    def _content(self, event: StreamEvent, passed: list[StreamEvent]) -> None:
        self._flow(passed)
        passed.append(event)

    def _beside(self, event: StreamEvent, passed: list[StreamEvent]) -> None:
        if self.took_up:
            passed.append(event)
        else:
            self._hold(event)

    def _hold(self, event: StreamEvent) -> None:
        if len(self._held) < HELD_EVENTS_MAX:
            self._held.append(event)

    def _flow(self, passed: list[StreamEvent]) -> None:
        """Let through what waited: the attempt has joined."""
        self.took_up = True
        if self._held:
            passed.extend(self._held)
            self._held = []

    def _index(self, index: int) -> int:
        """Give the caller's number of the attempt's part `index`, which is a new part."""
        place = self._indexes.get(index)
        if place is None:
            place = self._indexes[index] = self._fresh()
        return place

    def _fresh(self) -> int:
        self._next += 1
        return self._next - 1


Numbered = ToolCallStarted | ToolArgumentsDelta | RefusalDelta | OpaqueAdded | CitationAdded


def _renumbered(event: Numbered, index: int) -> Numbered:
    match event:
        case ToolCallStarted():
            return ToolCallStarted(index=index, id=event.id, name=event.name)
        case ToolArgumentsDelta():
            return ToolArgumentsDelta(index=index, json=event.json)
        case RefusalDelta():
            return RefusalDelta(text=event.text, index=index)
        case OpaqueAdded():
            return OpaqueAdded(index=index, kind=event.kind, raw=event.raw)
        case CitationAdded():
            return CitationAdded(index=index, title=event.title, url=event.url, quote=event.quote, raw=event.raw)
        case _:
            assert_never(event)


def _name_of(source: Citation) -> tuple[str | None, str | None, str | None]:
    """Name a source without what the vendor adds to it, which differs from answer to answer."""
    return (source.title, source.url, source.quote)
