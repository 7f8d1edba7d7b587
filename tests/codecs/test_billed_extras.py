"""What an answer's usage tells beside tokens: sounds, the vendor's own tools by kind, and what it was served at."""

from __future__ import annotations

import msgspec
import pytest

from manus.actors.codecs.openai_chat_extras import usage_reported
from manus.actors.codecs.openai_chat_types import UsageObject
from manus.actors.codecs.server_tools import KIND_CHARS_MAX, KINDS_MAX, ServerToolTally
from manus.messages.usage import Usage
from tests.codecs.anthropic_answers import begun, framed, over, read, said, whole
from tests.codecs.decoding import assemble
from tests.codecs.responses_answers import document_of, message_item

RESPONSES = "openai-responses"


def chat_usage(**fields: object) -> Usage:
    return usage_reported(msgspec.convert(fields, UsageObject)).usage


def test_sound_inside_the_prompt_is_a_part_of_it() -> None:
    usage = chat_usage(
        prompt_tokens=64,
        completion_tokens=9,
        total_tokens=73,
        prompt_tokens_details={"audio_tokens": 44},
        completion_tokens_details={"audio_tokens": 7},
    )
    assert (usage.input_uncached, usage.audio_input, usage.output, usage.audio_output) == (64, 44, 9, 7)


def test_sound_that_a_vendor_counts_beside_the_prompt_is_added_to_it() -> None:
    usage = chat_usage(
        prompt_tokens=9, completion_tokens=201, total_tokens=585, prompt_tokens_details={"audio_tokens": 375}
    )
    assert (usage.input_uncached, usage.audio_input, usage.output) == (384, 375, 201)
    assert usage.total == 585


def test_there_is_never_more_sound_than_tokens() -> None:
    usage = chat_usage(
        prompt_tokens=10,
        completion_tokens=2,
        total_tokens=12,
        prompt_tokens_details={"audio_tokens": 8, "cached_tokens": 6},
        completion_tokens_details={"audio_tokens": 5},
    )
    assert (usage.input_uncached, usage.cache_read, usage.audio_input, usage.audio_output) == (4, 6, 4, 2)


def test_no_more_of_a_prompt_was_cached_than_there_was_of_it() -> None:
    # As recorded of Grok on Azure, whose total says that the cached tokens are none besides.
    usage = chat_usage(
        prompt_tokens=377, completion_tokens=69, total_tokens=446, prompt_tokens_details={"cached_tokens": 515}
    )
    assert (usage.input_uncached, usage.cache_read, usage.total) == (0, 377, 446)


def test_what_a_gateway_counts_beside_the_prompt_is_kept() -> None:
    usage = chat_usage(prompt_tokens=10, completion_tokens=5, cache_read_input_tokens=4_000)
    assert usage.cache_read == 4_000


@pytest.mark.parametrize(
    ("told", "calls", "kinds"),
    [
        ({"web_search_requests": 1}, 1, (("web_search", 1),)),
        ({"web_search_requests": 1, "tool_calls_executed": 3}, 3, (("web_search", 1),)),
        ({"web_search_requests": 2, "tool_calls_executed": 2}, 2, (("web_search", 2),)),
        ({"tool_calls_executed": 1, "tool_calls_requested": 1}, 1, ()),
        ({"web_search_requests": -1}, 0, ()),
    ],
)
def test_a_gateway_tells_what_it_ran_itself(
    told: dict[str, int], calls: int, kinds: tuple[tuple[str, int], ...]
) -> None:
    usage = chat_usage(prompt_tokens=1, completion_tokens=1, total_tokens=2, server_tool_use_details=told)
    assert (usage.server_tool_calls, usage.server_tools) == (calls, kinds)


def test_searches_of_the_web_and_pages_that_were_opened_are_two_things() -> None:
    items = [
        {"id": "1", "type": "web_search_call", "action": {"type": "search"}},
        {"id": "2", "type": "web_search_call", "action": {"type": "open_page"}},
        {"id": "3", "type": "web_search_call", "action": {"type": "find_in_page"}},
        {"id": "4", "type": "web_search_call"},
        {"id": "5", "type": "file_search_call", "action": "odd"},
        {"id": "6", "type": "mcp_call"},
    ]
    usage = assemble(RESPONSES, document_of(*items, message_item("Hi"))).usage
    assert usage.server_tool_calls == 6
    assert usage.server_tools == (("file_search", 1), ("mcp", 1), ("web_page", 2), ("web_search", 2))


def test_more_kinds_than_there_are_lose_their_names_and_not_their_number() -> None:
    tally = ServerToolTally()
    for number in range(KINDS_MAX + 5):
        tally.add(f"kind{number:02}")
    tally.add("k" * (KIND_CHARS_MAX + 1))
    tally.add("kind00", 2)
    assert tally.total == KINDS_MAX + 5 + 1 + 2
    assert len(tally.kinds) == KINDS_MAX
    assert dict(tally.kinds)["kind00"] == 3


@pytest.mark.parametrize(
    ("told", "served"),
    [
        ({}, None),
        ({"service_tier": "standard"}, "standard"),
        ({"service_tier": "priority"}, "priority"),
        ({"service_tier": "standard", "speed": "standard", "inference_geo": "global"}, "standard"),
        ({"service_tier": "standard", "inference_geo": "not_available"}, "standard"),
        ({"service_tier": "standard", "speed": "fast"}, "fast"),
        ({"speed": "fast"}, "fast"),
        ({"service_tier": "standard", "inference_geo": "us"}, "standard+us"),
        ({"service_tier": "standard", "speed": "fast", "inference_geo": "us"}, "fast+us"),
        ({"service_tier": "priority", "speed": "fast"}, "priority+fast"),
        ({"inference_geo": "us"}, "standard+us"),
        ({"iterations": [{"input_tokens": 1}, {"input_tokens": 5, "model": "m2"}]}, "standard+m2"),
        ({"service_tier": "standard", "iterations": [{"input_tokens": 1}]}, "standard"),
    ],
)
def test_speed_and_place_are_part_of_what_an_answer_was_served_at(told: dict[str, object], served: str | None) -> None:
    usage = {"input_tokens": 1, "output_tokens": 2, **told}
    _, assembly = read(whole({"type": "text", "text": "A"}, usage=usage))
    assert assembly.answer().service_tier == served


def test_what_an_answer_was_served_at_may_be_told_with_its_last_counts() -> None:
    usage = {"output_tokens": 5, "service_tier": "standard", "inference_geo": "us"}
    _, assembly = read(framed(begun(), *said(0, "A"), *over(usage=usage)))
    assert assembly.answer().service_tier == "standard+us"
