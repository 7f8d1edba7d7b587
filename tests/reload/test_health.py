"""An agent says within a second what works, what does not and why; and no secret with it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio
import trio.testing

import manus
from manus.sim.behaviour import Script
from manus.sim.faults import Rejected
from tests.reload.rig import KEY, Servers, config, entry, opened
from tests.reload.test_in_flight import SLOW, told
from tests.reload.test_reload import settled

TWO = {"first": entry("a"), "second": entry("b", priority=200)}


def servers(**a: Any) -> Servers:
    """Give two servers, the first one as told."""
    return Servers(a=Script(text="A.", **a), b=Script(text="B."))


async def test_all_is_well_where_it_is(autojump_clock: object) -> None:
    async with opened(servers(), config(TWO)) as agent:
        await agent.generate("Who?")
        await trio.sleep(3)
        health = await agent.health()

        assert (health.status, health.reasons) == ("ok", ())
        assert [(each.name, each.status, each.state) for each in health.providers] == [
            ("first", "ok", "running"),
            ("second", "ok", "running"),
        ]
        assert (health.router, health.ledger.state, health.ledger.durability) == ("running", "running", "memory")
        assert (health.in_flight, health.uptime_s, health.reloads, health.origin) == (0, 3.0, 0, "the program")
        assert health.version == manus.__version__
        assert msgspec.json.decode(msgspec.json.encode(health.to_dict()))["status"] == "ok"


async def test_what_is_in_flight_is_counted(autojump_clock: object) -> None:
    found: list[Any] = []
    async with opened(Servers(a=SLOW), config({"first": entry("a")})) as agent, trio.open_nursery() as nursery:
        nursery.start_soon(told, agent, found)
        await settled()
        health = await agent.health()
        assert (health.in_flight, health.providers[0].in_flight) == (1, 1)


async def test_a_refused_key_degrades_and_is_named_and_never_shown(autojump_clock: object) -> None:
    async with opened(servers(fault=Rejected(status=401)), config(TWO)) as agent:
        assert (await agent.generate("Who?")).content == "B."
        health = await agent.health()

        assert health.status == "degraded"
        (first, second) = health.providers
        assert (first.status, second.status) == ("unavailable", "ok")
        assert first.breakers == {"first/big": "open"}
        assert first.last_failure == "auth (HTTP 401)"
        assert "first/big rests: the vendor refuses the key" in health.reasons[0]
        assert KEY not in repr(health)


async def test_an_agent_with_nobody_to_ask_is_unavailable(autojump_clock: object) -> None:
    async with opened(servers(fault=Rejected(status=401)), config({"first": entry("a")})) as agent:
        with pytest.raises(manus.AuthenticationError):
            await agent.generate("Who?")
        health = await agent.health()

        assert health.status == "unavailable"
        assert health.reasons[0] == "no provider can be asked"


async def test_one_of_several_models_that_rests_degrades_its_provider(autojump_clock: object) -> None:
    models = [{"name": "big"}, {"name": "small"}]
    async with opened(
        servers(fault=Rejected(status=429, retry_after_s=50)), config({"first": entry("a", models=models)})
    ) as agent:
        with pytest.raises(manus.RateLimitError):
            await agent.generate("Who?", model="big", timeout_s=5)
        health = await agent.health()

        assert (health.status, health.providers[0].status) == ("degraded", "degraded")


@pytest.mark.parametrize(
    ("actor", "status", "reason"),
    [
        ("provider/first", "degraded", "first: its actor is backoff"),
        ("router", "unavailable", "router is backoff"),
        ("accounting", "unavailable", "accounting is backoff"),
        ("conversations", "degraded", "conversations is backoff"),
    ],
)
async def test_an_actor_that_is_down_is_named_and_within_a_second(
    autojump_clock: trio.testing.MockClock, actor: str, status: str, reason: str
) -> None:
    async with opened(servers(), config(TWO)) as agent:
        for _ in range(4):  # so that it does not come back within the second
            await trio.sleep(2)
            agent._tree.crash(actor, RuntimeError("on purpose"))
        await settled()
        began_at = trio.current_time()
        health = await agent.health()

        assert trio.current_time() - began_at < 1
        assert (health.status, reason in health.reasons) == (status, True)

        await trio.sleep(5)
        assert (await agent.health()).status == "ok"


async def test_an_actor_with_all_its_places_taken_is_well(
    autojump_clock: trio.testing.MockClock,
) -> None:
    found: list[Any] = []
    busy = config({"first": entry("a", concurrency=1)})
    async with opened(Servers(a=SLOW), busy) as agent, trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(told, agent, found)
        await settled()
        began_at = trio.current_time()
        health = await agent.health()

        assert trio.current_time() - began_at < 1
        assert health.status == "ok", "it works, and has much to do"
        assert health.providers[0].in_flight == 1


async def test_a_disk_that_refuses_degrades(autojump_clock: object, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(servers(), config(TWO)) as agent:
        monkeypatch.setattr(
            agent._in_force, "ledger_trouble", lambda: "the ledger's journal cannot be written: no room"
        )
        health = await agent.health()

        assert health.status == "degraded"
        assert health.reasons == ("ledger: the ledger's journal cannot be written: no room",)


async def test_counts_of_what_has_left_the_configuration_say_nothing_of_its_health(autojump_clock: object) -> None:
    async with opened(servers(fault=Rejected(status=401)), config(TWO)) as agent:
        await agent.generate("Who?")
        await agent.reload(config({"first": entry("b", models=[{"name": "other"}]), "second": TWO["second"]}))

        assert (await agent.health()).status == "ok"
        assert (await agent.health()).reloads == 1


async def test_an_agent_that_closes_says_so(autojump_clock: object) -> None:
    states: list[str] = []
    async with trio.open_nursery() as nursery:
        async with opened(Servers(a=SLOW), config({"first": entry("a")})) as agent:
            nursery.start_soon(agent.generate, "Who?")
            await settled()

            async def look_while_it_drains() -> None:
                await trio.sleep(1)
                health = await agent.health()
                states.extend((health.status, health.reasons[0]))

            nursery.start_soon(look_while_it_drains)
    assert states == ["unavailable", "the agent is closing"]
