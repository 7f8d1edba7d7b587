"""Own what is asked of the router besides an answer: the plan without the call, and how routing has gone."""

from __future__ import annotations

from typing import Any

import msgspec

from manus.messages.base import Message
from manus.messages.ids import DeploymentId
from manus.messages.outcomes import BreakerState
from manus.messages.requests import ChatRequest


class ExplainAsked(Message, frozen=True, kw_only=True, tag="explain_asked", omit_defaults=True):
    """Ask how `request` would be routed now; answered with a `Route`, or the `Failed` it would meet at once."""

    request: ChatRequest


class TokensAsked(Message, frozen=True, kw_only=True, tag="tokens_asked", omit_defaults=True):
    """Ask how long the prompt of `request` is for whoever is first; answered with `TokensTold`, or the `Failed` met."""

    request: ChatRequest


class TokensTold(Message, frozen=True, kw_only=True, tag="tokens_told", omit_defaults=True):
    """How many tokens a prompt is expected to have at a model, by what was learnt of it, and at most.

    `base` is its vendor's name for the model; `is_plain` tells that nothing but text and tools is in the prompt.
    `window_tokens` is how long prompt and answer may be there together, `prompt_tokens_max` the prompt alone and
    `output_tokens_max` the answer alone; None is unknown.
    """

    provider: str
    model: str
    base: str
    expected: int
    bound: int
    is_plain: bool = True
    window_tokens: int | None = None
    prompt_tokens_max: int | None = None
    output_tokens_max: int | None = None


class RoutingMetricsAsked(Message, frozen=True, kw_only=True, tag="routing_metrics_asked", omit_defaults=True):
    """Ask how routing has gone since the tree was built; answered with `RoutingMetrics`."""


class BreakerMove(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One transition of a breaker: when (seconds of the loop's clock), from where to where, and why, in words."""

    at: float
    before: BreakerState
    after: BreakerState
    reason: str


class DeploymentMetrics(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of the attempts at one deployment, and how it is doing.

    Args:
        failures: counted by kind.
        in_flight: attempts that are running now.
        breaker: how its breaker stands, and `moves` how it came there, the latest transitions, oldest first.
        ready_in_s: seconds from now before which it is not asked, where it rests; `resting` says why.
        first_content_s: peak-sensitive moving average of the time to first token, and
        first_content_p95_s: what 95 of 100 recent ones stayed below, once enough were seen.
        latency_s: peak-sensitive moving average of whole attempts.
    """

    deployment: DeploymentId
    attempts: int = 0
    successes: int = 0
    failures: dict[str, int] = {}
    in_flight: int = 0
    breaker: BreakerState = "closed"
    moves: tuple[BreakerMove, ...] = ()
    ready_in_s: float | None = None
    resting: str | None = None
    first_content_s: float | None = None
    first_content_p95_s: float | None = None
    latency_s: float | None = None


class RoutingMetrics(Message, frozen=True, kw_only=True, tag="routing_metrics", omit_defaults=True):
    """Counts since the tree was built; they survive a crash of the router.

    `retries` are further attempts at a deployment that had been asked already, `failovers` attempts at another one,
    `restarts` answers that began anew after the caller had seen a part, `continued` and `spliced` streams that were
    taken up without the caller noticing, `hedges` attempts that raced a slow one and `hedges_won` those that were
    faster; `drains` calls went on after their callers had left, for the vendor's own count. `shed` requests were
    refused for lack of room; `waiting` ones of priority `batch` wait for it now.
    """

    requests: int = 0
    finished: int = 0
    unfinished: int = 0
    cancelled: int = 0
    shed: int = 0
    in_flight: int = 0
    in_flight_peak: int = 0
    waiting: int = 0
    retries: int = 0
    failovers: int = 0
    restarts: int = 0
    continued: int = 0
    spliced: int = 0
    hedges: int = 0
    hedges_won: int = 0
    drains: int = 0
    deployments: tuple[DeploymentMetrics, ...] = ()

    def to_dict(self) -> dict[str, Any]:  # Any: plain data, as JSON has it
        """Give it as plain data, what is empty left out."""
        plain = msgspec.to_builtins(self)
        assert isinstance(plain, dict)
        del plain["msg"]
        return plain
