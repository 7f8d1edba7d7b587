"""Own the most that a call can use: what is reserved for it, and what stays in the books if nobody knows its bill.

It errs upward and must hold. How each part of it is known:

- text: no tokenizer in use makes more tokens than the text has bytes of UTF-8;
- what a vendor puts around the text (roles, templates, notations of its own): allowances above all that was recorded;
- pictures: the vendor's own cap where it documents one, else the dearest rule found;
- what cannot be seen (a PDF, a file the vendor holds, a search it runs): the model's window;
- the answer: the caller's cap, else the model's, else the largest on offer.
"""

from __future__ import annotations

from typing import Final

import msgspec

from manus.actors.estimates.families import UNKNOWN, Family, family_of
from manus.actors.estimates.measure import Measured, measure
from manus.actors.estimates.picture_tokens import picture_bound
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, EmbedRequest
from manus.messages.usage import Price, Usage

WINDOW_TOKENS: Final = 2_000_000
"""The window of a model that nobody has described: above the largest on offer (1.05 million in 2026-11)."""

OUTPUT_TOKENS: Final = 131_072
"""The longest answer of a model that nobody has described and a caller who sets no cap: the largest cap on offer."""

TEMPLATE_TOKENS: Final = 512
"""Allowance for what a chat template adds by itself: system preambles, default prompts, control tokens."""

TURN_TOKENS: Final = 32
"""Allowance per turn or part for roles and separators; the vendors' own figures are 3 to 7."""

TOOLS_TOKENS: Final = 1024
"""Allowance for the preamble that tools bring along; the records show up to 870, Nova 2's."""

OUTPUT_SLACK_TOKENS: Final = 16
"""A cap below the vendor's least is raised to it (16 at OpenAI's Responses), and the end token may count."""

SERVER_TOOL_CALLS: Final = 100
"""Calls of the vendor's own tools in one request that offers them and sets no cap (`max_uses`)."""

_SPECIAL: Final = frozenset(
    {"tools", "plugins", "web_search_options", "previous_response_id", "conversation", "context"}
)
"""Vendor options that put text into the prompt which we never see."""

_SERVER_TOOLS: Final = frozenset({"tools", "plugins", "web_search_options"})
"""Those of them by which the vendor may run tools of its own."""

_OURS: Final = frozenset({None, "function", "custom"})
"""Types of tools that the caller runs and not the vendor."""

_CAPS: Final = frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict"})
"""Vendor options that may set another cap on the answer than the canonical one."""

_Options = list[dict[str, object]]


def bound_usage(request: ChatRequest | EmbedRequest, card: ModelCard | None = None) -> Usage:
    """Give what one attempt at `request` can use at most, as far as `card` (None: unknown model) describes it."""
    return bound_of(measure(request), request, card)


def bound_of(measured: Measured, request: ChatRequest | EmbedRequest, card: ModelCard | None) -> Usage:
    """Do the same for a request that is measured already."""
    if isinstance(request, EmbedRequest):
        return Usage(input_uncached=measured.text_bytes + TURN_TOKENS * measured.pieces, source="bound")
    family = UNKNOWN if card is None else family_of(card.vendor_name)
    extra = _vendor_options(request) if request.extra else []
    cap = _bound_answer(request, card, extra)
    prompt = _bound_prompt(measured, family)
    server_tool_calls = 0
    if measured.documents or (extra and any(_SPECIAL & fields.keys() for fields in extra)):
        window = None if card is None else card.longest_prompt_tokens
        prompt += WINDOW_TOKENS if window is None else window
        server_tool_calls = sum(_server_tool_calls(fields) for fields in extra)
    if measured.has_form and not family.hosted:
        # With a format and thinking, Ollama evaluates the prompt twice, the second time with the thinking in it: a
        # recorded prompt of 27 tokens was counted as 2,585.
        prompt += cap
    if card is not None and card.context_tokens is not None:
        cap = min(cap, card.context_tokens)
    if card is not None and (most := card.longest_prompt_tokens) is not None:
        # A longer prompt is refused, which costs nothing, or cut.
        prompt = min(prompt, most)
    return Usage(
        input_uncached=prompt,
        output=_bound_output(cap, extra),
        server_tool_calls=server_tool_calls,
        source="bound",
    )


def bound_output_tokens(request: ChatRequest, card: ModelCard) -> int:
    """Give the output of `bound_usage` alone, without a look at the prompt."""
    extra = _vendor_options(request) if request.extra else []
    cap = _bound_answer(request, card, extra)
    return _bound_output(cap if card.context_tokens is None else min(cap, card.context_tokens), extra)


def worst_cost_nano_usd(price: Price, bound: Usage) -> int | None:
    """Charge `bound` at the dearest rate its tokens can meet, rounded up; None where the price is unknown."""
    return price.worst_nano_usd(
        input_tokens=bound.input_total, output_tokens=bound.output, server_tool_calls=bound.server_tool_calls
    )


def _bound_prompt(measured: Measured, family: Family) -> int:
    """Bound what can be seen of a prompt."""
    prompt = TEMPLATE_TOKENS + measured.text_bytes + TURN_TOKENS * (measured.turns + measured.pieces)
    if measured.tools:
        # Vendors rewrite a schema into their own notation, which may be longer than the JSON: twice covers it.
        prompt += TOOLS_TOKENS + TURN_TOKENS * measured.tools + 2 * measured.tool_bytes
    if measured.form_bytes:
        prompt += TOOLS_TOKENS + 2 * measured.form_bytes
    if not measured.is_plain:
        prompt += sum(picture_bound(family, sides) for sides, _ in measured.pictures) + measured.sound_bytes
    return prompt


def _bound_output(cap: int, extra: _Options) -> int:
    if not extra:
        return cap + OUTPUT_SLACK_TOKENS
    answers = max([1, *(n for fields in extra if isinstance(n := fields.get("n"), int))])
    return (cap + OUTPUT_SLACK_TOKENS) * answers


def _bound_answer(request: ChatRequest, card: ModelCard | None, extra: _Options) -> int:
    """Give the cap on one answer: the caller's if he set one, else the model's, else the largest on offer."""
    cap = 0
    if extra:
        asked = (cap for fields in extra for key, cap in fields.items() if key in _CAPS and isinstance(cap, int))
        cap = max(asked, default=0)
    if request.max_output_tokens is not None:
        return max(cap, request.max_output_tokens)
    if card is not None and (card.max_output_tokens or card.context_tokens):
        return max(cap, card.max_output_tokens or card.context_tokens or 0)
    return max(cap, OUTPUT_TOKENS)


def _server_tool_calls(fields: dict[str, object]) -> int:
    """Bound how often the vendor runs tools of its own: by the caps that all of them have, else by a large one."""
    if not _SERVER_TOOLS & fields.keys():
        return 0
    tools = fields.get("tools")
    if not isinstance(tools, list) or _SERVER_TOOLS & fields.keys() - {"tools"}:
        return SERVER_TOOL_CALLS
    uses = [tool.get("max_uses") for tool in tools if isinstance(tool, dict) and tool.get("type") not in _OURS]
    return sum(use if isinstance(use, int) else SERVER_TOOL_CALLS for use in uses)


def _vendor_options(request: ChatRequest) -> _Options:
    return [fields for raw in request.extra.values() if isinstance(fields := _fields(raw), dict)]


def _fields(raw: msgspec.Raw) -> object:
    """Read vendor options far enough to see their top level; what is no JSON the codec refuses."""
    try:
        fields = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None
    if isinstance(fields, dict) and isinstance(options := fields.get("options"), dict):
        return {**options, **fields}
    return fields
