"""How two texts join: as one and its continuation, as one told twice, or not at all; over any chunking."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from manus.actors.journey.joints import REPEAT_CHARACTERS_MIN, Continued, Retold

STORY = "Once upon a time there was a small actor who crashed and came back."
ANYTHING = st.one_of(
    st.text(max_size=60),
    st.text("ab \n", max_size=60),
    st.sampled_from([STORY, STORY * 2, "banana " * 30, "哈" * 50, " \n", "na" * 40]),
)


def chunked(text: str, cuts: list[int]) -> list[str]:
    """Cut `text` at the given places, wherever they fall."""
    places = sorted({cut % (len(text) + 1) for cut in cuts} | {0, len(text)})
    return [text[begin:end] for begin, end in itertools.pairwise(places)]


def joined(joint: Retold | Continued, pieces: list[str]) -> str | None:
    """Give what the caller gets; None where the joint says that the texts do not join."""
    got = ""
    for piece in pieces:
        got += joint.take(piece)
    got += joint.close()
    return None if joint.differs is not None else got


def begun(shown: str) -> Continued:
    kept = shown.rstrip()
    return Continued(kept, shown[len(kept) :])


CUTS = st.lists(st.integers(0, 200), max_size=8)


@settings(max_examples=200, deadline=None)
@given(text=ANYTHING, cut=st.integers(0, 200), other=ANYTHING, cuts=CUTS)
def test_text_told_again_joins_if_and_only_if_it_begins_with_all_that_was_shown(
    text: str, cut: int, other: str, cuts: list[int]
) -> None:
    shown = text[:cut]
    for told in (text, other):
        got = joined(Retold(shown), chunked(told, cuts))

        assert got == (told[len(shown) :] if told.startswith(shown) else None)


@settings(max_examples=200, deadline=None)
@given(text=ANYTHING, cut=st.integers(0, 200), other=ANYTHING, cuts=CUTS)
@example(text="a", cut=1, other="bab", cuts=[1])
def test_nothing_passes_of_a_text_told_again_before_all_that_was_shown_has_come(
    text: str, cut: int, other: str, cuts: list[int]
) -> None:
    shown = text[:cut]
    joint = Retold(shown)
    taken = ""
    for piece in chunked(other, cuts):
        taken += piece
        if joint.take(piece):
            assert taken.startswith(shown)
            assert joint.joined
    assert joint.differs is None or not other.startswith(shown)


def is_ambiguous(kept: str, rest: str) -> bool:
    """Whether the rest of an answer begins as the answer itself did, for so long that it looks like a new beginning."""
    return rest.startswith(kept[:REPEAT_CHARACTERS_MIN]) and len(kept) >= REPEAT_CHARACTERS_MIN


@settings(max_examples=200, deadline=None)
@given(text=ANYTHING, cut=st.integers(0, 200), cuts=CUTS)
@example(text="banana " * 30, cut=100, cuts=[])
@example(text="na" * 40, cut=40, cuts=[3])
@example(text="哈" * 80, cut=40, cuts=[])
def test_continuation_gives_exactly_the_rest_whatever_blanks_were_held_back_from_the_model(
    text: str, cut: int, cuts: list[int]
) -> None:
    shown = text[:cut]
    kept = shown.rstrip()
    rest = text[len(kept) :]

    got = joined(begun(shown), chunked(rest, cuts))

    repeats = kept.find(kept[: (len(kept) + 1) // 2], 1) >= 0
    if repeats or not is_ambiguous(kept, rest):
        assert got == text[len(shown) :]


@settings(max_examples=100, deadline=None)
@given(cut=st.integers(REPEAT_CHARACTERS_MIN + 5, len(STORY)), cuts=CUTS)
def test_target_that_begins_anew_with_all_that_was_shown_joins_where_that_ends(cut: int, cuts: list[int]) -> None:
    joint = begun(STORY[:cut])

    assert joined(joint, chunked(STORY, cuts)) == STORY[cut:]
    assert joint.whole


def test_server_that_tells_the_beginning_again_need_not_tell_the_blanks() -> None:
    kept = STORY[:40].rstrip()

    assert joined(begun(kept + "  "), [kept, "\n", "and on"]) == "\nand on"
    assert joined(begun(kept + "\n"), [kept, "\n", "and on"]) == "and on"


@pytest.mark.parametrize("same", [REPEAT_CHARACTERS_MIN, REPEAT_CHARACTERS_MIN + 5])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_target_that_begins_anew_and_then_differs_does_not_join(same: int, size: int) -> None:
    told = STORY[:same] + "# and so on"
    pieces = [told[at : at + size] for at in range(0, len(told), size)]

    assert joined(begun(STORY[:50]), pieces) is None


def test_target_that_begins_anew_and_stops_does_not_join() -> None:
    assert joined(begun(STORY[:60]), [STORY[:40]]) is None


def test_continuation_that_begins_like_the_answer_by_chance_is_not_lost() -> None:
    assert joined(begun(STORY), ["Once upon"]) == "Once upon"
    assert joined(begun(STORY), ["Once upon", " another"]) == "Once upon another"


@pytest.mark.parametrize(
    ("shown", "rest", "got"),
    [
        ("a ", " b", "b"),
        ("a ", "b", "b"),
        ("a\n\n", "\n- b", "- b"),
        ("a\n", "\n\nb", "\nb"),
        ("a ", "\nb", "\nb"),
        ("a \t", " ", ""),
        ("a ", "", ""),
    ],
)
def test_blanks_are_left_out_as_far_as_the_model_repeats_them(shown: str, rest: str, got: str) -> None:
    assert joined(begun(shown), list(rest)) == got
    assert joined(begun(shown), [rest]) == got


def test_first_words_of_a_continuation_are_not_held_back_longer_than_they_could_be_a_new_beginning() -> None:
    joint = begun(STORY[:60])

    assert joint.take("On") == ""
    assert not joint.joined
    assert joint.take("ward") == "Onward"
    assert joint.joined


@pytest.mark.parametrize("joint", [Retold("ab" + STORY), begun("ab" + STORY)], ids=["retold", "continued"])
def test_text_that_differed_once_never_joins_whatever_follows(joint: Retold | Continued) -> None:
    assert joint.take("ab" + STORY[:40] + "X") == ""
    why = joint.differs

    assert joint.take("ab" + STORY) == ""
    assert joint.take("ab") == ""
    assert joint.close() == ""
    assert joint.differs == why is not None


def test_difference_is_told_by_its_place() -> None:
    joint = Retold("abcdef")
    joint.take("abc")
    joint.take("xyz")

    assert joint.differs == "its answer differs from what was shown after 3 of 6 characters"
