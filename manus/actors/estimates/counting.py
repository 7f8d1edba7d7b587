"""Own the counting of one prompt for somebody who asks: exactly where that is possible, else as near as can be.

For OpenAI's models a prompt of plain text is counted as they count it, template included: the recorded traffic agrees
to the token. Tools, schemas and thinking are rewritten by vendors in ways of their own, and nobody else publishes a
vocabulary, so that everything else stays an estimate, if a nearer one.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from manus.actors.estimates.families import UNKNOWN, Family
from manus.actors.estimates.measure import Measured, measure
from manus.actors.estimates.prompt import prompt_tokens
from manus.actors.estimates.text import bound_tokens, estimate_tokens
from manus.actors.estimates.tokenizer import Tokenizer, Vocabulary, exact_tokens, tokenizer_of
from manus.messages.requests import ChatRequest

BASE_VOCABULARY: Final[Vocabulary] = "o200k_base"
"""What all ratios are to."""

TEXT_NEAR: Final = 0.2
"""Nine of ten recorded texts are estimated nearer than this share to what the base vocabulary counts."""

NEAR: Final = 0.3
FAR: Final = 1.0
"""Nine of ten recorded prompts are nearer than this share: of text and tools for a family that is described, and of
pictures and files or for a family that is not (`python -m benchmarks estimates`)."""


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What a prompt counts.

    Args:
        tokens: of the whole prompt, template included.
        kind: `exact` where the vendor counts the same.
        vocabulary: by which its text was counted; None where it was weighed by classes of characters.
        likely_error: nine of ten such counts are nearer than this share of what the vendor reports.
    """

    tokens: int
    kind: Literal["exact", "estimated"]
    vocabulary: Vocabulary | None = None
    likely_error: float = 0.0


def can_be_exact(family: Family) -> bool:
    """Whether anybody knows how a family's vendor counts: its vocabulary is published, and nobody else serves it."""
    return family.vocabulary is not None and family.hosted


def roughly(tokens: int, family: Family, *, is_plain: bool = True) -> Counted:
    """Label an estimate; `is_plain` where nothing but text and tools is in the prompt."""
    return Counted(tokens=tokens, kind="estimated", likely_error=_near(family, is_plain=is_plain))


def roughly_text(text: str) -> Counted:
    """Estimate a text alone, as the base vocabulary would count it."""
    return Counted(tokens=estimate_tokens(text), kind="estimated", likely_error=TEXT_NEAR)


def count_text(text: str) -> Counted | None:
    """Count a text alone by the base vocabulary; None where it is too long. For threads: it blocks.

    Raises:
        NoTokenizer: the extra is not installed.
    """
    tokens = exact_tokens(text, tokenizer_of(BASE_VOCABULARY))
    return None if tokens is None else Counted(tokens=tokens, kind="exact", vocabulary=BASE_VOCABULARY)


def count_exactly(request: ChatRequest, family: Family) -> Counted | None:
    """Count a prompt by its family's vocabulary, or by the base one. For threads: it blocks.

    None where it is too long to be counted.

    Raises:
        NoTokenizer: the extra is not installed.
    """
    vocabulary = family.vocabulary or BASE_VOCABULARY
    weigher = _Weigher(tokenizer_of(vocabulary))
    try:
        measured = measure(request, weigher.weigh)
    except _TooLongError:
        return None
    tokens = prompt_tokens(measured, family)
    if can_be_exact(family) and _is_text_alone(measured, request):
        return Counted(tokens=tokens, kind="exact", vocabulary=vocabulary)
    near = _near(family, is_plain=measured.is_plain)
    return Counted(tokens=tokens, kind="estimated", vocabulary=vocabulary, likely_error=near)


def _near(family: Family, *, is_plain: bool) -> float:
    return NEAR if is_plain and family is not UNKNOWN else FAR


def _is_text_alone(measured: Measured, request: ChatRequest) -> bool:
    extras = measured.tools or measured.calls or measured.has_form or request.extra
    said = all(turn.name is None and turn.vendor is None for turn in request.turns)
    return measured.is_plain and said and not extras


class _TooLongError(Exception):
    """A text has more tokens than are counted."""


class _Weigher:
    __slots__ = ("_tokenizer",)

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def weigh(self, text: str) -> tuple[float, int]:
        tokens = exact_tokens(text, self._tokenizer)
        if tokens is None:
            raise _TooLongError
        return float(tokens), bound_tokens(text)
