"""Own token counts in normal form, and money.

Token normal form: the parts are disjoint, so sums are exact whatever the vendor counts inside what
(OpenAI and Ollama count cached tokens inside the input, Anthropic and Bedrock outside).
Money is an integer of nano-USD (1e-9 USD). Prices are integers of nano-USD per million tokens, so
USD 5.00 per million tokens is 5_000_000_000. A sum is rounded once, half to even.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Literal

import msgspec

UsageSource = Literal["reported", "estimated", "bound", "missing"]
"""Where counts come from: the provider's own words, our estimate of what was streamed, an upper bound
for a call whose end we did not see, or nobody."""

NANO_USD = 1_000_000_000
"""Nano-USD in one USD."""

TOKENS_PER_PRICE = 1_000_000
"""Prices are quoted per this many tokens."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one or more calls, in disjoint parts (`reasoning` alone is a part *of* `output`)."""

    input_uncached: int = 0
    cache_read: int = 0
    cache_write_short: int = 0
    cache_write_long: int = 0
    output: int = 0
    reasoning: int = 0
    audio_input: int = 0
    audio_output: int = 0
    server_tool_calls: int = 0
    source: UsageSource = "missing"

    @property
    def input_total(self) -> int:
        """All tokens of the prompt, cached or not."""
        return self.input_uncached + self.cache_read + self.cache_write_short + self.cache_write_long

    @property
    def total(self) -> int:
        """Prompt and answer together."""
        return self.input_total + self.output

    def __add__(self, other: Usage) -> Usage:
        """Add two calls. The sum is only as good as its worse half."""
        return Usage(
            input_uncached=self.input_uncached + other.input_uncached,
            cache_read=self.cache_read + other.cache_read,
            cache_write_short=self.cache_write_short + other.cache_write_short,
            cache_write_long=self.cache_write_long + other.cache_write_long,
            output=self.output + other.output,
            reasoning=self.reasoning + other.reasoning,
            audio_input=self.audio_input + other.audio_input,
            audio_output=self.audio_output + other.audio_output,
            server_tool_calls=self.server_tool_calls + other.server_tool_calls,
            source=max(self.source, other.source, key=_WORSE.__getitem__),
        )


class VendorCounts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A vendor's own token numbers as it reported them, untouched; `None` where it said nothing.

    What `input` counts differs by vendor (cached tokens inside or outside), which is why nothing computes
    with these: they are kept to be shown beside the normal form.
    """

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


_WORSE: dict[str, int] = {"reported": 0, "estimated": 1, "bound": 2, "missing": 3}

NO_USAGE = Usage()
"""Nothing used, and nobody said so."""


class PriceTier(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rates of a whole call whose prompt, cached tokens included, is longer than `above_tokens`.

    Vendors of long windows charge so: from one token above the threshold on, every token of the call costs more.
    """

    above_tokens: int
    input: int
    output: int
    cache_read: int | None = None
    cache_write_short: int | None = None
    cache_write_long: int | None = None


class Price(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one deployment charges, in nano-USD per million tokens; `None` is *unknown*, never free.

    `cache_read`, `cache_write_short` and `cache_write_long` fall back to `input` where a vendor has no
    rate of its own for them; `per_request` is nano-USD per call. `tiers` are the rates of long prompts, the lowest
    threshold first. `version` names where the price is from, and goes into the books with it.
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write_short: int | None = None
    cache_write_long: int | None = None
    per_request: int = 0
    tiers: tuple[PriceTier, ...] = ()
    version: str = ""

    @property
    def known(self) -> bool:
        """Whether a cost can be computed at all."""
        return self.input is not None and self.output is not None

    def cost_nano_usd(self, usage: Usage) -> int | None:
        """Charge `usage`, in nano-USD, rounded once half to even; `None` where the price is unknown."""
        if self.input is None or self.output is None:
            return None
        rates: Price | PriceTier = self
        if self.tiers:
            prompt = usage.input_total
            for tier in self.tiers:
                if prompt > tier.above_tokens:
                    rates = tier
        rate = rates.input
        assert rate is not None
        assert rates.output is not None
        parts = usage.input_uncached * rate + usage.output * rates.output
        # Routing by cost asks this of every candidate, and what is expected of caches is nothing.
        if usage.cache_read:
            parts += usage.cache_read * (rate if rates.cache_read is None else rates.cache_read)
        if usage.cache_write_short:
            parts += usage.cache_write_short * (rate if rates.cache_write_short is None else rates.cache_write_short)
        if usage.cache_write_long:
            parts += usage.cache_write_long * (rate if rates.cache_write_long is None else rates.cache_write_long)
        return _round_half_even(parts, TOKENS_PER_PRICE) + self.per_request

    def worst_nano_usd(self, *, input_tokens: int, output_tokens: int) -> int | None:
        """Charge at most so many tokens at the dearest rate they can meet, rounded up; `None` where it is unknown.

        A vendor may write the whole prompt into its cache, which costs more than reading it, so every token of
        input counts at the dearest class of input. A call that stays below a tier's threshold costs what is below
        it, which is not always less.
        """
        if self.input is None or self.output is None:
            return None
        worst = input_tokens * _dearest_input(self) + output_tokens * self.output
        for tier in self.tiers:
            if input_tokens > tier.above_tokens:
                worst = max(worst, input_tokens * _dearest_input(tier) + output_tokens * tier.output)
        return -(-worst // TOKENS_PER_PRICE) + self.per_request


FREE = Price(input=0, output=0, version="free")
"""The price of a model that runs on the user's own machine."""

UNKNOWN_PRICE = Price(version="unknown")
"""The price of a model nobody has priced: costs come out as `None`."""


def nano_usd(usd: float | int | str) -> int:
    """Turn USD as people write it into nano-USD, exactly for what a config file can hold.

    Raises:
        ValueError: `usd` is negative or not a number.
    """
    try:
        amount = Decimal(str(usd))
    except InvalidOperation:
        raise ValueError(f"{usd!r} is not an amount of USD") from None
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{usd!r} is not an amount of USD; give a number that is zero or more")
    return int((amount * NANO_USD).to_integral_value(rounding="ROUND_HALF_EVEN"))


def format_usd(amount: int | None) -> str:
    """Write nano-USD for people: `$0.001234`, or `unknown` for `None`."""
    if amount is None:
        return "unknown"
    sign = "-" if amount < 0 else ""
    whole, rest = divmod(abs(amount), NANO_USD)
    digits = f"{rest:09d}".rstrip("0")
    return f"{sign}${whole}.{digits.ljust(2, '0')}"


def _dearest_input(rates: Price | PriceTier) -> int:
    """Give the rate of the dearest class of input; `input` is known where this is asked."""
    dearest = rates.input or 0
    for rate in (rates.cache_read, rates.cache_write_short, rates.cache_write_long):
        if rate is not None and rate > dearest:
            dearest = rate
    return dearest


def _round_half_even(numerator: int, denominator: int) -> int:
    quotient, remainder = divmod(numerator, denominator)
    twice = remainder * 2
    if twice > denominator or (twice == denominator and quotient % 2):
        quotient += 1
    return quotient
