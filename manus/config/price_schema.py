"""Own the shape of what a model costs beyond its list price: bands of long prompts, and other services.

USD per million tokens throughout, as in `ModelConfig`.
"""

from __future__ import annotations

from collections.abc import Sequence

from manus.config.units import Count, Section, UsdPerMillionTokens


class CostTier(Section, frozen=True, kw_only=True):
    """What a whole call costs whose prompt, cached tokens included, is longer than `above_tokens`."""

    above_tokens: Count
    input: UsdPerMillionTokens
    output: UsdPerMillionTokens
    cache_read: UsdPerMillionTokens | None = None
    cache_write: UsdPerMillionTokens | None = None
    cache_write_long: UsdPerMillionTokens | None = None


class ServiceCost(Section, frozen=True, kw_only=True):
    """What a call costs at another service than the usual one, as `flex` or `priority`."""

    input: UsdPerMillionTokens
    output: UsdPerMillionTokens
    cache_read: UsdPerMillionTokens | None = None
    cache_write: UsdPerMillionTokens | None = None
    cache_write_long: UsdPerMillionTokens | None = None
    tiers: Sequence[CostTier] = ()
