"""Rests within rests: a supervisor that comes back opens the mailboxes beneath it, except of those that still rest."""

from __future__ import annotations

import trio

from manus.supervisor.context import Context
from manus.supervisor.events import ActorStarted, Quarantined, Wedged
from manus.supervisor.shield import bounded_shield
from manus.supervisor.spec import Intensity, SupervisorSpec
from manus.supervisor.terminals import Unavailable
from tests.supervisor.rig import STEADY, Boom, Diary, echo, in_s, running, serving, settle, worker

NEVER = Intensity(max_restarts=0, period_s=60.0)
GROUP_REST_S = 10.0
CHILD_REST_S = 100.0


async def fails_to_start(ctx: Context) -> None:
    raise Boom


async def fails_to_start_once(ctx: Context) -> None:
    if ctx.generation == 1:
        raise Boom
    ctx.started()
    await ctx.serve(echo)


async def test_a_child_that_rests_goes_on_resting_when_the_supervisor_above_it_is_well_again(
    autojump_clock: object,
) -> None:
    diary = Diary()
    group = SupervisorSpec(
        id="group",
        backoff=STEADY,
        intensity=NEVER,
        on_exhausted="quarantine",
        quarantine_s=GROUP_REST_S,
        children=(
            worker("group/a", fails_to_start_once, intensity=NEVER),
            worker("group/b", fails_to_start, intensity=NEVER, on_exhausted="quarantine", quarantine_s=CHILD_REST_S),
        ),
    )
    async with running(group, diary=diary) as tree:
        await settle()
        assert await tree.ref("group/b").ask("x", deadline=in_s(60)) == Unavailable(retry_after_s=GROUP_REST_S)
        await trio.sleep(GROUP_REST_S)
        await settle()

        assert [event.actor for event in diary.of(Quarantined)] == ["group", "group/b"]
        assert [event.actor for event in diary.of(ActorStarted)] == ["group/a", "group"]
        assert await tree.ref("group/a").ask("x", deadline=in_s(60)) == "x"
        assert await tree.ref("group/b").ask("x", deadline=in_s(60)) == Unavailable(retry_after_s=CHILD_REST_S)


async def test_a_child_that_rests_beneath_a_supervisor_that_is_given_up_is_open_to_the_next_one(
    autojump_clock: object,
) -> None:
    async def stuck_once(ctx: Context) -> None:
        ctx.started()
        if ctx.generation > 1:
            await ctx.serve(echo)
        with bounded_shield(20.0):
            await trio.sleep(20.0)

    diary = Diary()
    group = SupervisorSpec(
        id="group",
        backoff=STEADY,
        shutdown_s=0.5,
        ordered=False,
        children=(
            worker("group/stuck", stuck_once),
            worker(
                "group/b", fails_to_start_once, intensity=NEVER, on_exhausted="quarantine", quarantine_s=CHILD_REST_S
            ),
        ),
    )
    root = SupervisorSpec(
        id="all", strategy="one_for_all", backoff=STEADY, children=(worker("first", serving(echo)), group)
    )
    async with running(root, diary=diary) as tree:
        await trio.sleep(1)
        assert await tree.ref("group/b").ask("x", deadline=in_s(60)) == Unavailable(retry_after_s=CHILD_REST_S - 1)
        tree.crash("first", Boom())
        await trio.sleep(5)

        assert "group" in [event.actor for event in diary.of(Wedged)]
        assert ("group/b", 2) in [(event.actor, event.generation) for event in diary.of(ActorStarted)]
        assert await tree.ref("group/b").ask("x", deadline=in_s(60)) == "x"
