"""Own what a call may use before it is made: an upper bound that holds, and an expectation that is cheap.

The *bound* is what an attempt is booked at when nobody can say what was billed, so it errs upward: no
tokenizer in use makes more tokens than the text has bytes of UTF-8, and what the vendor adds around the text
(templates, tool preambles) is covered by fixed allowances. Where bytes say nothing (a PDF, a file the vendor
holds, a search it runs) the model's whole window stands in. The *estimate* looks at classes of characters.

Costs: a few microseconds for a chat turn. Long texts are sampled, so a prompt of megabytes costs no more.
This file knows no tokenizer and no price list; both may replace it behind the same functions.
"""

from __future__ import annotations

from typing import assert_never

import msgspec

from manus.messages.content import (
    AnyPart,
    Audio,
    Citation,
    Document,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, EmbedRequest
from manus.messages.usage import Price, Usage

WINDOW_TOKENS = 2_000_000
"""The window of a model that nobody has described: above the largest on offer (1.05 million in 2026-11)."""

OUTPUT_TOKENS = 131_072
"""The longest answer of a model that nobody has described and a caller who sets no cap: the largest cap on offer."""

EXPECTED_OUTPUT_TOKENS = 512
"""The answer we expect where nothing is known: a long paragraph or two."""

TEMPLATE_TOKENS = 512
"""Allowance for what a chat template adds by itself: system preambles, default prompts, control tokens."""

TURN_TOKENS = 32
"""Allowance per turn or part for roles and separators; the vendors' own figures are 3 to 7."""

TOOLS_TOKENS = 1024
"""Allowance for the preamble that tools bring along; Anthropic states 346 to 804."""

OUTPUT_SLACK_TOKENS = 16
"""A cap below the vendor's least is raised to it (16 at OpenAI's Responses), and the end token may count."""

IMAGE_TOKENS_MAX = 50_000
"""One picture at the dearest rate found: gpt-4o-mini, high detail, 8 tiles of 5,667 and a base of 2,833."""

IMAGE_TOKENS = 1_000
"""One picture as expected: 765 to 1,600 at the usual sizes."""

DOCUMENT_TOKENS = 5_000
"""One document that we cannot read, as expected: three pages, text and picture."""

SAMPLE_CHARS = 4096
"""Texts longer than `SAMPLES` of these are estimated from evenly spaced pieces."""

SAMPLES = 8

EXACT_CHARS = 262_144
"""Longer texts that are not ASCII are bounded by four bytes a character instead of being encoded."""

_SPECIAL = frozenset({"tools", "plugins", "web_search_options", "previous_response_id", "conversation", "context"})
"""Vendor options that put text into the prompt which we never see."""

_CAPS = frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict"})
"""Vendor options that may set another cap on the answer than the canonical one."""

_LETTER, _SIGN, _WIDE, _HALF, _EMOJI = 1, 2, 3, 4, 5
_WEIGHTS = ((_LETTER, 1 / 4.6), (_SIGN, 1.0), (_WIDE, 0.86), (_HALF, 0.4), (_EMOJI, 2.0))
"""Tokens per character by class: measured against o200k on prose, code, dense JSON and Chinese."""


def _class_of(byte: int) -> int:
    """Sort a leading byte of UTF-8: letters, signs, two-byte scripts, three-byte scripts (CJK), the rest."""
    if byte < 0x80:
        character = chr(byte)
        return _LETTER if character.isalpha() else 0 if character.isspace() else _SIGN
    if byte < 0xE0:
        return _HALF
    return _WIDE if byte < 0xF0 else _EMOJI


_CLASSES = bytes(_class_of(byte) for byte in range(256))
_CONTINUATION = bytes(range(0x80, 0xC0))


def bound_tokens(text: str) -> int:
    """Give a number of tokens that `text` cannot exceed: its bytes of UTF-8."""
    if text.isascii():
        return len(text)
    if len(text) > EXACT_CHARS:
        return 4 * len(text)
    return len(text.encode("utf-8", "surrogatepass"))


def estimate_tokens(text: str) -> int:
    """Expect a number of tokens for `text`: within some 20 % on prose, code and JSON."""
    if len(text) <= SAMPLES * SAMPLE_CHARS:
        return _weigh(text)
    step = len(text) // SAMPLES
    sample = "".join(text[start : start + SAMPLE_CHARS] for start in range(0, step * SAMPLES, step))
    return round(_weigh(sample) * len(text) / len(sample))


def _weigh(text: str) -> int:
    classes = text.encode("utf-8", "surrogatepass").translate(_CLASSES, _CONTINUATION)
    return -int(-sum(classes.count(kind) * weight for kind, weight in _WEIGHTS) // 1)


# -- whole requests


def bound_usage(request: ChatRequest | EmbedRequest, card: ModelCard | None = None) -> Usage:
    """Give what one attempt at `request` can use at most, as far as `card` (None: unknown model) describes it."""
    if isinstance(request, EmbedRequest):
        return bound_embed_usage(request)
    window = WINDOW_TOKENS if card is None or card.context_tokens is None else card.context_tokens
    extra = _vendor_options(request)
    cap = _bound_answer(request, card, extra)
    prompt = TEMPLATE_TOKENS + sum(_bound_turn(turn, window) for turn in request.turns) + _bound_tools(request)
    if any(_SPECIAL & fields.keys() for fields in extra):
        prompt += window
    if request.output is not None:
        # With a format and thinking, Ollama evaluates the prompt twice, the second time with the thinking in it: a
        # recorded prompt of 27 tokens was counted as 2,585.
        prompt += cap
    if card is not None and card.context_tokens is not None:
        prompt, cap = min(prompt, window), min(cap, window)
    return Usage(input_uncached=prompt, output=_bound_output(cap, extra), source="bound")


def bound_output_tokens(request: ChatRequest, card: ModelCard) -> int:
    """Give the output of `bound_usage` alone, without a look at the prompt."""
    extra = _vendor_options(request) if request.extra else []
    cap = _bound_answer(request, card, extra)
    return _bound_output(cap if card.context_tokens is None else min(cap, card.context_tokens), extra)


def _bound_output(cap: int, extra: list[dict[str, object]]) -> int:
    answers = max([1, *(n for fields in extra if isinstance(n := fields.get("n"), int))])
    return (cap + OUTPUT_SLACK_TOKENS) * answers


def _vendor_options(request: ChatRequest) -> list[dict[str, object]]:
    return [fields for raw in request.extra.values() if isinstance(fields := _fields(raw), dict)]


def _bound_answer(request: ChatRequest, card: ModelCard | None, extra: list[dict[str, object]]) -> int:
    """Give the cap on one answer: the caller's if he set one, else the model's, else the largest on offer."""
    cap = max(
        (cap for fields in extra for key, cap in fields.items() if key in _CAPS and isinstance(cap, int)), default=0
    )
    if request.max_output_tokens is not None:
        return max(cap, request.max_output_tokens)
    if card is not None and (card.max_output_tokens or card.context_tokens):
        return max(cap, card.max_output_tokens or card.context_tokens or 0)
    return max(cap, OUTPUT_TOKENS)


def estimate_usage(request: ChatRequest, card: ModelCard | None = None) -> Usage:
    """Expect what one attempt at `request` will use; never above its bound."""
    return expected_usage(estimate_prompt_tokens(request), bound_usage(request, card))


def estimate_prompt_tokens(request: ChatRequest | EmbedRequest) -> int:
    """Expect how many tokens the prompt of `request` has, whoever reads it."""
    if isinstance(request, EmbedRequest):
        return estimate_embed_usage(request).input_uncached
    prompt = 4
    for turn in request.turns:
        prompt += _estimate_turn(turn)
    for tool in request.tools:
        prompt += _estimate_bytes(tool.schema) + estimate_tokens(tool.description) + 8
    return prompt


def expected_usage(prompt_tokens: int, bound: Usage) -> Usage:
    """Expect a usage from an expected prompt; never above `bound`."""
    return Usage(
        input_uncached=min(prompt_tokens, bound.input_uncached),
        output=min(EXPECTED_OUTPUT_TOKENS, bound.output),
        source="estimated",
    )


def bound_embed_usage(request: EmbedRequest) -> Usage:
    """Give what one attempt to embed `request.inputs` can use at most."""
    tokens = sum(bound_tokens(text) + TURN_TOKENS for text in request.inputs)
    return Usage(input_uncached=tokens, source="bound")


def estimate_embed_usage(request: EmbedRequest) -> Usage:
    """Expect what one attempt to embed `request.inputs` will use."""
    return Usage(input_uncached=sum(estimate_tokens(text) + 2 for text in request.inputs), source="estimated")


def worst_cost_nano_usd(price: Price, bound: Usage) -> int | None:
    """Charge `bound` at the dearest rate its tokens can meet, rounded up; None where the price is unknown."""
    return price.worst_nano_usd(input_tokens=bound.input_total, output_tokens=bound.output)


# -- turns and parts


def _bound_turn(turn: Turn, window: int) -> int:
    vendor = 0 if turn.vendor is None else len(bytes(turn.vendor.raw))
    return TURN_TOKENS + vendor + sum(TURN_TOKENS + _bound_part(part, window) for part in turn.parts)


def _bound_part(part: AnyPart, window: int) -> int:
    match part:
        case Text(text=text) | Refusal(text=text):
            return bound_tokens(text)
        case Image():
            return IMAGE_TOKENS_MAX
        case Document(text=str(text)):
            return bound_tokens(text) + bound_tokens(part.name)
        case Document():
            return window
        case Audio(data=data):
            return len(data)
        case ToolCall():
            return bound_tokens(part.arguments) + bound_tokens(part.name) + bound_tokens(part.id)
        case ToolResult():
            inner = sum(TURN_TOKENS + _bound_part(piece, window) for piece in part.content)
            return inner + bound_tokens(part.name or "") + bound_tokens(part.id)
        case Reasoning():
            return sum(
                bound_tokens(piece or "") for piece in (part.text, part.signature, part.encrypted, part.redacted)
            )
        case Citation(raw=raw) | Opaque(raw=raw):
            return len(bytes(raw))
        case _:
            assert_never(part)


def _bound_tools(request: ChatRequest) -> int:
    # Vendors rewrite a schema into their own notation, which may be longer than the JSON: twice covers it.
    tokens = 0
    if request.tools:
        tokens += TOOLS_TOKENS
    for tool in request.tools:
        tokens += 2 * len(bytes(tool.schema)) + bound_tokens(tool.name) + bound_tokens(tool.description) + TURN_TOKENS
    if request.output is not None and request.output.schema is not None:
        tokens += TOOLS_TOKENS + 2 * len(bytes(request.output.schema))
    return tokens


def _estimate_turn(turn: Turn) -> int:
    return 4 + sum(_estimate_part(part) for part in turn.parts)


def _estimate_part(part: AnyPart) -> int:
    match part:
        case Text(text=text) | Refusal(text=text):
            return estimate_tokens(text)
        case Image():
            return IMAGE_TOKENS
        case Document(text=str(text)):
            return estimate_tokens(text)
        case Document():
            return DOCUMENT_TOKENS
        case Audio(data=data):
            return len(data) // 3200  # ten tokens a second of 16 kHz mono samples
        case ToolCall():
            return estimate_tokens(part.arguments) + estimate_tokens(part.name)
        case ToolResult():
            return sum(_estimate_part(piece) for piece in part.content)
        case Reasoning():
            return estimate_tokens(part.text)
        case Citation(raw=raw) | Opaque(raw=raw):
            return _estimate_bytes(raw)
        case _:
            assert_never(part)


def _estimate_bytes(raw: msgspec.Raw) -> int:
    return estimate_tokens(bytes(raw).decode("utf-8", "replace"))


def _fields(raw: msgspec.Raw) -> object:
    """Read vendor options far enough to see their top level; what is no JSON the codec refuses."""
    try:
        fields = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None
    if isinstance(fields, dict) and isinstance(options := fields.get("options"), dict):
        return {**options, **fields}
    return fields
