"""Responses requests: what every part and turn of a conversation goes out as, and what is left out of it."""

from __future__ import annotations

from typing import Any

import pytest

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
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
    VendorTurn,
    text_turn,
)
from manus.messages.failures import Failed
from tests.codecs.responses_asked import (
    ANSWERED,
    ASK,
    CALLED,
    COLD,
    OSLO,
    PNG,
    SEALED,
    THINKER,
    WIRE,
    body_of,
    input_of,
    raw_of,
    request_of,
    thought,
    warned,
)


@pytest.mark.parametrize(
    ("part", "written"),
    [
        (Image(data=PNG), {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgox"}),
        (
            Image(url="https://e.org/a.png", detail="high"),
            {"type": "input_image", "image_url": "https://e.org/a.png", "detail": "high"},
        ),
        (Image(file_id="file-1"), {"type": "input_image", "file_id": "file-1"}),
        (Document(file_id="file-2"), {"type": "input_file", "file_id": "file-2"}),
        (Document(url="https://e.org/a.pdf"), {"type": "input_file", "file_url": "https://e.org/a.pdf"}),
        (
            Document(data=b"%PDF", name="a.pdf"),
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
        ),
        (Document(text="words", name="a.txt"), {"type": "input_text", "text": "a.txt:\nwords"}),
        (
            Document(data=b"a,b", name="a.csv", media_type="text/csv"),
            {"type": "input_text", "text": "a.csv:\na,b"},
        ),
        (Audio(data=b"RIFF"), {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}),
        (Refusal(text="No."), {"type": "input_text", "text": "No."}),
    ],
)
def test_what_a_user_can_show(part: Any, written: dict[str, Any]) -> None:
    turn = Turn(role="user", parts=(Text(text="See:"), part))

    assert input_of(turn) == [{"role": "user", "content": [{"type": "input_text", "text": "See:"}, written]}]


def test_the_models_words_go_back_plain_and_its_refusals_as_such() -> None:
    assert input_of(*ASK, text_turn("assistant", "Hello."))[1] == {"role": "assistant", "content": "Hello."}
    assert input_of(*ASK, Turn(role="assistant", parts=(Refusal(text="No."),)))[1] == {
        "role": "assistant",
        "content": [{"type": "refusal", "refusal": "No."}],
    }


def test_sources_go_back_with_the_words_they_stand_by() -> None:
    source = {"type": "url_citation", "start_index": 0, "end_index": 2, "url": "https://e.org", "title": "E"}
    turn = Turn(role="assistant", parts=(Text(text="It is."), Citation(raw=raw_of(source)), Text(text="So.")))

    assert input_of(*ASK, turn)[1]["content"] == [
        {"type": "output_text", "text": "It is.", "annotations": [source]},
        {"type": "output_text", "text": "So.", "annotations": []},
    ]


@pytest.mark.parametrize(
    "foreign",
    [
        {"type": "url_citation", "url_citation": {"url": "https://e.org"}},
        {"type": "char_location", "cited_text": "x"},
        ["no", "object"],
    ],
)
def test_sources_in_another_wires_form_are_left_out(foreign: object) -> None:
    turn = Turn(role="assistant", parts=(Text(text="It is."), Citation(raw=raw_of(foreign))))

    assert input_of(*ASK, turn)[1] == {"role": "assistant", "content": "It is."}


def test_thinking_goes_back_sealed_and_before_what_it_led_to() -> None:
    turn = Turn(role="assistant", parts=(thought(text="Hm."), Text(text="Let me look."), OSLO))

    assert input_of(*ASK, turn, COLD)[1:] == [
        {**SEALED, "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"role": "assistant", "content": "Let me look."},
        CALLED,
        ANSWERED,
    ]


@pytest.mark.parametrize(
    "thought",
    [
        thought(encrypted=None),
        thought(provider="anthropic"),
        thought(provider="azure-responses"),
        thought(model="gpt-5.5"),
    ],
    ids=["unsealed", "of another vendor", "of another account's service", "of another model"],
)
def test_thinking_that_would_be_refused_is_left_out(thought: Reasoning) -> None:
    assert input_of(*ASK, Turn(role="assistant", parts=(thought, OSLO)), COLD)[1:] == [CALLED, ANSWERED]


def test_thinking_that_led_to_nothing_is_left_out() -> None:
    turns = (*ASK, Turn(role="assistant", parts=(thought(),)), text_turn("user", "Well?"))

    assert input_of(*turns) == [{"role": "user", "content": "Hi"}, {"role": "user", "content": "Well?"}]


def test_items_of_the_vendors_own_tools_go_back_as_they_came() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    own = Opaque(provider=WIRE, kind="web_search_call", raw=raw_of(search), model=THINKER)
    others = Opaque(provider="anthropic", kind="server_tool_use", raw=raw_of({"x": 1}), model=THINKER)
    turn = Turn(role="assistant", parts=(thought(), own, others, Text(text="Found.")))

    assert input_of(*ASK, turn)[1:] == [SEALED, search, {"role": "assistant", "content": "Found."}]


def test_a_turn_that_its_parts_cannot_say_is_replayed() -> None:
    items = [SEALED, {"type": "message", "id": "msg_1", "role": "assistant", "phase": "commentary", "content": []}]
    vendor = VendorTurn(provider=WIRE, model=THINKER, raw=raw_of(items))
    turn = Turn(role="assistant", parts=(thought(), Text(text="Looking.")), vendor=vendor)

    assert input_of(*ASK, turn)[1:] == items
    assert input_of(*ASK, turn, model="gpt-5.5")[1:] == [{"role": "assistant", "content": "Looking."}]


def test_a_replayed_turn_does_not_name_what_only_a_stored_answer_could() -> None:
    items = [{"type": "reasoning", "id": "rs_1", "summary": []}, {**CALLED, "id": "fc_1", "namespace": "n"}]
    vendor = VendorTurn(provider=WIRE, model=THINKER, raw=raw_of(items))

    assert input_of(*ASK, Turn(role="assistant", parts=(OSLO,), vendor=vendor), COLD)[1:] == [
        {**CALLED, "namespace": "n"},
        ANSWERED,
    ]


def test_a_vendor_turn_that_is_none_is_refused_with_its_place() -> None:
    vendor = VendorTurn(provider=WIRE, model=THINKER, raw=raw_of({"not": "a list"}))
    turns = (*ASK, Turn(role="assistant", parts=(Text(text="x"),), vendor=vendor))
    failure = codec_for(WIRE).encode(request_of(turns), THINKER, CodecOptions())

    assert isinstance(failure, Failed)
    assert (failure.kind, failure.param) == ("invalid_request", "turns.vendor")


def test_a_call_that_was_cut_short_goes_back_wrapped() -> None:
    cut = ToolCall(id="call_1", name="get_weather", arguments='{"ci', valid=False)

    assert input_of(*ASK, Turn(role="assistant", parts=(cut,)), COLD)[1]["arguments"] == '{"_raw":"{\\"ci"}'


def test_results_hold_pictures_and_say_in_words_that_they_are_errors() -> None:
    result = ToolResult(id="call_1", content=(Text(text="Chart:"), Image(data=PNG)), is_error=True)
    items = input_of(*ASK, Turn(role="assistant", parts=(OSLO,)), Turn(role="tool", parts=(result,)))

    assert items[2]["output"] == [
        {"type": "input_text", "text": "Error:"},
        {"type": "input_text", "text": "Chart:"},
        {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgox"},
    ]
    failed = Turn(role="tool", parts=(ToolResult(id="call_1", content=(Text(text="gone"),), is_error=True),))
    assert input_of(*ASK, Turn(role="assistant", parts=(OSLO,)), failed)[2]["output"] == "Error: gone"


def test_ids_and_names_that_the_wire_refuses_are_made_again_alike_on_both_sides() -> None:
    long = ToolCall(id="x" * 65, name="files.read", arguments="{}")
    turns = (*ASK, Turn(role="assistant", parts=(long,)), Turn(role="tool", parts=(ToolResult(id="x" * 65),)))
    _, call, result = input_of(*turns)

    assert call["call_id"] == result["call_id"]
    assert len(call["call_id"]) <= 64
    assert call["name"] == "files_read"


def test_a_speakers_name_is_dropped_with_a_warning() -> None:
    request = request_of((Turn(role="user", parts=(Text(text="Hi"),), name="ann"),))

    assert warned(request) == ["name_dropped"]
    assert body_of(request)["input"] == [{"role": "user", "content": "Hi"}]


def test_pictures_in_an_answer_are_refused() -> None:
    failure = codec_for(WIRE).encode(
        request_of((Turn(role="assistant", parts=(Image(data=PNG),)),)), THINKER, CodecOptions()
    )

    assert isinstance(failure, Failed)
    assert failure.kind == "unsupported"
