"""Own the numbers that shape routing, failover and health: named, with unit, default and reason."""

from __future__ import annotations

import msgspec

from manus.messages.requests import OnCancel, OnInterrupt, Strategy


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How failures are answered.

    Args:
        same_deployment: retries of one deployment for resets and 5xx.
        base_s, max_s: exponential back-off between them, with full jitter.
        attempts_max: attempts of one request over all deployments; the plan is finite.
        wait_here_s: a vendor that names a wait of at most so long is waited for, once, before others are asked; 0 goes
            elsewhere at once.
        wait_hint_max_s: a Retry-After above this means "go elsewhere"; nobody waits longer for a deployment that rests.
        budget_ratio: retries may be this share of requests over the last minute, and
        budget_min: this many in any case.
    """

    same_deployment: int = 1
    base_s: float = 0.2
    max_s: float = 5.0
    attempts_max: int = 8
    wait_here_s: float = 3.0
    wait_hint_max_s: float = 60.0
    budget_ratio: float = 0.2
    budget_min: int = 10


class HealthPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a deployment is left alone, and for how long.

    Args:
        failures: so many failures in a row open the breaker.
        failure_rate: so does this share of failures over the last `window_s`, of at least `calls_min` calls.
        window_s, calls_min: what the rate is taken of.
        open_s: how long an open breaker waits before one probe may try; doubled by every failed probe, up to
        open_max_s: this, so that a deployment has its traffic back half a minute after it is well again, and spread by
        jitter: at most this share, so that deployments that fell together do not return together.
        refused_s: how long it rests after the vendor refused the key, or said that its quota is used up.
        cooldown_s: how long it rests after a 429 that names no time; doubled while they go on, up to `open_max_s`.
        silent_s: a request whose deadline passes in silence counts as a failure if it had waited for so long.
        probe_interval_s: ask a resting deployment for its list of models so often, which costs nothing, so that no
            caller's request has to be the first to try; None leaves it to requests.
    """

    failures: int = 5
    failure_rate: float = 0.5
    window_s: float = 30.0
    calls_min: int = 20
    open_s: float = 5.0
    open_max_s: float = 20.0
    jitter: float = 0.2
    refused_s: float = 300.0
    cooldown_s: float = 1.0
    silent_s: float = 10.0
    probe_interval_s: float | None = None


class HedgePolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether a slow first attempt is raced by a second one.

    Args:
        enabled: off unless the user wants it: it costs money.
        quantile: the second attempt starts when the first is slower to its first token than this share of the recent
            ones were.
        samples_min: how many must have been seen before that is known.
        delay_min_s: never sooner than this.
        budget_ratio: hedges may be this share of requests over the last minute. Twice the share that is slow by the
            quantile: with no more than that share, a slow minute is left without.
    """

    enabled: bool = False
    quantile: float = 0.95
    samples_min: int = 20
    delay_min_s: float = 0.05
    budget_ratio: float = 0.1


class RouterPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The router's bounds and rules.

    Args:
        in_flight_max: requests in all; above it the router sheds.
        batch_share: requests of priority `batch` start only while less than this share of the places is taken.
        batch_waiting_max: so many of them may wait for that; beyond, they are shed.
        stream_buffer: event lists a caller may be behind before its stream waits.
        consumer_stall_s: how long a stream waits for a caller that does not read.
        timeout_s: a request's deadline where the caller names none.
        on_interrupt: what happens to a stream that breaks off, where the caller does not say.
        on_cancel: what happens to a call whose caller left, where he does not say: `abort` breaks it off and books an
            estimate of what came, `drain` reads it to its end for the vendor's own count.
        default_provider: first choice where the caller names none.
        fallback_providers: who is asked next, in order; None means every enabled entry by priority. An item is an
            entry's name, or `entry/model`.
        fallbacks: by model: what is asked, in order, where requests that name that model cannot be answered by it.
            Items are models, or `entry/model`.
        policy_fallbacks: who may be asked after a content policy refused a request; `entry` or `entry/model`.
        strategy: how candidates are ordered, where a request does not say.
        drain_s: a stream that is to be read to its end after its caller left is read for at most so long
            (`on_cancel = "drain"`), and at most
        drains_max: so many at once; beyond, they are broken off.
        affinity_s: for how long a conversation prefers the deployment that answered it last, whose prompt cache is
            warm; 0 is never.
    """

    in_flight_max: int = 1024
    batch_share: float = 0.75
    batch_waiting_max: int = 1024
    stream_buffer: int = 32
    consumer_stall_s: float = 30.0
    timeout_s: float = 600.0
    on_interrupt: OnInterrupt = "auto"
    on_cancel: OnCancel = "abort"
    drain_s: float = 60.0
    drains_max: int = 64
    default_provider: str | None = None
    fallback_providers: tuple[str, ...] | None = None
    fallbacks: dict[str, tuple[str, ...]] = {}
    policy_fallbacks: tuple[str, ...] = ()
    strategy: Strategy = "priority"
    affinity_s: float = 3600.0
    retry: RetryPolicy = RetryPolicy()
    health: HealthPolicy = HealthPolicy()
    hedge: HedgePolicy = HedgePolicy()
