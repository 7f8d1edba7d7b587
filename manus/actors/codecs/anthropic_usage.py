"""Own the token counts of Messages answers in normal form (anthropic.md, section 4.1).

`input_tokens` leaves out what was read from the cache and written to it, and `output_tokens` holds the
thinking. Later counts overwrite earlier ones, field by field; they are never added.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from manus.actors.codecs.anthropic_types import CacheCreation, Iteration, UsageObject
from manus.actors.codecs.json_text import well_formed
from manus.actors.codecs.server_tools import ServerToolTally
from manus.messages.events import UsageReported
from manus.messages.usage import Usage, VendorCounts

_ANYWHERE = (None, "", "global", "not_available")
"""Words for an answer whose place of inference nobody chose."""


class RunningUsage:
    """Keeps the counts of one answer as its events revise them."""

    __slots__ = ("_counted", "_known")

    def __init__(self) -> None:
        self._known = UsageObject()
        self._counted = False

    @property
    def service_tier(self) -> str | None:
        """What served the answer, where the vendor said so: a tier, fast mode, a region, each at a price of its own.

        As `standard` or `priority`, `fast`, `standard+us`, `fast+us`. Tokens of a second model (an advisor's) are
        billed at its own rates, and nothing in a usage keeps them apart: `standard+claude-opus-5` is a service that
        nobody has priced.
        """
        known = self._known
        tier = known.service_tier
        if known.speed == "fast":
            tier = "fast" if tier in (None, "standard") else f"{tier}+fast"
        if known.inference_geo not in _ANYWHERE:
            tier = f"{tier or 'standard'}+{known.inference_geo}"
        others = sorted({each.model for each in known.iterations or () if each.model})
        if others:
            tier = "+".join((tier or "standard", *others))
        return None if tier is None else well_formed(tier)

    def take(self, usage: UsageObject, *, final: bool) -> UsageReported:
        """Let `usage` overwrite what it names.

        Args:
            final: the output has been counted; the figure in `message_start` is only where it begins.
        """
        known = self._known
        for field in UsageObject.__struct_fields__:
            value = getattr(usage, field)
            if value is not None:
                setattr(known, field, value)
        if usage.cache_creation is None and usage.cache_creation_input_tokens is not None:
            # The split belonged to the figure that has just been revised.
            split = known.cache_creation
            if split is not None and _written(split) != usage.cache_creation_input_tokens:
                known.cache_creation = None
        self._counted = self._counted or (final and usage.output_tokens is not None)
        return self._reported()

    def _reported(self) -> UsageReported:
        known = self._known
        details = known.output_tokens_details
        thinking = None if details is None else details.thinking_tokens
        counts = VendorCounts(
            input=known.input_tokens,
            output=known.output_tokens,
            cached=known.cache_read_input_tokens,
            cache_write=known.cache_creation_input_tokens,
            reasoning=thinking,
        )
        usage = _summed([known])
        if known.iterations:
            # Passes of an advisor, a fallback or a compaction are billed, and the figures above may leave them out.
            passes = _summed(known.iterations)
            if passes.input_total + passes.output > usage.input_total + usage.output:
                usage = passes
        complete = self._counted and known.input_tokens is not None
        served = ServerToolTally()
        if known.server_tool_use is not None:
            served.add("web_search", _count(known.server_tool_use.web_search_requests))
            served.add("web_fetch", _count(known.server_tool_use.web_fetch_requests))
        return UsageReported(
            usage=msgspec.structs.replace(
                usage,
                reasoning=min(_count(thinking), usage.output),
                server_tool_calls=served.total,
                server_tools=served.kinds,
                source="reported" if complete else "missing",
            ),
            counts=counts,
        )


def _summed(passes: Iterable[Iteration]) -> Usage:
    total = Usage(source="reported")
    for each in passes:
        written = _count(each.cache_creation_input_tokens)
        long = 0 if each.cache_creation is None else _count(each.cache_creation.ephemeral_1h_input_tokens)
        if each.cache_creation is not None:
            written = max(written, _written(each.cache_creation))
        total += Usage(
            input_uncached=_count(each.input_tokens),
            cache_read=_count(each.cache_read_input_tokens),
            cache_write_short=max(0, written - long),
            cache_write_long=long,
            output=_count(each.output_tokens),
            source="reported",
        )
    return total


def _written(split: CacheCreation) -> int:
    return _count(split.ephemeral_5m_input_tokens) + _count(split.ephemeral_1h_input_tokens)


def _count(value: int | None) -> int:
    return max(0, value or 0)
