"""Own the rendering of events into the standard library's `manus` logger, for `enable_logging`.

Actors never log; they emit events, and this is one reader of them. Events hold neither keys nor prompts.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Final

import msgspec

from manus.limit_reports import scope_text
from manus.messages.conversations import ConversationForgotten
from manus.messages.limits import BudgetWarned
from manus.messages.outcomes import RateLimitReading
from manus.messages.usage import Usage, format_usd
from manus.messages.watching import AttemptEnded, ConfigurationReloaded
from manus.supervisor.events import ActorExited, ActorStarted, LateReply
from manus.supervisor.reasons import Crashed, Hung, InitFailed, Normal, Shutdown, Wedged, describe

LOGGER: Final = logging.getLogger("manus")
# Without a handler of its own the standard library would print warnings to stderr where the host set up nothing.
LOGGER.addHandler(logging.NullHandler())

_QUIET: Final = (ActorStarted, ActorExited, LateReply, AttemptEnded)
_LEFT_OUT: Final = frozenset({"at", "traceback", "stack"})


def log_event(event: object) -> None:
    """Write one event: the expected at DEBUG, what an owner wants to know as INFO, what wants a look as a warning."""
    level = level_of(event)
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, "%s", line_of(event))


def level_of(event: object) -> int:
    """Weigh an event as the standard library's logging does."""
    failed = isinstance(event, AttemptEnded) and event.result not in ("ok", "cancelled")
    if failed or isinstance(event, ConfigurationReloaded | ConversationForgotten):
        return logging.INFO
    return logging.DEBUG if isinstance(event, _QUIET) else logging.WARNING


def line_of(event: object) -> str:
    """Write an event as `name field=value ...`, without its stack."""
    if isinstance(event, BudgetWarned):
        return _line_of_budget(event)
    if not isinstance(event, msgspec.Struct):
        return type(event).__name__
    fields = {name: getattr(event, name) for name in event.__struct_fields__ if name not in _LEFT_OUT}
    told = (f"{name}={_shown(value)}" for name, value in fields.items() if value not in ("", None, ()))
    return " ".join((type(event).__name__, *told))


def _line_of_budget(warned: BudgetWarned) -> str:
    amounts = (warned.used, warned.amount)
    used, amount = map(format_usd, amounts) if warned.unit == "nano_usd" else (f"{each:,} tokens" for each in amounts)
    whose = "" if warned.scope.kind == "all" else f" of {scope_text(warned.scope)}"
    ends = (
        "" if warned.ends_unix_s is None else f", until {datetime.fromtimestamp(warned.ends_unix_s, UTC):%F %H:%M} UTC"
    )
    return f"BudgetWarned {warned.source}{whose}: {100 * warned.share:g} % is passed, {used} of {amount} are used{ends}"


def _shown(value: object) -> str:
    match value:
        case Normal() | Shutdown() | Crashed() | Hung() | InitFailed() | Wedged():
            return describe(value)
        case RateLimitReading():
            return f"{value.dimension}:{_count(value.remaining)}/{_count(value.limit)}"
        case Usage():
            return f"{value.input_total}+{value.output}"
        case tuple():
            return ",".join(_shown(each) for each in value)
        case _:
            return str(value)


def _count(number: int | None) -> str:
    return "?" if number is None else str(number)
