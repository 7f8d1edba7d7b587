"""The seam of an answer that two attempts make: whose events pass, under which numbers, and which never do."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.assembly import Assembly
from manus.actors.journey.joints import Continued, Retold
from manus.actors.journey.splice import HELD_EVENTS_MAX, Splice
from manus.messages.content import AnyPart, Citation, Opaque, Reasoning, Text, ToolCall
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
    SafetyReported,
    Started,
    StreamEvent,
    StreamFailed,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallStarted,
    TurnReported,
    UsageReported,
    WarningRaised,
)
from manus.messages.failures import Failed
from manus.messages.policy import Bounds
from manus.messages.usage import Usage

RAW = msgspec.Raw(b'{"a":1}')
OTHER_RAW = msgspec.Raw(b'{"b":2}')
DONE = (FinishReported(reason="stop"), Ended(evidence="marker"))
LONG = "Once upon a time there was a small actor who crashed."


class Seam:
    """A caller's record of an answer that broke off, and of what another attempt adds to it."""

    def __init__(self, *shown: StreamEvent, goes_on: bool = False) -> None:
        self.record = Assembly("first", "m1", Bounds())
        self.record.add(list(shown))
        self.record.hand_over()
        text = self.record.text_so_far
        kept = text.rstrip()
        joint = Continued(kept, text[len(kept) :]) if goes_on else Retold(text)
        self.splice = Splice(self.record.outline(), self.record.warnings, joint)
        self.record.credit(("second", "m2"))
        self.passed: list[StreamEvent] = []

    def feed(self, *events: StreamEvent) -> list[StreamEvent]:
        """Feed the events of one socket read."""
        passed = self.splice.feed(list(events))
        self.record.add(passed)
        self.passed.extend(passed)
        return passed

    @property
    def parts(self) -> tuple[AnyPart, ...]:
        return self.record.answer().parts


def text(words: str, index: int = 0) -> TextDelta:
    return TextDelta(text=words, index=index)


def test_text_told_again_adds_only_what_is_new_to_the_part_that_was_shown() -> None:
    seam = Seam(Started(id="1"), text("Once "))

    assert seam.feed(Started(id="2"), text("On")) == []
    assert seam.feed(text("ce u"), text("pon")) == [text("u"), text("pon")]
    seam.feed(*DONE)

    assert seam.parts == (Text(text="Once upon"),)
    assert seam.record.started == Started(id="1")


def test_parts_of_the_new_answer_are_numbered_behind_the_shown_ones() -> None:
    seam = Seam(ReasoningDelta(text="hm", index=0), text("ab", 1), goes_on=True)

    passed = seam.feed(
        text("c", 0),
        ToolCallStarted(index=1, id="x", name="f"),
        ToolArgumentsDelta(index=1, json="{}"),
        OpaqueAdded(index=2, kind="k", raw=RAW),
        text("d", 3),
        *DONE,
    )

    assert [getattr(event, "index", None) for event in passed] == [1, 2, 2, 3, 4, None]
    assert seam.parts == (
        Reasoning(text="hm", provider="first", model="m1"),
        Text(text="abc"),
        ToolCall(id="x", name="f", arguments="{}"),
        Opaque(provider="second", kind="k", raw=RAW, model="m2"),
        Text(text="d"),
    )


@pytest.mark.parametrize(
    ("shown", "new", "expected"),
    [
        ((text("A", 0), text("B", 1)), (text("ABCD", 0),), ("A", "BCD")),
        ((text("AB", 0),), (text("A", 0), text("BCD", 1)), ("ABCD",)),
        ((text("AB", 0),), (text("AB", 0), text("CD", 1)), ("AB", "CD")),
        ((text("AB", 0), PartEnded(index=0)), (text("ABCD", 0),), ("AB", "CD")),
        ((text("AB", 0),), (text("AB", 0), PartEnded(index=0), text("CD", 1)), ("AB", "CD")),
        ((text("A", 0), text("B", 1)), (text("A", 0), PartEnded(index=0), text("BC", 1)), ("A", "BC")),
        ((), (text("AB", 0),), ("AB",)),
    ],
)
def test_text_in_several_parts_keeps_its_boundaries_as_far_as_they_can_be_told(
    shown: tuple[StreamEvent, ...], new: tuple[StreamEvent, ...], expected: tuple[str, ...]
) -> None:
    seam = Seam(*shown)

    seam.feed(*new, *DONE)

    assert seam.splice.differs is None
    assert tuple(part.text for part in seam.parts if isinstance(part, Text)) == expected


def test_end_of_a_shown_part_is_told_under_its_own_number() -> None:
    seam = Seam(ReasoningDelta(text="hm", index=0), text("ab", 1))

    assert seam.feed(text("ab", 0), PartEnded(index=0)) == []
    assert seam.feed(*DONE) == [PartEnded(index=1), FinishReported(reason="stop")]


def test_thinking_vendors_ids_and_payloads_of_the_second_attempt_never_pass() -> None:
    seam = Seam(ReasoningDelta(text="hm", index=0), text("ab", 1))

    seam.feed(
        Started(id="2", model="x"),
        ReasoningDelta(text="other", index=0),
        ReasoningSealed(index=0, signature="s"),
        Pinged(),
        text("abc", 1),
        TurnReported(raw=RAW),
        *DONE,
    )

    assert seam.passed == [text("c", 1), FinishReported(reason="stop")]
    turn = seam.record.answer().turn
    assert turn is not None
    assert turn.vendor is None


def test_payload_of_the_first_attempt_is_forgotten_when_it_is_cut() -> None:
    seam = Seam(TurnReported(raw=RAW), text("a"), FinishReported(reason="length"), Ended(evidence="none"))
    seam.feed(text("ab"), Ended(evidence="marker"))

    answer = seam.record.answer()
    assert answer.turn is not None
    assert answer.turn.vendor is None
    assert answer.finish.reason == "incomplete"


def test_sources_that_the_caller_has_come_only_once() -> None:
    seam = Seam(text("ab"), CitationAdded(title="t", url="u", raw=RAW))

    seam.feed(text("a"), CitationAdded(title="t", url="u", raw=OTHER_RAW), CitationAdded(title="new"))
    seam.feed(text("bc"), CitationAdded(title="t", url="u", raw=RAW), *DONE)

    assert seam.parts == (
        Text(text="abc"),
        Citation(title="t", url="u", raw=RAW),
        Citation(title="new"),
        Citation(title="t", url="u", raw=RAW),
    )


def test_sources_of_a_continuation_stand_with_its_text() -> None:
    seam = Seam(text("ab", 0), ToolCallStarted(index=1, id="x", name="f"), goes_on=True)
    seam.feed(text("c", 0), CitationAdded(title="t", index=0), *DONE)

    assert seam.parts[2:] == (Text(text="c"), Citation(title="t"))


def test_counts_warnings_and_verdicts_wait_until_the_attempt_has_joined() -> None:
    usage = UsageReported(usage=Usage(output=3))
    warning = WarningRaised(code="dropped", message="No seed here.")
    safety = SafetyReported(raw=RAW)
    seam = Seam(WarningRaised(code="dropped", message="Known."), text("ab"))

    assert seam.feed(WarningRaised(code="dropped", message="Known."), warning, usage, safety, text("a")) == []
    assert seam.feed(text("bc")) == [warning, usage, safety, text("c")]
    assert seam.feed(usage) == [usage]


def test_what_waits_is_bounded() -> None:
    seam = Seam(text("ab"))
    for _ in range(HELD_EVENTS_MAX * 2):
        seam.feed(UsageReported(usage=Usage()))

    assert len(seam.feed(text("abc"))) == HELD_EVENTS_MAX + 1


def test_probabilities_come_for_new_text_only() -> None:
    seam = Seam(text("ab"))
    seam.feed(text("a"), LogprobsReported(raw=RAW), text("b"), LogprobsReported(raw=RAW))
    seam.feed(text("c"), LogprobsReported(raw=OTHER_RAW))

    assert seam.passed == [text("c"), LogprobsReported(raw=OTHER_RAW)]


NOT_JOINING: list[tuple[str, bool, tuple[StreamEvent, ...], str]] = [
    ("ab", False, (text("ax"),), "differs"),
    ("ab", False, (text("a"), *DONE), "over after 1"),
    ("ab", False, DONE, "over after 0"),
    ("ab", False, (text("a"), ToolCallStarted(index=1, id="x", name="f")), "over after 1"),
    ("ab", False, (text("a"), RefusalDelta(text="no", index=1)), "over after 1"),
    ("ab", False, (text("ab"), RefusalDelta(text="no", index=1)), "refused"),
    ("ab", False, (text("ab"), FinishReported(reason="refusal")), "refused"),
    ("ab", True, (RefusalDelta(text="no"),), "refused"),
    ("ab", True, (FinishReported(reason="content_filter"),), "refused"),
    ("ab", True, (ReasoningDelta(text="hm"), *DONE), "thought"),
    ("ab", True, (WarningRaised(code="prefill_in_words", message="w"), text("c")), "in words"),
    (LONG, True, (text(LONG[:40] + "X"),), "began anew"),
    (LONG, True, (text(LONG[:40]), *DONE), "began anew"),
    (LONG, True, (text(LONG[:40]), ToolCallStarted(index=1, id="x", name="f")), "began anew"),
]


@pytest.mark.parametrize(("shown", "goes_on", "events", "why"), NOT_JOINING)
@pytest.mark.parametrize("single", [True, False])
def test_what_does_not_join_says_so_and_nothing_of_it_has_passed_or_will(
    shown: str, goes_on: bool, events: tuple[StreamEvent, ...], why: str, single: bool
) -> None:
    seam = Seam(text(shown), goes_on=goes_on)

    for read in [(event,) for event in events] if single else [events]:
        seam.feed(*read)

    assert seam.splice.differs is not None
    assert why in seam.splice.differs
    assert not seam.splice.took_up
    seam.feed(text("more"), *DONE)
    assert seam.passed == []


def test_attempt_that_breaks_off_itself_is_no_difference() -> None:
    for goes_on in (True, False):
        seam = Seam(text(LONG), goes_on=goes_on)
        seam.feed(text(LONG[:40]), StreamFailed(failure=Failed(kind="server", message="")))
        seam.feed(Ended(evidence="none"))

        assert seam.splice.differs is None
        assert seam.passed == []


def test_words_held_back_come_before_the_call_that_follows_them() -> None:
    seam = Seam(text(LONG), goes_on=True)

    assert seam.feed(text("Once")) == []
    passed = seam.feed(ToolCallStarted(index=1, id="x", name="f"))

    assert passed == [text("Once"), ToolCallStarted(index=1, id="x", name="f")]


def test_prefill_that_was_asked_for_in_words_does_not_matter_to_who_answers_anew() -> None:
    seam = Seam(text("ab"))
    seam.feed(WarningRaised(code="prefill_in_words", message="w"), text("abc"), *DONE)

    assert seam.splice.differs is None


WORDS = st.text("ab \n", max_size=50)


@settings(max_examples=200, deadline=None)
@given(
    whole=WORDS,
    cut=st.integers(0, 50),
    other=st.one_of(st.none(), WORDS),
    goes_on=st.booleans(),
    reads=st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=4), min_size=1, max_size=6),
    parts=st.lists(st.booleans(), max_size=20),
)
def test_record_is_a_prefix_of_one_answer_and_all_of_it_at_its_end(
    whole: str, cut: int, other: str | None, goes_on: bool, reads: list[list[int]], parts: list[bool]
) -> None:
    shown = whole[:cut]
    kept = shown.rstrip()
    seam = Seam(*([text(shown)] if shown else []), goes_on=goes_on)
    says = whole[len(kept) :] if goes_on else whole if other is None else other
    boundary = iter(parts)
    at = index = turn = 0
    while at < len(says):
        events: list[StreamEvent] = []
        for size in reads[turn % len(reads)]:
            if says[at : at + size]:
                index += next(boundary, False)
                events.append(text(says[at : at + size], index))
            at += size
        turn += 1
        seam.feed(*events)
        have = seam.record.text_so_far
        assert have.startswith(shown)
        assert seam.splice.differs is not None or whole.startswith(have) or says.startswith(have)
    seam.feed(*DONE)

    have = seam.record.text_so_far
    if goes_on:
        assert (seam.splice.differs, have) == (None, whole)
    elif says.startswith(shown):
        assert (seam.splice.differs, have) == (None, says)
    else:
        assert seam.splice.differs is not None
        assert have == shown
    assert "".join(part.text for part in seam.parts if isinstance(part, Text)) == have
