"""What a Messages request says of tools and of the form of the answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from manus.messages.content import text_turn
from manus.messages.policy import ModelCard
from manus.messages.requests import OutputFormat, ReasoningOptions, Tool, ToolChoice
from tests.codecs.anthropic_requests import OPUS_55, asked, body_of, raw, refused, sent, warned

TOOL = Tool(name="f", schema=raw({"type": "object", "properties": {}, "additionalProperties": False}))
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
OUTPUT = OutputFormat(schema=raw(SCHEMA))


def test_a_tool_is_written_with_its_schema_untouched() -> None:
    schema = raw({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}})
    tool = Tool(name="f", description="d", schema=schema)
    assert body_of(asked(tools=(tool,)))["tools"] == [
        {"name": "f", "description": "d", "input_schema": json.loads(bytes(schema))}
    ]


def test_a_strict_tool_has_a_schema_that_the_grammar_takes() -> None:
    schema = raw({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}})
    request = asked(tools=(Tool(name="f", schema=schema, strict=True),))
    (tool,) = body_of(request)["tools"]
    assert tool["strict"] is True
    assert tool["input_schema"]["additionalProperties"] is False
    assert tool["input_schema"]["properties"]["a"] == {"type": "integer", "description": '{"minimum":1}'}
    assert warned(request) == ["schema_bounds_in_words"]


def test_a_strict_tool_without_a_grammar_is_sent_without_strict() -> None:
    schema = raw({"type": "object", "properties": {"a": {"type": "object", "additionalProperties": True}}})
    request = asked(tools=(Tool(name="f", schema=schema, strict=True),))
    assert "strict" not in body_of(request)["tools"][0]
    assert warned(request) == ["tool_not_strict"]


def test_a_tool_whose_arguments_are_no_object_is_refused_by_place() -> None:
    failed = refused(asked(tools=(TOOL, Tool(name="g", schema=raw({"type": "string"})))))
    assert (failed.kind, failed.param) == ("invalid_request", "tools.1.schema")


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (None, None),
        (ToolChoice(), None),
        (ToolChoice(parallel=False), {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice(mode="none"), {"type": "none"}),
        (ToolChoice(mode="none", parallel=False), {"type": "none"}),
        (ToolChoice(mode="required"), {"type": "any"}),
        (ToolChoice(mode="required", parallel=False), {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice(mode="tool", name="f"), {"type": "tool", "name": "f"}),
    ],
)
def test_a_tool_choice_is_written_in_the_vendors_words(
    choice: ToolChoice | None, written: dict[str, Any] | None
) -> None:
    assert body_of(asked(tools=(TOOL,), tool_choice=choice)).get("tool_choice") == written


def test_a_tool_choice_without_tools_is_left_out() -> None:
    assert "tool_choice" not in body_of(asked(tool_choice=ToolChoice(mode="none")))


def test_a_model_that_cannot_be_forced_is_asked_in_words_at_the_very_end() -> None:
    request = asked(text_turn("user", "Weather?"), tools=(TOOL,), tool_choice=ToolChoice(mode="tool", name="f"))
    body = body_of(request, OPUS_55)
    assert body["tool_choice"] == {"type": "auto"}
    question, demand = body["messages"][-1]["content"]
    assert question["text"] == "Weather?"
    assert "`f`" in demand["text"]
    assert warned(request, OPUS_55) == ["tool_choice_in_words"]
    card = ModelCard(name=OPUS_55, forced_tools=True)
    assert body_of(request, OPUS_55, card=card)["tool_choice"] == {"type": "tool", "name": "f"}


def test_a_schema_goes_to_the_vendors_own_means() -> None:
    request = asked(output=OUTPUT)
    assert body_of(request)["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert sent(request).answer_tool is None
    assert warned(request) == []


def test_any_object_is_asked_for_in_words() -> None:
    body = body_of(asked(output=OutputFormat()))
    assert "output_config" not in body
    assert "JSON object" in body["messages"][-1]["content"][-1]["text"]


def test_a_model_without_schemas_must_call_a_tool_that_carries_the_answer() -> None:
    request = asked(output=OutputFormat(schema=raw(SCHEMA), name="the person"))
    written = sent(request, "claude-3-5-haiku-20241022")
    body = json.loads(written.body)
    assert written.answer_tool == "the_person"
    assert body["tools"][0]["input_schema"] == SCHEMA
    assert body["tool_choice"] == {"type": "tool", "name": "the_person", "disable_parallel_tool_use": True}
    assert "output_config" not in body


def test_beside_other_tools_the_answer_is_one_of_those_that_must_be_called() -> None:
    clash = Tool(name="answer")
    written = sent(asked(output=OUTPUT, tools=(clash,)), "claude-3-5-haiku-20241022")
    body = json.loads(written.body)
    assert written.answer_tool == "answer_"
    assert [tool["name"] for tool in body["tools"]] == ["answer", "answer_"]
    assert body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    none = sent(asked(output=OUTPUT, tools=(TOOL,), tool_choice=ToolChoice(mode="none")), "claude-3-5-haiku-20241022")
    assert json.loads(none.body)["tool_choice"]["name"] == "answer"


def test_a_tool_that_the_caller_demands_goes_before_the_form() -> None:
    request = asked(output=OUTPUT, tools=(TOOL,), tool_choice=ToolChoice(mode="required"))
    written = sent(request, "claude-3-5-haiku-20241022")
    assert written.answer_tool is None
    assert json.loads(written.body)["tool_choice"] == {"type": "any"}
    assert [warning.code for warning in written.warnings] == ["json_schema_in_words"]


def test_a_schema_without_a_grammar_is_carried_by_the_tool() -> None:
    free = {"type": "object", "additionalProperties": {"type": "integer"}}
    request = asked(output=OutputFormat(schema=raw(free)))
    assert sent(request).answer_tool == "answer"
    assert warned(request) == ["json_schema_not_native"]


def test_where_nothing_can_be_forced_the_schema_is_said_in_words() -> None:
    free = {"type": "object", "additionalProperties": {"type": "integer"}}
    request = asked(output=OutputFormat(schema=raw(free)))
    body = body_of(request, OPUS_55)
    assert '"additionalProperties"' in body["messages"][-1]["content"][-1]["text"]
    assert "tools" not in body
    assert warned(request, OPUS_55) == ["json_schema_not_native", "json_schema_in_words"]
    listed = asked(output=OutputFormat(schema=raw({"type": "array", "items": {"type": "string"}})))
    assert warned(listed, "claude-3-5-haiku-20241022") == ["json_schema_in_words"]


def test_a_carried_answer_goes_before_thinking_with_a_budget() -> None:
    request = asked(output=OUTPUT, reasoning=ReasoningOptions(budget_tokens=2000))
    assert "thinking" not in body_of(request, "claude-sonnet-4-20250514")
    assert "thinking" in body_of(request)
