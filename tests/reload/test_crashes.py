"""What crashes during a reload or after it brings nothing back, loses nothing, and every request has its one end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

import manus
from manus.sim.behaviour import Script
from manus.sim.determinism import StepCanceller, cancel_at_each_step, simulate
from manus.supervisor.events import ActorExited
from manus.trio_agent import TrioAgent
from tests.reload.rig import KEY, OTHER_KEY, Servers, config, entry, opened
from tests.reload.test_reload import actors_of

PASSES_MAX = 200


@pytest.mark.parametrize("actor", ["router", "accounting", "provider/first@2", "conversations"])
async def test_a_crash_afterwards_does_not_bring_the_old_configuration_back(
    autojump_clock: trio.testing.MockClock, actor: str
) -> None:
    servers = Servers(a=Script(text="A."), b=Script(text="B."))
    async with opened(servers, config({"first": entry("a")})) as agent:
        await agent.reload(
            config({"first": entry("b")}, limits={"requests_per_minute": 50}, conversations={"waiting_max": 7})
        )
        for _ in range(3):
            agent._tree.crash(actor, RuntimeError("on purpose"))
            await trio.sleep(5)

            assert (await agent.generate("Who?")).content == "B."
            assert (await agent.chat("Who?", "talk")).content == "B."
        assert [limit.limit for limit in (await agent.get_limits()).limits] == [50]
        assert (await agent.health()).reloads == 1


async def test_a_former_actor_that_crashes_with_its_calls_in_hand_comes_back_for_nobody(
    autojump_clock: trio.testing.MockClock,
) -> None:
    servers = Servers(a=Script(text="A.", latency_s=5), b=Script(text="B."), c=Script(text="C."))
    other = entry("c", priority=200)
    async with opened(servers, config({"first": entry("a"), "second": other})) as agent:
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                assert (await agent.generate("Who?")).content == "C."

            nursery.start_soon(ask)
            await trio.sleep(1)
            await agent.reload(config({"first": entry("b"), "second": other}))
            agent._tree.crash("provider/first", RuntimeError("on purpose"))
        await trio.sleep(5)

        assert actors_of(agent) == {"provider/first@2", "provider/second"}
        assert (await agent.get_usage_stats()).total.open == 0


def test_a_caller_that_is_cancelled_at_any_step_leaves_a_whole_configuration_behind() -> None:
    async def scenario(canceller: StepCanceller) -> tuple[str, set[str], str | None, int]:
        servers = Servers(a=Script(text="A."), b=Script(text="B."))
        async with opened(servers, config({"first": entry("a")})) as agent:
            with canceller:
                await agent.reload(config({"first": entry("b"), "second": entry("a", priority=200)}))
            await trio.sleep(30)
            answer = await agent.generate("Who?")
            return answer.content, actors_of(agent), agent.config.providers["first"].base_url, servers.open_exchanges

    def check(found: tuple[str, set[str], str | None, int]) -> None:
        content, actors, base_url, open_exchanges = found
        assert open_exchanges == 0
        if base_url == "http://b/v1":
            assert (content, actors) == ("B.", {"provider/first@2", "provider/second"})
        else:
            assert (content, actors) == ("A.", {"provider/first"})

    assert cancel_at_each_step(scenario, check) >= 1


@pytest.mark.parametrize("persistent", [False, True])
def test_an_agent_that_is_cancelled_at_any_step_of_a_reload_leaves_nothing_behind(persistent: bool) -> None:
    async def scenario(canceller: StepCanceller) -> int:
        servers = Servers(a=Script(text="A.", latency_s=1), b=Script(text="B."))
        with canceller:
            async with opened(servers, config({"first": entry("a")})) as agent, trio.open_nursery() as nursery:
                nursery.start_soon(agent.generate, "Who?")
                await trio.sleep(0.5)
                await agent.reload(config({"first": entry("b"), "second": entry("a", priority=200)}))
                await agent.reload(config({"second": entry("a")}))
        return servers.open_exchanges

    def check(open_exchanges: int) -> None:
        assert open_exchanges == 0

    assert cancel_at_each_step(scenario, check, persistent=persistent) > 5


async def test_what_a_crash_quotes_is_cleaned_of_the_new_key_too(autojump_clock: trio.testing.MockClock) -> None:
    async with opened(Servers(), config({"first": entry("a")})) as agent:
        await agent.reload(config({"first": entry("a", api_key=OTHER_KEY)}))
        with agent.events() as events:
            agent._tree.crash("provider/first@2", RuntimeError(f"I was given {OTHER_KEY}, and before that {KEY}"))
            exited = await events.receive()

        assert isinstance(exited, ActorExited)
        assert "[secret], and before that [secret]" in repr(exited)
        assert not any(key in repr(exited) for key in (KEY, OTHER_KEY))


def crash(actor: str) -> Callable[[TrioAgent], None]:
    """Give a blow that raises inside an actor, where it runs."""

    def strike(agent: TrioAgent) -> None:
        with suppress(LookupError):  # it is not there yet, or not any more
            agent._tree.crash(actor, RuntimeError("on purpose"))

    return strike


BLOWS = [
    "router",
    "accounting",
    "conversations",
    "provider/first",
    "provider/first@2",
    "provider/second",
]


@pytest.mark.parametrize("actor", BLOWS)
def test_a_crash_at_any_pass_of_a_reload_ends_in_one_whole_configuration_and_one_end_for_each(actor: str) -> None:
    """The sweep lets `n` scheduler passes go by after the reload has begun, then strikes."""
    for passes in range(PASSES_MAX):
        if not simulate(partial(struck, actor, passes), schedule_seed=passes, horizon_s=1000.0):
            return
    pytest.fail("the reload never ended before the blow")


async def struck(actor: str, passes: int) -> bool:
    """Reload under load with one blow; tells whether the blow came before the reload was over."""
    servers = Servers(a=Script(text="A.", latency_s=0.5, gap_s=0.5), b=Script(text="B.", latency_s=0.5))
    before = config({"first": entry("a"), "second": entry("b", priority=200)}, limits={"concurrency": 3})
    after = config({"first": entry("b"), "second": entry("b", priority=200)}, limits={"concurrency": 4})
    ends: list[Any] = []
    over = fell = False

    async with opened(servers, before) as agent:

        async def ask() -> None:
            try:
                ends.append((await agent.generate("Who?")).content)
            except manus.LLMError as error:
                ends.append(error)

        async def reload() -> None:
            nonlocal over
            with suppress(manus.LLMError):  # then the former one has to be in force
                await agent.reload(after)
            over = True

        async def strike() -> None:
            nonlocal fell
            for _ in range(passes):
                await trio.lowlevel.checkpoint()
            if not over:
                fell = True
                crash(actor)(agent)

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask)
            await trio.sleep(0.25)
            nursery.start_soon(reload)
            nursery.start_soon(strike)
        await trio.sleep(60)

        assert len(ends) == 5
        assert all(isinstance(end, manus.LLMError) or end in ("A.", "B.") for end in ends)
        is_new = agent.config.providers["first"].base_url == "http://b/v1"
        assert (await agent.generate("Who?")).content == ("B." if is_new else "A.")
        assert [limit.limit for limit in (await agent.get_limits()).limits] == [4 if is_new else 3]
        assert [limit.used for limit in (await agent.get_limits()).limits] == [0]
        assert actors_of(agent) == {"provider/first@2" if is_new else "provider/first", "provider/second"}
        total = (await agent.get_usage_stats()).total
        assert total.open == 0
        assert total.requests == total.settled + total.released + total.in_doubt
    assert servers.open_exchanges == 0
    return fell
