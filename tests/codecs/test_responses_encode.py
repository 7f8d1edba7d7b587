"""Responses requests: what goes out for every field and model family, and what cannot."""

from __future__ import annotations

import json
from typing import Any

import pytest

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
from manus.messages.content import (
    Text,
    Turn,
    text_turn,
)
from manus.messages.failures import Failed
from manus.messages.policy import Bounds, ModelCard
from manus.messages.requests import (
    OutputFormat,
    ReasoningOptions,
    Sampling,
    Tool,
    ToolChoice,
)
from tests.codecs.responses_asked import (
    ASK,
    THINKER,
    WEATHER,
    WIRE,
    body_of,
    encoded,
    input_of,
    raw_of,
    request_of,
    warned,
)


def test_nothing_is_left_at_the_server() -> None:
    assert body_of(request_of())["store"] is False


def test_where_and_how_a_stream_is_asked_for() -> None:
    written = encoded(request_of(stream=True))

    assert (written.method, written.path) == ("POST", "/responses")
    assert ("accept", "text/event-stream") in written.headers
    body = json.loads(written.body)
    assert body["stream"] is True
    assert "stream_options" not in body


def test_the_first_system_turn_is_the_instructions_and_later_ones_are_items() -> None:
    body = body_of(request_of((text_turn("system", "Be terse."), *ASK, text_turn("system", "In French now."))))

    assert body["instructions"] == "Be terse."
    assert body["input"] == [{"role": "user", "content": "Hi"}, {"role": "system", "content": "In French now."}]


def test_a_family_that_thinks_calls_the_system_the_developer() -> None:
    assert input_of(*ASK, text_turn("system", "Now."))[1]["role"] == "developer"


def test_the_entry_can_say_how_system_turns_are_labelled() -> None:
    options = CodecOptions(system_role="system")
    body = body_of(request_of((*ASK, text_turn("system", "Now."))), THINKER, options)

    assert body["input"][1]["role"] == "system"


def test_breakpoints_are_marked_for_models_that_take_them() -> None:
    turns = (Turn(role="system", parts=(Text(text="Long.", cache="short"),)), *ASK)
    marked = [{"type": "input_text", "text": "Long.", "prompt_cache_breakpoint": {"mode": "explicit"}}]

    assert body_of(request_of(turns), THINKER)["input"][0] == {"role": "developer", "content": marked}
    assert body_of(request_of(turns), "gpt-4.1")["instructions"] == "Long."


def test_tools_are_flat_and_say_whether_they_are_strict() -> None:
    body = body_of(request_of(tools=(WEATHER, Tool(name="t", description="Does.", strict=True))))

    assert body["tools"] == [
        {
            "type": "function",
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
            "strict": False,  # left out it would be true
        },
        {
            "type": "function",
            "name": "t",
            "description": "Does.",
            "parameters": {"type": "object", "properties": {}},
            "strict": True,
        },
    ]
    assert "tool_choice" not in body


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (ToolChoice(), "auto"),
        (ToolChoice(mode="none"), "none"),
        (ToolChoice(mode="required"), "required"),
        (ToolChoice(mode="tool", name="get_weather"), {"type": "function", "name": "get_weather"}),
    ],
)
def test_how_a_tool_is_chosen(choice: ToolChoice, written: object) -> None:
    assert body_of(request_of(tools=(WEATHER,), tool_choice=choice))["tool_choice"] == written


def test_a_choice_among_no_tools_is_not_sent() -> None:
    body = body_of(request_of(tool_choice=ToolChoice(mode="none", parallel=False)))

    assert not {"tool_choice", "parallel_tool_calls"} & body.keys()


def test_one_call_at_a_time() -> None:
    body = body_of(request_of(tools=(WEATHER,), tool_choice=ToolChoice(parallel=False)))

    assert body["parallel_tool_calls"] is False


@pytest.mark.parametrize(
    ("output", "written"),
    [
        (OutputFormat(), {"type": "json_object"}),
        (
            OutputFormat(schema=raw_of({"type": "object"}), name="n", description="d", strict=False),
            {"type": "json_schema", "name": "n", "description": "d", "schema": {"type": "object"}, "strict": False},
        ),
    ],
)
def test_formats_of_the_answer(output: OutputFormat, written: dict[str, Any]) -> None:
    assert body_of(request_of(output=output))["text"] == {"format": written}


def test_a_bound_under_the_wires_minimum_is_raised_with_a_warning() -> None:
    assert body_of(request_of(max_output_tokens=5))["max_output_tokens"] == 16
    assert warned(request_of(max_output_tokens=5)) == ["max_output_tokens_raised"]
    assert warned(request_of(max_output_tokens=16)) == []


def test_what_the_wire_has_no_word_for_is_dropped_with_a_warning_each() -> None:
    sampling = Sampling(stop=("END",), seed=1, top_k=2, presence_penalty=0.1, frequency_penalty=0.1)
    request = request_of(sampling=sampling)

    assert warned(request) == ["stop_dropped", "seed_dropped", "top_k_dropped", "penalties_dropped"]
    assert body_of(request).keys() == body_of(request_of()).keys()


def test_sampling_goes_to_models_that_do_not_think() -> None:
    sampling = Sampling(temperature=0.5, top_p=0.9, logprobs=2)
    body = body_of(request_of(sampling=sampling))

    assert (body["temperature"], body["top_p"], body["top_logprobs"]) == (0.5, 0.9, 2)
    assert body["include"] == ["message.output_text.logprobs"]


def test_sampling_is_dropped_while_a_model_thinks() -> None:
    request = request_of(sampling=Sampling(temperature=0.5, logprobs=2))
    body = body_of(request, THINKER)

    assert not {"temperature", "top_logprobs"} & body.keys()
    assert body["include"] == ["reasoning.encrypted_content"]
    assert warned(request, THINKER) == ["sampling_dropped"]


@pytest.mark.parametrize(
    ("model", "reasoning", "written", "sealed"),
    [
        (THINKER, None, None, True),
        (THINKER, ReasoningOptions(effort="high"), {"effort": "high", "summary": "auto"}, True),
        (THINKER, ReasoningOptions(effort="high", show=False), {"effort": "high"}, True),
        (THINKER, ReasoningOptions(effort="minimal"), {"effort": "low", "summary": "auto"}, True),
        (THINKER, ReasoningOptions(effort="off"), {"effort": "none"}, False),
        (THINKER, ReasoningOptions(), {"summary": "auto"}, True),
        ("gpt-5.4", None, None, False),
        ("gpt-4.1", ReasoningOptions(effort="high"), None, False),
        ("gpt-oss:20b", None, None, False),
        ("gpt-oss:20b", ReasoningOptions(effort="low"), {"effort": "low", "summary": "auto"}, True),
    ],
)
def test_thinking_is_asked_for_and_asked_back_where_the_model_thinks(
    model: str, reasoning: ReasoningOptions | None, written: dict[str, Any] | None, sealed: bool
) -> None:
    body = body_of(request_of(reasoning=reasoning), model)

    assert body.get("reasoning") == written
    assert (body.get("include") == ["reasoning.encrypted_content"]) is sealed


def test_who_asks_and_which_conversation_it_is() -> None:
    request = request_of(end_user_id="u1", conversation_id="ann's secret plan", service_tier="flex")
    body = body_of(request)

    assert (body["safety_identifier"], body["service_tier"]) == ("u1", "flex")
    assert len(body["prompt_cache_key"]) <= 64
    assert "secret" not in body["prompt_cache_key"]
    assert body["prompt_cache_key"] == body_of(request)["prompt_cache_key"]
    other = body_of(request, "llama-3")
    assert other["user"] == "u1"
    assert not {"safety_identifier", "prompt_cache_key"} & other.keys()


def test_the_callers_own_options_go_over_everything() -> None:
    own = {WIRE: raw_of({"store": True, "truncation": "auto"}), "mine": raw_of({"truncation": "disabled"})}
    body = body_of(request_of(extra=own), options=CodecOptions(provider="mine"))

    assert (body["store"], body["truncation"]) == (True, "disabled")


def test_a_model_goes_by_what_stands_behind_its_name() -> None:
    options = CodecOptions(card=ModelCard(name="ours", base="gpt-5.6"))
    body = body_of(request_of(sampling=Sampling(temperature=0.1)), "ours", options)

    assert body["model"] == "ours"
    assert "temperature" not in body


def test_a_request_over_its_bound_is_refused() -> None:
    options = CodecOptions(bounds=Bounds(request_bytes=100))
    failure = codec_for(WIRE).encode(request_of((text_turn("user", "x" * 100),)), "m", options)

    assert isinstance(failure, Failed)
    assert failure.kind == "too_large"


def test_equal_requests_are_equal_bytes() -> None:
    request = request_of(tools=(WEATHER,), output=OutputFormat(), reasoning=ReasoningOptions(effort="low"))

    assert encoded(request, THINKER).body == encoded(request, THINKER).body


def test_json_is_asked_for_in_words_and_where_they_count() -> None:
    wordless = body_of(request_of(output=OutputFormat()))
    instructed = body_of(request_of((text_turn("system", "Speak JSON."), *ASK), output=OutputFormat()))

    assert wordless["input"][0] == {"role": "system", "content": "Answer with a JSON object."}
    assert instructed["input"][0] == {"role": "system", "content": "Speak JSON."}
    assert "instructions" not in instructed


def test_options_that_were_given_for_the_other_api_alone_are_said_to_be_lost() -> None:
    chats = raw_of({"logit_bias": {}})

    assert warned(request_of(extra={"openai-chat": chats})) == ["extra_dropped"]
    assert warned(request_of(extra={"openai-chat": chats, WIRE: raw_of({})})) == []
    assert warned(request_of(extra={"ollama": chats})) == []
