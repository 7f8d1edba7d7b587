"""Own the question who goes on from a partial answer, and the request that asks them to.

Some models continue a last turn of the assistant (*prefill*); others take it for history and answer anew, and others
answer 400. One that only pretends would make two answers look like one, so unknown models are taken for such that do
not: a model's card decides, and where it is silent what is documented of its family.

Source: canonical.md, section 4; anthropic.md, section 6; bedrock.md, section 6; ollama.md, section 7; read 2026-11.
Pure.
"""

from __future__ import annotations

import re

import msgspec

from manus.actors.codecs import anthropic_models, bedrock_models
from manus.actors.codecs.encoding import Unencodable, options_of
from manus.actors.estimates.text import estimate_tokens
from manus.messages.content import ToolCall, ToolResult, text_turn
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest

_OLLAMA_CONTINUES = re.compile(
    r"(?:.*/)?(?:cogito|command-[ar]|deepseek-v3|gemma4|laguna|lfm2|ministral|nemotron|olmo-?3|qwen3-vl|qwen3\.5)"
)
"""Models whose renderer in Ollama leaves a last turn of the assistant open. What a template of somebody's own does with
it cannot be known by the model's name."""

_THINKING_OPTIONS = frozenset(
    {"thinking", "think", "reasoning", "reasoning_effort", "reasoning_config", "reasoningConfig"}
    | {"enable_thinking", "chat_template_kwargs"}
)
_FORMAT_OPTIONS = frozenset({"format", "output_config", "outputConfig", "output_format", "response_format", "text"})
_TOOL_OPTIONS = frozenset({"tools", "toolConfig", "tool_choice"})
"""Vendor options that are passed through unread, and could ask for what does not go with a beginning of the answer."""

_FORCING = ("required", "tool")


def accepts_prefill(request: ChatRequest, card: ModelCard, wire: str | None, provider: str) -> bool:
    """Whether a model, asked for `request`, would go on from the beginning of an answer.

    Args:
        request: as the caller made it.
        card: the model's.
        wire: the wire family that its entry speaks; None where that is not known.
        provider: the entry's name, by which a request may carry options of its own for it.
    """
    if not (_goes_on(card, wire) if card.prefill is None else card.prefill):
        return False
    if request.turns and request.turns[-1].role == "assistant":
        return False  # the caller has begun the answer already, and how the two beginnings join is the vendor's secret
    if request.output is not None or _thinks(request):
        return False
    if request.tool_choice is not None and request.tool_choice.mode in _FORCING:
        return False
    if wire == "bedrock" and _has_tools(request):
        return False
    try:
        options = _options(request, wire, provider)
    except Unencodable:
        return False
    return options.isdisjoint(_THINKING_OPTIONS | _FORMAT_OPTIONS) and (
        wire != "bedrock" or options.isdisjoint(_TOOL_OPTIONS)
    )


def continued(request: ChatRequest, begun: str, *, spent: str = "") -> ChatRequest:
    """Give the request for the rest of an answer.

    Args:
        request: the one that was being answered.
        begun: the text so far, without blanks at its end, which no vendor takes there.
        spent: what came besides, such as thinking, of which the caller's bound has been used up as well.
    """
    bound = request.max_output_tokens
    if bound is not None:
        bound = max(1, bound - estimate_tokens(begun) - estimate_tokens(spent))
    return msgspec.structs.replace(
        request, turns=(*request.turns, text_turn("assistant", begun)), max_output_tokens=bound
    )


def _goes_on(card: ModelCard, wire: str | None) -> bool:
    """Tell by the model's family; the wires of OpenAI and Azure have no prefill."""
    name = card.vendor_name
    match wire:
        case "anthropic":
            return anthropic_models.family_of(name).prefill
        case "bedrock":
            return bedrock_models.family_of(name).prefill
        case "ollama":
            return _OLLAMA_CONTINUES.match(name.lower()) is not None
        case _:
            return False


def _thinks(request: ChatRequest) -> bool:
    wanted = request.reasoning
    if wanted is None:
        return False
    return wanted.effort not in (None, "off") or wanted.budget_tokens is not None


def _has_tools(request: ChatRequest) -> bool:
    """Whether tools are offered or occur in the conversation: then they have to be declared."""
    if request.tools:
        return True
    return any(isinstance(part, ToolCall | ToolResult) for turn in request.turns for part in turn.parts)


def _options(request: ChatRequest, wire: str | None, provider: str) -> set[str]:
    """Name the vendor options that the request carries for an entry, at the top and one level down.

    Raises:
        Unencodable: they are no JSON objects.
    """
    names: set[str] = set()
    owners = request.extra if wire is None else (wire, provider)
    for name, raw in options_of(request.extra, *owners).items():
        names.add(name)
        value = msgspec.json.decode(raw)
        if isinstance(value, dict):
            names.update(value)
    return names
