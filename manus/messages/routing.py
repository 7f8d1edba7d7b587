"""Own what is asked of the router besides an answer: the plan without the call, and how routing has gone."""

from __future__ import annotations

import msgspec

from manus.messages.base import Message
from manus.messages.ids import DeploymentId
from manus.messages.requests import ChatRequest


class ExplainAsked(Message, frozen=True, kw_only=True, tag="explain_asked", omit_defaults=True):
    """Ask how `request` would be routed now; answered with a `Route`, or the `Failed` it would meet at once."""

    request: ChatRequest


class RoutingMetricsAsked(Message, frozen=True, kw_only=True, tag="routing_metrics_asked", omit_defaults=True):
    """Ask how routing has gone since the tree was built; answered with `RoutingMetrics`."""


class DeploymentMetrics(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of the attempts at one deployment. `failures` counts by kind."""

    deployment: DeploymentId
    attempts: int = 0
    successes: int = 0
    failures: dict[str, int] = {}


class RoutingMetrics(Message, frozen=True, kw_only=True, tag="routing_metrics", omit_defaults=True):
    """Counts since the tree was built; they survive a crash of the router.

    `retries` are further attempts at a deployment that had been asked already, `failovers` attempts at another one,
    `restarts` answers that began anew after the caller had seen a part. `shed` requests were refused for lack of room.
    """

    requests: int = 0
    finished: int = 0
    unfinished: int = 0
    cancelled: int = 0
    shed: int = 0
    in_flight: int = 0
    in_flight_peak: int = 0
    retries: int = 0
    failovers: int = 0
    restarts: int = 0
    deployments: tuple[DeploymentMetrics, ...] = ()
