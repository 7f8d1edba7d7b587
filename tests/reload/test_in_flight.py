"""A reload drops nothing on its way: calls end as they were begun, and requests go on with what there is."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

import manus
from manus import reloading
from manus.sim.behaviour import Behaviour, Script
from manus.sim.faults import Cut, Rejected
from manus.sim.provider import SimProvider
from manus.trio_agent import TrioAgent
from tests.reload.rig import Servers, config, entry, opened
from tests.reload.test_reload import actors_of, settled

SLOW = Script(text="One two three four five.", latency_s=1, gap_s=1)


async def told(agent: TrioAgent, found: list[Any], **options: Any) -> None:
    """Ask, and keep the answer or the error."""
    try:
        found.append(await agent.generate("Who?", **options))
    except manus.LLMError as error:
        found.append(error)


@pytest.mark.parametrize("change", ["changed", "removed"])
async def test_a_call_that_is_being_made_ends_where_it_was_begun(autojump_clock: object, change: str) -> None:
    servers = Servers(a=SLOW, b=Script(text="B."))
    found: list[Any] = []
    async with opened(servers, config({"first": entry("a")})) as agent:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(told, agent, found)
            await trio.sleep(0.5)
            name = "first" if change == "changed" else "second"
            await agent.reload(config({name: entry("b")}))
            await settled()
            assert "provider/first" in actors_of(agent), "it has a call in hand"
            assert (await agent.generate("Who?")).content == "B."

        assert found[0].content == SLOW.text
        await settled()
        assert "provider/first" not in actors_of(agent)
        assert (await agent.get_usage_stats()).total.settled == 2
        assert servers["a"].bill.totals().billed == 1


async def test_a_call_is_waited_for_however_long_it_takes(autojump_clock: trio.testing.MockClock) -> None:
    servers = Servers(a=Script(text="A.", latency_s=250), b=Script(text="B."))
    found: list[Any] = []
    async with opened(servers, config({"first": entry("a")})) as agent:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(told, agent, found)
            await trio.sleep(1)
            await agent.reload(config({"first": entry("b")}))
        assert found[0].content == "A."


async def test_a_stream_runs_on_through_a_reload_gap_free(autojump_clock: object) -> None:
    servers = Servers(a=SLOW, b=Script(text="B."))
    async with opened(servers, config({"first": entry("a")})) as agent:
        text = ""
        async with agent.stream("Who?") as stream:
            async for chunk in stream:
                text += chunk.delta
                if len(text) < 5:
                    await agent.reload(config({"first": entry("b")}))
            answer = await stream.response()

        assert text == answer.content == SLOW.text
        assert answer.finish_reason == "stop"
        await settled()
        assert actors_of(agent) == {"provider/first@2"}


async def test_an_actor_that_several_reloads_have_left_behind_ends_when_its_last_call_does(
    autojump_clock: object,
) -> None:
    servers = Servers(a=SLOW, b=SLOW, c=Script(text="C."))
    found: list[Any] = []
    async with opened(servers, config({"first": entry("a")})) as agent:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(told, agent, found)
            await trio.sleep(0.5)
            await agent.reload(config({"first": entry("b")}))
            nursery.start_soon(told, agent, found)
            await trio.sleep(0.5)
            await agent.reload(config({"first": entry("c")}))
            await settled()
            assert actors_of(agent) == {"provider/first", "provider/first@2", "provider/first@3"}

        assert [each.content for each in found] == [SLOW.text, SLOW.text]
        await settled()
        assert actors_of(agent) == {"provider/first@3"}


async def test_what_waits_in_a_full_queue_is_served_by_the_actor_that_it_waits_for(autojump_clock: object) -> None:
    servers = Servers(a=SLOW, b=Script(text="B."))
    found: list[Any] = []
    async with opened(servers, config({"first": entry("a", concurrency=1)})) as agent:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(told, agent, found)
            await trio.sleep(0.5)
            await agent.reload(config({"first": entry("b")}))

        assert [each.content for each in found] == [SLOW.text] * 3


async def test_a_request_that_waits_to_ask_again_goes_on_with_what_there_is(
    autojump_clock: trio.testing.MockClock,
) -> None:
    refused = Behaviour(script=Script(fault=Rejected(status=429, retry_after_s=20)))
    servers = Servers(a=refused, b=Script(text="B."))
    found: list[Any] = []
    async with opened(servers, config({"first": entry("a")})) as agent:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(told, agent, found)
            await trio.sleep(1)
            await agent.reload(config({"second": entry("b")}))

        assert found[0].content == "B."
        (left,) = [each for each in found[0].route.left_out if each.provider == "first"]
        assert "left the configuration" in left.reason
        assert [each.provider for each in found[0].route.attempts] == ["first", "second"]


async def test_a_request_that_waits_to_ask_again_shows_the_new_key(autojump_clock: trio.testing.MockClock) -> None:
    servers = Servers(
        a=Behaviour(first=(Script(fault=Rejected(status=429, retry_after_s=20)),), script=Script(text="A."))
    )
    found: list[Any] = []
    async with opened(servers, config({"first": entry("a")})) as agent:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(told, agent, found)
            await trio.sleep(1)
            servers["a"].api_key = "sk-canary-another"
            await agent.reload(config({"first": entry("a", api_key="sk-canary-another")}))

        assert found[0].content == "A."


async def test_a_failover_asks_nobody_who_has_left(autojump_clock: object) -> None:
    servers = Servers(a=Script(latency_s=2, fault=Rejected(status=500)), b=Script(text="B."), c=Script(text="C."))
    found: list[Any] = []
    three = {"first": entry("a"), "second": entry("b", priority=200), "third": entry("c", priority=300)}
    async with opened(servers, config(three, retry={"same_deployment": 0})) as agent:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(told, agent, found)
            await trio.sleep(1)
            await agent.reload(config({name: three[name] for name in ("first", "third")}, retry={"same_deployment": 0}))

        assert found[0].content == "C."
        assert servers["b"].bill.totals().requests == 0


async def test_a_stream_that_breaks_off_is_taken_up_by_those_who_are_there(autojump_clock: object) -> None:
    text = "One two three four five."
    servers = Servers(
        a=Script(text=text, gap_s=1, fault=Cut(where="body", after_chunks=3)),
        b=Script(text="Something else."),
        c=Script(text=text),
    )
    three = {"first": entry("a"), "second": entry("b", priority=200), "third": entry("c", priority=300)}
    retry = {"same_deployment": 0}
    async with opened(servers, config(three, retry=retry)) as agent:
        seen = ""
        async with agent.stream("Who?") as stream:
            async for chunk in stream:
                seen += chunk.delta
                if len(seen) < 5:
                    await agent.reload(config({name: three[name] for name in ("first", "third")}, retry=retry))
            answer = await stream.response()

        assert seen == answer.content == text
        assert [each.provider for each in answer.route.attempts] == ["first", "third"]


async def test_a_stream_that_breaks_off_is_gone_on_with_by_who_has_become_able_to(autojump_clock: object) -> None:
    """A server of another wire stands behind the entry now, whose models continue an answer that was begun."""
    text = "One two three four five."
    servers = Servers(a=Script(text=text, gap_s=1, fault=Cut(where="body", after_chunks=3)), b=Script(text="Unlike."))
    able = SimProvider("anthropic", Script(text=text))
    servers.by_host["d"] = able
    models = [{"name": "claude-3-5-sonnet-ours", "cost_per_input": 1, "cost_per_output": 2}]
    retry = {"same_deployment": 0}
    two = {"first": entry("a"), "second": entry("b", models=models, priority=200)}
    moved = entry("d", type="anthropic", models=models, priority=200, base_url="http://d")
    async with opened(servers, config(two, retry=retry)) as agent:
        seen = ""
        async with agent.stream("Who?") as stream:
            async for chunk in stream:
                seen += chunk.delta
                if len(seen) < 5:
                    await agent.reload(config({"first": entry("a"), "second": moved}, retry=retry))
            answer = await stream.response()

        assert seen == answer.content == text
        assert [(each.provider, each.role) for each in answer.route.attempts] == [
            ("first", "first"),
            ("second", "continue"),
        ]


async def test_a_race_is_joined_by_nobody_who_has_left(autojump_clock: object) -> None:
    servers = Servers(a=Behaviour(first=(Script(text="A."),) * 2, script=Script(text="A.", latency_s=9)), b=Script())
    two = {"first": entry("a"), "second": entry("b", priority=200)}
    hedge = {"enabled": True, "samples_min": 1, "delay_min_s": 3.0, "budget_ratio": 1.0}
    found: list[Any] = []
    async with opened(servers, config(two, hedge=hedge)) as agent:
        for _ in range(2):
            await agent.generate("Who?")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(told, agent, found)
            await trio.sleep(1)
            await agent.reload(config({"first": entry("a")}, hedge=hedge | {"enabled": False}))

        assert found[0].content == "A."
        assert servers["b"].bill.totals().requests == 0


async def test_vectors_of_one_request_are_of_one_model_whatever_is_configured_meanwhile(autojump_clock: object) -> None:
    embedding = {"name": "text-embedding-3-small", "cost_per_input": 1, "cost_per_output": 0}
    servers = Servers(a=Script(latency_s=1), b=Script())
    found: list[Any] = []
    inputs = ["word"] * 3000
    async with opened(servers, config({"first": entry("a", models=[embedding])})) as agent:

        async def embed() -> None:
            found.append(await agent.embed(inputs))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(embed)
            await trio.sleep(0.5)
            large = [embedding | {"name": "text-embedding-3-large"}, embedding]
            await agent.reload(config({"second": entry("b", models=large)}))

        assert {attempt.provider for attempt in found[0].route.attempts} == {"first", "second"}
        assert {attempt.model for attempt in found[0].route.attempts} == {"text-embedding-3-small"}
        assert len(found[0].vectors) == len(inputs)


async def test_a_call_that_is_read_to_its_end_without_its_caller_keeps_its_actor(autojump_clock: object) -> None:
    servers = Servers(a=SLOW, b=Script(text="B."))
    async with opened(servers, config({"first": entry("a")}, routing={"on_cancel": "drain"})) as agent:
        with trio.move_on_after(2.5):
            async with agent.stream("Who?") as stream:
                async for _ in stream:
                    pass
        await agent.reload(config({"first": entry("b")}, routing={"on_cancel": "drain"}))
        await settled()
        assert "provider/first" in actors_of(agent)

        await trio.sleep(20)
        await settled()
        assert actors_of(agent) == {"provider/first@2"}
        (line,) = (await agent.get_usage_stats()).lines
        assert (line.settled, line.estimated) == (1, 0)


async def test_what_cannot_be_answered_any_more_fails_with_its_own_failure(autojump_clock: object) -> None:
    refused = Behaviour(script=Script(fault=Rejected(status=429, retry_after_s=20)))
    servers = Servers(a=refused, b=Script(text="B."))
    found: list[Any] = []
    async with opened(servers, config({"first": entry("a")})) as agent:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(told, agent, found, provider="first", fallback_providers=[]))
            await trio.sleep(1)
            await agent.reload(config({"second": entry("b")}))

        assert type(found[0]) is manus.RateLimitError
        assert [each.deployment for each in found[0].route.left_out] == ["first/big"]


async def test_a_call_that_fails_after_its_provider_has_left_is_not_made_there_again(autojump_clock: object) -> None:
    """Seed 187 of the chaos: the retry went to the former actor, and the entry was never reached once it came back."""
    servers = Servers(a=Script(latency_s=1, fault=Cut(where="headers")), b=Script(text="B."))
    one, other = config({"first": entry("a")}), config({"second": entry("b")})
    found: list[Any] = []
    async with opened(servers, one) as agent:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(told, agent, found)
            await trio.sleep(0.5)
            await agent.reload(other)
        assert found[0].content == "B."
        assert servers["a"].bill.totals().requests == 1

        servers["a"].behave(Script(text="A."))
        await agent.reload(one)
        assert (await agent.generate("Who?")).content == "A."


async def test_reloads_are_refused_while_too_many_former_actors_have_calls_in_hand(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reloading, "FORMER_MAX", 2)
    servers = Servers(a=SLOW, b=SLOW)
    found: list[Any] = []
    async with opened(servers, config({"first": entry("a")})) as agent:
        async with trio.open_nursery() as nursery:
            for host in ("b", "a"):
                nursery.start_soon(told, agent, found)
                await trio.sleep(0.1)
                await agent.reload(config({"first": entry(host)}))
            with pytest.raises(manus.ReloadError, match="still have calls in hand"):
                await agent.reload(config({"first": entry("b")}))

        await agent.reload(config({"first": entry("b")}))
        assert [each.content for each in found] == [SLOW.text] * 2
