"""Responses requests: what goes out for every field, part and model family, and what cannot."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
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

WIRE = "openai-responses"
PNG = b"\x89PNG\r\n\x1a\n1"
ASK = (text_turn("user", "Hi"),)
THINKER = "gpt-5.6"
WEATHER = Tool(name="get_weather", schema=msgspec.Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}'))
OSLO = ToolCall(id="call_1", name="get_weather", arguments='{"city":"Oslo"}')
COLD = Turn(role="tool", parts=(ToolResult(id="call_1", content=(Text(text="4 C"),)),))


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def _request(turns: tuple[Turn, ...] = ASK, **fields: Any) -> ChatRequest:
    return ChatRequest(request_id=RequestId("r"), turns=turns, **fields)


def _encoded(request: ChatRequest, model: str = "gpt-4.1", options: CodecOptions | None = None) -> HttpRequest:
    written = codec_for(WIRE).encode(request, model, options or CodecOptions())
    assert isinstance(written, HttpRequest), written
    return written


def _body(request: ChatRequest, model: str = "gpt-4.1", options: CodecOptions | None = None) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(_encoded(request, model, options).body)
    return body


def _input(*turns: Turn, model: str = THINKER) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = _body(_request(turns), model)["input"]
    return items


def _warned(request: ChatRequest, model: str = "gpt-4.1") -> list[str]:
    return [warning.code for warning in _encoded(request, model).warnings]


def _thought(**fields: Any) -> Reasoning:
    return Reasoning(**{"encrypted": "gAAA", "id": "rs_1", "provider": WIRE, "model": THINKER, **fields})


SEALED = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
CALLED = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city":"Oslo"}'}
ANSWERED = {"type": "function_call_output", "call_id": "call_1", "output": "4 C"}


def test_nothing_is_left_at_the_server() -> None:
    assert _body(_request())["store"] is False


def test_where_and_how_a_stream_is_asked_for() -> None:
    written = _encoded(_request(stream=True))

    assert (written.method, written.path) == ("POST", "/responses")
    assert ("accept", "text/event-stream") in written.headers
    body = json.loads(written.body)
    assert body["stream"] is True
    assert "stream_options" not in body


def test_the_first_system_turn_is_the_instructions_and_later_ones_are_items() -> None:
    body = _body(_request((text_turn("system", "Be terse."), *ASK, text_turn("system", "In French now."))))

    assert body["instructions"] == "Be terse."
    assert body["input"] == [{"role": "user", "content": "Hi"}, {"role": "system", "content": "In French now."}]


def test_a_family_that_thinks_calls_the_system_the_developer() -> None:
    assert _input(*ASK, text_turn("system", "Now."))[1]["role"] == "developer"


def test_the_entry_can_say_how_system_turns_are_labelled() -> None:
    options = CodecOptions(system_role="system")
    body = _body(_request((*ASK, text_turn("system", "Now."))), THINKER, options)

    assert body["input"][1]["role"] == "system"


def test_breakpoints_are_marked_for_models_that_take_them() -> None:
    turns = (Turn(role="system", parts=(Text(text="Long.", cache="short"),)), *ASK)
    marked = [{"type": "input_text", "text": "Long.", "prompt_cache_breakpoint": {"mode": "explicit"}}]

    assert _body(_request(turns), THINKER)["input"][0] == {"role": "developer", "content": marked}
    assert _body(_request(turns), "gpt-4.1")["instructions"] == "Long."


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

    assert _input(turn) == [{"role": "user", "content": [{"type": "input_text", "text": "See:"}, written]}]


def test_the_models_words_go_back_plain_and_its_refusals_as_such() -> None:
    assert _input(*ASK, text_turn("assistant", "Hello."))[1] == {"role": "assistant", "content": "Hello."}
    assert _input(*ASK, Turn(role="assistant", parts=(Refusal(text="No."),)))[1] == {
        "role": "assistant",
        "content": [{"type": "refusal", "refusal": "No."}],
    }


def test_sources_go_back_with_the_words_they_stand_by() -> None:
    source = {"type": "url_citation", "start_index": 0, "end_index": 2, "url": "https://e.org", "title": "E"}
    turn = Turn(role="assistant", parts=(Text(text="It is."), Citation(raw=_raw(source)), Text(text="So.")))

    assert _input(*ASK, turn)[1]["content"] == [
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
    turn = Turn(role="assistant", parts=(Text(text="It is."), Citation(raw=_raw(foreign))))

    assert _input(*ASK, turn)[1] == {"role": "assistant", "content": "It is."}


def test_thinking_goes_back_sealed_and_before_what_it_led_to() -> None:
    turn = Turn(role="assistant", parts=(_thought(text="Hm."), Text(text="Let me look."), OSLO))

    assert _input(*ASK, turn, COLD)[1:] == [
        {**SEALED, "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"role": "assistant", "content": "Let me look."},
        CALLED,
        ANSWERED,
    ]


@pytest.mark.parametrize(
    "thought",
    [
        _thought(encrypted=None),
        _thought(provider="anthropic"),
        _thought(provider="azure-responses"),
        _thought(model="gpt-5.5"),
    ],
    ids=["unsealed", "of another vendor", "of another account's service", "of another model"],
)
def test_thinking_that_would_be_refused_is_left_out(thought: Reasoning) -> None:
    assert _input(*ASK, Turn(role="assistant", parts=(thought, OSLO)), COLD)[1:] == [CALLED, ANSWERED]


def test_thinking_that_led_to_nothing_is_left_out() -> None:
    turns = (*ASK, Turn(role="assistant", parts=(_thought(),)), text_turn("user", "Well?"))

    assert _input(*turns) == [{"role": "user", "content": "Hi"}, {"role": "user", "content": "Well?"}]


def test_items_of_the_vendors_own_tools_go_back_as_they_came() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    own = Opaque(provider=WIRE, kind="web_search_call", raw=_raw(search), model=THINKER)
    others = Opaque(provider="anthropic", kind="server_tool_use", raw=_raw({"x": 1}), model=THINKER)
    turn = Turn(role="assistant", parts=(_thought(), own, others, Text(text="Found.")))

    assert _input(*ASK, turn)[1:] == [SEALED, search, {"role": "assistant", "content": "Found."}]


def test_a_turn_that_its_parts_cannot_say_is_replayed() -> None:
    items = [SEALED, {"type": "message", "id": "msg_1", "role": "assistant", "phase": "commentary", "content": []}]
    vendor = VendorTurn(provider=WIRE, model=THINKER, raw=_raw(items))
    turn = Turn(role="assistant", parts=(_thought(), Text(text="Looking.")), vendor=vendor)

    assert _input(*ASK, turn)[1:] == items
    assert _input(*ASK, turn, model="gpt-5.5")[1:] == [{"role": "assistant", "content": "Looking."}]


def test_a_replayed_turn_does_not_name_what_only_a_stored_answer_could() -> None:
    items = [{"type": "reasoning", "id": "rs_1", "summary": []}, {**CALLED, "id": "fc_1", "namespace": "n"}]
    vendor = VendorTurn(provider=WIRE, model=THINKER, raw=_raw(items))

    assert _input(*ASK, Turn(role="assistant", parts=(OSLO,), vendor=vendor), COLD)[1:] == [
        {**CALLED, "namespace": "n"},
        ANSWERED,
    ]


def test_a_vendor_turn_that_is_none_is_refused_with_its_place() -> None:
    vendor = VendorTurn(provider=WIRE, model=THINKER, raw=_raw({"not": "a list"}))
    turns = (*ASK, Turn(role="assistant", parts=(Text(text="x"),), vendor=vendor))
    failure = codec_for(WIRE).encode(_request(turns), THINKER, CodecOptions())

    assert isinstance(failure, Failed)
    assert (failure.kind, failure.param) == ("invalid_request", "turns.vendor")


def test_a_call_that_was_cut_short_goes_back_wrapped() -> None:
    cut = ToolCall(id="call_1", name="get_weather", arguments='{"ci', valid=False)

    assert _input(*ASK, Turn(role="assistant", parts=(cut,)), COLD)[1]["arguments"] == '{"_raw":"{\\"ci"}'


def test_results_hold_pictures_and_say_in_words_that_they_are_errors() -> None:
    result = ToolResult(id="call_1", content=(Text(text="Chart:"), Image(data=PNG)), is_error=True)
    items = _input(*ASK, Turn(role="assistant", parts=(OSLO,)), Turn(role="tool", parts=(result,)))

    assert items[2]["output"] == [
        {"type": "input_text", "text": "Error:"},
        {"type": "input_text", "text": "Chart:"},
        {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgox"},
    ]
    failed = Turn(role="tool", parts=(ToolResult(id="call_1", content=(Text(text="gone"),), is_error=True),))
    assert _input(*ASK, Turn(role="assistant", parts=(OSLO,)), failed)[2]["output"] == "Error: gone"


def test_ids_and_names_that_the_wire_refuses_are_made_again_alike_on_both_sides() -> None:
    long = ToolCall(id="x" * 65, name="files.read", arguments="{}")
    turns = (*ASK, Turn(role="assistant", parts=(long,)), Turn(role="tool", parts=(ToolResult(id="x" * 65),)))
    _, call, result = _input(*turns)

    assert call["call_id"] == result["call_id"]
    assert len(call["call_id"]) <= 64
    assert call["name"] == "files_read"


def test_a_speakers_name_is_dropped_with_a_warning() -> None:
    request = _request((Turn(role="user", parts=(Text(text="Hi"),), name="ann"),))

    assert _warned(request) == ["name_dropped"]
    assert _body(request)["input"] == [{"role": "user", "content": "Hi"}]


def test_pictures_in_an_answer_are_refused() -> None:
    failure = codec_for(WIRE).encode(
        _request((Turn(role="assistant", parts=(Image(data=PNG),)),)), THINKER, CodecOptions()
    )

    assert isinstance(failure, Failed)
    assert failure.kind == "unsupported"


def test_tools_are_flat_and_say_whether_they_are_strict() -> None:
    body = _body(_request(tools=(WEATHER, Tool(name="t", description="Does.", strict=True))))

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
    assert _body(_request(tools=(WEATHER,), tool_choice=choice))["tool_choice"] == written


def test_a_choice_among_no_tools_is_not_sent() -> None:
    body = _body(_request(tool_choice=ToolChoice(mode="none", parallel=False)))

    assert not {"tool_choice", "parallel_tool_calls"} & body.keys()


def test_one_call_at_a_time() -> None:
    body = _body(_request(tools=(WEATHER,), tool_choice=ToolChoice(parallel=False)))

    assert body["parallel_tool_calls"] is False


@pytest.mark.parametrize(
    ("output", "written"),
    [
        (OutputFormat(), {"type": "json_object"}),
        (
            OutputFormat(schema=_raw({"type": "object"}), name="n", description="d", strict=False),
            {"type": "json_schema", "name": "n", "description": "d", "schema": {"type": "object"}, "strict": False},
        ),
    ],
)
def test_formats_of_the_answer(output: OutputFormat, written: dict[str, Any]) -> None:
    assert _body(_request(output=output))["text"] == {"format": written}


def test_a_bound_under_the_wires_minimum_is_raised_with_a_warning() -> None:
    assert _body(_request(max_output_tokens=5))["max_output_tokens"] == 16
    assert _warned(_request(max_output_tokens=5)) == ["max_output_tokens_raised"]
    assert _warned(_request(max_output_tokens=16)) == []


def test_what_the_wire_has_no_word_for_is_dropped_with_a_warning_each() -> None:
    sampling = Sampling(stop=("END",), seed=1, top_k=2, presence_penalty=0.1, frequency_penalty=0.1)
    request = _request(sampling=sampling)

    assert _warned(request) == ["stop_dropped", "seed_dropped", "top_k_dropped", "penalties_dropped"]
    assert _body(request).keys() == _body(_request()).keys()


def test_sampling_goes_to_models_that_do_not_think() -> None:
    sampling = Sampling(temperature=0.5, top_p=0.9, logprobs=2)
    body = _body(_request(sampling=sampling))

    assert (body["temperature"], body["top_p"], body["top_logprobs"]) == (0.5, 0.9, 2)
    assert body["include"] == ["message.output_text.logprobs"]


def test_sampling_is_dropped_while_a_model_thinks() -> None:
    request = _request(sampling=Sampling(temperature=0.5, logprobs=2))
    body = _body(request, THINKER)

    assert not {"temperature", "top_logprobs"} & body.keys()
    assert body["include"] == ["reasoning.encrypted_content"]
    assert _warned(request, THINKER) == ["sampling_dropped"]


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
    body = _body(_request(reasoning=reasoning), model)

    assert body.get("reasoning") == written
    assert (body.get("include") == ["reasoning.encrypted_content"]) is sealed


def test_who_asks_and_which_conversation_it_is() -> None:
    request = _request(end_user_id="u1", conversation_id="ann's secret plan", service_tier="flex")
    body = _body(request)

    assert (body["safety_identifier"], body["service_tier"]) == ("u1", "flex")
    assert len(body["prompt_cache_key"]) <= 64
    assert "secret" not in body["prompt_cache_key"]
    assert body["prompt_cache_key"] == _body(request)["prompt_cache_key"]
    other = _body(request, "llama-3")
    assert other["user"] == "u1"
    assert not {"safety_identifier", "prompt_cache_key"} & other.keys()


def test_the_callers_own_options_go_over_everything() -> None:
    own = {WIRE: _raw({"store": True, "truncation": "auto"}), "mine": _raw({"truncation": "disabled"})}
    body = _body(_request(extra=own), options=CodecOptions(provider="mine"))

    assert (body["store"], body["truncation"]) == (True, "disabled")


def test_a_model_goes_by_what_stands_behind_its_name() -> None:
    options = CodecOptions(card=ModelCard(name="ours", base="gpt-5.6"))
    body = _body(_request(sampling=Sampling(temperature=0.1)), "ours", options)

    assert body["model"] == "ours"
    assert "temperature" not in body


def test_a_request_over_its_bound_is_refused() -> None:
    options = CodecOptions(bounds=Bounds(request_bytes=100))
    failure = codec_for(WIRE).encode(_request((text_turn("user", "x" * 100),)), "m", options)

    assert isinstance(failure, Failed)
    assert failure.kind == "too_large"


def test_equal_requests_are_equal_bytes() -> None:
    request = _request(tools=(WEATHER,), output=OutputFormat(), reasoning=ReasoningOptions(effort="low"))

    assert _encoded(request, THINKER).body == _encoded(request, THINKER).body


def test_json_is_asked_for_in_words_and_where_they_count() -> None:
    wordless = _body(_request(output=OutputFormat()))
    instructed = _body(_request((text_turn("system", "Speak JSON."), *ASK), output=OutputFormat()))

    assert wordless["input"][0] == {"role": "system", "content": "Answer with a JSON object."}
    assert instructed["input"][0] == {"role": "system", "content": "Speak JSON."}
    assert "instructions" not in instructed
