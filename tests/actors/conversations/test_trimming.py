"""Where a conversation may be cut: between whole exchanges, and never between a call and its result."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from manus.actors.conversations.trimming import cut_to, cuts_of
from manus.messages.content import AnyPart, Text, ToolCall, ToolResult, Turn, text_turn


def said(*parts: AnyPart) -> tuple[Turn, ...]:
    return (text_turn("user", "x"), Turn(role="assistant", parts=parts))


def answer_to(*ids: str) -> tuple[Turn, ...]:
    return (Turn(role="tool", parts=tuple(ToolResult(id=each) for each in ids)), text_turn("assistant", "ok"))


def call(name: str) -> ToolCall:
    return ToolCall(id=name, name="f")


def test_plain_talk_may_be_cut_between_any_two_exchanges() -> None:
    talk = [said(Text(text="a")), said(Text(text="b")), (text_turn("user", "now"),)]
    assert cuts_of(talk) == (0, 1, 2)


def test_a_call_stays_with_its_result() -> None:
    talk = [said(Text(text="a")), said(call("1"), call("2")), answer_to("2", "1"), said(Text(text="b")), ()]
    assert cuts_of(talk) == (0, 1, 3, 4)


def test_a_call_that_is_answered_now_stays() -> None:
    talk = [said(Text(text="a")), said(call("1")), answer_to("1")[:1]]
    assert cuts_of(talk) == (0, 1)


def test_results_that_came_late_hold_everything_between_together() -> None:
    talk = [said(call("1")), said(Text(text="a")), said(Text(text="b")), answer_to("1"), said(Text(text="c")), ()]
    assert cuts_of(talk) == (0, 4, 5)


def test_a_result_answers_the_oldest_open_call_of_its_id() -> None:
    """Some servers begin to count anew with every answer."""
    talk = [said(call("1")), answer_to("1"), said(call("1")), answer_to("1"), ()]
    assert cuts_of(talk) == (0, 2, 4)


def test_a_call_that_nobody_answered_holds_nothing() -> None:
    talk = [said(call("1")), said(Text(text="never mind")), ()]
    assert cuts_of(talk) == (0, 1, 2)


def test_cut_leaves_as_much_as_fits_and_no_more() -> None:
    assert cut_to([5, 5, 5], (0, 1, 2, 3), 2, 17) == 0
    assert cut_to([5, 5, 5], (0, 1, 2, 3), 2, 16) == 1
    assert cut_to([5, 5, 5], (0, 2, 3), 2, 16) == 2
    assert cut_to([5, 5, 5], (0, 1), 2, 0) == 1


PARTS = st.one_of(
    st.builds(lambda number: call(str(number)), st.integers(0, 2)), st.just(Text(text="t")), st.just(Text(text="u"))
)
RESULTS = st.lists(st.builds(lambda number: ToolResult(id=str(number)), st.integers(0, 2)), max_size=2)
EXCHANGES = st.tuples(RESULTS, st.lists(PARTS, max_size=2)).map(
    lambda drawn: (Turn(role="tool", parts=tuple(drawn[0])), Turn(role="assistant", parts=tuple(drawn[1])))
)


def pairs_of(talk: list[tuple[Turn, ...]]) -> list[tuple[int, int]]:
    """Pair each result with its call the slow way: look back for the oldest open one."""
    open_calls: list[tuple[str, int]] = []
    pairs = []
    for number, exchange in enumerate(talk):
        for turn in exchange:
            for part in turn.parts:
                if isinstance(part, ToolCall):
                    open_calls.append((part.id, number))
                if isinstance(part, ToolResult):
                    found = next((each for each in open_calls if each[0] == part.id), None)
                    if found is not None:
                        open_calls.remove(found)
                        pairs.append((found[1], number))
    return pairs


@given(st.lists(EXCHANGES, min_size=1, max_size=7))
def test_cuts_are_all_those_that_part_no_pair(talk: list[tuple[Turn, ...]]) -> None:
    pairs = pairs_of(talk)
    allowed = [cut for cut in range(len(talk)) if not any(call < cut <= result for call, result in pairs)]
    assert list(cuts_of(talk)) == allowed
