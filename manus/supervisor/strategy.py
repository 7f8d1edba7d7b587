"""Own whom a death takes along, who comes back after which end, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never

from manus.supervisor.reasons import ExitReason, is_abnormal
from manus.supervisor.spec import Restart, Strategy


def comes_back(restart: Restart, reason: ExitReason) -> bool:
    """Tell whether a child that ended by itself, for `reason`, is started again."""
    match restart:
        case "permanent":
            return True
        case "transient":
            return is_abnormal(reason)
        case "temporary":
            return False
        case _:
            assert_never(restart)


def taken_along(strategy: Strategy, start_order: Sequence[str], failed: str) -> tuple[str, ...]:
    """Name the siblings that are stopped and started again with `failed`, in start order, itself left out."""
    match strategy:
        case "one_for_one":
            return ()
        case "one_for_all":
            return tuple(each for each in start_order if each != failed)
        case "rest_for_one":
            return tuple(start_order[start_order.index(failed) + 1 :])
        case _:
            assert_never(strategy)


def in_start_order(start_order: Iterable[str], ids: Iterable[str]) -> list[str]:
    """Sort `ids` as their supervisor starts them; what it does not know is left out."""
    wanted = set(ids)
    return [each for each in start_order if each in wanted]
