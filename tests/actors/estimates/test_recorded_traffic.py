"""Held against what vendors reported: no bill is above its bound, estimates are near, exact counts agree."""

from __future__ import annotations

import statistics

import pytest

from benchmarks.estimates import held_out
from benchmarks.recorded_requests import WIRE, Recorded, recorded
from manus.actors.estimates.bound import bound_usage
from manus.actors.estimates.counting import count_exactly
from manus.actors.estimates.families import family_of
from manus.actors.estimates.measure import measure
from manus.actors.estimates.prompt import prompt_tokens
from manus.actors.estimates.text import estimate_tokens
from manus.actors.estimates.tokenizer import is_installed
from manus.messages.policy import ModelCard
from tests.shared_data import shared_dir, unavailable


@pytest.fixture(scope="module")
def traffic() -> list[Recorded]:
    shared_dir("wire")
    return list(recorded(WIRE))


def test_no_recorded_bill_is_above_its_bound(traffic: list[Recorded]) -> None:
    assert len(traffic) > 550
    for each in traffic:
        for card in (None, ModelCard(name=each.model)):
            bound = bound_usage(each.request, card)
            assert each.prompt_tokens <= bound.input_uncached, (each.id, card)
            assert each.output_tokens <= bound.output, (each.id, card)


def test_prompts_of_the_half_that_nothing_was_fitted_to_are_expected_about_right(traffic: list[Recorded]) -> None:
    errors = [
        prompt_tokens(measure(each.request), family_of(each.model)) / each.prompt_tokens - 1
        for each in traffic
        if each.is_plain and held_out(each)
    ]
    assert len(errors) > 200
    assert abs(statistics.median(errors)) < 0.03
    assert statistics.median(abs(error) for error in errors) < 0.12


def test_answers_are_expected_about_as_long_as_they_were_billed(traffic: list[Recorded]) -> None:
    errors = []
    for each in traffic:
        shown = each.output_tokens - (each.reasoning_tokens or 0)
        if each.is_plain and each.says_it_all and shown >= 20:
            expected = family_of(each.model).ratio * sum(estimate_tokens(piece) for piece in each.answer)
            errors.append(expected / shown - 1)
    assert len(errors) > 150
    assert statistics.median(abs(error) for error in errors) < 0.15


def test_openai_and_azure_count_text_exactly_as_we_do(traffic: list[Recorded]) -> None:
    if not is_installed():
        unavailable("the extra `manus-llm[tokens]` is not installed")
    counted = 0
    for each in traffic:
        told = count_exactly(each.request, family_of(each.model)) if each.is_plain else None
        if told is not None and told.kind == "exact":
            assert told.tokens == each.prompt_tokens, each.id
            counted += 1
    assert counted >= 60
