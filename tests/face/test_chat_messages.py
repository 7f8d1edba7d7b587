"""What may be said in a chat: messages of every shape, and the options of a turn."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from manus.agent_config import AgentConfig
from manus.asking import OPTIONS, ChatOptions
from manus.conversations import prompt_of_message
from manus.errors import (
    InvalidRequestError,
    OutputFormatError,
)
from manus.messages.content import Image, Text, ToolResult, Turn
from manus.sim.behaviour import Behaviour, Script, ScriptedCall
from tests.face.chatting import Host

WEATHER = {"name": "temperature", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
SLOW = Script(text="one two three four five", first_token_s=1.0, gap_s=1.0)


# --- what may be said -----------------------------------------------------------------------------------------


async def test_results_of_tools_are_the_next_message(autojump_clock: object) -> None:
    calls = Script(text="", tool_calls=(ScriptedCall(name="temperature", arguments='{"city": "Oslo"}'),))
    host = Host(Behaviour(first=(calls, Script(text="4 degrees."))))
    async with host.agent() as agent:
        response = await agent.chat("How warm is it in Oslo?", "c", tools=[WEATHER])
        (call,) = response.tool_calls
        result = ToolResult(id=call.id, name=call.name, content=(Text(text="4"),))
        answer = await agent.chat(result, "c", tools=[WEATHER])
        assert answer.content == "4 degrees."
        assert len((await agent.get_conversation("c")).exchanges) == 2
    said = host.sent[1]["messages"]
    assert [message["role"] for message in said] == ["user", "assistant", "tool"]
    assert said[1]["tool_calls"][0]["id"] == said[2]["tool_call_id"] == call.id
    assert said[2]["content"] == "4"


RESULT = ToolResult(id="1", content=(Text(text="4"),))
PICTURE = Image(data=b"hi", media_type="image/png")


@pytest.mark.parametrize(
    ("message", "prompt"),
    [
        ("text", "text"),
        (Text(text="t"), (Turn(role="user", parts=(Text(text="t"),)),)),
        ([PICTURE, Text(text="t")], (Turn(role="user", parts=(PICTURE, Text(text="t"))),)),
        (RESULT, (Turn(role="tool", parts=(RESULT,)),)),
        (
            [RESULT, Text(text="and?")],
            (Turn(role="tool", parts=(RESULT,)), Turn(role="user", parts=(Text(text="and?"),))),
        ),
        ([{"type": "text", "text": "t"}], {"role": "user", "content": [{"type": "text", "text": "t"}]}),
        ({"role": "user", "content": "t"}, {"role": "user", "content": "t"}),
        ([{"role": "tool", "tool_call_id": "1", "content": "4"}],) * 2,
        (Turn(role="user", parts=(Text(text="t"),)),) * 2,
        ([],) * 2,
        (7,) * 2,
        (b"bytes",) * 2,
    ],
)
def test_every_shape_of_a_message_is_understood(message: Any, prompt: Any) -> None:
    assert prompt_of_message(message) == prompt


@pytest.mark.parametrize("message", ["", " ", [], 7, None, b"x", [7], {"role": "user"}, {"type": "text", "text": "t"}])
async def test_a_message_that_says_nothing_is_refused_and_leaves_no_trace(message: Any, autojump_clock: object) -> None:
    host = Host()
    async with host.agent() as agent:
        await agent.chat("One", "c")
        with pytest.raises(InvalidRequestError):
            await agent.chat(message, "c")
        assert len((await agent.get_conversation("c")).exchanges) == 1
    assert len(host.sent) == 1


def test_chat_takes_every_option_of_generate_but_the_name() -> None:
    assert set(OPTIONS) - set(ChatOptions.__annotations__) == {"conversation_id"}


async def test_options_of_a_turn_hold_for_that_turn(autojump_clock: object) -> None:
    host = Host()
    async with host.agent() as agent:
        await agent.chat("One", "c", temperature=0.5, max_tokens=50, tags=["t"], request_key="k", end_user_id="u")
        await agent.chat("Two", "c")
        assert (await agent.request_status("k")).state == "settled"
        report = await agent.get_usage_stats(by="conversation")
        assert {line.conversation: line.requests for line in report.lines} == {"c": 2}
        tagged = await agent.get_usage_stats(by="tag")
        assert {line.tag: line.requests for line in tagged.lines}["t"] == 1
        with pytest.raises(TypeError, match="did you mean 'temperature'"):
            await agent.chat("Three", "c", temprature=0.5)  # type: ignore[call-arg]
    assert (host.sent[0]["temperature"], "temperature" in host.sent[1]) == (0.5, False)


async def test_a_system_prompt_becomes_the_conversations(autojump_clock: object) -> None:
    host = Host()
    async with host.agent(AgentConfig(system_prompt="The agent's.")) as agent:
        await agent.chat("One", "c")
        await agent.chat("Two", "c", system_prompt="The turn's.")
        await agent.chat("Three", "c")
        await agent.create_conversation("own", system_prompt="Its own.")
        await agent.chat("One", "own")
        await agent.create_conversation("usual")
        await agent.chat("One", "usual")
    system = [body["messages"][0]["content"] for body in host.sent]
    assert system == ["The agent's.", "The turn's.", "The turn's.", "Its own.", "The agent's."]


async def test_data_of_a_shape_may_be_asked_for(autojump_clock: object) -> None:
    class City(msgspec.Struct):
        name: str

    host = Host(Behaviour(first=(Script(text='{"name": "Oslo"}'), Script(text="Oslo, I think"), Script(text="Sorry."))))
    async with host.agent() as agent:
        response = await agent.chat("Which city?", "c", response_format=City)
        assert response.parsed == City(name="Oslo")
        with pytest.raises(OutputFormatError) as caught:
            await agent.chat("And now?", "c", response_format=City)
        assert caught.value.partial is not None
        await agent.chat("That was no JSON.", "c")
    assert len(host.sent[2]["messages"]) == 5, "the answer was whole, and the model can be told what was wrong with it"
