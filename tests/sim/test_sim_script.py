"""Scripts, spellings of faults, words and tokens: the pure parts of a simulated provider."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.sim.behaviour import Behaviour, Script, ScriptedCall
from manus.sim.faults import FAULTS, Fault, HugeLine, Malformed, Stall, fault_named, name_of
from manus.sim.provider import SimProvider
from manus.sim.steps import Send
from manus.sim.wire import SimRequest, WireName
from manus.sim.words import count_tokens, draw_text, tokens_of

WIRES: tuple[WireName, ...] = ("openai", "ollama")
PATHS = {"openai": "/v1/chat/completions", "ollama": "/api/chat"}


def played(provider: SimProvider, **fields: object) -> bytes:
    """Play one chat request to its end without any serving; give the body."""
    asked = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": False, **fields}
    request = SimRequest(method="POST", path=PATHS[provider.wire.name], body=json.dumps(asked).encode())
    exchange = provider.answer(request)
    body = b""
    while (step := exchange.next_step()) is not None:
        body += step.data if isinstance(step, Send) else b""
    return body


@given(st.text())
def test_tokens_joined_are_the_text(text: str) -> None:
    assert "".join(tokens_of(text)) == text
    assert count_tokens(text) == len(tokens_of(text)) <= len(text)


@given(st.text(), st.integers(min_value=0, max_value=200))
def test_drawn_text_depends_on_its_seed_alone(seed: str, words: int) -> None:
    text = draw_text(seed, words)
    assert text == draw_text(seed, words)
    assert len(text.split()) == words
    assert words < 2 or not text.isascii()


def test_a_fault_survives_json_and_its_name() -> None:
    for name, fault in FAULTS.items():
        assert msgspec.json.decode(msgspec.json.encode(fault), type=Fault) == fault
        assert fault_named(name) == fault
        assert name_of(fault) == name
    assert name_of(Stall(after_chunks=9)) == "stall"


@pytest.mark.parametrize(
    ("spelling", "complaint"),
    [
        ("stal", "did you mean 'stall'"),
        ("", "one of: latency"),
        ("stall:nowhere=1", "nowhere"),
        ("stall:after_chunks", "field=value"),
        ("stall:after_chunks=many", "after_chunks"),
        ("429:retry_after_s=soon", "retry_after_s"),
        ("stall:kind=nothing", "nothing"),
    ],
)
def test_a_misspelt_fault_is_told_with_what_would_do(spelling: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        fault_named(spelling)


def test_a_behaviour_survives_json() -> None:
    behaviour = Behaviour(
        script=Script(words=3, tool_calls=(ScriptedCall(name="f"),)),
        first=(Script(fault=FAULTS["429"]),),
        fault_rate=0.5,
        faults=tuple(FAULTS.values()),
        seed=5,
    )
    assert msgspec.json.decode(msgspec.json.encode(behaviour), type=Behaviour) == behaviour


@pytest.mark.parametrize(
    "wrong",
    [
        {"fault_rate": 0.5},
        {"fault_rate": 1.5, "faults": [{"kind": "html"}]},
        {"script": {"gap_s": -1.0}},
        {"script": {"chunk_tokens": 0}},
        {"script": {"fault": {"kind": "none of these"}}},
        {"scirpt": {}},
    ],
)
def test_a_behaviour_that_cannot_be_played_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Behaviour)


@given(st.integers(), st.floats(min_value=0, max_value=1))
def test_who_meets_a_fault_depends_on_seed_and_place_alone(seed: int, rate: float) -> None:
    behaviour = Behaviour(seed=seed, fault_rate=rate, faults=(FAULTS["429"], FAULTS["500"]))
    chosen = [behaviour.script_for(position).fault for position in range(50)]
    assert chosen == [behaviour.script_for(position).fault for position in range(50)]
    if rate in (0.0, 1.0):
        assert [fault is not None for fault in chosen] == [rate == 1.0] * 50


def test_about_the_asked_share_of_requests_meets_a_fault() -> None:
    behaviour = Behaviour(fault_rate=0.25, faults=(FAULTS["429"], FAULTS["500"]))
    met = [behaviour.script_for(position).fault for position in range(4_000)]
    assert 900 < sum(fault is not None for fault in met) < 1_100
    assert set(met) == {None, FAULTS["429"], FAULTS["500"]}


@pytest.mark.parametrize("wire", WIRES)
def test_a_malformed_body_is_no_json_wherever_it_is_garbled(wire: WireName) -> None:
    for words in range(1, 60):
        body = played(SimProvider(wire, Script(words=words, fault=Malformed())))
        with pytest.raises(json.JSONDecodeError):
            json.loads(body)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("room", [0, 1, 3, 5, 100])
def test_an_answer_ends_at_the_asked_length(wire: WireName, room: int) -> None:
    provider = SimProvider(wire, Script(text="a b c d e", reasoning="x y"))
    limit = {"max_completion_tokens": room} if wire == "openai" else {"options": {"num_predict": room}}
    answer = json.loads(played(provider, **limit))
    reason = answer["choices"][0]["finish_reason"] if wire == "openai" else answer["done_reason"]
    assert reason == ("length" if room < 7 else "stop")
    assert provider.bill.totals().output_tokens == min(room, 7)


@pytest.mark.parametrize("wire", WIRES)
def test_a_function_may_answer_by_content(wire: WireName) -> None:
    provider = SimProvider(wire, lambda asked: Script(text=f"{asked.model} was asked: {asked.prompt}"))
    assert b"m was asked: hi" in played(provider)


def test_a_huge_line_never_stands_in_memory_whole() -> None:
    exchange = SimProvider("openai", Script(fault=HugeLine(line_bytes=10**12))).answer(
        SimRequest(
            method="POST",
            path=PATHS["openai"],
            body=b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}',
        )
    )
    largest = 0
    for _ in range(1_000):
        step = exchange.next_step()
        largest = max(largest, len(step.data) if isinstance(step, Send) else 0)
    assert largest == 64 * 1024
    exchange.leave()
