"""Own the ways a request can fail, and what may be done about each.

A failure inside Manus is a value. It says what may be *done* (retry here, go elsewhere, tell the
caller), not merely where it arose; the router acts on that advice and on nothing else.
"""

from __future__ import annotations

from typing import Literal

import msgspec

FailureKind = Literal[
    # what providers say (canonical.md, section 7)
    "auth",
    "permission",
    "not_found",
    "invalid_request",
    "context_length",
    "content_policy",
    "too_large",
    "rate_limited",
    "quota_exhausted",
    "overloaded",
    "timeout",
    "server",
    # what happens on the way
    "network",
    "protocol",
    "incomplete",
    # what we decide ourselves
    "unsupported",
    "no_candidate",
    "admission",
    "budget_exceeded",
    "shed",
    "slow_consumer",
    "deadline",
    "cancelled",
    "actor_crashed",
    "actor_hung",
    "stopped",
    "unavailable",
    "ledger",
]

RetryHere = Literal["no", "once", "after_wait"]
"""Same deployment again: never; once, soon, with jitter; or after the wait hint."""

Elsewhere = Literal["no", "yes", "larger_window", "policy_target"]
"""Another deployment: no; any; only one with a larger context window; only the configured one."""

Phase = Literal["queued", "connecting", "sending", "sent", "streaming"]
"""How far a call got. From `sent` on, the provider may have billed it."""

TimeoutPhase = Literal["connect", "tls", "write", "headers", "first_content", "idle", "finish", "total", "pool"]
"""Which named wait ran out."""


class Advice(msgspec.Struct, frozen=True):
    """What may be done about a failure.

    Args:
        retry_here: whether the same deployment may be asked again.
        elsewhere: whether another deployment may be asked.
        health: whether it counts against the deployment's health (breaker).
    """

    retry_here: RetryHere
    elsewhere: Elsewhere
    health: bool


ADVICE: dict[FailureKind, Advice] = {
    "auth": Advice("no", "yes", True),
    "permission": Advice("no", "yes", True),
    "not_found": Advice("no", "yes", False),
    "invalid_request": Advice("no", "no", False),
    "context_length": Advice("no", "larger_window", False),
    "content_policy": Advice("no", "policy_target", False),
    "too_large": Advice("no", "yes", False),
    "rate_limited": Advice("after_wait", "yes", False),
    "quota_exhausted": Advice("no", "yes", True),
    "overloaded": Advice("once", "yes", True),
    "timeout": Advice("no", "yes", True),
    "server": Advice("once", "yes", True),
    "network": Advice("once", "yes", True),
    "protocol": Advice("once", "yes", True),
    "incomplete": Advice("once", "yes", True),
    "unsupported": Advice("no", "yes", False),
    "no_candidate": Advice("no", "no", False),
    "admission": Advice("after_wait", "yes", False),
    "budget_exceeded": Advice("no", "yes", False),
    "shed": Advice("after_wait", "yes", False),
    "slow_consumer": Advice("no", "no", False),
    "deadline": Advice("no", "no", False),
    "cancelled": Advice("no", "no", False),
    "actor_crashed": Advice("no", "yes", False),
    "actor_hung": Advice("no", "yes", False),
    "stopped": Advice("no", "no", False),
    "unavailable": Advice("no", "yes", False),
    "ledger": Advice("no", "no", False),
}
"""The default advice per kind. A codec may give better advice on one `Failed` (`x-should-retry`)."""


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed", tag_field="outcome", omit_defaults=True):
    """A request or an attempt that did not succeed.

    Args:
        kind: what happened; the default advice follows from it.
        message: one sentence for people: what happened and what to do. Never a secret or a prompt.
        advice: overrides the kind's default advice.
        retry_after_s: the provider's (or our) hint when to come back, seconds from now.
        safe_to_retry: True only where nothing can have been billed.
        phase: how far the call got.
        timeout: which named wait ran out, for `timeout` and `deadline`.
        provider, model: the configured entry and the model asked, where known.
        status: HTTP status, where there was one.
        code: the vendor's own error code or type.
        vendor_request_id: the vendor's id for the call, for its support desk.
        param: the request field that the vendor (or we) blame.
    """

    kind: FailureKind
    message: str
    advice: Advice | None = None
    retry_after_s: float | None = None
    safe_to_retry: bool = False
    phase: Phase | None = None
    timeout: TimeoutPhase | None = None
    provider: str | None = None
    model: str | None = None
    status: int | None = None
    code: str | None = None
    vendor_request_id: str | None = None
    param: str | None = None

    @property
    def what_to_do(self) -> Advice:
        """The advice that holds: this failure's own, else its kind's."""
        return self.advice or ADVICE[self.kind]
