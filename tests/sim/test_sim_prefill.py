"""What simulated models do with a last turn of the assistant: as their vendors, or as scripted; and what it costs."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.journey.prefill import continued
from manus.messages.content import text_turn
from manus.messages.events import StreamEvent, TextDelta, UsageReported
from manus.messages.failures import Failed
from manus.messages.ids import RequestId
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest
from manus.sim.behaviour import Prefill, Script
from manus.sim.prefill import prefill_of, rest_of
from manus.sim.provider import CODECS, SimProvider
from manus.sim.steps import Head, Send
from manus.sim.wire import ChatAsked, SimRequest, WireName
from manus.sim.words import count_tokens

WIRES: tuple[WireName, ...] = get_args(WireName)
TEXT = "Once upon a time there was a small actor."
BEGUN = "Once upon a"


def asked(begun: str = BEGUN, **fields: Any) -> ChatRequest:
    request = ChatRequest(request_id=RequestId("r"), turns=(text_turn("user", "A story."),), stream=True, **fields)
    return continued(request, begun)


def answered(sim: SimProvider, request: ChatRequest, *, stream: bool = True) -> tuple[int, list[StreamEvent] | Failed]:
    """Encode, have the provider answer, and decode, as a client of the wire does."""
    wire = sim.wire.name
    card = ModelCard(name="m", prefill=True)
    codec = codec_for(CODECS[wire])
    options = CodecOptions(api="responses" if wire == "openai-responses" else "chat", card=card)
    encoded = codec.encode(request, "m", options)
    assert isinstance(encoded, HttpRequest)
    path, _, query = (sim.wire.base_path + encoded.path).partition("?")
    exchange = sim.answer(
        SimRequest(method="POST", path=path, query=query, headers=dict(encoded.headers), body=encoded.body)
    )
    status, body = 0, bytearray()
    while (step := exchange.next_step()) is not None:
        if isinstance(step, Head):
            status = step.status
        elif isinstance(step, Send):
            body += step.data
    if status != 200:
        return status, codec.failure(status, {}, bytes(body), now_unix_s=0.0)
    decoder = codec.decoder(stream=stream, model="m", options=options)
    return status, [*decoder.feed(bytes(body)), *decoder.finish()]


def text_in(events: list[StreamEvent] | Failed) -> str:
    assert not isinstance(events, Failed), events
    return "".join(event.text for event in events if isinstance(event, TextDelta))


@pytest.mark.parametrize("wire", WIRES)
def test_who_goes_on_says_only_the_rest_and_bills_it(wire: WireName) -> None:
    sim = SimProvider(wire, Script(text=TEXT, prefill="continue"))

    _, events = answered(sim, asked())

    assert text_in(events) == TEXT[len(BEGUN) :]
    row = sim.bill.rows()[0]
    assert row.output_tokens == count_tokens(TEXT[len(BEGUN) :])
    assert row.prompt == "A story."
    assert not isinstance(events, Failed)
    reported = [event.usage for event in events if isinstance(event, UsageReported)][-1]
    assert (reported.output, reported.input_total) == (row.output_tokens, row.input_tokens)
    assert row.input_tokens > count_tokens("A story.") + count_tokens(BEGUN)


@pytest.mark.parametrize("wire", WIRES)
def test_who_takes_it_for_history_says_the_same_as_without(wire: WireName) -> None:
    sim = SimProvider(wire, Script(text=TEXT, prefill="ignore"))

    assert text_in(answered(sim, asked())[1]) == TEXT


@pytest.mark.parametrize("wire", WIRES)
def test_words_depend_on_the_prompt_and_not_on_what_was_begun(wire: WireName) -> None:
    whole = text_in(answered(SimProvider(wire, Script(words=9, prefill="ignore")), asked("Once"))[1])
    other = text_in(answered(SimProvider("openai", Script(words=9, prefill="ignore")), asked("Else"))[1])
    rest = text_in(answered(SimProvider(wire, Script(words=9, prefill="continue")), asked(whole[:5].rstrip()))[1])

    assert whole == other
    assert whole[:5].rstrip() + rest == whole


@pytest.mark.parametrize("wire", WIRES)
def test_who_refuses_bills_nothing_and_is_understood(wire: WireName) -> None:
    sim = SimProvider(wire, Script(text=TEXT, prefill="refuse"))

    status, failure = answered(sim, asked())

    assert status == 400
    assert isinstance(failure, Failed)
    assert failure.kind in ("invalid_request", "unsupported")
    assert sim.bill.totals().billed == 0


def test_conversation_that_ends_with_the_user_is_never_refused() -> None:
    sim = SimProvider("openai", Script(text=TEXT, prefill="refuse"))
    request = ChatRequest(request_id=RequestId("r"), turns=(text_turn("user", "A story."),), stream=True)

    assert text_in(answered(sim, request)[1]) == TEXT


USUAL: list[tuple[WireName, str, Prefill]] = [
    ("openai", "gpt-4o", "ignore"),
    ("openai-responses", "gpt-5.6", "ignore"),
    ("azure", "gpt-4o", "ignore"),
    ("ollama", "gemma4", "continue"),
    ("anthropic", "sim-large", "continue"),
    ("anthropic", "claude-3-haiku-20240307", "continue"),
    ("anthropic", "claude-sonnet-4-20250514", "continue"),
    ("anthropic", "claude-sonnet-4-5", "continue"),
    ("anthropic", "claude-opus-4-1-20250805", "continue"),
    ("anthropic", "claude-sonnet-4-6", "refuse"),
    ("anthropic", "claude-opus-5-5", "refuse"),
    ("anthropic", "claude-fable-5", "refuse"),
    ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "continue"),
    ("bedrock", "anthropic.claude-opus-4-7", "refuse"),
    ("bedrock", "amazon.nova-pro-v1:0", "refuse"),
    ("bedrock", "meta.llama3-1-70b-instruct-v1:0", "refuse"),
]


@pytest.mark.parametrize(("wire", "model", "expected"), USUAL)
def test_unscripted_models_do_what_their_vendors_say(wire: WireName, model: str, expected: Prefill) -> None:
    chat = ChatAsked(model=model, stream=True, begun=BEGUN)

    assert prefill_of(wire, chat, Script()) == expected
    assert prefill_of(wire, ChatAsked(model=model, stream=True), Script(prefill="refuse")) is None


@pytest.mark.parametrize(
    ("wire", "fields"),
    [
        ("bedrock", {"tools": ("look",)}),
        ("bedrock", {"thinking": True}),
        ("anthropic", {"thinking": True}),
        ("anthropic", {"schema": {"type": "object"}}),
    ],
)
def test_what_does_not_go_with_a_beginning_is_refused(wire: WireName, fields: dict[str, Any]) -> None:
    assert prefill_of(wire, ChatAsked(model="claude-sonnet-4-5", stream=True, begun=BEGUN, **fields), Script()) == (
        "refuse"
    )


def test_model_that_would_have_said_something_else_goes_on_in_its_own_words() -> None:
    assert rest_of("abc", "ab") == "c"
    assert rest_of("abc", "x") == " abc"
