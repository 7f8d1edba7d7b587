"""One disturbance at every step of a request: whatever is struck and whenever, one end, true books, nothing left open.

The sweep lets `n` scheduler passes go by, then strikes, for n = 0, 1, 2, ... until the request is over before the blow.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from manus.messages.outcomes import Finished, Unfinished
from manus.messages.routing import RoutingMetrics, RoutingMetricsAsked
from manus.messages.routing_policy import HedgePolicy, RetryPolicy, RouterPolicy
from manus.sim.behaviour import Behaviour, Script
from manus.sim.faults import Cut, Fault, Rejected, Stall
from manus.supervisor.dialog import Dialog
from manus.supervisor.terminals import ActorFailed, Withdrawn
from tests.actors.rig import Rig, Upstreams, asked, open_rig, text_seen

TEXT = "one two three four five"
STEPS_MAX = 200

AT_ONCE = RouterPolicy(retry=RetryPolicy(same_deployment=0))
"""A back-off would wait for a clock that stands still while the sweep counts passes."""


RACED = RouterPolicy(
    retry=RetryPolicy(same_deployment=0),
    hedge=HedgePolicy(enabled=True, quantile=0.0, samples_min=1, delay_min_s=0.0, budget_ratio=1.0),
)
"""What takes any time is raced at once, so that both attempts run side by side at a clock that stands."""


class Blow(Exception):
    """What is injected."""


class Struck:
    """One run: a request, and the moment at which it is disturbed."""

    def __init__(self, rig: Rig, passes: int, *, after_s: float = 0.0) -> None:
        self.rig = rig
        self.passes = passes
        self.after_s = after_s
        self.was_over = False
        self.struck = False
        self.answer: object = None
        self.left = False
        self.scope = trio.CancelScope()
        self.dialog: Dialog | None = None

    async def run(self, *, stream: bool, mode: str, blow: Callable[[Struck], None]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._strike, blow)
            with self.scope:
                if stream:
                    await self._stream(mode)
                else:
                    self.answer = await self.rig.ask()
            self.left = self.scope.cancelled_caught
            self.was_over = True

    async def _stream(self, mode: str) -> None:
        request = asked(stream=True, on_interrupt=mode)
        events = []
        with self.rig.router.ask_stream(request, deadline=trio.current_time() + 60) as dialog:
            self.dialog = dialog
            async for item in dialog:
                assert isinstance(item, list)
                events.extend(item)
            self.answer = await dialog.outcome()
        if isinstance(self.answer, Finished):
            assert text_seen(events) == self.answer.answer.parts[0].text  # type: ignore[union-attr]

    async def _strike(self, blow: Callable[[Struck], None]) -> None:
        if self.after_s:
            await trio.sleep(self.after_s)
        for _ in range(self.passes):
            await trio.lowlevel.checkpoint()
        if not self.was_over:
            self.struck = True
            blow(self)


def leave(run: Struck) -> None:
    run.scope.cancel()


def cancel(run: Struck) -> None:
    if run.dialog is not None:
        run.dialog.cancel()


def crash(actor: str) -> Callable[[Struck], None]:
    def strike(run: Struck) -> None:
        run.rig.tree.crash(actor, Blow())

    return strike


BLOWS: dict[str, Callable[[Struck], None]] = {
    "the caller leaves": leave,
    "the caller cancels": cancel,
    "the provider crashes": crash("provider/a"),
    "the other provider crashes": crash("provider/b"),
    "the router crashes": crash("router"),
    "accounting crashes": crash("accounting"),
}

FAULTS: dict[str, Fault | None] = {
    "fair": None,
    "cut": Cut(where="body", after_chunks=2),
    "refused": Rejected(status=401),
}


SWEEPS = [
    (blow, fault, mode)
    for blow in BLOWS
    for fault in FAULTS
    for mode in ("whole", "auto", "restart")
    if not (mode == "whole" and blow == "the caller cancels")  # only a stream has a handle to cancel by
]


@pytest.mark.parametrize(("blow", "fault", "mode"), SWEEPS)
def test_blow_at_every_step_leaves_one_end_and_true_books(blow: str, fault: str, mode: str) -> None:
    kinds: set[str] = set()
    for passes in range(STEPS_MAX):
        run = _run(_sweep_once, passes, blow, fault, mode)
        kinds.add("left" if run.left else type(run.answer).__name__)
        if not run.struck:
            break
    else:
        pytest.fail("the request never ended before the blow")
    assert passes > 5
    assert "Finished" in kinds or fault == "cut"


@pytest.mark.parametrize(
    ("blow", "stream"),
    [(blow, stream) for blow in BLOWS for stream in (False, True) if stream or blow != "the caller cancels"],
)
async def test_blow_while_all_rest_leaves_one_end_and_true_books(
    blow: str, stream: bool, autojump_clock: object
) -> None:
    limited = Script(fault=Rejected(status=429, retry_after_s=4.0))
    first = Upstreams(Behaviour(script=Script(text=TEXT), first=(limited,)))
    second = Upstreams(Behaviour(script=Script(text=TEXT), first=(limited,)))
    async with open_rig(("a", first), ("b", second), policy=AT_ONCE) as rig:
        assert isinstance(await rig.ask(within_s=1.0), Unfinished)
        run = Struck(rig, 0, after_s=2.0)

        await run.run(stream=stream, mode="auto", blow=BLOWS[blow])
        assert run.struck
        _check_end(run, blow)
        harmless = blow not in ("the caller leaves", "the caller cancels", "the router crashes")
        assert isinstance(run.answer, Finished) == harmless
        await rig.check()
        await _check_places(rig)


RACES: dict[str, tuple[Fault | None, Fault | None]] = {
    "both well": (None, None),
    "first is silent": (Stall(where="first_token"), None),
    "first is cut": (Cut(where="headers"), None),
    "second is refused": (None, Rejected(status=500)),
    "winner may be cut": (Cut(where="body", after_chunks=1), Cut(where="body", after_chunks=2)),
}


RACE_SWEEPS = [
    (blow, race, stream)
    for blow in BLOWS
    for race in RACES
    for stream in (False, True)
    if stream or blow != "the caller cancels"  # only a stream has a handle to cancel by
]


@pytest.mark.parametrize(("blow", "race", "stream"), RACE_SWEEPS)
def test_blow_at_every_step_of_a_race_leaves_one_end_and_true_books(blow: str, race: str, stream: bool) -> None:
    kinds: set[str] = set()
    raced = False
    for passes in range(STEPS_MAX):
        run = trio.run(_race_once, passes, blow, race, stream, clock=trio.testing.MockClock(autojump_threshold=0.0))
        kinds.add("left" if run.left else type(run.answer).__name__)
        raced = raced or len(run.rig.rows()) > 2
        if not run.struck:
            break
    else:
        pytest.fail("the request never ended before the blow")
    assert raced
    assert passes > 5
    assert "Finished" in kinds


async def _race_once(passes: int, blow: str, race: str, stream: bool) -> Struck:
    faults = RACES[race]
    first = Upstreams(Behaviour(script=Script(text=TEXT, fault=faults[0]), first=(Script(text=TEXT),)))
    second, third = Upstreams(Script(text=TEXT, fault=faults[1])), Upstreams(Script(text=TEXT))
    async with open_rig(("a", first), ("b", second), ("c", third), policy=RACED) as rig:
        # What is usual has to be known before anything is slow.
        assert isinstance((await rig.stream())[1] if stream else await rig.generate(), Finished)
        run = Struck(rig, passes)

        await run.run(stream=stream, mode="auto", blow=BLOWS[blow])
        _check_end(run, blow)
        await rig.check()
        assert not [event for event in rig.events if type(event).__name__ == "RequestCrashed"]
        await _check_places(rig)
    return run


async def _check_places(rig: Rig) -> None:
    """Nothing runs, as far as the router and health know."""
    metrics = await rig.router.ask(RoutingMetricsAsked(), deadline=trio.current_time() + 5)
    assert isinstance(metrics, RoutingMetrics)
    assert metrics.in_flight == 0
    assert all(each.in_flight == 0 for each in metrics.deployments)


async def _sweep_once(passes: int, blow: str, fault: str, mode: str) -> Struck:
    first = Upstreams(Script(text=TEXT, fault=FAULTS[fault]))
    async with open_rig(("a", first), ("b", Upstreams(Script(text=TEXT))), policy=AT_ONCE) as rig:
        run = Struck(rig, passes)

        await run.run(stream=mode != "whole", mode="auto" if mode == "whole" else mode, blow=BLOWS[blow])
        _check_end(run, blow)
        await rig.check()
        assert not [event for event in rig.events if type(event).__name__ == "RequestCrashed"]
        await _check_places(rig)
    return run


def _check_end(run: Struck, blow: str) -> None:
    if run.left:
        assert blow == "the caller leaves"
        return
    match run.answer:
        case Finished(durable=durable):
            assert durable
        case Unfinished(failure=failure, partial=partial):
            if failure.kind == "cancelled":
                assert blow == "the caller cancels"
            assert partial is None or partial.finish.reason in ("incomplete", "cancelled")
        case ActorFailed(kind=kind):
            assert (blow, kind) == ("the router crashes", "actor_crashed")
        case Withdrawn():
            # Taken back before the router had begun.
            assert blow == "the caller cancels"
        case other:
            pytest.fail(f"an end that nobody should see: {other}")


def _run(sweep: Callable[..., Awaitable[Struck]], *arguments: object) -> Struck:
    return trio.run(sweep, *arguments, clock=trio.testing.MockClock(autojump_threshold=0.0))
