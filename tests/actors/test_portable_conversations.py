"""A conversation moves between real journeys to all simulated vendors, which refuse what the true ones refuse."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from manus.messages.content import Text, ToolCall, ToolResult, Turn, text_turn
from manus.messages.outcomes import Finished
from manus.messages.requests import ReasoningOptions, Tool
from manus.sim.behaviour import Behaviour, Script, ScriptedCall
from manus.sim.provider import WIRES
from tests.actors.rig import MODEL, Rig, Upstreams, asked, finished, open_rig, outcome_of

CALLS = Script(
    text="Let me look.",
    reasoning="They want the weather.",
    tool_calls=(
        ScriptedCall(name="look", arguments='{"city": "Oslo"}'),
        ScriptedCall(name="look", arguments='{"city": "Rome"}'),
    ),
)
ANSWERS = Script(text="Warm in Rome.")
LOOK = Tool(name="look")


async def _ask(rig: Rig, provider: str, turns: tuple[Turn, ...], **fields: Any) -> Finished:
    request = asked(provider=provider, model=MODEL, fallback_providers=(), tools=(LOOK,), **fields)
    request = msgspec.structs.replace(request, turns=turns)
    return finished(outcome_of(await rig.router.ask(request, deadline=trio.current_time() + 60.0)))


def _results(turn: Turn) -> Turn:
    calls = [part for part in turn.parts if isinstance(part, ToolCall)]
    assert len(calls) == 2
    assert len({call.id for call in calls}) == 2
    return Turn(
        role="tool",
        parts=tuple(ToolResult(id=call.id, name=call.name, content=(Text(text="4 C"),)) for call in reversed(calls)),
    )


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("source", "target"), list(itertools.product(sorted(WIRES), repeat=2)))
async def test_calls_of_one_are_answered_to_another_and_back(
    autojump_clock: trio.testing.MockClock, source: str, target: str, streamed: bool
) -> None:
    one = Upstreams(Behaviour(first=(CALLS,), script=ANSWERS), wire=source)
    other = Upstreams(Behaviour(first=(ANSWERS, CALLS), script=ANSWERS), wire=target)
    async with open_rig(("one", one), ("other", other)) as rig:
        thinking = ReasoningOptions(effort="low")
        turns: tuple[Turn, ...] = (text_turn("system", "Be brief."), text_turn("user", "Oslo or Rome?"))
        first = await _ask(rig, "one", turns, reasoning=thinking, stream=streamed)
        assert first.answer.finish.reason == "tool_calls"
        assert first.answer.turn is not None
        turns = (*turns, first.answer.turn, _results(first.answer.turn))
        second = await _ask(rig, "other", turns, reasoning=thinking, stream=streamed)
        assert second.answer.turn is not None
        assert [part.text for part in second.answer.parts if isinstance(part, Text)] == ["Warm in Rome."]
        turns = (*turns, second.answer.turn, text_turn("user", "And tomorrow?"))
        third = await _ask(rig, "other", turns, reasoning=thinking, stream=streamed)
        assert third.answer.turn is not None
        turns = (*turns, third.answer.turn, _results(third.answer.turn))
        fourth = await _ask(rig, "one", turns, reasoning=thinking, stream=streamed)
        assert fourth.answer.finish.reason == "stop"
        await rig.check()
