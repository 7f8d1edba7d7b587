"""Own the live totals of one agent: what its attempts used since the tracker was made, without a look at the ledger."""

from __future__ import annotations

import threading
from typing import Any, Protocol, Self, final

import msgspec

from manus.messages.usage import NANO_USD
from manus.messages.watching import AttemptEnded
from manus.supervisor.bus import Listener


class TokenTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What some attempts used together.

    Args:
        attempts: those that were settled; `in_doubt` are those whose end nobody saw, in none of the sums.
        input_tokens, output_tokens: whole prompts and answers.
        cost_nano_usd: in 1e-9 USD, exact, without the `unpriced` attempts: nobody knows what those cost.
    """

    attempts: int = 0
    in_doubt: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nano_usd: int = 0
    unpriced: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompts and answers together."""
        return self.input_tokens + self.output_tokens

    @property
    def cost_usd(self) -> float:
        """The cost in USD, rounded to what a float holds."""
        return self.cost_nano_usd / NANO_USD

    def __add__(self, other: TokenTotals) -> TokenTotals:
        """Add two totals."""
        return TokenTotals(
            **{field: getattr(self, field) + getattr(other, field) for field in TokenTotals.__struct_fields__}
        )

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        return msgspec.structs.asdict(self) | {"total_tokens": self.total_tokens, "cost_usd": self.cost_usd}


class EventSource(Protocol):
    """Whatever calls a listener with every event: the bus of this loop, or one that is reached across threads."""

    def add_listener(self, listener: Listener) -> None:
        """Call `listener` with every event from now on."""

    def remove_listener(self, listener: Listener) -> None:
        """Call `listener` no more."""


@final
class TokenTracker:
    """Live totals of this agent: what its attempts have used since the tracker was made, or since `reset`.

    Made by `LLMAgent.token_tracker`; counts every attempt as it is booked, retries, failovers and hedges included,
    until `close` or the end of its `with`. For totals that outlive the agent ask `get_usage_stats`.
    """

    __slots__ = ("_bus", "_lock", "_totals")

    def __init__(self, bus: EventSource) -> None:
        self._bus = bus
        # Counted in the runtime's thread, read in whatever thread holds the tracker. Readers take the table as it is:
        # it is replaced and never changed.
        self._lock = threading.Lock()
        self._totals: dict[tuple[str, str], TokenTotals] = {}
        bus.add_listener(self._hear)

    def __repr__(self) -> str:
        return f"<TokenTracker {self.total_tokens} tokens, {self.total_cost_usd:.6f} USD>"

    @property
    def total(self) -> TokenTotals:
        """Everything together."""
        return sum(self._totals.values(), TokenTotals())

    @property
    def total_tokens(self) -> int:
        """Prompts and answers of all attempts."""
        return self.total.total_tokens

    @property
    def total_cost_usd(self) -> float:
        """What they cost in USD, rounded to what a float holds; `total.unpriced` says what it leaves out."""
        return self.total.cost_usd

    def by_provider(self) -> dict[str, TokenTotals]:
        """Split the totals by provider."""
        split: dict[str, TokenTotals] = {}
        for (provider, _), totals in self._totals.items():
            split[provider] = split.get(provider, TokenTotals()) + totals
        return split

    def by_model(self) -> dict[str, TokenTotals]:
        """Split the totals by model: `provider/model`."""
        return {f"{provider}/{model}": totals for (provider, model), totals in self._totals.items()}

    def reset(self) -> None:
        """Count from zero again. Other trackers and the books are not touched."""
        with self._lock:
            self._totals = {}

    def close(self) -> None:
        """Count no more; what was counted can still be read. Harmless when repeated."""
        self._bus.remove_listener(self._hear)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {
            "total": self.total.to_dict(),
            "by_provider": {name: totals.to_dict() for name, totals in self.by_provider().items()},
            "by_model": {name: totals.to_dict() for name, totals in self.by_model().items()},
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _hear(self, event: object) -> None:
        if type(event) is not AttemptEnded or event.booking not in ("settled", "in_doubt"):
            return
        place = (event.provider, event.model)
        with self._lock:
            self._totals = self._totals | {place: self._totals.get(place, TokenTotals()) + _totals_of(event)}


def _totals_of(ended: AttemptEnded) -> TokenTotals:
    if ended.booking == "in_doubt":
        return TokenTotals(in_doubt=1)
    return TokenTotals(
        attempts=1,
        input_tokens=ended.usage.input_total,
        output_tokens=ended.usage.output,
        cost_nano_usd=ended.cost_nano_usd or 0,
        unpriced=int(ended.cost_nano_usd is None),
    )
