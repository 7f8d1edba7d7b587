"""Own what is told of single calls to whoever watches: an event per attempt, beside the supervisor's own."""

from __future__ import annotations

from manus.messages.base import Message
from manus.messages.ids import DeploymentId, RequestId
from manus.messages.outcomes import Booking, RateLimitReading


class AttemptEnded(Message, frozen=True, kw_only=True, tag="attempt_ended", omit_defaults=True):
    """One call to one deployment is over and booked.

    Args:
        at: seconds of the loop's clock, as in the supervisor's events.
        attempt: its number within the request.
        result: `ok`, or the kind of its failure.
        status: the HTTP status of a refusal.
        vendor_request_id: the vendor's own id of the call, for its support desk.
        rate_limits: what the vendor's headers told of its limits.
    """

    at: float
    request_id: RequestId
    attempt: int
    deployment: DeploymentId
    result: str
    booking: Booking
    status: int | None = None
    vendor_request_id: str | None = None
    cost_nano_usd: int | None = None
    rate_limits: tuple[RateLimitReading, ...] = ()
