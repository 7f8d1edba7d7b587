"""Own the router actor: who is let in, who waits and who is shed, and how routing has gone.

One request's life is `router_request.RequestRun`, a task of this actor. What must survive a crash (the retry budget,
the counts) lives in the durable cell; the places and who waits for one do not: with an incarnation everything it had
in hand is answered for, requests that still waited as safe to retry.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec
import trio

from manus.actors.estimates.bound import bound_of
from manus.actors.estimates.measure import measure
from manus.actors.estimates.prompt import prompt_tokens
from manus.actors.health_probes import HealthProbes
from manus.actors.journey.embed_run import EmbedRun
from manus.actors.journey.request import RequestRun
from manus.actors.lanes import LANE_FREE, LaneAsked, LaneFree
from manus.actors.router_desk import Desk, Reconfigure, Reconfigured, RouterCell, RouterSpec
from manus.actors.routing.candidates import candidates_of
from manus.actors.routing.expected_cost import reservation_of
from manus.actors.routing.plan import Plan
from manus.actors.routing.standing import Standing
from manus.actors.validate import problem_of
from manus.actors.waiting_room import WaitingRoom
from manus.messages.failures import Failed
from manus.messages.outcomes import Outcome, Route, Unfinished
from manus.messages.requests import ChatRequest, EmbedRequest
from manus.messages.routing import ExplainAsked, RoutingMetricsAsked, TokensAsked, TokensTold
from manus.supervisor.context import Context
from manus.supervisor.envelope import LATER, Envelope
from manus.supervisor.spec import ChildSpec, MailboxSpec

NEVER_BEGUN: Final = "The request's deadline passed while it waited for its turn among the batch requests."


def router_child(spec: RouterSpec) -> ChildSpec:
    """Describe the router to its supervisor."""
    return ChildSpec(
        id="router",
        start=run_router,
        mailbox=MailboxSpec(capacity=spec.policy.in_flight_max, overflow="block"),
        uses=("accounting", "provider/*"),
        cell=partial(RouterCell, spec),
    )


async def run_router(ctx: Context) -> None:
    """Serve requests until drained, cancelled or broken. What is configured is in the durable cell."""
    router = Router(ctx)
    ctx.started()
    async with trio.open_nursery(strict_exception_groups=True) as nursery:
        router.start_probes(nursery)
        # No limit on places: what is beyond the bound must be told so, not left waiting.
        await ctx.serve(router.handle, own_scope=True, at_once=router.answer_at_once)
        nursery.cancel_scope.cancel()


class Router:
    """One incarnation."""

    __slots__ = ("_desk", "_room")

    def __init__(self, ctx: Context) -> None:
        self._desk = Desk(ctx)
        policy = self._desk.spec.policy
        self._room = WaitingRoom(
            policy.in_flight_max,
            batch_share=policy.batch_share,
            waiting_max=policy.batch_waiting_max,
            rng=self._desk.cell.rng,
        )

    def start_probes(self, nursery: trio.Nursery) -> None:
        """Have resting deployments asked for their lists of models, while that is wanted, until the nursery ends."""
        nursery.start_soon(HealthProbes(self._desk).run)

    def answer_at_once(self, env: Envelope) -> object:
        """Answer what takes no work: a question, or a request for which there is no room. All else is `LATER`'s."""
        match env.message:
            case ChatRequest() | EmbedRequest() as request:
                batch = _is_batch(request)
                if self._room.has_room(batch=batch):
                    return LATER
                return self._shed(request, trio.current_time(), batch=batch)
            case ExplainAsked(request=request):
                return self._explain(request)
            case TokensAsked(request=request):
                return self._count(request)
            case RoutingMetricsAsked():
                metrics = self._desk.cell.metrics(self._room.taken)
                return msgspec.structs.replace(metrics, waiting=self._room.waiting)
            case Reconfigure() as message:
                return self._reconfigure(message)
            case LaneAsked(actor=actor):
                return LANE_FREE if self._desk.leaving(actor) is None else LATER
            case other:
                raise TypeError(f"the router was sent a {type(other).__name__}")

    async def handle(self, env: Envelope) -> Outcome | LaneFree:
        """Answer a request with its `Outcome`."""
        request = env.message
        if isinstance(request, LaneAsked):
            return await self._free_lane(env, request.actor)
        assert isinstance(request, ChatRequest | EmbedRequest), "all else is answered at once"
        batch = _is_batch(request)
        began_at = trio.current_time()
        if self._room.enter(began_at, batch=batch):
            return await self._run(env, request, began_at)
        if batch and self._room.has_room(batch=True):
            return await self._run_in_turn(env, request)
        return self._shed(request, began_at, batch=batch)  # others of the same moment were faster

    def _reconfigure(self, message: Reconfigure) -> Reconfigured:
        self._desk.reconfigure(message)
        policy = message.spec.policy
        self._room.resize(policy.in_flight_max, batch_share=policy.batch_share, waiting_max=policy.batch_waiting_max)
        return Reconfigured()

    async def _free_lane(self, env: Envelope, actor: str) -> LaneFree:
        """Wait until no attempt keeps to an actor any more; whoever asks may leave."""
        with env.scope:
            while (lane := self._desk.leaving(actor)) is not None:
                await lane.free()
        return LANE_FREE

    async def _run(self, env: Envelope, request: ChatRequest | EmbedRequest, began_at: float) -> Outcome:
        """Answer a request that has its place, and give the place back."""
        try:
            return await self._counted(env, request, None)
        finally:
            now = trio.current_time()
            self._room.leave(now - began_at, now)

    async def _run_in_turn(self, env: Envelope, request: ChatRequest | EmbedRequest) -> Outcome:
        """Have a batch request wait for its place, and answer it."""
        began_at: float | None = None

        async def take_place() -> None:
            nonlocal began_at
            await self._room.wait()
            began_at = trio.current_time()

        try:
            outcome = await self._counted(env, request, take_place)
        finally:
            if began_at is not None:
                now = trio.current_time()
                self._room.leave(now - began_at, now)
        if began_at is None and isinstance(outcome, Unfinished) and outcome.failure.kind == "deadline":
            failure = msgspec.structs.replace(outcome.failure, message=NEVER_BEGUN)
            return msgspec.structs.replace(outcome, failure=failure)
        return outcome

    async def _counted(
        self, env: Envelope, request: ChatRequest | EmbedRequest, first: Callable[[], Awaitable[None]] | None
    ) -> Outcome:
        problem = problem_of(request, self._desk.spec.bounds)
        if problem is not None:
            return Unfinished(request_id=request.request_id, failure=problem, cost_nano_usd=0)
        cell = self._desk.cell
        counts = cell.counts
        counts["requests"] += 1
        if self._room.taken > counts["in_flight_peak"]:
            counts["in_flight_peak"] = self._room.taken
        if isinstance(request, EmbedRequest):
            outcome = await EmbedRun(self._desk, env, request).run(first=first)
        else:
            outcome = await RequestRun(self._desk, env, request).run(first=first)
        if not isinstance(outcome, Unfinished):
            counts["finished"] += 1
        elif outcome.failure.kind == "cancelled":
            counts["cancelled"] += 1
        else:
            counts["unfinished"] += 1
        return outcome

    def _shed(self, request: ChatRequest | EmbedRequest, now: float, *, batch: bool) -> Unfinished:
        self._desk.cell.count("shed")
        policy = self._desk.spec.policy
        if batch:
            why = f"{policy.batch_waiting_max} batch requests wait, the most that may (`batch_waiting_max`)."
        else:
            why = f"{policy.in_flight_max} requests are in flight, the most the router takes (`in_flight_max`)."
        return Unfinished(
            request_id=request.request_id,
            cost_nano_usd=0,
            failure=Failed(
                kind="shed",
                message=why,
                retry_after_s=self._room.come_back_s(now),
                safe_to_retry=True,
                phase="queued",
            ),
        )

    def _explain(self, request: ChatRequest) -> Route | Failed:
        """Tell a request's route, and what its first attempt would reserve."""
        rehearsed = self._rehearse(request)
        if isinstance(rehearsed, Failed):
            return rehearsed
        plan, standing, told = rehearsed
        return Route(
            strategy=plan.strategy,
            candidates=candidates_of(plan, standing.health, standing.now),
            left_out=plan.left_out,
            reservation=reservation_of(request, plan.choices[0].card, told.expected),
        )

    def _count(self, request: ChatRequest) -> TokensTold | Failed:
        """Tell how long a prompt is expected to be, for whoever would be asked first."""
        rehearsed = self._rehearse(request)
        return rehearsed if isinstance(rehearsed, Failed) else rehearsed[2]

    def _rehearse(self, request: ChatRequest) -> tuple[Plan, Standing, TokensTold] | Failed:
        """Plan a request that is not made, and measure its prompt for its first candidate."""
        problem = problem_of(request, self._desk.spec.bounds)
        if problem is not None:
            return problem
        standing = self._desk.standing(request.request_id, trio.current_time()).rehearsal()
        measured = measure(request)
        tokens = prompt_tokens(measured)
        plan = self._desk.table.plan(request, estimated_input_tokens=tokens, standing=standing, measured=measured)
        if isinstance(plan, Failed):
            return plan
        first = plan.choices[0]
        base = first.card.vendor_name
        told = TokensTold(
            provider=first.provider,
            model=first.model,
            base=base,
            expected=self._desk.cell.calibration.prompt_tokens(first.provider, first.model, base, measured),
            bound=bound_of(measured, request, first.card).input_total,
            is_plain=measured.is_plain,
            window_tokens=first.card.context_tokens,
            prompt_tokens_max=first.card.longest_prompt_tokens,
            output_tokens_max=first.card.max_output_tokens,
        )
        return plan, standing, told


def _is_batch(request: ChatRequest | EmbedRequest) -> bool:
    return isinstance(request, ChatRequest) and request.priority == "batch"
