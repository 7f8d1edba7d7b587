"""Tools, schemas and thinking as each family on Bedrock takes them."""

from __future__ import annotations

import json

import msgspec
import pytest

from manus.actors.codecs.base import CodecOptions
from manus.messages.content import (
    text_turn,
)
from manus.messages.policy import ModelCard
from manus.messages.requests import OutputFormat, ReasoningOptions, Sampling, Tool, ToolChoice

# Any, throughout this file: JSON.
from tests.codecs.bedrock_asking import (
    CLAUDE,
    CLAUDE_3,
    CLAUDE_5,
    CLAUDE_NEW,
    CLOCK,
    GPT_OSS,
    LLAMA,
    MISTRAL,
    NOVA,
    NOVA_2,
    PROFILE,
    QWEN,
    SCHEMA,
    WEATHER,
    asking,
    body_of,
    refusal_of,
    tool_loop,
    warnings_of,
    written_for,
)

# --- tools ---------------------------------------------------------------------------------------------


def test_tools_are_written_with_what_they_have() -> None:
    strict = msgspec.structs.replace(WEATHER, strict=True)
    config = body_of(asking(tools=(strict, CLOCK)), CLAUDE)["toolConfig"]
    closed = {"type": "object", "properties": {"city": {"type": "string"}}, "additionalProperties": False}
    assert config == {
        "tools": [
            {"toolSpec": {"name": "get_weather", "inputSchema": {"json": closed}, "strict": True}},
            {
                "toolSpec": {
                    "name": "clock",
                    "description": "Tells the time.",
                    "inputSchema": {"json": {"type": "object"}},
                }
            },
        ]
    }
    assert warnings_of(asking(tools=(strict,)), NOVA) == ["strict_dropped"]


@pytest.mark.parametrize(
    ("choice", "model", "written"),
    [
        (ToolChoice(mode="auto"), CLAUDE, {"auto": {}}),
        (ToolChoice(mode="required"), CLAUDE, {"any": {}}),
        (ToolChoice(mode="tool", name="clock"), CLAUDE, {"tool": {"name": "clock"}}),
        (ToolChoice(mode="required"), MISTRAL, {"any": {}}),
        (ToolChoice(mode="required"), PROFILE, {"any": {}}),
    ],
)
def test_tool_choices_have_a_word_where_the_family_knows_it(choice: ToolChoice, model: str, written: object) -> None:
    request = asking(tools=(CLOCK,), tool_choice=choice)
    assert body_of(request, model)["toolConfig"]["toolChoice"] == written
    assert warnings_of(request, model) == []


@pytest.mark.parametrize(
    ("choice", "model"),
    [
        (ToolChoice(mode="required"), CLAUDE_NEW),
        (ToolChoice(mode="required"), LLAMA),
        (ToolChoice(mode="tool", name="clock"), MISTRAL),
        (ToolChoice(mode="tool", name="clock"), GPT_OSS),
    ],
)
def test_a_choice_that_cannot_be_forced_is_asked_for_in_words(choice: ToolChoice, model: str) -> None:
    request = asking(tools=(CLOCK,), tool_choice=choice)
    body = body_of(request, model)
    assert body["toolConfig"]["toolChoice"] == {"auto": {}}
    assert "tool" in body["messages"][-1]["content"][-1]["text"]
    assert warnings_of(request, model) == ["tool_choice_in_words"]


def test_a_card_overrules_what_the_name_says_of_forcing() -> None:
    request = asking(tools=(CLOCK,), tool_choice=ToolChoice(mode="required"))
    options = CodecOptions(card=ModelCard(name=LLAMA, forced_tools=True))
    assert body_of(request, LLAMA, options)["toolConfig"]["toolChoice"] == {"any": {}}


def test_no_tools_means_none_offered_unless_the_history_holds_calls() -> None:
    none = ToolChoice(mode="none")
    assert "toolConfig" not in body_of(asking(tools=(CLOCK,), tool_choice=none))
    body = body_of(asking(tool_loop(), tools=(CLOCK,), tool_choice=none))
    assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["clock", "get_weather"]
    assert "toolChoice" not in body["toolConfig"]
    assert "Do not call" in body["messages"][-1]["content"][-1]["text"]


def test_a_history_with_calls_names_their_tools_even_where_none_are_offered() -> None:
    request = asking(tool_loop(text_turn("assistant", "4 degrees."), text_turn("user", "Thanks")))
    body = body_of(request)
    assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["get_weather"]
    assert warnings_of(request) == ["tools_kept"]


def test_one_call_at_a_time_cannot_be_demanded() -> None:
    request = asking(tools=(CLOCK,), tool_choice=ToolChoice(parallel=False))
    assert warnings_of(request) == ["parallel_not_enforced"]


# --- the form of the answer ----------------------------------------------------------------------------


@pytest.mark.parametrize("model", [CLAUDE, QWEN, PROFILE, "nvidia.nemotron-nano-12b-v2"])
def test_a_schema_goes_as_text_where_the_family_has_formats(model: str) -> None:
    written = written_for(asking(output=SCHEMA), model)
    form = json.loads(written.body)["outputConfig"]["textFormat"]
    assert form["type"] == "json_schema"
    assert form["structure"]["jsonSchema"]["name"] == "count"
    schema = json.loads(form["structure"]["jsonSchema"]["schema"])
    assert schema == {**json.loads(bytes(SCHEMA.schema)), "additionalProperties": False}
    assert written.answer_tool is None


@pytest.mark.parametrize("model", [CLAUDE_3, CLAUDE_5, NOVA])
def test_a_schema_is_a_forced_tool_where_there_are_no_formats(model: str) -> None:
    written = written_for(asking(output=SCHEMA), model)
    body = json.loads(written.body)
    assert written.answer_tool == "count"
    assert body["toolConfig"]["toolChoice"] == {"tool": {"name": "count"}}
    assert body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"] == json.loads(bytes(SCHEMA.schema))
    assert "outputConfig" not in body


def test_bounds_that_no_grammar_holds_are_put_into_words_and_recursion_is_asked_for_by_a_tool() -> None:
    bounded = OutputFormat(schema=msgspec.Raw(b'{"type":"object","properties":{"n":{"type":"integer","minimum":3}}}'))
    form = body_of(asking(output=bounded), CLAUDE)["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert json.loads(form["schema"])["properties"]["n"] == {"type": "integer", "description": '{"minimum":3}'}
    assert warnings_of(asking(output=bounded), CLAUDE) == ["schema_bounds_in_words"]
    tree = b'{"type":"object","properties":{"c":{"$ref":"#/$defs/T"}},"$defs":{"T":{"items":{"$ref":"#/$defs/T"}}}}'
    written = written_for(asking(output=OutputFormat(schema=msgspec.Raw(tree))), CLAUDE)
    assert written.answer_tool == "answer"
    assert [warning.code for warning in written.warnings] == ["json_schema_not_native"]


def test_schemas_of_tools_are_objects_and_unions_at_their_root_are_loosened() -> None:
    untyped = Tool(name="f", schema=msgspec.Raw(b'{"properties":{}}'))
    spec = body_of(asking(tools=(untyped,)), CLAUDE)["toolConfig"]["tools"][0]["toolSpec"]
    assert spec["inputSchema"]["json"]["type"] == "object"
    union = Tool(name="f", schema=msgspec.Raw(b'{"anyOf":[{"properties":{"a":{}}},{"properties":{"b":{}}}]}'))
    spec = body_of(asking(tools=(union,)), CLAUDE)["toolConfig"]["tools"][0]["toolSpec"]
    assert set(spec["inputSchema"]["json"]["properties"]) == {"a", "b"}
    assert warnings_of(asking(tools=(union,)), CLAUDE) == ["tool_schema_loosened"]
    array = Tool(name="f", schema=msgspec.Raw(b'{"type":"array"}'))
    assert refusal_of(asking(tools=(CLOCK, array)), CLAUDE).param == "tools.1.schema"
    free = Tool(
        name="f", strict=True, schema=msgspec.Raw(b'{"type":"object","additionalProperties":{"type":"string"}}')
    )
    assert warnings_of(asking(tools=(free,)), CLAUDE) == ["tool_not_strict"]


@pytest.mark.parametrize("model", [CLAUDE_NEW, LLAMA])
def test_a_schema_is_a_tool_that_is_asked_for_where_none_can_be_forced(model: str) -> None:
    written = written_for(asking(output=SCHEMA), model)
    body = json.loads(written.body)
    assert (written.answer_tool, body["toolConfig"]["toolChoice"]) == ("count", {"auto": {}})
    assert [warning.code for warning in written.warnings] == ["json_schema_not_forced"]
    assert "count" in body["messages"][-1]["content"][-1]["text"]


def test_the_answer_tool_leaves_the_callers_own_tools_callable_and_their_names_alone() -> None:
    count = Tool(name="count", schema=msgspec.Raw(b'{"type":"object"}'))
    written = written_for(asking(output=SCHEMA, tools=(count,)), NOVA)
    config = json.loads(written.body)["toolConfig"]
    assert written.answer_tool == "count_2"
    assert [tool["toolSpec"]["name"] for tool in config["tools"]] == ["count", "count_2"]
    assert config["toolChoice"] == {"any": {}}
    named = asking(output=SCHEMA, tools=(count,), tool_choice=ToolChoice(mode="tool", name="count"))
    assert body_of(named, NOVA)["toolConfig"]["toolChoice"] == {"tool": {"name": "count"}}
    none = asking(output=SCHEMA, tools=(count,), tool_choice=ToolChoice(mode="none"))
    assert body_of(none, NOVA)["toolConfig"]["toolChoice"] == {"tool": {"name": "count_2"}}


def test_a_model_that_thinks_is_asked_and_not_forced_to_answer_by_the_tool() -> None:
    request = asking(output=SCHEMA, reasoning=ReasoningOptions(effort="high"))
    body = body_of(request, "us.anthropic.claude-3-7-sonnet-20250219-v1:0")
    assert body["toolConfig"]["toolChoice"] == {"auto": {}}
    assert body["additionalModelRequestFields"]["thinking"]["type"] == "enabled"


@pytest.mark.parametrize("schema", [b'{"type":"array"}', b'{"anyOf":[{"type":"string"}]}'])
def test_a_schema_that_is_no_object_cannot_be_a_tool_and_is_asked_for_in_words(schema: bytes) -> None:
    request = asking(output=OutputFormat(schema=msgspec.Raw(schema)))
    written = written_for(request, NOVA)
    assert written.answer_tool is None
    assert json.loads(written.body)["messages"][-1]["content"][-1]["text"].endswith(schema.decode())
    assert warnings_of(request, NOVA) == ["json_schema_in_words"]
    assert "outputConfig" in body_of(request, CLAUDE)


def test_a_schema_without_a_type_is_that_of_an_object() -> None:
    untyped = OutputFormat(schema=msgspec.Raw(b'{"properties":{}}'))
    spec = body_of(asking(output=untyped), NOVA)["toolConfig"]["tools"][0]["toolSpec"]
    assert spec["inputSchema"]["json"] == {"type": "object", "properties": {}}


def test_cards_overrule_what_the_name_says_of_formats() -> None:
    with_format = CodecOptions(card=ModelCard(name=NOVA, json_schema=True))
    assert "outputConfig" in body_of(asking(output=SCHEMA), NOVA, with_format)
    without = CodecOptions(card=ModelCard(name=CLAUDE, json_schema=False))
    assert written_for(asking(output=SCHEMA), CLAUDE, without).answer_tool == "count"
    neither = CodecOptions(card=ModelCard(name=NOVA, json_schema=False, tools=False))
    assert "toolConfig" not in body_of(asking(output=SCHEMA), NOVA, neither)
    assert warnings_of(asking(output=SCHEMA), NOVA, neither) == ["json_schema_in_words"]


def test_any_object_is_asked_for_in_words() -> None:
    body = body_of(asking(output=OutputFormat()))
    assert "JSON object" in body["messages"][-1]["content"][-1]["text"]
    assert warnings_of(asking(output=OutputFormat())) == ["json_in_words"]


# --- thinking ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "reasoning", "fields"),
    [
        (CLAUDE, ReasoningOptions(budget_tokens=2000), {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
        (
            CLAUDE_5,
            ReasoningOptions(effort="high"),
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "high"}},
        ),
        (CLAUDE_5, ReasoningOptions(effort="off"), {"thinking": {"type": "disabled"}}),
        (GPT_OSS, ReasoningOptions(effort="medium"), {"reasoning_effort": "medium"}),
        (QWEN, ReasoningOptions(effort="high"), {"reasoning_config": "high"}),
        (
            NOVA_2,
            ReasoningOptions(effort="low"),
            {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}},
        ),
        (NOVA_2, ReasoningOptions(effort="off"), {"reasoningConfig": {"type": "disabled"}}),
    ],
)
def test_thinking_is_asked_for_in_the_words_of_the_family(
    model: str, reasoning: ReasoningOptions, fields: dict[str, object]
) -> None:
    request = asking(reasoning=reasoning)
    assert body_of(request, model)["additionalModelRequestFields"] == fields
    assert warnings_of(request, model) == []


@pytest.mark.parametrize(
    ("model", "reasoning", "warned"),
    [
        (NOVA, ReasoningOptions(effort="high"), "reasoning_effort_dropped"),
        (CLAUDE_3, ReasoningOptions(effort="high"), "reasoning_dropped"),
        (GPT_OSS, ReasoningOptions(effort="off"), "reasoning_always_on"),
        (GPT_OSS, ReasoningOptions(effort="xhigh"), "reasoning_effort_changed"),
        (QWEN, ReasoningOptions(budget_tokens=5000), "reasoning_budget_dropped"),
    ],
)
def test_thinking_that_cannot_be_had_so_is_said(model: str, reasoning: ReasoningOptions, warned: str) -> None:
    assert warned in warnings_of(asking(reasoning=reasoning), model)


def test_a_budget_leaves_room_for_an_answer_and_no_sampling() -> None:
    request = asking(reasoning=ReasoningOptions(budget_tokens=4000), sampling=Sampling(temperature=0.1))
    body = body_of(request, CLAUDE)
    assert body["inferenceConfig"]["maxTokens"] > 4000
    assert "temperature" not in body["inferenceConfig"]
    assert warnings_of(request, CLAUDE) == ["sampling_dropped"]


def test_the_highest_effort_of_nova_takes_neither_bound_nor_sampling() -> None:
    request = asking(
        reasoning=ReasoningOptions(effort="high"), max_output_tokens=100, sampling=Sampling(temperature=0.1)
    )
    assert "inferenceConfig" not in body_of(request, NOVA_2)
    assert warnings_of(request, NOVA_2) == ["max_output_tokens_dropped", "sampling_dropped"]
