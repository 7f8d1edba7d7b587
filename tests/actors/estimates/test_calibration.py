"""What vendors report corrects what we expect: soon, steadily, against outliers, and within its memory."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.estimates.calibration import (
    EVERY,
    EVERY_UNTIL,
    MODELS_MAX,
    NEIGHBOUR_MAX,
    Calibration,
    Sizes,
)
from manus.actors.estimates.measure import Measured, measure
from manus.actors.estimates.prompt import prompt_tokens
from manus.messages.content import Image, Text, Turn, text_turn
from manus.messages.ids import RequestId
from manus.messages.requests import ChatRequest, EmbedRequest, Tool

SIZES = [15, 40, 150, 600, 2_500]


def taught(told: Callable[[int], float], *, calls: int = 160, noise: float = 0.05, sizes: list[int] = SIZES) -> Sizes:
    chance, learnt = random.Random(1), Sizes()
    for _ in range(calls):
        estimate = chance.choice(sizes)
        learnt.learn(estimate, max(1, round(told(estimate) * chance.gauss(1, noise))))
    return learnt


@pytest.mark.parametrize(
    "told",
    [lambda x: x, lambda x: 1.3 * x, lambda x: 0.75 * x, lambda x: x + 1_500, lambda x: 1.3 * x + 40],
    ids=["right", "denser", "thinner", "hidden prompt", "both"],
)
def test_a_model_is_learnt_whatever_it_adds(told: Callable[[int], float]) -> None:
    learnt = taught(told)
    for estimate in SIZES:
        assert learnt.corrected(estimate) == pytest.approx(told(estimate), rel=0.15, abs=2)


def test_one_call_is_half_believed() -> None:
    learnt = Sizes()
    learnt.learn(100, 160)
    assert 100 < learnt.corrected(100) < 130


def test_long_prompts_never_add_to_short_ones_what_only_they_have() -> None:
    learnt = taught(lambda x: 1.37 * x, sizes=[600, 2_500])
    assert learnt.corrected(20) == pytest.approx(27, abs=2)
    assert learnt.corrected(60_000) == pytest.approx(1.37 * 60_000, rel=0.05)


def test_a_hidden_prompt_seen_on_short_prompts_is_not_multiplied_for_long_ones() -> None:
    learnt = taught(lambda x: x + 1_500, sizes=[20, 40])
    assert learnt.corrected(40_000) <= NEIGHBOUR_MAX * 40_000


def test_a_few_calls_that_count_something_else_move_it_little() -> None:
    learnt = taught(lambda x: 1.2 * x)
    for reported in (20_000, 3, 60_000):
        learnt.learn(600, reported)
    assert learnt.corrected(600) == pytest.approx(720, rel=0.25)


def test_a_model_that_changes_is_learnt_anew() -> None:
    learnt = taught(lambda x: x, sizes=[600], noise=0.0)
    for _ in range(120):
        learnt.learn(600, 810)
    assert learnt.corrected(600) == pytest.approx(810, rel=0.05)


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 10**9)), max_size=60), st.integers(0, 10**6))
@settings(max_examples=200)
def test_whatever_is_reported_an_estimate_stays_a_number_of_tokens(pairs: list[tuple[int, int]], asked: int) -> None:
    learnt = Sizes()
    for estimate, reported in pairs:
        learnt.learn(estimate, reported)
    assert 0 <= learnt.corrected(asked) <= 10**10


def plain(words: int) -> Measured:
    return measure(ChatRequest(request_id=RequestId("r"), turns=(text_turn("user", "word " * words),)))


def test_models_are_told_apart_and_start_from_their_family() -> None:
    known = Calibration()
    prompt = plain(100)
    assert not known.knows("a", "claude-opus-4-8")
    start = known.prompt_tokens("a", "x", "claude-opus-4-8", prompt)
    assert start > 1.2 * known.prompt_tokens("a", "x", "gpt-4o", prompt), "a denser vocabulary from the first call on"
    for _ in range(30):
        known.observe_prompt("a", "gpt-4o", "gpt-4o", prompt, 2_000)
    assert known.prompt_tokens("a", "gpt-4o", "gpt-4o", prompt) == pytest.approx(2_000, rel=0.15)
    assert known.prompt_tokens("b", "gpt-4o", "gpt-4o", prompt) < 200, "another entry has no hidden prompt"


def test_prompts_with_tools_are_learnt_of_by_themselves() -> None:
    known = Calibration()
    turns = (text_turn("user", "word " * 100),)
    with_tools = measure(ChatRequest(request_id=RequestId("r"), turns=turns, tools=(Tool(name="look"),)))
    texts = measure(EmbedRequest(request_id=RequestId("r"), inputs=("word " * 100,)))
    before = known.prompt_tokens("a", "m", "m", plain(100)), known.prompt_tokens("a", "m", "m", texts)
    for _ in range(30):
        known.observe_prompt("a", "m", "m", with_tools, 900)
    assert known.prompt_tokens("a", "m", "m", with_tools) == pytest.approx(900, rel=0.15)
    assert (known.prompt_tokens("a", "m", "m", plain(100)), known.prompt_tokens("a", "m", "m", texts)) == before


def test_prompts_that_count_by_other_rules_teach_nothing() -> None:
    known = Calibration()
    turn = Turn(role="user", parts=(Text(text="look"), Image(url="https://example.test")))
    known.observe_prompt("a", "m", "m", measure(ChatRequest(request_id=RequestId("r"), turns=(turn,))), 30_000)
    known.observe_prompt("a", "m", "m", plain(10), 0)
    assert not known.knows("a", "m")


def test_after_a_while_only_some_prompts_are_learnt_from() -> None:
    known, prompt = Calibration(), plain(100)
    told = prompt_tokens(prompt)
    for _ in range(EVERY_UNTIL):
        known.observe_prompt("a", "m", "m", prompt, told)
    settled = known.prompt_tokens("a", "m", "m", prompt)
    for _ in range(EVERY - 1):
        known.observe_prompt("a", "m", "m", prompt, 2 * told)
    assert known.prompt_tokens("a", "m", "m", prompt) == settled
    known.observe_prompt("a", "m", "m", prompt, 2 * told)
    assert known.prompt_tokens("a", "m", "m", prompt) > settled


def test_answers_teach_their_own_ratio_and_outliers_do_not() -> None:
    known = Calibration()
    assert known.output_ratio("a", "m", "gpt-4o") == 1.0
    assert known.output_ratio("a", "m", "claude-opus-4-8") > 1.2
    assert [known.wants_output("a", "m") for _ in range(EVERY + 1)] == [True, *[False] * (EVERY - 1), True]
    for _ in range(30):
        known.observe_output("a", "m", "gpt-4o", 100, 130)
    assert known.output_ratio("a", "m", "gpt-4o") == pytest.approx(1.3, abs=0.02)
    known.observe_output("a", "m", "gpt-4o", 100, 5_000)
    known.observe_output("a", "m", "gpt-4o", 3, 6)
    known.observe_output("a", "m", "gpt-4o", 100, 0)
    assert known.output_ratio("a", "m", "gpt-4o") == pytest.approx(1.3, abs=0.02)


def test_no_more_models_are_remembered_than_have_room_and_the_oldest_goes() -> None:
    known, prompt = Calibration(), plain(10)
    for number in range(MODELS_MAX + 5):
        known.observe_prompt("a", "kept", "m", prompt, 50)
        known.observe_prompt("a", f"m{number}", "m", prompt, 50)
    assert len(known) == MODELS_MAX
    assert known.knows("a", "kept")
    assert not known.knows("a", "m0")
    assert known.knows("a", f"m{MODELS_MAX + 4}")
