"""The blocks of a Messages answer become its parts; one made-up tool may carry its text."""

from __future__ import annotations

import json

import pytest

from manus.messages.content import Citation, Opaque, Reasoning, Text, ToolCall
from tests.codecs.anthropic_answers import Event, begun, block, framed, over, read, said, whole


def test_each_block_is_a_part_of_its_own() -> None:
    stream = framed(
        begun(),
        *block(
            0, "thinking", {"type": "thinking_delta", "thinking": "Hm"}, {"type": "signature_delta", "signature": "s"}
        ),
        *said(1, "Check", "ing."),
        *said(2, "Really."),
        *block(
            3,
            "tool_use",
            {"type": "input_json_delta", "partial_json": '{"a"'},
            {"type": "input_json_delta", "partial_json": ": 1}"},
            id="toolu_1",
            name="f",
            input={},
        ),
        *over("tool_use"),
    )
    _, assembly = read(stream)
    assert assembly.answer().parts == (
        Reasoning(text="Hm", signature="s", provider="anthropic", model="m"),
        Text(text="Checking."),
        Text(text="Really."),
        ToolCall(id="toolu_1", name="f", arguments='{"a": 1}'),
    )
    assert assembly.failure is None


def test_a_whole_answer_has_the_same_parts() -> None:
    _, assembly = read(
        whole(
            {"type": "thinking", "thinking": "Hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "blob"},
            {"type": "text", "text": "Hi", "citations": [{"type": "char_location", "cited_text": "x"}]},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
            stop_reason="tool_use",
        )
    )
    thought, hidden, text, citation, call = assembly.answer().parts
    assert thought == Reasoning(text="Hm", signature="s", provider="anthropic", model="m")
    assert hidden == Reasoning(redacted="blob", provider="anthropic", model="m")
    assert text == Text(text="Hi")
    assert isinstance(citation, Citation)
    assert citation.quote == "x"
    assert isinstance(call, ToolCall)
    assert json.loads(call.arguments) == {"a": 1}


def test_hidden_thinking_is_kept_for_its_signature() -> None:
    stream = framed(
        begun(), *block(0, "thinking", {"type": "signature_delta", "signature": "EqMB"}, thinking=""), *over()
    )
    assert read(stream)[1].answer().parts == (Reasoning(signature="EqMB", provider="anthropic", model="m"),)


def test_redacted_thinking_comes_whole_in_its_start() -> None:
    stream = framed(begun(), *block(0, "redacted_thinking", data="blob"), *over())
    assert read(stream)[1].answer().parts == (Reasoning(redacted="blob", provider="anthropic", model="m"),)


@pytest.mark.parametrize("deltas", [[], [{"type": "input_json_delta", "partial_json": ""}]])
def test_the_empty_input_at_the_start_is_a_placeholder_and_may_be_all(deltas: list[Event]) -> None:
    stream = framed(begun(), *block(0, "tool_use", *deltas, id="toolu_1", name="f", input={}), *over("tool_use"))
    assert read(stream)[1].answer().parts == (ToolCall(id="toolu_1", name="f", arguments="{}"),)


def test_an_input_that_stands_in_the_start_is_taken_where_no_other_comes() -> None:
    stream = framed(begun(), *block(0, "tool_use", id="toolu_1", name="f", input={"a": 1}), *over("tool_use"))
    (call,) = read(stream)[1].answer().parts
    assert isinstance(call, ToolCall)
    assert json.loads(call.arguments) == {"a": 1}


def test_arguments_that_were_cut_are_never_valid() -> None:
    delta = {"type": "input_json_delta", "partial_json": '{"a": "b'}
    stream = framed(begun(), *block(0, "tool_use", delta, id="toolu_1", name="f", input={}), *over("max_tokens"))
    _, assembly = read(stream)
    assert assembly.answer().parts == (ToolCall(id="toolu_1", name="f", arguments='{"a": "b', valid=False),)
    assert assembly.answer().finish.reason == "length"


@pytest.mark.parametrize("reason", ["max_tokens", "model_context_window_exceeded"])
def test_a_call_that_a_limit_struck_before_its_input_is_never_valid(reason: str) -> None:
    first = block(0, "tool_use", id="toolu_1", name="f", input={})
    last = block(1, "tool_use", id="toolu_2", name="f", input={})
    streamed = read(framed(begun(), *first, *last, *over(reason)))[1].answer().parts
    uses = [{"type": "tool_use", "id": f"toolu_{n}", "name": "f", "input": {}} for n in (1, 2)]
    for parts in (streamed, read(whole(*uses, stop_reason=reason))[1].answer().parts):
        assert [(part.id, part.valid) for part in parts if isinstance(part, ToolCall)] == [
            ("toolu_1", True),
            ("toolu_2", False),
        ]


def test_a_call_without_an_id_gets_one_that_is_always_the_same() -> None:
    stream = framed(begun(), *block(0, "tool_use", name="f", input={}), *over("tool_use"))
    first, second = (read(stream)[1].answer().parts[0] for _ in range(2))
    assert isinstance(first, ToolCall)
    assert first == second
    assert first.id


def test_what_the_vendor_ran_itself_is_carried_with_its_whole_input() -> None:
    result = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"encrypted_content": "é"}]}
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ('{"query":', ' "bitcoin"}')]
    stream = framed(
        begun(),
        *block(0, "server_tool_use", *deltas, id="srvtoolu_1", name="web_search", input={}),
        *block(1, **{k: v for k, v in result.items() if k != "type"}, kind="web_search_tool_result"),
        *said(2, "Done"),
        *over(),
    )
    use, found, _ = read(stream)[1].answer().parts
    assert isinstance(use, Opaque)
    assert isinstance(found, Opaque)
    assert (use.kind, found.kind) == ("server_tool_use", "web_search_tool_result")
    assert json.loads(bytes(use.raw)) == {
        "type": "server_tool_use",
        "id": "srvtoolu_1",
        "name": "web_search",
        "input": {"query": "bitcoin"},
    }
    assert json.loads(bytes(found.raw)) == result


def test_a_block_of_which_something_could_not_be_read_is_not_handed_on() -> None:
    unknown = {"type": "new_delta", "value": 1}
    cut = {"type": "input_json_delta", "partial_json": '{"q'}
    stream = framed(
        begun(), *block(0, "new_block", unknown), *block(1, "server_tool_use", cut), *block(2, "other", a=1), *over()
    )
    (part,) = read(stream)[1].answer().parts
    assert isinstance(part, Opaque)
    assert json.loads(bytes(part.raw)) == {"type": "other", "a": 1}


def test_a_compaction_is_gathered() -> None:
    deltas = [{"type": "compaction_delta", "content": text} for text in ("Sum", "mary")]
    stream = framed(begun(), *block(0, "compaction", *deltas, content=None), *over("compaction"))
    _, assembly = read(stream)
    (part,) = assembly.answer().parts
    assert isinstance(part, Opaque)
    assert json.loads(bytes(part.raw))["content"] == "Summary"
    assert assembly.answer().finish.reason == "pause"


def test_sources_belong_to_the_text_that_they_came_with() -> None:
    source = {"type": "web_search_result_location", "url": "https://e.com", "title": "T", "cited_text": "c"}
    stream = framed(
        begun(),
        *block(
            0, "text", {"type": "text_delta", "text": "A"}, {"type": "citations_delta", "citation": source}, text=""
        ),
        *said(1, "B"),
        *over(),
    )
    first, citation, second = read(stream)[1].answer().parts
    assert (first, second) == (Text(text="A"), Text(text="B"))
    assert isinstance(citation, Citation)
    assert (citation.title, citation.url, citation.quote) == ("T", "https://e.com", "c")
    assert json.loads(bytes(citation.raw)) == source


def test_a_call_by_the_vendors_code_and_its_container_are_carried() -> None:
    caller = {"type": "code_execution_20250825", "tool_id": "srvtoolu_1"}
    stream = framed(
        begun(),
        *block(0, "tool_use", id="toolu_1", name="f", input={}, caller=caller),
        *block(1, "tool_use", id="toolu_2", name="g", input={}, caller={"type": "direct"}),
        *over("tool_use", container={"id": "cont_1", "expires_at": "x"}),
    )
    parts = read(stream)[1].answer().parts
    kinds = [part.kind if isinstance(part, Opaque) else type(part).__name__ for part in parts]
    assert kinds == ["tool_use_caller", "ToolCall", "ToolCall", "container"]


def test_the_input_of_the_answer_tool_is_the_text_and_its_call_the_end() -> None:
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", '{"a"', ":1}")]
    stream = framed(begun(), *block(0, "tool_use", *deltas, id="t", name="answer", input={}), *over("tool_use"))
    _, assembly = read(stream, answer_tool="answer")
    assert assembly.answer().parts == (Text(text='{"a":1}'),)
    assert assembly.answer().finish.reason == "stop"
    assert assembly.answer().finish.raw == "tool_use"


def test_the_same_whole_and_beside_a_real_call() -> None:
    use = {"type": "tool_use", "id": "t", "name": "answer", "input": {"a": 1}}
    _, assembly = read(whole(use, stop_reason="tool_use"), answer_tool="answer")
    assert json.loads(assembly.text_so_far) == {"a": 1}
    assert assembly.answer().finish.reason == "stop"
    _, assembly = read(whole({**use, "name": "f"}, stop_reason="tool_use"), answer_tool="answer")
    assert assembly.answer().finish.reason == "tool_calls"
