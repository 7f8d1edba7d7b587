"""The short form and the engine's envelope ask for the same methods, and answer in their own words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.asking import TAGS_BYTES_MAX, TAGS_MAX, chat_request
from manus.errors import InvalidRequestError
from manus.health_report import Health, LedgerHealth
from manus.ipc.dialects.engine import EngineHealthVoice, EngineVoice, tags_of
from manus.ipc.dialects.json_rpc import JsonRpcVoice
from manus.ipc.dialects.reading import read
from manus.ipc.dialects.short_form import COMMANDS, ShortVoice
from manus.ipc.protocol.methods import METHODS
from manus.ipc.protocol.reading_params import params_of
from manus.ipc.refusals import DuplicateId, Overloaded
from manus.ipc.voice import Asked, Malformed, Told
from manus.option_checks import NAME_CHARS_MAX
from manus.responses import LLMResponse, ResponseUsage, StreamChunk


def asked(line: str, *, engine: bool = True) -> Asked:
    got = read(line.encode(), engine=engine)
    assert isinstance(got, Asked)
    return got


def refused(line: str, *, engine: bool = True) -> Any:  # Any: JSON
    got = read(line.encode(), engine=engine)
    assert isinstance(got, Malformed)
    return json.loads(got.reply)


# --- who answers, and when ------------------------------------------------------------------------


def test_each_dialect_has_its_own_ids_its_own_order_and_its_own_greeting() -> None:
    rpc = asked('{"jsonrpc": "2.0", "id": 1, "method": "ping"}')
    short = asked('{"command": "health", "id": 1}')
    in_turn = asked('{"command": "health"}')
    engine = asked('{"type": 0, "payload": {"request_id": "1", "prompt": "x"}}')
    assert [each.key for each in (rpc, short, in_turn, engine)] == [("rpc", 1), ("short", 1), None, ("engine", "1")]
    assert [each.ordered for each in (rpc, short, in_turn, engine)] == [False, False, True, False]
    assert [each.voice.needs_greeting for each in (rpc, short, in_turn, engine)] == [True, False, False, False]


def test_the_engines_envelope_is_spoken_only_where_it_may() -> None:
    line = '{"id": "m", "type": 0, "payload": {"request_id": "1", "prompt": "x"}}'
    assert asked(line).method == "generate"
    assert refused(line, engine=False)["error"]["code"] == -32600


def test_a_request_to_exit_is_told_that_it_is_a_notification() -> None:
    assert refused('{"jsonrpc": "2.0", "id": 1, "method": "exit"}')["error"]["code"] == -32601
    assert read(b'{"jsonrpc": "2.0", "method": "exit"}', engine=False) == Told(
        method="exit", params=asked('{"command": "health"}').params
    )


def test_a_second_request_with_an_id_in_flight_cannot_be_taken_for_the_first() -> None:
    duplicate = DuplicateId(5)
    rpc = json.loads(JsonRpcVoice(5).failure(duplicate))
    assert (rpc["id"], rpc["error"]["data"]["id"]) == (None, 5)
    short = json.loads(ShortVoice(5).failure(duplicate))
    assert "id" not in short
    assert short["error"]["data"]["id"] == 5
    engine = json.loads(EngineVoice("m", "r", streamed=True).failure(duplicate))
    assert engine["payload"]["request_id"] == ""


@pytest.mark.parametrize(
    ("place", "path"),
    [("prompt", "message"), ("messages[1].content", "message[1].content"), ("prompt_cache", "prompt_cache")],
)
def test_what_a_chat_calls_its_message_is_named_so(place: str, path: str) -> None:
    error = InvalidRequestError(f"{place}: expected text")
    chat = asked('{"jsonrpc": "2.0", "id": 1, "method": "chat"}').voice.failure(error)
    in_short = asked('{"command": "chat"}').voice.failure(error)
    generate = asked('{"jsonrpc": "2.0", "id": 1, "method": "generate"}').voice.failure(error)
    paths = [json.loads(line)["error"]["data"]["path"] for line in (chat, in_short, generate)]
    assert paths == [f"params.{path}", f"params.{path}", f"params.{place}"]


# --- the short form -------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_a_method(command: str) -> None:
    assert asked(json.dumps({"command": command})).method in METHODS


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('{"command": "genrate"}', -32601),
        ('{"command": "initialize"}', -32601),
        ('{"command": 4}', -32600),
        ('{"command": "generate", "prompt": "x"}', -32600),
    ],
)
def test_a_command_that_is_none_is_refused_in_its_turn(line: str, code: int) -> None:
    got = asked(line)
    assert got.ordered
    assert got.refused is not None
    said = json.loads(got.voice.failure(got.refused))
    assert (said["status"], said["error"]["code"]) == ("error", code)


def test_the_short_form_echoes_an_id_that_was_given() -> None:
    voice = ShortVoice("a")
    assert json.loads(voice.result({"x": 1})) == {"status": "success", "response": {"x": 1}, "id": "a"}
    assert json.loads(voice.event(0, StreamChunk(delta="t"))) == {
        "status": "chunk",
        "chunk": {"kind": "delta", "delta": "t"},
        "id": "a",
    }
    assert json.loads(ShortVoice().result({"x": 1})) == {"status": "success", "response": {"x": 1}}


# --- the engine's envelope ------------------------------------------------------------------------


def voice(*, streamed: bool) -> EngineVoice:
    return EngineVoice("m", "r", streamed=streamed, now_ms=lambda: 17)


RESPONSE_MEMBERS: dict[str, type] = {
    "request_id": str,
    "content": str,
    "model": str,
    "provider": str,
    "input_tokens": int,
    "output_tokens": int,
    "latency_ms": int,
    "is_final": bool,
    "error": str,
}
CHUNK_MEMBERS: dict[str, type] = {
    "request_id": str,
    "delta": str,
    "accumulated_content": str,
    "chunk_index": int,
    "is_final": bool,
    "finish_reason": str,
}
ERROR_MEMBERS: dict[str, type] = {"request_id": str, "error": str}
MEMBERS = {1: RESPONSE_MEMBERS, 2: CHUNK_MEMBERS, 3: ERROR_MEMBERS}


def told(line: bytes) -> dict[str, Any]:
    """Read an envelope, and see that everything is there that the engine reads without asking."""
    envelope: dict[str, Any] = json.loads(line.decode("utf-8"))
    assert {name: type(value) for name, value in envelope.items()} == {
        "id": str,
        "type": int,
        "timestamp": int,
        "payload": dict,
    }
    payload = envelope["payload"]
    assert {name: type(value) for name, value in payload.items()} == MEMBERS[envelope["type"]]
    for value in payload.values():
        if isinstance(value, str):
            assert "\0" not in value
            value.encode("utf-8")
    return envelope


RESPONSE = LLMResponse(
    content="Hello.",
    model="big",
    provider="first",
    usage=ResponseUsage(input_tokens=3, output_tokens=2),
    latency_ms=12.6,
    request_id="req-1",
)


def test_an_answer_is_a_response_with_all_its_members() -> None:
    assert told(voice(streamed=False).result(RESPONSE)) == {
        "id": "m",
        "type": 1,
        "timestamp": 17,
        "payload": {
            "request_id": "r",
            "content": "Hello.",
            "model": "big",
            "provider": "first",
            "input_tokens": 3,
            "output_tokens": 2,
            "latency_ms": 13,
            "is_final": True,
            "error": "",
        },
    }


def test_a_failure_is_a_response_without_content_and_that_of_a_stream_an_error() -> None:
    said = told(voice(streamed=False).failure(Overloaded("too much")))
    assert (said["type"], said["payload"]["content"], said["payload"]["error"]) == (1, "", "too much")
    said = told(voice(streamed=True).failure(Overloaded("too much")))
    assert (said["type"], said["payload"]) == (3, {"request_id": "r", "error": "too much"})


def test_a_stream_is_counted_and_summed_up_and_ends_in_one_final_chunk() -> None:
    speaker = voice(streamed=True)
    lines = [
        speaker.event(seq, chunk)
        for seq, chunk in enumerate(
            (
                StreamChunk(kind="reasoning", text="hm"),
                StreamChunk(delta="Hel"),
                StreamChunk(kind="warning", text="w"),
                StreamChunk(delta="lo."),
            )
        )
    ]
    assert lines[0] == lines[2] == b""
    chunks = [told(line)["payload"] for line in (lines[1], lines[3], speaker.result(RESPONSE))]
    assert [chunk["delta"] for chunk in chunks] == ["Hel", "lo.", ""]
    assert [chunk["accumulated_content"] for chunk in chunks] == ["Hel", "Hello.", "Hello."]
    assert [chunk["chunk_index"] for chunk in chunks] == [0, 1, 2]
    assert [chunk["is_final"] for chunk in chunks] == [False, False, True]
    assert [chunk["finish_reason"] for chunk in chunks] == ["", "", "stop"]


def test_a_stream_that_began_anew_is_summed_up_anew() -> None:
    speaker = voice(streamed=True)
    speaker.event(0, StreamChunk(delta="Wrong"))
    assert speaker.event(1, StreamChunk(kind="reset", text="broke off")) == b""
    assert told(speaker.event(2, StreamChunk(delta="Hello.")))["payload"]["accumulated_content"] == "Hello."
    assert told(speaker.result(RESPONSE))["payload"]["delta"] == ""


def test_an_answer_that_came_in_no_pieces_is_all_in_the_final_chunk() -> None:
    payload = told(voice(streamed=True).result(RESPONSE))["payload"]
    assert (payload["delta"], payload["accumulated_content"], payload["is_final"]) == ("Hello.", "Hello.", True)


@given(st.lists(st.text(alphabet="a\0\ud83d\udc00é\U0001f600"), max_size=6))
@settings(max_examples=150)
def test_no_nul_and_no_lone_surrogate_reaches_the_engine(texts: list[str]) -> None:
    speaker = voice(streamed=True)
    for seq, text in enumerate(texts):
        line = speaker.event(seq, StreamChunk(delta=text))
        assert (line == b"") == (text == "")
        if line:
            told(line)
    told(speaker.result(LLMResponse(content="".join(texts), model="\0", provider="\ud800")))
    told(voice(streamed=False).result(LLMResponse(content="".join(texts))))
    told(voice(streamed=True).failure(InvalidRequestError("".join(texts))))
    told(EngineVoice("\0", "".join(texts), streamed=False).failure(ValueError()))


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({}, "payload.request_id: is missing"),
        ({"request_id": "r"}, "payload.prompt: is missing"),
        ({"request_id": "", "prompt": "x"}, "payload.request_id: expected some text"),
        ({"request_id": "\0", "prompt": "x"}, "payload.request_id: expected some text"),
        ({"request_id": "r", "prompt": "x", "\ud800": 1}, "payload.?: holds a lone surrogate"),
        ({"request_id": "r", "prompt": None}, "payload.prompt: expected text; got null"),
        ({"request_id": "r", "prompt": "x", "request_type": "1"}, "payload.request_type: expected a whole number"),
        ({"request_id": "r", "prompt": "x", "request_type": -1}, "payload.request_type: expected a whole number"),
        ({"request_id": "r", "prompt": "x", "metadata": {"a": 1}}, "payload.metadata"),
        ({"request_id": "r", "prompt": "x", "stream": 1}, "payload.stream: expected true or false"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_request_that_is_none_is_answered_as_its_kind_wants(
    payload: dict[str, Any], error: str, streamed: bool
) -> None:
    line = {"id": "m", "type": 0, "timestamp": 1, "payload": {"stream": streamed} | payload}
    said = told(json.dumps(refused(json.dumps(line))).encode())
    assert said["type"] == (3 if line["payload"]["stream"] is True else 1)  # type: ignore[index]
    assert said["payload"]["request_id"] == payload.get("request_id", "").strip("\0")
    assert error in said["payload"]["error"]


def test_a_request_becomes_one_of_generate_with_labels_for_the_books() -> None:
    payload = {"request_id": "r", "request_type": 8, "prompt": "Hi", "metadata": {"scene": "harbour"}, "stream": True}
    got = asked(json.dumps({"type": 0, "payload": payload | {"max_tokens": 5, "temperature": 0}}))
    assert got.method == "stream"
    assert got.params == {
        "prompt": "Hi",
        "tags": ["request_type=8", "scene=harbour"],
        "max_tokens": 5,
        "temperature": 0,
    }
    params_of(got.method, got.params)
    unlimited = asked(json.dumps({"type": 0, "payload": payload | {"max_tokens": 0, "stream": False}}))
    assert (unlimited.method, unlimited.params) == ("generate", {k: got.params[k] for k in ("prompt", "tags")})


@given(st.dictionaries(st.text(max_size=400), st.text(max_size=2000), max_size=80))
@settings(max_examples=60)
def test_no_request_fails_for_its_labels(metadata: dict[str, str]) -> None:
    tags = tags_of(3, metadata)
    assert len(tags) <= TAGS_MAX
    assert sum(len(tag.encode()) for tag in tags) <= TAGS_BYTES_MAX
    assert max(map(len, tags)) <= NAME_CHARS_MAX
    chat_request("x", {"tags": tags}, stream=False)


def test_a_check_of_health_gets_an_object_without_a_null() -> None:
    got = asked('{"id": "m", "type": 4, "payload": {"request_id": "h"}}')
    assert (got.method, got.key) == ("health", None)
    health = Health(status="ok", ledger=LedgerHealth(durability="process", state="running"))
    said = json.loads(got.voice.result(health))
    assert (said["type"], said["payload"]["status"], said["payload"]["request_id"]) == (5, "ok", "h")
    assert "null" not in got.voice.result(health).decode()
    failed = json.loads(EngineHealthVoice("m", "h").failure(Overloaded("too much")))
    assert failed["payload"] == {"status": "unavailable", "error": "too much", "request_id": "h"}


@pytest.mark.parametrize("kind", [1, 2, 3, 5, 6, -1, 2**60])
def test_an_envelope_that_asks_for_nothing_is_told_so(kind: int) -> None:
    said = refused(json.dumps({"id": "m", "type": kind, "payload": {"request_id": "r"}}))
    assert (said["type"], said["payload"]["request_id"]) == (3, "r")
    told(json.dumps(said).encode())
