"""Folding events into an answer: in order, whole or partial, and never a success without evidence."""

from __future__ import annotations

import msgspec
import pytest

from manus.actors.assembly import Assembly
from manus.messages.content import Citation, Opaque, Reasoning, Refusal, Text, ToolCall, VendorTurn
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
from manus.messages.failures import Failed
from manus.messages.outcomes import Finish
from manus.messages.policy import Bounds
from manus.messages.usage import Usage, VendorCounts

RAW = msgspec.Raw(b'{"a":1}')


def _assembled(*events: StreamEvent, bounds: Bounds | None = None) -> Assembly:
    assembly = Assembly("w", "m", bounds or Bounds())
    assembly.add(list(events))
    return assembly


def test_parts_come_out_in_the_order_of_their_index() -> None:
    assembly = _assembled(
        Started(id="i", model="returned"),
        ReasoningDelta(text="h", index=0),
        ReasoningSealed(index=0, signature="s1"),
        ReasoningDelta(text="m", index=0),
        ReasoningSealed(index=0, signature="s2", id="r1"),
        ToolCallStarted(index=2, id="c", name="f"),
        TextDelta(text="a", index=1),
        ToolArgumentsDelta(index=2, json='{"x"'),
        TextDelta(text="b", index=1),
        CitationAdded(index=1, title="t", raw=RAW),
        ToolArgumentsDelta(index=2, json=":1}"),
        OpaqueAdded(index=3, kind="k", raw=RAW),
        RefusalDelta(text="no", index=4),
        PartEnded(index=1),
        Pinged(),
        FinishReported(reason="refusal", raw="stop", service_tier="flex"),
        Ended(evidence="marker"),
    )
    answer = assembly.answer()

    assert answer.parts == (
        Reasoning(text="hm", signature="s2", id="r1", provider="w", model="m"),
        Text(text="ab"),
        Citation(title="t", raw=RAW),
        ToolCall(id="c", name="f", arguments='{"x":1}'),
        Opaque(provider="w", kind="k", raw=RAW, model="m"),
        Refusal(text="no"),
    )
    assert (answer.id, answer.model, answer.service_tier) == ("i", "returned", "flex")
    assert answer.finish == Finish(reason="refusal", raw="stop")
    assert answer.turn is not None
    assert answer.turn.parts == answer.parts
    assert (assembly.text_so_far, assembly.reasoning_so_far) == ("ab", "hm")
    assert assembly.has_tool_calls
    assert assembly.failure is None


@pytest.mark.parametrize(
    ("arguments", "kept", "valid"),
    [
        ("", "{}", True),
        (" ", "{}", True),
        ('{"a":1}', '{"a":1}', True),
        ('{"a":NaN}', '{"a":NaN}', True),
        ('{"a":', '{"a":', False),
        ("[1]", "[1]", False),
        ('"x"', '"x"', False),
        ("null", "null", False),
    ],
)
def test_calls_whose_arguments_are_no_object_are_marked_and_never_lost(arguments: str, kept: str, valid: bool) -> None:
    assembly = _assembled(ToolCallStarted(index=0, id="c", name="f"), ToolArgumentsDelta(index=0, json=arguments))
    assert assembly.answer().parts == (ToolCall(id="c", name="f", arguments=kept, valid=valid),)


def test_a_call_without_a_name_must_not_be_run() -> None:
    assert _assembled(ToolCallStarted(index=0, id="c", name="")).answer().parts == (
        ToolCall(id="c", name="", valid=False),
    )


def test_nothing_yet_is_a_valid_partial_answer() -> None:
    assembly = _assembled()
    assert assembly.answer().parts == ()
    assert assembly.answer().finish == Finish(reason="incomplete")
    assert (assembly.finish, assembly.ended, assembly.failure, assembly.has_content) == (None, None, None, False)


@pytest.mark.parametrize("evidence", ["marker", "finish_reason"])
def test_an_end_with_evidence_is_no_failure(evidence: str) -> None:
    ended = msgspec.convert({"event": "ended", "evidence": evidence}, Ended)
    assert _assembled(TextDelta(text="a"), FinishReported(reason="stop"), ended).failure is None


def test_an_end_without_evidence_is_a_failure_with_the_text_kept() -> None:
    assembly = _assembled(TextDelta(text="a"), FinishReported(reason="incomplete"), Ended(evidence="none"))
    assert assembly.failure is not None
    assert assembly.failure.kind == "incomplete"
    assert assembly.answer().parts == (Text(text="a"),)


def test_a_failed_stream_keeps_what_came_and_says_error() -> None:
    failed = Failed(kind="server", message="m")
    assembly = _assembled(TextDelta(text="a"), FinishReported(reason="stop", raw="stop"), StreamFailed(failure=failed))
    assert assembly.failure == failed
    assert assembly.answer().finish == Finish(reason="error", raw="stop")


def test_the_last_usage_holds_and_the_vendors_own_counts_are_kept() -> None:
    assembly = _assembled(
        UsageReported(usage=Usage(output=1), counts=VendorCounts(output=1)),
        UsageReported(usage=Usage(output=5, source="reported")),
    )
    assert assembly.usage == Usage(output=5, source="reported")
    assert assembly.vendor_counts == VendorCounts(output=1)


def test_only_content_commits() -> None:
    for event in (
        Started(id="i"),
        Pinged(),
        UsageReported(usage=Usage()),
        WarningRaised(code="c", message="m"),
        SafetyReported(raw=RAW),
        LogprobsReported(raw=RAW),
        ReasoningSealed(index=0, signature="s"),
        FinishReported(reason="stop"),
        Ended(evidence="marker"),
    ):
        assert not _assembled(event).has_content
    for content in (
        TextDelta(text="a"),
        ReasoningDelta(text="a"),
        RefusalDelta(text="a"),
        ToolCallStarted(index=0, id="c", name="f"),
        OpaqueAdded(index=0, kind="k", raw=RAW),
    ):
        assert _assembled(content).has_content


def test_a_reset_forgets_the_content_and_keeps_the_usage() -> None:
    assembly = _assembled(
        Started(id="i"),
        TextDelta(text="a"),
        UsageReported(usage=Usage(output=1, source="reported")),
        FinishReported(reason="stop"),
        Reset(reason="r"),
        TextDelta(text="b"),
    )
    assert assembly.text_so_far == "b"
    assert (assembly.started, assembly.finish, assembly.usage.output) == (None, None, 1)


def test_what_comes_beside_the_content_is_kept_up_to_a_bound() -> None:
    assembly = _assembled(
        *[LogprobsReported(raw=RAW)] * 3, SafetyReported(raw=RAW), bounds=Bounds(answer_bytes=2 * len(bytes(RAW)))
    )
    answer = assembly.answer()
    assert (len(answer.logprobs), len(answer.safety), len(answer.warnings)) == (2, 0, 1)


def test_the_vendors_own_payload_stays_with_a_turn_that_is_whole() -> None:
    whole = _assembled(TextDelta(text="a"), TurnReported(raw=RAW), Ended(evidence="marker")).answer().turn
    assert whole is not None
    assert whole.vendor == VendorTurn(provider="w", model="m", raw=RAW)
    cut = (
        _assembled(TextDelta(text="a"), TurnReported(raw=RAW)),
        _assembled(TextDelta(text="a"), TurnReported(raw=RAW), Ended(evidence="none")),
        _assembled(
            TextDelta(text="a"), TurnReported(raw=RAW), StreamFailed(failure=Failed(kind="server", message="x"))
        ),
        _assembled(TurnReported(raw=RAW), Reset(reason="server"), TextDelta(text="a"), Ended(evidence="marker")),
    )
    for assembly in cut:
        turn = assembly.answer().turn
        assert turn is not None
        assert turn.vendor is None


def test_vectors_are_content_and_no_part_of_a_turn() -> None:
    assembly = _assembled(VectorsReported(vectors=(b"abcd",)))
    assert assembly.has_content
    assert assembly.answer().vectors == (b"abcd",)
    assert assembly.answer().parts == ()
    forgotten = _assembled(VectorsReported(vectors=(b"abcd",)), Reset(reason="server"))
    assert not forgotten.has_content
    assert forgotten.answer().vectors == ()
