"""How a conversation becomes `system` and `messages`: roles, order, emptiness, breakpoints, what goes back to whom."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from manus.actors.codecs.anthropic_messages import GO_ON
from manus.actors.codecs.normalise import OPENING, UNANSWERED
from manus.messages.content import (
    Audio,
    Citation,
    Document,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    text_turn,
)
from manus.messages.policy import ModelCard
from manus.messages.requests import OutputFormat, ReasoningOptions, Tool
from tests.codecs.anthropic_requests import OPUS_55, SONNET_45, USER, asked, body_of, raw, refused, sent, warned

PNG = b"\x89PNG\r\n\x1a\n0000"
JPEG = b"\xff\xd8\xff0000"
HI = {"role": "user", "content": "Hi"}


def messages(*turns: Turn, model: str = SONNET_45) -> list[dict[str, Any]]:
    """Give the messages that are written for these turns."""
    written: list[dict[str, Any]] = body_of(asked(*turns), model)["messages"]
    return written


def user_blocks(*parts: Any) -> list[dict[str, Any]]:
    """Give the blocks that a user's parts become."""
    content = messages(Turn(role="user", parts=parts))[0]["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def called(call_id: str = "toolu_1", arguments: str = '{"a": 1}', **fields: Any) -> ToolCall:
    """Make a call."""
    return ToolCall(id=call_id, name="f", arguments=arguments, **fields)


def replied(call_id: str = "toolu_1", *content: Text | Image, **fields: Any) -> Turn:
    """Make a turn with one result."""
    return Turn(role="tool", parts=(ToolResult(id=call_id, content=content or (Text(text="4"),), **fields),))


def assistant(*parts: Any) -> Turn:
    """Make a turn of the assistant."""
    return Turn(role="assistant", parts=parts)


# --- system and roles ------------------------------------------------------------------------------------


def test_leading_system_turns_stand_apart() -> None:
    body = body_of(asked(text_turn("system", "A"), text_turn("system", " "), text_turn("system", "B"), USER))
    assert body["system"] == [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]
    assert body["messages"] == [HI]
    assert body_of(asked(text_turn("system", "A"), USER))["system"] == "A"


def test_a_later_system_turn_is_the_users_word_where_the_model_takes_none() -> None:
    written = messages(USER, text_turn("assistant", "Yes?"), text_turn("system", "Be brief."), USER)
    assert [message["role"] for message in written] == ["user", "assistant", "user"]
    assert [block["text"] for block in written[2]["content"]] == ["<system>", "Be brief.", "</system>", "Hi"]


def test_a_later_system_turn_keeps_its_role_where_the_model_takes_it_there() -> None:
    written = messages(USER, text_turn("system", "Be brief."), model=OPUS_55)
    assert written == [HI, {"role": "system", "content": "Be brief."}]
    before_assistant = (USER, text_turn("system", "S"), text_turn("assistant", "A"), USER)
    assert [m["role"] for m in messages(*before_assistant, model=OPUS_55)] == ["user", "system", "assistant", "user"]


def test_a_system_turn_in_a_place_that_is_refused_is_the_users_word_on_every_model() -> None:
    between = (USER, text_turn("system", "S"), text_turn("user", "more"))
    (written,) = messages(*between, model=OPUS_55)
    assert [block["text"] for block in written["content"]] == ["Hi", "<system>", "S", "</system>", "more"]
    after = (USER, text_turn("assistant", "A"), text_turn("system", "S"))
    assert [m["role"] for m in messages(*after, model=OPUS_55)] == ["user", "assistant", "user"]


def test_neighbours_of_one_role_are_one_message() -> None:
    written = messages(USER, text_turn("user", "there"), text_turn("assistant", "A"), text_turn("assistant", "B"), USER)
    assert [message["role"] for message in written] == ["user", "assistant", "user"]
    assert [block["text"] for block in written[0]["content"]] == ["Hi", "there"]
    assert [block["text"] for block in written[1]["content"]] == ["A", "B"]


def test_the_first_word_is_the_users() -> None:
    written = messages(text_turn("assistant", "Welcome"), USER)
    assert written[0] == {"role": "user", "content": OPENING}
    nothing = Turn(role="user", parts=(Document(text=" "),))
    assert messages(nothing, text_turn("assistant", "A"), USER)[0] == {"role": "user", "content": OPENING}
    assert messages(text_turn("system", "S")) == [{"role": "user", "content": OPENING}]


def test_a_speakers_name_is_not_sent_and_said_so() -> None:
    request = asked(Turn(role="user", name="ann", parts=(Text(text="Hi"),)))
    assert body_of(request)["messages"] == [HI]
    assert warned(request) == ["turn_name_dropped"]


def test_a_system_turn_with_a_picture_is_refused() -> None:
    failed = refused(asked(Turn(role="system", parts=(Image(data=PNG),)), USER))
    assert (failed.kind, failed.param) == ("unsupported", "turns.system")


# --- calls and results -----------------------------------------------------------------------------------


def test_results_stand_first_in_the_users_message_and_all_together() -> None:
    turns = (USER, assistant(called("a"), called("b")), replied("b"), replied("a"), text_turn("user", "So?"))
    written = messages(*turns)
    assert [message["role"] for message in written] == ["user", "assistant", "user"]
    assert [block["type"] for block in written[2]["content"]] == ["tool_result", "tool_result", "text"]
    assert [block["tool_use_id"] for block in written[2]["content"][:2]] == ["a", "b"]


def test_arguments_are_an_object_also_where_they_were_none() -> None:
    turns = (USER, assistant(called("a"), called("b", '{"a": tr', valid=False), called("c", "[1]")))
    blocks = messages(*turns)[1]["content"]
    assert [block["input"] for block in blocks] == [{"a": 1}, {"_raw": '{"a": tr'}, {"_raw": "[1]"}]


def test_a_call_without_a_result_gets_one() -> None:
    written = messages(USER, assistant(called("a")))
    assert written[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "a", "content": UNANSWERED, "is_error": True}
    ]


def test_ids_and_names_of_other_vendors_are_made_to_fit() -> None:
    call = ToolCall(id="call.1:x", name="my tool.v2")
    written = messages(USER, assistant(call), replied("call.1:x"))
    (use,), (result,) = written[1]["content"], written[2]["content"]
    assert use["id"] == result["tool_use_id"]
    assert use["id"].isalnum() or "_" in use["id"]
    assert use["name"] == "my_tool_v2"


def test_a_result_without_content_has_none() -> None:
    written = messages(USER, assistant(called()), Turn(role="tool", parts=(ToolResult(id="toolu_1"),)))
    assert written[2]["content"] == [{"type": "tool_result", "tool_use_id": "toolu_1"}]


def test_a_result_holds_pictures_and_says_that_it_is_an_error() -> None:
    written = messages(USER, assistant(called()), replied("toolu_1", Text(text="x"), Image(data=PNG), is_error=True))
    (block,) = written[2]["content"]
    assert [piece["type"] for piece in block["content"]] == ["text", "image"]
    assert block["is_error"] is True


# --- what the assistant said -----------------------------------------------------------------------------


def test_signed_thinking_goes_back_to_its_own_model_unchanged_and_first() -> None:
    own: dict[str, Any] = {"provider": "anthropic", "model": SONNET_45}
    turn = assistant(
        Reasoning(text="Hm", signature="s1", **own),
        Reasoning(text="", signature="s2", **own),
        Reasoning(redacted="blob", **own),
        Reasoning(text="cut off", **own),
        Text(text="Done"),
    )
    blocks = messages(USER, turn, USER)[1]["content"]
    assert blocks == [
        {"type": "thinking", "thinking": "Hm", "signature": "s1"},
        {"type": "thinking", "thinking": "", "signature": "s2"},
        {"type": "redacted_thinking", "data": "blob"},
        {"type": "text", "text": "Done"},
    ]


@pytest.mark.parametrize(("provider", "model"), [("openai-responses", SONNET_45), ("anthropic", "claude-opus-4-5")])
def test_thinking_of_another_vendor_or_model_is_left_out(provider: str, model: str) -> None:
    foreign = Reasoning(text="Hm", signature="s", encrypted="e", provider=provider, model=model)
    assert messages(USER, assistant(foreign, Text(text="A")), USER)[1]["content"] == "A"


def test_parts_that_were_carried_unread_go_back_as_they_came() -> None:
    use = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"q": "ü"}}
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"encrypted_content": "x"}]}
    parts = [
        Opaque(provider="anthropic", kind=block["type"], raw=raw(block), model=SONNET_45)  # type: ignore[arg-type]
        for block in (use, found)
    ]
    assert messages(USER, assistant(*parts, Text(text="A")), USER)[1]["content"][:2] == [use, found]
    foreign = Opaque(provider="openai-responses", kind="web_search_call", raw=raw({"type": "web_search_call"}))
    assert messages(USER, assistant(foreign, Text(text="A")), USER)[1]["content"] == "A"


def test_sources_go_back_with_their_text_if_they_are_of_this_wire() -> None:
    place = {"type": "char_location", "cited_text": "x", "document_index": 0}
    other = {"type": "url_citation", "url": "https://example.com"}
    turn = assistant(Text(text="A"), Citation(raw=raw(place)), Citation(raw=raw(other)), Text(text="B"))
    assert messages(USER, turn, USER)[1]["content"] == [
        {"type": "text", "text": "A", "citations": [place]},
        {"type": "text", "text": "B"},
    ]


def test_a_call_made_by_the_vendors_code_keeps_its_caller_and_its_container() -> None:
    caller = {"type": "code_execution_20250825", "tool_id": "srvtoolu_1"}
    own: dict[str, Any] = {"provider": "anthropic", "model": SONNET_45}
    turn = assistant(
        Opaque(kind="tool_use_caller", raw=raw(caller), **own),
        called(),
        Opaque(kind="container", raw=raw({"id": "cont_1", "expires_at": "2026-11-23T00:00:00Z"}), **own),
    )
    body = body_of(asked(USER, turn, replied()))
    (block,) = body["messages"][1]["content"]
    assert block["caller"] == caller
    assert body["container"] == "cont_1"
    assert "container" not in body_of(asked(USER, turn, replied(), text_turn("assistant", "4"), USER))


def test_a_refusal_is_what_the_assistant_said() -> None:
    assert messages(USER, assistant(Refusal(text="No.")), USER)[1]["content"] == "No."


def test_blank_text_is_left_out_and_a_turn_of_nothing_else_too() -> None:
    written = messages(USER, assistant(Text(text=" \n")), Turn(role="user", parts=(Text(text=""), Text(text="Yes"))))
    assert written == [{"role": "user", "content": [{"type": "text", "text": t} for t in ("Hi", "Yes")]}]


def test_a_picture_in_the_assistants_turn_is_refused() -> None:
    assert refused(asked(USER, assistant(Image(data=PNG)), USER)).kind == "unsupported"


# --- the last turn is the assistant's --------------------------------------------------------------------


def test_older_models_continue_the_assistants_last_words() -> None:
    written = messages(USER, text_turn("assistant", "Once upon \n"))
    assert written[-1] == {"role": "assistant", "content": "Once upon"}
    assert messages(USER, text_turn("assistant", "  ")) == [HI]


@pytest.mark.parametrize("model", ["claude-opus-4-6", OPUS_55, "other"])
def test_newer_models_are_asked_to_go_on(model: str) -> None:
    request = asked(USER, text_turn("assistant", "Once upon"))
    assert body_of(request, model)["messages"][1:] == [
        {"role": "assistant", "content": "Once upon"},
        {"role": "user", "content": GO_ON},
    ]
    assert warned(request, model) == ["prefill_in_words"]
    card = ModelCard(name=model, prefill=True)
    assert body_of(request, model, card=card)["messages"][-1]["role"] == "assistant"


def test_last_words_are_not_continued_while_thinking_or_in_a_schema() -> None:
    turns = (USER, text_turn("assistant", "Once upon"))
    schema = raw({"type": "object", "properties": {"a": {"type": "string"}}})
    for fields in ({"reasoning": ReasoningOptions(budget_tokens=2000)}, {"output": OutputFormat(schema=schema)}):
        assert body_of(asked(*turns, **fields))["messages"][-1] == {"role": "user", "content": GO_ON}


def test_a_turn_that_the_vendor_paused_is_sent_as_it_is() -> None:
    use = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    own: dict[str, Any] = {"provider": "anthropic", "model": OPUS_55}
    held = Opaque(kind="container", raw=raw({"id": "cont_1"}), **own)
    paused = assistant(Text(text="Let me see"), Opaque(kind="server_tool_use", raw=raw(use), **own), held)
    request = asked(USER, paused)
    assert body_of(request, OPUS_55)["messages"][-1]["content"][-1] == use
    assert body_of(request, OPUS_55)["container"] == "cont_1"
    assert warned(request, OPUS_55) == []


# --- pictures and documents ------------------------------------------------------------------------------


def test_pictures_come_as_bytes_with_their_true_type_as_urls_and_as_files() -> None:
    blocks = user_blocks(
        Image(data=JPEG, media_type="image/png"), Image(url="https://example.com/a.png"), Image(file_id="file_1")
    )
    assert [block["source"] for block in blocks] == [
        {"type": "base64", "media_type": "image/jpeg", "data": base64.b64encode(JPEG).decode()},
        {"type": "url", "url": "https://example.com/a.png"},
        {"type": "file", "file_id": "file_1"},
    ]


def test_a_file_of_the_vendors_store_needs_its_beta() -> None:
    for part in (Image(file_id="file_1"), Document(file_id="file_1")):
        headers = dict(sent(asked(Turn(role="user", parts=(part,)))).headers)
        assert headers["anthropic-beta"] == "files-api-2025-04-14"


def test_documents_come_in_four_forms() -> None:
    blocks = user_blocks(
        Document(data=b"%PDF-1.7", name="a.pdf"),
        Document(data=b"a,b", media_type="text/csv", name="t.csv"),
        Document(text="plain"),
        Document(url="https://example.com/b.pdf"),
        Document(text="  "),
    )
    assert blocks == [
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjc="},
            "title": "a.pdf",
        },
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "a,b"},
            "title": "t.csv",
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}},
        {"type": "document", "source": {"type": "url", "url": "https://example.com/b.pdf"}},
    ]


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (Image(data=b"BM00", media_type="image/bmp"), "turns.image.media_type"),
        (Document(data=b"PK", media_type="application/msword"), "turns.document.media_type"),
        (Audio(data=b"RIFF"), "turns.audio"),
    ],
)
def test_what_the_wire_cannot_hold_is_refused_by_name(part: Any, param: str) -> None:
    failed = refused(asked(Turn(role="user", parts=(part,))))
    assert (failed.kind, failed.param) == ("unsupported", param)


# --- breakpoints -----------------------------------------------------------------------------------------


def test_breakpoints_stand_on_the_blocks_that_they_end_with() -> None:
    own: dict[str, Any] = {"provider": "anthropic", "model": SONNET_45}
    turns = (
        Turn(role="system", parts=(Text(text="S", cache="long"),)),
        USER,
        assistant(Text(text="A"), Reasoning(text="t", signature="s", cache="short", **own), called()),
        replied("toolu_1", Text(text="4", cache="short")),
    )
    body = body_of(asked(*turns, tools=(Tool(name="f"),)))
    assert body["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    text, thought, call = body["messages"][1]["content"]
    assert (text["cache_control"], "cache_control" in thought, "cache_control" in call) == (
        {"type": "ephemeral"},
        False,
        False,
    )
    assert body["messages"][2]["content"][0]["cache_control"] == {"type": "ephemeral"}


def test_of_too_many_breakpoints_the_first_and_the_last_stay() -> None:
    parts = tuple(Text(text=str(number), cache="short") for number in range(6))
    request = asked(Turn(role="user", parts=parts))
    kept = [block["text"] for block in body_of(request)["messages"][0]["content"] if "cache_control" in block]
    assert kept == ["0", "3", "4", "5"]
    assert warned(request) == ["cache_breakpoints_dropped"]


def test_a_long_life_after_a_short_one_becomes_short() -> None:
    request = asked(Turn(role="user", parts=(Text(text="a", cache="short"), Text(text="b", cache="long"))))
    marks = [block["cache_control"] for block in body_of(request)["messages"][0]["content"]]
    assert marks == [{"type": "ephemeral"}, {"type": "ephemeral"}]
    assert warned(request) == ["cache_life_shortened"]


def test_breakpoints_of_the_callers_own_tools_count() -> None:
    marked = {"type": "web_search_20250305", "name": "w", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    extra = {"anthropic": raw({"tools": [marked]})}
    parts = tuple(Text(text=str(number), cache="short") for number in range(4))
    request = asked(Turn(role="user", parts=parts), extra=extra)
    body = body_of(request)
    assert body["tools"] == [marked]
    assert sum("cache_control" in block for block in body["messages"][0]["content"]) == 3
    assert warned(request) == ["cache_breakpoints_dropped"]


def test_a_longer_conversation_begins_with_the_same_bytes() -> None:
    asks = (text_turn("system", "S"), USER, assistant(Text(text="A"), called()), replied())
    before = msgspec.json.encode(messages(*asks))
    after = msgspec.json.encode(messages(*asks, text_turn("assistant", "B"), USER))
    assert after.startswith(before[:-1])
