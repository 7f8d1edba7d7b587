"""What a caller may write in a request: every shape and option is understood, and reaches the canonical request."""

from __future__ import annotations

from typing import Any

import pytest

import manus
from manus.asking import OPTIONS
from manus.messages.content import Audio, Document, Image, Text, ToolCall, ToolResult, Turn
from manus.messages.requests import ToolChoice
from tests.face.building import build, criteria


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ToolChoice()),
        ("none", ToolChoice(mode="none")),
        ("required", ToolChoice(mode="required")),
        ("look", ToolChoice(mode="tool", name="look")),
        ({"type": "function", "function": {"name": "look"}}, ToolChoice(mode="tool", name="look")),
        (ToolChoice(mode="tool", name="look", parallel=False), ToolChoice(mode="tool", name="look", parallel=False)),
    ],
)
def test_every_form_of_a_tool_choice_is_understood(choice: Any, expected: ToolChoice) -> None:
    assert build(tools=[{"name": "look"}], tool_choice=choice).tool_choice == expected


def test_the_shapes_of_openais_messages_are_understood() -> None:
    request = build(
        [
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "name": "ann",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}},
                    {"type": "image_url", "image_url": "https://h/p.png"},
                    {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
                    {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "a.pdf"}},
                    {"type": "file", "file": {"file_id": "f-1"}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
            {"role": "assistant", "content": "", "refusal": "I would rather not."},
            {"role": "user", "content": "Please."},
        ]
    )
    roles = [turn.role for turn in request.turns]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert request.turns[1].parts == (
        Text(text="What is this?"),
        Image(data=b"hi", media_type="image/png", detail="low"),
        Image(url="https://h/p.png"),
        Audio(data=b"hi", format="mp3"),
        Document(data=b"hi", media_type="application/pdf", name="a.pdf"),
        Document(file_id="f-1"),
    )
    assert request.turns[2].parts == (ToolCall(id="c1", name="look"),)
    assert request.turns[3].parts == (ToolResult(id="c1", content=(Text(text="a cat"),)),)


def test_options_reach_the_canonical_request() -> None:
    request = build(
        provider="first",
        model="m",
        fallback_providers=["second"],
        system_prompt="Be brief.",
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        seed=7,
        stop="END",
        max_tokens=100,
        tools=[{"type": "function", "function": {"name": "look", "description": "Look.", "strict": True}}],
        tool_choice="look",
        reasoning="low",
        criteria=manus.RoutingCriteria(requires_vision=True, task_complexity=8, tags=("eu",)),
        routing_strategy=manus.RoutingStrategy.COST_AWARE,
        priority="batch",
        timeout_s=5,
        on_interrupt="restart",
        tags=["a"],
        presence_penalty=-0.5,
        frequency_penalty=1,
        logprobs=3,
        conversation_id="c1",
        end_user_id="u1",
        service_tier="flex",
        request_key="host-1",
        extra={"ollama": {"keep_alive": "10m"}},
    )
    assert (request.provider, request.model, request.fallback_providers) == ("first", "m", ("second",))
    assert request.turns[0] == Turn(role="system", parts=(Text(text="Be brief."),))
    assert (request.sampling.temperature, request.sampling.top_p, request.sampling.top_k) == (0.5, 0.9, 40)
    assert (request.sampling.seed, request.sampling.stop, request.max_output_tokens) == (7, ("END",), 100)
    assert (request.tools[0].name, request.tools[0].strict) == ("look", True)
    assert request.tool_choice == manus.ToolChoice(mode="tool", name="look")
    assert request.reasoning == manus.ReasoningOptions(effort="low")
    assert request.criteria == manus.RoutingCriteria(requires_vision=True, task_complexity=8, tags=("eu",))
    assert (request.strategy, request.priority) == ("cost_aware", "batch")
    assert build(routing_strategy="round_robin").strategy == "round_robin"
    assert build(criteria=criteria(tags=["a", "b"])).criteria == manus.RoutingCriteria(tags=("a", "b"))
    assert (request.timeout_s, request.on_interrupt, request.tags, request.request_key) == (
        5.0,
        "restart",
        ("a",),
        "host-1",
    )
    assert (request.sampling.presence_penalty, request.sampling.frequency_penalty) == (-0.5, 1.0)
    assert request.sampling.logprobs == 3
    assert (request.conversation_id, request.end_user_id, request.service_tier) == ("c1", "u1", "flex")
    assert bytes(request.extra["ollama"]) == b'{"keep_alive":"10m"}'
    assert {build(**{name: None for name in OPTIONS if name not in ("tags", "extra")}).provider} == {None}
