"""What an attempt is said to have used, and what is known of its bill."""

from __future__ import annotations

import pytest

from manus.actors.assembly import Assembly
from manus.actors.metering import Billed, billed, usage_received
from manus.messages.events import (
    Ended,
    FinishReported,
    ReasoningDelta,
    RefusalDelta,
    Started,
    StreamEvent,
    StreamFailed,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallStarted,
    UsageReported,
)
from manus.messages.failures import Failed
from manus.messages.policy import Bounds
from manus.messages.usage import Usage

REPORTED = Usage(input_uncached=3, cache_read=4, output=50, source="reported")
USAGE = UsageReported(usage=REPORTED)
STOP = FinishReported(reason="stop")
WHOLE: list[StreamEvent] = [TextDelta(text="Hello"), USAGE, STOP, Ended(evidence="marker")]
FAILURE = Failed(kind="network", message="")


def folded(*events: StreamEvent) -> Assembly:
    assembly = Assembly("openai-chat", "m", Bounds())
    assembly.add(list(events))
    return assembly


def test_vendors_counts_hold_where_the_answer_came_to_its_end() -> None:
    assert usage_received(folded(*WHOLE), estimated_input_tokens=99) == REPORTED


def test_counts_reported_before_a_cut_are_the_least_that_was_used() -> None:
    early = UsageReported(usage=Usage(input_uncached=3, cache_read=4, output=1, source="reported"))
    usage = usage_received(folded(early, TextDelta(text="word " * 40)), estimated_input_tokens=99)

    assert (usage.input_total, usage.source) == (7, "estimated")
    assert usage.output >= 30


def test_estimate_is_never_below_what_was_reported() -> None:
    usage = usage_received(folded(USAGE, TextDelta(text="Hi")), estimated_input_tokens=99)

    assert (usage.output, usage.source) == (50, "estimated")


@pytest.mark.parametrize(
    "events",
    [
        (TextDelta(text="several words of text"),),
        (ReasoningDelta(text="several words of thought"),),
        (RefusalDelta(text="several words of refusal"),),
        (ToolCallStarted(index=0, id="1", name="look"), ToolArgumentsDelta(index=0, json='{"at": "this"}')),
    ],
)
def test_everything_received_counts_as_output(events: tuple[StreamEvent, ...]) -> None:
    usage = usage_received(folded(*events), estimated_input_tokens=99)

    assert usage.input_uncached == 99
    assert usage.output >= 3
    assert usage.source == "estimated"


def test_call_that_no_provider_took_used_its_prompt_at_most() -> None:
    assert usage_received(None, estimated_input_tokens=9) == Usage(input_uncached=9, source="estimated")


@pytest.mark.parametrize(
    ("failure", "sent", "status", "assembly", "bill"),
    [
        (None, True, 200, folded(*WHOLE), "reported"),
        (None, True, 200, folded(TextDelta(text="x"), STOP, Ended(evidence="marker")), "estimated"),
        (None, True, 200, folded(STOP, Ended(evidence="marker")), "estimated"),
        (FAILURE, True, 200, folded(TextDelta(text="x")), "estimated"),
        (FAILURE, True, 200, folded(TextDelta(text="x"), USAGE), "estimated"),
        (FAILURE, True, 200, folded(*WHOLE), "reported"),
        (FAILURE, True, 200, folded(*WHOLE[:2], StreamFailed(failure=FAILURE)), "estimated"),
        (FAILURE, True, 200, folded(Started(id="1")), "unknown"),
        (FAILURE, True, 200, None, "unknown"),
        (FAILURE, True, None, None, "unknown"),
        (FAILURE, False, None, None, "no"),
        (Failed(kind="network", message="", safe_to_retry=True), True, None, None, "no"),
        (Failed(kind="auth", message=""), True, 401, None, "no"),
        (Failed(kind="server", message=""), True, 500, None, "no"),
        (Failed(kind="server", message=""), True, 502, None, "unknown"),
        (Failed(kind="timeout", message=""), True, 504, None, "unknown"),
    ],
)
def test_bill_is_what_the_evidence_allows(
    failure: Failed | None, sent: bool, status: int | None, assembly: Assembly | None, bill: Billed
) -> None:
    assert billed(failure, sent=sent, status=status, assembly=assembly) == bill
