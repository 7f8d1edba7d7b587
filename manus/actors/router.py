"""Own the router actor: its table of deployments, its bound on requests in flight, and how routing has gone.

One request's life is `router_request.RequestRun`, a task of this actor. What must survive a crash (the retry budget,
the counts) lives in the durable cell.
"""

from __future__ import annotations

from functools import partial

import trio

from manus.actors.embed_run import EmbedRun
from manus.actors.estimate import estimate_prompt_tokens
from manus.actors.plan import Plan
from manus.actors.router_desk import Desk, RouterCell, RouterSpec
from manus.actors.router_request import RequestRun
from manus.actors.validate import problem_of
from manus.messages.failures import Failed
from manus.messages.outcomes import Outcome, Route, Unfinished
from manus.messages.requests import ChatRequest, EmbedRequest
from manus.messages.routing import ExplainAsked, RoutingMetricsAsked
from manus.supervisor.context import Context
from manus.supervisor.envelope import Envelope
from manus.supervisor.spec import ChildSpec, MailboxSpec

SHED_RETRY_S = 1.0
"""When a request that was shed may come back: about the time in which a full router has answered some of its own."""


def router_child(spec: RouterSpec) -> ChildSpec:
    """Describe the router to its supervisor."""
    return ChildSpec(
        id="router",
        start=partial(run_router, spec),
        mailbox=MailboxSpec(capacity=spec.policy.in_flight_max, overflow="block"),
        uses=("accounting", "provider/*"),
        cell=partial(RouterCell, spec),
    )


async def run_router(spec: RouterSpec, ctx: Context) -> None:
    """Serve requests until drained, cancelled or broken."""
    router = Router(spec, ctx)
    ctx.started()
    # No limit on places: what is beyond the bound must be told so, not left waiting.
    await ctx.serve(router.handle, own_scope=True)


class Router:
    """One incarnation."""

    __slots__ = ("_desk", "_in_flight", "_spec")

    def __init__(self, spec: RouterSpec, ctx: Context) -> None:
        self._spec = spec
        self._desk = Desk(spec, ctx)
        self._in_flight = 0

    async def handle(self, env: Envelope) -> object:
        """Answer one envelope: a request with its `Outcome`, a question with its answer."""
        match env.message:
            case ChatRequest() | EmbedRequest() as request:
                if self._in_flight >= self._spec.policy.in_flight_max:
                    return self._shed(request)
                self._in_flight += 1
                try:
                    return await self._run(env, request)
                finally:
                    self._in_flight -= 1
            case ExplainAsked(request=request):
                return self._explain(request)
            case RoutingMetricsAsked():
                return self._desk.cell.metrics(self._in_flight)
            case other:
                raise TypeError(f"the router was sent a {type(other).__name__}")

    async def _run(self, env: Envelope, request: ChatRequest | EmbedRequest) -> Outcome:
        problem = problem_of(request, self._spec.bounds)
        if problem is not None:
            return Unfinished(request_id=request.request_id, failure=problem, cost_nano_usd=0)
        cell = self._desk.cell
        counts = cell.counts
        counts["requests"] += 1
        if self._in_flight > counts["in_flight_peak"]:
            counts["in_flight_peak"] = self._in_flight
        cell.budget.count_request(trio.current_time())
        if isinstance(request, EmbedRequest):
            outcome = await EmbedRun(self._desk, env, request).run()
        else:
            outcome = await RequestRun(self._desk, env, request).run()
        if not isinstance(outcome, Unfinished):
            counts["finished"] += 1
        elif outcome.failure.kind == "cancelled":
            counts["cancelled"] += 1
        else:
            counts["unfinished"] += 1
        return outcome

    def _shed(self, request: ChatRequest | EmbedRequest) -> Unfinished:
        self._desk.cell.count("shed")
        limit = self._spec.policy.in_flight_max
        return Unfinished(
            request_id=request.request_id,
            cost_nano_usd=0,
            failure=Failed(
                kind="shed",
                message=f"{limit} requests are in flight, the most the router takes (`in_flight_max`). Come back soon.",
                retry_after_s=SHED_RETRY_S,
                safe_to_retry=True,
                phase="queued",
            ),
        )

    def _explain(self, request: ChatRequest) -> Route | Failed:
        problem = problem_of(request, self._spec.bounds)
        if problem is not None:
            return problem
        standing = self._desk.standing(trio.current_time()).rehearsal()
        plan = self._desk.table.plan(request, estimated_input_tokens=estimate_prompt_tokens(request), standing=standing)
        if isinstance(plan, Plan):
            return Route(strategy=plan.strategy, candidates=plan.candidates, left_out=plan.left_out)
        return plan
