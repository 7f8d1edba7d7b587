"""Quarantine, escalation, nested supervisors and children that come and go."""

from __future__ import annotations

import pytest
import trio

from manus.supervisor.context import Context
from manus.supervisor.envelope import Envelope
from manus.supervisor.events import (
    ActorExited,
    ActorStarted,
    DeadLetter,
    Escalated,
    Quarantined,
    RestartScheduled,
    StartFailed,
    Wedged,
)
from manus.supervisor.reasons import Crashed
from manus.supervisor.shield import bounded_shield
from manus.supervisor.spec import Backoff, Intensity, SupervisorSpec
from manus.supervisor.spec_check import SpecError
from manus.supervisor.terminals import ActorFailed, Unavailable, Undelivered
from manus.supervisor.tree import RuntimeFailed, Tree
from tests.supervisor.rig import (
    BACKOFF_S,
    STEADY,
    Answers,
    Boom,
    Diary,
    echo,
    for_ever,
    in_s,
    running,
    serving,
    settle,
    worker,
)

TWICE = Intensity(max_restarts=2, period_s=60.0)


async def crash(tree: Tree, actor_id: str, times: int) -> None:
    """Crash an actor, each time as soon as it is up again."""
    for _ in range(times):
        tree.crash(actor_id, Boom())
        await trio.sleep(BACKOFF_S + 0.5)


# --- quarantine ---------------------------------------------------------------------------------


async def test_an_exhausted_actor_is_quarantined_and_answers_unavailable_at_once(autojump_clock: object) -> None:
    diary = Diary()
    spec = worker("a", serving(for_ever, places=1), intensity=TWICE, on_exhausted="quarantine", quarantine_s=30.0)
    async with running(spec, diary=diary) as tree, trio.open_nursery() as nursery:
        await crash(tree, "a", 2)
        answers = Answers(nursery)
        for message in ("in hand", "queued"):
            answers.ask(tree.ref("a"), message)
            await settle()
        place = tree.ref("a").place()
        assert place is not None
        began = trio.current_time()
        tree.crash("a", Boom())
        await settle()

        assert diary.one(Quarantined).rest_s == 30.0
        failed = answers.got["in hand"]
        assert isinstance(failed, ActorFailed)
        assert answers.got["queued"] == Unavailable(retry_after_s=30.0)
        assert answers.at["queued"] == began
        await trio.sleep(10)
        assert await tree.ref("a").ask("new", deadline=in_s(60)) == Unavailable(retry_after_s=20.0)
        assert await place.ask("booked", deadline=in_s(60)) == Unavailable(retry_after_s=20.0)
        assert not tree.ref("a").cast("note")
        assert diary.one(DeadLetter).why == "unavailable"
        assert tree.ref("a").place() is None
        assert tree.status()[0].state == "quarantined"


async def test_a_quarantined_actor_is_tried_again_and_serves_when_it_is_well(autojump_clock: object) -> None:
    diary = Diary()
    spec = worker("a", serving(echo), intensity=TWICE, on_exhausted="quarantine", quarantine_s=30.0)
    async with running(spec, diary=diary) as tree:
        await crash(tree, "a", 3)
        await trio.sleep(30)

        assert await tree.ref("a").ask("x", deadline=in_s(1)) == "x"
        assert [event.probation for event in diary.of(ActorStarted)] == [False, False, False, True]


async def test_an_actor_that_fails_on_probation_goes_back_at_once(autojump_clock: object) -> None:
    async def start(ctx: Context) -> None:
        if ctx.generation > 3:
            await trio.sleep(1)
            raise Boom
        ctx.started()
        await ctx.serve(echo)

    diary = Diary()
    spec = worker("a", start, intensity=TWICE, on_exhausted="quarantine", quarantine_s=30.0)
    async with running(spec, diary=diary) as tree:
        await crash(tree, "a", 3)
        await trio.sleep(29.5)
        # The probation incarnation is starting: the mailbox opens only when it is up.
        assert tree.status()[0].state == "starting"
        assert await tree.ref("a").ask("x", deadline=in_s(60)) == Unavailable(retry_after_s=0.0)
        await trio.sleep(1)

        assert len(diary.of(Quarantined)) == 2
        assert len(diary.of(StartFailed)) == 1


async def test_a_quarantined_actor_leaves_its_siblings_alone(autojump_clock: object) -> None:
    diary = Diary()
    specs = (
        worker("a", serving(echo), intensity=TWICE, on_exhausted="quarantine"),
        worker("b", serving(echo)),
    )
    async with running(*specs, diary=diary) as tree:
        await crash(tree, "a", 3)
        assert await tree.ref("b").ask("x", deadline=in_s(1)) == "x"
        assert {event.actor for event in diary.of(ActorExited)} == {"a"}


# --- escalation -----------------------------------------------------------------------------------


async def test_an_exhausted_actor_that_escalates_fails_the_tree_and_cancels_its_host(autojump_clock: object) -> None:
    diary = Diary()
    reached: list[str] = []

    async def host() -> None:
        specs = worker("a", serving(echo), intensity=TWICE), worker("b", serving(echo))
        async with running(*specs, diary=diary) as tree:
            await crash(tree, "a", 3)
            await trio.sleep(1_000)
            reached.append("never")

    with pytest.raises(RuntimeFailed, match="a could not be kept running: crashed: Boom") as raised:
        await host()

    assert isinstance(raised.value.reason, Crashed)
    assert diary.one(Escalated).child == "a"
    assert reached == []
    # 'b' was stopped in order.
    assert [event.actor for event in diary.of(ActorExited)] == ["a", "a", "a", "b"]


async def test_a_host_that_fails_because_its_tree_did_still_learns_why(autojump_clock: object) -> None:
    async def host() -> None:
        async with running(worker("a", serving(echo), intensity=Intensity(max_restarts=0))) as tree:
            tree.crash("a", Boom())
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("what the host made of it")

    with pytest.raises(RuntimeFailed) as raised:
        await host()
    assert isinstance(raised.value.__cause__, ValueError)


async def test_a_tree_that_cannot_start_fails_before_its_body_begins(autojump_clock: object) -> None:
    async def start(ctx: Context) -> None:
        raise Boom("no such file")

    async def host() -> None:
        async with running(worker("a", start, intensity=TWICE)):
            raise AssertionError("the body began")

    with pytest.raises(RuntimeFailed, match="did not start: Boom: no such file"):
        await host()
    assert trio.current_time() == 2 * BACKOFF_S


async def test_asks_under_way_end_when_the_tree_fails(autojump_clock: object) -> None:
    got: dict[str, object] = {}

    async def ask(tree: Tree) -> None:
        got["queued"] = await tree.ref("b").ask("x", deadline=in_s(1_000))

    async with trio.open_nursery() as nursery:

        async def host() -> None:
            specs = worker("a", serving(echo), intensity=Intensity(max_restarts=0)), worker("b", serving(for_ever))
            async with running(*specs) as tree:
                nursery.start_soon(ask, tree)
                await settle()
                tree.crash("a", Boom())
                await trio.sleep_forever()

        with pytest.raises(RuntimeFailed):
            await host()
    assert isinstance(got["queued"], ActorFailed)
    assert trio.current_time() == 0.0


# --- nested supervisors ---------------------------------------------------------------------------


def flock(*names: str, **settings: object) -> SupervisorSpec:
    children = tuple(worker(f"flock/{name}", serving(echo), intensity=TWICE) for name in names)
    return SupervisorSpec(id="flock", children=children, backoff=STEADY, **settings)  # type: ignore[arg-type]


async def test_a_nested_supervisor_starts_with_its_parent_and_keeps_its_own_children(autojump_clock: object) -> None:
    async with running(worker("first", serving(echo)), flock("a", "b")) as tree:
        assert [(each.id, each.supervisor, each.state) for each in tree.status()] == [
            ("first", "root", "running"),
            ("flock", "root", "running"),
            ("flock/a", "flock", "running"),
            ("flock/b", "flock", "running"),
        ]
        tree.crash("flock/a", Boom())
        await trio.sleep(BACKOFF_S + 0.5)
        assert await tree.ref("flock/a").ask("x", deadline=in_s(1)) == "x"


async def test_a_nested_supervisor_that_escalates_is_restarted_and_its_mailboxes_are_kept(
    autojump_clock: object,
) -> None:
    diary = Diary()
    async with running(flock("a", "b"), diary=diary) as tree, trio.open_nursery() as nursery:
        ref = tree.ref("flock/b")
        await crash(tree, "flock/a", 2)
        tree.crash("flock/a", Boom())
        await settle()
        answers = Answers(nursery)
        answers.ask(ref, "while it was down")
        await trio.sleep(BACKOFF_S + 0.5)

        assert diary.one(Escalated).actor == "flock"
        assert answers.got["while it was down"] == "while it was down"
        started = [(event.actor, event.generation) for event in diary.of(ActorStarted)]
        assert ("flock", 2) in started
        assert ("flock/b", 2) in started
        assert ("flock/a", 4) in started
        assert [event.actor for event in diary.of(RestartScheduled)][-1] == "flock"


async def test_a_nested_supervisor_stops_its_children_before_itself(autojump_clock: object) -> None:
    diary = Diary()
    async with running(worker("below", serving(echo)), flock("a", "b"), diary=diary) as tree:
        await tree.stop(drain_s=1, hard_s=1)
        assert [event.actor for event in diary.of(ActorExited)] == ["flock/b", "flock/a", "flock", "below"]
        assert await tree.ref("flock/a").ask("x", deadline=in_s(1)) == Undelivered(reason="stopping")


async def test_a_zombie_outlives_the_supervisor_it_was_started_by(autojump_clock: object) -> None:
    async def stuck(ctx: Context) -> None:
        ctx.started()
        if ctx.generation == 1:
            with bounded_shield(100):
                await trio.sleep(20)
        else:
            await ctx.serve(echo)

    child = worker("flock/a", stuck, shutdown_s=1.0, intensity=TWICE)
    nested = SupervisorSpec(id="flock", children=(child,), backoff=STEADY)
    diary = Diary()
    async with running(nested, diary=diary) as tree:
        tree.crash("flock/a", Boom())
        await trio.sleep(2 + BACKOFF_S + 0.5)
        assert diary.one(Wedged).actor == "flock/a"
        await crash(tree, "flock/a", 2)
        await trio.sleep(BACKOFF_S + 0.5)
        assert tree.status()[0].generation == 2
        assert tree.status()[1].zombies == 1

        await trio.sleep(20)

        assert tree.status()[1].zombies == 0
        assert await tree.ref("flock/a").ask("x", deadline=in_s(1)) == "x"


async def test_a_zombie_that_ends_while_its_supervisor_is_down_is_crossed_off_by_the_next(
    autojump_clock: object,
) -> None:
    async def stuck(ctx: Context) -> None:
        ctx.started()
        if ctx.generation == 1:
            with bounded_shield(100):
                await trio.sleep(7)
        else:
            await ctx.serve(echo)

    child = worker("flock/a", stuck, shutdown_s=1.0, intensity=TWICE)
    nested = SupervisorSpec(id="flock", children=(child,), backoff=Backoff(min_s=5, max_s=5, jitter=0))
    async with running(nested) as tree:
        tree.crash("flock/a", Boom())
        await trio.sleep(2 + BACKOFF_S + 0.5)
        await crash(tree, "flock/a", 2)
        await settle()
        assert (tree.status()[0].state, trio.current_time()) == ("backoff", 6.5)
        assert tree.status()[1].zombies == 1
        await trio.sleep(6)

        assert tree.status()[0].state == "running"
        assert tree.status()[1].zombies == 0


async def test_a_supervisor_that_does_not_end_is_given_up_with_all_beneath_it(autojump_clock: object) -> None:
    async def stuck(ctx: Context) -> None:
        ctx.started()
        if ctx.generation == 1:
            with bounded_shield(100):
                await trio.sleep(30)
        else:
            await ctx.serve(echo)

    async def remove() -> None:
        await tree.remove("flock/c", drain_s=0)
        removed.append(trio.current_time())

    removed: list[float] = []
    children = (
        worker("flock/a", stuck, shutdown_s=60.0),
        worker("flock/b", serving(for_ever), shutdown_s=60.0),
        worker("flock/c", stuck, shutdown_s=60.0),
    )
    nested = SupervisorSpec(id="flock", children=children, shutdown_s=2.0, backoff=STEADY)
    group = SupervisorSpec(id="group", strategy="one_for_all", children=(worker("x", serving(echo)), nested))
    diary = Diary()
    async with running(group, diary=diary) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        answers.ask(tree.ref("flock/b"), "in hand")
        await settle()
        nursery.start_soon(remove)
        await settle()
        tree.crash("x", Boom())
        await trio.sleep(2 + BACKOFF_S + 0.5)

        assert [event.actor for event in diary.of(Wedged)] == ["flock"]
        assert isinstance(answers.got["in hand"], ActorFailed)
        assert removed == [2.0]
        assert "flock/c" not in [each.id for each in tree.status()]
        assert await tree.ref("flock/a").ask("x", deadline=in_s(1)) == "x"
        await trio.sleep(30)
        assert {each.id: each.zombies for each in tree.status()} == dict.fromkeys(
            (each.id for each in tree.status()), 0
        )


@pytest.mark.parametrize(
    ("strategy", "restarted"),
    [("one_for_one", {"b"}), ("rest_for_one", {"b", "c"}), ("one_for_all", {"a", "b", "c"})],
)
async def test_a_strategy_decides_whom_a_crash_takes_along(
    autojump_clock: object, strategy: str, restarted: set[str]
) -> None:
    diary = Diary()
    group = SupervisorSpec(
        id="group",
        strategy=strategy,  # type: ignore[arg-type]
        children=tuple(worker(name, serving(for_ever)) for name in "abc"),
    )
    async with running(group, diary=diary) as tree, trio.open_nursery() as nursery:
        answers = Answers(nursery)
        for name in "abc":
            answers.ask(tree.ref(name), name)
        await settle()
        tree.crash("b", Boom())
        await trio.sleep(BACKOFF_S + 0.5)

        assert {event.actor for event in diary.of(ActorStarted) if event.generation == 2} == restarted
        assert set(answers.got) == restarted
        nursery.cancel_scope.cancel()


async def test_a_significant_child_ends_its_supervisor_when_it_ends(autojump_clock: object) -> None:
    finish = trio.Event()

    async def start(ctx: Context) -> None:
        ctx.started()
        await finish.wait()

    group = SupervisorSpec(
        id="group",
        restart="temporary",
        children=(worker("main", start, restart="temporary", significant=True), worker("side", serving(echo))),
    )
    diary = Diary()
    async with running(group, diary=diary) as tree:
        finish.set()
        await settle()
        assert [event.actor for event in diary.of(ActorExited)] == ["main", "side", "group"]
        assert await tree.ref("side").ask("x", deadline=in_s(1)) == Undelivered(reason="stopping")


async def test_mailboxes_open_again_when_a_supervisor_that_drained_them_is_restarted(autojump_clock: object) -> None:
    async def start(ctx: Context) -> None:
        ctx.started()
        if ctx.generation == 1:
            await trio.sleep(1)
        else:
            await trio.sleep_forever()

    group = SupervisorSpec(
        id="group",
        backoff=STEADY,
        children=(worker("side", serving(echo)), worker("main", start, restart="temporary", significant=True)),
    )
    async with running(group) as tree:
        await trio.sleep(1)
        await settle()
        assert await tree.ref("side").ask("x", deadline=in_s(10)) == "x"
        assert trio.current_time() == 1 + BACKOFF_S


# --- children that come and go --------------------------------------------------------------------


async def test_a_child_can_be_added_to_a_running_tree(autojump_clock: object) -> None:
    async with running(flock("a")) as tree:
        ref = tree.add("flock", worker("flock/new", serving(echo)))
        assert await ref.ask("x", deadline=in_s(1)) == "x"
        assert [each.id for each in tree.status()] == ["flock", "flock/a", "flock/new"]
        tree.crash("flock/new", Boom())
        await trio.sleep(BACKOFF_S + 0.5)
        assert await tree.ref("flock/new").ask("y", deadline=in_s(1)) == "y"


async def test_a_child_that_does_not_fit_is_refused_with_a_reason(autojump_clock: object) -> None:
    async with running(flock("a")) as tree:
        with pytest.raises(SpecError, match="flock/a: the id is used 2 times"):
            tree.add("flock", worker("flock/a", serving(echo)))
        with pytest.raises(LookupError, match="no supervisor 'nowhere'"):
            tree.add("nowhere", worker("b", serving(echo)))
        with pytest.raises(SpecError, match="uses 'nobody'"):
            tree.add("flock", worker("b", serving(echo), uses=("nobody",)))


async def test_a_removed_child_drains_and_is_forgotten(autojump_clock: object) -> None:
    async def handler(envelope: Envelope) -> object:
        await trio.sleep(2)
        return envelope.message

    async with running(worker("a", serving(handler)), worker("b", serving(echo))) as tree:
        async with trio.open_nursery() as nursery:
            answers = Answers(nursery)
            ref = tree.ref("a")
            answers.ask(ref, "in hand")
            await settle()
            await tree.remove("a")

            assert trio.current_time() == 2.0
        assert answers.got["in hand"] == "in hand"
        assert [each.id for each in tree.status()] == ["b"]
        assert await ref.ask("x", deadline=in_s(1)) == Undelivered(reason="stopping")
        with pytest.raises(LookupError):
            tree.ref("a")
        with pytest.raises(LookupError):
            await tree.remove("a")


async def test_a_name_can_be_used_again_after_its_removal(autojump_clock: object) -> None:
    async with running(worker("a", serving(echo))) as tree:
        await tree.remove("a")
        ref = tree.add("root", worker("a", serving(echo)))
        assert await ref.ask("x", deadline=in_s(1)) == "x"
        assert ref == tree.ref("a")


async def test_a_child_added_to_a_stopping_tree_never_starts_and_its_ref_says_so(autojump_clock: object) -> None:
    async with running(worker("a", serving(for_ever))) as tree, trio.open_nursery() as nursery:
        tree.ref("a").cast("keeps it up")

        async def stop() -> None:
            await tree.stop(drain_s=5, hard_s=1)

        nursery.start_soon(stop)
        await settle()
        ref = tree.add("root", worker("b", serving(echo)))
        assert await ref.ask("x", deadline=in_s(60)) == Undelivered(reason="stopping")
        assert [each.id for each in tree.status()] == ["a"]


async def test_nobody_crashes_what_is_not_running(autojump_clock: object) -> None:
    async with running(worker("a", serving(echo))) as tree:
        with pytest.raises(LookupError, match="'b' has no incarnation"):
            tree.crash("b", Boom())
        tree.crash("a", Boom())
        await settle()
        with pytest.raises(LookupError, match="'a' has no incarnation"):
            tree.cancel_incarnation("a")


async def test_a_removal_asked_of_a_stopped_tree_returns_at_once(autojump_clock: object) -> None:
    async with running(worker("a", serving(echo))) as tree:
        await tree.stop(drain_s=0, hard_s=1)
        await tree.remove("a")
        ref = tree.add("root", worker("b", serving(echo)))
        assert await ref.ask("x", deadline=in_s(60)) == Undelivered(reason="stopping")
        assert trio.current_time() == 0.0


async def test_a_removal_that_a_stop_overtakes_ends_with_it(autojump_clock: object) -> None:
    removed: list[float] = []

    async def remove(tree: Tree) -> None:
        await tree.remove("a")
        removed.append(trio.current_time())

    async with running(worker("a", serving(for_ever))) as tree, trio.open_nursery() as nursery:
        tree.ref("a").cast("keeps it up")
        nursery.start_soon(remove, tree)
        await trio.sleep(1)
        await tree.stop(drain_s=0, hard_s=1)
        await settle()
        assert removed == [1.0]


async def test_a_whole_supervisor_can_be_removed(autojump_clock: object) -> None:
    async with running(worker("stays", serving(echo)), flock("a", "b")) as tree:
        ref = tree.ref("flock/a")
        await tree.remove("flock")
        assert [each.id for each in tree.status()] == ["stays"]
        assert await ref.ask("x", deadline=in_s(1)) == Undelivered(reason="stopping")
