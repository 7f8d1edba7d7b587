"""Ollama requests: what the native API can say, and what is said aloud where it cannot."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.messages.content import (
    Audio,
    Document,
    Image,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    text_turn,
)
from manus.messages.failures import Failed
from manus.messages.ids import RequestId
from manus.messages.policy import Bounds, ModelCard
from manus.messages.requests import (
    ChatRequest,
    OutputFormat,
    ReasoningOptions,
    Sampling,
    Tool,
    ToolChoice,
)

ASK = (text_turn("user", "Hi"),)
TOOLS = (Tool(name="f", description="d"), Tool(name="g"))


def _request(turns: tuple[Turn, ...] = ASK, **fields: Any) -> ChatRequest:
    return ChatRequest(request_id=RequestId("r"), turns=turns, **fields)


def _encoded(request: ChatRequest, options: CodecOptions | None = None) -> HttpRequest:
    written = codec_for("ollama").encode(request, "qwen3:8b", options or CodecOptions())
    assert isinstance(written, HttpRequest), written
    return written


def _body(request: ChatRequest, options: CodecOptions | None = None) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(_encoded(request, options).body)
    return body


def _refused(request: ChatRequest, options: CodecOptions | None = None) -> Failed:
    failure = codec_for("ollama").encode(request, "qwen3:8b", options or CodecOptions())
    assert isinstance(failure, Failed)
    return failure


def _codes(request: ChatRequest, options: CodecOptions | None = None) -> list[str]:
    return [warning.code for warning in _encoded(request, options).warnings]


def test_the_plainest_request_refuses_silent_truncation_and_says_whether_it_streams() -> None:
    written = _encoded(_request())

    assert (written.method, written.path) == ("POST", "/api/chat")
    assert json.loads(written.body) == {
        "model": "qwen3:8b",
        "messages": [{"role": "user", "content": "Hi"}],
        "truncate": False,
        "shift": False,
        "stream": False,
    }
    assert _body(_request(stream=True))["stream"] is True


def test_truncation_can_be_allowed() -> None:
    body = _body(_request(), CodecOptions(truncate=True))
    assert "truncate" not in body
    assert "shift" not in body


def test_all_options_that_this_wire_has() -> None:
    sampling = Sampling(
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        seed=7,
        stop=("a",),
        presence_penalty=0.1,
        frequency_penalty=0.2,
        logprobs=3,
    )
    body = _body(_request(sampling=sampling, max_output_tokens=5), CodecOptions(context_tokens=8192))
    assert body["options"] == {
        "num_ctx": 8192,
        "num_predict": 5,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "seed": 7,
        "stop": ["a"],
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
    }
    assert (body["logprobs"], body["top_logprobs"]) == (True, 3)


def test_structured_output() -> None:
    assert _body(_request(output=OutputFormat()))["format"] == "json"
    schema = OutputFormat(schema=msgspec.Raw(b'{"type":"object"}'))
    assert _body(_request(output=schema))["format"] == {"type": "object"}


@pytest.mark.parametrize(
    ("effort", "think"),
    [("off", False), ("minimal", "low"), ("low", "low"), ("medium", "medium"), ("high", "high"), ("max", "max")],
)
def test_thinking(effort: Any, think: bool | str) -> None:
    request = _request(reasoning=ReasoningOptions(effort=effort))
    assert _body(request)["think"] == think
    plain = CodecOptions(card=ModelCard(name="x", reasoning=False))
    if effort == "off":
        assert _body(request, plain)["think"] is False
    else:
        assert "think" not in _body(request, plain)
        assert _codes(request, plain) == ["reasoning_effort_dropped"]


def test_a_model_that_always_thinks_is_asked_to_think_as_little_as_it_can() -> None:
    request = _request(reasoning=ReasoningOptions(effort="off"))
    encoded = codec_for("ollama").encode(request, "gpt-oss:20b", CodecOptions())
    assert isinstance(encoded, HttpRequest)
    assert json.loads(encoded.body)["think"] == "low"
    assert [warning.code for warning in encoded.warnings] == ["reasoning_not_off"]


def test_a_thinking_budget_is_said_to_be_dropped() -> None:
    assert _codes(_request(reasoning=ReasoningOptions(budget_tokens=9))) == ["reasoning_budget_dropped"]


def test_parts_of_a_turn() -> None:
    turn = Turn(
        role="user",
        parts=(
            Text(text="See"),
            Image(data=b"\x89PNG"),
            Document(text="body", name="b"),
            Document(data=b"x", name="c", media_type="text/csv"),
        ),
    )
    (message,) = _body(_request((turn,)))["messages"]
    assert message == {"role": "user", "content": "See\nb:\nbody\nc:\nx", "images": ["iVBORw=="]}


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (Image(url="https://e.org/x.png"), "turns.image"),
        (Image(file_id="f"), "turns.image"),
        (Document(data=b"%PDF"), "turns.document"),
        (Document(url="https://e.org"), "turns.document"),
        (Audio(data=b"x"), "turns.audio"),
    ],
)
def test_parts_that_cannot_go_over_this_wire_are_named(part: Any, param: str) -> None:
    failure = _refused(_request((Turn(role="user", parts=(part,)),)))
    assert (failure.kind, failure.param) == ("unsupported", param)


def test_a_tool_round_trip_with_the_models_own_thinking() -> None:
    turns = (
        *ASK,
        Turn(
            role="assistant",
            parts=(
                Reasoning(text="hm", provider="ollama", model="qwen3:8b"),
                Reasoning(text="foreign", provider="openai-chat", model="qwen3:8b"),
                ToolCall(id="call_1", name="f", arguments='{"city":"Oslo"}'),
                ToolCall(id="call_2", name="g", arguments="{broken"),
            ),
        ),
        Turn(
            role="tool",
            parts=(
                ToolResult(id="call_1", content=(Text(text="4 C"), Image(data=b"\x89PNG"))),
                ToolResult(id="call_2", name="g", content=(Text(text="bad"),), is_error=True),
            ),
        ),
        Turn(role="assistant", parts=(Refusal(text="no"),)),
    )
    assert _body(_request(turns))["messages"][1:] == [
        {
            "role": "assistant",
            "content": "",
            "thinking": "hm",
            "tool_calls": [
                {"id": "call_1", "function": {"index": 0, "name": "f", "arguments": {"city": "Oslo"}}},
                {"id": "call_2", "function": {"index": 1, "name": "g", "arguments": {"_raw": "{broken"}}},
            ],
        },
        {"role": "tool", "content": "4 C\n(images follow)", "tool_name": "f", "tool_call_id": "call_1"},
        {"role": "tool", "content": "Error: bad", "tool_name": "g", "tool_call_id": "call_2"},
        {"role": "user", "content": "Images that the tools returned:", "images": ["iVBORw=="]},
        {"role": "assistant", "content": "no"},
    ]


@pytest.mark.parametrize(
    ("choice", "names", "codes"),
    [
        (None, ["f", "g"], []),
        (ToolChoice(), ["f", "g"], []),
        (ToolChoice(mode="none"), [], []),
        (ToolChoice(mode="required"), ["f", "g"], ["tool_choice_not_enforced"]),
        (ToolChoice(mode="tool", name="g"), ["g"], ["tool_choice_not_enforced"]),
        (ToolChoice(parallel=False), ["f", "g"], ["parallel_not_enforced"]),
    ],
)
def test_tool_choice_is_done_by_offering_fewer_tools(
    choice: ToolChoice | None, names: list[str], codes: list[str]
) -> None:
    request = _request(tools=TOOLS, tool_choice=choice)
    assert [tool["function"]["name"] for tool in _body(request).get("tools", [])] == names
    assert _codes(request) == codes


def test_extras_go_where_the_server_looks_for_them() -> None:
    extra = {
        "ollama": msgspec.Raw(b'{"keep_alive":"10m","num_ctx":4096,"options":{"min_p":0.1,"temperature":1}}'),
        "mine": msgspec.Raw(b'{"truncate":true}'),
    }
    body = _body(_request(extra=extra, sampling=Sampling(temperature=0.5)), CodecOptions(provider="mine"))
    assert (body["keep_alive"], body["truncate"]) == ("10m", True)
    assert body["options"] == {"temperature": 1, "num_ctx": 4096, "min_p": 0.1}
    assert _refused(_request(extra={"ollama": msgspec.Raw(b'{"options":[]}')})).param == "extra.ollama.options"


def test_bodies_that_cannot_be_written_are_refused() -> None:
    assert _refused(_request(), CodecOptions(bounds=Bounds(request_bytes=5))).kind == "too_large"
    assert _refused(_request((text_turn("user", "\udc00"),))).kind == "invalid_request"


def test_listing_the_models() -> None:
    codec = codec_for("ollama")
    assert codec.list_models_request(CodecOptions()).path == "/api/tags"
    listed = b'{"models":[{"name":"a:1","model":"a:1","size":1},{"name":"b"},{}]}'
    assert codec.decode_models(listed) == ("a:1", "b")
    assert codec.decode_models(b"nothing") == ()
    assert codec.rate_limits({"x-ratelimit-limit-requests": "1"}) == ()
