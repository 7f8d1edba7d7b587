"""Own the terminals: the one answer that every request gets, and what an answer consists of."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from manus.messages.content import AnyPart, Turn
from manus.messages.events import FinishReason
from manus.messages.failures import Failed
from manus.messages.ids import DeploymentId, RequestId
from manus.messages.requests import Strategy
from manus.messages.usage import NO_USAGE, Usage

Booking = Literal["settled", "released", "in_doubt", "open"]
"""How an attempt stands in the ledger; `open` while its answer is read to its end without its caller."""


class Finish(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why the model stopped: our word, the vendor's own, and what it said besides."""

    reason: FinishReason
    raw: str | None = None
    detail: str | None = None
    stop_sequence: str | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a model said, whole or as far as it got. `vectors` are an embedding's, packed as in `Embedded`."""

    parts: tuple[AnyPart, ...] = ()
    finish: Finish = Finish(reason="incomplete")
    usage: Usage = NO_USAGE
    id: str | None = None
    model: str | None = None
    vendor_request_id: str | None = None
    service_tier: str | None = None
    safety: tuple[msgspec.Raw, ...] = ()
    logprobs: tuple[msgspec.Raw, ...] = ()
    warnings: tuple[str, ...] = ()
    vectors: tuple[bytes, ...] = ()
    turn: Turn | None = None


BreakerState = Literal["closed", "open", "half_open"]
"""Whether a deployment is asked: as usual; not at all; by one request that finds out."""

AttemptRole = Literal["first", "retry", "wait", "failover", "continue", "splice", "restart", "hedge"]
"""Why an attempt was made: the first one; again at the same deployment; again after it had rested; at another one; to
continue a stream by prefill; to answer anew and be held against what was streamed; to answer anew after a `reset`; to
race an attempt that was slow."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A deployment the plan considered: its place (None if left out), its score and the reason.

    Args:
        score: what the strategy ordered by, lower first; its unit is the strategy's, and the reason says it.
        breaker: how its breaker stood at admission.
        ready_in_s: seconds after admission before which it is not asked, where it rests.
    """

    deployment: DeploymentId
    provider: str
    model: str
    rank: int | None = None
    score: float | None = None
    reason: str = ""
    breaker: BreakerState = "closed"
    ready_in_s: float | None = None


class Reservation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one attempt sets aside before it is made: what it is expected to use, and what it can use at most."""

    estimate: Usage = NO_USAGE
    bound: Usage = NO_USAGE
    estimate_nano_usd: int | None = None
    bound_nano_usd: int | None = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call to one deployment: what came of it, when, how it was booked, and the vendor's own id of it.

    Times are seconds after the request's admission; `first_content_s` is the time to first token.
    """

    number: int
    deployment: DeploymentId
    provider: str
    model: str
    result: str
    started_s: float
    ended_s: float
    role: AttemptRole = "first"
    first_content_s: float | None = None
    failure: Failed | None = None
    reservation: Reservation | None = None
    usage: Usage = NO_USAGE
    cost_nano_usd: int | None = None
    booking: Booking = "open"
    vendor_request_id: str | None = None


class Route(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The story of one request: the plan that was fixed at admission and the attempts it took.

    `reservation` is what the first candidate would set aside; a dry run has no attempts that could say it.
    `gave_up` says in words why no further attempt followed the last one, where that failed.
    """

    strategy: Strategy = "priority"
    candidates: tuple[Candidate, ...] = ()
    left_out: tuple[Candidate, ...] = ()
    reservation: Reservation | None = None
    attempts: tuple[Attempt, ...] = ()
    gave_up: str | None = None

    def to_dict(self) -> dict[str, Any]:  # Any: plain data, as JSON has it
        """Give it as plain data; what is at its default (a closed breaker, an unknown score) is left out."""
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return plain


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag="finished", tag_field="outcome", omit_defaults=True):
    """Success: an answer on evidence, booked.

    `usage` and `cost_nano_usd` cover all settled attempts (one in doubt stands in `route` with its bound);
    `durable` is False where the ledger's disk could not confirm in time and the row recovers as in doubt.
    """

    request_id: RequestId
    answer: Answer
    provider: str
    model: str
    usage: Usage = NO_USAGE
    cost_nano_usd: int | None = None
    durable: bool = True
    latency_s: float = 0.0
    route: Route = Route()


class Unfinished(msgspec.Struct, frozen=True, kw_only=True, tag="unfinished", tag_field="outcome", omit_defaults=True):
    """No success: the failure that decided, what had been streamed by then, and what it cost.

    A cancelled request ends so too, with a failure of kind `cancelled`, and so does one whose deadline
    passed, with kind `deadline`. `usage` and `cost_nano_usd` are those of its settled attempts; where there
    are none and an attempt is in doubt, the cost is unknown, and the attempt in `route` has the bound.
    """

    request_id: RequestId
    failure: Failed
    partial: Answer | None = None
    usage: Usage = NO_USAGE
    cost_nano_usd: int | None = None
    durable: bool = True
    latency_s: float = 0.0
    route: Route = Route()


class Embedded(msgspec.Struct, frozen=True, kw_only=True, tag="embedded", tag_field="outcome", omit_defaults=True):
    """Success of an embedding: vectors in the order of the inputs, all of one model.

    `vectors` are float32, little-endian, packed: a third of their size as JSON numbers, and no work to carry.
    The rest is as of `Finished`.
    """

    request_id: RequestId
    vectors: tuple[bytes, ...]
    provider: str
    model: str
    vendor_request_id: str | None = None
    warnings: tuple[str, ...] = ()
    usage: Usage = NO_USAGE
    cost_nano_usd: int | None = None
    durable: bool = True
    latency_s: float = 0.0
    route: Route = Route()


Outcome = Finished | Embedded | Unfinished


class CallEnded(msgspec.Struct, frozen=True, kw_only=True, tag="call_ended", tag_field="outcome", omit_defaults=True):
    """What a provider actor answers to one attempt: the answer as far as it came, and the failure if any.

    `billed` says what is known of the bill: `no` (nothing was sent, or the vendor refused before work),
    `reported` (usage is the vendor's), `estimated` (content came, usage did not), `unknown` (bytes left,
    nothing came back: in doubt).
    """

    answer: Answer
    failure: Failed | None = None
    billed: Literal["no", "reported", "estimated", "unknown"] = "unknown"
    first_content_s: float | None = None
    rate_limits: tuple[RateLimitReading, ...] = ()


class RateLimitReading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One dimension of a vendor's rate limit, as its headers tell; `reset_s` is seconds from now."""

    dimension: Literal["requests", "tokens", "input_tokens", "output_tokens"]
    limit: int | None = None
    remaining: int | None = None
    reset_s: float | None = None
