"""The simulated Messages wire has Anthropic's shapes, refuses what Anthropic refuses, and its own SDK believes it."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import msgspec
import pytest
import trio

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.messages.content import Image, Reasoning, Text, ToolCall, Turn, text_turn
from manus.messages.ids import RequestId
from manus.messages.policy import Bounds
from manus.messages.requests import ChatRequest, OutputFormat, ReasoningOptions, Sampling, Tool, ToolChoice
from manus.sim.behaviour import Script, ScriptedCall
from manus.sim.faults import Rejected
from manus.sim.provider import SimProvider
from manus.sim.server import serve_sim
from manus.sim.steps import Head, Send
from manus.sim.wire import SimRequest
from tests.shared_data import exchanges

VERSION = {"anthropic-version": "2023-06-01"}
USER = {"role": "user", "content": "hi"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "9"}
TOOL = {"name": "f", "input_schema": {"type": "object", "properties": {}}}
PLAIN: dict[str, Any] = {"model": "m", "max_tokens": 1000, "messages": [USER]}
RICH = Script(
    text="Let me see.",
    reasoning="Well, well.",
    tool_calls=(ScriptedCall(name="f", arguments='{"a":1}'),),
    cached_tokens=2,
)


def reply(
    provider: SimProvider, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Play one request without any serving: the status, the headers and the body."""
    status, head, said = 0, {}, b""
    asked = SimRequest(method=method, path=path, headers=VERSION if headers is None else headers, body=body)
    exchange = provider.answer(asked)
    while (step := exchange.next_step()) is not None:
        match step:
            case Head():
                status, head = step.status, dict(step.headers)
            case Send():
                said += step.data
            case _:
                pass
    return status, head, said


def chat(fields: dict[str, Any], script: Script | None = None) -> tuple[int, bytes]:
    """Ask for a message with exactly these fields."""
    status, _, said = reply(SimProvider("anthropic", script), "POST", "/v1/messages", json.dumps(fields).encode())
    return status, said


def with_messages(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Make a request with these messages."""
    return {**PLAIN, "messages": list(messages), **fields}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"max_tokens": 1, "messages": [USER]}, "model: Field required"),
        ({"model": "m", "messages": [USER]}, "max_tokens: Field required"),
        ({"model": "m", "max_tokens": 1}, "messages: Field required"),
        ({**PLAIN, "model": ""}, "model: "),
        ({**PLAIN, "max_tokens": 0}, "max_tokens: "),
        (with_messages(), "at least one message"),
        ({**PLAIN, "seed": 1}, "seed: Extra inputs are not permitted"),
        ({**PLAIN, "temperature": 1.5}, "temperature: range: 0..1"),
        ({**PLAIN, "stop_sequences": [" "]}, "stop_sequences"),
        ({**PLAIN, "tool_choice": {"type": "auto"}}, "tool_choice"),
        ({**PLAIN, "tools": [{**TOOL, "name": "my tool"}]}, "tools.0.custom.name"),
        ({**PLAIN, "tools": [{"name": "f", "input_schema": {}}]}, "input_schema.type: Field required"),
        ({**PLAIN, "tools": [{"name": "f", "input_schema": {"type": "string"}}]}, "should be 'object'"),
        ({**PLAIN, "thinking": {"type": "enabled", "budget_tokens": 10}}, "1024"),
        ({**PLAIN, "thinking": {"type": "enabled", "budget_tokens": 2000}}, "`max_tokens` must be greater"),
        (with_messages({"role": "assistant", "content": "A"}), "first message"),
        (with_messages({"role": "robot", "content": "A"}), "role"),
        (with_messages({"role": "user", "content": ""}), "non-empty"),
        (with_messages({"role": "user", "content": [{"type": "text", "text": " "}]}), "non-whitespace"),
        (with_messages({"role": "user", "content": [5]}), "type: Field required"),
        (with_messages(USER, {"role": "assistant", "content": "A "}), "trailing whitespace"),
        (with_messages(USER, {"role": "assistant", "content": [CALL]}), "toolu_1"),
        (with_messages(USER, {"role": "assistant", "content": [CALL]}, USER), "without `tool_result` blocks"),
        (with_messages({"role": "user", "content": [RESULT]}), "unexpected `tool_use_id`"),
        (
            with_messages(
                USER,
                {"role": "assistant", "content": [CALL]},
                {"role": "user", "content": [{"type": "text", "text": "x"}, RESULT]},
            ),
            "immediately after",
        ),
        (with_messages(USER, {"role": "assistant", "content": [{**CALL, "id": "call.1"}]}, USER), "toolu"),
        (
            with_messages(
                {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}] * 5}
            ),
            "maximum of 4 blocks",
        ),
    ],
)
def test_it_refuses_what_an_encoder_can_get_wrong(fields: dict[str, Any], says: str) -> None:
    status, body = chat(fields)
    error = json.loads(body)
    assert (status, error["type"], error["error"]["type"]) == (400, "error", "invalid_request_error")
    if says != "toolu":
        assert says in error["error"]["message"]


def test_thinking_with_a_budget_and_a_forced_tool_do_not_go_together() -> None:
    fields = {
        **PLAIN,
        "max_tokens": 4000,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "tools": [TOOL],
        "tool_choice": {"type": "any"},
    }
    assert b"Thinking may not be enabled when tool_choice forces tool use" in chat(fields)[1]
    assert chat({**fields, "tool_choice": {"type": "auto"}})[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/messages", b"{", 400),
        ("POST", "/v1/messages", b"[]", 400),
        ("GET", "/v1/messages", b"", 405),
        ("POST", "/v1/embeddings", b"{}", 404),
        ("GET", "/v1/models", b"", 200),
        ("GET", "/v1/models/sim-large", b"", 200),
        ("GET", "/v1/models/other", b"", 404),
        ("DELETE", "/v1/models", b"", 405),
        ("POST", "/v1/messages/count_tokens", b'{"model":"m","messages":[{"role":"user","content":"hi"}]}', 200),
        ("POST", "/v1/messages/count_tokens", b'{"model":"m"}', 400),
    ],
)
def test_every_path_has_its_answer_and_costs_nothing(method: str, path: str, body: bytes, status: int) -> None:
    provider = SimProvider("anthropic")
    assert reply(provider, method, path, body)[0] == status
    assert provider.bill.totals().billed == 0


def test_a_request_without_a_version_is_refused() -> None:
    status, _, body = reply(SimProvider("anthropic"), "POST", "/v1/messages", json.dumps(PLAIN).encode(), {})
    assert status == 400
    assert b"anthropic-version" in body


@pytest.mark.parametrize("headers", [{"x-api-key": "right"}, {"authorization": "Bearer right"}])
def test_a_key_may_stand_in_either_header(headers: dict[str, str]) -> None:
    provider = SimProvider("anthropic", api_key="right")
    body = json.dumps(PLAIN).encode()
    assert reply(provider, "POST", "/v1/messages", body, {**VERSION, **headers})[0] == 200
    status, _, said = reply(provider, "POST", "/v1/messages", body, {**VERSION, "x-api-key": "wrong"})
    assert (status, json.loads(said)["error"]["type"]) == (401, "authentication_error")
    assert b"wrong" not in said


def keys(value: object, path: str = "") -> set[str]:
    """Name every key of a JSON value by its path; list items share one path."""
    match value:
        case dict():
            return {f"{path}.{key}" for key in value}.union(
                *(keys(item, f"{path}.{key}") for key, item in value.items())
            )
        case list():
            return set().union(*(keys(item, path + "[]") for item in value))
        case _:
            return set()


def stream_keys(body: str) -> set[str]:
    """Name every key in the events of a stream, under the type of the event."""
    found: set[str] = set()
    for line in body.splitlines():
        if line.startswith("data:"):
            event = json.loads(line[5:])
            found |= {event["type"] + name for name in keys(event)}
    return found


@lru_cache
def recordings() -> tuple[dict[str, Any], ...]:
    """Read the recorded exchanges once."""
    return tuple(exchanges(("anthropic", "messages")))


def recorded() -> tuple[list[str], list[dict[str, Any]]]:
    """Give the bodies of recorded good answers: streams, and documents."""
    bodies = [e["response"]["body_text"] for e in recordings() if e["response"]["status"] == 200]
    streams = [body for body in bodies if not body.lstrip().startswith("{")]
    return streams, [json.loads(body) for body in bodies if body.lstrip().startswith("{")]


THE_CALLERS_OWN = {".content[].input.a"}


def test_a_stream_has_only_keys_that_the_vendor_sends() -> None:
    streams, _ = recorded()
    known = set().union(*map(stream_keys, streams))
    ours = stream_keys(chat({**PLAIN, "stream": True, "tools": [TOOL]}, RICH)[1].decode())
    assert ours <= known
    assert {
        "message_start.message.usage.cache_read_input_tokens",
        "content_block_delta.delta.signature",
        "content_block_delta.delta.partial_json",
        "message_delta.delta.stop_reason",
        "message_delta.usage.output_tokens",
        "ping.type",
    } <= ours


def test_an_answer_has_only_keys_that_the_vendor_sends() -> None:
    _, documents = recorded()
    known = set().union(*map(keys, documents))
    ours = keys(json.loads(chat({**PLAIN, "tools": [TOOL]}, RICH)[1]))
    assert ours - THE_CALLERS_OWN <= known


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 408, 413, 429, 500, 502, 503, 504, 529])
def test_heads_carry_names_that_the_vendor_sends_and_the_request_id(status: int) -> None:
    known = {name.lower() for e in recordings() for name in e["response"]["headers"]}
    fault = None if status == 200 else Rejected(status=status, retry_after_s=1.5)
    provider = SimProvider("anthropic", Script(fault=fault))
    got, head, _ = reply(provider, "POST", "/v1/messages", json.dumps(PLAIN).encode())
    assert got == status
    assert head.keys() <= known
    assert ("request-id" in head) is (status not in (413, 502, 503))  # the edge before the service knows no id
    assert head.get("retry-after") == (None if status == 200 else "2")


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 529])
def test_errors_have_the_recorded_shape(status: int) -> None:
    shapes = [
        set(json.loads(e["response"]["body_text"])["error"]) for e in recordings() if e["response"]["status"] == status
    ]
    assert shapes
    body = json.loads(chat(PLAIN, Script(fault=Rejected(status=status)))[1])
    assert body["type"] == "error"
    assert set(body["error"]) == {"type", "message"} <= shapes[0]


def _request(*turns: Turn, **fields: Any) -> ChatRequest:
    return ChatRequest(request_id=RequestId("r"), turns=turns or (text_turn("user", "hi"),), **fields)


def _answered(request: ChatRequest, script: Script, model: str = "m") -> Assembly:
    """Let the codec ask the simulated provider, and read what it says."""
    codec = codec_for("anthropic")
    written = codec.encode(request, model, CodecOptions())
    assert isinstance(written, HttpRequest), written
    provider = SimProvider("anthropic", script)
    status, _, body = reply(provider, written.method, written.path, written.body, dict(written.headers))
    assert status == 200, body
    decoder = codec.decoder(stream=request.stream, model=model, options=CodecOptions(answer_tool=written.answer_tool))
    assembly = Assembly("anthropic", model, Bounds())
    assembly.add(decoder.feed(body))
    assembly.add(decoder.finish())
    return assembly


@pytest.mark.parametrize("stream", [True, False])
def test_a_tool_loop_with_thinking_goes_round(stream: bool) -> None:
    tool = Tool(name="f")
    first = _answered(_request(tools=(tool,), stream=stream), RICH).answer()
    thought, text, call = first.parts
    assert isinstance(thought, Reasoning)
    assert (thought.text, text) == ("Well, well.", Text(text="Let me see."))
    assert thought.signature
    assert isinstance(call, ToolCall)
    assert first.turn is not None
    assert (first.usage.cache_read, first.usage.source, first.finish.reason) == (2, "reported", "tool_calls")
    request = _request(text_turn("user", "hi"), first.turn, tools=(tool,), stream=stream)
    assert _answered(request, Script(text="9")).text_so_far == "9"


def test_what_the_encoder_writes_is_accepted_whatever_is_asked() -> None:
    schema = msgspec.Raw(b'{"type":"object","properties":{"a":{"type":"string"}}}')
    turns = (
        text_turn("system", "S"),
        text_turn("assistant", "Welcome "),
        Turn(role="user", parts=(Text(text=" "), Image(data=b"\x89PNG\r\n\x1a\n"), Text(text="x", cache="long"))),
        Turn(role="assistant", parts=(ToolCall(id="call.1", name="f g"), ToolCall(id="call.1", name="f g"))),
        text_turn("system", "T"),
    )
    for model in ("claude-3-5-haiku-20241022", "claude-sonnet-4-5", "claude-opus-5-5", "other"):
        for fields in (
            {"reasoning": ReasoningOptions(effort="high"), "tool_choice": ToolChoice(mode="required")},
            {"reasoning": ReasoningOptions(budget_tokens=9999), "max_output_tokens": 2000},
            {"output": OutputFormat(schema=schema), "sampling": Sampling(temperature=2.0, top_p=0.5, stop=(" ",))},
        ):
            request = _request(*turns, tools=(Tool(name="f"),), **fields)
            assert _answered(request, Script(text="ok"), model).text_so_far == "ok"


async def test_the_vendors_own_sdk_reads_what_is_simulated() -> None:
    anthropic = pytest.importorskip("anthropic", reason="the vendor's SDK is a development requirement")

    def ask(origin: str) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
        client = anthropic.Anthropic(api_key="k", base_url=origin, max_retries=0)
        whole = client.messages.create(**PLAIN, tools=[TOOL])
        with client.messages.stream(**PLAIN, tools=[TOOL]) as stream:
            streamed = stream.get_final_message()
        models = [model.id for model in client.models.list()]
        client.close()
        return whole.to_dict(mode="json", warnings=False), streamed.to_dict(mode="json", warnings=False), models

    async with serve_sim(SimProvider("anthropic", RICH, models=("sim-a",))) as server:
        whole, streamed, models = await trio.to_thread.run_sync(ask, server.origin)
    assert models == ["sim-a"]
    for message in (whole, streamed):
        assert [block["type"] for block in message["content"]] == ["thinking", "text", "tool_use"]
        assert message["content"][2]["input"] == {"a": 1}
        assert message["stop_reason"] == "tool_use"
    assert whole["usage"]["output_tokens"] == streamed["usage"]["output_tokens"]
