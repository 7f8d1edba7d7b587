"""Pictures count as their vendors' documents say, and never more than the vendors' caps."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.estimates.families import UNKNOWN, family_of
from manus.actors.estimates.picture_tokens import PICTURE_TOKENS_MAX, picture_bound, picture_tokens

sides = st.tuples(st.integers(1, 8000), st.integers(1, 8000))


@pytest.mark.parametrize(
    ("model", "size", "tokens"),
    [
        # OpenAI's guide to images: its own examples.
        ("gpt-4o", (1024, 1024), 765),
        ("gpt-4o", (2048, 4096), 1105),
        # Recorded: the prompt's tokens less those of text and template.
        ("gpt-4o", (640, 480), 425),
        ("gpt-4.1", (1, 1), 255),
        ("gpt-4o-mini", (100, 100), 8500),
        ("gpt-5", (1, 1), 210),
        # Anthropic's guide to vision: squares of 28 pixels.
        ("claude-haiku-4-5", (1000, 1000), 1296),
        ("claude-haiku-4-5", (200, 200), 64),
        ("claude-haiku-4-5", (4000, 4000), 1568),
        ("claude-opus-4-8", (8000, 8000), 4784),
        # Measured by others at the API: 1.2 tokens a patch.
        ("gpt-5-mini", (768, 1024), 922),
        ("gpt-4.1-nano", (3000, 3000), 3779),
    ],
)
def test_a_picture_counts_as_its_vendor_says(model: str, size: tuple[int, int], tokens: int) -> None:
    assert picture_tokens(family_of(model), size, "auto") == tokens


def test_low_detail_is_the_base_alone() -> None:
    assert picture_tokens(family_of("gpt-4o"), (2000, 2000), "low") == 85


def test_nova_enlarges_small_pictures() -> None:
    # Amazon's table: 1400 x 900 is about 1,800 tokens; a picture of 540 x 360 was recorded as some 1,815.
    assert picture_tokens(family_of("amazon.nova-pro-v1:0"), (540, 360), "auto") == pytest.approx(1815, rel=0.03)


@pytest.mark.parametrize(
    "model",
    [
        "gpt-4o",
        "gpt-4o-mini",
        "gpt-4.1-mini",
        "gpt-5",
        "gpt-5-mini",
        "claude-3-opus",
        "claude-opus-4-8",
        "nova-lite",
        "x",
    ],
)
@given(size=sides)
@settings(max_examples=60)
def test_no_picture_is_expected_above_its_bound(model: str, size: tuple[int, int]) -> None:
    family = family_of(model)
    assert picture_tokens(family, size, "high") <= picture_bound(family, size)
    assert picture_tokens(family, size, "high") <= picture_bound(family, None)


def test_a_picture_nobody_has_a_rule_for_is_bounded_by_the_dearest() -> None:
    assert picture_bound(UNKNOWN, (10, 10)) == PICTURE_TOKENS_MAX
    assert 0 < picture_tokens(UNKNOWN, None, "auto") < PICTURE_TOKENS_MAX
