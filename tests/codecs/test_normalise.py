"""Untidy conversations become ones that every vendor takes, and tidy ones stay as they are."""

from __future__ import annotations

import itertools
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.actors.codecs.normalise import UNANSWERED, WireRules, normalise
from manus.messages.content import (
    AnyPart,
    Citation,
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


STRICT = WireRules(
    wire="w",
    id_shape=SHORT.id_shape,
    name_shape=re.compile(r"[a-zA-Z0-9_-]{1,64}"),
    keeps_reasoning=True,
    keeps_blank_text=False,
    merges_neighbours=True,
    first_is_user=True,
    system_anywhere=False,
)
"""A vendor that wants everything at once, as Messages and Converse do."""


def test_ids_are_told_apart_over_the_whole_conversation_and_stay_as_it_grows() -> None:
    turns = (ASK, _calls("a"), _tool(_result("a")), _calls("a", "a"), _tool(_result("a"), _result("a")))
    mended = normalise(turns, SHORT, "m")
    ids = [part.id for turn in mended for part in turn.parts if isinstance(part, ToolCall)]
    assert ids[0] == "a"
    assert len(set(ids)) == 3
    assert normalise((*turns, ASK), SHORT, "m")[:-1] == mended


@pytest.mark.parametrize(
    ("name", "mended"),
    [("look", "look"), ("look.at:this", "look_at_this"), ("n" * 70, "n" * 64), ("", "_"), ("größe", "gr__e")],
)
def test_names_of_tools_that_the_wire_does_not_take_are_mended(name: str, mended: str) -> None:
    turns = (ASK, Turn(role="assistant", parts=(ToolCall(id="a", name=name),)), _tool(_result("a")))
    (_, said, answered) = normalise(turns, STRICT, "m")
    (call,), (result,) = said.parts, answered.parts
    assert isinstance(call, ToolCall)
    assert isinstance(result, ToolResult)
    assert call.name == result.name == mended
    kept = normalise(turns, SHORT, "m")[1].parts[0]
    assert isinstance(kept, ToolCall)
    assert kept.name == name


def test_neighbours_become_one_turn_that_begins_with_the_results() -> None:
    turns = (
        ASK,
        text_turn("user", "Now!"),
        Turn(role="assistant", parts=(Text(text="Let me see."),)),
        _calls("a"),
        ASK,
        _tool(_result("a"), _result("orphan", "late")),
        text_turn("assistant", "It is cold."),
        ASK,
    )
    mended = normalise(turns, STRICT, "m")
    assert _shape(mended) == [
        ("user", ["Text", "Text"]),
        ("assistant", ["Text", "a"]),
        ("user", ["a", "Text", "Text", "Text"]),
        ("assistant", ["Text"]),
        ("user", ["Text"]),
    ]
    assert normalise(mended, STRICT, "m") == mended
    assert _shape(normalise(turns[:2], SHORT, "m")) == [("user", ["Text"]), ("user", ["Text"])]


def test_a_system_turn_in_the_middle_is_the_users_where_the_wire_has_no_place_for_it() -> None:
    turns = (text_turn("system", "Be brief."), ASK, text_turn("system", "Be rude."), text_turn("assistant", "No."))
    mended = normalise(turns, STRICT, "m")
    assert _shape(mended) == [("system", ["Text"]), ("user", ["Text"] * 4), ("assistant", ["Text"])]
    texts = [part.text for part in mended[1].parts if isinstance(part, Text)]
    assert texts == ["Weather?", "<system>", "Be rude.", "</system>"]
    assert normalise(turns, SHORT, "m") == turns


def test_the_user_is_given_the_first_word_where_the_wire_wants_it() -> None:
    turns = (text_turn("system", "Be brief."), text_turn("assistant", "Hello!"), ASK)
    assert [turn.role for turn in normalise(turns, STRICT, "m")] == ["system", "user", "assistant", "user"]
    assert normalise(turns, SHORT, "m") == turns
    assert normalise(turns[:1], STRICT, "m") == turns[:1]


def test_blank_text_goes_where_the_wire_refuses_it() -> None:
    turns = (
        Turn(role="user", parts=(Text(text=" "), Text(text="Hi"))),
        text_turn("assistant", "\n"),
        _calls("a"),
        _tool(_result("a", "")),
        text_turn("user", ""),
    )
    mended = normalise(turns, STRICT, "m")
    assert _shape(mended) == [("user", ["Text"]), ("assistant", ["a"]), ("tool", ["a"])]
    (result,) = mended[2].parts
    assert isinstance(result, ToolResult)
    assert result.content == ()
    assert normalise(turns, SHORT, "m")[1] == turns[1]


def test_a_refusal_of_no_words_goes_everywhere() -> None:
    turns = (ASK, Turn(role="assistant", parts=(Refusal(text=""),)), ASK)
    assert normalise(turns, SHORT, "m") == (ASK, ASK)


VENDOR = VendorTurn(provider="w", model="m", raw=msgspec.Raw(b'[{"phase":"x"}]'))
REPLAYING = WireRules(wire="w", id_shape=SHORT.id_shape, keeps_vendor_turns=True)


def test_the_vendors_own_payload_goes_back_to_its_model_alone() -> None:
    said = Turn(role="assistant", parts=(Text(text="Hi"), ToolCall(id="a", name="f")), vendor=VENDOR)
    turns = (ASK, said, _tool(_result("a")))
    assert normalise(turns, REPLAYING, "m")[1] == said
    for rules, model in ((REPLAYING, "other"), (SHORT, "m"), (msgspec.structs.replace(REPLAYING, wire="v"), "m")):
        mended = normalise(turns, rules, model)[1]
        assert mended.vendor is None
        assert mended.parts == said.parts


@pytest.mark.parametrize(
    "parts",
    [
        (ToolCall(id="a", name="f"), ToolCall(id="a", name="f")),
        (ToolCall(id="a.b", name="f"),),
        (Text(text="Hi"), Citation(title="t")),
    ],
)
def test_a_payload_whose_parts_had_to_be_mended_is_not_replayed(parts: tuple[AnyPart, ...]) -> None:
    said = Turn(role="assistant", parts=parts, vendor=VENDOR)
    assert normalise((ASK, said, ASK), REPLAYING, "m")[1].vendor is None


def test_a_payload_in_a_turn_of_somebody_else_is_not_replayed() -> None:
    assert normalise((msgspec.structs.replace(ASK, vendor=VENDOR),), REPLAYING, "m") == (ASK,)


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
def test_every_conversation_comes_out_as_the_strictest_wire_wants_it_and_stays_so(turns: list[Turn]) -> None:
    mended = normalise(turns, STRICT, "m")

    spoken = [turn for turn in mended if turn.role != "system"]
    assert list(mended[len(mended) - len(spoken) :]) == spoken, "a system turn stands after the others have begun"
    speakers = ["user" if turn.role == "tool" else turn.role for turn in spoken]
    assert speakers == ["user", "assistant"] * (len(spoken) // 2) + ["user"] * (len(spoken) % 2)
    ids = [part.id for turn in mended for part in turn.parts if isinstance(part, ToolCall)]
    assert len(ids) == len(set(ids))
    for before, turn in itertools.pairwise(spoken):
        calls = [part.id for part in before.parts if isinstance(part, ToolCall)]
        assert [part.id for part in turn.parts if isinstance(part, ToolResult)] == calls
        assert [part.id for part in turn.parts[: len(calls)] if isinstance(part, ToolResult)] == calls
    assert normalise(mended, STRICT, "m") == mended


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
