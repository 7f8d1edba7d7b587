"""What an attempt is said to have used, and what is known of its bill."""

from __future__ import annotations

import msgspec
import pytest

from manus.actors.assembly import Assembly
from manus.actors.metering import BATCHING_WIRES, Billed, billed, tokens_received, usage_received
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
from manus.messages.usage import Usage, UsageSource, VendorCounts

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


def test_what_came_since_the_vendor_counted_is_added_to_its_count() -> None:
    said = [TextDelta(text=" word") for _ in range(7)]
    usage = usage_received(folded(*said, USAGE, *said[:3]), estimated_input_tokens=99)

    assert usage == msgspec.structs.replace(REPORTED, output=53, source="estimated")


def test_figure_that_opens_an_answer_is_no_count_of_it() -> None:
    opening = UsageReported(
        usage=Usage(input_uncached=3, output=1, source="missing"), counts=VendorCounts(input=3, output=1)
    )
    usage = usage_received(folded(opening, *[TextDelta(text=" word")] * 7), estimated_input_tokens=99)

    assert usage == Usage(input_uncached=3, output=7, source="estimated")


@pytest.mark.parametrize("source", ["reported", "missing"])
def test_prompt_that_the_vendor_counts_as_nothing_costs_nothing(source: UsageSource) -> None:
    nothing = UsageReported(usage=Usage(source=source), counts=VendorCounts(input=0, output=0))
    usage = usage_received(folded(nothing, TextDelta(text=" word")), estimated_input_tokens=99)

    assert (usage.input_total, usage.output, usage.source) == (0, 1, "estimated")


def test_answer_that_the_vendor_counts_as_nothing_costs_nothing() -> None:
    zero = UsageReported(usage=Usage(source="reported"))
    usage = usage_received(folded(TextDelta(text="Hi"), zero, STOP, Ended(evidence="marker")), estimated_input_tokens=9)

    assert usage == Usage(source="reported")


def test_counts_that_came_with_the_finish_hold_though_the_end_did_not_come() -> None:
    assembly = folded(TextDelta(text="Hello"), USAGE)
    assembly.finishing = True

    assert usage_received(assembly, estimated_input_tokens=99) == REPORTED
    assert billed(FAILURE, sent=True, status=200, assembly=assembly) == "reported"


def test_running_count_does_not_cover_what_came_after_it() -> None:
    assembly = folded(TextDelta(text="Hello"), USAGE, TextDelta(text=" world"))
    assembly.finishing = True

    usage = usage_received(assembly, estimated_input_tokens=99)
    assert (usage.output, usage.source) == (51, "estimated")


def test_answer_without_content_is_booked_by_the_counts_that_came_with_its_finish() -> None:
    assembly = folded(USAGE)
    assert billed(FAILURE, sent=True, status=200, assembly=assembly) == "unknown"

    assembly.finishing = True
    assert billed(FAILURE, sent=True, status=200, assembly=assembly) == "reported"


@pytest.mark.parametrize(
    ("wire", "pieces"),
    [
        ("openai-chat", [" word"] * 40),
        ("ollama", ["水", "火", " сме", "лый"] * 10),
        ("openai-responses", ["", *[" word"] * 40, ""]),
        ("anthropic", [" and", " so", " on", " it"] * 10),
    ],
    ids=["words", "beyond ASCII", "empty pieces", "a wire that batches"],
)
def test_pieces_are_counted_where_they_are_no_longer_than_a_token(wire: str, pieces: list[str]) -> None:
    assert tokens_received([pieces], batched=wire in BATCHING_WIRES) == 40


@pytest.mark.parametrize(
    ("pieces", "batched", "tokens"),
    [(["eight words came in this one single piece "] * 5, False, 45), ([" word after word"] * 20, True, 60)],
    ids=["a filter that batches", "a wire that batches"],
)
def test_text_is_estimated_where_it_comes_in_batches(pieces: list[str], batched: bool, tokens: int) -> None:
    assert tokens_received([pieces], batched=batched) == pytest.approx(tokens, rel=0.25)


@pytest.mark.parametrize(
    "events",
    [
        (TextDelta(text="several words of text"),),
        (ReasoningDelta(text="several words of thought"),),
        (RefusalDelta(text="several words of refusal"),),
        (
            ToolCallStarted(index=0, id="1", name="look"),
            *(ToolArgumentsDelta(index=0, json=piece) for piece in ('{"', 'at": "', "this", '"}')),
        ),
    ],
)
def test_everything_received_counts_as_output(events: tuple[StreamEvent, ...]) -> None:
    usage = usage_received(folded(*events), estimated_input_tokens=99)

    assert usage.input_uncached == 99
    assert usage.output >= 3
    assert usage.source == "estimated"


def test_name_of_a_call_is_counted_once() -> None:
    call: list[StreamEvent] = [
        ToolCallStarted(index=0, id="1", name="look"),
        ToolArgumentsDelta(index=0, json="{}"),
    ]
    assert usage_received(folded(*call), estimated_input_tokens=9).output == 2
    assert usage_received(folded(*call, USAGE), estimated_input_tokens=9).output == REPORTED.output


def test_call_that_no_provider_took_used_its_prompt_at_most() -> None:
    assert usage_received(None, estimated_input_tokens=9) == Usage(input_uncached=9, source="estimated")


@pytest.mark.parametrize(("wire", "bill"), [("azure-chat", "estimated"), ("openai-chat", "no")])
def test_prompt_that_a_filter_refused_is_billed_where_the_vendor_may_charge_for_it(wire: str, bill: Billed) -> None:
    refused = Failed(kind="content_policy", message="")
    assert billed(refused, sent=True, status=400, assembly=None, wire=wire) == bill
    assert billed(Failed(kind="invalid_request", message=""), sent=True, status=400, assembly=None, wire=wire) == "no"


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
        (Failed(kind="timeout", message=""), True, 524, None, "unknown"),
        (Failed(kind="server", message=""), True, 521, None, "no"),
        (Failed(kind="server", message=""), True, 525, None, "no"),
    ],
)
def test_bill_is_what_the_evidence_allows(
    failure: Failed | None, sent: bool, status: int | None, assembly: Assembly | None, bill: Billed
) -> None:
    assert billed(failure, sent=sent, status=status, assembly=assembly) == bill
