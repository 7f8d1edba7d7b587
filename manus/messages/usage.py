"""Own token counts in normal form, and money.

Token normal form: five disjoint classes (`input_uncached`, `cache_read`, `cache_write_short`, `cache_write_long`,
`output`) hold every token once, so sums are exact whatever the vendor counts inside what (OpenAI and Ollama count
cached tokens inside the input, Anthropic and Bedrock outside). Three further counts are parts of those, never beside
them: `reasoning` and `audio_output` of `output`, `audio_input` of `input_uncached`.
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

_HALF = TOKENS_PER_PRICE // 2


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one or more calls, and what else is billed of them.

    Args:
        input_uncached: tokens of the prompt that no cache had or kept, sounds among them.
        cache_read: tokens of the prompt that a cache had.
        cache_write_short: tokens of the prompt that were written into a cache for minutes.
        cache_write_long: the same for an hour.
        output: tokens of the answer: text, thinking, calls of tools, sounds.
        reasoning: how many of `output` were thinking; billed like the rest of it.
        audio_input: how many of `input_uncached` were sound. A vendor that reports cached sound does not say how much
            of it there was, so what is more than `input_uncached` counts as what it was read from.
        audio_output: how many of `output` were sound.
        server_tool_calls: calls of tools that the vendor ran itself.
        server_tools: the same by kind, in order of the kinds (`web_search`, `file_search`); calls that are counted
            above and named nowhere here are of a kind that nobody told.
        source: who says so.
    """

    input_uncached: int = 0
    cache_read: int = 0
    cache_write_short: int = 0
    cache_write_long: int = 0
    output: int = 0
    reasoning: int = 0
    audio_input: int = 0
    audio_output: int = 0
    server_tool_calls: int = 0
    server_tools: tuple[tuple[str, int], ...] = ()
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
            server_tools=_sum_of_kinds(self.server_tools, other.server_tools),
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

    Args:
        input, output: the rates without which no cost is known at all.
        cache_read, cache_write_short: fall back to `input` where a vendor has no rate of its own.
        cache_write_long: falls back to `cache_write_short`.
        audio_input, audio_output: of tokens that are sound, whatever the length of the prompt. They never fall back:
            the cost of a call with sounds is unknown where these are.
        per_request: nano-USD per call.
        tool_calls: nano-USD per call of a tool that the vendor runs, by its kind; `*` is every kind that is not named.
            The cost of a call that used a tool without a rate is unknown.
        tiers: the rates of long prompts, the lowest threshold first.
        version: where the price is from; it goes into the books with it.
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write_short: int | None = None
    cache_write_long: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None
    per_request: int = 0
    tool_calls: dict[str, int] = {}
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
            long = rates.cache_write_short if rates.cache_write_long is None else rates.cache_write_long
            parts += usage.cache_write_long * (rate if long is None else long)
        if usage.audio_input or usage.audio_output or usage.server_tool_calls:
            extra = self._extra(usage, rates)
            if extra is None:
                return None
            parts += extra
        # Half to even, written out: a call of a function is a fifth of what all this takes.
        cost, rest = divmod(parts, TOKENS_PER_PRICE)
        if rest > _HALF or (rest == _HALF and cost & 1):
            cost += 1
        return cost + self.per_request

    def worst_nano_usd(self, *, input_tokens: int, output_tokens: int, server_tool_calls: int = 0) -> int | None:
        """Charge at most so much at the dearest rates it can meet, rounded up; `None` where they are unknown.

        A vendor may write the whole prompt into its cache, which costs more than reading it, so every token of
        input counts at the dearest class of input, and every call of a tool as one of the dearest. A call that stays
        below a tier's threshold costs what is below it, which is not always less.
        """
        if self.input is None or self.output is None or (server_tool_calls and not self.tool_calls):
            return None
        worst = input_tokens * _dearest_input(self, self) + output_tokens * max(self.output, self.audio_output or 0)
        for tier in self.tiers:
            if input_tokens > tier.above_tokens:
                answer = output_tokens * max(tier.output, self.audio_output or 0)
                worst = max(worst, input_tokens * _dearest_input(tier, self) + answer)
        tools = server_tool_calls * max(self.tool_calls.values()) if server_tool_calls else 0
        return -(-worst // TOKENS_PER_PRICE) + tools + self.per_request

    def _extra(self, usage: Usage, rates: Price | PriceTier) -> int | None:
        """Give what sounds and the vendor's tools cost beyond `rates`, times a million; `None` where it is unknown."""
        assert rates.input is not None
        assert rates.output is not None
        extra = 0
        if usage.audio_input:
            if self.audio_input is None:
                return None
            extra += min(usage.audio_input, usage.input_uncached) * (self.audio_input - rates.input)
        if usage.audio_output:
            if self.audio_output is None:
                return None
            extra += min(usage.audio_output, usage.output) * (self.audio_output - rates.output)
        unnamed, others = usage.server_tool_calls, self.tool_calls.get(ANY_TOOL)
        for kind, calls in usage.server_tools:
            rate = self.tool_calls.get(kind, others)
            if rate is None:
                return None
            extra += calls * rate * TOKENS_PER_PRICE
            unnamed -= calls
        if unnamed > 0:
            if others is None:
                return None
            extra += unnamed * others * TOKENS_PER_PRICE
        return extra


ANY_TOOL = "*"
"""In `Price.tool_calls`: every kind of tool that has no rate of its own."""

FREE = Price(input=0, output=0, audio_input=0, audio_output=0, tool_calls={ANY_TOOL: 0}, version="free")
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


def _sum_of_kinds(one: tuple[tuple[str, int], ...], other: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    if not one or not other:
        return one or other
    calls = dict(one)
    for kind, more in other:
        calls[kind] = calls.get(kind, 0) + more
    return tuple(sorted(calls.items()))


def _dearest_input(rates: Price | PriceTier, price: Price) -> int:
    """Give the rate of the dearest class of input; `input` is known where this is asked."""
    dearest = rates.input or 0
    for rate in (rates.cache_read, rates.cache_write_short, rates.cache_write_long, price.audio_input):
        if rate is not None and rate > dearest:
            dearest = rate
    return dearest
