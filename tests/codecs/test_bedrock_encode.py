"""Converse requests: what goes out for every field, part and model family."""

from __future__ import annotations

import base64
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
    Opaque,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    text_turn,
)
from manus.messages.failures import Failed
from manus.messages.ids import RequestId
from manus.messages.policy import Bounds, ModelCard
from manus.messages.requests import ChatRequest, OutputFormat, ReasoningOptions, Sampling, Tool, ToolChoice

# Any, throughout this file: JSON.

PNG = b"\x89PNG\r\n\x1a\n1"
ASK = (text_turn("user", "Hi"),)
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CLAUDE_NEW = "global.anthropic.claude-opus-5-5"
CLAUDE_5 = "us.anthropic.claude-sonnet-5"
CLAUDE_3 = "anthropic.claude-3-haiku-20240307-v1:0"
NOVA = "amazon.nova-lite-v1:0"
NOVA_2 = "us.amazon.nova-2-lite-v1:0"
LLAMA = "meta.llama3-3-70b-instruct-v1:0"
MISTRAL = "mistral.mistral-large-2407-v1:0"
TITAN = "amazon.titan-text-express-v1"
QWEN = "qwen.qwen3-32b-v1:0"
GPT_OSS = "openai.gpt-oss-120b-1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/1arbu5hu2sjr"

WEATHER = Tool(name="get_weather", schema=msgspec.Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}'))
CLOCK = Tool(name="clock", description="Tells the time.", schema=msgspec.Raw(b'{"type":"object"}'))
SCHEMA = OutputFormat(schema=msgspec.Raw(b'{"type":"object","properties":{"n":{"type":"integer"}}}'), name="count")


def _request(turns: tuple[Turn, ...] = ASK, **fields: Any) -> ChatRequest:
    return ChatRequest(request_id=RequestId("r"), turns=turns, **fields)


def _encoded(request: ChatRequest, model: str = "m", options: CodecOptions | None = None) -> HttpRequest:
    written = codec_for("bedrock").encode(request, model, options or CodecOptions())
    assert isinstance(written, HttpRequest), written
    return written


def _body(request: ChatRequest, model: str = "m", options: CodecOptions | None = None) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(_encoded(request, model, options).body)
    return body


def _warned(request: ChatRequest, model: str = "m", options: CodecOptions | None = None) -> list[str]:
    return [warning.code for warning in _encoded(request, model, options).warnings]


def _refused(request: ChatRequest, model: str = "m", options: CodecOptions | None = None) -> Failed:
    failure = codec_for("bedrock").encode(request, model, options or CodecOptions())
    assert isinstance(failure, Failed)
    return failure


def _user(*parts: Any) -> tuple[Turn, ...]:
    return (Turn(role="user", parts=parts),)


def _content(*parts: Any, model: str = "m") -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = _body(_request(_user(*parts)), model)["messages"][0]["content"]
    return content


def _loop(*after: Turn, result: ToolResult | None = None) -> tuple[Turn, ...]:
    """A tool round trip, and what comes behind."""
    answer = result or ToolResult(id="t1", content=(Text(text="4 C"),))
    return (
        text_turn("user", "Weather?"),
        Turn(role="assistant", parts=(ToolCall(id="t1", name="get_weather", arguments='{"city":"Oslo"}'),)),
        Turn(role="tool", parts=(answer,)),
        *after,
    )


# --- address and frame -----------------------------------------------------------------------------------


def test_the_least_request_is_a_message_and_nothing_else() -> None:
    written = _encoded(_request())
    assert (written.method, written.path) == ("POST", "/model/m/converse")
    assert dict(written.headers) == {"content-type": "application/json", "accept": "application/json"}
    assert json.loads(written.body) == {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
    assert written.warnings == ()


def test_a_stream_is_asked_for_by_the_path() -> None:
    written = _encoded(_request(stream=True))
    assert written.path == "/model/m/converse-stream"
    assert dict(written.headers)["accept"] == "application/vnd.amazon.eventstream"
    assert "stream" not in json.loads(written.body)


@pytest.mark.parametrize(
    ("model", "step"),
    [
        (CLAUDE, "us.anthropic.claude-sonnet-4-5-20250929-v1%3A0"),
        (
            PROFILE,
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2F1arbu5hu2sjr",
        ),
        ("a b?c#d%", "a%20b%3Fc%23d%25"),
        ("é", "%C3%A9"),
    ],
)
def test_a_models_id_is_one_step_of_the_path(model: str, step: str) -> None:
    assert _encoded(_request(), model).path == f"/model/{step}/converse"


@pytest.mark.parametrize("model", ["", ".", ".."])
def test_a_name_that_would_be_another_path_is_refused(model: str) -> None:
    assert _refused(_request(), model).param == "model"


def test_equal_requests_are_equal_bytes() -> None:
    request = _request(_loop(), tools=(WEATHER, CLOCK), sampling=Sampling(temperature=0.5))
    assert _encoded(request, CLAUDE).body == _encoded(request, CLAUDE).body


def test_a_body_over_the_bound_is_refused() -> None:
    assert _refused(
        _request(_user(Text(text="a" * 500))), options=CodecOptions(bounds=Bounds(request_bytes=300))
    ).kind == ("too_large")


# --- messages --------------------------------------------------------------------------------------------


def test_leading_system_turns_stand_apart_and_later_ones_are_said_by_the_user() -> None:
    turns = (text_turn("system", "Be terse."), text_turn("user", "Hi"), text_turn("system", "Be kind."))
    body = _body(_request(turns))
    assert body["system"] == [{"text": "Be terse."}]
    said = "".join(block["text"] for block in body["messages"][0]["content"])
    assert said == "Hi<system>Be kind.</system>"


def test_a_family_without_system_text_hears_it_from_the_user() -> None:
    body = _body(_request((text_turn("system", "Be terse."), *ASK)), TITAN)
    assert "system" not in body
    assert body["messages"] == [{"role": "user", "content": [{"text": "Be terse."}, {"text": "Hi"}]}]


def test_neighbours_of_one_role_become_one_message_and_blank_text_goes() -> None:
    turns = (*_user(Text(text="a"), Text(text=" ")), text_turn("user", "b"), text_turn("assistant", "c"), *ASK)
    assert _body(_request(turns))["messages"] == [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
        {"role": "assistant", "content": [{"text": "c"}]},
        {"role": "user", "content": [{"text": "Hi"}]},
    ]


def test_a_conversation_begins_with_the_user() -> None:
    messages = _body(_request((text_turn("assistant", "Hello!"), *ASK)))["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]


def test_an_image_goes_as_bytes_in_the_format_of_its_own_first_bytes() -> None:
    (block,) = _content(Image(data=PNG, media_type="image/jpeg"))
    assert block == {"image": {"format": "png", "source": {"bytes": base64.b64encode(PNG).decode()}}}
    (block,) = _content(Image(file_id="s3://bucket/cat.webp", media_type="image/webp"))
    assert block == {"image": {"format": "webp", "source": {"s3Location": {"uri": "s3://bucket/cat.webp"}}}}


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (Image(url="https://x/cat.png"), "turns.image.url"),
        (Image(file_id="file-1"), "turns.image.url"),
        (Image(data=b"BM1234", media_type="image/bmp"), "turns.image.media_type"),
        (Document(url="https://x/a.pdf"), "turns.document.url"),
        (Document(data=b"PK", media_type="application/zip"), "turns.document.media_type"),
    ],
)
def test_what_bedrock_cannot_fetch_or_read_is_refused_by_name(part: Any, param: str) -> None:
    failure = _refused(_request(_user(part)))
    assert (failure.kind, failure.param, failure.safe_to_retry) == ("unsupported", param, True)


def test_an_assistant_cannot_show_a_picture() -> None:
    turns = (*ASK, Turn(role="assistant", parts=(Image(data=PNG),)), *ASK)
    assert _refused(_request(turns)).kind == "unsupported"


def test_a_document_is_named_as_bedrock_allows_and_has_text_beside_it() -> None:
    content = _content(
        Document(data=b"%PDF", name="report_2026.final.pdf"),
        Document(text="plain", name="report 2026  final pdf"),
        Document(text="plain", name="../..", media_type="application/zip"),
        Document(text="x", name="report-2026-final-pdf"),
    )
    documents = [block["document"] for block in content if "document" in block]
    assert [document["name"] for document in documents] == [
        "report-2026-final-pdf",
        "report 2026 final pdf",
        "document",
        "report-2026-final-pdf (2)",
    ]
    assert documents[0]["source"] == {"bytes": base64.b64encode(b"%PDF").decode()}
    assert (documents[1]["format"], documents[1]["source"]) == ("txt", {"text": "plain"})
    assert [block for block in content if "text" in block] == [{"text": "."}]


def test_a_document_beside_text_needs_no_more() -> None:
    content = _content(Text(text="Read."), Document(text="x", name="a"))
    assert [next(iter(block)) for block in content] == ["text", "document"]


def test_sound_goes_as_bytes() -> None:
    (block,) = _content(Audio(data=b"RIFF", format="wav"))
    assert block == {"audio": {"format": "wav", "source": {"bytes": base64.b64encode(b"RIFF").decode()}}}


# --- the assistant's own turns ---------------------------------------------------------------------------


def test_a_tool_round_trip_stands_in_three_messages() -> None:
    body = _body(_request(_loop(), tools=(WEATHER,)))
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": [{"toolUse": {"toolUseId": "t1", "name": "get_weather", "input": {"city": "Oslo"}}}],
        },
        {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "4 C"}]}}]},
    ]


def test_results_say_that_they_are_errors_and_are_never_empty() -> None:
    failed = ToolResult(id="t1", content=(Text(text="no such city"),), is_error=True)
    (block,) = _body(_request(_loop(result=failed), tools=(WEATHER,)))["messages"][2]["content"]
    assert block["toolResult"]["status"] == "error"
    (block,) = _body(_request(_loop(result=ToolResult(id="t1")), tools=(WEATHER,)))["messages"][2]["content"]
    assert block["toolResult"] == {"toolUseId": "t1", "content": [{"text": "(no output)"}]}
    (block,) = _body(_request(_loop(result=failed), tools=(WEATHER,)), "writer.palmyra-x5-v1:0")["messages"][2][
        "content"
    ]
    assert block["toolResult"] == {"toolUseId": "t1", "content": [{"text": "Error:"}, {"text": "no such city"}]}


def test_pictures_in_results_stand_inside_or_behind_as_the_family_takes_them() -> None:
    seen = ToolResult(id="t1", content=(Text(text="a cat"), Image(data=PNG)))
    (block,) = _body(_request(_loop(result=seen), tools=(WEATHER,)), CLAUDE)["messages"][2]["content"]
    assert [next(iter(part)) for part in block["toolResult"]["content"]] == ["text", "image"]
    blocks = _body(_request(_loop(result=seen), tools=(WEATHER,)), QWEN)["messages"][2]["content"]
    assert [next(iter(block)) for block in blocks] == ["toolResult", "text", "image"]


@pytest.mark.parametrize("model", [LLAMA, MISTRAL])
def test_results_stand_alone_where_the_family_wants_it(model: str) -> None:
    messages = _body(_request(_loop(text_turn("user", "In French!")), tools=(WEATHER,)), model)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant", "user"]
    assert [next(iter(block)) for block in messages[2]["content"]] == ["toolResult"]
    assert messages[4]["content"] == [{"text": "In French!"}]
    together = _body(_request(_loop(text_turn("user", "In French!")), tools=(WEATHER,)), CLAUDE)["messages"][2][
        "content"
    ]
    assert [next(iter(block)) for block in together] == ["toolResult", "text"]


def test_what_is_asked_besides_never_stands_beside_results_that_must_be_alone() -> None:
    request = _request(_loop(), tools=(WEATHER,), tool_choice=ToolChoice(mode="required"))
    messages = _body(request, LLAMA)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant", "user"]
    assert [next(iter(block)) for block in messages[2]["content"]] == ["toolResult"]
    assert "Call a tool" in messages[4]["content"][0]["text"]


def test_a_result_that_is_an_object_goes_as_json_where_that_is_read_better() -> None:
    result = ToolResult(id="t1", content=(Text(text='{"c": 4}'), Text(text="{not json"), Text(text="[1]")))
    (block,) = _body(_request(_loop(result=result), tools=(WEATHER,)), MISTRAL)["messages"][2]["content"]
    assert block["toolResult"]["content"] == [{"json": {"c": 4}}, {"text": "{not json"}, {"text": "[1]"}]


def test_arguments_that_are_no_object_go_wrapped() -> None:
    for call in (
        ToolCall(id="t1", name="f", arguments='{"city":"Os', valid=False),
        ToolCall(id="t1", name="f", arguments="[1]"),
    ):
        turns = (*ASK, Turn(role="assistant", parts=(call,)), *ASK)
        use = _body(_request(turns))["messages"][1]["content"][0]["toolUse"]
        assert use["input"] == {"_raw": call.arguments}


def test_own_thinking_goes_back_with_its_seal_and_foreign_or_unsigned_thinking_does_not() -> None:
    thoughts = (
        Reasoning(text="a", signature="S", provider="bedrock", model=CLAUDE),
        Reasoning(redacted="AQI=", provider="bedrock", model=CLAUDE),
        Reasoning(text="", signature="T", provider="bedrock", model=CLAUDE),
        Reasoning(text="unsigned", provider="bedrock", model=CLAUDE),
        Reasoning(text="b", signature="U", provider="anthropic", model=CLAUDE),
        Reasoning(text="c", signature="V", provider="bedrock", model=NOVA),
    )
    turns = (*ASK, Turn(role="assistant", parts=(*thoughts, Text(text="Hello"))), *ASK)
    assert _body(_request(turns), CLAUDE)["messages"][1]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "a", "signature": "S"}}},
        {"reasoningContent": {"redactedContent": "AQI="}},
        {"reasoningContent": {"reasoningText": {"text": "", "signature": "T"}}},
        {"text": "Hello"},
    ]


def test_thinking_that_is_bound_to_its_past_goes_back_only_while_its_loop_lasts() -> None:
    def thought(seal: str) -> Reasoning:
        return Reasoning(text="", signature=seal, provider="bedrock", model=CLAUDE_NEW)

    def answered(number: int) -> tuple[Turn, ...]:
        call = ToolCall(id=f"t{number}", name="get_weather")
        result = ToolResult(id=f"t{number}", content=(Text(text="4 C"),))
        parts = (thought(f"S{number}"), call)
        return (Turn(role="assistant", parts=parts), Turn(role="tool", parts=(result,)))

    begun = (*ASK, Turn(role="assistant", parts=(thought("S0"), Text(text="Hello"))), text_turn("user", "Weather?"))
    asked: dict[str, Any] = {"tools": (WEATHER,), "output": SCHEMA}
    first = _body(_request(begun, **asked), CLAUDE_NEW)
    second = _body(_request((*begun, *answered(1)), **asked), CLAUDE_NEW)
    third = _body(_request((*begun, *answered(1), *answered(2)), **asked), CLAUDE_NEW)
    assert "count" in first["messages"][-1]["content"][-1]["text"]
    for earlier, later in ((first, second), (second, third)):
        assert later["messages"][: len(earlier["messages"])] == earlier["messages"]
        assert (later["toolConfig"], later.get("system")) == (earlier["toolConfig"], earlier.get("system"))
    assert "S0" not in json.dumps(third)
    assert [seal for seal in ("S1", "S2") if seal in json.dumps(third)] == ["S1", "S2"]
    over = _body(
        _request((*begun, *answered(1), text_turn("assistant", "4 C."), text_turn("user", "Thanks"))), CLAUDE_NEW
    )
    assert "S1" not in json.dumps(over)


def test_unread_parts_go_back_to_the_model_that_made_them() -> None:
    block = {"toolUse": {"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use", "input": {}}}
    raw = msgspec.Raw(json.dumps(block).encode())
    turns = (
        *ASK,
        Turn(
            role="assistant",
            parts=(Opaque(provider="bedrock", kind="toolUse", raw=raw, model="m"), Text(text="x")),
        ),
        *ASK,
    )
    assert _body(_request(turns), "m")["messages"][1]["content"] == [block, {"text": "x"}]
    assert _body(_request(turns), "n")["messages"][1]["content"] == [{"text": "x"}]


def test_a_last_word_of_the_assistant_is_a_beginning_or_is_asked_for() -> None:
    turns = (*ASK, text_turn("assistant", "Once upon \n"))
    assert _body(_request(turns), CLAUDE)["messages"][-1] == {"role": "assistant", "content": [{"text": "Once upon"}]}
    for model in (CLAUDE_NEW, NOVA, LLAMA):
        assert _body(_request(turns), model)["messages"][-1]["role"] == "user"
        assert "prefill_in_words" in _warned(_request(turns), model)
    assert _body(_request(turns, tools=(CLOCK,)), CLAUDE)["messages"][-1]["role"] == "user"


def test_what_is_asked_besides_does_not_end_a_beginning_of_the_answer() -> None:
    request = _request((*ASK, text_turn("assistant", "{")), output=OutputFormat())
    messages = _body(request, CLAUDE)["messages"]
    assert messages[-1] == {"role": "assistant", "content": [{"text": "{"}]}
    assert "JSON object" in messages[0]["content"][-1]["text"]


# --- caching ---------------------------------------------------------------------------------------------


def test_cache_points_stand_behind_what_they_cover() -> None:
    turns = (
        Turn(role="system", parts=(Text(text="Long rules.", cache="long"),)),
        *_user(Document(text="x", name="a", cache="short"), Text(text="Hi")),
    )
    body = _body(_request(turns), CLAUDE)
    assert body["system"] == [{"text": "Long rules."}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    kinds = [next(iter(block)) for block in body["messages"][0]["content"]]
    assert kinds == ["document", "text", "cachePoint", "text"]


def test_too_many_cache_points_leave_the_first_and_the_last() -> None:
    parts = [Text(text=str(number), cache="short") for number in range(7)]
    content = _content(*parts, model=CLAUDE)
    covered = [content[place - 1]["text"] for place, block in enumerate(content) if "cachePoint" in block]
    assert covered == ["0", "4", "5", "6"]
    assert "cache_points_dropped" in _warned(_request(_user(*parts)), CLAUDE)


def test_a_long_life_never_follows_a_short_one_and_goes_only_where_it_is_known() -> None:
    parts = (Text(text="a", cache="short"), Text(text="b", cache="long"))
    points = [block["cachePoint"] for block in _content(*parts, model=CLAUDE) if "cachePoint" in block]
    assert points == [{"type": "default"}, {"type": "default"}]
    assert _content(Text(text="b", cache="long"), model=NOVA)[-1] == {"cachePoint": {"type": "default"}}


def test_families_without_a_cache_get_no_points() -> None:
    request = _request(_user(Text(text="a", cache="short")))
    for model in (LLAMA, QWEN, CLAUDE_3):
        assert _body(request, model)["messages"][0]["content"] == [{"text": "a"}]
        assert _warned(request, model) == ["cache_dropped"]
    card = CodecOptions(card=ModelCard(name=LLAMA, cache_control=True))
    assert len(_body(request, LLAMA, card)["messages"][0]["content"]) == 2


# --- tools -----------------------------------------------------------------------------------------------


def test_tools_are_written_with_what_they_have() -> None:
    strict = msgspec.structs.replace(WEATHER, strict=True)
    config = _body(_request(tools=(strict, CLOCK)), CLAUDE)["toolConfig"]
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
    assert _warned(_request(tools=(strict,)), NOVA) == ["strict_dropped"]


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
    request = _request(tools=(CLOCK,), tool_choice=choice)
    assert _body(request, model)["toolConfig"]["toolChoice"] == written
    assert _warned(request, model) == []


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
    request = _request(tools=(CLOCK,), tool_choice=choice)
    body = _body(request, model)
    assert body["toolConfig"]["toolChoice"] == {"auto": {}}
    assert "tool" in body["messages"][-1]["content"][-1]["text"]
    assert _warned(request, model) == ["tool_choice_in_words"]


def test_a_card_overrules_what_the_name_says_of_forcing() -> None:
    request = _request(tools=(CLOCK,), tool_choice=ToolChoice(mode="required"))
    options = CodecOptions(card=ModelCard(name=LLAMA, forced_tools=True))
    assert _body(request, LLAMA, options)["toolConfig"]["toolChoice"] == {"any": {}}


def test_no_tools_means_none_offered_unless_the_history_holds_calls() -> None:
    none = ToolChoice(mode="none")
    assert "toolConfig" not in _body(_request(tools=(CLOCK,), tool_choice=none))
    body = _body(_request(_loop(), tools=(CLOCK,), tool_choice=none))
    assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["clock", "get_weather"]
    assert "toolChoice" not in body["toolConfig"]
    assert "Do not call" in body["messages"][-1]["content"][-1]["text"]


def test_a_history_with_calls_names_their_tools_even_where_none_are_offered() -> None:
    request = _request(_loop(text_turn("assistant", "4 degrees."), text_turn("user", "Thanks")))
    body = _body(request)
    assert [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]] == ["get_weather"]
    assert _warned(request) == ["tools_kept"]


def test_one_call_at_a_time_cannot_be_demanded() -> None:
    request = _request(tools=(CLOCK,), tool_choice=ToolChoice(parallel=False))
    assert _warned(request) == ["parallel_not_enforced"]


# --- the form of the answer ------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [CLAUDE, QWEN, PROFILE, "nvidia.nemotron-nano-12b-v2"])
def test_a_schema_goes_as_text_where_the_family_has_formats(model: str) -> None:
    written = _encoded(_request(output=SCHEMA), model)
    form = json.loads(written.body)["outputConfig"]["textFormat"]
    assert form["type"] == "json_schema"
    assert form["structure"]["jsonSchema"]["name"] == "count"
    schema = json.loads(form["structure"]["jsonSchema"]["schema"])
    assert schema == {**json.loads(bytes(SCHEMA.schema)), "additionalProperties": False}
    assert written.answer_tool is None


@pytest.mark.parametrize("model", [CLAUDE_3, CLAUDE_5, NOVA])
def test_a_schema_is_a_forced_tool_where_there_are_no_formats(model: str) -> None:
    written = _encoded(_request(output=SCHEMA), model)
    body = json.loads(written.body)
    assert written.answer_tool == "count"
    assert body["toolConfig"]["toolChoice"] == {"tool": {"name": "count"}}
    assert body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"] == json.loads(bytes(SCHEMA.schema))
    assert "outputConfig" not in body


def test_bounds_that_no_grammar_holds_are_put_into_words_and_recursion_is_asked_for_by_a_tool() -> None:
    bounded = OutputFormat(schema=msgspec.Raw(b'{"type":"object","properties":{"n":{"type":"integer","minimum":3}}}'))
    form = _body(_request(output=bounded), CLAUDE)["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert json.loads(form["schema"])["properties"]["n"] == {"type": "integer", "description": '{"minimum":3}'}
    assert _warned(_request(output=bounded), CLAUDE) == ["schema_bounds_in_words"]
    tree = b'{"type":"object","properties":{"c":{"$ref":"#/$defs/T"}},"$defs":{"T":{"items":{"$ref":"#/$defs/T"}}}}'
    written = _encoded(_request(output=OutputFormat(schema=msgspec.Raw(tree))), CLAUDE)
    assert written.answer_tool == "answer"
    assert [warning.code for warning in written.warnings] == ["json_schema_not_native"]


def test_schemas_of_tools_are_objects_and_unions_at_their_root_are_loosened() -> None:
    untyped = Tool(name="f", schema=msgspec.Raw(b'{"properties":{}}'))
    spec = _body(_request(tools=(untyped,)), CLAUDE)["toolConfig"]["tools"][0]["toolSpec"]
    assert spec["inputSchema"]["json"]["type"] == "object"
    union = Tool(name="f", schema=msgspec.Raw(b'{"anyOf":[{"properties":{"a":{}}},{"properties":{"b":{}}}]}'))
    spec = _body(_request(tools=(union,)), CLAUDE)["toolConfig"]["tools"][0]["toolSpec"]
    assert set(spec["inputSchema"]["json"]["properties"]) == {"a", "b"}
    assert _warned(_request(tools=(union,)), CLAUDE) == ["tool_schema_loosened"]
    array = Tool(name="f", schema=msgspec.Raw(b'{"type":"array"}'))
    assert _refused(_request(tools=(CLOCK, array)), CLAUDE).param == "tools.1.schema"
    free = Tool(
        name="f", strict=True, schema=msgspec.Raw(b'{"type":"object","additionalProperties":{"type":"string"}}')
    )
    assert _warned(_request(tools=(free,)), CLAUDE) == ["tool_not_strict"]


@pytest.mark.parametrize("model", [CLAUDE_NEW, LLAMA])
def test_a_schema_is_a_tool_that_is_asked_for_where_none_can_be_forced(model: str) -> None:
    written = _encoded(_request(output=SCHEMA), model)
    body = json.loads(written.body)
    assert (written.answer_tool, body["toolConfig"]["toolChoice"]) == ("count", {"auto": {}})
    assert [warning.code for warning in written.warnings] == ["json_schema_not_forced"]
    assert "count" in body["messages"][-1]["content"][-1]["text"]


def test_the_answer_tool_leaves_the_callers_own_tools_callable_and_their_names_alone() -> None:
    count = Tool(name="count", schema=msgspec.Raw(b'{"type":"object"}'))
    written = _encoded(_request(output=SCHEMA, tools=(count,)), NOVA)
    config = json.loads(written.body)["toolConfig"]
    assert written.answer_tool == "count_2"
    assert [tool["toolSpec"]["name"] for tool in config["tools"]] == ["count", "count_2"]
    assert config["toolChoice"] == {"any": {}}
    named = _request(output=SCHEMA, tools=(count,), tool_choice=ToolChoice(mode="tool", name="count"))
    assert _body(named, NOVA)["toolConfig"]["toolChoice"] == {"tool": {"name": "count"}}
    none = _request(output=SCHEMA, tools=(count,), tool_choice=ToolChoice(mode="none"))
    assert _body(none, NOVA)["toolConfig"]["toolChoice"] == {"tool": {"name": "count_2"}}


def test_a_model_that_thinks_is_asked_and_not_forced_to_answer_by_the_tool() -> None:
    request = _request(output=SCHEMA, reasoning=ReasoningOptions(effort="high"))
    body = _body(request, "us.anthropic.claude-3-7-sonnet-20250219-v1:0")
    assert body["toolConfig"]["toolChoice"] == {"auto": {}}
    assert body["additionalModelRequestFields"]["thinking"]["type"] == "enabled"


@pytest.mark.parametrize("schema", [b'{"type":"array"}', b'{"anyOf":[{"type":"string"}]}'])
def test_a_schema_that_is_no_object_cannot_be_a_tool_and_is_asked_for_in_words(schema: bytes) -> None:
    request = _request(output=OutputFormat(schema=msgspec.Raw(schema)))
    written = _encoded(request, NOVA)
    assert written.answer_tool is None
    assert json.loads(written.body)["messages"][-1]["content"][-1]["text"].endswith(schema.decode())
    assert _warned(request, NOVA) == ["json_schema_in_words"]
    assert "outputConfig" in _body(request, CLAUDE)


def test_a_schema_without_a_type_is_that_of_an_object() -> None:
    untyped = OutputFormat(schema=msgspec.Raw(b'{"properties":{}}'))
    spec = _body(_request(output=untyped), NOVA)["toolConfig"]["tools"][0]["toolSpec"]
    assert spec["inputSchema"]["json"] == {"type": "object", "properties": {}}


def test_cards_overrule_what_the_name_says_of_formats() -> None:
    with_format = CodecOptions(card=ModelCard(name=NOVA, json_schema=True))
    assert "outputConfig" in _body(_request(output=SCHEMA), NOVA, with_format)
    without = CodecOptions(card=ModelCard(name=CLAUDE, json_schema=False))
    assert _encoded(_request(output=SCHEMA), CLAUDE, without).answer_tool == "count"
    neither = CodecOptions(card=ModelCard(name=NOVA, json_schema=False, tools=False))
    assert "toolConfig" not in _body(_request(output=SCHEMA), NOVA, neither)
    assert _warned(_request(output=SCHEMA), NOVA, neither) == ["json_schema_in_words"]


def test_any_object_is_asked_for_in_words() -> None:
    body = _body(_request(output=OutputFormat()))
    assert "JSON object" in body["messages"][-1]["content"][-1]["text"]
    assert _warned(_request(output=OutputFormat())) == ["json_in_words"]


# --- settings --------------------------------------------------------------------------------------------


def test_settings_have_their_place() -> None:
    sampling = Sampling(temperature=0.5, top_p=0.9, top_k=40, stop=("END",))
    body = _body(_request(max_output_tokens=100, sampling=sampling, end_user_id="u1", service_tier="flex"), CLAUDE_3)
    assert body["inferenceConfig"] == {"maxTokens": 100, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]}
    assert body["additionalModelRequestFields"] == {"top_k": 40}
    assert body["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    assert body["requestMetadata"] == {"end_user_id": "u1"}
    assert body["serviceTier"] == {"type": "flex"}
    nova = _body(_request(sampling=Sampling(top_k=10)), NOVA)
    assert nova["additionalModelRequestFields"] == {"inferenceConfig": {"topK": 10}}


@pytest.mark.parametrize(
    ("sampling", "model", "warned", "left"),
    [
        (Sampling(temperature=1.7), NOVA, ["temperature_clamped"], {"temperature": 1.0}),
        (Sampling(temperature=0.5, top_p=0.9), CLAUDE, ["top_p_dropped"], {"temperature": 0.5}),
        (Sampling(temperature=0.5, top_p=0.9), CLAUDE_5, ["sampling_dropped"], None),
        (Sampling(top_k=3), LLAMA, ["top_k_dropped"], None),
        (Sampling(seed=1), NOVA, ["seed_dropped"], None),
        (Sampling(presence_penalty=1.0), NOVA, ["penalties_dropped"], None),
        (Sampling(frequency_penalty=1.0), NOVA, ["penalties_dropped"], None),
        (Sampling(logprobs=2), NOVA, ["logprobs_dropped"], None),
    ],
)
def test_what_a_model_does_not_take_is_left_out_and_said(
    sampling: Sampling, model: str, warned: list[str], left: dict[str, object] | None
) -> None:
    request = _request(sampling=sampling)
    assert _warned(request, model) == warned
    assert _body(request, model).get("inferenceConfig") == left


@pytest.mark.parametrize("user", ["a" * 257, "\u00e9", "a;b"])
def test_an_end_user_that_bedrock_would_refuse_is_dropped(user: str) -> None:
    assert "requestMetadata" not in _body(_request(end_user_id=user))
    assert _warned(_request(end_user_id=user)) == ["end_user_id_dropped"]


def test_stop_sequences_of_blanks_go_only_where_they_are_taken() -> None:
    request = _request(sampling=Sampling(stop=("\n", "END")))
    assert _body(request, NOVA)["inferenceConfig"]["stopSequences"] == ["\n", "END"]
    assert _body(request, CLAUDE)["inferenceConfig"]["stopSequences"] == ["END"]
    assert _warned(request, CLAUDE) == ["stop_dropped"]


def test_cards_say_what_is_taken_of_stops_and_sampling() -> None:
    options = CodecOptions(card=ModelCard(name=LLAMA, stop=False, sampling=False))
    request = _request(sampling=Sampling(temperature=0.5, stop=("x",)))
    assert "inferenceConfig" not in _body(request, LLAMA, options)
    assert _warned(request, LLAMA, options) == ["sampling_dropped", "stop_dropped"]


def test_a_profile_of_ones_own_is_known_by_the_model_behind_it() -> None:
    request = _request(sampling=Sampling(temperature=0.5))
    options = CodecOptions(card=ModelCard(name=PROFILE, base=CLAUDE_NEW))
    assert _warned(request, PROFILE, options) == ["sampling_dropped"]
    assert _encoded(request, PROFILE, options).path.startswith("/model/arn%3A")


@pytest.mark.parametrize(("tier", "written"), [("priority", "priority"), ("standard", "default"), ("auto", None)])
def test_service_tiers_have_their_names(tier: str, written: str | None) -> None:
    body = _body(_request(service_tier=tier))
    assert body.get("serviceTier") == (None if written is None else {"type": written})


def test_an_unknown_tier_is_dropped() -> None:
    assert _warned(_request(service_tier="gold")) == ["service_tier_dropped"]


# --- thinking --------------------------------------------------------------------------------------------


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
    request = _request(reasoning=reasoning)
    assert _body(request, model)["additionalModelRequestFields"] == fields
    assert _warned(request, model) == []


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
    assert warned in _warned(_request(reasoning=reasoning), model)


def test_a_budget_leaves_room_for_an_answer_and_no_sampling() -> None:
    request = _request(reasoning=ReasoningOptions(budget_tokens=4000), sampling=Sampling(temperature=0.1))
    body = _body(request, CLAUDE)
    assert body["inferenceConfig"]["maxTokens"] > 4000
    assert "temperature" not in body["inferenceConfig"]
    assert _warned(request, CLAUDE) == ["sampling_dropped"]


def test_the_highest_effort_of_nova_takes_neither_bound_nor_sampling() -> None:
    request = _request(
        reasoning=ReasoningOptions(effort="high"), max_output_tokens=100, sampling=Sampling(temperature=0.1)
    )
    assert "inferenceConfig" not in _body(request, NOVA_2)
    assert _warned(request, NOVA_2) == ["max_output_tokens_dropped", "sampling_dropped"]


# --- vendor options --------------------------------------------------------------------------------------


def test_vendor_options_stand_at_the_top_or_among_the_models_own() -> None:
    guardrail = {"guardrailIdentifier": "g", "guardrailVersion": "1", "trace": "enabled"}
    extra = {
        "bedrock": {
            "guardrailConfig": guardrail,
            "anthropic_beta": ["x"],
            "inferenceConfig": {"maxTokens": 7},
            "additionalModelRequestFields": {"top_k": 9},
        },
        "entry": {"performanceConfig": {"latency": "optimized"}},
    }
    request = _request(
        sampling=Sampling(temperature=0.5),
        extra={name: msgspec.Raw(json.dumps(value).encode()) for name, value in extra.items()},
    )
    body = _body(request, CLAUDE, CodecOptions(provider="entry"))
    assert body["guardrailConfig"] == guardrail
    assert body["performanceConfig"] == {"latency": "optimized"}
    assert body["inferenceConfig"] == {"temperature": 0.5, "maxTokens": 7}
    assert body["additionalModelRequestFields"] == {"anthropic_beta": ["x"], "top_k": 9}


def test_vendor_options_of_the_wrong_form_are_refused() -> None:
    extra = {"bedrock": msgspec.Raw(b'{"inferenceConfig": 3}')}
    assert _refused(_request(extra=extra)).param == "extra.bedrock.inferenceConfig"


# --- models ----------------------------------------------------------------------------------------------


def test_models_are_listed_at_the_control_plane() -> None:
    codec = codec_for("bedrock")
    request = codec.list_models_request(CodecOptions())
    assert request.url_at("https://bedrock-runtime.eu-west-1.amazonaws.com/") == (
        "https://bedrock.eu-west-1.amazonaws.com/foundation-models?byOutputModality=TEXT"
    )
    own = request.url_at("http://127.0.0.1:8080/bedrock-runtime")
    assert own == "http://127.0.0.1:8080/bedrock-runtime/foundation-models?byOutputModality=TEXT"
    assert codec.decode_models(b'{"modelSummaries":[{"modelId":"a"},{"modelId":null},{}]}') == ("a",)
    assert codec.decode_models(b'{"inferenceProfileSummaries":[{"inferenceProfileId":"us.a"}]}') == ("us.a",)
    assert codec.decode_models(b"<html>") == ()
