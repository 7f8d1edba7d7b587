"""Own what a call is expected to use: its prompt by what it holds and who reads it, its answer by experience.

An estimate costs a few microseconds, and its error is measured (docs/estimates.md); `calibration` learns from what
vendors report how far off it is at each model.
"""

from __future__ import annotations

from typing import Final

from manus.actors.estimates.bound import bound_of
from manus.actors.estimates.families import UNKNOWN, Family, family_of
from manus.actors.estimates.measure import BYTES_PER_SOUND_TOKEN, Measured, measure
from manus.actors.estimates.picture_tokens import picture_tokens
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, EmbedRequest
from manus.messages.usage import Usage

EXPECTED_OUTPUT_TOKENS: Final = 512
"""The answer we expect where nothing is known: a long paragraph or two."""

DOCUMENT_TOKENS: Final = 5_000
"""One document that we cannot read, as expected: three pages, text and picture."""

EMBED_INPUT_TOKENS: Final = 2
"""What each text to embed has around it."""


def prompt_tokens(measured: Measured, family: Family = UNKNOWN) -> int:
    """Expect how many tokens a prompt has for a family of models."""
    if not measured.turns:
        return round(measured.text * family.ratio) + EMBED_INPUT_TOKENS * measured.pieces
    tokens = family.base + family.turn * measured.turns + family.ratio * measured.text
    if measured.tools:
        tokens += family.tools + family.tool * measured.tools + family.tool_ratio * measured.tool_text
    if measured.calls:
        tokens += family.call * measured.calls
    if measured.form_bytes:
        tokens += family.form + family.form_ratio * measured.form_text
    if measured.thinking:
        tokens += family.thinking
    if not measured.is_plain:
        tokens += sum(picture_tokens(family, sides, detail) for sides, detail in measured.pictures)
        tokens += DOCUMENT_TOKENS * measured.documents + measured.sound_bytes // BYTES_PER_SOUND_TOKEN
    return round(tokens)


def estimate_prompt_tokens(request: ChatRequest | EmbedRequest) -> int:
    """Expect how many tokens the prompt of `request` has, whoever reads it."""
    return prompt_tokens(measure(request))


def expected_usage(prompt_tokens: int, bound: Usage) -> Usage:
    """Expect a usage from an expected prompt; never above `bound`."""
    return Usage(
        input_uncached=min(prompt_tokens, bound.input_uncached),
        output=min(EXPECTED_OUTPUT_TOKENS, bound.output),
        source="estimated",
    )


def estimate_usage(request: ChatRequest | EmbedRequest, card: ModelCard | None = None) -> Usage:
    """Expect what one attempt at `request` will use; never above its bound."""
    measured = measure(request)
    family = UNKNOWN if card is None else family_of(card.vendor_name)
    return expected_usage(prompt_tokens(measured, family), bound_of(measured, request, card))
