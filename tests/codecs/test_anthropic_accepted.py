"""No conversation, however untidy, and no wish, however odd, becomes a request that the vendor's rules refuse.

The rules are those of the simulated provider, which was written from the vendor's documents and knows nothing of the
encoder; what only some models refuse is checked here by their names.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.messages.content import (
    AnyPart,
    Citation,
    Document,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from manus.messages.ids import RequestId
from manus.messages.requests import ChatRequest, OutputFormat, ReasoningOptions, Sampling, Tool, ToolChoice
from manus.sim.asked_anthropic import mistake_in

MODELS = (
    "claude-3-5-haiku-20241022",
    "claude-sonnet-4-5",
    "claude-opus-4-6",
    "claude-opus-4-8",
    "claude-sonnet-5",
    "claude-fable-5-1",
    "claude-opus-5-5",
    "other",
)
NO_SAMPLING = MODELS[3:7]
NO_PREFILL = MODELS[2:7]
NO_FORCE = MODELS[5:7]

_caches = st.sampled_from([None, None, None, "short", "long"])
_ids = st.sampled_from(["toolu_1", "toolu_2", "call.3:x", "", "a" * 200])
_texts = st.builds(Text, text=st.sampled_from(["Hi", "", " ", "x ", "日本 \n"]), cache=_caches)
_reasonings = st.builds(
    Reasoning,
    text=st.sampled_from(["", "Hm"]),
    signature=st.sampled_from([None, "s"]),
    redacted=st.sampled_from([None, None, "blob"]),
    provider=st.sampled_from(["anthropic", "openai-responses"]),
    model=st.sampled_from(MODELS),
    cache=_caches,
)
_calls = st.builds(
    ToolCall,
    id=_ids,
    name=st.sampled_from(["f", "my tool", ""]),
    arguments=st.sampled_from(["{}", "[", "1"]),
    cache=_caches,
)
_results = st.builds(
    ToolResult,
    id=_ids,
    content=st.lists(st.one_of(_texts, st.just(Image(data=b"\x89PNG\r\n\x1a\n"))), max_size=2).map(tuple),
    is_error=st.booleans(),
    cache=_caches,
)
_files = st.sampled_from(
    [
        Image(url="https://example.com/a.png"),
        Document(data=b"%PDF-1.4", name="a"),
        Document(text=" "),
        Document(text="t", cache="short"),
    ]
)
_server = st.sampled_from(
    [
        Opaque(provider="anthropic", kind="server_tool_use", raw=msgspec.Raw(b'{"type":"server_tool_use","id":"s"}')),
        Opaque(provider="openai-responses", kind="item", raw=msgspec.Raw(b'{"type":"item"}')),
        Citation(raw=msgspec.Raw(b'{"type":"char_location"}')),
        Refusal(text="No."),
    ]
)


def _turn(role: str, parts: list[AnyPart]) -> Turn:
    return Turn(role=role, parts=tuple(parts))  # type: ignore[arg-type]


_turns = st.lists(
    st.one_of(
        st.builds(_turn, st.just("system"), st.lists(_texts, max_size=2)),
        st.builds(_turn, st.just("user"), st.lists(st.one_of(_texts, _texts, _files, _results), max_size=3)),
        st.builds(_turn, st.just("assistant"), st.lists(st.one_of(_texts, _reasonings, _calls, _server), max_size=4)),
        st.builds(_turn, st.just("tool"), st.lists(_results, max_size=3)),
    ),
    max_size=7,
)
_schemas = st.sampled_from(
    [
        b'{"type":"object","properties":{"a":{"type":"integer","minimum":1}}}',
        b'{"anyOf":[{"type":"object","properties":{"b":{}}}]}',
        b'{"type":"object","additionalProperties":{"type":"string"}}',
        b"{}",
    ]
).map(msgspec.Raw)
_requests = st.builds(
    ChatRequest,
    request_id=st.just(RequestId("r")),
    turns=_turns.map(tuple),
    stream=st.booleans(),
    max_output_tokens=st.sampled_from([None, 1, 1024, 1025, 5000, 10**6]),
    sampling=st.builds(
        Sampling,
        temperature=st.sampled_from([None, 0.0, 1.0, 2.0]),
        top_p=st.sampled_from([None, 0.5, 0.99]),
        top_k=st.sampled_from([None, 5]),
        stop=st.sampled_from([(), ("a", " ")]),
        seed=st.sampled_from([None, 1]),
    ),
    tools=st.lists(st.builds(Tool, name=st.just("f"), schema=_schemas, strict=st.booleans()), max_size=1).map(tuple),
    tool_choice=st.sampled_from(
        [None, ToolChoice(parallel=False), *(ToolChoice(mode=m, name="f") for m in ("none", "required", "tool"))]
    ),
    output=st.one_of(st.none(), st.just(OutputFormat()), st.builds(OutputFormat, schema=_schemas)),
    reasoning=st.one_of(
        st.none(),
        st.builds(
            ReasoningOptions,
            effort=st.sampled_from([None, "off", "minimal", "high", "xhigh", "max"]),
            budget_tokens=st.sampled_from([None, 0, 100, 5000, 10**6]),
            show=st.booleans(),
        ),
    ),
)


@given(request=_requests, model=st.sampled_from(MODELS))
@settings(max_examples=200, deadline=None)
def test_every_request_is_one_that_the_vendor_takes(request: ChatRequest, model: str) -> None:
    _check(request, model)


@pytest.mark.long
@given(request=_requests, model=st.sampled_from(MODELS))
@settings(max_examples=20_000, deadline=None)
def test_every_request_of_very_many_is_one_that_the_vendor_takes(request: ChatRequest, model: str) -> None:
    _check(request, model)


def _check(request: ChatRequest, model: str) -> None:
    written = codec_for("anthropic").encode(request, model, CodecOptions())
    assert isinstance(written, HttpRequest), written
    body = json.loads(written.body)

    assert mistake_in(body) is None
    _check_family(body, model)
    assert codec_for("anthropic").encode(request, model, CodecOptions()) == written


def _check_family(body: dict[str, Any], model: str) -> None:
    thinking = body.get("thinking", {}).get("type")
    if model in NO_SAMPLING:
        assert not {"temperature", "top_p", "top_k"} & body.keys()
        assert thinking != "enabled"
    if thinking in ("enabled", "adaptive"):
        assert not {"temperature", "top_k"} & body.keys()
        assert body.get("top_p", 1) >= 0.95
    if model.startswith("claude-sonnet-4") or model == MODELS[2]:
        assert not {"temperature", "top_p"} <= body.keys()
    if model in NO_PREFILL:
        last = body["messages"][-1]
        assert last["role"] != "assistant" or last["content"][-1]["type"] == "server_tool_use"
    if model in NO_FORCE:
        assert body.get("tool_choice", {}).get("type") not in ("any", "tool")
        assert thinking != "disabled"
    effort = body.get("output_config", {}).get("effort")
    assert effort is None or (effort in ("low", "medium", "high", "max", "xhigh") and model != MODELS[0])
    if model == MODELS[0]:
        assert "format" not in body.get("output_config", {})
        assert thinking is None
