"""No bytes make a decoder raise, and no split of them changes what it says."""

from __future__ import annotations

import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from manus.actors.codecs import CODECS, codec_for
from manus.actors.codecs.base import CodecOptions
from manus.messages.events import StreamEvent
from manus.messages.policy import Bounds
from tests.codecs.decoding import assert_grammar, decode

SMALL = Bounds(event_bytes=300, answer_bytes=200, tool_calls=3, response_bytes=600)

_texts = st.sampled_from(["", "Hi", " there", "héé", "\ud83d", "\ude00", "\U0001f600", "a" * 90, "\0", "\u2028"])
_odd: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.just(1.5), _texts, st.just([]), st.just({}), st.just([None, 1])
)


def _sometimes(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(usual, usual, usual, _odd)


_function = st.fixed_dictionaries(
    {}, optional={"name": _sometimes(st.sampled_from(["f", "g", ""])), "arguments": _sometimes(_texts)}
)
_tool = st.fixed_dictionaries(
    {},
    optional={
        "index": _sometimes(st.integers(0, 3)),
        "id": _sometimes(st.sampled_from(["c1", "c2", ""])),
        "type": _sometimes(st.sampled_from(["function", "custom"])),
        "function": _sometimes(_function),
        "custom": _sometimes(st.fixed_dictionaries({}, optional={"name": _texts, "input": _texts})),
    },
)
_delta = st.fixed_dictionaries(
    {},
    optional={
        "content": _sometimes(_texts),
        "refusal": _sometimes(_texts),
        "reasoning_content": _sometimes(_texts),
        "reasoning": _sometimes(_texts),
        "reasoning_details": _sometimes(st.lists(st.fixed_dictionaries({"text": _texts}), max_size=2)),
        "tool_calls": _sometimes(st.lists(_sometimes(_tool), max_size=3)),
        "function_call": _sometimes(_function),
        "annotations": _sometimes(st.lists(_odd, max_size=2)),
        "audio": _sometimes(st.fixed_dictionaries({}, optional={"data": _texts, "transcript": _texts})),
    },
)
_choice = st.fixed_dictionaries(
    {},
    optional={
        "index": _sometimes(st.integers(0, 1)),
        "delta": _sometimes(_delta),
        "message": _sometimes(_delta),
        "finish_reason": _sometimes(st.sampled_from(["stop", "length", "tool_calls", "error", "new"])),
        "logprobs": _odd,
        "content_filter_results": _odd,
        "error": _odd,
    },
)
_usage = st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": _sometimes(st.integers(-3, 50)),
        "completion_tokens": _sometimes(st.integers(-3, 50)),
        "prompt_tokens_details": _sometimes(st.fixed_dictionaries({}, optional={"cached_tokens": _odd})),
    },
)
_chunk = st.fixed_dictionaries(
    {},
    optional={
        "id": _sometimes(st.just("x")),
        "choices": _sometimes(st.lists(_sometimes(_choice), max_size=2)),
        "usage": _sometimes(_usage),
        "error": _sometimes(st.fixed_dictionaries({}, optional={"message": _odd, "code": _odd})),
        "moderation": _odd,
    },
)
_openai_payload = st.one_of(
    _chunk.map(json.dumps), st.just("[DONE]"), st.just("{"), st.just('{"choices":[{"delta":{"content":"a'), st.text()
)
_openai_line = st.one_of(
    _openai_payload.map("data: {}".format),
    st.sampled_from(["", "", "", ": ping", "event: error", "event: message", "data", "data:", "id: 1", "retry: 5"]),
)
_openai_body = st.lists(_openai_line, max_size=12).flatmap(
    lambda lines: st.sampled_from(["\n", "\r\n", "\r"]).map(lambda end: end.join(lines) + end)
)
_ollama_line = st.fixed_dictionaries(
    {},
    optional={
        "model": _sometimes(st.just("m")),
        "message": _sometimes(
            st.fixed_dictionaries(
                {},
                optional={
                    "content": _sometimes(_texts),
                    "thinking": _sometimes(_texts),
                    "tool_calls": _sometimes(
                        st.lists(
                            _sometimes(
                                st.fixed_dictionaries(
                                    {"function": _sometimes(st.fixed_dictionaries({"name": _texts, "arguments": _odd}))}
                                )
                            ),
                            max_size=3,
                        )
                    ),
                },
            )
        ),
        "done": _sometimes(st.booleans()),
        "done_reason": _odd,
        "eval_count": _odd,
        "error": _odd,
        "logprobs": _odd,
    },
).map(json.dumps)
_ollama_body = st.lists(st.one_of(_ollama_line, _ollama_line, st.text(), st.just("{")), max_size=8).map("\n".join)

_bodies = st.one_of(
    _openai_body.map(lambda text: text.encode("utf-8", "surrogatepass")),
    _ollama_body.map(lambda text: text.encode("utf-8", "surrogatepass")),
    _chunk.map(lambda value: json.dumps(value, indent=1).encode()),
    st.binary(max_size=200),
)


@st.composite
def _split_bodies(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    body = bytearray(draw(_bodies))
    for place in draw(st.lists(st.integers(0, max(0, len(body) - 1)), max_size=2)):
        if body:
            body[place] = draw(st.integers(0, 255))
    whole = bytes(body[: draw(st.integers(0, len(body)))] if draw(st.booleans()) else body)
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    edges = [0, *cuts, len(whole)]
    return whole, [whole[start:end] for start, end in itertools.pairwise(edges)]


@pytest.mark.parametrize("wire", sorted(CODECS))
@given(split=_split_bodies(), stream=st.booleans(), bounds=st.sampled_from([Bounds(), SMALL]))
@settings(max_examples=200, deadline=None)
@example(split=(b"[" * 3000, [b"[" * 3000]), stream=True, bounds=Bounds())
@example(split=(b'data: {"choices":' + b"[" * 3000 + b"\n\n", [b""]), stream=True, bounds=Bounds())
@example(split=(b'{"error":' + b"[" * 900 + b"]" * 900 + b"}", [b""]), stream=True, bounds=Bounds())
@example(split=(b'{"id":"x","\x80":null}', [b'{"id":"x","\x80":null}']), stream=False, bounds=Bounds())
def test_any_bytes_in_any_split_give_the_same_orderly_events(
    wire: str, bounds: Bounds, split: tuple[bytes, list[bytes]], stream: bool
) -> None:
    whole, pieces = split

    events = decode(wire, [whole], stream=stream, bounds=bounds)

    assert_grammar(events)
    assert b"".join(pieces) in (whole, b"")
    if b"".join(pieces) == whole:
        assert decode(wire, pieces, stream=stream, bounds=bounds) == events
    assert decode(wire, (whole[at : at + 1] for at in range(len(whole))), stream=stream, bounds=bounds) == events
    _assert_json(events)


@pytest.mark.long
@pytest.mark.parametrize("wire", sorted(CODECS))
@given(split=_split_bodies(), stream=st.booleans())
@settings(max_examples=20_000, deadline=None)
def test_many_more_bytes_give_orderly_events(wire: str, split: tuple[bytes, list[bytes]], stream: bool) -> None:
    whole, pieces = split
    events = decode(wire, [whole], stream=stream, bounds=SMALL)
    assert_grammar(events)
    assert decode(wire, pieces, stream=stream, bounds=SMALL) == events


@pytest.mark.parametrize("wire", sorted(CODECS))
@given(status=st.integers(300, 599), body=st.one_of(st.binary(max_size=100), _bodies), header=st.text(max_size=20))
@settings(max_examples=200, deadline=None)
def test_any_error_body_and_header_classify(wire: str, status: int, body: bytes, header: str) -> None:
    names = ("retry-after", "retry-after-ms", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "date")
    headers = dict.fromkeys(names, header) | {"x-should-retry": header}

    failure = codec_for(wire).failure(status, headers, body, now_unix_s=1e9)

    assert failure.status == status
    assert failure.message
    msgspec.json.encode(failure)
    codec_for(wire).rate_limits(headers)
    codec_for(wire).decode_models(body)


def test_nothing_is_said_after_the_terminal_event() -> None:
    decoder = codec_for("openai-chat").decoder(stream=True, model="m", options=CodecOptions())
    decoder.feed(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\ndata: {"error":{}}\n\n')

    assert decoder.done
    assert decoder.feed(b'data: {"choices":[{"delta":{"content":"b"}}]}\n\n') == []
    assert decoder.finish() == []


def _assert_json(events: list[StreamEvent]) -> None:
    # Lone surrogates and unvalidated vendor JSON would make this raise, or not come back.
    json.loads(msgspec.json.encode(events))
