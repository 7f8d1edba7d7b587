"""Own what is told to whoever watches: an event per attempt, per breaker that moves, and per reload."""

from __future__ import annotations

from manus.messages.base import Message
from manus.messages.ids import DeploymentId, RequestId
from manus.messages.outcomes import Booking, BreakerState, RateLimitReading
from manus.messages.usage import NO_USAGE, Usage


class AttemptEnded(Message, frozen=True, kw_only=True, tag="attempt_ended", omit_defaults=True):
    """One call to one deployment is over and booked. Of one that outlives its request, that is when its row ends.

    Args:
        at: seconds of the loop's clock, as in the supervisor's events.
        attempt: its number within the request.
        provider, model: whose the deployment is.
        result: `ok`, or the kind of its failure.
        status: the HTTP status of a refusal.
        vendor_request_id: the vendor's own id of the call, for its support desk.
        usage, cost_nano_usd: as booked: of one in doubt they are its bound, and of an unknown price the cost is None.
        rate_limits: what the vendor's headers told of its limits.
    """

    at: float
    request_id: RequestId
    attempt: int
    deployment: DeploymentId
    result: str
    booking: Booking
    provider: str = ""
    model: str = ""
    status: int | None = None
    vendor_request_id: str | None = None
    usage: Usage = NO_USAGE
    cost_nano_usd: int | None = None
    rate_limits: tuple[RateLimitReading, ...] = ()


class BreakerMoved(Message, frozen=True, kw_only=True, tag="breaker_moved", omit_defaults=True):
    """The breaker of a deployment opened, let a probe through, or closed.

    `at` is seconds of the loop's clock; `retry_in_s` is when an open one may be tried again, seconds from then.
    """

    at: float
    deployment: DeploymentId
    before: BreakerState
    after: BreakerState
    reason: str
    retry_in_s: float | None = None


class ConfigurationReloaded(Message, frozen=True, kw_only=True, tag="configuration_reloaded", omit_defaults=True):
    """Another configuration is in force. `settings` names what else has changed than entries of providers."""

    at: float
    origin: str
    changed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
