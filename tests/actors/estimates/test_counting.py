"""Prompts are counted to the token where their vendor publishes how, and never called exact where it does not."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manus.actors.estimates import tokenizer
from manus.actors.estimates.counting import count_exactly, count_text, roughly, roughly_text
from manus.actors.estimates.families import UNKNOWN, family_of
from manus.actors.estimates.text import bound_tokens
from manus.actors.estimates.tokenizer import (
    EXACT_CHARS_MAX,
    EXACT_TOKENS_MAX,
    NoTokenizer,
    Vocabulary,
    exact_tokens,
    is_installed,
    tokenizer_of,
)
from manus.messages.content import Image, ToolCall, ToolResult, Turn, VendorTurn, text_turn
from manus.messages.ids import RequestId
from manus.messages.requests import ChatRequest, OutputFormat, Tool
from tests.shared_data import unavailable

KNOWN = tomllib.loads(Path(__file__).with_name("samples.toml").read_text(encoding="utf-8"))
GPT = family_of("gpt-4o")


@pytest.fixture
def installed() -> None:
    """Have the extra, which CI must."""
    if not is_installed():
        unavailable("the extra `manus-llm[tokens]` is not installed")


def ask(*turns: Turn, **fields: Any) -> ChatRequest:
    return ChatRequest(request_id=RequestId("r"), turns=turns or (text_turn("user", "Hello there"),), **fields)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("name", KNOWN)
def test_a_text_is_counted_as_is_written_down_beside_it(name: str) -> None:
    counted = count_text(KNOWN[name]["text"])
    assert counted is not None
    assert (counted.tokens, counted.kind, counted.likely_error) == (KNOWN[name]["tokens"], "exact", 0.0)


def inexact() -> Iterator[ChatRequest]:
    raw = msgspec.Raw(b'{"a":1}')
    yield ask(tools=(Tool(name="look"),))
    yield ask(output=OutputFormat())
    yield ask(extra={"openai": raw})
    yield ask(Turn(role="user", parts=(Image(url="https://example.test"),)))
    yield ask(Turn(role="assistant", parts=(ToolCall(id="c", name="look"),)))
    yield ask(Turn(role="tool", parts=(ToolResult(id="c"),)))
    yield ask(msgspec.structs.replace(text_turn("user", "Hi"), name="ann"))
    yield ask(Turn(role="assistant", vendor=VendorTurn(provider="openai-chat", model="m", raw=raw)))


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("request_", list(inexact()))
def test_what_vendors_rewrite_is_never_called_exact(request_: ChatRequest) -> None:
    counted = count_exactly(request_, GPT)
    assert counted is not None
    assert counted.kind == "estimated"
    assert counted.likely_error > 0


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "gpt-oss:20b", "llama3", "x"])
def test_no_other_vendors_count_is_called_exact(model: str) -> None:
    counted = count_exactly(ask(), family_of(model))
    assert counted is not None
    assert (counted.kind, counted.vocabulary) == ("estimated", "o200k_base")
    assert counted.likely_error > 0


def test_an_estimate_says_how_near_it_may_be() -> None:
    assert 0 < roughly_text("Hello").likely_error <= roughly(10, GPT).likely_error < roughly(10, UNKNOWN).likely_error
    assert roughly(10, GPT, is_plain=False).likely_error > roughly(10, GPT).likely_error
    assert {roughly_text("Hello").kind, roughly(10, GPT).kind} == {"estimated"}


class Counting:
    """A tokenizer that makes a token of each character, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def count_till_limit(self, text: str, limit: int) -> int | None:
        self.asked.append((text, limit))
        return len(text) if len(text) <= limit else None


def test_no_text_is_counted_past_the_cap() -> None:
    counting = Counting()
    assert exact_tokens("a" * EXACT_TOKENS_MAX, counting) == EXACT_TOKENS_MAX
    assert exact_tokens("a" * (EXACT_TOKENS_MAX + 1), counting) is None
    assert {limit for _, limit in counting.asked} == {EXACT_TOKENS_MAX}
    counting.asked.clear()
    assert exact_tokens(" " * (EXACT_CHARS_MAX + 1), counting) is None
    assert counting.asked == [], "what is that long is not begun"


@pytest.mark.usefixtures("installed")
def test_a_prompt_that_is_too_long_is_not_counted() -> None:
    assert count_exactly(ask(text_turn("user", "x " * EXACT_CHARS_MAX)), GPT) is None


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("vocabulary", ["o200k_base", "cl100k_base"])
@given(text=st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_no_text_has_more_tokens_of_a_real_vocabulary_than_its_bound(vocabulary: Vocabulary, text: str) -> None:
    tokens = exact_tokens(text, tokenizer_of(vocabulary))
    assert tokens is not None
    assert tokens <= bound_tokens(text)


@pytest.mark.usefixtures("installed")
def test_half_a_character_is_counted_and_breaks_nothing() -> None:
    assert exact_tokens("half \ud83d", tokenizer_of("o200k_base")) == exact_tokens("half ?", tokenizer_of("o200k_base"))


@pytest.mark.usefixtures("installed")
def test_the_older_vocabulary_is_the_older_models() -> None:
    text = "안녕하세요 세계, 港长为每一条船"
    old, new = (
        count_exactly(ask(text_turn("user", text)), family_of("gpt-4")),
        count_exactly(ask(text_turn("user", text)), GPT),
    )
    assert old is not None
    assert new is not None
    assert (old.vocabulary, new.vocabulary) == ("cl100k_base", "o200k_base")
    assert old.tokens > new.tokens


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer_of.cache_clear()
    monkeypatch.setattr(tokenizer, "find_spec", lambda name: None)
    assert not is_installed()
    with pytest.raises(NoTokenizer, match=r"manus-llm\[tokens\]"):
        count_exactly(ask(), GPT)
    tokenizer_of.cache_clear()
