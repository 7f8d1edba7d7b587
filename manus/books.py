"""Own the questions about the books that the face asks: what was used, split by what, and what may yet be used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, get_args

import trio

from manus.config.did_you_mean import listing, suggestion
from manus.errors import InvalidRequestError, LedgerError, LLMError, error_of_terminal
from manus.limit_reports import RateLimiter
from manus.messages.accounting import (
    RequestStatus,
    RequestStatusAsked,
    StatsAsked,
    UsageDimension,
    UsageRow,
    UsageStats,
)
from manus.messages.failures import Failed
from manus.messages.ids import RequestKey
from manus.messages.limits import LimitsAsked, LimitsTold
from manus.reports import UsageReport, usage_report
from manus.supervisor.ref import Ref
from manus.supervisor.terminals import ActorFailed, Expired, Unavailable, Undelivered, Withdrawn

BOOKS_S: Final = 30.0
"""How long the books have to add themselves up; a ledger of millions of rows takes seconds."""

DIMENSIONS: Final[tuple[UsageDimension, ...]] = get_args(UsageDimension)

BY_MODEL: Final[tuple[UsageDimension, ...]] = ("provider", "model")
"""What totals are split by, where nobody says."""

By = str | Sequence[str]
"""What totals are split by: a dimension, several with commas between, or a list of them."""


def dimensions_of(by: By) -> tuple[UsageDimension, ...]:
    """Read what totals are to be split by; nothing gives one line.

    Raises:
        InvalidRequestError: there is no such dimension, or one is named twice.
    """
    given: Sequence[Any] = [each.strip() for each in by.split(",") if each.strip()] if isinstance(by, str) else by
    if not isinstance(given, Sequence):
        raise InvalidRequestError(f"by: expected {listing(DIMENSIONS)}, or a list of them")
    for place, each in enumerate(given):
        if each not in DIMENSIONS:
            hint = suggestion(each, DIMENSIONS) if isinstance(each, str) else ""
            raise InvalidRequestError(f"by: expected {listing(DIMENSIONS)}{hint}")
        if each in given[:place]:
            raise InvalidRequestError(f"by: names {each} twice")
    return tuple(given)


async def ask_usage(accounting: Ref, *, since_unix_s: float | None, by: tuple[UsageDimension, ...]) -> UsageReport:
    """Ask accounting what was used since a moment.

    Raises:
        LedgerError: the ledger could not be read.
        LLMError: accounting does not answer.
    """
    stats = await _stats(accounting, StatsAsked(since_unix_s=since_unix_s, by=by))
    total: UsageRow | None = None
    if "tag" in by:
        # A call counts under each of its tags, so that the lines add up to more than there was.
        (total,) = (await _stats(accounting, StatsAsked(since_unix_s=since_unix_s, by=()))).rows
    return usage_report(stats, total)


async def ask_request(accounting: Ref, request_key: str) -> RequestStatus:
    """Ask accounting what became of the latest request with a key.

    Raises:
        InvalidRequestError: that cannot be a key.
        LedgerError: the ledger could not be read.
        LLMError: accounting does not answer.
    """
    if not isinstance(request_key, str) or not request_key:
        raise InvalidRequestError("request_key: expected the text that the request was made with")
    asked = RequestStatusAsked(request_key=RequestKey(request_key))
    answer = await accounting.ask(asked, deadline=trio.current_time() + BOOKS_S)
    if isinstance(answer, RequestStatus):
        return answer
    raise _error_of(answer)


async def ask_limits(accounting: Ref) -> RateLimiter:
    """Ask accounting how far limits and budgets are used.

    Raises:
        LLMError: accounting does not answer.
    """
    answer = await accounting.ask(LimitsAsked(), deadline=trio.current_time() + BOOKS_S)
    if isinstance(answer, LimitsTold):
        return RateLimiter(limits=answer.limits, budgets=answer.budgets)
    raise _error_of(answer)


async def _stats(accounting: Ref, asked: StatsAsked) -> UsageStats:
    answer = await accounting.ask(asked, deadline=trio.current_time() + BOOKS_S)
    if isinstance(answer, UsageStats):
        return answer
    raise _error_of(answer)


def _error_of(answer: object) -> LLMError:
    match answer:
        case Failed(message=message):
            return LedgerError(f"The books cannot be read: {message}")
        case ActorFailed() | Undelivered() | Unavailable() | Expired() | Withdrawn():
            return error_of_terminal(answer, "")
        case other:
            raise AssertionError(f"accounting answered with a {type(other).__name__}")
