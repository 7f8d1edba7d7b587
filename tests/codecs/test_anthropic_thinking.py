"""How much a Claude is told to think, and what gives way to what."""

from __future__ import annotations

import json
from typing import Any

import pytest

from manus.messages.content import Reasoning, Text, ToolCall, ToolResult, Turn, text_turn
from manus.messages.policy import ModelCard
from manus.messages.requests import Effort, ReasoningOptions, Tool, ToolChoice
from tests.codecs.anthropic_requests import OPUS_55, SONNET_45, USER, asked, body_of, raw, sent, warned

TOOL = Tool(name="f", schema=raw({"type": "object", "properties": {}, "additionalProperties": False}))


def test_nothing_is_said_of_thinking_where_nothing_was_asked() -> None:
    for model in (SONNET_45, "claude-opus-4-7", OPUS_55, "other"):
        assert "thinking" not in body_of(asked(), model)


def test_a_budget_goes_to_models_that_take_one() -> None:
    body = body_of(asked(reasoning=ReasoningOptions(budget_tokens=5000)))
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 5000}
    assert body["max_tokens"] == 32_000
    body = body_of(asked(reasoning=ReasoningOptions(budget_tokens=40_000)))
    assert body["max_tokens"] == 48_192


def test_a_budget_is_made_to_fit() -> None:
    small = asked(reasoning=ReasoningOptions(budget_tokens=100))
    assert body_of(small)["thinking"]["budget_tokens"] == 1024
    large = asked(reasoning=ReasoningOptions(budget_tokens=9000), max_output_tokens=4000)
    assert body_of(large)["thinking"]["budget_tokens"] == 3999
    assert warned(small) == warned(large) == ["reasoning_budget_changed"]
    none = asked(reasoning=ReasoningOptions(budget_tokens=9000), max_output_tokens=1000)
    assert "thinking" not in body_of(none)
    assert warned(none) == ["reasoning_dropped"]


def test_a_budget_is_no_budget_where_the_model_leads_itself() -> None:
    request = asked(reasoning=ReasoningOptions(budget_tokens=5000))
    assert body_of(request, "claude-opus-4-7")["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert warned(request, "claude-opus-4-7") == ["reasoning_budget_dropped"]
    assert body_of(request, "claude-opus-4-6")["thinking"] == {"type": "enabled", "budget_tokens": 5000}


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "written"),
    [
        (SONNET_45, "low", {"type": "enabled", "budget_tokens": 4096}, None),
        ("claude-opus-4-5", "high", {"type": "enabled", "budget_tokens": 20_000}, "high"),
        ("claude-opus-4-6", "medium", {"type": "adaptive"}, "medium"),
        ("claude-opus-4-7", "xhigh", {"type": "adaptive", "display": "summarized"}, "xhigh"),
        (OPUS_55, "max", {"type": "adaptive", "display": "summarized"}, "max"),
        ("other", "medium", {"type": "enabled", "budget_tokens": 10_000}, None),
    ],
)
def test_an_effort_is_said_in_the_models_words(
    model: str, effort: Effort, thinking: dict[str, Any], written: str | None
) -> None:
    request = asked(reasoning=ReasoningOptions(effort=effort))
    body = body_of(request, model)
    assert body["thinking"] == thinking
    assert body.get("output_config") == (None if written is None else {"effort": written})
    assert warned(request, model) == []


def test_an_effort_that_the_model_lacks_becomes_the_nearest() -> None:
    request = asked(reasoning=ReasoningOptions(effort="xhigh"))
    assert body_of(request, "claude-opus-4-6")["output_config"] == {"effort": "high"}
    assert warned(request, "claude-opus-4-6") == ["reasoning_effort_changed"]
    card = ModelCard(name=OPUS_55, efforts=("low",))
    assert body_of(request, OPUS_55, card=card)["output_config"] == {"effort": "low"}


def test_no_thinking_is_said_where_it_has_to_be() -> None:
    off = asked(reasoning=ReasoningOptions(effort="off"))
    assert "thinking" not in body_of(off)  # it does not unless told to
    assert body_of(off, "claude-sonnet-5")["thinking"] == {"type": "disabled"}
    assert body_of(off, "other")["thinking"] == {"type": "disabled"}
    assert "thinking" not in body_of(off, OPUS_55)
    assert body_of(off, OPUS_55)["output_config"] == {"effort": "low"}
    assert warned(off, OPUS_55) == ["reasoning_always_on"]
    assert warned(off, "claude-sonnet-5") == []


def test_a_model_that_does_not_think_is_not_told_to() -> None:
    request = asked(reasoning=ReasoningOptions(effort="high"))
    assert "thinking" not in body_of(request, "claude-3-5-sonnet-20241022")
    assert warned(request, "claude-3-5-sonnet-20241022") == ["reasoning_dropped"]
    assert "thinking" not in body_of(request, card=ModelCard(name=SONNET_45, reasoning=False))


def test_the_text_of_thinking_is_shown_or_hidden_as_asked() -> None:
    shown, hidden = ReasoningOptions(effort="low"), ReasoningOptions(effort="low", show=False)
    assert body_of(asked(reasoning=shown), OPUS_55)["thinking"]["display"] == "summarized"
    assert "display" not in body_of(asked(reasoning=hidden), OPUS_55)["thinking"]
    assert body_of(asked(reasoning=hidden), "claude-opus-4-6")["thinking"]["display"] == "omitted"
    assert body_of(asked(reasoning=ReasoningOptions()), "claude-sonnet-5")["thinking"] == {
        "type": "adaptive",
        "display": "summarized",
    }
    assert "thinking" not in body_of(asked(reasoning=ReasoningOptions()), "claude-opus-4-7")


def test_a_forced_tool_goes_before_thinking_with_a_budget() -> None:
    request = asked(
        tools=(TOOL,), tool_choice=ToolChoice(mode="required"), reasoning=ReasoningOptions(budget_tokens=2000)
    )
    body = body_of(request)
    assert (body["tool_choice"], "thinking" in body) == ({"type": "any"}, False)
    assert warned(request) == ["reasoning_off_for_forced_tool"]


def _loop(*thinking: Reasoning) -> tuple[Turn, ...]:
    call = ToolCall(id="toolu_1", name="f")
    result = ToolResult(id="toolu_1", content=(Text(text="4"),))
    return USER, Turn(role="assistant", parts=(*thinking, call)), Turn(role="tool", parts=(result,))


def test_a_tool_loop_that_was_begun_without_thinking_goes_on_without() -> None:
    reasoning = ReasoningOptions(budget_tokens=2000)
    for turns in (_loop(), (*_loop(), text_turn("user", "and?"))):
        request = asked(*turns, tools=(TOOL,), reasoning=reasoning)
        assert "thinking" not in body_of(request)
        assert warned(request) == ["reasoning_off_in_tool_loop"]
    signed = Reasoning(text="t", signature="s", provider="anthropic", model=SONNET_45)
    assert "thinking" in body_of(asked(*_loop(signed), tools=(TOOL,), reasoning=reasoning))
    over = (*_loop(), text_turn("assistant", "4"), text_turn("user", "and?"))
    assert "thinking" in body_of(asked(*over, tools=(TOOL,), reasoning=reasoning))


def test_thinking_that_is_bound_to_its_conversation_may_be_dropped_by_the_vendor_when_it_goes_back() -> None:
    thought = Reasoning(signature="s", provider="anthropic", model=OPUS_55)
    request = asked(*_loop(thought), tools=(TOOL,))
    written = sent(request, OPUS_55)
    assert json.loads(written.body)["thinking"] == {
        "type": "adaptive",
        "block_binding": {"prefix_mismatch_behavior": "drop_block"},
    }
    assert dict(written.headers)["anthropic-beta"] == "thinking-binding-controls-2026-08-01"
    assert "thinking" not in body_of(asked(*_loop(), tools=(TOOL,)), OPUS_55)
    unbound = Reasoning(signature="s", provider="anthropic", model="claude-opus-5")
    assert "thinking" not in body_of(asked(*_loop(unbound), tools=(TOOL,)), "claude-opus-5")


def test_the_caller_may_say_himself_what_becomes_of_bound_thinking() -> None:
    thought = Reasoning(signature="s", provider="anthropic", model=OPUS_55)
    extra = {"anthropic": raw({"thinking": {"type": "adaptive"}})}
    written = sent(asked(*_loop(thought), tools=(TOOL,), extra=extra), OPUS_55)
    assert json.loads(written.body)["thinking"] == {"type": "adaptive"}
    assert "anthropic-beta" not in dict(written.headers)
