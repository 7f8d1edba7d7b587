"""Own the running of one plan against a real tree: scripted actors, senders, blows; and what was seen of all that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from manus.supervisor import events
from manus.supervisor.bus import EventBus
from manus.supervisor.context import Context
from manus.supervisor.dialog import Sink
from manus.supervisor.envelope import LATER, Envelope, Phase
from manus.supervisor.events import SupervisionEvent
from manus.supervisor.fault_budget import FaultBudget
from manus.supervisor.ref import Ref
from manus.supervisor.shield import bounded_shield
from manus.supervisor.spec import AnySpec, Backoff, ChildSpec, Intensity, Liveness, MailboxSpec, SupervisorSpec
from manus.supervisor.tree import RuntimeFailed, Tree, open_tree
from tests.sim.tree_plan import GRID_S, ActorPlan, Blow, GroupPlan, Plan, actors_of
from tests.sim.tree_report import CutShort, Done, Handled, Report, Sent, Work, work_of

STREAM_ITEMS_MAX = 2
FAULTS_MAX = 1
"""How many crashed requests a second an actor survives here."""


class Boom(Exception):
    """What goes wrong here."""


class TreeWorld:
    """Runs one plan, once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.report = Report(plan, {each.number: Sent(each) for each in plan.messages}, [], [])
        self._tree: Tree
        self._refs: dict[str, Ref] = {}
        self._moment = 0
        self._open = False

    async def run(self) -> Report:
        tasks_before = trio.lowlevel.current_statistics().tasks_living
        bus = EventBus()
        bus.add_listener(self._listen)
        async with trio.open_nursery() as senders:
            try:
                async with open_tree(
                    self._supervisor(self.plan.tree),
                    seed=self.plan.seed,
                    bus=bus,
                    drain_s=self.plan.drain_s,
                    hard_s=self.plan.hard_s,
                ) as tree:
                    self._tree, self._open = tree, True
                    self._refs = {actor.name: tree.ref(actor.name) for actor in actors_of(self.plan.tree)}
                    await self._live(senders)
            except RuntimeFailed as failed:
                self.report.failure = str(failed)
        if self._open:
            self._look_back(tasks_before)
        return self.report

    async def _live(self, senders: trio.Nursery) -> None:
        for message in self.plan.messages:
            senders.start_soon(self._send, self.report.sent[message.number], name=f"sender {message.number}")
        for blow in self.plan.blows:
            senders.start_soon(self._strike, blow, name=f"blow at {blow.at_s}")
        await trio.sleep_until(self.plan.end_at_s)
        self.report.before_stop = {status.id: status for status in self._tree.status()}
        self.report.stop_began_at = trio.current_time()

    def _look_back(self, tasks_before: int) -> None:
        report, ground = self.report, self._tree._ground
        report.mailboxes = {name: slot.statistics() for name, slot in ground.slots.items()}
        report.tasks_left = trio.lowlevel.current_statistics().tasks_living - tasks_before
        report.deadlines_left = len(ground.commons.deadlines)

    def _listen(self, event: object) -> None:
        report = self.report
        assert isinstance(event, SupervisionEvent)
        report.events.append(event)
        if isinstance(event, events.RestartScheduled | events.Quarantined) and self._open:
            slot = self._tree._ground.slots.get(event.actor)
            in_hand = [] if slot is None else list(slot.in_hand.values())
            left = [envelope.id for envelope in in_hand if envelope.generation <= event.generation]
            if left:
                report.late_answers.append(f"{event.actor}#{event.generation} has {left} in hand as its rest begins")

    # --- the tree -------------------------------------------------------------------------------

    def _supervisor(self, plan: GroupPlan) -> SupervisorSpec:
        return SupervisorSpec(
            id=plan.name,
            strategy=plan.strategy,
            ordered=plan.ordered,
            intensity=Intensity(max_restarts=plan.max_restarts, period_s=plan.period_s),
            backoff=Backoff(min_s=0.125, max_s=0.5, jitter=0.0),
            on_exhausted=plan.on_exhausted,
            quarantine_s=2.0,
            children=tuple(self._spec(child) for child in plan.children),
        )

    def _spec(self, plan: ActorPlan | GroupPlan) -> AnySpec:
        return self._supervisor(plan) if isinstance(plan, GroupPlan) else self._worker(plan)

    def _worker(self, plan: ActorPlan) -> ChildSpec:
        return ChildSpec(
            id=plan.name,
            start=self._actor(plan),
            restart=plan.restart,
            significant=plan.significant,
            shutdown_s=plan.shutdown_s,
            drain_s=plan.drain_s,
            start_timeout_s=plan.start_timeout_s,
            intensity=Intensity(max_restarts=plan.max_restarts, period_s=plan.period_s),
            backoff=Backoff(
                min_s=plan.backoff_s,
                max_s=plan.backoff_max_s,
                jitter=plan.jitter,
                reset_after_s=plan.reset_after_s,
            ),
            on_exhausted=plan.on_exhausted,
            quarantine_s=plan.quarantine_s,
            mailbox=MailboxSpec(capacity=plan.capacity, overflow="shed" if plan.sheds else "block"),
            liveness=Liveness(ping_interval_s=1.0, ping_timeout_s=1.0, progress_timeout_s=plan.progress_timeout_s),
        )

    def _actor(self, plan: ActorPlan) -> Callable[[Context], Awaitable[None]]:
        async def start(ctx: Context) -> None:
            fate = plan.starts[ctx.generation - 1] if ctx.generation <= len(plan.starts) else "fine"
            if plan.start_s:
                await trio.sleep(plan.start_s)
            match fate:
                case "raise":
                    raise Boom("a start")
                case "hang":
                    await trio.sleep_forever()
                case "return":
                    return
                case "fine":
                    pass
            ctx.started()
            await self._serve(ctx, plan)

        return start

    async def _serve(self, ctx: Context, plan: ActorPlan) -> None:
        match plan.manner:
            case "requests":

                async def handle(envelope: Envelope) -> object:
                    return await self._handle(ctx, envelope)

                await ctx.serve(handle, places=plan.places, fault_budget=FaultBudget(FAULTS_MAX, 1.0))
            case "turns":
                await ctx.serve_turns(lambda envelope: self._take_turn(ctx, envelope))
            case "inbox":
                inbox = ctx.inbox
                while True:
                    try:
                        envelope = await inbox.receive()
                    except (trio.EndOfChannel, trio.ClosedResourceError):
                        return
                    with envelope.scope:
                        answer = await self._handle(ctx, envelope)
                        if answer is not LATER:
                            envelope.reply(answer)
                    if envelope.scope.cancelled_caught and not envelope.replied:
                        envelope.reply(CutShort(envelope.message.number))  # type: ignore[attr-defined]

    # --- what handlers do -----------------------------------------------------------------------

    def _begin(self, ctx: Context, envelope: Envelope) -> Handled:
        work: Work = envelope.message  # type: ignore[assignment]
        handled = Handled(work.number, ctx.id, ctx.generation, trio.current_time())
        handled.began_after_events = len(self.report.events)
        handled.moment = self._next_moment()
        self.report.handled.append(handled)
        return handled

    async def _handle(self, ctx: Context, envelope: Envelope) -> object:
        handled = self._begin(ctx, envelope)
        work: Work = envelope.message  # type: ignore[assignment]
        try:
            for deed in work.deeds:
                match deed.kind:
                    case "work":
                        await trio.sleep(deed.s)
                    case "send":
                        envelope.phase = Phase.SENT
                    case "push":
                        if isinstance(envelope.sink, Sink):
                            await self._push(handled, envelope.sink)
                    case "raise":
                        raise Boom("a request")
                    case "hang":
                        await trio.sleep_forever()
                    case "wedge":
                        handled.shielded = True
                        with bounded_shield(deed.s + GRID_S):
                            await trio.sleep(deed.s)
                    case "later":
                        handled.shielded = True  # not by a shield: the reply comes from elsewhere
                        ctx.nursery.start_soon(self._reply_later, handled, envelope, deed.s)
                        return LATER
            handled.replied_after_events = len(self.report.events)
            return Done(work.number, ctx.generation)
        finally:
            handled.ended_at = trio.current_time()

    async def _push(self, handled: Handled, sink: Sink) -> None:
        """Push as many items as there is room for, and then one more."""
        while sink.push(handled.pushed):
            handled.pushed += 1
            if len(sink) > STREAM_ITEMS_MAX:
                self.report.overfull.append(f"the stream of message {handled.number} holds {len(sink)} items")
                return
        await sink.wait_room()
        handled.pushed += sink.push(handled.pushed)

    async def _reply_later(self, handled: Handled, envelope: Envelope, after_s: float) -> None:
        await trio.sleep(after_s)
        handled.replied_after_events = len(self.report.events)
        envelope.reply(Done(handled.number, handled.generation))

    def _take_turn(self, ctx: Context, envelope: Envelope) -> object:
        handled = self._begin(ctx, envelope)
        handled.ended_at = trio.current_time()
        work: Work = envelope.message  # type: ignore[assignment]
        for deed in work.deeds:
            if deed.kind == "raise":
                raise Boom("a turn")
            if deed.kind == "later":
                ctx.nursery.start_soon(self._reply_later, handled, envelope, deed.s)
                return LATER
        handled.replied_after_events = len(self.report.events)
        return Done(work.number, ctx.generation)

    # --- senders and blows ----------------------------------------------------------------------

    async def _send(self, sent: Sent) -> None:
        plan = sent.plan
        await trio.sleep_until(plan.at_s)
        ref = self._refs[plan.to]
        sent.deadline = trio.current_time() + plan.within_s
        work = work_of(plan)
        if plan.leave_s is not None:
            sent.leaves_at = trio.current_time() + plan.leave_s
        with trio.move_on_at(sent.leaves_at) as leaving:
            match plan.way:
                case "ask":
                    self._mark(sent)
                    sent.answers.append(await ref.ask(work, deadline=sent.deadline))
                case "stream":
                    await self._read(sent, ref, work)
                case "tell":
                    self._mark(sent)
                    await ref.tell(work)
                    sent.accepted = True
                case "cast":
                    self._mark(sent)
                    sent.accepted = ref.cast(work)
                case "place" | "place_cast":
                    await self._use_place(sent, ref, work)
        sent.ended_at, sent.end_moment = trio.current_time(), self._next_moment()
        if leaving.cancelled_caught:
            sent.left_at = sent.ended_at

    def _mark(self, sent: Sent) -> None:
        sent.order, sent.sent_at = self._next_moment(), trio.current_time()

    def _next_moment(self) -> int:
        self._moment += 1
        return self._moment

    async def _read(self, sent: Sent, ref: Ref, work: Work) -> None:
        self._mark(sent)
        with ref.ask_stream(work, deadline=sent.deadline, buffer=STREAM_ITEMS_MAX) as dialog:
            async for item in dialog:
                sent.items.append(item)
            sent.answers.append(await dialog.outcome())
            sent.answers.append(await dialog.outcome())

    async def _use_place(self, sent: Sent, ref: Ref, work: Work) -> None:
        place = ref.place()
        if place is None:
            return
        with place:
            await trio.sleep(2 * GRID_S)
            self._mark(sent)
            if sent.plan.way == "place":
                sent.answers.append(await place.ask(work, deadline=sent.deadline))
            else:
                place.cast(work)
                sent.accepted = True

    async def _strike(self, blow: Blow) -> None:
        await trio.sleep_until(blow.at_s)
        try:
            match blow.kind:
                case "crash":
                    self._tree.crash(blow.actor, Boom("a blow"))
                case "cancel":
                    self._tree.cancel_incarnation(blow.actor)
                case "remove":
                    self.report.removed.add(blow.actor)
                    await self._tree.remove(blow.actor, drain_s=0.5)
                case "add":
                    self._add(blow)
        except LookupError:
            return  # nobody is there to be struck at present

    def _add(self, blow: Blow) -> None:
        parents = [status.supervisor for status in self._tree.status() if status.id == blow.actor]
        if not parents:
            return  # it was removed, and so nobody can be put beside it
        name = f"added at {blow.at_s} {len(self.report.added)}"
        plan = ActorPlan(name=name, manner="requests", restart="temporary", on_exhausted="quarantine")
        self.report.added[name] = plan
        self._tree.add(parents[0], self._worker(plan))
