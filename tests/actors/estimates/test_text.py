"""A text's tokens are expected in microseconds, near enough whatever it is written in, and its bound holds."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.estimates.text import (
    EXACT_CHARS,
    SAMPLE_CHARS,
    SAMPLES,
    bound_tokens,
    estimate_tokens,
    weigh,
    weigh_bytes,
)

KNOWN = tomllib.loads(Path(__file__).with_name("samples.toml").read_text(encoding="utf-8"))


@given(st.text(max_size=300))
@settings(max_examples=200)
def test_no_text_has_more_tokens_than_its_bound(text: str) -> None:
    # A byte-level tokenizer makes one token of one byte at worst.
    assert bound_tokens(text) >= len(text.encode("utf-8", "surrogatepass"))
    tokens, bound = weigh(text)
    assert bound == bound_tokens(text)
    assert 0 <= tokens <= 2 * bound
    assert tokens <= estimate_tokens(text) < tokens + 1


@given(st.text(max_size=300))
@settings(max_examples=100)
def test_bytes_weigh_what_their_text_does(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    assert weigh_bytes(data) == weigh(text)


@pytest.mark.parametrize(
    "text", ["\ud83d", "a" * EXACT_CHARS + "世" * 10, "世" * (EXACT_CHARS + 1)], ids=["half", "mixed", "wide"]
)
def test_the_bound_holds_for_lone_surrogates_and_very_long_texts(text: str) -> None:
    assert bound_tokens(text) >= len(text.encode("utf-8", "surrogatepass"))
    assert weigh(text)[1] >= len(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("name", KNOWN)
def test_an_estimate_is_near_whatever_a_text_is_written_in(name: str) -> None:
    text, tokens = KNOWN[name]["text"], KNOWN[name]["tokens"]
    # What is neither language nor code breaks in no pattern: keys, digests and long numbers.
    tolerance = 0.45 if name in ("base64", "hexadecimal", "numbers") else 0.25
    assert abs(estimate_tokens(text) - tokens) <= tolerance * tokens + 1


def test_nothing_has_no_tokens() -> None:
    assert (estimate_tokens(""), bound_tokens("")) == (0, 0)
    assert estimate_tokens(" ") <= 1


@pytest.mark.parametrize("name", ["english", "russian", "json"])
def test_a_long_text_is_estimated_from_pieces_of_it(name: str) -> None:
    text = KNOWN[name]["text"] * 1_000
    assert len(text) > SAMPLES * SAMPLE_CHARS
    each = weigh(KNOWN[name]["text"])[0]
    assert weigh(text)[0] == pytest.approx(1_000 * each, rel=0.03)
    assert weigh_bytes(text.encode())[0] == pytest.approx(1_000 * each, rel=0.03)
