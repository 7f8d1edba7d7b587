"""A reload puts another configuration in force, touches whose entry changed, and drops nothing."""

from __future__ import annotations

import trio

from manus.sim.behaviour import Script
from tests.reload.rig import Servers, config, entry, opened


async def test_changed_entry_is_served_by_a_new_actor_and_unchanged_ones_are_not_touched(
    autojump_clock: object,
) -> None:
    servers = Servers(a=Script(text="A."), b=Script(text="B."), c=Script(text="C."))
    async with opened(servers, config({"first": entry("a"), "second": entry("c", priority=200)})) as agent:
        assert (await agent.generate("Who?")).content == "A."

        reloaded = await agent.reload(config({"first": entry("b"), "second": entry("c", priority=200)}))

        assert reloaded.changed == ("first",)
        assert reloaded.unchanged == ("second",)
        assert (reloaded.added, reloaded.removed, reloaded.settings) == ((), (), ())
        assert (await agent.generate("Who?")).content == "B."
        await trio.testing.wait_all_tasks_blocked()
        assert {actor.id for actor in agent._tree.status() if actor.supervisor == "providers"} == {
            "provider/first@2",
            "provider/second",
        }
        assert servers.connections_to("c") == 1
