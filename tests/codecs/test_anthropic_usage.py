"""Token counts of a Messages answer come into normal form, whatever revises them."""

from __future__ import annotations

from manus.messages.events import UsageReported
from manus.messages.usage import Usage
from tests.codecs.anthropic_answers import begun, framed, over, read, said, whole


def test_later_counts_overwrite_and_are_never_added() -> None:
    usage = {
        "output_tokens": 90,
        "cache_read_input_tokens": 0,
        "input_tokens": 30,
        "output_tokens_details": {"thinking_tokens": 40},
    }
    _, assembly = read(framed(begun(), *said(0, "A"), *over(usage=usage)))
    assert assembly.usage == Usage(input_uncached=30, output=90, reasoning=40, source="reported")
    counts = assembly.vendor_counts
    assert counts is not None
    assert (counts.input, counts.cached, counts.cache_write, counts.output, counts.reasoning) == (30, 0, 0, 90, 40)


def test_the_last_of_several_message_deltas_holds() -> None:
    first, stop = over("max_tokens", usage={"output_tokens": 5})
    second = over("end_turn", usage={"output_tokens": 7})[0]
    third = {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {}}
    _, assembly = read(framed(begun(), *said(0, "A"), first, second, third, stop))
    assert assembly.usage.output == 7
    assert assembly.answer().finish.raw == "end_turn"


def test_writes_to_the_cache_are_split_by_life() -> None:
    usage = {
        "input_tokens": 1,
        "output_tokens": 2,
        "cache_creation_input_tokens": 300,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
    }
    _, assembly = read(whole({"type": "text", "text": "A"}, usage=usage))
    assert assembly.usage == Usage(
        input_uncached=1,
        output=2,
        cache_write_short=100,
        cache_write_long=200,
        server_tool_calls=3,
        server_tools=(("web_fetch", 1), ("web_search", 2)),
        source="reported",
    )
    del usage["cache_creation"]
    _, assembly = read(whole({"type": "text", "text": "A"}, usage=usage))
    assert (assembly.usage.cache_write_short, assembly.usage.cache_write_long) == (300, 0)


def test_a_revised_write_forgets_the_split_of_the_former_figure() -> None:
    start = begun(
        usage={
            "input_tokens": 1,
            "cache_creation_input_tokens": 300,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 300},
        }
    )
    usage = {"output_tokens": 9, "cache_creation_input_tokens": 50}
    _, assembly = read(framed(start, *said(0, "A"), *over(usage=usage)))
    assert (assembly.usage.cache_write_short, assembly.usage.cache_write_long) == (50, 0)


def test_passes_that_the_figures_leave_out_are_counted() -> None:
    passes = [
        {"input_tokens": 10, "output_tokens": 5},
        {"input_tokens": 20, "output_tokens": 7, "type": "fallback_message"},
    ]
    usage = {"input_tokens": 10, "output_tokens": 5, "iterations": passes}
    _, assembly = read(whole({"type": "text", "text": "A"}, usage=usage))
    assert (assembly.usage.input_uncached, assembly.usage.output) == (30, 12)
    assert assembly.vendor_counts is not None
    assert assembly.vendor_counts.input == 10


def test_the_figure_at_the_start_is_no_count_of_the_output() -> None:
    events, assembly = read(framed(begun(), *said(0, "A")))
    assert [event.usage.source for event in events if isinstance(event, UsageReported)] == ["missing"]
    assert assembly.usage.input_total == 12 + 2048
    assert assembly.usage.source == "missing"
