"""Own the shape of the tables that say how requests find an answer: `[routing]`, `[retry]`, `[health]`, `[hedge]`.

The meaning of each number is told at the policy that it becomes, in `messages.routing_policy`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta

from manus.config.units import Seconds, SecondsOrNone, Section, Share, ShareAboveNone
from manus.messages.requests import OnCancel, OnInterrupt


class RoutingStrategy(enum.StrEnum):
    """How the first choice and the order after it are found."""

    PRIORITY = "priority"
    COST_AWARE = "cost_aware"
    CAPABILITY = "capability"
    LATENCY = "latency"
    LEAST_BUSY = "least_busy"
    WEIGHTED = "weighted"
    ROUND_ROBIN = "round_robin"


class RoutingConfig(Section, frozen=True, kw_only=True):
    """`[routing]`: where a request may go, besides what `[general]` says of providers.

    Args:
        fallbacks: by model: what is asked, in order, where requests that name that model cannot be answered by it.
            Items are models, or `entry/model`.
        content_policy_fallbacks: who may be asked after a content policy refused a request, and then only; items are
            `entry` or `entry/model`.
        on_interrupt: what happens to a stream that breaks off, where the caller does not say.
        on_cancel: what happens to a call whose caller left: `abort` breaks it off and books an estimate of what came,
            `drain` reads it to its end for the vendor's own count.
        drain_s, drains_max: for how long such a call is read at most, and how many of them at once.
        affinity_s: for how long a conversation prefers the deployment that answered it last, whose prompt cache is
            warm; 0 is never.
    """

    fallbacks: Mapping[str, Sequence[str]] = {}
    content_policy_fallbacks: Sequence[str] = ()
    on_interrupt: OnInterrupt = "auto"
    on_cancel: OnCancel = "abort"
    drain_s: Seconds = 60.0
    drains_max: Annotated[int, Meta(ge=0, le=1024, description="a whole number from 0 to 1024")] = 64
    affinity_s: SecondsOrNone = 3600.0


class RetryConfig(Section, frozen=True, kw_only=True):
    """`[retry]`: how failures are answered; the meaning of each is told at `RetryPolicy`."""

    same_deployment: Annotated[int, Meta(ge=0, le=10, description="a whole number from 0 to 10")] = 1
    base_s: Seconds = 0.2
    max_s: Seconds = 5.0
    attempts_max: Annotated[int, Meta(ge=1, le=64, description="a whole number from 1 to 64")] = 8
    wait_here_s: Annotated[float, Meta(ge=0, le=60, description="seconds, from 0 to 60")] = 3.0
    wait_hint_max_s: Seconds = 60.0
    budget_ratio: Share = 0.2
    budget_min: Annotated[int, Meta(ge=0, le=10_000, description="a whole number from 0 to 10000")] = 10


class HealthConfig(Section, frozen=True, kw_only=True):
    """`[health]`: when a deployment is left alone, and for how long; the meaning of each is told at `HealthPolicy`."""

    failures: Annotated[int, Meta(ge=1, le=1000, description="a whole number from 1 to 1000")] = 5
    failure_rate: ShareAboveNone = 0.5
    window_s: Seconds = 30.0
    calls_min: Annotated[int, Meta(ge=1, le=10_000, description="a whole number from 1 to 10000")] = 20
    open_s: Seconds = 5.0
    open_max_s: Seconds = 20.0
    jitter: Share = 0.2
    refused_s: Seconds = 300.0
    cooldown_s: Seconds = 1.0
    silent_s: Seconds = 10.0
    probe_interval_s: Seconds | None = None


class HedgeConfig(Section, frozen=True, kw_only=True):
    """`[hedge]`: whether a slow first attempt is raced by another; the meaning of each is told at `HedgePolicy`."""

    enabled: bool = False
    quantile: Annotated[float, Meta(ge=0.5, le=0.999, description="a share from 0.5 to 0.999")] = 0.95
    samples_min: Annotated[int, Meta(ge=1, le=100, description="a whole number from 1 to 100")] = 20
    delay_min_s: SecondsOrNone = 0.05
    budget_ratio: ShareAboveNone = 0.1
