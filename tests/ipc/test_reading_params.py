"""Params that are wrong are told where and what is expected, in the words that every host's requests are told in."""

from __future__ import annotations

from typing import Any, get_type_hints

import msgspec
import pytest
from msgspec import UNSET

from manus.asking import OPTIONS, AskOptions, chat_request
from manus.embedding import OPTIONS as EMBED_OPTIONS
from manus.errors import InvalidRequestError
from manus.ipc.protocol import BadParams, UnknownMethod, error_object, options_of, params_of, prompt_of
from manus.ipc.protocol.methods import METHODS, NOTIFICATIONS
from manus.ipc.protocol.params import (
    AskParams,
    Criteria,
    EmbedParams,
    GenerateParams,
    InitializeParams,
    NoParams,
    Params,
    Reasoning,
)
from manus.messages.requests import ReasoningOptions, RoutingCriteria, ToolChoice

TOOL = {"name": "weather", "parameters": {"type": "object", "properties": {}}}

EVERY_OPTION: dict[str, Any] = {
    "provider": "first",
    "model": "big",
    "fallback_providers": ["second", "third/x"],
    "system_prompt": "Be brief.",
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 10,
    "seed": -3,
    "stop": ["END"],
    "presence_penalty": -1,
    "frequency_penalty": 1.5,
    "logprobs": 3,
    "max_tokens": 50,
    "tools": [TOOL],
    "tool_choice": "weather",
    "response_format": {"type": "object", "properties": {"a": {"type": "string"}}},
    "reasoning": {"effort": "low", "show": False},
    "criteria": {"requires_vision": True, "task_complexity": 3, "tags": ["eu"], "max_cost_usd": 1},
    "routing_strategy": "latency",
    "priority": "batch",
    "timeout_s": 5,
    "on_interrupt": "restart",
    "on_cancel": "drain",
    "on_unsupported": "refuse",
    "tags": ["a"],
    "conversation_id": "c",
    "end_user_id": "u",
    "service_tier": "flex",
    "request_key": "k",
    "extra": {"ollama": {"keep_alive": "10m"}},
}


def test_every_option_of_the_face_can_be_said_on_the_wire() -> None:
    assert set(AskParams.__struct_fields__) == set(OPTIONS) == set(EVERY_OPTION)
    assert set(EmbedParams.__struct_fields__) - {"inputs"} == set(EMBED_OPTIONS)
    assert set(Criteria.__struct_fields__) == set(RoutingCriteria.__struct_fields__)
    assert set(Reasoning.__struct_fields__) == set(ReasoningOptions.__struct_fields__)
    assert set(get_type_hints(AskOptions)) == set(EVERY_OPTION)


def test_what_is_said_on_the_wire_becomes_the_same_request() -> None:
    params = params_of("generate", {"prompt": "Hello", **EVERY_OPTION})
    assert isinstance(params, GenerateParams)
    ours = EVERY_OPTION | {
        "reasoning": ReasoningOptions(effort="low", show=False),
        "criteria": RoutingCriteria(requires_vision=True, task_complexity=3, tags=("eu",), max_cost_usd=1),
    }
    by_wire = chat_request(prompt_of(params), options_of(params), stream=False)
    in_python = chat_request("Hello", ours, stream=False)
    assert msgspec.structs.replace(by_wire, request_id=in_python.request_id) == in_python


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        ("auto", "auto"),
        (
            {"mode": "tool", "name": "weather", "parallel": False},
            ToolChoice(mode="tool", name="weather", parallel=False),
        ),
        (
            {"type": "function", "function": {"name": "weather"}},
            {"type": "function", "function": {"name": "weather"}},
        ),
    ],
)
def test_a_tool_choice_is_a_word_our_table_or_openais(given: object, choice: object) -> None:
    params = params_of("generate", {"prompt": "x", "tool_choice": given})
    assert isinstance(params, GenerateParams)
    assert options_of(params) == {"tool_choice": choice}


@pytest.mark.parametrize("nothing", [UNSET, None, [], {}])
def test_params_that_are_left_out_are_empty(nothing: object) -> None:
    assert params_of("providers.list", nothing) == NoParams()


def test_an_option_that_is_null_is_left_out() -> None:
    params = params_of("generate", {"prompt": "x", "temperature": None, "stop": None})
    assert isinstance(params, GenerateParams)
    assert options_of(params) == {}


GENERATE = {"prompt": "x"}


@pytest.mark.parametrize(
    ("method", "params", "path", "reason"),
    [
        ("generate", [1], "params", "expected an object; got a list"),
        ("generate", "x", "params", "expected an object; got text"),
        ("generate", {}, "params.prompt", "neither is given"),
        ("generate", {"prompt": "x", "messages": []}, "params.prompt", "both are given"),
        ("generate", {"prompt": 4}, "params.prompt", "expected text; got a whole number"),
        ("generate", GENERATE | {"temprature": 1}, "params.temprature", "did you mean 'temperature'?"),
        ("generate", GENERATE | {"window": 4}, "params.window", "there is no such parameter"),
        ("generate", {"messages": "hello"}, "params.messages", "expected a list; got text"),
        ("generate", {"messages": ["hello"]}, "params.messages[0]", "expected a Turn or a message"),
        ("generate", GENERATE | {"tools": {}}, "params.tools", "expected a list of tools"),
        ("generate", GENERATE | {"tools": [1]}, "params.tools[0]", "expected a Tool or a table"),
        ("generate", GENERATE | {"criteria": []}, "params.criteria", "expected RoutingCriteria"),
        (
            "generate",
            GENERATE | {"criteria": {"requires_visoin": True}},
            "params.criteria.requires_visoin",
            "'requires_",
        ),
        ("generate", GENERATE | {"criteria": {"task_complexity": 11}}, "params.criteria.task_complexity", "1 to 10"),
        ("generate", GENERATE | {"criteria": {"tags": [1]}}, "params.criteria.tags", "expected a list of texts"),
        ("generate", GENERATE | {"reasoning": {"efort": "low"}}, "params.reasoning.efort", "did you mean 'effort'?"),
        ("generate", GENERATE | {"reasoning": {"effort": "lo"}}, "params.reasoning.effort", "none of the words"),
        ("generate", GENERATE | {"tool_choice": {"mode": "x"}}, "params.tool_choice.mode", "none of the words"),
        ("generate", GENERATE | {"tool_choice": {"mode": "auto", "n": 1}}, "params.tool_choice.n", "no such member"),
        ("generate", GENERATE | {"extra": {"ollama": 1}}, "params.extra", "expected a table of tables"),
        ("stream", GENERATE | {"window": 0}, "params.window", ">= 1"),
        ("stream", GENERATE | {"window": 70_000}, "params.window", "<= 65536"),
        ("chat", {}, "params.message", "is missing"),
        ("chat", {"message": 4}, "params.message", "expected text, "),
        ("embed", {"inputs": "x", "purpose": "documents"}, "params.purpose", "did you mean 'document'?"),
        ("embed", {"inputs": [4]}, "params.inputs[0]", "expected text"),
        ("initialize", {"protocolVersion": "1"}, "params.protocolVersion", "expected a whole number; got text"),
        ("initialize", {"protocolVersion": 1, "client": {}}, "params.client.name", "is missing"),
        ("$/credit", {"id": 1, "n": 0}, "params.n", ">= 1"),
        ("$/cancelRequest", {}, "params.id", "is missing"),
        ("$/cancelRequest", {"id": None}, "params.id", "got null"),
        ("ping", {"echo": 4}, "params.echo", "expected text"),
        ("providers.list", {"all": True}, "params.all", "it has none"),
        ("shutdown", {"deadline_ms": -1}, "params.deadline_ms", ">= 0"),
        ("generate", GENERATE | {"on_cancel": "\ud800"}, "params.on_cancel", "holds a lone surrogate"),
        ("generate", GENERATE | {"\ud800": 1}, "params.?", "holds a lone surrogate"),
        (
            "generate",
            GENERATE | {"extra": {"o": {"k": ["\ud800"]}}, "on_cancel": "\udc00"},
            "params.extra.o.k[0]",
            "lone",
        ),
        ("usage.stats", {"by": ["colour"]}, "params.by[0]", "none of the words"),
    ],
)
def test_wrong_params_are_named_with_their_path(method: str, params: object, path: str, reason: str) -> None:
    with pytest.raises(BadParams) as wrong:
        params_of(method, params)
    assert wrong.value.path == path
    assert reason in wrong.value.reason
    error = error_object(wrong.value)
    assert (error.code, error.data.kind, error.data.path) == (-32602, "invalid_params", path)
    assert error.message == f"Invalid params: {path}: {wrong.value.reason}"


WRONG_OPTIONS: dict[str, list[Any]] = {
    name: [{}, []] if name in ("provider", "seed", "temperature") else [7.5] for name in EVERY_OPTION
} | {
    "temperature": [3, -1, "hot"],
    "timeout_s": [0, 1e9, "soon"],
    "presence_penalty": [2.5, -3],
    "logprobs": [-1, 21],
    "top_p": [0, 1.1],
    "max_tokens": [0, 10**10],
    "seed": [2**64, 1.5],
    "tags": ["a", [1], ["x" * 300]],
    "provider": ["", "x" * 300, "a\nb"],
    "routing_strategy": ["fastest"],
    "on_cancel": ["stop"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG_OPTIONS.items() for value in values]
)
def test_a_wrong_option_is_told_in_the_same_words_as_in_python(name: str, value: object) -> None:
    with pytest.raises(InvalidRequestError) as in_python:
        chat_request("x", {name: value}, stream=False)
    said = in_python.value
    try:
        params = params_of("generate", {"prompt": "x", name: value})
        assert isinstance(params, GenerateParams)
        chat_request(prompt_of(params), options_of(params), stream=False)
    except (BadParams, InvalidRequestError) as by_wire:
        error = error_object(by_wire)
        assert error.code == -32602
        assert error.data.path is not UNSET
        if name not in ("criteria", "reasoning", "tool_choice", "extra"):  # tables here, our own types there
            assert error.message == f"Invalid params: params.{said}"
    else:
        pytest.fail("the wire let it pass")


@pytest.mark.parametrize(
    ("method", "meant"),
    [("genrate", "generate"), ("$/cancel", None), ("provider.list", "providers.list"), ("x" * 999, None)],
)
def test_an_unknown_method_is_told_which_was_meant(method: str, meant: str | None) -> None:
    with pytest.raises(UnknownMethod) as wrong:
        params_of(method, {})
    error = error_object(wrong.value)
    assert (error.code, error.data.kind) == (-32601, "unknown_method")
    if meant is not None:
        assert error.data.did_you_mean == meant
    assert len(error.message) < 150


def test_the_version_is_not_judged_here() -> None:
    assert params_of("initialize", {"protocolVersion": 7}) == InitializeParams(protocolVersion=7)


@pytest.mark.parametrize("kind", sorted({*(m.params for m in METHODS.values()), *NOTIFICATIONS.values()}, key=str))
def test_every_params_struct_refuses_unknown_members(kind: type[Params]) -> None:
    assert kind.__struct_config__.forbid_unknown_fields
