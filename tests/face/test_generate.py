"""`generate`: whole answers, failover that nobody sees, books that agree with the providers' bills."""

from __future__ import annotations

import msgspec
import pytest
import trio
import trio.testing

import manus
from manus.sim.behaviour import Script, ScriptedCall
from manus.sim.faults import Rejected, Stall
from manus.sim.wire import ChatAsked
from tests.face.rig import KEY, TEXT, Rig, names_of, open_rig


async def test_an_answer_tells_who_gave_it_and_what_it_cost(autojump_clock: trio.testing.MockClock) -> None:
    rig = Rig()
    async with open_rig(rig) as agent:
        response = await agent.generate("Hello")
        report = await agent.get_usage_stats()

    assert response.content == TEXT
    assert (response.provider, response.model, response.finish_reason) == ("first", "big", "stop")
    (row,) = rig.first.bill.rows()
    assert (response.usage.input_tokens, response.usage.output_tokens) == (row.input_tokens, row.output_tokens)
    assert response.usage.cost_nano_usd == row.input_tokens * 1000 + row.output_tokens * 2000
    assert response.usage.source == "reported"
    assert response.usage.durable
    assert response.route.attempts[0].booking == "settled"
    assert report.total.cost_nano_usd == response.usage.cost_nano_usd
    assert report.total.settled == 1


async def test_a_failed_provider_is_passed_over_and_the_route_tells(autojump_clock: trio.testing.MockClock) -> None:
    rig = Rig(Script(fault=Rejected(status=500)))
    async with open_rig(rig) as agent:
        response = await agent.generate("Hello")
    assert response.content == "The second speaks."
    assert response.provider == "second"
    assert [attempt.provider for attempt in response.route.attempts] == ["first", "first", "second"]
    assert response.route.attempts[0].failure is not None


async def test_a_prompt_may_be_a_conversation_in_either_shape(autojump_clock: trio.testing.MockClock) -> None:
    asked: list[ChatAsked] = []

    def answer(request: ChatAsked) -> Script:
        asked.append(request)
        return Script(text="ok")

    rig = Rig()
    rig.first.behave(answer)
    async with open_rig(rig) as agent:
        await agent.generate(
            [
                {"role": "user", "content": "What is two and two?"},
                {"role": "assistant", "content": "Four."},
                {"role": "user", "content": [{"type": "text", "text": "And three and three?"}]},
            ],
            system_prompt="Be brief.",
        )
        await agent.generate([manus.Turn(role="user", parts=(manus.Text(text="And three and three?"),))])
    assert [request.prompt for request in asked] == ["And three and three?"] * 2


async def test_tool_calls_come_with_their_arguments(autojump_clock: trio.testing.MockClock) -> None:
    call = ScriptedCall(name="weather", arguments='{"city":"Oslo"}')
    rig = Rig(Script(text="", tool_calls=(call,)))
    async with open_rig(rig) as agent:
        response = await agent.generate(
            "How is the weather in Oslo?",
            tools=[{"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}],
        )
    assert response.finish_reason == "tool_calls"
    (made,) = response.tool_calls
    assert (made.name, made.arguments, made.valid) == ("weather", '{"city":"Oslo"}', True)


class City(msgspec.Struct):
    name: str
    inhabitants: int


async def test_a_struct_type_gives_an_instance(autojump_clock: trio.testing.MockClock) -> None:
    rig = Rig(Script(text='{"name": "Oslo", "inhabitants": 700000}'))
    async with open_rig(rig) as agent:
        response = await agent.generate("Oslo?", response_format=City)
    assert response.parsed == City("Oslo", 700_000)


async def test_an_answer_of_another_shape_is_an_error_that_keeps_the_answer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    rig = Rig(Script(text='{"name": "Oslo", "inhabitants": "many"}'))
    async with open_rig(rig) as agent:
        with pytest.raises(manus.OutputFormatError) as caught:
            await agent.generate("Oslo?", response_format=City)
        assert (await agent.get_usage_stats()).total.settled == 1
    assert caught.value.partial is not None
    assert caught.value.usage.total > 0
    assert "many" not in str(caught.value)


async def test_cancelling_generate_ends_the_call_upstream_within_a_tick(
    autojump_clock: trio.testing.MockClock,
) -> None:
    rig = Rig(Script(fault=Stall(where="body")))
    async with open_rig(rig) as agent:
        with trio.move_on_after(1) as scope:
            await agent.generate("Hello", fallback_providers=[])
        await trio.testing.wait_all_tasks_blocked()
        assert scope.cancelled_caught
        assert rig.open_exchanges == 0
        total = (await agent.get_usage_stats()).total
        assert total.open == 0
        assert total.settled + total.in_doubt == 1


async def test_a_request_ends_by_its_own_timeout(autojump_clock: trio.testing.MockClock) -> None:
    rig = Rig(Script(fault=Stall(where="headers")))
    async with open_rig(rig) as agent:
        began = trio.current_time()
        with pytest.raises(manus.TimeoutError) as caught:
            await agent.generate("Hello", timeout_s=3)
        assert trio.current_time() - began == pytest.approx(3, abs=0.1)
    assert caught.value.kind == "deadline"
    assert isinstance(caught.value, TimeoutError)


async def test_switch_provider_changes_the_first_choice_and_nothing_else(
    autojump_clock: trio.testing.MockClock,
) -> None:
    rig = Rig()
    async with open_rig(rig) as agent:
        assert agent.get_available_providers() == ["first", "second"]
        await agent.switch_provider("second")
        assert agent.get_available_providers() == ["second", "first"]
        assert (await agent.generate("Hello")).provider == "second"
        assert (await agent.generate("Hello", provider="first")).provider == "first"
        assert (await agent.generate("Hello", model="big")).provider == "first"

        for name, model in (("secnd", None), ("first", "huge"), ("", None)):
            with pytest.raises(manus.InvalidRequestError):
                await agent.switch_provider(name, model)
        assert agent.get_available_providers() == ["second", "first"]

        rig.second.behave(Script(fault=Rejected(status=500)))
        assert (await agent.generate("Hello")).provider == "first", "a first choice that fails is still failed over"


async def test_a_disabled_provider_cannot_be_switched_to(autojump_clock: trio.testing.MockClock) -> None:
    providers = {"second": {"type": "ollama"}, "first": {"type": "openai", "enabled": False}}
    async with open_rig(Rig(), {"providers": providers}) as agent:
        with pytest.raises(manus.InvalidRequestError, match="enabled = false"):
            await agent.switch_provider("first")


async def test_status_tells_of_every_provider(autojump_clock: trio.testing.MockClock) -> None:
    rig = Rig(Script(fault=Rejected(status=401)))
    async with open_rig(rig) as agent:
        await agent.generate("Hello")
        status = await agent.get_provider_status()
    assert list(status) == ["first", "second"]
    assert (status["first"].state, status["first"].calls, status["first"].failures) == ("running", 1, 1)
    assert status["first"].last_failure == "auth (HTTP 401)"
    assert (status["second"].calls, status["second"].failures) == (1, 0)
    assert status["first"].to_dict()["models"] == ["big"]
    (asked,) = status["first"].deployments
    assert (asked.deployment, asked.failures, asked.breaker) == ("first/big", {"auth": 1}, "open")
    assert "auth" in status["first"].resting["first/big"]
    assert status["second"].resting == {}
    assert status["first"].to_dict()["deployments"][0]["breaker"] == "open"


async def test_status_is_told_in_time_of_a_provider_whose_places_are_all_taken(
    autojump_clock: trio.testing.MockClock,
) -> None:
    rig = Rig(Script(fault=Stall(where="headers")))
    providers = {"first": {"type": "openai", "base_url": "http://first/v1", "api_key": KEY, "concurrency": 1}}
    async with open_rig(rig, {"providers": providers}) as agent:
        async with agent.stream("Hello", model="m"):
            await trio.sleep(0.1)
            began = trio.current_time()
            status = await agent.get_provider_status()
            assert trio.current_time() - began <= 1.1
    assert status["first"].state == "running"
    assert status["first"].in_flight == 1
    assert status["first"].calls is None


async def test_explain_tells_the_plan_and_calls_nobody(autojump_clock: trio.testing.MockClock) -> None:
    rig = Rig()
    async with open_rig(rig) as agent:
        route = await agent.explain("Hello")
        with pytest.raises(manus.InvalidRequestError):
            await agent.explain("Hello", provider="nobody")
    assert [candidate.provider for candidate in route.candidates] == ["first", "second"]
    assert rig.first.bill.rows() == rig.second.bill.rows() == ()


async def test_the_summary_of_days_leaves_out_what_is_older(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig()) as agent:
        await agent.generate("Hello")
        assert (await agent.get_usage_summary(1)).total.requests == 1
        with pytest.raises(manus.InvalidRequestError):
            await agent.get_usage_summary(0)


async def test_events_tell_of_a_provider_that_crashes_and_comes_back(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig()) as agent:
        with agent.events() as events:
            agent._tree.crash("provider/first", RuntimeError("injected"))
            await trio.sleep(2)
            seen = names_of(events)
    assert seen == ["ActorExited", "RestartScheduled", "ActorStarted"]


async def test_an_agent_that_is_closed_says_so(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig()) as agent:
        pass
    with pytest.raises(manus.RequestCancelledError, match="Open another one"):
        await agent.generate("Hello")
    with pytest.raises(manus.RequestCancelledError):
        await agent.stream("Hello").response()


async def test_two_agents_in_one_loop_do_not_know_of_each_other(autojump_clock: trio.testing.MockClock) -> None:
    one, two = Rig(), Rig(Script(text="Another."))
    async with open_rig(one) as first, open_rig(two) as second:
        await first.switch_provider("second")
        assert (await second.generate("Hello")).content == "Another."
        assert (await first.get_usage_stats()).total.requests == 0


async def test_to_dict_of_a_response_is_plain_data(autojump_clock: trio.testing.MockClock) -> None:
    async with open_rig(Rig(Script(text='{"name": "Oslo", "inhabitants": 1}'))) as agent:
        told = (await agent.generate("Hello", response_format=City)).to_dict()
        report = (await agent.get_usage_stats()).to_dict()
    assert msgspec.json.decode(msgspec.json.encode(told))["parsed"] == {"name": "Oslo", "inhabitants": 1}
    assert report["total"]["cost_usd"] == told["usage"]["cost_usd"]
