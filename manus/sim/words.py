"""Own what a simulated model says, and the rule by which its tokens are counted.

The token rule is simple on purpose, and additive: a token is any white space followed by one to eight
other characters. So the tokens of a text are its pieces in order, every chunk of an answer is a whole
number of tokens, and what had been generated at a cut can be counted exactly. It is no vendor's
tokeniser: tests compare our books with the provider's bill, and both use the provider's own numbers.
"""

from __future__ import annotations

import random
import re

TOKEN_CHARACTERS_MAX = 8
"""A word longer than this counts as several tokens."""

MESSAGE_TOKENS = 3
"""What every message of a prompt costs besides its text, and what opening the answer costs once."""

IMAGE_TOKENS = 85
"""What a picture in a prompt costs, whatever its size."""

_TOKEN = re.compile(rf"\s*\S{{1,{TOKEN_CHARACTERS_MAX}}}|\s+")

_PROSE = (
    "the river supervisor keeps a quiet ledger while small actors pass letters between rooms and nobody waits "
    "for ever because each clock has a name every door has a bound and what falls is picked up again before "
    "breakfast some lanterns burn low others stay bright over harbour and hill where patient sailors count "
    "their ropes twice then set out with morning wind"
)
_PLAIN = _PROSE.split()
_UNICODE = ("café", "naïve", "Zürich", "смелый", "δέντρο", "世界", "水", "花火", "🌍", "🚀", "👩‍🚀", "שלום")
_SENTENCE_WORDS = 9


def tokens_of(text: str) -> list[str]:
    """Split `text` into its tokens; joined again they are `text`."""
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """Count the tokens of `text`: zero for the empty string."""
    return len(tokens_of(text))


def draw_text(seed: str, words: int) -> str:
    """Write `words` words that depend on `seed` alone, in sentences.

    From two words on, the second lies beyond ASCII (accents, CJK, emoji), and later ones do here and
    there, so that UTF-8 sequences can be split early and often.
    """
    rng = random.Random(seed)
    said: list[str] = []
    for position in range(words):
        beyond_ascii = position == 1 or rng.random() < 0.08
        word = rng.choice(_UNICODE if beyond_ascii else _PLAIN)
        if position % _SENTENCE_WORDS == 0:
            word = word.capitalize()
        if position % _SENTENCE_WORDS == _SENTENCE_WORDS - 1 or position == words - 1:
            word += "."
        said.append(word)
    return " ".join(said)
