"""The catalogue against recorded traffic: what a vendor has once taken, no card may call impossible.

A card that denies what works robs a request of it; a vendor's 200 is the proof. The other way round proves little, as
a vendor may ignore what it does not take, so only two refusals are named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from manus.config.model_cards import known_card
from manus.messages.policy import ModelCard
from tests.shared_data import exchanges

# Any, throughout this file: recorded JSON, of which each piece is checked before it is used.

APIS = (
    ("openai", "chat"),
    ("openai-responses", "responses"),
    ("anthropic", "messages"),
    ("bedrock", "converse"),
    ("bedrock", "converse-stream"),
    ("azure", "deployments-chat"),
    ("azure", "v1-chat"),
    ("azure", "responses"),
    ("openai-compat", "chat"),
)
KINDS = {"openai-responses": "openai", "openai-compat": "openai"}

LEAST_SEEN = 300
"""Exchanges with a model that the catalogue has; fewer, and this file proves less than it says."""

SUMMED = {"anthropic-messages-b32481f25fc5"}
"""Its counts are sums over many rounds of tools that the vendor ran, so they may exceed the window."""


def card_of(exchange: dict[str, Any]) -> ModelCard | None:
    """Describe the model that an exchange was with; None where the catalogue has nothing on it."""
    request, kind = exchange["request"], KINDS.get(exchange["provider"], exchange["provider"])
    url, body = request["url"] or "", request["body"]
    if not isinstance(body, dict):
        return None
    model, base = body.get("model"), None
    if kind == "bedrock":
        found = re.search(r"/model/([^/]+)/", url)
        model = unquote(found[1]) if found else None
    elif kind == "azure":
        model = base = (exchange["expect"] or {}).get("model")
    elif kind == "anthropic" and "anthropic.com" not in url:
        return None
    if not isinstance(model, str):
        return None
    card = known_card(kind, url or None, model, base=base)
    return None if card.as_of is None else card


def any_inside(value: object, holds: Callable[[dict[str, Any]], bool]) -> bool:
    """Whether something holds of an object, however deep inside `value`."""
    match value:
        case dict():
            return holds(value) or any(any_inside(item, holds) for item in value.values())
        case list():
            return any(any_inside(item, holds) for item in value)
        case _:
            return False


def used(body: dict[str, Any]) -> Iterator[str]:
    """Name the capabilities that a request made use of."""
    inference, more = body.get("inferenceConfig") or {}, body.get("additionalModelRequestFields") or {}
    said = body.get("messages") or body.get("input") or []
    tools = body.get("tools") or (body.get("toolConfig") or {}).get("tools") or []
    choice = body.get("tool_choice") or (body.get("toolConfig") or {}).get("toolChoice")
    thinking = body.get("thinking") or more.get("thinking") or {}
    last = said[-1] if isinstance(said, list) and said and isinstance(said[-1], dict) else {}
    shape = (body.get("response_format") or {}).get("type"), ((body.get("text") or {}).get("format") or {}).get("type")
    forced = {"required", "any", "tool", "function"}
    uses = {
        "sampling": any(
            value not in (None, 1)
            for value in (body.get("temperature"), body.get("top_p"), inference.get("temperature"))
        ),
        "stop": bool(body.get("stop") or body.get("stop_sequences") or inference.get("stopSequences")),
        "seed": body.get("seed") is not None,
        "logprobs": body.get("logprobs") is True or body.get("top_logprobs") is not None,
        "penalties": bool(body.get("presence_penalty") or body.get("frequency_penalty")),
        "tools": any(each.get("type", "function") in ("function", "custom") or "toolSpec" in each for each in tools),
        "forced_tools": (isinstance(choice, str) and choice in forced)
        or (isinstance(choice, dict) and (choice.get("type") in forced or bool({"any", "tool"} & choice.keys()))),
        "vision": any_inside(
            said,
            lambda part: (
                part.get("type") in ("image_url", "image", "input_image") or isinstance(part.get("image"), dict)
            ),
        ),
        "documents": any_inside(
            said,
            lambda part: (
                part.get("type") in ("file", "document", "input_file") or isinstance(part.get("document"), dict)
            ),
        ),
        "json_schema": "json_schema" in shape
        or "format" in (body.get("output_config") or {})
        or "outputConfig" in body,
        "thinking_budget": "budget_tokens" in thinking,
        "thinking_off": thinking.get("type") == "disabled",
        "cache_control": any_inside(body, lambda each: bool({"cache_control", "cachePoint"} & each.keys())),
        "prefill": last.get("role") == "assistant",
    }
    yield from (capability for capability, is_used in uses.items() if is_used)


def contradictions(exchange: dict[str, Any], card: ModelCard) -> Iterator[str]:
    """Say what a vendor took that the card of its model denies."""
    body, expect = exchange["request"]["body"], exchange["expect"] or {}
    for capability in used(body):
        if getattr(card, capability) is False:
            yield f"{exchange['id']}: {card.name} was asked with {capability}"
    reasoning = body.get("reasoning")
    effort = body.get("reasoning_effort") or (reasoning.get("effort") if isinstance(reasoning, dict) else None)
    effort = "off" if effort == "none" else effort or (body.get("output_config") or {}).get("effort")
    if effort is not None and card.efforts is not None and effort not in card.efforts:
        yield f"{exchange['id']}: {card.name} took the effort {effort}"
    bounds = ("max_tokens", "max_completion_tokens", "max_output_tokens")
    asked = next(
        (body[name] for name in bounds if body.get(name)), (body.get("inferenceConfig") or {}).get("maxTokens")
    )
    if asked and card.max_output_tokens is not None and asked > card.max_output_tokens:
        yield f"{exchange['id']}: {card.name} took a bound of {asked} tokens, its card says {card.max_output_tokens}"
    prompt = expect.get("input_tokens") or 0
    if card.context_tokens is not None and prompt > card.context_tokens and exchange["id"] not in SUMMED:
        yield f"{exchange['id']}: {card.name} read {prompt} tokens, its card says {card.context_tokens}"


def test_what_a_vendor_has_taken_no_card_denies(capsys: pytest.CaptureFixture[str]) -> None:
    seen = 0
    wrong: list[str] = []
    for exchange in exchanges(*APIS):
        card = card_of(exchange)
        if card is None or exchange["response"]["status"] != 200 or (exchange["expect"] or {}).get("error"):
            continue
        seen += 1
        wrong.extend(contradictions(exchange, card))
    with capsys.disabled():
        print(f"\n{seen} recorded answers of models that the catalogue has, {len(wrong)} contradictions")
    assert wrong == []
    assert seen >= LEAST_SEEN


@pytest.mark.parametrize(
    ("kind", "url", "model", "refused"),
    [
        # "Unsupported parameter: 'stop' is not supported with this model." (openai-chat-8b27f1f96490)
        ("openai", "https://api.openai.com/v1", "o1-mini", lambda card: card.stop is False),
        # "... does not support effort level 'xhigh'. Supported levels: high, low, max, medium." (12cdde6c1be2)
        (
            "anthropic",
            None,
            "claude-opus-4-6",
            lambda card: set(card.efforts or ()) == {"low", "medium", "high", "max"},
        ),
    ],
)
def test_what_a_vendor_has_refused_by_name_the_card_knows(
    kind: str, url: str | None, model: str, refused: Callable[[ModelCard], bool]
) -> None:
    assert refused(known_card(kind, url, model))
