"""Own the check of routing criteria: each field of the kind and in the range that can mean something."""

from __future__ import annotations

from typing import Final

from manus.errors import InvalidRequestError
from manus.messages.requests import RoutingCriteria
from manus.option_checks import Check, names_of, number, truth, whole_number

TOKENS_MAX: Final = 10**9
USD_MAX: Final = 1e9
LATENCY_MS_MAX: Final = 86_400_000.0
TAGS_MAX: Final = 64


def criteria_of(asked: object) -> RoutingCriteria:
    """Give the criteria as a request holds them.

    Raises:
        InvalidRequestError: they are none, or one of them cannot be; it is named.
    """
    if not isinstance(asked, RoutingCriteria):
        raise InvalidRequestError(f"criteria: expected RoutingCriteria; got {type(asked).__name__}")
    given = {field: getattr(asked, field) for field in RoutingCriteria.__struct_fields__}
    return RoutingCriteria(**{field: _CHECKS[field](value) for field, value in given.items() if value is not None})


def _tags(value: object) -> tuple[str, ...]:
    return names_of(value, "criteria.tags", TAGS_MAX)


_CHECKS: Final[dict[str, Check]] = {
    field: truth(f"criteria.{field}")
    for field in RoutingCriteria.__struct_fields__
    if field.startswith(("requires_", "prefer_"))
} | {
    "min_context_length": whole_number("criteria.min_context_length", 1, TOKENS_MAX),
    "max_cost_usd": number("criteria.max_cost_usd", USD_MAX, positive=False),
    "max_latency_ms": number("criteria.max_latency_ms", LATENCY_MS_MAX, positive=True),
    "task_complexity": whole_number("criteria.task_complexity", 1, 10),
    "tags": _tags,
}
"""What each of them has to be; a field that is added without a check is found by the first request that carries it."""
