"""A conversation that began anywhere goes on anywhere: each vendor's rules hold for what its encoder writes."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.assembly import Assembly
from manus.actors.codecs import CODECS, codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.messages.content import (
    AnyPart,
    Citation,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    text_turn,
)
from manus.messages.ids import RequestId
from manus.messages.policy import Bounds
from manus.messages.requests import ChatRequest, Tool
from manus.testing.wire_replay import WIRES, _body
from tests.codecs.vendor_rules import CHECKS, checked
from tests.shared_data import exchanges

OPTIONS = CodecOptions(provider="p")
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
MODELS = {
    "openai-chat": "gpt-4.1",
    "openai-responses": "gpt-5.2",
    "anthropic": "claude-sonnet-4-5",
    "bedrock": "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "azure-chat": "deployment",
    "azure-responses": "deployment",
    "ollama": "qwen3:8b",
}
"""A model of each wire's, as it is asked for."""

PAIRS = list(itertools.product(sorted(CODECS), repeat=2))

TOOL = Tool(name="look")


def _request(turns: tuple[Turn, ...], *, tools: bool = True) -> ChatRequest:
    return ChatRequest(request_id=RequestId("r"), turns=turns, tools=(TOOL,) if tools else (), max_output_tokens=20_000)


def _encoded(wire: str, turns: tuple[Turn, ...], *, tools: bool = True, model: str | None = None) -> bytes:
    encoded = codec_for(wire).encode(_request(turns, tools=tools), model or MODELS[wire], OPTIONS)
    assert isinstance(encoded, HttpRequest), encoded
    return encoded.body


def _secret(wire: str, model: str, what: str) -> str:
    """Make what only its maker may see: opaque text that is base64, as several vendors check."""
    return base64.b64encode(f"secret:{wire}:{model}:{what}".encode()).decode()


def _thinking(wire: str, model: str) -> Reasoning:
    return Reasoning(
        text=f"thought of {wire} {model}",
        signature=_secret(wire, model, "signature"),
        encrypted=_secret(wire, model, "encrypted") if "responses" in wire else None,
        id="rs_1" if "responses" in wire else None,
        provider=wire,
        model=model,
    )


def _opaque(wire: str, model: str) -> Opaque:
    secret = _secret(wire, model, "opaque")
    return Opaque(
        provider=wire, model=model, kind="thing", raw=msgspec.Raw(b'{"type":"thing","x":"%s"}' % secret.encode())
    )


# --- made-up conversations -------------------------------------------------------------------------------

_IDS = ["call_1", "call_2", "toolu_01", "tooluse.a:b", "x" * 60, "", "ünïcode", "call_1"]
_texts = st.sampled_from(["Hello", "", " ", "\n", "世界 🌍", 'quote " and \\ back'])
_texts_said = st.sampled_from(["Hello", "世界 🌍"])
_calls = st.builds(
    ToolCall,
    id=st.sampled_from(_IDS),
    name=st.sampled_from(["look", "look.at:this", "n" * 70, "look_2"]),
    arguments=st.sampled_from(["{}", '{"a":1}', '{"a":"é"}', "[1]", "not json", '{"cut":', ""]),
    valid=st.just(value=True),
)
_contents = st.lists(
    st.one_of(_texts.map(lambda text: Text(text=text)), st.just(Image(data=PNG, media_type="image/png"))), max_size=2
).map(tuple)
_results = st.builds(
    ToolResult,
    id=st.sampled_from([*_IDS, "orphan"]),
    content=_contents,
    is_error=st.booleans(),
)


def _said_by(wire: str) -> st.SearchStrategy[AnyPart]:
    """Draw a part of an assistant's turn as the model of `wire` could have made it."""
    return st.one_of(
        _texts.map(lambda text: Text(text=text)),
        _calls,
        st.just(_thinking(wire, MODELS[wire])),
        st.just(_thinking(wire, "another")),
        st.just(_opaque(wire, MODELS[wire])),
        st.just(Citation(url="https://h", title="t", raw=msgspec.Raw(b'{"type":"url_citation"}'))),
        st.just(Refusal(text="I would rather not.")),
        st.just(Refusal(text="")),
    )


def _conversations(wire: str) -> st.SearchStrategy[tuple[Turn, ...]]:
    turns = st.one_of(
        st.lists(_said_by(wire), max_size=5).map(lambda parts: Turn(role="assistant", parts=tuple(parts))),
        st.lists(_results, max_size=4).map(lambda parts: Turn(role="tool", parts=tuple(parts))),
        st.lists(
            st.one_of(_texts.map(lambda text: Text(text=text)), st.just(Image(data=PNG)), _results), max_size=2
        ).map(lambda parts: Turn(role="user", parts=tuple(parts))),
        _texts.map(lambda text: text_turn("system", text)),
    )
    last = _texts_said.map(lambda text: text_turn("user", text))
    return st.tuples(st.lists(turns, max_size=7), last).map(lambda drawn: (*drawn[0], drawn[1]))


def test_every_wire_has_its_rules() -> None:
    assert set(CHECKS) == set(CODECS) == set(MODELS)


@pytest.mark.parametrize("target", sorted(CODECS))
@settings(max_examples=60)
@given(data=st.data())
def test_any_conversation_keeps_the_rules_of_the_vendor_it_goes_to(target: str, data: st.DataObject) -> None:
    _go_on(data.draw(st.sampled_from(sorted(CODECS))), target, data)


@pytest.mark.long
@pytest.mark.parametrize(("source", "target"), PAIRS)
@settings(max_examples=300)
@given(data=st.data())
def test_every_ordered_pair_of_wires(source: str, target: str, data: st.DataObject) -> None:
    _go_on(source, target, data)


def _go_on(source: str, target: str, data: st.DataObject) -> None:
    """Write a conversation that was held with `source` for `target`, and check it there."""
    turns = data.draw(_conversations(source))
    body = _encoded(target, turns, tools=data.draw(st.booleans()))
    checked(target, body)
    text = body.decode()
    makers = [(wire, model) for wire in CODECS for model in (MODELS[wire], "another")]
    for wire, model in makers:
        if (wire, model) != (target, MODELS[target]):
            for what in ("signature", "encrypted", "opaque"):
                assert _secret(wire, model, what) not in text, f"{what} of {wire} {model} shown to {target}"
            assert f"thought of {wire} {model}" not in text, f"thinking of {wire} {model} shown to {target}"


@pytest.mark.parametrize("wire", sorted(CODECS))
@settings(max_examples=40)
@given(data=st.data())
def test_a_longer_conversation_begins_as_the_shorter_did_for_the_sake_of_caches(wire: str, data: st.DataObject) -> None:
    turns = data.draw(_conversations(wire))
    answer = (Turn(role="assistant", parts=(Text(text="Yes."),)), text_turn("user", "And then?"))
    shorter = json.loads(_encoded(wire, turns))
    longer = json.loads(_encoded(wire, (*turns, *answer)))
    key = "input" if "responses" in wire else "messages"
    before, after = _spelt(shorter[key]), _spelt(longer[key])
    assert after[: len(before)] == before


def _spelt(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the caller's breakpoints, and write one text as a list of one part."""
    spelt = []
    for message in messages:
        content = message.get("content")
        spelt.append(
            {**message, "content": [{"type": "text", "text": content}] if isinstance(content, str) else content}
        )
    return spelt


# --- the own model gets back what it made ------------------------------------------------------------------


@pytest.mark.parametrize("wire", ["anthropic", "bedrock", "openai-responses", "azure-responses"])
def test_thinking_goes_back_with_its_seal_to_the_model_that_made_it(wire: str) -> None:
    call = ToolCall(id="call_1", name="look")
    said = Turn(role="assistant", parts=(_thinking(wire, MODELS[wire]), call))
    turns = (text_turn("user", "Look."), said, Turn(role="tool", parts=(ToolResult(id="call_1"),)))
    text = _encoded(wire, turns).decode()
    what = "encrypted" if "responses" in wire else "signature"
    assert _secret(wire, MODELS[wire], what) in text
    assert _secret(wire, MODELS[wire], what) not in _encoded(wire, turns, model=f"{MODELS[wire]}-other").decode()


def test_ollama_gets_the_thinking_of_its_own_model_back() -> None:
    turns = (text_turn("user", "Q"), Turn(role="assistant", parts=(_thinking("ollama", "qwen3:8b"), Text(text="A"))))
    assert "thought of ollama" in _encoded("ollama", (*turns, text_turn("user", "Q2"))).decode()


# --- real answers --------------------------------------------------------------------------------------------


def _recorded_turns() -> list[tuple[str, str, Turn]]:
    """Decode every recorded success to the turn that a program would keep: id, wire and turn."""
    turns = []
    for exchange in exchanges(*WIRES):
        response = exchange["response"]
        wire = WIRES[exchange["provider"], exchange["api"]]
        if response["status"] != 200:
            continue
        headers = {name.lower(): value for name, value in (response.get("headers") or {}).items()}
        stream = "event" in headers.get("content-type", "") or "ndjson" in headers.get("content-type", "")
        decoder = codec_for(wire).decoder(stream=stream, model=MODELS[wire], options=OPTIONS)
        assembly = Assembly(wire, MODELS[wire], Bounds())
        assembly.add(decoder.feed(_body(response)))
        assembly.add(decoder.finish())
        turn = assembly.answer().turn
        if turn is not None and turn.parts:
            turns.append((exchange["id"], wire, turn))
    return turns


@pytest.mark.parametrize("target", sorted(CODECS))
def test_every_recorded_answer_goes_on_everywhere(target: str) -> None:
    went_on = 0
    for name, source, turn in _recorded_turns():
        calls = [part for part in turn.parts if isinstance(part, ToolCall)]
        results = tuple(ToolResult(id=call.id, content=(Text(text="4 C"),)) for call in calls)
        after = (Turn(role="tool", parts=results),) if results else ()
        turns = (text_turn("user", "Weather?"), turn, *after, text_turn("user", "Go on."))
        encoded = codec_for(target).encode(_request(turns), MODELS[target], OPTIONS)
        assert isinstance(encoded, HttpRequest), f"{name}: {encoded}"
        try:
            checked(target, encoded.body)
        except AssertionError as broken:
            raise AssertionError(f"{name} of {source} goes to {target}: {broken}") from None
        text = encoded.body.decode()
        for part in turn.parts:
            if isinstance(part, Reasoning) and source != target:
                for seal in (part.signature, part.encrypted, part.redacted):
                    assert not seal or seal not in text, f"{name}: a seal of {source} shown to {target}"
        went_on += 1
    assert went_on > 400
