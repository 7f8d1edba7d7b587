"""The catalogue's cards and the codecs' rules by name are two accounts of the same models: they must not contradict.

Where one of them is silent the other decides. Where both speak and differ, one of them is wrong, and a request is
refused by the vendor or robbed of what it asked for; what is listed here was looked at and is left to the card.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from manus.actors.codecs import anthropic_models, bedrock_models, openai_models
from manus.config.catalogue import packaged_catalogue
from manus.config.model_cards import catalogue_cards
from manus.messages.policy import ModelCard

KNOWN = {
    # The family's rule is for all `pro` models; a source denies the lowest effort to the newest of them.
    ("openai", "gpt-5.5-pro", "efforts"),
    ("azure", "gpt-5.5-pro", "efforts"),
    # A source grants it `minimal`, which the document neither grants nor denies.
    ("openai", "gpt-5.2-pro", "efforts"),
    # A preview that its vendor has switched off; the codec knows no such name.
    ("anthropic", "claude-mythos-preview", "sampling"),
    ("anthropic", "claude-mythos-preview", "thinking_off"),
    # The codec permits an unknown vendor everything, the document knows cache points for two families only.
    ("bedrock", "moonshot.kimi-k2-thinking", "cache_control"),
    ("bedrock", "xai.grok-4.6", "cache_control"),
    ("bedrock", "xai.grok-4.7", "cache_control"),
}

Claim = tuple[str, object, object]
"""A fact, and what the card and the codec's rules say of it."""


def openai_claims(card: ModelCard) -> Iterator[Claim]:
    family = openai_models.family_of(card.name)
    if family.reasons == "unknown":
        return
    yield "sampling", card.sampling, {"never": True, "always": False}.get(family.reasons)
    yield "reasoning", card.reasoning, family.reasons != "never"
    yield "stop", card.stop, family.reasons == "never"
    yield "efforts", None if card.efforts is None else set(card.efforts), set(family.efforts)


def anthropic_claims(card: ModelCard) -> Iterator[Claim]:
    family = anthropic_models.family_of(card.name)
    yield "sampling", card.sampling, family.sampling
    yield "prefill", card.prefill, family.prefill
    yield "forced_tools", card.forced_tools, family.forced_tools
    yield "reasoning", card.reasoning, bool(family.thinking)
    yield "thinking_off", card.thinking_off, "disabled" in family.thinking
    yield "thinking_budget", card.thinking_budget, "enabled" in family.thinking
    yield "efforts", None if card.efforts is None else set(card.efforts), set(family.efforts)


def bedrock_claims(card: ModelCard) -> Iterator[Claim]:
    family = bedrock_models.family_of(card.name)
    if family.claude is not None:
        yield from anthropic_claims(card)
    yield "json_schema", card.json_schema if family.claude else None, family.text_format
    yield "stop", card.stop, family.stop
    yield "cache_control", card.cache_control, family.cache
    yield "prefill", card.prefill, family.prefill
    yield "forced_tools", card.forced_tools, family.forced_any


CLAIMS = {
    "openai": openai_claims,
    "azure": openai_claims,
    "anthropic": anthropic_claims,
    "bedrock": bedrock_claims,
}


@pytest.mark.parametrize("vendor", sorted(CLAIMS))
def test_cards_and_codecs_agree_where_both_speak(vendor: str) -> None:
    differing = {
        (vendor, card.name, fact): (ours, theirs)
        for _, card in catalogue_cards(vendor, packaged_catalogue())
        if not card.embeddings
        for fact, ours, theirs in CLAIMS[vendor](card)
        if ours is not None and theirs is not None and ours != theirs
    }
    assert {claim: why for claim, why in differing.items() if claim not in KNOWN} == {}
