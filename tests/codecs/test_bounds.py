"""An answer that outgrows its bounds ends there, with the bound's name, and nothing after it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from manus.messages.events import StreamEvent, StreamFailed, TextDelta
from manus.messages.policy import Bounds
from tests.codecs.decoding import assert_grammar, decode, sse


def _chunk(**delta: Any) -> str:
    return json.dumps({"id": "x", "choices": [{"index": 0, "delta": delta}]})


def _call(number: int, **function: Any) -> dict[str, Any]:
    return {"index": number, "id": f"c{number}", "function": function}


def _bound_named(events: list[StreamEvent]) -> str | None:
    assert_grammar(events)
    last = events[-1]
    assert isinstance(last, StreamFailed)
    assert last.failure.kind == "protocol"
    return last.failure.param


OVER: dict[str, tuple[Bounds, list[str], str]] = {
    "text": (Bounds(answer_bytes=10), [_chunk(content="12345"), _chunk(content="é12345")], "answer_bytes"),
    "thinking": (Bounds(answer_bytes=4), [_chunk(reasoning="12345")], "answer_bytes"),
    "arguments": (Bounds(answer_bytes=4), [_chunk(tool_calls=[_call(0, name="f", arguments="12345")])], "answer_bytes"),
    "arguments held back": (Bounds(answer_bytes=4), [_chunk(tool_calls=[_call(0, arguments="12345")])], "answer_bytes"),
    "custom input": (
        Bounds(answer_bytes=4),
        [_chunk(tool_calls=[{"index": 0, "custom": {"name": "f", "input": "12345"}}])],
        "answer_bytes",
    ),
    "sound": (Bounds(answer_bytes=30), [_chunk(audio={"data": "A" * 40})], "answer_bytes"),
    "citations": (
        Bounds(answer_bytes=30),
        [_chunk(annotations=[{"type": "url_citation", "url_citation": {"url": "https://e.org/" + "x" * 30}}])],
        "answer_bytes",
    ),
    "calls": (Bounds(tool_calls=2), [_chunk(tool_calls=[_call(n, name="f") for n in range(3)])], "tool_calls"),
    "nameless calls": (Bounds(tool_calls=2), [_chunk(tool_calls=[_call(n) for n in range(3)])], "tool_calls"),
    "parts": (Bounds(parts=2), [_chunk(reasoning="a"), _chunk(content="b"), _chunk(reasoning="c")], "parts"),
    "parts of sources": (Bounds(parts=2), [_chunk(content="b", annotations=[{"type": "x"}] * 3)], "parts"),
    "parts that are calls": (Bounds(parts=1), [_chunk(tool_calls=[_call(n, name="f") for n in range(2)])], "parts"),
    "custom calls": (
        Bounds(tool_calls=2),
        [_chunk(tool_calls=[{"index": n, "type": "custom", "custom": {"name": "f"}} for n in range(3)])],
        "tool_calls",
    ),
}


@pytest.mark.parametrize(("bounds", "chunks", "name"), OVER.values(), ids=OVER.keys())
def test_an_answer_over_its_bound_fails_by_name(bounds: Bounds, chunks: list[str], name: str) -> None:
    events = decode("openai-chat", [sse(*chunks, _chunk(content="more"), "[DONE]")], bounds=bounds)

    assert _bound_named(events) == name


@pytest.mark.parametrize(("bounds", "chunks", "name"), OVER.values(), ids=OVER.keys())
def test_at_the_usual_bounds_the_same_answers_pass(bounds: Bounds, chunks: list[str], name: str) -> None:
    events = decode("openai-chat", [sse(*chunks, _chunk(content="more"), "[DONE]")])

    assert not isinstance(events[-1], StreamFailed)


def test_the_rest_of_the_event_that_broke_the_bound_is_not_given() -> None:
    both = _chunk(reasoning="12345", content="text", tool_calls=[_call(0, name="f")], refusal="no")

    events = decode("openai-chat", [sse(both)], bounds=Bounds(answer_bytes=4))

    assert _bound_named(events) == "answer_bytes"
    assert not any(isinstance(event, TextDelta) for event in events)


def test_ollama_answers_have_the_same_bounds() -> None:
    calls = [{"function": {"name": "f", "arguments": {}}}] * 3
    line = json.dumps({"model": "m", "message": {"content": "12345", "tool_calls": calls}, "done": False}).encode()

    assert _bound_named(decode("ollama", [line + b"\n"], bounds=Bounds(answer_bytes=4))) == "answer_bytes"
    assert _bound_named(decode("ollama", [line + b"\n"], bounds=Bounds(tool_calls=2))) == "tool_calls"


@pytest.mark.parametrize("wire", ["openai-chat", "ollama"])
def test_documents_and_lines_are_bounded_too(wire: str) -> None:
    document = b'{\n"x": "' + b"y" * 400 + b'"\n}'
    tight = Bounds(response_bytes=200, event_bytes=200)

    for stream in (True, False):
        assert_grammar(decode(wire, [document], stream=stream, bounds=tight))
        assert isinstance(decode(wire, [document], stream=stream, bounds=tight)[-1], StreamFailed)
