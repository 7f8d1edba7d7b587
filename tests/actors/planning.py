"""Own what tests of planning share: entries, requests, observations that are made up, and plans of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manus.actors.health.verdicts import PROBE, READY, NotBefore, Ready
from manus.actors.jitter import Jitter
from manus.actors.routing.affinity import Affinity, Turns
from manus.actors.routing.plan import Plan
from manus.actors.routing.standing import Standing
from manus.actors.routing.table import RoutingTable
from manus.messages.content import text_turn
from manus.messages.failures import Failed
from manus.messages.ids import DeploymentId, RequestId
from manus.messages.policy import ModelCard, ProviderPolicy
from manus.messages.requests import ChatRequest, RoutingCriteria
from manus.messages.routing_policy import RouterPolicy
from manus.messages.usage import Price

NOW = 1000.0


class Observed:
    """Readings that a test makes up. `resting` maps a deployment to the time before which it is not asked."""

    def __init__(
        self,
        *,
        in_flight: Mapping[str, int] | None = None,
        latency_s: Mapping[str, float] | None = None,
        success: Mapping[str, float] | None = None,
        resting: Mapping[str, float] | None = None,
        probing: tuple[str, ...] = (),
    ) -> None:
        self._in_flight = in_flight or {}
        self._latency_s = latency_s or {}
        self._success = success or {}
        self._resting = resting or {}
        self._probing = probing

    @property
    def all_well(self) -> bool:
        return not self._resting and not self._probing

    def verdict(self, deployment: DeploymentId, *, provider: str, key: str | None, now: float) -> Ready | NotBefore:
        assert deployment.startswith(f"{provider}/")
        assert key is None or deployment.endswith(f"#{key}")
        at = self._resting.get(deployment)
        if at is not None:
            return NotBefore(at=at, why="it was made up", state="open")
        return PROBE if deployment in self._probing else READY

    def in_flight(self, deployment: DeploymentId) -> int:
        return self._in_flight.get(deployment, 0)

    def latency_cost(self, deployment: DeploymentId, now: float) -> float:
        assert now == NOW
        return self._latency_s.get(deployment, 0.0) * (self.in_flight(deployment) + 1)

    def latency(self, deployment: DeploymentId, now: float) -> float | None:
        assert now == NOW
        return self._latency_s.get(deployment)

    def success_rate(self, deployment: DeploymentId, now: float) -> float | None:
        assert now == NOW
        return self._success.get(deployment)


def standing(observed: Observed | None = None, *, name: str = "r1") -> Standing:
    return Standing(now=NOW, health=observed or Observed(), chance=Jitter(1, name), turns=Turns(), affinity=Affinity())


def entry(name: str, *models: str | ModelCard, **options: Any) -> ProviderPolicy:
    cards = tuple(ModelCard(name=m) if isinstance(m, str) else m for m in models)
    options.setdefault("type", "openai")
    return ProviderPolicy(name=name, models=cards, **options)


def priced(name: str, input_usd: float | None, output_usd: float | None, **fields: Any) -> ModelCard:
    """Make a model that costs so many USD per million tokens; None is unknown."""
    price = Price(
        input=None if input_usd is None else round(input_usd * 1_000_000_000),
        output=None if output_usd is None else round(output_usd * 1_000_000_000),
        version="test",
    )
    return ModelCard(name=name, price=price, **fields)


def ask(*, wants: RoutingCriteria | None = None, **fields: Any) -> ChatRequest:
    fields.setdefault("turns", (text_turn("user", "Hello"),))
    return ChatRequest(request_id=RequestId("r1"), criteria=wants, **fields)


def table(*providers: ProviderPolicy, disabled: tuple[str, ...] = (), **policy: Any) -> RoutingTable:
    return RoutingTable(providers, RouterPolicy(**policy), disabled=disabled)


def made(routes: RoutingTable, request: ChatRequest, *, tokens: int = 1000, at: Standing | None = None) -> Plan:
    plan = routes.plan(request, estimated_input_tokens=tokens, standing=at or standing())
    assert isinstance(plan, Plan), plan
    return plan


def refusal(routes: RoutingTable, request: ChatRequest, *, tokens: int = 1000, at: Standing | None = None) -> Failed:
    plan = routes.plan(request, estimated_input_tokens=tokens, standing=at or standing())
    assert isinstance(plan, Failed), plan
    return plan


def order(plan: Plan) -> list[str]:
    return [choice.deployment for choice in plan.choices]


def reasons(plan: Plan) -> dict[str, str]:
    return {candidate.deployment: candidate.reason for candidate in plan.left_out}


def scores(plan: Plan) -> list[float | None]:
    return [candidate.score for candidate in plan.candidates]
