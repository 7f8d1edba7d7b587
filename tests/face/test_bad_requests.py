"""Everything a caller can get wrong in a request: refused at once, by name, before anything is sent."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

import manus
from manus.asking import OPTIONS, chat_request
from manus.messages.content import Audio, Document, Image, Text, ToolCall, ToolResult, Turn
from manus.messages.requests import ChatRequest
from manus.prompts import PROMPT_BYTES_MAX
from tests.face.building import build, criteria
from tests.face.rig import Rig, open_rig

BOTTOMLESS: dict[str, Any] = {"type": "object"}
for _ in range(100):
    BOTTOMLESS = {"type": "object", "properties": {"a": BOTTOMLESS}}


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("", "empty prompt"),
        (" \n\t", "empty prompt"),
        ([], "no question"),
        ([{"role": "system", "content": "x"}], "no question"),
        ([{"role": "user", "content": ""}], "empty prompt"),
        ([{"role": "user", "content": None}], "empty prompt"),
        ([{"role": "user", "content": []}], "empty prompt"),
        ("a\0b", "prompt: holds a NUL character at position 1"),
        ("half \ud83d a face", "prompt: holds a lone surrogate at position 5"),
        ("x" * 10_000_000, "more than the 8388608"),
        ("\u20ac" * (PROMPT_BYTES_MAX // 2), "bytes of text"),
        (b"bytes", "expected text, a Turn, or a list"),
        (7, "got int"),
        (None, "got NoneType"),
        (object(), "got object"),
        ({"role": "user"}, "empty prompt"),
        ({"content": "x"}, "prompt.role: expected system"),
        ({"role": "usr", "content": "x"}, "did you mean 'user'?"),
        ({"role": ["user"], "content": "x"}, "prompt.role: expected system"),
        ({"role": "user", "contents": "x"}, "unknown key contents; did you mean 'content'?"),
        ({"role": "user", "content": 5}, "expected text or a list of parts; got int"),
        ({"role": "user", "content": "x\0"}, "prompt.content: holds a NUL"),
        ([{"role": "user", "content": "x"}, 5], "messages[1]: expected a Turn or a message; got int"),
        ([{"role": "user", "content": [5]}], "messages[0].content[0]: expected a part"),
        ([{"role": "user", "content": [{"type": "txt", "text": "x"}]}], "did you mean 'text'?"),
        ([{"role": "user", "content": [{"type": "text", "text": 5}]}], "content[0].text: expected text; got int"),
        ([{"role": "user", "content": [{"type": "text", "txt": "x"}]}], "unknown key txt"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}],
            "image_url.url: expected an http, https or data URL",
        ),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": "data:image/png;base64,%%%"}]}],
            "is not base64",
        ),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": 5}]}],
            "expected an object with url or detail",
        ),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://h", "detail": "x"}}]}],
            "detail: expected auto, low or high",
        ),
        ([{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "%"}}]}], "is not base64"),
        ([{"role": "user", "content": [{"type": "file", "file": {}}]}], "file_data: expected text"),
        ([{"role": "user", "content": "x", "tool_calls": []}], "only an assistant calls tools"),
        ([{"role": "assistant", "tool_calls": {}}], "expected a list of calls; got dict"),
        ([{"role": "assistant", "tool_calls": [{"id": "a"}]}], "tool_calls[0].function: expected an object"),
        ([{"role": "tool", "content": "x"}], "messages[0].tool_call_id: expected text"),
        (
            [{"role": "tool", "tool_call_id": "a", "content": [{"type": "refusal", "refusal": "x"}]}],
            "a tool's result is text and images",
        ),
        (Turn(role="usr", parts=()), "prompt.role: expected system"),  # type: ignore[arg-type]
        (Turn(role="user", parts=("x",)), "prompt.parts[0]: expected a part"),  # type: ignore[arg-type]
        (Turn(role="user", parts=(Text(text=5),)), "Expected `str`, got `int`"),  # type: ignore[arg-type]
        (Turn(role="user", parts=(Text(text="a\0"),)), "holds a NUL"),
        (Turn(role="user", parts=(Text(text="\ud800"),)), "lone surrogate"),
        (Turn(role="user", parts=(Image(data="x"),)), "Expected `bytes"),  # type: ignore[arg-type]
        (Turn(role="user", parts=(Image(),)), "exactly one source"),
        (Turn(role="user", parts=[Text(text="a")]), "prompt.parts: expected a tuple of parts; got list"),  # type: ignore[arg-type]
        (Turn(role="user", parts=(Text(text="a"),), name=5), "prompt.name: expected text"),  # type: ignore[arg-type]
        (Turn(role="user", parts=(Text(text="a"),), vendor={}), "prompt.vendor: expected what"),  # type: ignore[arg-type]
        (Turn(role="user", parts=(Document(data=b"x", url="https://h"),)), "exactly one source"),
        (Turn(role="user", parts=(Audio(data=b""),)), "is empty"),
        (Turn(role="user", parts=(ToolCall(id="a", name="b"),)), "only an assistant's turn"),
        (Turn(role="tool", parts=(ToolResult(id="a", content=(Text(text=5),)),)), "content[0]"),  # type: ignore[arg-type]
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_a_bad_prompt_is_refused_by_name(prompt: object, message: str) -> None:
    with pytest.raises(manus.InvalidRequestError) as caught:
        build(prompt)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 500, "an error must not quote the prompt"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tools": "weather"}, "tools: expected a list of tools; got str"),
        ({"tools": {"name": "a"}}, "tools: expected a list"),
        ({"tools": ["weather"]}, "tools[0]: expected a Tool or a table; got str"),
        ({"tools": [{}]}, "tools[0]: has no name"),
        ({"tools": [{"name": "a b"}]}, "tools[0].name: a tool's name is 1 to 64 letters"),
        ({"tools": [{"name": 5}]}, "tools[0].name"),
        ({"tools": [{"name": "a", "description": 5}]}, "tools[0].description: expected text; got int"),
        ({"tools": [{"name": "a", "paramters": {}}]}, "did you mean 'parameters'?"),
        ({"tools": [{"name": "a", "parameters": "x"}]}, "tools[0].parameters: expected a JSON Schema (an object)"),
        ({"tools": [{"name": "a", "parameters": {}}]}, "tools[0].parameters.type: must be 'object'"),
        ({"tools": [{"name": "a", "parameters": {"type": "strin"}}]}, "tools[0].parameters.type: must be 'object'"),
        (
            {"tools": [{"name": "a", "parameters": {"type": "object", "properties": ["x"]}}]},
            "tools[0].parameters.properties: expected an object of schemas; got list",
        ),
        (
            {"tools": [{"name": "a", "parameters": {"type": "object", "properties": {"x": "string"}}}]},
            "tools[0].parameters.properties.x: expected a JSON Schema (an object); got str",
        ),
        (
            {"tools": [{"name": "a", "parameters": {"type": "object", "properties": {"x": {"type": "strin"}}}}]},
            "tools[0].parameters.properties.x.type: expected object",
        ),
        (
            {"tools": [{"name": "a", "parameters": {"type": "object", "required": "x"}}]},
            "tools[0].parameters.required: expected a list of names",
        ),
        (
            {"tools": [{"name": "a", "parameters": {"type": "object", "anyOf": [5]}}]},
            "tools[0].parameters.anyOf[0]: expected a JSON Schema",
        ),
        ({"tools": [{"name": "a", "parameters": BOTTOMLESS}]}, "nested deeper than 64"),
        (
            {"tools": [{"name": "a", "parameters": {"type": "object", "default": object()}}]},
            "cannot be written as JSON (TypeError)",
        ),
        ({"tools": [{"name": "a", "parameters": {"type": "object", "title": "\ud800"}}]}, "cannot be written as JSON"),
        ({"tools": [manus.Tool(name="a", schema=msgspec.Raw(b"nonsense"))]}, "tools[0].schema: is no JSON"),
        ({"tools": [manus.Tool(name="a", schema=msgspec.Raw(b"[]"))]}, "tools[0].schema: expected a JSON Schema"),
        ({"tools": [{"name": "a"}, {"name": "a"}]}, "tools[1].name: is the same"),
        ({"tools": [{"name": "a"}], "tool_choice": "b"}, "none of the tools offered"),
        ({"tool_choice": "required"}, "demands a tool call"),
        ({"tool_choice": 5}, "tool_choice: expected 'auto'"),
        ({"tool_choice": {"type": "function", "function": {"name": "a"}, "x": 1}}, "tool_choice: expected 'auto'"),
        ({"response_format": 5}, "expected a msgspec Struct type, a JSON Schema"),
        ({"response_format": int}, "expected a msgspec Struct type"),
        ({"response_format": {"type": "strin"}}, "response_format.type: expected object"),
        ({"temperature": "hot"}, "temperature: expected a number"),
        ({"temperature": True}, "temperature: expected a number"),
        ({"temperature": -1}, "temperature: expected a number"),
        ({"temperature": float("nan")}, "temperature: expected a number"),
        ({"top_p": 0}, "top_p: expected a number, more than 0 and at most 1"),
        ({"top_k": 0}, "top_k: expected a whole number"),
        ({"seed": 2**70}, "seed: expected a whole number"),
        ({"max_tokens": 0}, "max_tokens: expected a whole number from 1"),
        ({"max_tokens": 1.5}, "max_tokens: expected a whole number"),
        ({"stop": 5}, "stop: expected a list of texts"),
        ({"stop": [""]}, "is empty"),
        ({"stop": "a\0"}, "stop: holds a NUL"),
        ({"presence_penalty": 3}, "presence_penalty: expected a number from -2 to 2"),
        ({"frequency_penalty": "much"}, "frequency_penalty: expected a number from -2 to 2"),
        ({"frequency_penalty": float("nan")}, "frequency_penalty: expected a number from -2 to 2"),
        ({"logprobs": True}, "logprobs: expected a whole number from 0 to 20"),
        ({"logprobs": 21}, "logprobs: expected a whole number from 0 to 20"),
        ({"end_user_id": ""}, "end_user_id: expected 1 to 256 characters"),
        ({"service_tier": 1}, "service_tier: expected 1 to 256 characters"),
        ({"conversation_id": "a\nb"}, "conversation_id: expected 1 to 256 characters"),
        ({"provider": ""}, "provider: expected 1 to 256 characters"),
        ({"provider": "a\nb"}, "provider: expected 1 to 256 characters"),
        ({"model": 5}, "model: expected 1 to 256 characters"),
        ({"model": "m" * 300}, "model: expected 1 to 256 characters"),
        ({"fallback_providers": "second"}, "fallback_providers: expected a list"),
        ({"system_prompt": 5}, "system_prompt: expected text"),
        ({"system_prompt": "\0"}, "system_prompt: holds a NUL"),
        ({"reasoning": "hard"}, "reasoning: expected off"),
        ({"criteria": {"requires_vision": True}}, "criteria: expected RoutingCriteria; got dict"),
        ({"criteria": criteria(requires_vision=1)}, "criteria.requires_vision: expected True or False; got int"),
        ({"criteria": criteria(prefer_cheap="yes")}, "criteria.prefer_cheap: expected True or False; got str"),
        ({"criteria": criteria(task_complexity=0)}, "criteria.task_complexity: expected a whole number from 1 to 10"),
        ({"criteria": criteria(task_complexity=11)}, "criteria.task_complexity: expected a whole number from 1 to 10"),
        ({"criteria": criteria(task_complexity=5.5)}, "criteria.task_complexity: expected a whole number"),
        ({"criteria": criteria(min_context_length=0)}, "criteria.min_context_length: expected a whole number from 1"),
        ({"criteria": criteria(max_cost_usd=-0.01)}, "criteria.max_cost_usd: expected a number, 0 or more"),
        ({"criteria": criteria(max_cost_usd=float("nan"))}, "criteria.max_cost_usd: expected a number"),
        ({"criteria": criteria(max_latency_ms=0)}, "criteria.max_latency_ms: expected a number, more than 0"),
        ({"criteria": criteria(max_latency_ms=float("inf"))}, "criteria.max_latency_ms: expected a number"),
        ({"criteria": criteria(tags="eu")}, "criteria.tags: expected a list of texts"),
        ({"criteria": criteria(tags=("a\0",))}, "criteria.tags[0]: holds a NUL"),
        ({"routing_strategy": "cost-aware"}, "routing_strategy: expected priority, cost_aware"),
        ({"routing_strategy": "cost-aware"}, "did you mean 'cost_aware'?"),
        ({"routing_strategy": ["latency"]}, "routing_strategy: expected priority"),
        ({"priority": "low"}, "priority: expected interactive or batch"),
        ({"priority": 1}, "priority: expected interactive or batch"),
        ({"on_interrupt": "resume"}, "on_interrupt: expected auto, restart or error"),
        ({"timeout_s": 0}, "timeout_s: expected a number, more than 0"),
        ({"timeout_s": -3.0}, "timeout_s: expected a number, more than 0"),
        ({"timeout_s": float("inf")}, "timeout_s: expected a number"),
        ({"timeout_s": "5"}, "timeout_s: expected a number"),
        ({"on_interrupt": "reset"}, "on_interrupt: expected auto, restart or error"),
        ({"tags": ["a", ""]}, "tags[1]: expected 1 to 256 characters"),
        ({"tags": ["x" * 257]}, "tags[0]: expected 1 to 256 characters"),
        ({"tags": ["\u20ac" * 250] * 17}, "tags: more than 12288 bytes in all"),
        ({"on_cancel": "drains"}, "on_cancel: expected abort or drain; did you mean 'drain'?"),
        ({"tags": "a"}, "tags: expected a list"),
        ({"tags": ["a"] * 100}, "tags: 100 of them; at most 64"),
        ({"extra": []}, "extra: expected a table of tables"),
        ({"extra": {"ollama": 5}}, "extra: expected a table of tables"),
        ({"extra": {"ollama": {"x": object()}}}, "extra.ollama: cannot be written as JSON"),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value)[:50],
)
def test_a_bad_option_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(manus.InvalidRequestError) as caught:
        build(**options)
    assert message in str(caught.value)


def test_an_option_that_does_not_exist_is_a_type_error_as_for_any_function() -> None:
    with pytest.raises(TypeError, match="there is no option 'temprature'; did you mean 'temperature'\\?"):
        build(temprature=0.5)


async def test_a_bad_request_reaches_nobody_and_costs_nothing(autojump_clock: trio.testing.MockClock) -> None:
    rig = Rig()
    async with open_rig(rig) as agent:
        with pytest.raises(manus.InvalidRequestError):
            await agent.generate("")
        with pytest.raises(manus.InvalidRequestError):
            agent.stream("a\0b")
        with pytest.raises(manus.InvalidRequestError):
            agent.stream_sse("Hello", tools=[{"name": "a", "parameters": {}}])
        with pytest.raises(manus.InvalidRequestError, match="No provider is called"):
            await agent.generate("Hello", provider="nobody")
        with pytest.raises(manus.InvalidRequestError, match="nope"):
            await agent.stream("Hello", model="nope").response()
        with pytest.raises(manus.InvalidRequestError, match="demands a tool call"):
            await agent.stream("Hello", tool_choice="required").response()
        with pytest.raises(manus.InvalidRequestError, match="demands a tool call"):
            await agent.explain("Hello", tool_choice="required")
        assert (await agent.get_usage_stats()).lines == ()
        assert (await agent.generate("Hello")).finish_reason == "stop"
    assert len(rig.first.bill.rows()) == 1


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.binary(max_size=3)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "type", "text", "image_url", "url", "name", "parameters", "properties", "function"]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
        | st.sampled_from(["user", "assistant", "tool", "text", "object", "auto"])
    ),
    max_leaves=12,
)


@given(prompt=values, options=st.dictionaries(st.sampled_from(OPTIONS), values, max_size=3))
@settings(max_examples=200)
def test_whatever_a_caller_hands_over_is_a_request_or_a_clear_refusal(prompt: Any, options: dict[str, Any]) -> None:
    try:
        request = chat_request(prompt, options, stream=False)
    except manus.InvalidRequestError:
        return
    assert isinstance(request, ChatRequest)
    assert msgspec.json.encode(request)
