"""Trees that end early, late or while somebody else wants something of them: nobody waits longer than promised."""

from __future__ import annotations

import pytest
import trio

from manus.supervisor.context import Context
from manus.supervisor.envelope import Envelope
from manus.supervisor.ref import Ref
from manus.supervisor.shield import bounded_shield
from manus.supervisor.spec import Intensity, Liveness
from manus.supervisor.terminals import Undelivered
from manus.supervisor.tree import RuntimeFailed
from tests.supervisor.rig import Answers, for_ever, in_s, running, serving, settle, worker


async def gives_up(_ctx: Context) -> None:
    """End before having started."""


async def test_a_significant_child_that_never_starts_fails_the_tree_instead_of_keeping_its_host_waiting(
    autojump_clock: object,
) -> None:
    begun = False
    with trio.fail_after(60.0):
        with pytest.raises(RuntimeFailed, match="shut down by end of a"):
            async with running(worker("a", gives_up, restart="temporary", significant=True)):
                begun = True
    assert not begun


async def test_a_removal_asked_for_during_the_drain_of_a_stop_does_not_disturb_it(autojump_clock: object) -> None:
    async with running(worker("a", serving(for_ever))) as tree, trio.open_nursery() as nursery:
        Answers(nursery).ask(tree.ref("a"), "work")
        await settle()

        async def remove() -> None:
            await trio.sleep(1.0)
            await tree.remove("a")

        nursery.start_soon(remove)
        report = await tree.stop(drain_s=2.0, hard_s=1.0)
        assert report.ended_at == 2.0


async def test_when_a_tree_falls_who_is_queued_is_told_though_a_zombie_keeps_the_tree_from_closing(
    autojump_clock: object,
) -> None:
    async def handler(envelope: Envelope) -> object:
        with bounded_shield(20.0):
            await trio.sleep(10.0)
        return "far too late"

    spec = worker(
        "a",
        serving(handler, places=1),
        shutdown_s=1.0,
        intensity=Intensity(max_restarts=0),
        liveness=Liveness(progress_timeout_s=1.0),
    )
    async with trio.open_nursery() as askers:
        answers = Answers(askers)

        async def live_until_it_falls() -> Ref:
            try:
                async with running(spec) as tree:
                    ref = tree.ref("a")
                    answers.ask(ref, "in hand")
                    await settle()
                    answers.ask(ref, "queued", within_s=4.0)
                    await trio.sleep_forever()
            except RuntimeFailed:
                assert trio.current_time() >= 10.0, "the zombie kept it"
                return ref

        ref = await live_until_it_falls()
        assert answers.got["queued"] == Undelivered(reason="stopping")
        assert answers.at["queued"] <= 4.0
        assert await ref.ask("later", deadline=in_s(1.0)) == Undelivered(reason="stopping")
