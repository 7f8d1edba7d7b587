"""Own one supervisor at run time: it tells its core what happens, and does what the core says.

All decisions are the core's. The shell is one task that takes inputs one by one and executes the actions of each
synchronously; it never waits for a child. Incarnations run in a nursery of the tree, not in one of their supervisor,
so that one which ignores its cancellation holds up nobody.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias, assert_never, final

import msgspec
import trio

from manus.supervisor import events, protocol
from manus.supervisor.child import UNWIND_S, Carried
from manus.supervisor.control import DrainNow
from manus.supervisor.core import SupervisorCore
from manus.supervisor.ground import Ground
from manus.supervisor.liveness import watch
from manus.supervisor.protocol import Action, Input
from manus.supervisor.reasons import Crashed, ExitReason, Hung, InitFailed, Normal, Shutdown, Wedged
from manus.supervisor.runner import Incarnation
from manus.supervisor.spec import AnySpec, ChildSpec, Liveness, SupervisorSpec
from manus.supervisor.wake import WakeSlot

Request: TypeAlias = protocol.AddRequested | protocol.RemoveRequested
Purpose: TypeAlias = Literal["core", "unwinding"]
Timer: TypeAlias = tuple[float, int, Callable[[], None]]


@final
class Shell:
    """One supervisor. `on_ready` and `on_exit` tell whoever started it; `on_exit` comes exactly once, last."""

    def __init__(
        self,
        ground: Ground,
        spec: SupervisorSpec,
        *,
        on_ready: Callable[[], None],
        on_exit: Callable[[ExitReason], None],
        carried: Mapping[str, Carried] | None = None,
    ) -> None:
        self.spec = spec
        self.core = SupervisorCore(spec, rng=ground.rng(spec.id), carried=carried)
        self.has_exited = False
        self.incarnations: dict[str, Incarnation] = {}
        self._ground = ground
        self._on_ready = on_ready
        self._on_exit = on_exit
        self._inputs: deque[Input] = deque([protocol.StartRequested()])
        self._wake = WakeSlot()
        # At most one of each purpose per child, so the number of timers is bounded.
        self._timers: dict[tuple[str, Purpose], Timer] = {}
        self._timers_set = 0
        self._removals: dict[str, trio.Event] = {}
        # Children whose addition the core has yet to hear of.
        self._adding: dict[str, None] = {}
        former = ground.shells.get(spec.id)
        if former is not None:
            # The ends of fenced incarnations that came after the former supervisor's own end.
            self._inputs.extend(former._inputs)
        ground.shells[spec.id] = self

    # --- its task -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Supervise until the core says `Exit`."""
        while not self.has_exited:
            if self._inputs:
                self._handle(self._inputs.popleft())
                continue
            due = min(self._timers, key=lambda key: self._timers[key][:2], default=None)
            if due is not None and self._timers[due][0] <= trio.current_time():
                _, _, call = self._timers.pop(due)
                call()
                continue
            with trio.CancelScope() as sleep:
                if due is not None:
                    sleep.deadline = self._timers[due][0]
                await self._wake.wait()

    def post(self, event: Input) -> None:
        """Give the core something to handle. Synchronous, from any task of the loop.

        The queue needs no bound of its own: each incarnation, timer and request puts in a bounded number. After the
        exit requests are refused at once, and the ends of fenced incarnations are kept for a successor.
        """
        if self.has_exited and isinstance(event, Request):
            self._handle(event)
            return
        self._inputs.append(event)
        self._wake.wake()

    def add(self, spec: AnySpec) -> None:
        """Have a child added and started; the ground has admitted it already."""
        self._adding[spec.id] = None
        self.post(protocol.AddRequested(spec=spec))

    async def remove(self, child_id: str, drain_until: float) -> None:
        """Have a child ended and forgotten; wait until it is, or until that was refused."""
        over = self._removals.setdefault(child_id, trio.Event())
        self.post(protocol.RemoveRequested(id=child_id, drain_until=drain_until))
        await over.wait()

    def fence_all(self) -> None:
        """Fence everything beneath this supervisor, and end: its own parent has given it up."""
        if self.has_exited:
            return
        for child in self.core.status():
            self._fence(child.id)
            self._answer_in_hand(child.id, child.generation, Wedged(waited_s=0.0))
        for child_id, carried in self.core.carry().items():
            if carried.removed:
                # Its removal was under way; no successor will start it, so nobody else would forget it.
                self._withdraw(child_id)
        self._wake.wake()
        self._leave(Wedged(waited_s=0.0))

    # --- the actions --------------------------------------------------------------------------------

    def _handle(self, event: Input) -> None:
        for action in self.core.handle(event, trio.current_time()):
            self._execute(action)
        if isinstance(event, protocol.AddRequested):
            del self._adding[event.spec.id]

    def _execute(self, action: Action) -> None:
        ground = self._ground
        match action:
            case protocol.Start():
                self._start(action)
            case protocol.Drain():
                self._drain(action)
            case protocol.Cancel():
                self._cancel(action)
            case protocol.Fence(id=child_id):
                self._fence(child_id)
            case protocol.AnswerInHand(id=child_id, generation=generation, reason=reason):
                self._answer_in_hand(child_id, generation, reason)
            case protocol.ScheduleAt(at=at, id=child_id, timer=timer):
                self._schedule(at, (child_id, "core"), lambda: self._handle(protocol.Tick(id=child_id, timer=timer)))
            case protocol.Quarantine(id=child_id, until=until):
                for slot in ground.slots_beneath(child_id):
                    slot.quarantine(until)
            case protocol.Readmit(id=child_id):
                for slot in ground.slots_to_readmit(child_id):
                    slot.readmit()
            case protocol.Retire(id=child_id, why=why):
                for slot in ground.slots_beneath(child_id):
                    slot.retire(why)
            case protocol.Forget(id=child_id):
                ground.forget(child_id)
                self.incarnations.pop(child_id, None)
                self._removal_over(child_id)
            case protocol.Refuse(id=child_id):
                self._refused(child_id)
            case protocol.Ready():
                self._on_ready()
            case protocol.Escalate():
                pass  # said in the event and in the reason of the exit that follows
            case protocol.Exit(reason=reason):
                self._leave(reason)
            case protocol.Emit(event=event):
                ground.commons.bus.emit(self._with_stack(event))
            case _:
                assert_never(action)

    def _start(self, action: protocol.Start) -> None:
        ground, child_id, generation = self._ground, action.id, action.generation

        def has_started() -> None:
            self.post(protocol.ChildStarted(id=child_id, generation=generation))

        def has_exited(reason: ExitReason) -> None:
            # To whoever is this supervisor by then: a fenced incarnation may outlive several.
            supervisor = ground.shells.get(self.spec.id, self)
            supervisor.post(protocol.ChildExited(id=child_id, generation=generation, reason=reason))

        match ground.specs[child_id]:
            case ChildSpec() as spec:
                self._start_worker(spec, generation, has_started, has_exited)
            case SupervisorSpec() as spec:
                former = ground.shells.get(child_id)
                carried = None if former is None else former.core.carry()
                shell = Shell(ground, spec, on_ready=has_started, on_exit=has_exited, carried=carried)
                ground.nursery.start_soon(shell.run, name=f"{child_id}#{generation}")
            case other:
                assert_never(other)

    def _start_worker(
        self,
        spec: ChildSpec,
        generation: int,
        has_started: Callable[[], None],
        has_exited: Callable[[ExitReason], None],
    ) -> None:
        watched = trio.CancelScope()

        def on_started() -> None:
            has_started()
            if spec.liveness is not None:
                name = f"liveness of {spec.id}#{generation}"
                self._ground.nursery.start_soon(self._look_after, incarnation, spec.liveness, watched, name=name)

        def on_unwinding() -> None:
            at = trio.current_time() + max(spec.shutdown_s, UNWIND_S)
            self._schedule(at, (spec.id, "unwinding"), lambda: self._does_not_come_to_an_end(incarnation))

        def on_exit(reason: ExitReason) -> None:
            watched.cancel(reason="it is gone")
            if self.incarnations.get(spec.id) is incarnation:
                self._timers.pop((spec.id, "unwinding"), None)
            has_exited(reason)

        incarnation = Incarnation(
            self._ground.slots[spec.id],
            spec,
            generation,
            find_ref=self._ground.find_ref,
            on_started=on_started,
            on_unwinding=on_unwinding,
            on_exit=on_exit,
        )
        self.incarnations[spec.id] = incarnation
        self._ground.nursery.start_soon(incarnation.run, name=f"{spec.id}#{generation}")

    def _drain(self, action: protocol.Drain) -> None:
        incarnation = self.incarnations.get(action.id)
        if incarnation is None:
            stop = protocol.StopRequested(by=action.by, drain_until=action.until, hard_until=action.hard_until)
            self._ground.shells[action.id].post(stop)
            return
        self._ground.slots[action.id].drain()
        # A control lane that is full is that of a hung actor; it will be cancelled when its time is up.
        incarnation.order(DrainNow())

    def _cancel(self, action: protocol.Cancel) -> None:
        incarnation = self.incarnations.get(action.id)
        if incarnation is None:
            stop = protocol.StopRequested(by=action.by, hard_until=action.hard_until, retire=action.retire)
            self._ground.shells[action.id].post(stop)
            return
        incarnation.cancel(action.by)

    def _fence(self, child_id: str) -> None:
        incarnation = self.incarnations.get(child_id)
        if incarnation is None:
            self._ground.shells[child_id].fence_all()
            return
        incarnation.fence()
        self._ground.fenced = [each for each in self._ground.fenced if not each.gone] + [incarnation]

    def _answer_in_hand(self, child_id: str, generation: int, reason: ExitReason) -> None:
        self._ground.exits[child_id] = (reason, trio.current_time())
        slot = self._ground.slots.get(child_id)
        if slot is not None:
            slot.answer_in_hand(generation, _kind_of(reason), "")
            slot.incarnation_ended()

    def _refused(self, child_id: str) -> None:
        if child_id in self._adding:
            self._withdraw(child_id)
        self._removal_over(child_id)

    def _withdraw(self, child_id: str) -> None:
        for slot in self._ground.slots_beneath(child_id):
            slot.retire("stopping")
        self._ground.forget(child_id)

    def _leave(self, reason: ExitReason) -> None:
        self.has_exited = True
        late = [event for event in self._inputs if isinstance(event, Request)]
        self._inputs = deque(event for event in self._inputs if not isinstance(event, Request))
        self._on_exit(reason)
        for event in late:
            self._handle(event)
        for child_id in list(self._removals):
            self._removal_over(child_id)

    # --- liveness -------------------------------------------------------------------------------

    async def _look_after(self, incarnation: Incarnation, liveness: Liveness, watched: trio.CancelScope) -> None:
        with watched:
            await watch(incarnation, liveness, lambda verdict: self._hangs(incarnation, verdict))

    def _does_not_come_to_an_end(self, incarnation: Incarnation) -> None:
        """Judge an incarnation that fell, and has not hit the ground in the time a cancelled one would get."""
        verdict = Hung(kind="ping", busy_s=incarnation.spec.shutdown_s, stack=incarnation.stack())
        self._hangs(incarnation, verdict)

    def _hangs(self, incarnation: Incarnation, verdict: Hung) -> None:
        child_id, generation = incarnation.slot.id, incarnation.generation
        if self.incarnations.get(child_id) is incarnation and not incarnation.gone:
            incarnation.hung = verdict
            self.post(protocol.ChildHung(id=child_id, generation=generation, reason=verdict))

    # --- inside ---------------------------------------------------------------------------------

    def _schedule(self, at: float, key: tuple[str, Purpose], call: Callable[[], None]) -> None:
        self._timers_set += 1
        self._timers[key] = (at, self._timers_set, call)
        self._wake.wake()

    def _removal_over(self, child_id: str) -> None:
        waiting = self._removals.pop(child_id, None)
        if waiting is not None:
            waiting.set()

    def _with_stack(self, event: events.SupervisionEvent) -> events.SupervisionEvent:
        """Add to the news of a wedged incarnation what only the shell can see: where it is stuck."""
        match event:
            case events.Wedged():
                return msgspec.structs.replace(event, stack=self._stack_of(event))
            case events.ActorExited(reason=Wedged() as reason) | events.StartFailed(reason=Wedged() as reason):
                reason = msgspec.structs.replace(reason, stack=self._stack_of(event))
                return msgspec.structs.replace(event, reason=reason)
            case _:
                return event

    def _stack_of(self, event: events.SupervisionEvent) -> str:
        incarnation = self.incarnations.get(event.actor)
        return "" if incarnation is None or incarnation.generation != event.generation else incarnation.stack()


def _kind_of(reason: ExitReason) -> Literal["actor_crashed", "actor_hung", "actor_wedged", "stopped"]:
    match reason:
        case Normal() | Shutdown():
            return "stopped"
        case Crashed() | InitFailed():
            return "actor_crashed"
        case Hung():
            return "actor_hung"
        case Wedged():
            return "actor_wedged"
        case _:
            assert_never(reason)
