"""Chat Completions requests: what goes out for every field and part."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
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
from manus.messages.policy import Bounds
from manus.messages.requests import (
    OutputFormat,
    Sampling,
    Tool,
    ToolChoice,
)
from tests.codecs.chat_asked import ASK, JPEG, PNG, WEATHER, body_of, encoded, messages_of, refused, request_of


def test_the_plainest_request_is_just_this() -> None:
    written = encoded(request_of())

    assert (written.method, written.path) == ("POST", "/chat/completions")
    assert written.headers == (("content-type", "application/json"), ("accept", "application/json"))
    assert written.body == b'{"model":"llama-3","messages":[{"role":"user","content":"Hi"}],"stream":false}'
    assert written.warnings == ()


def test_a_stream_asks_for_its_usage_unless_the_server_refuses_that() -> None:
    assert body_of(request_of(stream=True))["stream_options"] == {"include_usage": True}
    assert dict(encoded(request_of(stream=True)).headers)["accept"] == "text/event-stream"
    assert "stream_options" not in body_of(request_of(stream=True), options=CodecOptions(include_usage=False))


def test_all_fields_that_this_wire_has() -> None:
    body = body_of(
        request_of(
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
    assert body_of(request_of(output=OutputFormat()))["response_format"] == {"type": "json_object"}


def test_equal_requests_are_equal_bytes() -> None:
    extra = {"openai-chat": msgspec.Raw(b'{"b":1,"a":{"z":1,"y":2}}')}
    first, second = (encoded(request_of(tools=(WEATHER,), extra=extra)).body for _ in range(2))
    assert first == second
    assert first.endswith(b'"stream":false,"b":1,"a":{"z":1,"y":2}}')


def test_extras_of_family_and_entry_are_merged_and_those_of_others_are_not() -> None:
    extra = {
        "openai-chat": msgspec.Raw(b'{"verbosity":"low","stream":true}'),
        "mine": msgspec.Raw(b'{"verbosity":"high"}'),
        "other": msgspec.Raw(b'{"x":1}'),
    }
    body = body_of(request_of(extra=extra), options=CodecOptions(provider="mine"))
    assert (body["verbosity"], body["stream"], "x" in body) == ("high", True, False)


@pytest.mark.parametrize("raw", [b"[]", b"1", b"{"])
def test_extras_that_are_no_object_are_refused(raw: bytes) -> None:
    failure = refused(request_of(extra={"openai-chat": msgspec.Raw(raw)}))
    assert (failure.kind, failure.param) == ("invalid_request", "extra.openai-chat")


def test_parts_of_a_user_turn() -> None:
    (message,) = messages_of(
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
    failure = refused(request_of((Turn(role="user", parts=(part,)),)))
    assert (failure.kind, failure.param, failure.safe_to_retry) == ("unsupported", param, True)


def test_an_image_of_the_assistants_is_refused() -> None:
    failure = refused(request_of((*ASK, Turn(role="assistant", parts=(Image(data=PNG),)))))
    assert failure.kind == "unsupported"


def test_a_tool_round_trip() -> None:
    messages = messages_of(
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
    messages = messages_of(
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
    messages = messages_of(
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
    assert messages_of(*ASK, turn, model="gpt-4o")[1] == {"role": "assistant", "content": "ab", "refusal": "no"}
    assert messages_of(*ASK, turn)[1] == {"role": "assistant", "content": "abno"}
    echoing = CodecOptions(reasoning_field="reasoning_content")
    assert messages_of(*ASK, turn, model="gpt-4o", options=echoing)[1]["reasoning_content"] == "hm"
    assert "reasoning_content" not in messages_of(*ASK, turn, model="gpt-4", options=echoing)[1]


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
    body = body_of(request_of(tools=(WEATHER,), tool_choice=choice))
    assert {key: value for key, value in body.items() if "tool_" in key} == written
    # Without tools OpenAI refuses all of these.
    assert not {"tool_choice", "parallel_tool_calls", "tools"} & body_of(request_of(tool_choice=choice)).keys()


def test_a_tool_is_written_with_its_schema_untouched() -> None:
    strict = Tool(name="f", description="d", schema=msgspec.Raw(b'{"type":"object","x":1}'), strict=True)
    assert body_of(request_of(tools=(strict,)))["tools"] == [
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


def test_a_body_over_the_bound_is_refused_before_it_leaves() -> None:
    failure = refused(
        request_of((text_turn("user", "x" * 1000),)), options=CodecOptions(bounds=Bounds(request_bytes=500))
    )
    assert (failure.kind, failure.safe_to_retry) == ("too_large", True)
    assert "500" in failure.message


def test_a_lone_surrogate_is_refused_not_raised() -> None:
    failure = refused(request_of((text_turn("user", "a\ud83d"),)))
    assert failure.kind == "invalid_request"
    assert "surrogate" in failure.message


def test_listing_the_models() -> None:
    codec = codec_for("openai-chat")
    assert codec.list_models_request(CodecOptions()).path == "/models"
    assert codec.decode_models(b'{"object":"list","data":[{"id":"a"},{"id":"b","shutdown_date":1},{}]}') == ("a", "b")
    for body in (b"", b"<html>", b"[]", b'{"data":null}', b'{"data":"x"}'):
        assert codec.decode_models(body) == ()


def test_options_that_were_given_for_the_other_api_alone_are_said_to_be_lost() -> None:
    written = encoded(request_of(extra={"openai-responses": msgspec.Raw(b"{}")}))

    assert [warning.code for warning in written.warnings] == ["extra_dropped"]
