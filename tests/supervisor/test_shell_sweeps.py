"""Cancel and crash at every single step: no message is lost, no dialog has two ends or none, nothing stays behind."""

from __future__ import annotations

import pytest
import trio

from manus.supervisor.context import Context
from manus.supervisor.dialog import Dialog
from manus.supervisor.envelope import Envelope
from manus.supervisor.ref import Ref
from manus.supervisor.spec import Intensity, MailboxSpec
from manus.supervisor.terminals import ActorFailed, Withdrawn
from manus.supervisor.tree import Tree
from tests.supervisor.rig import BACKOFF_S, Boom, Diary, in_s, running, serving, settle, taking_turns, worker
from tests.supervisor.steps import Strike, strike_at_each_step

FRAIL = Intensity(max_restarts=20, period_s=600.0)


async def work(envelope: Envelope) -> object:
    await trio.sleep(0.05)
    await trio.lowlevel.checkpoint()
    return ("done", envelope.message)


async def by_loop(ctx: Context) -> None:
    inbox = ctx.inbox
    ctx.started()
    while True:
        try:
            envelope = await inbox.receive()
        except trio.EndOfChannel:
            return
        envelope.reply(await work(envelope))


def now(envelope: Envelope) -> object:
    return ("done", envelope.message)


ACTORS = {
    "requests": serving(work),
    "one place": serving(work, places=1),
    "turns": taking_turns(now),
    "own loop": by_loop,
}


def nothing_left(tree: Tree) -> None:
    status = tree.status()[0]
    assert (status.in_hand, status.queued, status.blocked) == (0, 0, 0), status
    assert len(tree._ground.commons.deadlines) == 0


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("is_down", [False, True])
def test_an_asker_cancelled_at_any_step_leaves_nothing_behind(actor: str, is_down: bool) -> None:
    async def scenario(strike: Strike) -> None:
        async def ask() -> None:
            with scope:
                for number in range(2):
                    answers.append(await tree.ref("a").ask(number, deadline=in_s(60)))

        scope, answers = trio.CancelScope(), list[object]()
        async with running(worker("a", ACTORS[actor])) as tree:
            if is_down:
                tree.crash("a", Boom())
            strike.blow = scope.cancel
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask, name="asker")
            await trio.sleep(BACKOFF_S + 1)

            assert answers == [("done", number) for number in range(len(answers))]
            assert len(answers) == 2 or scope.cancelled_caught
            nothing_left(tree)
            assert await tree.ref("a").ask("next", deadline=in_s(5)) == ("done", "next")

    # An idle actor's turns take no step: there is nothing to strike between.
    assert strike_at_each_step(scenario, "asker") >= (1 if actor == "turns" else 2)


def test_a_teller_cancelled_at_any_step_has_sent_all_or_nothing() -> None:
    async def scenario(strike: Strike) -> None:
        async def tell() -> None:
            with scope:
                for number in range(4):
                    await tree.ref("a").tell(number)
                    told.append(number)

        async def handler(envelope: Envelope) -> object:
            await trio.sleep(0.05)
            handled.append(envelope.message)
            return None

        scope, told, handled = trio.CancelScope(), list[object](), list[object]()
        spec = worker("a", serving(handler, places=1), mailbox=MailboxSpec(capacity=1))
        async with running(spec) as tree:
            strike.blow = scope.cancel
            async with trio.open_nursery() as nursery:
                nursery.start_soon(tell, name="teller")
            await trio.sleep(1)

            assert handled == told
            nothing_left(tree)

    assert strike_at_each_step(scenario, "teller") >= 3


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("blow", ["crash", "cancel"])
def test_an_actor_struck_at_any_step_loses_no_message(actor: str, blow: str) -> None:
    """Each ask has exactly one end, at once for what was in hand; what was queued is served by the next incarnation."""

    async def scenario(strike: Strike) -> None:
        async def ask(number: int) -> None:
            answer = await tree.ref("a").ask(number, deadline=in_s(30))
            assert number not in answers
            answers[number] = answer

        def strike_actor() -> None:
            # The present incarnation may have got the news of its end already.
            if blow == "crash":
                tree._incarnation("a").crash(Boom())
            else:
                tree._incarnation("a").cancel("sweep")

        answers: dict[int, object] = {}
        async with running(worker("a", ACTORS[actor], intensity=FRAIL)) as tree:
            strike.blow = strike_actor
            async with trio.open_nursery() as nursery:
                for number in range(4):
                    nursery.start_soon(ask, number, name="asker")
                    if number == 1:
                        await trio.lowlevel.checkpoint()
                    if number == 2:
                        await trio.sleep(0.05)
            for number, answer in answers.items():
                assert isinstance(answer, ActorFailed) or answer == ("done", number)
            assert len(answers) == 4
            assert trio.current_time() <= BACKOFF_S + 1
            nothing_left(tree)
            strike.blow = None

    steps = strike_at_each_step(scenario, "a#", "request of a#", "control of a#", "sentinel of a#", "asker")
    assert steps >= 4


@pytest.mark.parametrize("buffer", [1, 3])
def test_a_reader_cancelled_at_any_step_frees_its_writer(buffer: int) -> None:
    async def scenario(strike: Strike) -> None:
        async def handler(envelope: Envelope) -> object:
            for number in range(6):
                while not envelope.sink.push(number):
                    await envelope.sink.wait_room()
                    if envelope.sink.closed:
                        return "left"
            await trio.sleep(0.05)
            return "all said"

        async def read() -> None:
            with scope, tree.ref("a").ask_stream("go", deadline=in_s(30), buffer=buffer) as dialog:
                dialogs.append(dialog)
                async for item in dialog:
                    items.append(item)
                assert await dialog.outcome() == "all said"

        scope, items, dialogs = trio.CancelScope(), list[object](), list[Dialog]()
        async with running(worker("a", serving(handler))) as tree:
            strike.blow = scope.cancel
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read, name="reader")
            await trio.sleep(1)

            assert items == list(range(len(items)))
            assert await dialogs[0].outcome() in ("all said", "left", Withdrawn())
            nothing_left(tree)

    assert strike_at_each_step(scenario, "reader") >= 3


def test_a_place_used_by_an_asker_cancelled_at_any_step_is_still_used() -> None:
    async def scenario(strike: Strike) -> None:
        async def settle_books() -> None:
            with scope:
                place = tree.ref("a").place()
                assert place is not None
                with place:
                    await trio.lowlevel.checkpoint()
                    await place.ask("settle", deadline=in_s(30))
                    used.append(True)

        def handler(envelope: Envelope) -> object:
            handled.append(envelope.message)
            return "booked"

        scope, used, handled = trio.CancelScope(), list[bool](), list[object]()
        async with running(worker("a", taking_turns(handler))) as tree:
            tree.crash("a", Boom())
            strike.blow = scope.cancel
            async with trio.open_nursery() as nursery:
                nursery.start_soon(settle_books, name="bookkeeper")
            await trio.sleep(BACKOFF_S + 1)

            # Before the ask the place is freed, from the ask on the message arrives.
            assert handled in (["settle"], [])
            assert len(handled) >= len(used)
            assert tree._ground.slots["a"].booked == 0
            nothing_left(tree)

    assert strike_at_each_step(scenario, "bookkeeper") >= 2


def test_a_host_cancelled_at_any_step_leaves_no_task_and_no_ask_behind() -> None:
    async def scenario(strike: Strike) -> None:
        async def host() -> None:
            with scope:
                specs = worker("a", serving(work)), worker("b", ACTORS["own loop"])
                async with running(*specs, diary=diary, drain_s=5.0) as tree:
                    refs.extend(tree.ref(name) for name in "ab")
                    assert await refs[0].ask(1, deadline=in_s(5)) == ("done", 1)
                    assert await refs[1].ask(2, deadline=in_s(5)) == ("done", 2)

        scope, refs, diary = trio.CancelScope(), list[Ref](), Diary()
        strike.blow = scope.cancel
        before = trio.lowlevel.current_statistics().tasks_living
        async with trio.open_nursery() as nursery:
            nursery.start_soon(host, name="host of the tree")
        assert trio.lowlevel.current_statistics().tasks_living == before
        assert trio.current_time() < 1.0

    assert strike_at_each_step(scenario, "host of the tree") >= 5


def test_a_supervisor_survives_a_crash_of_its_child_at_any_of_its_own_steps() -> None:
    """The news of a crash comes while the supervisor is busy with something else."""

    async def scenario(strike: Strike) -> None:
        def crash() -> None:
            incarnation = tree._root.incarnations.get("b")
            if incarnation is not None:
                incarnation.crash(Boom())

        specs = worker("a", serving(work), intensity=FRAIL), worker("b", serving(work), intensity=FRAIL)
        async with running(*specs) as tree:
            strike.blow = crash
            tree.crash("a", Boom())
            await trio.sleep(BACKOFF_S + 0.5)
            ref = tree.add("root", worker("c", serving(work)))
            await settle()
            assert await ref.ask(1, deadline=in_s(5)) == ("done", 1)
            await tree.remove("c")
            await trio.sleep(BACKOFF_S + 0.5)
            for name in "ab":
                assert await tree.ref(name).ask(2, deadline=in_s(5)) == ("done", 2)
            strike.blow = None

    assert strike_at_each_step(scenario, "host of root") >= 5
