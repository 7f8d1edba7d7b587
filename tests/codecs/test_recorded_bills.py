"""From recorded bytes to money: what a codec counts, at the catalogue's price, is the bill made by hand."""

from __future__ import annotations

import pytest

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
from manus.config.catalogue import Place, packaged_catalogue
from manus.messages.policy import Bounds
from manus.messages.usage import nano_usd
from tests.shared_data import exchanges, unavailable

OPENAI, ANTHROPIC, BEDROCK = Place("openai"), Place("anthropic"), Place("bedrock")

BILLS = [
    # the exchange; wire; whose prices; model; the bill, in micro-USD as tokens times USD per million
    (
        ("openai", "chat", "3e0dd744ad8f"),
        ("openai-chat", OPENAI, "gpt-4o-mini"),
        125 * 0.15 + 1024 * 0.075 + 270 * 0.6,
    ),
    (
        ("openai", "chat", "400f249771b9"),
        ("openai-chat", OPENAI, "gpt-4o"),
        79 * 2.5 + 3584 * 1.25 + 117 * 10,
    ),
    (
        ("openai", "chat", "7cb4fe1527fe"),
        ("openai-chat", OPENAI, "gpt-4.1-mini"),
        699 * 0.4 + 2048 * 0.1 + 267 * 1.6,
    ),
    (
        ("openai-responses", "responses", "960354104d17"),
        ("openai-responses", OPENAI, "gpt-4o"),
        179 * 2.5 + 3584 * 1.25 + 44 * 10,
    ),
    (
        ("anthropic", "messages", "195bc26d62dd"),
        ("anthropic", ANTHROPIC, "claude-sonnet-4-20250514"),
        3 * 3 + 14 * 3.75 + 2056 * 6 + 459 * 15,
    ),
    (
        ("bedrock", "converse", "40b928fe57d0"),
        ("bedrock", BEDROCK, "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        3 * 3.3 + 1712 * 0.33 + 236 * 4.125 + 121 * 16.5,
    ),
]


@pytest.mark.parametrize(("recorded", "asked", "micro_usd"), BILLS, ids=[bill[1][2] for bill in BILLS])
def test_a_recorded_answer_costs_what_its_counts_make(
    recorded: tuple[str, str, str], asked: tuple[str, Place, str], micro_usd: float
) -> None:
    provider, api, tail = recorded
    wire, place, model = asked
    exchange = next((e for e in exchanges((provider, api)) if e["id"].endswith(tail)), None)
    if exchange is None:
        unavailable(f"the recording {provider}-{api}-{tail} is missing")
        return
    stream = bool((exchange["request"]["body"] or {}).get("stream"))
    decoder = codec_for(wire).decoder(stream=stream, model=model, options=CodecOptions(provider="p"))
    assembly = Assembly(wire, model, Bounds())
    assembly.add(decoder.feed(exchange["response"]["body_text"].encode()))
    assembly.add(decoder.finish())

    found = packaged_catalogue().find(place, model)
    assert found is not None
    assert assembly.usage.source == "reported"
    assert found.price.cost_nano_usd(assembly.usage) == nano_usd(f"{micro_usd / 1_000_000:.12f}")
