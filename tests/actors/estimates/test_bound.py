"""Bounds hold, for whatever a request holds and whoever reads it: against every bill that was recorded, too."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.estimates.bound import (
    OUTPUT_TOKENS,
    SERVER_TOOL_CALLS,
    WINDOW_TOKENS,
    bound_output_tokens,
    bound_usage,
    worst_cost_nano_usd,
)
from manus.actors.estimates.picture_tokens import PICTURE_TOKENS_MAX
from manus.actors.estimates.prompt import estimate_usage
from manus.messages.content import (
    Audio,
    Citation,
    Document,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    VendorTurn,
    text_turn,
)
from manus.messages.ids import RequestId
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, EmbedRequest, OutputFormat, Tool
from manus.messages.usage import UNKNOWN_PRICE, Price, Usage

PROSE = (
    "The river supervisor keeps a quiet ledger, and small actors pass letters between rooms. "
    "Nobody waits for ever, because each clock has a name and every door has a bound. "
)
"""35 words, 4 signs: 36 to 38 tokens in the tokenizers of 2024 and later."""


def ask(*turns: Turn, **fields: Any) -> ChatRequest:
    return ChatRequest(request_id=RequestId("r"), turns=turns or (text_turn("user", PROSE),), **fields)


PARTS = [
    Text(text=PROSE),
    Image(url="https://example.test/cat.png"),
    Document(data=b"%PDF-1.7"),
    Document(text=PROSE),
    Audio(data=b"\0" * 32_000),
    ToolCall(id="c1", name="look", arguments='{"at":"the harbour"}'),
    ToolResult(id="c1", name="look", content=(Text(text=PROSE), Image(data=b"x"))),
    Reasoning(text=PROSE, signature="s" * 400),
    Refusal(text=PROSE),
    Citation(raw=msgspec.Raw(b'{"url":"https://example.test"}')),
    Opaque(provider="alpha", kind="search", raw=msgspec.Raw(b'{"query":"boats"}')),
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: type(part).__name__)
def test_every_part_counts_and_the_estimate_stays_below_the_bound(part: Any) -> None:
    empty, full = ask(Turn(role="user")), ask(Turn(role="user", parts=(part,)))
    assert bound_usage(full).input_uncached > bound_usage(empty).input_uncached
    estimate, bound = estimate_usage(full), bound_usage(full)
    assert estimate.input_uncached >= estimate_usage(empty).input_uncached
    assert estimate.input_uncached <= bound.input_uncached
    assert estimate.output <= bound.output
    assert (estimate.source, bound.source) == ("estimated", "bound")


def test_what_bytes_say_nothing_about_is_bounded_by_the_window() -> None:
    held_by_the_vendor = ask(Turn(role="user", parts=(Document(file_id="f"),)))
    assert bound_usage(held_by_the_vendor).input_uncached >= WINDOW_TOKENS
    card = ModelCard(name="m", context_tokens=32_000)
    assert bound_usage(held_by_the_vendor, card).input_uncached == 32_000
    assert bound_usage(ask(Turn(role="user", parts=(Image(file_id="f"),)))).input_uncached >= PICTURE_TOKENS_MAX


def test_tools_schemas_and_replayed_turns_count() -> None:
    schema = msgspec.Raw(b'{"type":"object","properties":{"where":{"type":"string"}}}')
    plain = bound_usage(ask()).input_uncached
    with_tool = bound_usage(ask(tools=(Tool(name="look", schema=schema),))).input_uncached
    assert with_tool >= plain + 2 * len(bytes(schema))
    assert bound_usage(ask(output=OutputFormat(schema=schema))).input_uncached >= plain + 2 * len(bytes(schema))
    assert (
        estimate_usage(ask(tools=(Tool(name="look", schema=schema),))).input_uncached
        > estimate_usage(ask()).input_uncached
    )
    raw = msgspec.Raw(b'{"content":"' + b"x" * 500 + b'"}')
    replayed = Turn(role="assistant", vendor=VendorTurn(provider="alpha", model="m", raw=raw))
    assert bound_usage(ask(replayed)).input_uncached >= 500


@pytest.mark.parametrize(
    ("fields", "card", "most"),
    [
        ({"max_output_tokens": 100}, None, 100),
        ({"max_output_tokens": 100}, ModelCard(name="m", max_output_tokens=4_000), 100),
        ({}, ModelCard(name="m", max_output_tokens=4_000), 4_000),
        ({}, ModelCard(name="m", context_tokens=8_000), 8_000),
        ({}, ModelCard(name="m"), OUTPUT_TOKENS),
        ({}, None, OUTPUT_TOKENS),
        ({"max_output_tokens": 100, "extra": {"openai": msgspec.Raw(b'{"max_tokens":900}')}}, None, 900),
        ({"max_output_tokens": 100, "extra": {"ollama": msgspec.Raw(b'{"options":{"num_predict":900}}')}}, None, 900),
        ({"max_output_tokens": 100, "extra": {"openai": msgspec.Raw(b'{"n":3}')}}, None, 300),
        ({"max_output_tokens": 100, "extra": {"openai": msgspec.Raw(b"not json")}}, None, 100),
        ({"max_output_tokens": 100, "extra": {"openai": msgspec.Raw(b'["n"]')}}, None, 100),
    ],
)
def test_the_answer_is_bounded_by_whichever_cap_holds(fields: Any, card: ModelCard | None, most: int) -> None:
    output = bound_usage(ask(**fields), card).output
    assert most <= output <= most + 3 * 16


def test_vendor_options_that_add_to_the_prompt_are_bounded_by_the_window() -> None:
    searching = ask(extra={"openai": msgspec.Raw(b'{"web_search_options":{}}')})
    assert bound_usage(searching).input_uncached >= WINDOW_TOKENS


def test_embeddings_have_a_prompt_and_no_answer() -> None:
    request = EmbedRequest(request_id=RequestId("r"), inputs=(PROSE, "x"))
    bound, estimate = bound_usage(request), estimate_usage(request)
    assert (bound.output, estimate.output) == (0, 0)
    assert len(PROSE) < bound.input_uncached
    assert 30 < estimate.input_uncached < bound.input_uncached


prices = st.builds(
    Price,
    input=st.integers(0, 10**12),
    output=st.integers(0, 10**12),
    cache_read=st.none() | st.integers(0, 10**12),
    cache_write_short=st.none() | st.integers(0, 10**12),
    cache_write_long=st.none() | st.integers(0, 10**12),
    per_request=st.integers(0, 10**6),
)
counts = st.integers(0, 10**6)


@given(price=prices, parts=st.tuples(counts, counts, counts, counts, counts), spare=st.tuples(counts, counts))
@settings(max_examples=200)
def test_no_usage_within_its_bound_costs_more_than_the_worst(
    price: Price, parts: tuple[int, int, int, int, int], spare: tuple[int, int]
) -> None:
    uncached, read, short, long, output = parts
    used = Usage(
        input_uncached=uncached, cache_read=read, cache_write_short=short, cache_write_long=long, output=output
    )
    bound = Usage(input_uncached=used.input_total + spare[0], output=output + spare[1])
    worst, cost = worst_cost_nano_usd(price, bound), price.cost_nano_usd(used)
    assert worst is not None
    assert cost is not None
    assert cost <= worst


def test_an_unknown_price_has_no_worst() -> None:
    assert worst_cost_nano_usd(UNKNOWN_PRICE, Usage(output=1)) is None


def test_vendor_tools_are_bounded_by_their_caps_or_by_a_large_number() -> None:
    def calls(extra: bytes) -> int:
        return bound_usage(ask(extra={"anthropic": msgspec.Raw(extra)})).server_tool_calls

    assert calls(b'{"tools":[{"type":"web_search_20250305","max_uses":3}]}') == 3
    assert calls(b'{"tools":[{"type":"web_search","max_uses":3},{"type":"code_execution"}]}') == 3 + SERVER_TOOL_CALLS
    assert calls(b'{"tools":[{"type":"function","name":"f"},{"name":"g"}]}') == 0
    assert calls(b'{"web_search_options":{}}') == SERVER_TOOL_CALLS
    assert calls(b'{"tools":[{"type":"web_search","max_uses":3}],"plugins":[]}') == SERVER_TOOL_CALLS
    assert calls(b'{"previous_response_id":"r"}') == 0
    assert bound_usage(ask()).server_tool_calls == 0


def test_calls_of_vendor_tools_cost_what_they_cost_at_worst() -> None:
    price = Price(input=0, output=0, tool_calls={"web_search": 10_000_000})
    bound = bound_usage(ask(extra={"a": msgspec.Raw(b'{"tools":[{"type":"web_search","max_uses":3}]}')}))
    assert worst_cost_nano_usd(price, bound) == 30_000_000
    assert worst_cost_nano_usd(Price(input=0, output=0), bound) is None, "the rate of a tool is unknown"


SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"where":{"type":"string"}}}')


@pytest.mark.parametrize(("model", "twice"), [("qwen3:4b", True), ("gpt-oss:20b", True), ("gpt-4o", False)])
def test_only_what_a_local_server_may_serve_is_feared_to_read_a_prompt_twice(model: str, twice: bool) -> None:
    card = ModelCard(name=model, max_output_tokens=50_000)
    bound = bound_usage(ask(output=OutputFormat(schema=SCHEMA)), card).input_uncached
    assert (bound > 50_000) is twice
    assert (bound_usage(ask(output=OutputFormat()), card).input_uncached > 50_000) is twice


def test_a_picture_is_bounded_by_its_vendors_cap_where_there_is_one() -> None:
    def picture(model: str) -> int:
        card = ModelCard(name=model)
        with_one = bound_usage(ask(Turn(role="user", parts=(Image(url="https://example.test"),))), card)
        return with_one.input_uncached - bound_usage(ask(Turn(role="user")), card).input_uncached

    assert 1445 <= picture("gpt-4o") <= 2_000
    assert 1568 <= picture("claude-sonnet-4-5") <= 2_000
    assert 4784 <= picture("claude-opus-4-8") <= 6_000
    assert picture("gpt-4o-mini") >= 48_169
    assert picture("somebody-s-own") >= PICTURE_TOKENS_MAX
    assert picture("amazon.nova-pro-v1:0") >= 8000 * 8000 // 660, "Nova counts the whole of the largest picture"


@pytest.mark.parametrize(
    ("document", "readable"),
    [
        (Document(data=b"x" * 90, media_type="text/plain"), True),
        (Document(data=b"\xff\xfe" * 45, media_type="text/plain"), False),
        (Document(data=b"%PDF-1.7" + b"x" * 90), False),
    ],
    ids=["text", "no text after all", "pdf"],
)
def test_a_document_that_is_text_is_bounded_by_its_bytes(document: Document, readable: bool) -> None:
    bound = bound_usage(ask(Turn(role="user", parts=(document,)))).input_uncached
    assert (bound < 2_000) is readable
    assert (bound >= WINDOW_TOKENS) is not readable


def test_no_prompt_is_longer_than_its_model_takes() -> None:
    card = ModelCard(name="m", context_tokens=400_000, prompt_tokens=272_000, max_output_tokens=128_000)
    held = bound_usage(ask(Turn(role="user", parts=(Document(file_id="f"),))), card)
    assert (held.input_uncached, held.output) == (272_000, bound_output_tokens(ask(), card))
    assert 128_000 <= held.output <= 128_016
