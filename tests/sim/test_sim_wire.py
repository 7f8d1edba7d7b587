"""The simulated wires have the vendors' shapes, and refuse what the vendors refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from manus.sim.behaviour import Script, ScriptedCall
from manus.sim.faults import FAULTS, Rejected, faults_of
from manus.sim.provider import SimProvider
from manus.sim.steps import Head, Send
from manus.sim.wire import SimRequest, WireName
from tests.shared_data import shared_dir

USER = {"role": "user", "content": "hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def reply(provider: SimProvider, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """Play one request without any serving: the status and the body."""
    status, said = 0, b""
    exchange = provider.answer(SimRequest(method=method, path=path, body=body))
    while (step := exchange.next_step()) is not None:
        match step:
            case Head():
                status = step.status
            case Send():
                said += step.data
            case _:
                pass
    return status, said


def chat(wire: WireName, fields: dict[str, Any], script: Script | None = None) -> tuple[int, bytes]:
    """Ask for a chat completion with exactly these fields."""
    path = "/v1/chat/completions" if wire == "openai" else "/api/chat"
    return reply(SimProvider(wire, script), "POST", path, json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"messages": [USER]}, None, "model"),
        ({"model": "m"}, "messages", "Missing required parameter"),
        ({"model": "m", "messages": []}, "messages", "empty array"),
        ({"model": "m", "messages": [{"role": "robot", "content": ""}]}, "messages[0].role", "robot"),
        ({"model": "m", "messages": [{"role": "user", "content": None}]}, "messages[0].content", "null"),
        ({"model": "m", "messages": [USER], "stream_options": {"include_usage": True}}, "stream_options", "stream"),
        ({"model": "m", "messages": [USER], "tool_choice": "auto"}, "tool_choice", "tools"),
        ({"model": "m", "messages": [USER], "parallel_tool_calls": False}, "parallel_tool_calls", "tools"),
        ({"model": "m", "messages": [USER, {"role": "assistant", "tool_calls": [CALL]}]}, "messages[1]", "c1"),
        (
            {"model": "m", "messages": [USER, {"role": "assistant", "tool_calls": [CALL]}, USER]},
            "messages[2]",
            "must be followed",
        ),
        (
            {"model": "m", "messages": [USER, {"role": "tool", "tool_call_id": "c9", "content": ""}]},
            "messages[1]",
            "must be a response",
        ),
    ],
)
def test_openai_refuses_what_an_encoder_can_get_wrong(fields: dict[str, Any], param: str | None, says: str) -> None:
    status, body = chat("openai", fields)
    error = json.loads(body)["error"]
    assert (status, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert says in error["message"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"messages": [USER]}, "model is required"),
        ({"model": "m", "messages": "hi"}, "ChatRequest.messages"),
        ({"model": "m", "messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.content"),
        ({"model": "m", "messages": [{"role": "assistant", "tool_calls": [CALL]}]}, "arguments"),
    ],
)
def test_ollama_refuses_what_an_encoder_can_get_wrong(fields: dict[str, Any], says: str) -> None:
    status, body = chat("ollama", fields)
    assert status == 400
    assert says in json.loads(body)["error"]


@pytest.mark.parametrize(
    ("wire", "method", "path", "body", "status"),
    [
        ("openai", "POST", "/v1/chat/completions", b"{", 400),
        ("openai", "POST", "/v1/chat/completions", b"[]", 400),
        ("openai", "POST", "/v1/chat/completions", b"", 400),
        ("openai", "GET", "/v1/chat/completions", b"", 405),
        ("openai", "POST", "/v1/embeddings", b"{}", 400),
        ("openai", "POST", "/v1/nothing", b"{}", 404),
        ("ollama", "POST", "/api/embed", b"{}", 400),
        ("openai", "GET", "/v1/models", b"", 200),
        ("openai", "GET", "/v1/models/sim-large", b"", 200),
        ("openai", "GET", "/v1/models/other", b"", 404),
        ("openai", "DELETE", "/v1/models/sim-large", b"", 405),
        ("ollama", "POST", "/api/chat", b"{", 400),
        ("ollama", "POST", "/api/chat", b"[]", 400),
        ("ollama", "POST", "/api/chat", b"", 400),
        ("ollama", "GET", "/api/chat", b"", 405),
        ("ollama", "GET", "/api/nothing", b"", 404),
        ("ollama", "GET", "/", b"", 200),
        ("ollama", "GET", "/api/version", b"", 200),
        ("ollama", "GET", "/api/tags", b"", 200),
        ("ollama", "GET", "/api/ps", b"", 200),
    ],
)
def test_every_path_has_its_answer_and_costs_nothing(
    wire: WireName, method: str, path: str, body: bytes, status: int
) -> None:
    provider = SimProvider(wire)
    assert reply(provider, method, path, body)[0] == status
    assert provider.bill.totals().billed == 0


def test_a_closed_list_of_models_refuses_others() -> None:
    for wire, path in (("openai", "/v1/chat/completions"), ("ollama", "/api/chat")):
        provider = SimProvider(wire, models=("known",), any_model=False)  # type: ignore[arg-type]
        for model, expected in (("known", 200), ("unknown", 404), ("sim-503", 503)):
            body = json.dumps({"model": model, "messages": [USER]}).encode()
            assert reply(provider, "POST", path, body)[0] == expected


def test_a_tool_round_trip_is_accepted_on_both_wires() -> None:
    script = Script(text="", tool_calls=(ScriptedCall(name="f", arguments='{"a": 1}'),))
    fields = {"model": "m", "messages": [USER], "tools": [TOOL], "stream": False}
    asked = json.loads(chat("openai", fields, script)[1])["choices"][0]
    assert asked["finish_reason"] == "tool_calls"
    history = [
        USER,
        asked["message"],
        {"role": "tool", "tool_call_id": asked["message"]["tool_calls"][0]["id"], "content": "9"},
    ]
    assert chat("openai", {**fields, "messages": history})[0] == 200
    message = json.loads(chat("ollama", fields, script)[1])["message"]
    assert message["tool_calls"][0]["function"]["arguments"] == {"a": 1}
    assert (
        chat("ollama", {**fields, "messages": [USER, message, {"role": "tool", "tool_name": "f", "content": "9"}]})[0]
        == 200
    )


def recorded(provider: str, *features: str) -> list[dict[str, Any]]:
    """Read the recorded exchanges of a provider's chat API that have all of `features`."""
    files = sorted((shared_dir() / "wire").glob(f"{provider}-chat-*.json"))
    exchanges = [msgspec.json.decode(Path(file).read_bytes()) for file in files]
    found = [exchange for exchange in exchanges if set(features) <= set(exchange["features"])]
    assert found
    return found


def whole(provider: str) -> list[dict[str, Any]]:
    """Read the recorded good answers that were not streamed."""
    return [e for e in recorded(provider) if "stream" not in e["features"] and e["response"]["status"] == 200]


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
    """Name every key in the events of a stream, SSE or NDJSON."""
    lines = [line.removeprefix("data: ") for line in body.splitlines()]
    return set().union(*(keys(json.loads(line)) for line in lines if line.startswith("{")))


TEXT_AND_CALL = Script(text="Let me see.", tool_calls=(ScriptedCall(name="f", arguments='{"a":1}'),))


def test_an_openai_stream_has_only_keys_that_openai_sends() -> None:
    known = set().union(
        *(stream_keys(e["response"]["body_text"]) for e in recorded("openai", "stream", "stream_usage"))
    )
    fields = {"model": "m", "messages": [USER], "tools": [TOOL], "stream": True}
    ours = stream_keys(chat("openai", {**fields, "stream_options": {"include_usage": True}}, TEXT_AND_CALL)[1].decode())
    assert ours <= known
    assert {
        ".usage.prompt_tokens",
        ".choices[].delta.tool_calls[].function.arguments",
        ".choices[].finish_reason",
    } <= ours


def test_an_openai_answer_has_only_keys_that_openai_sends() -> None:
    known = set().union(*(keys(json.loads(e["response"]["body_text"])) for e in whole("openai")))
    ours = keys(json.loads(chat("openai", {"model": "m", "messages": [USER], "tools": [TOOL]}, TEXT_AND_CALL)[1]))
    assert ours <= known


def test_an_ollama_stream_has_only_keys_that_ollama_sends() -> None:
    known = set().union(*(stream_keys(e["response"]["body_text"]) for e in recorded("ollama", "stream")))
    known |= set().union(*(keys(json.loads(e["response"]["body_text"])) for e in whole("ollama")))
    script = msgspec.structs.replace(TEXT_AND_CALL, reasoning="Well, well.")
    streamed = stream_keys(chat("ollama", {"model": "m", "messages": [USER], "tools": [TOOL]}, script)[1].decode())
    in_one = keys(json.loads(chat("ollama", {"model": "m", "messages": [USER], "stream": False}, script)[1]))
    arguments = {".message.tool_calls[].function.arguments.a"}  # the caller's own
    assert streamed - arguments <= known
    assert in_one - arguments <= known


def test_openai_errors_have_the_recorded_shape_and_headers() -> None:
    for exchange in recorded("openai"):
        response = exchange["response"]
        if response["status"] < 400 or not response["headers"].get("content-type", "").startswith("application/json"):
            continue
        error = json.loads(response["body_text"])["error"]
        provider = SimProvider("openai", Script(fault=Rejected(status=response["status"])))
        body = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
        ours = json.loads(reply(provider, "POST", "/v1/chat/completions", body)[1])["error"]
        assert set(ours) == set(error)


def test_openai_heads_carry_the_recorded_names() -> None:
    known = {name for exchange in recorded("openai") for name in exchange["response"]["headers"]}
    for name in (None, *faults_of("openai")):
        provider = SimProvider("openai", Script(fault=None if name is None else FAULTS[name]))
        exchange = provider.answer(
            SimRequest(
                method="POST",
                path="/v1/chat/completions",
                body=b'{"model":"m","messages":[{"role":"user","content":"x"}]}',
            )
        )
        step = exchange.next_step()
        while step is not None and not isinstance(step, Head):
            step = exchange.next_step() if type(step).__name__ == "Wait" else None
        if isinstance(step, Head):
            assert {header for header, _ in step.headers} <= known, name
        exchange.leave()
