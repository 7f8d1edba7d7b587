"""Golden bills: from recorded bytes to money, against bills that were worked out by hand from published prices.

Each `*.toml` beside this file holds the bills of one vendor: what the recording says in the vendor's own numbers
(`told`), the lines of the bill as counts times published USD, and their sum as a literal. Three things are held to it:
the recording, the arithmetic of the bill by itself (decimals, no code of ours), and what our codec, the catalogue and
`Price` make of the bytes.
"""

from __future__ import annotations

import base64
import json
import re
import tomllib
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
from manus.config.load import load
from manus.config.policies import provider_policies
from manus.messages.outcomes import Answer
from manus.messages.policy import Bounds, ModelCard
from manus.messages.usage import NANO_USD
from tests.shared_data import shared_dir, unavailable

# Any, throughout this file: recorded JSON and parsed TOML, of which each piece is checked before it is used.

FILES = sorted(Path(__file__).parent.glob("*.toml"))

LEAST_BILLS = 10
"""Bills per vendor; fewer prove less than this file says."""

NANO_PER_USD = Decimal(NANO_USD)


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line: tokens at a price per million, or calls at a price each. Prices are decimals, as they are published."""

    what: str
    tokens: int = 0
    usd_per_million: str = "0"
    calls: int = 0
    usd_per_call: str = "0"

    @property
    def nano_usd(self) -> Decimal:
        """What it comes to."""
        per_token = Decimal(self.usd_per_million) / 1_000_000
        return (self.tokens * per_token + self.calls * Decimal(self.usd_per_call)) * NANO_PER_USD


class Bill(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One bill. Without `nano_usd` its sum is unknown, for the reason that `unknown` gives.

    `vendor_usd` is what the vendor says itself that it charged; `served` the service tier where it is not the usual.
    """

    recording: str
    model: str
    told: dict[str, int]
    wire: str = ""
    served: str | None = None
    lines: tuple[Line, ...] = ()
    nano_usd: int | None = None
    unknown: str | None = None
    vendor_usd: str | None = None


class Bills(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The bills of one vendor: of an entry of type `type` at `base_url`; `source` says who published the prices."""

    type: str
    base_url: str
    source: str
    bill: tuple[Bill, ...]
    wire: str = ""


BOOKS = {path.stem: msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Bills) for path in FILES}
CASES = [(vendor, bill) for vendor, bills in BOOKS.items() for bill in bills.bill]
IDS = [bill.recording for _, bill in CASES]


def recorded(bill: Bill) -> dict[str, Any]:
    path = shared_dir("wire") / f"{bill.recording}.json"
    if not path.is_file():
        unavailable(f"the recording {bill.recording} is missing")
    exchange: dict[str, Any] = json.loads(path.read_bytes())
    return exchange


def body_of(exchange: dict[str, Any]) -> bytes:
    response = exchange["response"]
    text = response.get("body_text")
    return base64.b64decode(response["body_base64"]) if text is None else text.encode()


def usages_in(body: bytes) -> Iterator[dict[str, Any]]:
    """Find what the vendor calls usage in the bytes of an answer, streamed or whole, by the name alone."""
    text = body.decode("utf-8", "replace")
    for found in re.finditer(r'"usage"\s*:\s*(?=\{)', text):
        yield json.JSONDecoder().raw_decode(text[found.end() :])[0]
    if '"eval_count"' in text:
        yield {name: int(count) for name, count in re.findall(r'"((?:prompt_)?eval_count)"\s*:\s*(\d+)', text)}


def told_in(exchange: dict[str, Any]) -> dict[str, int]:
    """Give the vendor's own numbers by their names; of several the last one counts."""
    told: dict[str, int] = {}

    def take(value: dict[str, Any], before: str) -> None:
        for name, each in value.items():
            if isinstance(each, dict):
                take(each, f"{before}{name}.")
            elif isinstance(each, int) and not isinstance(each, bool):
                told[f"{before}{name}"] = each

    for usage in usages_in(body_of(exchange)):
        take(usage, "")
    return told


def decoded(exchange: dict[str, Any], wire: str, model: str) -> Answer:
    body = exchange["request"]["body"]
    stream = exchange["api"].endswith("stream") or bool(isinstance(body, dict) and body.get("stream"))
    decoder = codec_for(wire).decoder(stream=stream, model=model, options=CodecOptions(provider="p"))
    assembly = Assembly(wire, model, Bounds())
    assembly.add(decoder.feed(body_of(exchange)))
    assembly.add(decoder.finish())
    return assembly.answer()


def card_of(bills: Bills, model: str) -> ModelCard:
    """Describe the model as an entry does that is configured for it; an Azure deployment by what it is based on."""
    named = {"name": "deployment", "base": model} if bills.type == "azure" else {"name": model}
    key = {} if bills.type == "ollama" else {"api_key": "k"}
    place = {"region": "us-east-1"} if bills.type == "bedrock" else {"base_url": bills.base_url}
    entry = {"type": bills.type, **place, **key, "models": [named]}
    return provider_policies(load({"providers": {"vendor": entry}}, environ={}).config)[0].models[0]


@pytest.mark.parametrize(("vendor", "bill"), CASES, ids=IDS)
def test_a_bill_adds_up_by_itself(vendor: str, bill: Bill) -> None:
    assert (bill.nano_usd is None) is (bill.unknown is not None) is (not bill.lines)
    if bill.nano_usd is not None:
        total = sum((line.nano_usd for line in bill.lines), Decimal(0))
        assert total.quantize(Decimal(1), ROUND_HALF_EVEN) == bill.nano_usd
        assert sum(line.tokens for line in bill.lines) > 0


@pytest.mark.parametrize(("vendor", "bill"), CASES, ids=IDS)
def test_a_bill_is_of_what_the_vendor_told(vendor: str, bill: Bill) -> None:
    told = told_in(recorded(bill))
    assert bill.told
    assert {name: told.get(name) for name in bill.told} == bill.told


@pytest.mark.parametrize(("vendor", "bill"), CASES, ids=IDS)
def test_recorded_bytes_cost_what_the_bill_says(vendor: str, bill: Bill) -> None:
    bills, exchange = BOOKS[vendor], recorded(bill)
    answer = decoded(exchange, bill.wire or bills.wire, bill.model)
    assert answer.usage.source == "reported"
    card = card_of(bills, bill.model)
    served = answer.service_tier
    if bill.served is not None:
        assert served == bill.served
    price = card.price if served is None else card.price_at(served)
    assert price.cost_nano_usd(answer.usage) == bill.nano_usd


@pytest.mark.parametrize(("vendor", "bill"), CASES, ids=IDS)
def test_recorded_bytes_cost_no_more_than_the_bound_of_their_tokens(vendor: str, bill: Bill) -> None:
    bills = BOOKS[vendor]
    answer = decoded(recorded(bill), bill.wire or bills.wire, bill.model)
    usage, card = answer.usage, card_of(bills, bill.model)
    price = card.price if answer.service_tier is None else card.price_at(answer.service_tier)
    worst = price.worst_nano_usd(
        input_tokens=usage.input_total, output_tokens=usage.output, server_tool_calls=usage.server_tool_calls
    )
    if bill.nano_usd is not None:
        assert worst is not None
        assert bill.nano_usd <= worst


CHARGED = [bill for _, bill in CASES if bill.vendor_usd is not None]


@pytest.mark.parametrize("bill", CHARGED, ids=[bill.recording for bill in CHARGED])
def test_what_a_vendor_says_it_charged_is_the_bill(bill: Bill) -> None:
    assert bill.vendor_usd is not None
    (cost,) = {usage["cost"] for usage in usages_in(body_of(recorded(bill))) if "cost" in usage}
    assert Decimal(str(cost)) == Decimal(bill.vendor_usd)
    if bill.nano_usd is not None:
        assert bill.nano_usd == Decimal(bill.vendor_usd) * NANO_PER_USD


def test_every_vendor_has_bills_enough() -> None:
    assert {"openai_chat", "openai_responses", "anthropic", "bedrock", "azure", "ollama", "openrouter"} <= BOOKS.keys()
    for vendor, bills in BOOKS.items():
        assert len([bill for bill in bills.bill if bill.nano_usd is not None]) >= LEAST_BILLS, vendor
        assert len({bill.recording for bill in bills.bill}) == len(bills.bill), vendor
