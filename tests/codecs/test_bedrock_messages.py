"""A conversation as Converse takes it: parts, neighbours, the assistant's own turns, cache points."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from manus.actors.codecs.base import CodecOptions
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
from manus.messages.policy import ModelCard
from manus.messages.requests import OutputFormat, ToolChoice

# Any, throughout this file: JSON.
from tests.codecs.bedrock_asking import (
    ASK,
    CLAUDE,
    CLAUDE_3,
    CLAUDE_NEW,
    CLOCK,
    LLAMA,
    MISTRAL,
    NOVA,
    PNG,
    QWEN,
    SCHEMA,
    TITAN,
    WEATHER,
    asking,
    body_of,
    content_of,
    from_user,
    refusal_of,
    tool_loop,
    warnings_of,
)

# --- messages ------------------------------------------------------------------------------------------


def test_leading_system_turns_stand_apart_and_later_ones_are_said_by_the_user() -> None:
    turns = (text_turn("system", "Be terse."), text_turn("user", "Hi"), text_turn("system", "Be kind."))
    body = body_of(asking(turns))
    assert body["system"] == [{"text": "Be terse."}]
    said = "".join(block["text"] for block in body["messages"][0]["content"])
    assert said == "Hi<system>Be kind.</system>"


def test_a_family_without_system_text_hears_it_from_the_user() -> None:
    body = body_of(asking((text_turn("system", "Be terse."), *ASK)), TITAN)
    assert "system" not in body
    assert body["messages"] == [{"role": "user", "content": [{"text": "Be terse."}, {"text": "Hi"}]}]


def test_neighbours_of_one_role_become_one_message_and_blank_text_goes() -> None:
    turns = (*from_user(Text(text="a"), Text(text=" ")), text_turn("user", "b"), text_turn("assistant", "c"), *ASK)
    assert body_of(asking(turns))["messages"] == [
        {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
        {"role": "assistant", "content": [{"text": "c"}]},
        {"role": "user", "content": [{"text": "Hi"}]},
    ]


def test_a_conversation_begins_with_the_user() -> None:
    messages = body_of(asking((text_turn("assistant", "Hello!"), *ASK)))["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]


def test_an_image_goes_as_bytes_in_the_format_of_its_own_first_bytes() -> None:
    (block,) = content_of(Image(data=PNG, media_type="image/jpeg"))
    assert block == {"image": {"format": "png", "source": {"bytes": base64.b64encode(PNG).decode()}}}
    (block,) = content_of(Image(file_id="s3://bucket/cat.webp", media_type="image/webp"))
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
    failure = refusal_of(asking(from_user(part)))
    assert (failure.kind, failure.param, failure.safe_to_retry) == ("unsupported", param, True)


def test_an_assistant_cannot_show_a_picture() -> None:
    turns = (*ASK, Turn(role="assistant", parts=(Image(data=PNG),)), *ASK)
    assert refusal_of(asking(turns)).kind == "unsupported"


def test_a_document_is_named_as_bedrock_allows_and_has_text_beside_it() -> None:
    content = content_of(
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
    content = content_of(Text(text="Read."), Document(text="x", name="a"))
    assert [next(iter(block)) for block in content] == ["text", "document"]


def test_sound_goes_as_bytes() -> None:
    (block,) = content_of(Audio(data=b"RIFF", format="wav"))
    assert block == {"audio": {"format": "wav", "source": {"bytes": base64.b64encode(b"RIFF").decode()}}}


# --- the assistant's own turns -------------------------------------------------------------------------


def test_a_tool_round_trip_stands_in_three_messages() -> None:
    body = body_of(asking(tool_loop(), tools=(WEATHER,)))
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": [{"toolUse": {"toolUseId": "t1", "name": "get_weather", "input": {"city": "Oslo"}}}],
        },
        {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "4 C"}]}}]},
    ]


def test_results_say_that_they_are_errors_and_are_never_empty() -> None:
    failed = ToolResult(id="t1", content=(Text(text="no such city"),), is_error=True)
    (block,) = body_of(asking(tool_loop(result=failed), tools=(WEATHER,)))["messages"][2]["content"]
    assert block["toolResult"]["status"] == "error"
    (block,) = body_of(asking(tool_loop(result=ToolResult(id="t1")), tools=(WEATHER,)))["messages"][2]["content"]
    assert block["toolResult"] == {"toolUseId": "t1", "content": [{"text": "(no output)"}]}
    (block,) = body_of(asking(tool_loop(result=failed), tools=(WEATHER,)), "writer.palmyra-x5-v1:0")["messages"][2][
        "content"
    ]
    assert block["toolResult"] == {"toolUseId": "t1", "content": [{"text": "Error:"}, {"text": "no such city"}]}


def test_pictures_in_results_stand_inside_or_behind_as_the_family_takes_them() -> None:
    seen = ToolResult(id="t1", content=(Text(text="a cat"), Image(data=PNG)))
    (block,) = body_of(asking(tool_loop(result=seen), tools=(WEATHER,)), CLAUDE)["messages"][2]["content"]
    assert [next(iter(part)) for part in block["toolResult"]["content"]] == ["text", "image"]
    blocks = body_of(asking(tool_loop(result=seen), tools=(WEATHER,)), QWEN)["messages"][2]["content"]
    assert [next(iter(block)) for block in blocks] == ["toolResult", "text", "image"]


@pytest.mark.parametrize("model", [LLAMA, MISTRAL])
def test_results_stand_alone_where_the_family_wants_it(model: str) -> None:
    messages = body_of(asking(tool_loop(text_turn("user", "In French!")), tools=(WEATHER,)), model)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant", "user"]
    assert [next(iter(block)) for block in messages[2]["content"]] == ["toolResult"]
    assert messages[4]["content"] == [{"text": "In French!"}]
    together = body_of(asking(tool_loop(text_turn("user", "In French!")), tools=(WEATHER,)), CLAUDE)["messages"][2][
        "content"
    ]
    assert [next(iter(block)) for block in together] == ["toolResult", "text"]


def test_what_is_asked_besides_never_stands_beside_results_that_must_be_alone() -> None:
    request = asking(tool_loop(), tools=(WEATHER,), tool_choice=ToolChoice(mode="required"))
    messages = body_of(request, LLAMA)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant", "user"]
    assert [next(iter(block)) for block in messages[2]["content"]] == ["toolResult"]
    assert "Call a tool" in messages[4]["content"][0]["text"]


def test_a_result_that_is_an_object_goes_as_json_where_that_is_read_better() -> None:
    result = ToolResult(id="t1", content=(Text(text='{"c": 4}'), Text(text="{not json"), Text(text="[1]")))
    (block,) = body_of(asking(tool_loop(result=result), tools=(WEATHER,)), MISTRAL)["messages"][2]["content"]
    assert block["toolResult"]["content"] == [{"json": {"c": 4}}, {"text": "{not json"}, {"text": "[1]"}]


def test_arguments_that_are_no_object_go_wrapped() -> None:
    for call in (
        ToolCall(id="t1", name="f", arguments='{"city":"Os', valid=False),
        ToolCall(id="t1", name="f", arguments="[1]"),
    ):
        turns = (*ASK, Turn(role="assistant", parts=(call,)), *ASK)
        use = body_of(asking(turns))["messages"][1]["content"][0]["toolUse"]
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
    assert body_of(asking(turns), CLAUDE)["messages"][1]["content"] == [
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
    first = body_of(asking(begun, **asked), CLAUDE_NEW)
    second = body_of(asking((*begun, *answered(1)), **asked), CLAUDE_NEW)
    third = body_of(asking((*begun, *answered(1), *answered(2)), **asked), CLAUDE_NEW)
    assert "count" in first["messages"][-1]["content"][-1]["text"]
    for earlier, later in ((first, second), (second, third)):
        assert later["messages"][: len(earlier["messages"])] == earlier["messages"]
        assert (later["toolConfig"], later.get("system")) == (earlier["toolConfig"], earlier.get("system"))
    assert "S0" not in json.dumps(third)
    assert [seal for seal in ("S1", "S2") if seal in json.dumps(third)] == ["S1", "S2"]
    over = body_of(
        asking((*begun, *answered(1), text_turn("assistant", "4 C."), text_turn("user", "Thanks"))), CLAUDE_NEW
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
    assert body_of(asking(turns), "m")["messages"][1]["content"] == [block, {"text": "x"}]
    assert body_of(asking(turns), "n")["messages"][1]["content"] == [{"text": "x"}]


def test_a_last_word_of_the_assistant_is_a_beginning_or_is_asked_for() -> None:
    turns = (*ASK, text_turn("assistant", "Once upon \n"))
    assert body_of(asking(turns), CLAUDE)["messages"][-1] == {"role": "assistant", "content": [{"text": "Once upon"}]}
    for model in (CLAUDE_NEW, NOVA, LLAMA):
        assert body_of(asking(turns), model)["messages"][-1]["role"] == "user"
        assert "prefill_in_words" in warnings_of(asking(turns), model)
    assert body_of(asking(turns, tools=(CLOCK,)), CLAUDE)["messages"][-1]["role"] == "user"


def test_what_is_asked_besides_does_not_end_a_beginning_of_the_answer() -> None:
    request = asking((*ASK, text_turn("assistant", "{")), output=OutputFormat())
    messages = body_of(request, CLAUDE)["messages"]
    assert messages[-1] == {"role": "assistant", "content": [{"text": "{"}]}
    assert "JSON object" in messages[0]["content"][-1]["text"]


# --- caching -------------------------------------------------------------------------------------------


def test_cache_points_stand_behind_what_they_cover() -> None:
    turns = (
        Turn(role="system", parts=(Text(text="Long rules.", cache="long"),)),
        *from_user(Document(text="x", name="a", cache="short"), Text(text="Hi")),
    )
    body = body_of(asking(turns), CLAUDE)
    assert body["system"] == [{"text": "Long rules."}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    kinds = [next(iter(block)) for block in body["messages"][0]["content"]]
    assert kinds == ["document", "text", "cachePoint", "text"]


def test_too_many_cache_points_leave_the_first_and_the_last() -> None:
    parts = [Text(text=str(number), cache="short") for number in range(7)]
    content = content_of(*parts, model=CLAUDE)
    covered = [content[place - 1]["text"] for place, block in enumerate(content) if "cachePoint" in block]
    assert covered == ["0", "4", "5", "6"]
    assert "cache_points_dropped" in warnings_of(asking(from_user(*parts)), CLAUDE)


def test_a_long_life_never_follows_a_short_one_and_goes_only_where_it_is_known() -> None:
    parts = (Text(text="a", cache="short"), Text(text="b", cache="long"))
    points = [block["cachePoint"] for block in content_of(*parts, model=CLAUDE) if "cachePoint" in block]
    assert points == [{"type": "default"}, {"type": "default"}]
    assert content_of(Text(text="b", cache="long"), model=NOVA)[-1] == {"cachePoint": {"type": "default"}}


def test_families_without_a_cache_get_no_points() -> None:
    request = asking(from_user(Text(text="a", cache="short")))
    for model in (LLAMA, QWEN, CLAUDE_3):
        assert body_of(request, model)["messages"][0]["content"] == [{"text": "a"}]
        assert warnings_of(request, model) == ["cache_dropped"]
    card = CodecOptions(card=ModelCard(name=LLAMA, cache_control=True))
    assert len(body_of(request, LLAMA, card)["messages"][0]["content"]) == 2
