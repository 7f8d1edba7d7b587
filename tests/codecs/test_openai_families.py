"""Chat Completions requests: what goes out to each family of models, by its name or its card."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from manus.actors.codecs.base import CodecOptions
from manus.messages.content import (
    Text,
    ToolCall,
    ToolResult,
    Turn,
    text_turn,
)
from manus.messages.policy import ModelCard
from manus.messages.requests import (
    OutputFormat,
    ReasoningOptions,
    Sampling,
)
from tests.codecs.chat_asked import ASK, WEATHER, body_of, encoded, messages_of, refused, request_of


@pytest.mark.parametrize(
    ("model", "role"),
    [
        ("llama-3", "system"),
        ("gpt-4o", "system"),
        ("o3", "developer"),
        ("gpt-5.4-mini-2026-03-17", "developer"),
        ("o1-mini", "user"),
    ],
)
def test_system_turns_have_the_role_that_the_family_takes(model: str, role: str) -> None:
    turn = Turn(role="system", parts=(Text(text="a"), Text(text="b")))
    assert messages_of(turn, *ASK, model=model)[0] == {"role": role, "content": "a\nb"}
    assert messages_of(turn, *ASK, model=model, options=CodecOptions(system_role="developer"))[0]["role"] == "developer"


def test_cache_marks_go_out_only_where_the_family_takes_them() -> None:
    turn = Turn(role="user", parts=(Text(text="long", cache="short"), Text(text="q")))
    marked = {"type": "text", "text": "long", "prompt_cache_breakpoint": {"mode": "explicit"}}
    assert messages_of(turn, model="gpt-5.6")[0]["content"][0] == marked
    assert "prompt_cache_breakpoint" not in messages_of(turn, model="gpt-5.4")[0]["content"][0]


@pytest.mark.parametrize(
    ("model", "wanted", "sent"),
    [
        ("llama-3", "high", "high"),
        ("llama-3", "off", "none"),
        ("gpt-4o", "high", None),
        ("gpt-4o", "off", None),
        ("gpt-5-chat", "low", None),
        ("o3", "off", "low"),
        ("o3", "max", "high"),
        ("o1-mini", "high", None),
        ("gpt-5", "off", "minimal"),
        ("gpt-5-mini", "xhigh", "high"),
        ("gpt-5-pro", "low", "high"),
        ("gpt-5.1", "off", "none"),
        ("gpt-5.1", "xhigh", "high"),
        ("gpt-5.1-codex", "off", "low"),
        ("gpt-5.2", "xhigh", "xhigh"),
        ("gpt-5.2-pro", "off", "low"),
        ("gpt-5.3-chat", "off", "low"),
        ("gpt-5.4", "minimal", "low"),
        ("gpt-5.5", "max", "xhigh"),
        ("gpt-5.6", "max", "max"),
        ("gpt-5.6", "minimal", "low"),
        ("gpt-6-luna", "off", "none"),
        ("gpt-6-astra", "off", "low"),
        ("gpt-6.1-sol", "off", "low"),
        ("gpt-6.1-terra", "off", "none"),
        ("openai/gpt-5.6", "max", "max"),
        ("gpt-oss-120b", "minimal", "minimal"),
        ("ft:gpt-4o-mini:me", "high", None),
    ],
)
def test_effort_is_the_nearest_that_the_family_takes(model: str, wanted: Any, sent: str | None) -> None:
    written = encoded(request_of(reasoning=ReasoningOptions(effort=wanted)), model)

    assert json.loads(written.body).get("reasoning_effort") == sent
    changed = sent != ("none" if wanted == "off" else wanted)
    assert bool(written.warnings) == (changed and not (wanted == "off" and sent is None))


def test_a_model_known_not_to_think_gets_no_effort() -> None:
    options = CodecOptions(card=ModelCard(name="llama-3", reasoning=False))
    written = encoded(request_of(reasoning=ReasoningOptions(effort="high")), options=options)
    assert "reasoning_effort" not in json.loads(written.body)
    assert [warning.code for warning in written.warnings] == ["reasoning_effort_dropped"]


@pytest.mark.parametrize(
    ("model", "effort", "free"),
    [
        ("gpt-4.1", None, True),
        ("llama-3", "high", True),
        ("o3", None, False),
        ("gpt-5", None, False),
        ("gpt-5.1", None, True),
        ("gpt-5.1", "off", True),
        ("gpt-5.1", "low", False),
        ("gpt-5.4", None, True),
        ("gpt-5.5", None, False),
        ("gpt-5.5", "off", True),
        ("gpt-5.6", None, False),
        ("gpt-5.6", "off", True),
        ("gpt-6-astra", "off", False),
    ],
)
def test_sampling_is_left_out_with_a_warning_while_the_model_thinks(model: str, effort: Any, free: bool) -> None:
    reasoning = None if effort is None else ReasoningOptions(effort=effort)
    written = encoded(request_of(sampling=Sampling(temperature=0.5, top_p=0.5), reasoning=reasoning), model)

    assert ("temperature" in json.loads(written.body)) == free
    assert ("sampling_dropped" in {warning.code for warning in written.warnings}) == (not free)


def test_the_card_decides_about_sampling_where_it_says_something() -> None:
    for sampling in (True, False):
        options = CodecOptions(card=ModelCard(name="x", sampling=sampling))
        for model in ("o3", "gpt-4o"):
            body = body_of(request_of(sampling=Sampling(temperature=0.5)), model, options)
            assert ("temperature" in body) == sampling


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ("llama-3", "max_tokens"),
        ("gpt-4o", "max_tokens"),
        ("gpt-35-turbo", "max_tokens"),
        ("o3", "max_completion_tokens"),
        ("gpt-5.1", "max_completion_tokens"),
        ("gpt-7-next", "max_completion_tokens"),
    ],
)
def test_the_bound_of_the_answer_has_the_name_that_the_family_takes(model: str, field: str) -> None:
    body = body_of(request_of(max_output_tokens=9), model)
    assert {key: value for key, value in body.items() if key.startswith("max_")} == {field: 9}
    fixed = body_of(request_of(max_output_tokens=9), model, CodecOptions(max_tokens_field="max_tokens"))
    assert fixed["max_tokens"] == 9


@pytest.mark.parametrize(
    ("model", "effort", "sent"),
    [
        ("gpt-5.4", None, None),
        ("gpt-5.4", "high", "none"),
        ("gpt-5.6", None, "none"),
        ("gpt-5.6", "low", "none"),
        ("gpt-6-sol", None, "none"),
        ("gpt-5.1", "low", "low"),
        ("o3", "low", "low"),
    ],
)
def test_tools_switch_thinking_off_where_the_wire_demands_it(model: str, effort: Any, sent: str | None) -> None:
    reasoning = None if effort is None else ReasoningOptions(effort=effort)
    written = encoded(request_of(tools=(WEATHER,), reasoning=reasoning), model)

    assert json.loads(written.body).get("reasoning_effort") == sent
    said = "reasoning_off_for_tools" in {warning.code for warning in written.warnings}
    assert said == (sent == "none")


@pytest.mark.parametrize("model", ["gpt-6-astra", "gpt-6.1-sol"])
def test_tools_are_refused_where_this_wire_has_none(model: str) -> None:
    failure = refused(request_of(tools=(WEATHER,)), model)
    assert (failure.kind, failure.param) == ("unsupported", "tools")
    assert body_of(request_of(), model)


def test_stop_sequences() -> None:
    assert body_of(request_of(sampling=Sampling(stop=("a",) * 5)))["stop"] == ["a"] * 5
    assert refused(request_of(sampling=Sampling(stop=("a",) * 5)), "gpt-4o").param == "sampling.stop"
    written = encoded(request_of(sampling=Sampling(stop=("a",))), "gpt-5.1")
    assert "stop" not in json.loads(written.body)
    assert [warning.code for warning in written.warnings] == ["stop_dropped"]


def test_top_k_goes_only_to_servers_that_take_it() -> None:
    assert body_of(request_of(sampling=Sampling(top_k=4)), options=CodecOptions(top_k=True))["top_k"] == 4
    written = encoded(request_of(sampling=Sampling(top_k=4)))
    assert "top_k" not in json.loads(written.body)
    assert [warning.code for warning in written.warnings] == ["top_k_dropped"]


def test_a_thinking_budget_is_said_to_be_dropped() -> None:
    written = encoded(request_of(reasoning=ReasoningOptions(budget_tokens=100)))
    assert [warning.code for warning in written.warnings] == ["reasoning_budget_dropped"]


def test_users_of_other_vendors_servers_are_named_in_the_old_field() -> None:
    assert body_of(request_of(end_user_id="u"))["user"] == "u"


@pytest.mark.parametrize(
    "model", ["mistral-large-latest", "open-mixtral-8x7b", "mistralai/Devstral-Small", "codestral-2508", "mistral:7b"]
)
def test_models_of_mistral_get_ids_of_the_only_shape_they_take(model: str) -> None:
    calls = (ToolCall(id="call_made_elsewhere_1", name="a"), ToolCall(id="call_made_elsewhere_2", name="b"))
    results = tuple(ToolResult(id=call.id) for call in calls)
    messages = body_of(
        request_of((*ASK, Turn(role="assistant", parts=calls), Turn(role="tool", parts=results))), model
    )["messages"]

    made = [call["id"] for call in messages[1]["tool_calls"]]
    assert [message["tool_call_id"] for message in messages[2:]] == made
    assert len(set(made)) == 2
    assert all(len(name) == 9 and name.isalnum() and name.isascii() for name in made)


def test_an_id_that_mistral_made_stays_as_it_is() -> None:
    own = ToolCall(id="D681PevKs", name="a")
    turns = (*ASK, Turn(role="assistant", parts=(own,)), Turn(role="tool", parts=(ToolResult(id=own.id),)))

    assert body_of(request_of(turns), "mistral-small-latest")["messages"][2]["tool_call_id"] == "D681PevKs"


def test_names_of_tools_that_openai_refuses_are_made_to_fit_in_a_history() -> None:
    call = ToolCall(id="c", name="files.read")
    turns = (*ASK, Turn(role="assistant", parts=(call,)), Turn(role="tool", parts=(ToolResult(id="c"),)))

    assert body_of(request_of(turns), "gpt-4.1")["messages"][1]["tool_calls"][0]["function"]["name"] == "files_read"
    assert body_of(request_of(turns), "llama-3")["messages"][1]["tool_calls"][0]["function"]["name"] == "files.read"


def test_a_conversation_is_led_to_its_cache_without_being_named() -> None:
    body = body_of(request_of(conversation_id="ann's secret plan"), "gpt-4.1")

    assert 0 < len(body["prompt_cache_key"]) <= 64
    assert "ann" not in body["prompt_cache_key"]
    assert "prompt_cache_key" not in body_of(request_of(conversation_id="c"), "llama-3")


def test_a_model_goes_by_what_stands_behind_its_name() -> None:
    card = ModelCard(name="ours", base="gpt-5-mini")
    body = body_of(request_of(max_output_tokens=9), "ours", CodecOptions(card=card))

    assert (body["model"], body["max_completion_tokens"]) == ("ours", 9)


@pytest.mark.parametrize(
    ("model", "bound", "sampled"),
    [
        ("chat-latest", "max_completion_tokens", False),
        ("gpt-chat-latest", "max_completion_tokens", False),
        ("gpt-audio-mini", "max_tokens", True),
        ("gpt-daybreak-blue-latest", "max_completion_tokens", False),
        ("gpt-oss-120b", "max_tokens", True),
        ("gpt-neox-20b", "max_tokens", True),
    ],
)
def test_openais_models_without_a_number_are_known_by_their_names(model: str, bound: str, sampled: bool) -> None:
    body = body_of(request_of(max_output_tokens=9, sampling=Sampling(temperature=0.5)), model)

    assert bound in body
    assert ("temperature" in body) is sampled


def test_openai_is_asked_for_json_in_words_where_it_would_refuse_the_format_without() -> None:
    wordless = request_of(output=OutputFormat())
    worded = request_of((text_turn("user", "As Json, please."),), output=OutputFormat())

    assert body_of(wordless, "gpt-4.1")["messages"][0] == {"role": "system", "content": "Answer with a JSON object."}
    assert len(body_of(worded, "gpt-4.1")["messages"]) == 1
    assert len(body_of(wordless, "llama-3")["messages"]) == 1
    schema = request_of(output=OutputFormat(schema=msgspec.Raw(b'{"type":"object"}')))
    assert len(body_of(schema, "gpt-4.1")["messages"]) == 1


@pytest.mark.parametrize("model", ["openai/gpt-5.6", "openai/gpt-6-astra", "openai/gpt-5.4"])
def test_a_gateway_takes_tools_with_thinking_over_its_one_wire(model: str) -> None:
    written = encoded(request_of(tools=(WEATHER,), reasoning=ReasoningOptions(effort="high")), model)
    body = json.loads(written.body)

    assert (body["reasoning_effort"], len(body["tools"])) == ("high", 1)
    assert written.warnings == ()
