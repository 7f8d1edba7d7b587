"""Own what a source says of one model, before anybody decides whom to believe. Knows no source."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from manus.config.catalogue_file import Rates

NANO_PER_USD = 1_000_000_000

CAPABILITIES = (
    "audio",
    "cache_control",
    "documents",
    "embeddings",
    "forced_tools",
    "json_schema",
    "logprobs",
    "parallel_tools",
    "penalties",
    "prefill",
    "reasoning",
    "responses_api",
    "sampling",
    "seed",
    "stop",
    "streaming",
    "thinking_budget",
    "thinking_off",
    "tools",
    "vision",
)
"""The capabilities of a `ModelCard` that are yes or no."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """One model of one vendor as one source describes it; None and what is left out is unknown.

    `names` are all its names; `matches` says whether the source counts a further name to it. `area` is the prefix of
    a Bedrock profile, or the area of an Azure data zone, whose price this is (`regional`, `global`, `eu`, ...). `tools`
    are nano-USD per call; `regions` say by how much an answer from one region is dearer.
    """

    vendor: str
    id: str
    names: tuple[str, ...] = ()
    matches: Callable[[str], bool] | None = None
    area: str = ""
    price: Rates | None = None
    services: dict[str, Rates] = {}
    tools: dict[str, int] = {}
    regions: dict[str, Decimal] = {}
    context: int | None = None
    prompt: int | None = None
    output: int | None = None
    flags: dict[str, bool] = {}
    efforts: tuple[str, ...] | None = None
    retires: str | None = None


class BadSource(Exception):
    """A source is not what we know it as; the message says where."""


def nano_per_call(usd: Decimal) -> int:
    """Turn USD per call into nano-USD per call, which is as exact as anything that is charged.

    Raises:
        BadSource: the price is negative or no number.
    """
    return nano_per_million(usd)


def nano_per_million(usd: Decimal) -> int:
    """Turn USD per million tokens into nano-USD per million tokens, rounded to the nearest.

    Sources divide prices of their own; what a third of a nano-USD matters to a million tokens is nothing.

    Raises:
        BadSource: the price is negative or no number.
    """
    if not usd.is_finite() or usd < 0:
        raise BadSource(f"{usd} is not a price")
    return int((usd * NANO_PER_USD).to_integral_value(rounding=ROUND_HALF_EVEN))
