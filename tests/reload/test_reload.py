"""A reload puts another configuration in force, whole or not at all, and touches only whose entry changed."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import trio
import trio.testing

import manus
from manus.messages.watching import ConfigurationReloaded
from manus.sim.behaviour import Script
from manus.sim.faults import Rejected
from manus.trio_agent import TrioAgent
from tests.reload.rig import KEY, OTHER_KEY, Servers, config, entry, opened

TOML = """
[ledger]
path = ":memory:"

[providers.first]
type = "openai"
api_key = "sk-canary-0b1d7e"
base_url = "http://{host}/v1"
models = [{{ name = "big" }}]
"""


def actors_of(agent: TrioAgent) -> set[str]:
    """Name the actors of providers that there are."""
    return {actor.id for actor in agent._tree.status() if actor.supervisor == "providers"}


async def settled() -> None:
    """Let former actors leave."""
    await trio.testing.wait_all_tasks_blocked()


async def test_changed_entry_is_served_by_a_new_actor_and_unchanged_ones_are_not_touched(
    autojump_clock: object,
) -> None:
    servers = Servers(a=Script(text="A."), b=Script(text="B."), c=Script(text="C."))
    async with opened(servers, config({"first": entry("a"), "second": entry("c", priority=200)})) as agent:
        assert (await agent.generate("Who?")).content == "A."

        reloaded = await agent.reload(config({"first": entry("b"), "second": entry("c", priority=200)}))

        assert (reloaded.changed, reloaded.unchanged) == (("first",), ("second",))
        assert (reloaded.added, reloaded.removed, reloaded.settings, reloaded.reloads) == ((), (), (), 1)
        assert (await agent.generate("Who?")).content == "B."
        await settled()
        assert actors_of(agent) == {"provider/first@2", "provider/second"}
        assert servers.connections_to("c") == 1


async def test_the_file_that_the_agent_was_opened_with_is_read_again(autojump_clock: object, tmp_path: Path) -> None:
    servers, file = Servers(a=Script(text="A."), b=Script(text="B.")), tmp_path / "llm.toml"
    file.write_text(TOML.format(host="a"))
    async with opened(servers, file) as agent:
        file.write_text(TOML.format(host="b"))

        reloaded = await agent.reload()

        assert (reloaded.origin, reloaded.changed) == (str(file), ("first",))
        assert (await agent.generate("Who?")).content == "B."


async def test_entries_come_and_go(autojump_clock: object) -> None:
    servers = Servers(a=Script(text="A."), b=Script(text="B."))
    async with opened(servers, config({"first": entry("a")})) as agent:
        reloaded = await agent.reload(config({"second": entry("b"), "first": entry("a", enabled=False)}))

        assert (reloaded.added, reloaded.removed, reloaded.changed) == (("second",), ("first",), ())
        assert agent.get_available_providers() == ["second"]
        assert (await agent.generate("Who?")).content == "B."
        assert {name: state.state for name, state in (await agent.get_provider_status()).items()} == {
            "second": "running",
            "first": "disabled",
        }
        await settled()
        assert actors_of(agent) == {"provider/second"}
        await agent.reload(config({"first": entry("a")}))
        assert (await agent.generate("Who?")).content == "A."


async def test_nothing_has_changed_where_nothing_differs(autojump_clock: object) -> None:
    servers = Servers()
    async with opened(servers, config({"first": entry("a")})) as agent:
        reloaded = await agent.reload(config({"first": entry("a")}))

        assert reloaded.unchanged == ("first",)
        assert actors_of(agent) == {"provider/first"}
        assert servers.connections_to("a") == 1


async def test_a_wrong_configuration_changes_nothing_and_every_problem_is_told(autojump_clock: object) -> None:
    servers = Servers(a=Script(text="A."), b=Script(text="B."))
    async with opened(servers, config({"first": entry("a")})) as agent:
        before = agent.config
        with pytest.raises(manus.ConfigurationError) as caught:
            await agent.reload(config({"first": entry("b", priority="high")}, limits={"requests_per_minuet": 2}))

        assert len(caught.value.problems) == 2
        assert agent.config is before
        assert actors_of(agent) == {"provider/first"}
        assert (await agent.generate("Who?")).content == "A."
        assert (await agent.health()).reloads == 0


@pytest.mark.parametrize(
    ("tables", "name"),
    [
        ({"ledger": {"path": "elsewhere.sqlite"}}, "ledger.path"),
        ({"ledger": {"path": ":memory:", "durability": "power"}}, "ledger.durability"),
        ({"ledger": {"path": ":memory:", "keep_days": 3}}, "ledger.keep_days"),
        ({"conversations": {"path": "elsewhere.sqlite"}}, "conversations.path"),
    ],
    ids=["path", "durability", "keep_days", "conversations"],
)
async def test_what_cannot_change_in_a_running_agent_is_refused_by_its_name_before_anything_is_touched(
    autojump_clock: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tables: dict[str, object], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened(Servers(), config({"first": entry("a")})) as agent:
        with pytest.raises(manus.ConfigurationError, match=f"needs a restart: {name}") as caught:
            await agent.reload(config({"first": entry("b")}) | tables)

        assert KEY not in str(caught.value)
        assert actors_of(agent) == {"provider/first"}
        assert os.listdir(tmp_path) == []


async def test_books_that_the_program_keeps_in_memory_stay_there_whatever_is_configured(
    autojump_clock: object, tmp_path: Path
) -> None:
    source = config({"first": entry("a")}) | {"ledger": {"path": str(tmp_path / "one.sqlite")}}
    async with opened(Servers(), source, keep_books=False) as agent:
        await agent.reload(source | {"ledger": {"path": str(tmp_path / "two.sqlite")}})

        assert os.listdir(tmp_path) == []


async def test_a_new_key_is_shown_and_the_refusal_of_the_old_one_is_forgotten(autojump_clock: object) -> None:
    servers = Servers()
    servers["a"].api_key = OTHER_KEY
    async with opened(servers, config({"first": entry("a")})) as agent:
        with pytest.raises(manus.AuthenticationError):
            await agent.generate("Who?")

        reloaded = await agent.reload(config({"first": entry("a", api_key=OTHER_KEY)}))

        assert reloaded.changed == ("first",)
        assert OTHER_KEY not in repr(reloaded)
        assert KEY not in repr(reloaded)
        assert (await agent.generate("Who?")).content == "A."
        state = (await agent.get_provider_status())["first"]
        assert (state.calls, state.failures, state.last_failure) == (2, 1, None)


@pytest.mark.parametrize(
    ("change", "is_well"),
    [
        ({"priority": 7, "weight": 2.0, "tags": ["eu"]}, False),
        ({"base_url": "http://b/v1"}, True),
        ({"timeouts": {"connect_s": 1.0}}, True),
    ],
    ids=["how it is routed to", "where it is", "how long it is waited for"],
)
async def test_health_begins_anew_where_the_change_may_have_mended_it_and_is_kept_where_it_cannot(
    autojump_clock: object, change: dict[str, object], is_well: bool
) -> None:
    servers = Servers(a=Script(text="A.", fault=Rejected(status=401)), b=Script(text="B."))
    async with opened(servers, config({"first": entry("a"), "second": entry("a", priority=200)})) as agent:
        with pytest.raises(manus.LLMError):
            await agent.generate("Who?")

        await agent.reload(config({"first": entry("a") | change, "second": entry("a", priority=200)}))

        resting = (await agent.get_provider_status())["first"].resting
        assert (not resting) == is_well
        assert (await agent.get_provider_status())["second"].resting, "nobody touched its entry"


async def test_a_key_that_is_added_beside_others_leaves_those_as_they_were(autojump_clock: object) -> None:
    servers = Servers()
    servers["a"].api_key = OTHER_KEY
    keys = [KEY, OTHER_KEY]
    async with opened(servers, config({"first": entry("a", api_key=None, api_keys=keys)})) as agent:
        for _ in range(2):
            await agent.generate("Who?")
        (before,) = (await agent.get_provider_status())["first"].resting

        await agent.reload(config({"first": entry("a", api_key=None, api_keys=[*keys, "sk-canary-third"])}))

        assert list((await agent.get_provider_status())["first"].resting) == [before]


async def test_what_is_true_of_all_requests_changes_at_once(autojump_clock: trio.testing.MockClock) -> None:
    servers = Servers(a=Script(text="A.", latency_s=50))
    async with opened(servers, config({"first": entry("a")})) as agent:
        reloaded = await agent.reload(config({"first": entry("a")}, timeouts={"request_s": 5.0}))

        assert reloaded.settings == ("timeouts",)
        began_at = trio.current_time()
        with pytest.raises(manus.TimeoutError):
            await agent.generate("Who?")
        assert trio.current_time() - began_at < 6


async def test_a_first_choice_that_has_left_is_nobodys_any_more_and_comes_back_with_it(autojump_clock: object) -> None:
    servers = Servers(a=Script(text="A."), b=Script(text="B."))
    both = config({"first": entry("a"), "second": entry("b", priority=200)})
    async with opened(servers, both) as agent:
        await agent.switch_provider("second", "big")
        assert (await agent.generate("Who?")).content == "B."

        await agent.reload(config({"first": entry("a")}))
        assert (await agent.generate("Who?")).content == "A."

        await agent.reload(both)
        assert (await agent.generate("Who?")).content == "B."


async def test_logging_follows_the_configuration(autojump_clock: object, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "manus")
    quiet = config({"first": entry("a")}, general={"enable_logging": False})
    async with opened(Servers(), quiet) as agent:
        await agent.generate("Who?")
        assert not caplog.records

        await agent.reload(config({"first": entry("a")}))
        await agent.generate("Who?")
        assert any("ConfigurationReloaded" in record.message for record in caplog.records)
        assert sum("AttemptEnded" in record.message for record in caplog.records) == 1

        await agent.reload(quiet)
        caplog.clear()
        await agent.generate("Who?")
        assert not caplog.records


async def test_whoever_watches_is_told_and_learns_no_secret(autojump_clock: object) -> None:
    async with opened(Servers(), config({"first": entry("a")})) as agent:
        with agent.events() as events:
            await agent.reload(config({"first": entry("a", api_key=OTHER_KEY), "second": entry("a")}))
            seen: list[object] = []
            while not any(isinstance(event, ConfigurationReloaded) for event in seen):
                seen.append(await events.receive())

        told = seen[-1]
        assert isinstance(told, ConfigurationReloaded)
        assert (told.changed, told.added) == (("first",), ("second",))
        assert not any(key in repr(event) for event in seen for key in (KEY, OTHER_KEY))


async def test_two_reloads_at_once_are_one_after_the_other(autojump_clock: object) -> None:
    servers = Servers(a=Script(text="A."), b=Script(text="B."), c=Script(text="C."))
    found: list[int] = []
    async with opened(servers, config({"first": entry("a")})) as agent:

        async def reload(host: str) -> None:
            found.append((await agent.reload(config({"first": entry(host)}))).reloads)

        async with trio.open_nursery() as nursery:
            for host in ("b", "c", "b", "c"):
                nursery.start_soon(reload, host)

        assert found == [1, 2, 3, 4]
        await settled()
        assert len(actors_of(agent)) == 1
        assert (await agent.generate("Who?")).content in ("B.", "C.")


async def test_more_reloads_than_may_wait_are_refused(autojump_clock: object) -> None:
    refused: list[manus.LLMError] = []
    async with opened(Servers(), config({"first": entry("a")})) as agent:

        async def reload() -> None:
            try:
                await agent.reload()
            except manus.LLMError as error:
                refused.append(error)

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(reload)

        assert len(refused) == 4
        assert "wait already" in str(refused[0])


async def test_a_reload_goes_on_without_its_caller(autojump_clock: object) -> None:
    servers = Servers(a=Script(text="A."), b=Script(text="B."))
    async with opened(servers, config({"first": entry("a")})) as agent:
        with trio.CancelScope() as scope:
            scope.cancel()
            await agent.reload(config({"first": entry("b")}))
        await settled()

        assert scope.cancelled_caught
        assert (await agent.generate("Who?")).content == "B."


async def test_an_actor_that_does_not_start_leaves_the_old_configuration_in_force(autojump_clock: object) -> None:
    servers = Servers(a=Script(text="A."))
    source = config({"first": entry("a"), "second": entry("a", priority=200)}, limits={"requests_per_minute": 100})
    async with opened(servers, source) as agent:
        before = agent.config
        broken = config({"first": entry("nowhere"), "second": entry("a", priority=300)})
        with pytest.raises(manus.LLMError, match=r"provider/first@2 did not start .*nothing has changed") as caught:
            await agent.reload(broken)

        assert type(caught.value).__name__ == "ReloadError"
        assert agent.config is before
        await settled()
        assert actors_of(agent) == {"provider/first", "provider/second"}
        assert (await agent.get_limits()).limits
        assert (await agent.generate("Who?")).content == "A."


@pytest.mark.parametrize("actor", ["accounting", "conversations", "router"])
async def test_an_actor_that_cannot_switch_has_those_before_it_switch_back(
    autojump_clock: object, monkeypatch: pytest.MonkeyPatch, actor: str
) -> None:
    servers = Servers(a=Script(text="A."), b=Script(text="B."))
    source = config({"first": entry("a")}, limits={"requests_per_minute": 100})
    async with opened(servers, source) as agent:
        for tell in list(agent._tree._ground.slots):
            if tell == actor:
                agent._tree._ground.slots[tell].quarantine(trio.current_time() + 1)
        with pytest.raises(manus.LLMError, match=f"{actor} could not switch"):
            await agent.reload(config({"first": entry("b")}, limits={"requests_per_minute": 1}))
        agent._tree._ground.slots[actor].readmit()

        (limit,) = (await agent.get_limits()).limits
        assert limit.limit == 100
        await settled()
        assert actors_of(agent) == {"provider/first"}
        assert (await agent.generate("Who?")).content == "A."


async def test_an_actor_that_cannot_switch_back_is_named(
    autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(Servers(), config({"first": entry("a")})) as agent:
        slots, tell = agent._tree._ground.slots, agent._reloader._told

        async def told(actor: str, message: object) -> str | None:
            if actor == "router":  # it is down from here on, and accounting too
                for name in ("router", "accounting"):
                    slots[name].quarantine(trio.current_time() + 1)
            return await tell(actor, message)

        monkeypatch.setattr(agent._reloader, "_told", told)
        with pytest.raises(manus.ReloadError, match="in force, but accounting could not switch back"):
            await agent.reload(config({"first": entry("a")}, limits={"concurrency": 1}))
        for name in ("router", "accounting"):
            slots[name].readmit()


async def test_a_reload_is_refused_while_the_agent_closes(autojump_clock: object) -> None:
    servers = Servers(a=Script(text="A.", latency_s=5))
    async with trio.open_nursery() as nursery:
        async with opened(servers, config({"first": entry("a")})) as agent:
            nursery.start_soon(agent.generate, "Who?")
            await settled()

            async def reload_while_it_drains() -> None:
                await trio.sleep(1)
                with pytest.raises(manus.LLMError, match="closes"):
                    await agent.reload()

            nursery.start_soon(reload_while_it_drains)
