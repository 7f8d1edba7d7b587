"""Whatever secret a text from outside quotes is struck out, whole or cut short, beside others that begin alike."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.redaction import HEAD_CHARS, SECRET_CHARS_MIN, STRUCK_OUT, redactor

ONE, OTHER = "sk-vendor-key-AAAAAAAAAAAA", "sk-vendor-key-BBBBBBBBBBBBBBBB"


@pytest.mark.parametrize(
    ("text", "struck"),
    [
        (f"key {ONE}.", f"key {STRUCK_OUT}."),
        (f"{OTHER}{ONE}", STRUCK_OUT * 2),
        (f"cut {OTHER[:20]}… and more", f"cut {STRUCK_OUT}… and more"),
        (f"at the end {ONE[:SECRET_CHARS_MIN]}…", f"at the end {STRUCK_OUT}…"),
        ("sk-vendo is no key, nor is sk-vendor-k", f"sk-vendo is no key, nor is {STRUCK_OUT}"),
        ("nothing here", "nothing here"),
        ("", ""),
    ],
)
def test_secrets_are_struck_out(text: str, struck: str) -> None:
    assert redactor([ONE, OTHER])(text) == struck


def test_short_words_are_no_secrets() -> None:
    assert redactor(["a", "short"])("a short text") == "a short text"


SECRETS = st.lists(st.text("abc-", min_size=SECRET_CHARS_MIN, max_size=30), min_size=1, max_size=4)


@settings(max_examples=200)
@given(SECRETS, st.lists(st.text("abc- x", max_size=10), min_size=5, max_size=5), st.data())
def test_no_secret_is_left_whole_or_by_its_beginning(
    secrets: list[str], between: list[str], data: st.DataObject
) -> None:
    text = between[0]
    for other in between[1:]:
        secret = data.draw(st.sampled_from(secrets))
        length = data.draw(st.integers(min(HEAD_CHARS, len(secret)), len(secret)))
        text += secret[:length] + other
    struck = redactor(secrets)(text)
    for secret in secrets:
        assert secret[:HEAD_CHARS] not in struck.replace(STRUCK_OUT, "|")
