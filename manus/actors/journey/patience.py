"""Own how long one attempt may be silent, so that the next candidate of its plan still has time to answer.

A provider's named waits are made for patient callers. Where a caller has less time, a silent provider must not use up
all of it while somebody else stands ready. Only silence is bounded, never an attempt that speaks; and with nobody left
to ask, an attempt has all the time there is. Pure.
"""

from __future__ import annotations

from typing import Final

import msgspec

from manus.messages.calls import Call
from manus.messages.failures import TimeoutPhase
from manus.messages.policy import Timeouts
from manus.messages.requests import ChatRequest

STREAM_SHARE: Final = 1 / 3
"""How much of a request's time a stream may be silent: what is left is enough for the next one, and for one more."""

WHOLE_SHARE: Final = 1 / 2
"""The same of an answer in one piece, which is silent until all of it is there, and may be half done by then."""

STREAM_MIN_S: Final = 1.0
"""No stream is thought silent sooner than this: a first token takes so long at a model that is well."""

WHOLE_MIN_S: Final = 10.0
"""The same of a whole answer: to be written takes it so long."""

NOBODY_HURRIES: Final[frozenset[TimeoutPhase]] = frozenset()


def patience_s(left_s: float, *, streamed: bool) -> float:
    """Say how many seconds an attempt may be silent that begins with `left_s` left of its request's time."""
    return max(STREAM_MIN_S, left_s * STREAM_SHARE) if streamed else max(WHOLE_MIN_S, left_s * WHOLE_SHARE)


def hurried(timeouts: Timeouts, call: Call, *, streamed: bool) -> tuple[Timeouts, frozenset[TimeoutPhase]]:
    """Shorten the waits on a call that may not be silent for as long; names those that were shortened.

    Between the pieces of an answer that may call tools nobody hurries: a call that has begun cannot be taken up.
    """
    most_s = call.patience_s
    if most_s is None:
        return timeouts, NOBODY_HURRIES
    if streamed:
        waits: dict[str, TimeoutPhase] = {"headers_s": "headers", "first_content_s": "first_content"}
    else:
        waits = {"answer_s": "headers"}
    if not (isinstance(call.request, ChatRequest) and call.request.tools):
        waits["idle_s"] = "idle"
    longer = {field: phase for field, phase in waits.items() if getattr(timeouts, field) > most_s}
    if not longer:
        return timeouts, NOBODY_HURRIES
    return msgspec.structs.replace(timeouts, **dict.fromkeys(longer, most_s)), frozenset(longer.values())
