"""Own the reasons an incarnation ends, as closed data.

A reason never holds an exception object: errors and tracebacks are text, so that a reason can be
stored, sent and compared, and keeps nothing alive.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec


class ExitReasonBase(msgspec.Struct, frozen=True, kw_only=True, tag_field="reason", omit_defaults=True):
    """What all exit reasons share: frozen data told apart by the field `reason`."""


class Normal(ExitReasonBase, frozen=True, kw_only=True, tag="normal"):
    """`start` returned: the actor had no more to do."""


class Shutdown(ExitReasonBase, frozen=True, kw_only=True, tag="shutdown"):
    """The incarnation was told to go, and went. `error` is set when its clean-up failed on the way out."""

    by: str
    error: str = ""
    traceback: str = ""


class Crashed(ExitReasonBase, frozen=True, kw_only=True, tag="crashed"):
    """An exception left `start`. `error` is the first leaf, the cause; `related` are those that followed it."""

    error: str
    traceback: str = ""
    related: tuple[str, ...] = ()


class Hung(ExitReasonBase, frozen=True, kw_only=True, tag="hung"):
    """A liveness verdict: the actor did not answer pings, or had work and did none of it for `busy_s`."""

    kind: Literal["ping", "progress"]
    busy_s: float
    stack: str = ""


class InitFailed(ExitReasonBase, frozen=True, kw_only=True, tag="init_failed"):
    """The incarnation ended, or ran out of `start_timeout_s`, before it said `started()`."""

    error: str
    traceback: str = ""


class Wedged(ExitReasonBase, frozen=True, kw_only=True, tag="wedged"):
    """The incarnation ignored its cancellation for the whole of its grace. It is fenced, not gone."""

    waited_s: float
    stack: str = ""


ExitReason: TypeAlias = Normal | Shutdown | Crashed | Hung | InitFailed | Wedged


def is_abnormal(reason: ExitReason) -> bool:
    """Tell whether a transient child is restarted after it."""
    return not isinstance(reason, Normal | Shutdown)


def as_init_failure(reason: ExitReason) -> ExitReason:
    """Name the end of an incarnation that had not said `started()` for what it is."""
    match reason:
        case Normal():
            return InitFailed(error="returned without having started")
        case Shutdown(by=by):
            return InitFailed(error=f"cancelled by {by} before it had started")
        case Crashed(error=error, traceback=traceback):
            return InitFailed(error=error, traceback=traceback)
        case Hung() | InitFailed() | Wedged():
            return reason


def describe(reason: ExitReason) -> str:
    """Put a reason into one line for people; never a traceback."""
    match reason:
        case Normal():
            return "finished"
        case Shutdown(by=by, error=error):
            return f"shut down by {by}" + (f", clean-up failed: {error}" if error else "")
        case Crashed(error=error):
            return f"crashed: {error}"
        case Hung(kind=kind, busy_s=busy_s):
            return f"hung ({kind}) for {busy_s:g} s"
        case InitFailed(error=error):
            return f"did not start: {error}"
        case Wedged(waited_s=waited_s):
            return f"ignored cancellation for {waited_s:g} s"
