"""Own the caps of a request: who is left out because it costs more, or takes longer, than the caller allows. Pure."""

from __future__ import annotations

from manus.actors.routing.expected_cost import ExpectedCost
from manus.actors.routing.plan import Choice
from manus.actors.routing.standing import Standing
from manus.messages.requests import ChatRequest
from manus.messages.usage import format_usd, nano_usd


class Caps:
    """What one request allows. Made only for requests that have a cap."""

    __slots__ = ("_bounded", "_cost_max", "_costs", "_latency_max_s", "_standing")

    def __init__(self, request: ChatRequest, costs: ExpectedCost, standing: Standing) -> None:
        criteria = request.criteria
        assert criteria is not None
        self._bounded = request.max_output_tokens is not None
        self._costs = costs
        self._cost_max = None if criteria.max_cost_usd is None else nano_usd(criteria.max_cost_usd)
        self._latency_max_s = None if criteria.max_latency_ms is None else criteria.max_latency_ms / 1000
        self._standing = standing

    def exceeded_by(self, choice: Choice) -> str:
        """Say which cap a deployment exceeds, and by what; empty where it exceeds none.

        A price that is not known may be above any cap; a latency that was not observed may be below.
        """
        if self._cost_max is not None:
            cost = self._costs.cap_nano_usd(choice.card)
            if cost is None:
                return "its price is unknown, and the request has a cap on its cost (max_cost_usd)"
            if cost > self._cost_max:
                how = "can cost" if self._bounded else "is expected to cost"
                return f"{how} {format_usd(cost)}, above the {format_usd(self._cost_max)} allowed (max_cost_usd)"
        if self._latency_max_s is not None:
            latency_s = self._standing.health.latency(choice.deployment, self._standing.now)
            if latency_s is not None and latency_s > self._latency_max_s:
                return (
                    f"takes about {latency_s * 1000:.0f} ms, above the {self._latency_max_s * 1000:g} ms "
                    "allowed (max_latency_ms)"
                )
        return ""


def has_caps(request: ChatRequest) -> bool:
    """Whether a request caps what an attempt may cost or take."""
    criteria = request.criteria
    return criteria is not None and (criteria.max_cost_usd is not None or criteria.max_latency_ms is not None)
