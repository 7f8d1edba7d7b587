"""Bounds hold and estimates are near, for whatever a request holds, at a price of microseconds."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.estimate import (
    IMAGE_TOKENS_MAX,
    OUTPUT_TOKENS,
    WINDOW_TOKENS,
    bound_embed_usage,
    bound_tokens,
    bound_usage,
    estimate_embed_usage,
    estimate_tokens,
    estimate_usage,
    worst_cost_nano_usd,
)
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
from tests.shared_data import exchanges

PROSE = (
    "The river supervisor keeps a quiet ledger, and small actors pass letters between rooms. "
    "Nobody waits for ever, because each clock has a name and every door has a bound. "
)
"""35 words, 4 signs: 36 to 38 tokens in the tokenizers of 2024 and later."""


def ask(*turns: Turn, **fields: Any) -> ChatRequest:
    return ChatRequest(request_id=RequestId("r"), turns=turns or (text_turn("user", PROSE),), **fields)


@given(st.text(max_size=300))
@settings(max_examples=200)
def test_no_text_has_more_tokens_than_its_bound(text: str) -> None:
    # A byte-level tokenizer makes one token of one byte at worst.
    assert bound_tokens(text) >= len(text.encode("utf-8", "surrogatepass"))
    assert estimate_tokens(text) <= 2 * bound_tokens(text)


@pytest.mark.parametrize("text", ["\ud83d", "a" * 300_000 + "\u4e16" * 10, "\u4e16" * 300_000])
def test_the_bound_holds_for_lone_surrogates_and_very_long_texts(text: str) -> None:
    assert bound_tokens(text) >= len(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    ("text", "tokens", "tolerance"),
    [
        (PROSE, 37, 0.2),
        ("\u4e16\u754c\u5f88\u5927\uff0c\u6211\u4eec\u8fd8\u5c0f\u3002" * 10, 90, 0.3),
        ('{"id":17,"ok":true,"xs":[1,2,3,4,5],"name":"a"}', 31, 0.3),
        ("", 0, 0.0),
        ("   \n\n  ", 0, 0.0),
    ],
    ids=["prose", "chinese", "json", "nothing", "blanks"],
)
def test_an_estimate_is_near(text: str, tokens: int, tolerance: float) -> None:
    assert abs(estimate_tokens(text) - tokens) <= tolerance * tokens


def test_a_long_text_is_estimated_from_pieces_of_it() -> None:
    text = PROSE * 5_000
    assert estimate_tokens(text) == pytest.approx(5_000 * estimate_tokens(PROSE), rel=0.1)


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
    assert bound_usage(ask(Turn(role="user", parts=(Image(file_id="f"),)))).input_uncached >= IMAGE_TOKENS_MAX


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
    bound, estimate = bound_embed_usage(request), estimate_embed_usage(request)
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


SPOKEN = (
    ("openai", "chat"),
    ("openai-compat", "chat"),
    ("azure", "deployments-chat"),
    ("azure", "v1-chat"),
    ("ollama", "chat"),
    ("ollama", "v1-chat"),
)


def request_of(body: dict[str, Any]) -> ChatRequest | None:
    """Read a recorded chat body into a request, near enough for counting; None for kinds of content not read here."""
    turns = []
    for message in body["messages"]:
        parts: list[Any] = [Image(data=b"x") for _ in message.get("images") or ()]
        content = message.get("content") or ()
        for piece in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if piece["type"] not in ("text", "image_url"):
                return None
            parts.append(Text(text=piece["text"]) if piece["type"] == "text" else Image(url="https://example.test"))
        for call in message.get("tool_calls") or ():
            arguments = call["function"]["arguments"]
            text = arguments if isinstance(arguments, str) else json.dumps(arguments)
            parts.append(ToolCall(id=call.get("id") or "", name=call["function"]["name"], arguments=text))
        turns.append(Turn(role="user", parts=tuple(parts)))
    functions = [tool["function"] for tool in body.get("tools") or () if "function" in tool]
    others = [tool for tool in body.get("tools") or () if "function" not in tool]
    schema = body.get("format") or (body.get("response_format") or {}).get("json_schema")
    return ask(
        *turns,
        tools=tuple(
            Tool(name=each["name"], description=each.get("description") or "", schema=as_raw(each.get("parameters")))
            for each in functions
        ),
        output=OutputFormat(schema=as_raw(schema)) if schema else None,
        max_output_tokens=body.get("max_tokens")
        or body.get("max_completion_tokens")
        or (body.get("options") or {}).get("num_predict"),
        extra={"openai": as_raw({"tools": others})} if others else {},
    )


def as_raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def test_no_recorded_bill_is_above_its_bound_and_estimates_are_near() -> None:
    ratios = []
    for exchange in exchanges(*SPOKEN):
        body, told = (exchange.get("request") or {}).get("body"), exchange["expect"]
        if not isinstance(body, dict) or not told.get("input_tokens"):
            continue
        request = request_of(body)
        if request is None:
            continue
        bound = bound_usage(request)
        assert told["input_tokens"] <= bound.input_uncached, exchange["id"]
        assert (told.get("output_tokens") or 0) <= bound.output, exchange["id"]
        ratios.append(estimate_usage(request).input_uncached / told["input_tokens"])
    assert len(ratios) > 150
    ratios.sort()
    # Short prompts: templates and hidden preambles weigh more than the text, so the tails are wide.
    assert 0.8 <= ratios[len(ratios) // 2] <= 1.2
