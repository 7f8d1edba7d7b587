"""The recorder that other tests trust: it keeps what arrives, and answers what it was told, to both kinds of client."""

from __future__ import annotations

import httpx
import openai
import trio

from manus.actors.credentials import StaticKey
from manus.messages.content import text_turn
from manus.messages.ids import RequestId
from manus.messages.requests import ChatRequest
from tests.codecs.decoding import sse
from tests.codecs.oracle_recorder import asked_by_us, differences, json_answer, recorder, stream_answer

DOCUMENT = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hé"}, "finish_reason": "stop"}],
}
STREAM = sse('{"id":"c1","choices":[{"index":0,"delta":{"content":"Hé"},"finish_reason":"stop"}]}', "[DONE]")


def _request(*, stream: bool = False) -> ChatRequest:
    return ChatRequest(request_id=RequestId("r"), turns=(text_turn("user", "Hi"),), stream=stream)


async def test_our_request_arrives_whole_and_the_answer_comes_back() -> None:
    with recorder(json_answer(DOCUMENT)) as server, trio.fail_after(10):
        key = StaticKey("sk-test")
        answered = await asked_by_us("openai-chat", _request(), "m", f"{server.url}/v1", credentials=key)

    assert answered.assembly is not None
    assert answered.assembly.text_so_far == "Hé"
    (arrived,) = server.arrived
    assert (arrived.method, arrived.path) == ("POST", "/v1/chat/completions")
    assert arrived.header("Authorization") == "Bearer sk-test"
    assert arrived.json()["messages"] == [{"role": "user", "content": "Hi"}]


async def test_a_stream_in_pieces_of_one_byte_is_the_same_answer() -> None:
    with recorder(stream_answer(STREAM, piece_bytes=1)) as server, trio.fail_after(10):
        answered = await asked_by_us("openai-chat", _request(stream=True), "m", f"{server.url}/v1")

    assert answered.assembly is not None
    assert answered.assembly.text_so_far == "Hé"
    assert server.last().json()["stream"] is True


async def test_an_error_is_classified_and_answers_come_in_their_order() -> None:
    refused = json_answer({"error": {"message": "m", "code": "invalid_api_key"}}, status=401)
    with recorder(refused, json_answer(DOCUMENT)) as server, trio.fail_after(10):
        first = await asked_by_us("openai-chat", _request(), "m", f"{server.url}/v1")
        second = await asked_by_us("openai-chat", _request(), "m", f"{server.url}/v1")
        third = await asked_by_us("openai-chat", _request(), "m", f"{server.url}/v1")

    assert first.failure is not None
    assert first.failure.kind == "auth"
    assert second.failure is third.failure is None


def test_a_synchronous_sdk_is_served_alike() -> None:
    with recorder(json_answer(DOCUMENT)) as server:
        with openai.OpenAI(api_key="sk-test", base_url=f"{server.url}/v1", max_retries=0) as client:
            answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])

    assert answer.choices[0].message.content == "Hé"
    assert server.last().header("authorization") == "Bearer sk-test"
    assert server.last().json() == {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


def test_chunked_requests_and_undecoded_targets_are_kept() -> None:
    with recorder() as server:
        with httpx.Client(trust_env=False) as client:
            client.post(f"{server.url}/a%3Ab?c=%20", content=iter([b"one", b"two"]))

    assert server.last().path == "/a%3Ab?c=%20"
    assert server.last().body == b"onetwo"


def test_differences_name_each_place() -> None:
    ours = {"a": 1, "b": [1, {"c": None}], "d": True, "e": "x"}
    theirs = {"a": 1.0, "b": [1, {"c": 2}], "d": 1, "f": [1]}

    assert differences(ours, ours) == []
    assert differences(ours, theirs) == [
        "$.b[1].c: null here, 2 there",
        "$.d: true here, 1 there",
        '$.e: only here, "x"',
        "$.f: only there, [1]",
    ]
