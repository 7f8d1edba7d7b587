"""Own what the end of an attempt says about a deployment: which failures count against it, and which never do.

The table is complete on purpose: whoever adds a kind of failure has to decide here whether it may open a breaker.
"""

from __future__ import annotations

from typing import Final, Literal

from manus.messages.failures import Failed, FailureKind

Effect = Literal["good", "bad", "cooling", "key_refused", "model_refused", "nothing"]
"""It did its work; it failed; it asked for patience; the key was refused, for all models; the key was refused,
perhaps only for this model; nothing was learnt."""

EFFECTS: Final[dict[FailureKind, Effect]] = {
    # The vendor, or the way there, does not work.
    "overloaded": "bad",
    "timeout": "bad",
    "server": "bad",
    "network": "bad",
    "protocol": "bad",
    "incomplete": "bad",
    # It works, and wants fewer requests.
    "rate_limited": "cooling",
    # It works, and not for this key.
    "auth": "key_refused",
    "quota_exhausted": "key_refused",
    "permission": "model_refused",
    # It works, and the request is at fault: one bad request must not take a deployment from all others.
    "not_found": "nothing",
    "invalid_request": "nothing",
    "context_length": "nothing",
    "content_policy": "nothing",
    "too_large": "nothing",
    "unsupported": "nothing",
    # The caller or ourselves.
    "no_candidate": "nothing",
    "admission": "nothing",
    "budget_exceeded": "nothing",
    "shed": "nothing",
    "slow_consumer": "nothing",
    "deadline": "nothing",
    "cancelled": "nothing",
    "actor_crashed": "nothing",
    "actor_hung": "nothing",
    "stopped": "nothing",
    "unavailable": "nothing",
    "ledger": "nothing",
}
"""What each kind says, where the advice of the failure does not take it back (`Advice.health`)."""


IN_SILENCE: Final = ("headers", "first_content", "idle")
"""Waits that are cut short where another deployment could be asked: not long enough to say much by themselves."""


def effect_of(failure: Failed | None, *, silent: bool = False) -> Effect:
    """Judge the end of an attempt.

    Args:
        failure: None is success.
        silent: its deadline passed, or it was passed over for another, without a sign of life, after a wait that should
            have been long enough.
    """
    if failure is None:
        return "good"
    kind = failure.kind
    if kind == "rate_limited":
        return "cooling"  # whatever the advice: it is heard, and is no failure
    if kind == "deadline" or (kind == "timeout" and failure.timeout in IN_SILENCE and not failure.what_to_do.health):
        return "bad" if silent else "nothing"
    if not failure.what_to_do.health or failure.timeout == "pool":
        return "nothing"  # the wait for one of our own connections says nothing about a vendor
    return EFFECTS[kind]


def in_words(failure: Failed) -> str:
    """Name a failure by what we know of it; never by its text, which others wrote."""
    if failure.status is not None:
        return f"{failure.kind} (HTTP {failure.status})"
    return failure.kind if failure.timeout is None else f"{failure.kind} ({failure.timeout})"
