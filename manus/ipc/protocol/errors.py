"""Own what a failure is on the wire: its code, its text, and the data by which a program decides what to do next.

The codes are JSON-RPC's for frames and for what is wrong in a request's shape, and -32000 to -32019 for ours. `data`
has the same members in every error, whatever its code, so that a client reads it once.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from manus.errors import (
    ConfigurationError,
    ConversationNotFoundError,
    InternalError,
    InvalidRequestError,
    LedgerError,
    LLMError,
    OutputFormatError,
    ReloadError,
    StreamingError,
)
from manus.ipc.protocol.results import TokenUsage, wire_usage
from manus.ipc.refusals import Refusal
from manus.messages.failures import FailureKind
from manus.messages.usage import NO_USAGE
from manus.responses import usage_of

INVALID_PARAMS: Final = -32602
UNKNOWN_METHOD: Final = -32601
INTERNAL: Final = -32603
IN_DOUBT: Final = -32009

CODE_OF: Final[dict[FailureKind, int]] = {
    "shed": -32000,
    "unavailable": -32000,
    "rate_limited": -32001,
    "quota_exhausted": -32001,
    "admission": -32001,
    "budget_exceeded": -32002,
    "no_candidate": -32003,
    "not_found": -32004,
    "overloaded": -32004,
    "server": -32004,
    "network": -32004,
    "timeout": -32005,
    "deadline": -32005,
    "content_policy": -32006,
    "context_length": -32007,
    "protocol": -32008,
    "incomplete": -32008,
    "actor_crashed": IN_DOUBT,
    "actor_hung": IN_DOUBT,
    "stopped": -32013,
    "ledger": -32014,
    "slow_consumer": -32017,
    "auth": -32018,
    "permission": -32018,
    "invalid_request": -32019,
    "unsupported": -32019,
    "too_large": -32019,
    "cancelled": -32800,
}
"""The code of each kind of failure, where its exception does not say more."""

NAME_OF: Final[dict[int, str]] = {
    -32700: "parse error",
    -32600: "invalid request",
    UNKNOWN_METHOD: "unknown method",
    INVALID_PARAMS: "invalid params",
    INTERNAL: "internal error",
    -32000: "overloaded",
    -32001: "rate_limited",
    -32002: "budget_exceeded",
    -32003: "no_candidate",
    -32004: "provider_error",
    -32005: "timeout",
    -32006: "content_filtered",
    -32007: "context_overflow",
    -32008: "incomplete",
    IN_DOUBT: "in_doubt",
    -32010: "not_initialized",
    -32011: "already_initialized",
    -32012: "unsupported_version",
    -32013: "stopping",
    -32014: "ledger",
    -32015: "configuration",
    -32016: "no_such_conversation",
    -32017: "slow_consumer",
    -32018: "authentication",
    -32019: "invalid_request",
    -32800: "cancelled",
}
"""What each code stands for."""

RETRYABLE: Final = frozenset(
    {"shed", "unavailable", "rate_limited", "admission", "overloaded", "server", "network", "timeout", "incomplete"}
    | {"protocol", "slow_consumer", "stopped"}
)
"""Kinds of failures after which the same request may do better later."""


class ErrorData(msgspec.Struct, frozen=True, kw_only=True):
    """What a program can go by. The first seven stand in every error; the others where they mean something.

    Args:
        kind: what happened, in one word: the failure's kind, or that of the refusal.
        retryable: whether the same request may do better later.
        retry_after_ms: how much later, where somebody said so.
        provider, model: who failed, where somebody was asked.
        attempts: how many calls were made for the request.
        request_id: the request's id in the ledger, where it had become one.
        usage: what was used by then.
        partial: the text that had been answered by then.
        path: the place in the request that is wrong: `params.messages[2].content`.
        did_you_mean: the name that was probably meant.
        supported: the protocol versions that are spoken here.
        frame_bytes_max: how long a line may be.
        id: the id of the request that was refused, where the reply's own must be null.
    """

    kind: str
    retryable: bool
    retry_after_ms: int | None
    provider: str | None
    model: str | None
    attempts: int
    request_id: str | None
    usage: TokenUsage | UnsetType = UNSET
    partial: str | UnsetType = UNSET
    path: str | UnsetType = UNSET
    did_you_mean: str | UnsetType = UNSET
    supported: tuple[int, ...] | UnsetType = UNSET
    frame_bytes_max: int | UnsetType = UNSET
    id: str | int | UnsetType = UNSET


class ErrorObject(msgspec.Struct, frozen=True, kw_only=True):
    """An error: its code, what happened and what to do next in words, and the same for programs."""

    code: int
    message: str
    data: ErrorData


class BadParams(ValueError):
    """Params that are not what the method takes.

    Attributes:
        path: the place: `params.messages[2].content`.
        reason: what is wrong there.
        did_you_mean: the name that was probably meant.
    """

    def __init__(self, path: str, reason: str, *, did_you_mean: str | None = None) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
        self.did_you_mean = did_you_mean


class UnknownMethod(LookupError):
    """A method, or a command, that does not exist."""

    def __init__(self, message: str, *, did_you_mean: str | None = None) -> None:
        super().__init__(message)
        self.did_you_mean = did_you_mean


class InvalidFrame(ValueError):
    """A line that can be told apart from others, and is no message.

    Attributes:
        error: what is wrong with it.
    """

    def __init__(self, error: ErrorObject) -> None:
        super().__init__(error.message)
        self.error = error


def data_of(kind: str, **more: Any) -> ErrorData:
    """Make the data of an error that no provider had a part in. Any: the members that mean something here."""
    nothing = {"retryable": False, "retry_after_ms": None, "provider": None, "model": None, "attempts": 0}
    return ErrorData(kind=kind, **nothing | {"request_id": None} | more)


def protocol_error(code: int, kind: str, message: str, *, id: object = UNSET) -> ErrorObject:  # noqa: A002  # data.id
    """Make an error that is about a line and not about a request."""
    return ErrorObject(code=code, message=message, data=data_of(kind, id=id))


def error_object(error: Exception, *, names: tuple[str, ...] = ()) -> ErrorObject:
    """Make the error of whatever ended a request. What is none of ours is a defect, and its text stays inside.

    Args:
        names: of the params of its method, where it is known: what a chat calls `message` the face calls a prompt.
    """
    match error:
        case LLMError():
            return _of_the_agent(error, names)
        case Refusal():
            return _of_the_connection(error)
        case BadParams():
            data = data_of("invalid_params", path=error.path, did_you_mean=error.did_you_mean or UNSET)
            return ErrorObject(code=INVALID_PARAMS, message=f"Invalid params: {error}", data=data)
        case InvalidFrame():
            return error.error
        case UnknownMethod():
            data = data_of("unknown_method", did_you_mean=error.did_you_mean or UNSET)
            return ErrorObject(code=UNKNOWN_METHOD, message=str(error), data=data)
        case _:
            message = f"a defect of ours ended the request ({type(error).__name__}); the books have what was sent"
            return ErrorObject(code=INTERNAL, message=message, data=data_of("internal"))


def _of_the_agent(error: LLMError, names: tuple[str, ...]) -> ErrorObject:
    code, kind = _code_and_kind(error)
    if code == INVALID_PARAMS:
        path, reason = place_and_reason(str(error))
        if path is not None and "message" in names:
            path = _PROMPT.sub("message", path)
        return error_object(BadParams(f"params.{path}" if path else "params", reason))
    data = ErrorData(
        kind=kind,
        retryable=_is_retryable(error),
        retry_after_ms=_ms(error.retry_after_s),
        provider=error.provider,
        model=error.model,
        attempts=len(error.attempts),
        request_id=error.request_id or None,
        usage=_usage(error),
        partial=error.partial_text or UNSET,
    )
    return ErrorObject(code=code, message=str(error), data=data)


def _code_and_kind(error: LLMError) -> tuple[int, str]:
    """Choose the code: by the exception where it says more than its failure's kind, else by the kind."""
    failure = error.failure
    match error:
        case ConversationNotFoundError():
            return -32016, "no_such_conversation"
        case InvalidRequestError():
            return (INVALID_PARAMS, "invalid_params") if failure is None else (-32019, failure.kind)
        case ConfigurationError():
            return -32015, "configuration"
        case ReloadError():
            return -32015, "reload"
        case OutputFormatError():
            return -32004, "output_format"
        case InternalError() if failure is not None and failure.safe_to_retry:
            return INTERNAL, failure.kind
        case StreamingError() if failure is not None and failure.kind == "network":
            return -32008, failure.kind
        case LedgerError() if failure is None:
            return -32014, "ledger"
        case _:
            return (INTERNAL, "internal") if failure is None else (CODE_OF[failure.kind], failure.kind)


def _is_retryable(error: LLMError) -> bool:
    """Say whether asking again may help: not what may be asked again without being billed twice."""
    failure = error.failure
    if failure is None:
        return False
    unsent = isinstance(error, InternalError) and failure.safe_to_retry
    return unsent or failure.kind in RETRYABLE or failure.retry_after_s is not None


def _usage(error: LLMError) -> Any:
    """Give what was used, UNSET where that is nothing. Any: the wire's Struct."""
    if error.usage == NO_USAGE:
        return UNSET
    return wire_usage(usage_of(error.usage, error.cost_nano_usd, durable=error.durable))


def _of_the_connection(refusal: Refusal) -> ErrorObject:
    more = {"retry_after_ms": _ms(refusal.retry_after_s), "request_id": refusal.request_id, **refusal.facts}
    data = data_of(refusal.kind, retryable=refusal.retryable, **more)
    return ErrorObject(code=refusal.code, message=str(refusal), data=data)


def place_and_reason(message: str) -> tuple[str | None, str]:
    """Part what a check of the face says into the place and the rest: `messages[2].content: expected ...`."""
    found = _PLACE.match(message)
    return (None, message) if found is None else (found[1], message[found.end() :])


def _ms(seconds: float | None) -> int | None:
    """Give whole milliseconds, rounded up: a host that comes back so late is not early."""
    return None if seconds is None else -int(-seconds * 1000 // 1)


_PROMPT: Final = re.compile(r"^(?:prompt|messages)(?=$|\.|\[)")
_PLACE: Final = re.compile(r"([a-z_]+(?:\[\d+\]|\.[A-Za-z0-9_$-]+)*): ")
