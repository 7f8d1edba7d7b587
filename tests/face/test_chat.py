"""Chats as a program has them: a message, an answer, and a history that nobody has to carry about."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import manus
from manus.errors import (
    ContextLengthError,
    ConversationNotFoundError,
    InternalError,
    InvalidRequestError,
    LLMError,
    OverloadedError,
    RequestCancelledError,
    TimeoutError,  # noqa: A004
)
from manus.sim.behaviour import Behaviour, Script
from manus.sim.faults import Cut, Rejected
from tests.face.chatting import Host

WEATHER = {"name": "temperature", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
SLOW = Script(text="one two three four five", first_token_s=1.0, gap_s=1.0)


async def test_a_chat_goes_on_where_it_was(autojump_clock: object) -> None:
    host = Host(Behaviour(first=(Script(text="Hello, Ann."), Script(text="Ann."))))
    async with host.agent() as agent:
        first = await agent.chat("I am Ann.")
        assert first.conversation_id is not None
        assert first.conversation_id.startswith("conv-")
        second = await agent.chat("Who am I?", first.conversation_id)
        assert (second.content, second.conversation_id) == ("Ann.", first.conversation_id)
    messages = [(message["role"], message["content"]) for message in host.sent[1]["messages"]]
    assert messages == [("user", "I am Ann."), ("assistant", "Hello, Ann."), ("user", "Who am I?")]


async def test_a_name_that_is_not_there_yet_begins_a_conversation(autojump_clock: object) -> None:
    host = Host()
    async with host.agent() as agent:
        response = await agent.chat("One", "my-chat")
        assert response.conversation_id == "my-chat"
        assert response.to_dict()["conversation_id"] == "my-chat"
        assert len((await agent.get_conversation("my-chat")).exchanges) == 1
        assert (await agent.chat("A new one")).conversation_id != (await agent.chat("Another")).conversation_id


async def test_a_streamed_chat_is_the_same(autojump_clock: object) -> None:
    host = Host(SLOW)
    async with host.agent() as agent:
        stream = agent.chat_stream("One", "c")
        text = ""
        async for chunk in stream:
            text += chunk.delta
        response = await stream.response()
        assert text == response.content == "one two three four five"
        assert response.conversation_id == "c"
        whole = await agent.begin_chat("Two", "c", streamed=False).response()
        assert whole.content == text
        conversation = await agent.get_conversation("c")
        assert [turn.role for turn in conversation.turns] == ["user", "assistant"] * 2
    assert [body.get("stream", False) for body in host.sent] == [True, False]


async def test_chunks_come_as_they_are_said(autojump_clock: object) -> None:
    async with Host(SLOW).agent() as agent:
        at = []
        async for chunk in agent.chat_stream("One"):
            if chunk.delta:
                at.append(trio.current_time())
        assert [round(later - at[0]) for later in at] == [0, 1, 2, 3, 4]


async def test_a_conversation_is_told_as_data(autojump_clock: object) -> None:
    async with Host(Script(text="Hi.")).agent() as agent:
        await agent.create_conversation("c", system_prompt="Be brief.")
        await agent.chat("Hello", "c")
        conversation = await agent.get_conversation("c")
        told = conversation.to_dict()
    assert told["id"] == "c"
    assert told["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi."},
    ]
    assert told["exchanges"][0]["answer"]["parts"] == [{"type": "text", "text": "Hi."}]
    assert (told["in_hand"], told["on_disk"], told["forgotten"]) == (0, False, 0)
    assert isinstance(conversation, manus.Conversation)


async def test_conversations_are_created_and_deleted(autojump_clock: object) -> None:
    host = Host()
    async with host.agent() as agent:
        name = await agent.create_conversation()
        assert (await agent.get_conversation(name)).exchanges == ()
        with pytest.raises(InvalidRequestError, match="there is a conversation of this name already"):
            await agent.create_conversation(name)
        await agent.chat("One", name)
        assert await agent.delete_conversation(name) is True
        assert await agent.delete_conversation(name) is False
        with pytest.raises(ConversationNotFoundError, match="there is no conversation"):
            await agent.get_conversation(name)
        await agent.chat("Anew", name)
    assert len(host.sent[1]["messages"]) == 1


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 300, "half \ud800", 7, b"c"])
async def test_what_is_no_name_is_refused_everywhere(name: Any, autojump_clock: object) -> None:
    host = Host()
    async with host.agent() as agent:
        with pytest.raises(InvalidRequestError, match="conversation_id"):
            await agent.chat("Hello", name)
        with pytest.raises(InvalidRequestError, match="conversation_id"):
            agent.chat_stream("Hello", name)
        with pytest.raises(InvalidRequestError, match="conversation_id"):
            await agent.create_conversation(name)
        with pytest.raises(InvalidRequestError, match="conversation_id"):
            await agent.get_conversation(name)
        with pytest.raises(InvalidRequestError, match="conversation_id"):
            await agent.delete_conversation(name)
    assert host.sent == []


# --- ends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Rejected(status=400), Cut(where="body", after_chunks=1)])
async def test_a_turn_that_fails_leaves_the_history_as_it_was(fault: Any, autojump_clock: object) -> None:
    host = Host(Behaviour(first=(Script(text="a"), *[Script(text="b c d", fault=fault)] * 2), script=Script(text="e")))
    async with host.agent(retry={"same_deployment": 0}, routing={"on_interrupt": "error"}) as agent:
        await agent.chat("One", "c")
        before = (await agent.get_conversation("c")).exchanges
        with pytest.raises(LLMError):
            await agent.chat("Two", "c")
        with pytest.raises(LLMError):
            async for _ in agent.chat_stream("Three", "c"):
                pass
        assert (await agent.get_conversation("c")).exchanges == before
        await agent.chat("Four", "c")
    assert [message["content"] for message in host.sent[-1]["messages"]] == ["One", "a", "Four"]


async def test_a_chat_that_is_cancelled_tells_what_was_used_and_leaves_no_trace(autojump_clock: object) -> None:
    host = Host(SLOW)
    async with host.agent() as agent:
        stream = agent.chat_stream("One", "c")
        async for chunk in stream:
            if chunk.delta:
                break
        response = await stream.cancel()
        assert response.finish_reason == "cancelled"
        assert response.conversation_id == "c"
        assert response.usage.output_tokens > 0
        assert host.open_exchanges == 0
        with pytest.raises(ConversationNotFoundError):
            await agent.get_conversation("c")


async def test_a_chat_cancelled_in_line_was_never_sent(autojump_clock: object) -> None:
    host = Host(SLOW)
    async with host.agent() as agent:
        first = agent.chat_stream("One", "c")
        await anext(first)
        second = agent.chat_stream("Two", "c")
        await trio.sleep(0.5)
        response = await second.cancel()
        assert (response.finish_reason, response.usage.cost_nano_usd) == ("cancelled", 0)
        await first.response()
        assert len((await agent.get_conversation("c")).exchanges) == 1
    assert len(host.sent) == 1


@pytest.mark.parametrize("on_cancel", ["abort", "drain"])
async def test_leaving_a_chat_is_leaving_the_request(on_cancel: str, autojump_clock: object) -> None:
    host = Host(SLOW)
    async with host.agent() as agent:
        with trio.move_on_after(2.5):
            await agent.chat("One", "c", on_cancel=on_cancel)  # type: ignore[arg-type]
        await trio.sleep(20)
        assert host.open_exchanges == 0
        total = (await agent.get_usage_stats()).total
        assert (total.settled, total.in_doubt) == ((1, 0) if on_cancel == "drain" else (0, 1))
        with pytest.raises(ConversationNotFoundError):
            await agent.get_conversation("c")


async def test_a_stream_that_is_dropped_frees_the_line(autojump_clock: object) -> None:
    host = Host(SLOW)
    async with host.agent() as agent:
        async for _ in agent.chat_stream("One", "c"):
            break
        response = await agent.chat("Two", "c")
        assert response.content == "one two three four five"
        assert len((await agent.get_conversation("c")).exchanges) == 1


async def test_a_turn_that_waits_too_long_says_so(autojump_clock: object) -> None:
    async with Host(SLOW).agent() as agent, trio.open_nursery() as nursery:
        nursery.start_soon(agent.chat, "One", "c")
        await trio.sleep(0.1)
        with pytest.raises(TimeoutError, match="before its turn came"):
            await agent.chat("Two", "c", timeout_s=1.0)


async def test_turns_beyond_the_line_are_refused(autojump_clock: object) -> None:
    async with Host(SLOW).agent(conversations={"waiting_max": 0}) as agent, trio.open_nursery() as nursery:
        nursery.start_soon(agent.chat, "One", "c")
        await trio.sleep(0.1)
        with pytest.raises(OverloadedError, match="waiting_max"):
            await agent.chat("Two", "c")


async def test_deleting_ends_what_runs(autojump_clock: object) -> None:
    host = Host(SLOW)
    async with host.agent() as agent, trio.open_nursery() as nursery:

        async def run(text: str) -> None:
            with pytest.raises(RequestCancelledError, match="deleted"):
                await agent.chat(text, "c")

        nursery.start_soon(run, "One")
        nursery.start_soon(run, "Two")
        await trio.sleep(2.5)
        assert (await agent.delete_conversation("c")) is True
        await trio.sleep(0.1)
        assert host.open_exchanges == 0
    assert len(host.sent) == 1


async def test_a_crash_answers_at_once_and_the_conversation_goes_on(autojump_clock: object) -> None:
    host = Host(SLOW)
    async with host.agent() as agent:
        await agent.chat("One", "c")
        async with trio.open_nursery() as nursery:

            async def run() -> None:
                with pytest.raises(InternalError):
                    await agent.chat("Two", "c")
                assert trio.current_time() < 9

            nursery.start_soon(run)
            await trio.sleep(2.0)
            agent._tree.crash("conversations", RuntimeError("injected"))
        await agent.chat("Three", "c")
        spoken = [turn.role for turn in (await agent.get_conversation("c")).turns]
        assert spoken == ["user", "assistant"] * 2
        assert (await agent.get_usage_stats()).total.requests == 3, "what was used is in the books"


# --- long conversations ---------------------------------------------------------------------------------------


async def test_a_conversation_may_outgrow_its_model(autojump_clock: object) -> None:
    host = Host(Script(text="word " * 50))
    models = [{"name": "sim-large", "context_length": 1000, "cost_per_input": 1, "cost_per_output": 2}]
    config = {"first": {"type": "openai", "base_url": "http://h/v1", "api_key": "k", "models": models}}
    async with host.agent(conversations={"answer_tokens": 100}, providers=config) as agent:
        for number in range(30):
            response = await agent.chat(f"{number}: " + "word " * 50, "c", system_prompt="Be brief.")
        assert len((await agent.get_conversation("c")).exchanges) == 30
        assert any("left out" in warning for warning in response.warnings)
    sent = host.sent[-1]["messages"]
    assert sent[0]["content"] == "Be brief."
    assert sent[1]["role"] == "user"
    assert 3 < len(sent) < 30
    assert sent[-1]["content"].startswith("29: ")


async def test_a_message_that_no_model_can_read_is_told_so(autojump_clock: object) -> None:
    host = Host()
    models = [{"name": "sim-large", "context_length": 1000}]
    config = {"first": {"type": "openai", "base_url": "http://h/v1", "api_key": "k", "models": models}}
    async with host.agent(providers=config) as agent:
        await agent.chat("One", "c")
        with pytest.raises(ContextLengthError):
            await agent.chat("word " * 5000, "c")
        assert len((await agent.get_conversation("c")).exchanges) == 1


async def test_a_conversation_goes_on_with_another_vendor(autojump_clock: object) -> None:
    host = Host(Script(text="From the first.", reasoning="hm hm"), "anthropic")
    host.add("second", Script(text="From the second."), "openai")
    async with host.agent() as agent:
        await agent.chat("One", "c", reasoning="high", max_tokens=4000)
        await agent.switch_provider("second")
        await agent.chat("Two", "c")
        await agent.switch_provider("first")
        await agent.chat("Three", "c", reasoning="high", max_tokens=4000)
    thinking, there, back = host.sent
    assert "thinking" in thinking
    assert "signature" not in str(there), "another vendor is not shown it"
    said = back["messages"]
    assert said[1]["content"][0]["type"] == "thinking"
    assert said[1]["content"][0]["signature"].startswith("Eq"), "its own thinking comes back, signed"
    assert [message["role"] for message in said] == ["user", "assistant", "user", "assistant", "user"]
