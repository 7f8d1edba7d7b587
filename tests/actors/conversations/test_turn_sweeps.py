"""One disturbance at every step of two turns of a conversation: each has one end, and the history is what was told.

Whatever is struck and whenever: an exchange is in the history exactly if its caller was given the answer, in memory and
on the disk alike, and the conversation goes on.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
import trio
import trio.testing

from manus.actors.conversations.shelf import Shelf
from manus.actors.conversations.store import MemoryStore
from manus.messages.conversations import DeleteConversation
from manus.messages.outcomes import Finished, Unfinished
from manus.messages.routing_policy import RetryPolicy, RouterPolicy
from manus.sim.behaviour import Script
from manus.sim.faults import Cut, Fault
from manus.supervisor.dialog import Dialog
from manus.supervisor.ref import Question
from manus.supervisor.terminals import ActorFailed, Withdrawn
from tests.actors.conversations.disk import SlowDisk
from tests.actors.conversations.talk import memory_of, texts_of, turn_asked
from tests.actors.rig import Rig, Upstreams, open_rig

TEXT = "one two three"
STEPS_MAX = 250

AT_ONCE = RouterPolicy(retry=RetryPolicy(same_deployment=0))
"""A back-off would wait for a clock that stands still while the sweep counts passes."""


class Blow(Exception):
    """What is injected."""


class Run:
    """A turn that is disturbed, and one that waits behind it."""

    def __init__(self, rig: Rig, disk: SlowDisk | None) -> None:
        self.rig = rig
        self.disk = disk
        self.conversations = rig.tree.ref("conversations")
        self.first: Dialog
        self.second: Question
        self.left = False
        self.struck = False
        self.deleted = False

    @property
    def shelf(self) -> Shelf:
        shelf = self.rig.tree._ground.slots["conversations"].cell
        assert isinstance(shelf, Shelf)
        return shelf

    def said(self) -> list[str]:
        history = self.shelf.get("c")
        return [] if history is None else [texts_of(exchange)[0] for exchange in history.exchanges]


def leave(run: Run) -> None:
    run.first.close()
    run.left = True


def cancel(run: Run) -> None:
    run.first.cancel()


def delete(run: Run) -> None:
    run.conversations.put(DeleteConversation(conversation_id="c"), deadline=trio.current_time() + 60)
    run.deleted = True


def crash(actor: str) -> Callable[[Run], None]:
    def strike(run: Run) -> None:
        run.rig.tree.crash(actor, Blow())

    return strike


BLOWS: dict[str, Callable[[Run], None]] = {
    "the caller leaves": leave,
    "the caller cancels": cancel,
    "somebody deletes": delete,
    "the actor crashes": crash("conversations"),
    "the router crashes": crash("router"),
    "the provider crashes": crash("provider/a"),
}

FAULTS: dict[str, Fault | None] = {"fair": None, "cut": Cut(where="body", after_chunks=1)}


SWEEPS = [
    pytest.param(fault, passes, marks=() if fault == "fair" and passes != 0 else pytest.mark.long)
    for fault in FAULTS
    for passes in (None, 0, 3)
]
"""In the long lane those that differ little from the others."""


@pytest.mark.parametrize(("fault", "passes_of_disk"), SWEEPS)
@pytest.mark.parametrize("blow", BLOWS)
def test_blow_at_every_step_leaves_the_history_that_was_told(blow: str, fault: str, passes_of_disk: int | None) -> None:
    kinds: set[str] = set()
    for passes in range(STEPS_MAX):
        clock = trio.testing.MockClock(autojump_threshold=0.0)
        run = trio.run(_once, passes, blow, fault, passes_of_disk, clock=clock)
        kinds.add(type(run.first._envelope.answer).__name__)
        if not run.struck:
            break
    else:
        pytest.fail("the turns never ended before the blow")
    assert passes > 10
    assert "Finished" in kinds or fault == "cut"
    assert len(kinds) > 1 or fault == "cut" or blow == "the provider crashes", "the blow never told"


async def _once(passes: int, blow: str, fault: str, passes_of_disk: int | None) -> Run:
    way = Upstreams(Script(text=TEXT))
    async with trio.open_nursery() as nursery:
        disk = None if passes_of_disk is None else SlowDisk(passes_of_disk)
        if disk is not None:
            nursery.start_soon(disk.work)
        async with open_rig(("a", way), policy=AT_ONCE) as rig:
            rig.tree.add("root", memory_of(store=disk or MemoryStore()))
            run = Run(rig, disk)
            deadline = trio.current_time() + 60
            before = await run.conversations.ask(turn_asked("before"), deadline=deadline)
            assert isinstance(before, Finished)
            way.sim.behave(Script(text=TEXT, fault=FAULTS[fault]))
            await _struck(run, passes, blow, deadline)
            way.sim.behave(Script(text=TEXT))
            await _check(run, blow)
        nursery.cancel_scope.cancel()
    return run


async def _struck(run: Run, passes: int, blow: str, deadline: float) -> None:
    async def strike() -> None:
        for _ in range(passes):
            await trio.lowlevel.checkpoint()
        if not run.second.answered:
            run.struck = True
            BLOWS[blow](run)

    run.first = run.conversations.ask_stream(turn_asked("first", stream=True), deadline=deadline)
    run.second = run.conversations.put(turn_asked("second"), deadline=deadline)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(strike)
        await run.first.outcome()
        await run.second.answer()


async def _check(run: Run, blow: str) -> None:
    first, second = run.first._envelope.answer, await run.second.answer()
    _check_end(first, blow, left=run.left)
    _check_end(second, blow, left=False)
    await run.rig.settled()
    told = ["before"]
    told += [text for text, end in (("first", first), ("second", second)) if isinstance(end, Finished)]
    if run.deleted:
        assert run.said() in ([], told[2:]), "all that was before the deletion is gone"
    else:
        assert run.said() == told
    _check_disk(run)
    following = await run.conversations.ask(turn_asked("after"), deadline=trio.current_time() + 60)
    assert isinstance(following, Finished)
    assert run.said()[-1] == "after"
    assert not [event for event in run.rig.events if type(event).__name__ == "RequestCrashed"]
    await run.rig.check()
    _check_disk(run)


def _check_end(end: object, blow: str, *, left: bool) -> None:
    match end:
        case Finished(durable=durable, answer=answer):
            assert durable
            assert answer.warnings == () or blow == "somebody deletes"
        case Unfinished(failure=failure):
            assert failure.kind != "cancelled" or blow in ("the caller cancels", "somebody deletes")
        case ActorFailed(kind=kind):
            assert kind == "actor_crashed"
            assert blow in ("the actor crashes", "the router crashes")
        case Withdrawn():
            assert left or blow == "the caller cancels"
        case other:
            pytest.fail(f"an end that nobody should see: {other}")


def _check_disk(run: Run) -> None:
    """The disk has what memory has, to the byte."""
    if run.disk is None:
        return
    history = run.shelf.get("c")
    kept = run.disk.image.get("c")
    if history is None:
        assert kept is None
        return
    assert kept is not None
    bodies = [msgspec.json.encode(exchange) for exchange in history.exchanges]
    assert kept == (history.system, dict(enumerate(bodies, start=history.first)))
    assert history.sizes == tuple(map(len, bodies))
    assert run.shelf.on_disk("c")
