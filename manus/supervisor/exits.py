"""Own the reading of exception groups: what came out of an incarnation, turned into an exit reason.

This is the one place that looks inside groups. Everywhere else an exception is a single thing, or passed on unread.
"""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import trio

from manus.supervisor.reasons import Crashed, ExitReason, Normal, Shutdown

_TEXT_CHARACTERS_MAX = 500
_TRACEBACK_FRAMES_MAX = 30
_TRACEBACK_CHARACTERS_MAX = 20_000
_RELATED_MAX = 8


class Verdict(NamedTuple):
    """How an incarnation ended. `passes_on` is to be raised further by its runner: it is not ours to keep."""

    reason: ExitReason
    passes_on: BaseException | None


def judge(error: BaseException | None, *, cancelled_by: str | None, redact: Callable[[str], str]) -> Verdict:
    """Judge what left the incarnation's scope, seen from outside it; `cancelled_by` names who cancelled it, if anyone.

    Cancellation of the incarnation's own scope never gets here: the scope keeps it. So a `Cancelled` seen here belongs
    to a scope further out and passes on unchanged. An interrupt or another exception that is not an `Exception`
    passes on too, alone, and at once. Of the rest the first leaf is the cause, for Trio collects them as they happen.
    """
    if error is None:
        return Verdict(Normal() if cancelled_by is None else Shutdown(by=cancelled_by), None)
    cancelled, rest = _split_cancelled(error)
    leaves = list(_leaves(rest)) if rest is not None else []
    for leaf in leaves:
        if not isinstance(leaf, Exception):
            return Verdict(_crashed(leaves, redact), leaf)
    if cancelled is not None or cancelled_by is not None:
        return Verdict(_shutdown(cancelled_by or "an outer scope", leaves, redact), cancelled)
    return Verdict(_crashed(leaves, redact), None)


def describe_error(error: BaseException, redact: Callable[[str], str]) -> tuple[str, str]:
    """Put an error into one bounded line, and its traceback into bounded text, both redacted."""
    leaf = first_leaf(error)
    line = redact(f"{type(leaf).__qualname__}: {_text_of(leaf)}".rstrip(": "))
    trace = redact("".join(traceback.format_exception(error, limit=-_TRACEBACK_FRAMES_MAX)))
    return _shorten(line, _TEXT_CHARACTERS_MAX), _shorten(trace, _TRACEBACK_CHARACTERS_MAX)


def first_leaf(error: BaseException) -> BaseException:
    """Give the error itself, or the first leaf of a group: the cause."""
    return next(_leaves(error))


@asynccontextmanager
async def open_bare_nursery() -> AsyncIterator[trio.Nursery]:
    """Open a nursery out of which a single exception comes as it is, and only several come as a group.

    For a nursery that is none of its user's business: `async with open_tree(...)` must not wrap what its body raises.
    """
    caught: BaseException | None = None
    try:
        async with trio.open_nursery(strict_exception_groups=True) as nursery:
            yield nursery
    except BaseExceptionGroup as group:
        # Only the wrapping of this very nursery is taken off: what is inside may be a group that its user raised.
        caught = group.exceptions[0] if len(group.exceptions) == 1 else group
    try:
        if caught is not None:
            # Outside the except clause, lest the group become the context of its own leaf.
            raise caught
    finally:
        del caught


def _shutdown(by: str, leaves: list[BaseException], redact: Callable[[str], str]) -> Shutdown:
    if not leaves:
        return Shutdown(by=by)
    text, trace = describe_error(leaves[0], redact)
    return Shutdown(by=by, error=text, traceback=trace)


def _crashed(leaves: list[BaseException], redact: Callable[[str], str]) -> Crashed:
    text, trace = describe_error(leaves[0], redact)
    related = tuple(describe_error(leaf, redact)[0] for leaf in leaves[1 : _RELATED_MAX + 1])
    return Crashed(error=text, traceback=trace, related=related)


def _split_cancelled(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    if isinstance(error, trio.Cancelled):
        return error, None
    if isinstance(error, BaseExceptionGroup):
        return error.split(trio.Cancelled)
    return None, error


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:
        return f"its text cannot be had: {type(failure).__name__}"


def _shorten(text: str, characters_max: int) -> str:
    return text if len(text) <= characters_max else text[:characters_max] + " ..."
