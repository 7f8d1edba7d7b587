"""Untidy conversations become ones that every vendor takes, and tidy ones stay as they are."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.actors.codecs.normalise import UNANSWERED, WireRules, normalise
from manus.messages.content import (
    Citation,
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

SHORT = WireRules(wire="w", id_shape=re.compile(r"[a-z0-9_A-Z]{1,40}"))
THINKING = WireRules(wire="w", id_shape=SHORT.id_shape, keeps_reasoning=True)

_RAW = msgspec.Raw(b"{}")

ASK = text_turn("user", "Weather?")


def _calls(*ids: str) -> Turn:
    return Turn(role="assistant", parts=tuple(ToolCall(id=name, name=f"tool_{name}"[:20]) for name in ids))


def _result(call_id: str, text: str = "4 C") -> ToolResult:
    return ToolResult(id=call_id, content=(Text(text=text),))


def _tool(*results: ToolResult) -> Turn:
    return Turn(role="tool", parts=results)


def _shape(turns: tuple[Turn, ...]) -> list[tuple[str, list[str]]]:
    return [
        (
            turn.role,
            [part.id if isinstance(part, ToolCall | ToolResult) else type(part).__name__ for part in turn.parts],
        )
        for turn in turns
    ]


def test_a_tidy_conversation_stays_as_it_is() -> None:
    turns = (
        text_turn("system", "Be brief."),
        ASK,
        Turn(role="assistant", parts=(Text(text="Let me see"), ToolCall(id="a", name="f", arguments='{"x":1}'))),
        _tool(ToolResult(id="a", name="f", content=(Text(text="4 C"),))),
        text_turn("assistant", "4 C"),
        text_turn("user", "Thanks"),
    )
    assert normalise(turns, SHORT, "m") == turns


def test_results_are_put_right_behind_their_calls_in_the_calls_order() -> None:
    turns = (ASK, _calls("a", "b"), text_turn("user", "hurry"), _tool(_result("b")), _tool(_result("a")))

    assert _shape(normalise(turns, SHORT, "m")) == [
        ("user", ["Text"]),
        ("assistant", ["a", "b"]),
        ("tool", ["a", "b"]),
        ("user", ["Text"]),
    ]


def test_results_in_a_user_turn_go_behind_their_calls_too() -> None:
    mixed = Turn(role="user", parts=(_result("a"), Text(text="and now?")))
    assert _shape(normalise((ASK, _calls("a"), mixed), SHORT, "m")) == [
        ("user", ["Text"]),
        ("assistant", ["a"]),
        ("tool", ["a"]),
        ("user", ["Text"]),
    ]


def test_an_unanswered_call_gets_an_error_for_a_result() -> None:
    (_, _, tool, _) = normalise((ASK, _calls("a", "b"), _tool(_result("b")), ASK), SHORT, "m")

    assert tool.parts == (
        ToolResult(id="a", name="tool_a", content=(Text(text=UNANSWERED),), is_error=True),
        ToolResult(id="b", name="tool_b", content=(Text(text="4 C"),)),
    )


def test_a_result_that_answers_nothing_becomes_the_users_text() -> None:
    picture = ToolResult(id="gone", name="camera", content=(Text(text="here"), Image(url="https://e.org/x.png")))

    (_, turn) = normalise((ASK, _tool(picture)), SHORT, "m")

    assert turn == Turn(
        role="user",
        parts=(Text(text="Result of the tool camera:"), Text(text="here"), Image(url="https://e.org/x.png")),
    )


def test_a_result_before_its_call_is_no_answer_to_it() -> None:
    turns = normalise((ASK, _tool(_result("a")), _calls("a")), SHORT, "m")

    assert _shape(turns) == [("user", ["Text"]), ("user", ["Text", "Text"]), ("assistant", ["a"]), ("tool", ["a"])]
    assert turns[3].parts[0] == ToolResult(id="a", name="tool_a", content=(Text(text=UNANSWERED),), is_error=True)


@pytest.mark.parametrize("bad", ["", "a.b:c", "x" * 41, "é"])
def test_ids_that_the_wire_does_not_take_are_made_again_alike_every_time(bad: str) -> None:
    turns = (ASK, _calls(bad), _tool(_result(bad)))

    mended = normalise(turns, SHORT, "m")

    (call,), (result,) = mended[1].parts, mended[2].parts
    assert isinstance(call, ToolCall)
    assert isinstance(result, ToolResult)
    assert SHORT.id_shape.fullmatch(call.id)
    assert result.id == call.id
    assert result.content == (Text(text="4 C"),)
    assert normalise(turns, SHORT, "m") == mended
    assert normalise(mended, SHORT, "m") == mended


def test_the_same_id_twice_in_one_turn_is_told_apart_and_answered_in_order() -> None:
    turns = (ASK, _calls("a", "a"), _tool(_result("a", "first"), _result("a", "second")))

    (_, calls, results) = normalise(turns, SHORT, "m")

    ids = [part.id for part in calls.parts if isinstance(part, ToolCall)]
    assert len(set(ids)) == 2
    assert [(part.id, part.content) for part in results.parts if isinstance(part, ToolResult)] == [
        (ids[0], (Text(text="first"),)),
        (ids[1], (Text(text="second"),)),
    ]


def test_the_same_id_in_two_turns_keeps_each_result_with_its_own_call() -> None:
    turns = (ASK, _calls("a"), _tool(_result("a", "first")), _calls("a"), _tool(_result("a", "second")))

    texts = [turn.parts[0].content for turn in normalise(turns, SHORT, "m") if isinstance(turn.parts[0], ToolResult)]

    assert texts == [(Text(text="first"),), (Text(text="second"),)]


def test_thinking_goes_back_only_to_the_wire_and_model_that_made_it() -> None:
    own = Reasoning(text="hm", provider="w", model="m", signature="s")
    foreign = (Reasoning(text="x", provider="v", model="m"), Reasoning(text="y", provider="w", model="n"))
    turns = (ASK, Turn(role="assistant", parts=(own, *foreign, Text(text="ok"))))

    assert normalise(turns, THINKING, "m")[1].parts == (own, Text(text="ok"))
    assert normalise(turns, SHORT, "m")[1].parts == (Text(text="ok"),)


def test_what_no_wire_takes_back_is_left_out_and_turns_of_nothing_go() -> None:
    turns = (
        ASK,
        Turn(role="assistant", parts=(Citation(title="t"), Opaque(provider="w", kind="k", raw=_RAW))),
        Turn(role="user"),
        Turn(role="assistant", parts=(Refusal(text="no"),)),
    )
    assert _shape(normalise(turns, SHORT, "m")) == [("user", ["Text"]), ("assistant", ["Refusal"])]


_ids = st.sampled_from(["a", "b", "a.b", ""])
_parts = st.one_of(
    _ids.map(lambda name: ToolCall(id=name, name="f")),
    _ids.map(_result),
    st.just(Text(text="t")),
    st.just(Reasoning(text="r", provider="w", model="m")),
)
_turns = st.lists(
    st.builds(
        lambda role, parts: Turn(role=role, parts=tuple(parts)),
        st.sampled_from(["user", "assistant", "tool", "system"]),
        st.lists(_parts, max_size=4),
    ),
    max_size=6,
)


@given(turns=_turns)
def test_every_conversation_comes_out_well_formed_and_stays_so(turns: list[Turn]) -> None:
    mended = normalise(turns, SHORT, "m")

    for number, turn in enumerate(mended):
        assert turn.parts
        calls = [part.id for part in turn.parts if isinstance(part, ToolCall)]
        assert len(calls) == len(set(calls))
        assert all(SHORT.id_shape.fullmatch(name) for name in calls)
        if calls:
            assert turn.role == "assistant"
            assert mended[number + 1].role == "tool"
            assert [part.id for part in mended[number + 1].parts if isinstance(part, ToolResult)] == calls
        if turn.role == "tool":
            assert all(isinstance(part, ToolResult) for part in turn.parts)
            assert any(isinstance(part, ToolCall) for part in mended[number - 1].parts)
        else:
            assert not any(isinstance(part, ToolResult) for part in turn.parts)
    assert normalise(mended, SHORT, "m") == mended
