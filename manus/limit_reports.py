"""Own the read-out of limits and budgets: how far each is used at one moment, and what that leaves for a call."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Literal

import msgspec

from manus.messages.limits import BudgetState, BudgetUnit, LimitState, Scope
from manus.messages.outcomes import Reservation

LimitDimension = Literal["requests", "tokens", "input_tokens", "output_tokens", "concurrency"]


class RateLimiter(msgspec.Struct, frozen=True, kw_only=True):
    """How far all limits and budgets were used when it was asked for. What the vendors' headers taught is in it too.

    It only tells: what is admitted is decided where the books are kept, attempt by attempt.

    Args:
        limits: a bound of a scope each; `used` of `limit` in the last sixty seconds, or at once.
        budgets: a budget each; `spent`, `in_doubt` and `reserved` of `amount`, in nano-USD or tokens.
    """

    limits: tuple[LimitState, ...] = ()
    budgets: tuple[BudgetState, ...] = ()

    def remaining(
        self,
        dimension: LimitDimension = "requests",
        *,
        provider: str | None = None,
        deployment: str | None = None,
        tags: Collection[str] = (),
    ) -> int | None:
        """Tell how much is left for a call now: the least that any limit leaves; None where none bounds it.

        Args:
            dimension: of what.
            provider: the entry that is to be asked.
            deployment: `entry/model`, or `entry/model#key` where the entry has several keys; it implies the provider.
            tags: those that the request bears.
        """
        names = _names(provider, deployment, tags)
        left = [
            max(0, state.limit - state.used)
            for state in self.limits
            if state.dimension == dimension and state.scope in names
        ]
        return min(left, default=None)

    def budget_left(
        self,
        unit: BudgetUnit = "nano_usd",
        *,
        provider: str | None = None,
        deployment: str | None = None,
        tags: Collection[str] = (),
    ) -> int | None:
        """Tell what is left of the budgets that a call falls under, in nano-USD or tokens; None where there is none.

        What open calls may yet use at most counts as used.
        """
        names = _names(provider, deployment, tags)
        return min(
            (_left(state) for state in self.budgets if state.unit == unit and state.scope in names), default=None
        )

    def wait_s(
        self, *, provider: str | None = None, deployment: str | None = None, tags: Collection[str] = ()
    ) -> float | None:
        """Tell about how long a call has to wait until every limit has room: 0 for now, None where nobody knows.

        Somebody who waits already may be served before.
        """
        names = _names(provider, deployment, tags)
        full = [state for state in self.limits if state.scope in names and state.used >= state.limit]
        waits = [state.free_in_s for state in full]
        if None in waits or any(_left(state) == 0 for state in self.budgets if state.scope in names):
            return None
        return max((wait for wait in waits if wait is not None), default=0.0)

    def never_fits(
        self, reservation: Reservation, *, deployment: str, tags: Collection[str] = ()
    ) -> tuple[BudgetState, ...]:
        """List the budgets that are smaller than what a call would set aside: under these it is always refused."""
        names = _names(None, deployment, tags)
        most = {"nano_usd": reservation.bound_nano_usd, "tokens": reservation.bound.total}
        return tuple(state for state in self.budgets if state.scope in names and state.amount < (most[state.unit] or 0))

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data, with what each leaves."""
        return {
            "limits": [_told(state) | {"remaining": max(0, state.limit - state.used)} for state in self.limits],
            "budgets": [_told(state) | {"remaining": _left(state)} for state in self.budgets],
        }


def budget_used(state: BudgetState) -> int:
    """Add up what a budget has lost: settled, in doubt, and what open calls may yet use."""
    return state.spent + state.in_doubt + state.reserved


def scope_text(scope: Scope) -> str:
    """Name a scope for people: `all`, or `tag team-a`."""
    return scope.kind if scope.kind == "all" else f"{scope.kind} {scope.name}"


def _left(state: BudgetState) -> int:
    return max(0, state.amount - budget_used(state))


def _names(provider: str | None, deployment: str | None, tags: Collection[str]) -> set[Scope]:
    return set(_scopes(provider, deployment, tags))


def _scopes(provider: str | None, deployment: str | None, tags: Collection[str]) -> Iterator[Scope]:
    yield Scope()
    for tag in tags:
        yield Scope(kind="tag", name=tag)
    if deployment is not None:
        yield Scope(kind="deployment", name=deployment)
        provider = deployment.partition("/")[0] if provider is None else provider
        key = deployment.rpartition("#")[2] if "#" in deployment else None
        if key is not None:
            yield Scope(kind="key", name=f"{provider}#{key}")
    if provider is not None:
        yield Scope(kind="provider", name=provider)


def _told(state: LimitState | BudgetState) -> dict[str, Any]:
    plain: dict[str, Any] = {name: getattr(state, name) for name in state.__struct_fields__}
    return plain | {"scope": {"kind": state.scope.kind, "name": state.scope.name}}
