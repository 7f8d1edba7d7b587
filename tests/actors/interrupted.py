"""Own what tests of broken streams share: upstreams cut at an exact character, and what holds of every stream."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import httpx

from manus.messages.content import Citation, Opaque, Reasoning, Refusal, Text, ToolCall, text_of
from manus.messages.events import (
    OpaqueAdded,
    ReasoningDelta,
    RefusalDelta,
    Reset,
    StreamEvent,
    TextDelta,
    ToolArgumentsDelta,
    ToolCallStarted,
)
from manus.messages.outcomes import Answer, Finished, Outcome, Unfinished
from manus.messages.policy import ModelCard
from manus.messages.routing_policy import HealthPolicy, RetryPolicy, RouterPolicy
from manus.sim.behaviour import Behaviour, Prefill, Script
from manus.sim.wire import WireName
from tests.actors.rig import MODEL, PRICE, Rig, Upstreams, results, text_seen
from tests.actors.scripted import Reply, ScriptedTransport

TEXT = "Once upon  a\n\ntime — 🌍 ok.\n  The end"
OTHER = "Quite another tale."

TIRELESS = RouterPolicy(
    retry=RetryPolicy(budget_min=1_000_000),
    health=HealthPolicy(failures=1_000_000, calls_min=1_000_000, failure_rate=1.0),
)
"""The router's rules where one rig sees hundreds of broken streams, and is to treat each like the first."""

SSE = {"content-type": "text/event-stream"}


def chunk(**delta: Any) -> bytes:
    """Write one chunk of Chat Completions."""
    body = {"id": "c1", "model": MODEL, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]}
    return f"data: {json.dumps(body)}\n\n".encode()


def ending(reason: str = "stop") -> bytes:
    """Write the finish reason, the usage and the marker."""
    body = {"id": "c1", "model": MODEL, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    counted = {"id": "c1", "model": MODEL, "choices": [], "usage": usage}
    return f"data: {json.dumps(body)}\n\ndata: {json.dumps(counted)}\n\ndata: [DONE]\n\n".encode()


def scripted(*pieces: bytes | float | Exception) -> Upstreams:
    """Make an upstream on OpenAI's wire that answers every request with these pieces."""
    way = Upstreams()
    way.wrap = lambda inner: ScriptedTransport(Reply(*pieces, headers=SSE))
    return way


def reset() -> httpx.ReadError:
    """Make what a transport raises when the line is cut."""
    return httpx.ReadError("connection reset by peer")


def typed(text: str, at: int) -> Upstreams:
    """Say `text` character by character, and be cut after `at` of them."""
    return scripted(*(chunk(content=character) for character in text[:at]), reset())


def saying(text: str = TEXT, wire: WireName = "openai", *, prefill: Prefill | None = None, **fields: Any) -> Upstreams:
    """Make a healthy upstream."""
    return Upstreams(Script(text=text, prefill=prefill, **fields), wire)


def once(first: Script, then: Script, wire: WireName = "openai") -> Upstreams:
    """Make an upstream that answers its first request otherwise than the rest."""
    return Upstreams(Behaviour(script=then, first=(first,)), wire)


def cards(*names: str) -> dict[str, tuple[ModelCard, ...]]:
    """Say of the models of these entries that they go on from a partial answer."""
    return {name: (ModelCard(name=MODEL, price=PRICE, context_tokens=32_000, prefill=True),) for name in names}


def roles(outcome: Outcome) -> list[tuple[str, str]]:
    """Tell each attempt's provider and role."""
    return [(each.provider, each.role) for each in outcome.route.attempts]


def answer_of(outcome: Outcome) -> Answer:
    """Give the answer, whole or partial."""
    answer = outcome.answer if isinstance(outcome, Finished) else outcome.partial  # type: ignore[union-attr]
    assert isinstance(answer, Answer)
    return answer


def received(events: Iterable[StreamEvent]) -> list[tuple[str, str]]:
    """Give what a caller has who keeps every part under its number: kind and text, in the order of the numbers."""
    parts: dict[int, tuple[str, str]] = {}
    for event in events:
        match event:
            case TextDelta(index=index, text=text):
                parts[index] = ("text", parts.get(index, ("", ""))[1] + text)
            case ReasoningDelta(index=index, text=text):
                parts[index] = ("reasoning", parts.get(index, ("", ""))[1] + text)
            case RefusalDelta(index=index, text=text):
                parts[index] = ("refusal", parts.get(index, ("", ""))[1] + text)
            case ToolCallStarted(index=index):
                assert index not in parts, "a call begins a part of its own"
                parts[index] = ("tool_call", "")
            case ToolArgumentsDelta(index=index, json=text):
                parts[index] = ("tool_call", parts[index][1] + text)
            case OpaqueAdded(index=index):
                parts[index] = ("opaque", "")
            case Reset():
                parts.clear()
            case _:
                pass
    return [parts[index] for index in sorted(parts)]


def told(answer: Answer) -> list[tuple[str, str]]:
    """Give the parts of an answer in the same form."""
    parts: list[tuple[str, str]] = []
    for part in answer.parts:
        match part:
            case Text(text=text):
                parts.append(("text", text))
            case Reasoning(text=text):
                parts.append(("reasoning", text))
            case Refusal(text=text):
                parts.append(("refusal", text))
            case ToolCall(arguments=arguments):
                parts.append(("tool_call", arguments))
            case Opaque():
                parts.append(("opaque", ""))
            case Citation():
                pass  # it stands with its text, and has no number
            case _:
                raise AssertionError(f"no answer holds a {type(part).__name__}")
    return parts


def check_stream(events: list[StreamEvent], outcome: Outcome) -> str:
    """Check what holds of every stream, whatever became of it; gives the text that the caller has.

    What was received is, part for part, the answer or its part; usage is the sum over attempts.
    """
    text = text_seen(events)
    whole = isinstance(outcome, Finished)
    if whole or (isinstance(outcome, Unfinished) and outcome.partial is not None):
        answer = answer_of(outcome)
        assert received(events) == told(answer)
        assert text_of(answer.parts) == text
        assert (answer.finish.reason not in ("incomplete", "error", "cancelled")) is whole
        assert answer.turn is not None
        assert answer.turn.parts == answer.parts
    else:
        assert text == ""
    settled = [each for each in outcome.route.attempts if each.booking == "settled"]
    assert outcome.usage.output == sum(each.usage.output for each in settled)
    assert outcome.usage.input_total == sum(each.usage.input_total for each in settled)
    costs = [each.cost_nano_usd for each in settled]
    assert outcome.cost_nano_usd == (None if None in costs else sum(cost or 0 for cost in costs))
    return text


async def check_books(rig: Rig, outcome: Outcome) -> None:
    """Check that every attempt of `outcome` has one row, closed as the route says."""
    await rig.settled()
    rows = [row for row in rig.rows() if row.request_id == outcome.request_id]
    assert [(row.provider, row.state) for row in rows] == [(a, state) for a, _, state in results(outcome)]
    for row, attempt in zip(rows, outcome.route.attempts, strict=True):
        if row.state == "settled":
            assert row.usage == attempt.usage
