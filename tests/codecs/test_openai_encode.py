"""Chat Completions requests: what goes out for every field, part and model family."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.messages.content import (
    Audio,
    Document,
    Image,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    text_turn,
)
from manus.messages.failures import Failed
from manus.messages.ids import RequestId
from manus.messages.policy import Bounds, ModelCard
from manus.messages.requests import (
    ChatRequest,
    OutputFormat,
    ReasoningOptions,
    Sampling,
    Tool,
    ToolChoice,
)

PNG = b"\x89PNG\r\n\x1a\n1"
JPEG = b"\xff\xd8\xff1"
ASK = (text_turn("user", "Hi"),)
WEATHER = Tool(name="get_weather", schema=msgspec.Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}'))


def _request(turns: tuple[Turn, ...] = ASK, **fields: Any) -> ChatRequest:
    return ChatRequest(request_id=RequestId("r"), turns=turns, **fields)


def _encoded(request: ChatRequest, model: str = "llama-3", options: CodecOptions | None = None) -> HttpRequest:
    written = codec_for("openai-chat").encode(request, model, options or CodecOptions())
    assert isinstance(written, HttpRequest), written
    return written


def _body(request: ChatRequest, model: str = "llama-3", options: CodecOptions | None = None) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(_encoded(request, model, options).body)
    return body


def _refused(request: ChatRequest, model: str = "llama-3", options: CodecOptions | None = None) -> Failed:
    failure = codec_for("openai-chat").encode(request, model, options or CodecOptions())
    assert isinstance(failure, Failed)
    return failure


def _messages(*turns: Turn, model: str = "llama-3", options: CodecOptions | None = None) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = _body(_request(turns), model, options)["messages"]
    return messages


def test_the_plainest_request_is_just_this() -> None:
    written = _encoded(_request())

    assert (written.method, written.path) == ("POST", "/chat/completions")
    assert written.headers == (("content-type", "application/json"), ("accept", "application/json"))
    assert written.body == b'{"model":"llama-3","messages":[{"role":"user","content":"Hi"}],"stream":false}'
    assert written.warnings == ()


def test_a_stream_asks_for_its_usage_unless_the_server_refuses_that() -> None:
    assert _body(_request(stream=True))["stream_options"] == {"include_usage": True}
    assert dict(_encoded(_request(stream=True)).headers)["accept"] == "text/event-stream"
    assert "stream_options" not in _body(_request(stream=True), options=CodecOptions(include_usage=False))


def test_all_fields_that_this_wire_has() -> None:
    body = _body(
        _request(
            max_output_tokens=5,
            sampling=Sampling(
                temperature=0.5,
                top_p=0.9,
                seed=7,
                stop=("a", "b"),
                presence_penalty=0.1,
                frequency_penalty=0.2,
                logprobs=3,
            ),
            output=OutputFormat(schema=msgspec.Raw(b'{"type":"object"}'), name="n"),
            service_tier="flex",
            end_user_id="u",
        ),
        "gpt-4o",
    )
    body.pop("messages")
    assert body == {
        "model": "gpt-4o",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
        },
        "max_tokens": 5,
        "temperature": 0.5,
        "top_p": 0.9,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "logprobs": True,
        "top_logprobs": 3,
        "seed": 7,
        "stop": ["a", "b"],
        "service_tier": "flex",
        "safety_identifier": "u",
        "stream": False,
    }
    assert _body(_request(output=OutputFormat()))["response_format"] == {"type": "json_object"}


def test_equal_requests_are_equal_bytes() -> None:
    extra = {"openai-chat": msgspec.Raw(b'{"b":1,"a":{"z":1,"y":2}}')}
    first, second = (_encoded(_request(tools=(WEATHER,), extra=extra)).body for _ in range(2))
    assert first == second
    assert first.endswith(b'"stream":false,"b":1,"a":{"z":1,"y":2}}')


def test_extras_of_family_and_entry_are_merged_and_those_of_others_are_not() -> None:
    extra = {
        "openai-chat": msgspec.Raw(b'{"verbosity":"low","stream":true}'),
        "mine": msgspec.Raw(b'{"verbosity":"high"}'),
        "other": msgspec.Raw(b'{"x":1}'),
    }
    body = _body(_request(extra=extra), options=CodecOptions(provider="mine"))
    assert (body["verbosity"], body["stream"], "x" in body) == ("high", True, False)


@pytest.mark.parametrize("raw", [b"[]", b"1", b"{"])
def test_extras_that_are_no_object_are_refused(raw: bytes) -> None:
    failure = _refused(_request(extra={"openai-chat": msgspec.Raw(raw)}))
    assert (failure.kind, failure.param) == ("invalid_request", "extra.openai-chat")


def test_parts_of_a_user_turn() -> None:
    (message,) = _messages(
        Turn(
            role="user",
            name="ann",
            parts=(
                Text(text="See"),
                Image(data=PNG, media_type="image/gif"),
                Image(data=JPEG, detail="low"),
                Image(url="https://e.org/x.png"),
                Document(data=b"%PDF", name="a.pdf"),
                Document(data="é".encode(), name="a.txt", media_type="text/plain"),
                Document(text="body", name="b"),
                Document(file_id="f1"),
                Audio(data=b"snd", format="mp3"),
            ),
        )
    )
    assert message == {
        "role": "user",
        "content": [
            {"type": "text", "text": "See"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgox"}},
            {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/MQ==", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "https://e.org/x.png"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
            {"type": "text", "text": "a.txt:\né"},
            {"type": "text", "text": "b:\nbody"},
            {"type": "file", "file": {"file_id": "f1"}},
            {"type": "input_audio", "input_audio": {"data": "c25k", "format": "mp3"}},
        ],
        "name": "ann",
    }


@pytest.mark.parametrize(
    ("part", "param"),
    [(Image(file_id="f"), "turns.image.file_id"), (Document(url="https://e.org"), "turns.document.url")],
)
def test_parts_that_cannot_go_over_this_wire_are_named(part: Image | Document, param: str) -> None:
    failure = _refused(_request((Turn(role="user", parts=(part,)),)))
    assert (failure.kind, failure.param, failure.safe_to_retry) == ("unsupported", param, True)


def test_an_image_of_the_assistants_is_refused() -> None:
    failure = _refused(_request((*ASK, Turn(role="assistant", parts=(Image(data=PNG),)))))
    assert failure.kind == "unsupported"


def test_a_tool_round_trip() -> None:
    messages = _messages(
        text_turn("user", "Weather in Oslo?"),
        Turn(role="assistant", parts=(ToolCall(id="call_1", name="get_weather", arguments='{"city":"Oslo"}'),)),
        Turn(role="tool", parts=(ToolResult(id="call_1", content=(Text(text="4"), Text(text="C"))),)),
    )
    call = {"name": "get_weather", "arguments": '{"city":"Oslo"}'}
    assert messages[1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": call}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "4\nC"},
    ]


def test_images_of_results_follow_all_results_in_a_users_turn() -> None:
    messages = _messages(
        text_turn("user", "Look"),
        Turn(role="assistant", parts=(ToolCall(id="a", name="f"), ToolCall(id="b", name="f"))),
        Turn(role="tool", parts=(ToolResult(id="a", content=(Image(data=PNG),)),)),
        Turn(role="tool", parts=(ToolResult(id="b", content=(Text(text="gone"),), is_error=True),)),
        text_turn("user", "And?"),
    )
    assert [(message["role"], message["content"]) for message in messages[2:4]] == [
        ("tool", "(images follow)"),
        ("tool", "Error: gone"),
    ]
    assert messages[4]["content"][1] == {
        "type": "image_url",
        "image_url": {"url": "data:image/png;base64,iVBORw0KGgox"},
    }
    assert messages[5] == {"role": "user", "content": "And?"}


def test_arguments_that_are_no_json_go_wrapped() -> None:
    messages = _messages(
        *ASK, Turn(role="assistant", parts=(ToolCall(id="a", name="f", arguments='{"x":', valid=False),))
    )
    assert json.loads(messages[1]["tool_calls"][0]["function"]["arguments"]) == {"_raw": '{"x":'}


def test_an_assistants_text_refusal_and_thinking() -> None:
    turn = Turn(
        role="assistant",
        parts=(
            Reasoning(text="hm", provider="openai-chat", model="gpt-4o"),
            Text(text="a"),
            Text(text="b"),
            Refusal(text="no"),
        ),
    )
    assert _messages(*ASK, turn, model="gpt-4o")[1] == {"role": "assistant", "content": "ab", "refusal": "no"}
    assert _messages(*ASK, turn)[1] == {"role": "assistant", "content": "abno"}
    echoing = CodecOptions(reasoning_field="reasoning_content")
    assert _messages(*ASK, turn, model="gpt-4o", options=echoing)[1]["reasoning_content"] == "hm"
    assert "reasoning_content" not in _messages(*ASK, turn, model="gpt-4", options=echoing)[1]


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
    assert _messages(turn, *ASK, model=model)[0] == {"role": role, "content": "a\nb"}
    assert _messages(turn, *ASK, model=model, options=CodecOptions(system_role="developer"))[0]["role"] == "developer"


def test_cache_marks_go_out_only_where_the_family_takes_them() -> None:
    turn = Turn(role="user", parts=(Text(text="long", cache="short"), Text(text="q")))
    marked = {"type": "text", "text": "long", "prompt_cache_breakpoint": {"mode": "explicit"}}
    assert _messages(turn, model="gpt-5.6")[0]["content"][0] == marked
    assert "prompt_cache_breakpoint" not in _messages(turn, model="gpt-5.4")[0]["content"][0]


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (None, {}),
        (ToolChoice(), {"tool_choice": "auto"}),
        (ToolChoice(mode="none"), {"tool_choice": "none"}),
        (ToolChoice(mode="required"), {"tool_choice": "required"}),
        (
            ToolChoice(mode="tool", name="get_weather"),
            {"tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
        ),
        (ToolChoice(parallel=False), {"tool_choice": "auto", "parallel_tool_calls": False}),
    ],
)
def test_tool_choice(choice: ToolChoice | None, written: dict[str, Any]) -> None:
    body = _body(_request(tools=(WEATHER,), tool_choice=choice))
    assert {key: value for key, value in body.items() if "tool_" in key} == written
    # Without tools OpenAI refuses all of these.
    assert not {"tool_choice", "parallel_tool_calls", "tools"} & _body(_request(tool_choice=choice)).keys()


def test_a_tool_is_written_with_its_schema_untouched() -> None:
    strict = Tool(name="f", description="d", schema=msgspec.Raw(b'{"type":"object","x":1}'), strict=True)
    assert _body(_request(tools=(strict,)))["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "f",
                "description": "d",
                "parameters": {"type": "object", "x": 1},
                "strict": True,
            },
        }
    ]


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
    written = _encoded(_request(reasoning=ReasoningOptions(effort=wanted)), model)

    assert json.loads(written.body).get("reasoning_effort") == sent
    changed = sent != ("none" if wanted == "off" else wanted)
    assert bool(written.warnings) == (changed and not (wanted == "off" and sent is None))


def test_a_model_known_not_to_think_gets_no_effort() -> None:
    options = CodecOptions(card=ModelCard(name="llama-3", reasoning=False))
    written = _encoded(_request(reasoning=ReasoningOptions(effort="high")), options=options)
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
    written = _encoded(_request(sampling=Sampling(temperature=0.5, top_p=0.5), reasoning=reasoning), model)

    assert ("temperature" in json.loads(written.body)) == free
    assert ("sampling_dropped" in {warning.code for warning in written.warnings}) == (not free)


def test_the_card_decides_about_sampling_where_it_says_something() -> None:
    for sampling in (True, False):
        options = CodecOptions(card=ModelCard(name="x", sampling=sampling))
        for model in ("o3", "gpt-4o"):
            body = _body(_request(sampling=Sampling(temperature=0.5)), model, options)
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
    body = _body(_request(max_output_tokens=9), model)
    assert {key: value for key, value in body.items() if key.startswith("max_")} == {field: 9}
    fixed = _body(_request(max_output_tokens=9), model, CodecOptions(max_tokens_field="max_tokens"))
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
    written = _encoded(_request(tools=(WEATHER,), reasoning=reasoning), model)

    assert json.loads(written.body).get("reasoning_effort") == sent
    said = "reasoning_off_for_tools" in {warning.code for warning in written.warnings}
    assert said == (sent == "none")


@pytest.mark.parametrize("model", ["gpt-6-astra", "gpt-6.1-sol"])
def test_tools_are_refused_where_this_wire_has_none(model: str) -> None:
    failure = _refused(_request(tools=(WEATHER,)), model)
    assert (failure.kind, failure.param) == ("unsupported", "tools")
    assert _body(_request(), model)


def test_stop_sequences() -> None:
    assert _body(_request(sampling=Sampling(stop=("a",) * 5)))["stop"] == ["a"] * 5
    assert _refused(_request(sampling=Sampling(stop=("a",) * 5)), "gpt-4o").param == "sampling.stop"
    written = _encoded(_request(sampling=Sampling(stop=("a",))), "gpt-5.1")
    assert "stop" not in json.loads(written.body)
    assert [warning.code for warning in written.warnings] == ["stop_dropped"]


def test_top_k_goes_only_to_servers_that_take_it() -> None:
    assert _body(_request(sampling=Sampling(top_k=4)), options=CodecOptions(top_k=True))["top_k"] == 4
    written = _encoded(_request(sampling=Sampling(top_k=4)))
    assert "top_k" not in json.loads(written.body)
    assert [warning.code for warning in written.warnings] == ["top_k_dropped"]


def test_a_thinking_budget_is_said_to_be_dropped() -> None:
    written = _encoded(_request(reasoning=ReasoningOptions(budget_tokens=100)))
    assert [warning.code for warning in written.warnings] == ["reasoning_budget_dropped"]


def test_users_of_other_vendors_servers_are_named_in_the_old_field() -> None:
    assert _body(_request(end_user_id="u"))["user"] == "u"


def test_a_body_over_the_bound_is_refused_before_it_leaves() -> None:
    failure = _refused(
        _request((text_turn("user", "x" * 1000),)), options=CodecOptions(bounds=Bounds(request_bytes=500))
    )
    assert (failure.kind, failure.safe_to_retry) == ("too_large", True)
    assert "500" in failure.message


def test_a_lone_surrogate_is_refused_not_raised() -> None:
    failure = _refused(_request((text_turn("user", "a\ud83d"),)))
    assert failure.kind == "invalid_request"
    assert "surrogate" in failure.message


def test_listing_the_models() -> None:
    codec = codec_for("openai-chat")
    assert codec.list_models_request(CodecOptions()).path == "/models"
    assert codec.decode_models(b'{"object":"list","data":[{"id":"a"},{"id":"b","shutdown_date":1},{}]}') == ("a", "b")
    for body in (b"", b"<html>", b"[]", b'{"data":null}', b'{"data":"x"}'):
        assert codec.decode_models(body) == ()


@pytest.mark.parametrize(
    "model", ["mistral-large-latest", "open-mixtral-8x7b", "mistralai/Devstral-Small", "codestral-2508", "mistral:7b"]
)
def test_models_of_mistral_get_ids_of_the_only_shape_they_take(model: str) -> None:
    calls = (ToolCall(id="call_made_elsewhere_1", name="a"), ToolCall(id="call_made_elsewhere_2", name="b"))
    results = tuple(ToolResult(id=call.id) for call in calls)
    messages = _body(_request((*ASK, Turn(role="assistant", parts=calls), Turn(role="tool", parts=results))), model)[
        "messages"
    ]

    made = [call["id"] for call in messages[1]["tool_calls"]]
    assert [message["tool_call_id"] for message in messages[2:]] == made
    assert len(set(made)) == 2
    assert all(len(name) == 9 and name.isalnum() and name.isascii() for name in made)


def test_an_id_that_mistral_made_stays_as_it_is() -> None:
    own = ToolCall(id="D681PevKs", name="a")
    turns = (*ASK, Turn(role="assistant", parts=(own,)), Turn(role="tool", parts=(ToolResult(id=own.id),)))

    assert _body(_request(turns), "mistral-small-latest")["messages"][2]["tool_call_id"] == "D681PevKs"


def test_names_of_tools_that_openai_refuses_are_made_to_fit_in_a_history() -> None:
    call = ToolCall(id="c", name="files.read")
    turns = (*ASK, Turn(role="assistant", parts=(call,)), Turn(role="tool", parts=(ToolResult(id="c"),)))

    assert _body(_request(turns), "gpt-4.1")["messages"][1]["tool_calls"][0]["function"]["name"] == "files_read"
    assert _body(_request(turns), "llama-3")["messages"][1]["tool_calls"][0]["function"]["name"] == "files.read"


def test_a_conversation_is_led_to_its_cache_without_being_named() -> None:
    body = _body(_request(conversation_id="ann's secret plan"), "gpt-4.1")

    assert 0 < len(body["prompt_cache_key"]) <= 64
    assert "ann" not in body["prompt_cache_key"]
    assert "prompt_cache_key" not in _body(_request(conversation_id="c"), "llama-3")


def test_a_model_goes_by_what_stands_behind_its_name() -> None:
    card = ModelCard(name="ours", base="gpt-5-mini")
    body = _body(_request(max_output_tokens=9), "ours", CodecOptions(card=card))

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
    body = _body(_request(max_output_tokens=9, sampling=Sampling(temperature=0.5)), model)

    assert bound in body
    assert ("temperature" in body) is sampled


def test_openai_is_asked_for_json_in_words_where_it_would_refuse_the_format_without() -> None:
    wordless = _request(output=OutputFormat())
    worded = _request((text_turn("user", "As Json, please."),), output=OutputFormat())

    assert _body(wordless, "gpt-4.1")["messages"][0] == {"role": "system", "content": "Answer with a JSON object."}
    assert len(_body(worded, "gpt-4.1")["messages"]) == 1
    assert len(_body(wordless, "llama-3")["messages"]) == 1
    schema = _request(output=OutputFormat(schema=msgspec.Raw(b'{"type":"object"}')))
    assert len(_body(schema, "gpt-4.1")["messages"]) == 1
