"""What a response shows of an answer, and that its turn carries a conversation on, here and elsewhere."""

from __future__ import annotations

import json
import pickle

import msgspec
import pytest
import trio.testing

import manus
from manus.messages.content import Citation, Reasoning, Refusal, Text, ToolCall, Turn, VendorTurn
from manus.messages.ids import RequestId
from manus.messages.outcomes import Answer, Finish, Finished
from manus.responses import response_of
from manus.sim.behaviour import Behaviour, Script, ScriptedCall
from manus.sim.faults import Rejected
from tests.face.rig import Rig, open_rig

SOURCE = msgspec.Raw(b'{"type":"url_citation","url":"https://h"}')
PARTS = (
    Reasoning(text="hm", signature="s", provider="w", model="m"),
    Text(text="It is "),
    Citation(url="https://h", title="H", raw=SOURCE),
    Text(text="cold."),
    ToolCall(id="c", name="look"),
    Refusal(text="No more."),
)
FULL = Finished(
    request_id=RequestId("req-1"),
    provider="p",
    model="m",
    answer=Answer(
        parts=PARTS,
        finish=Finish(reason="tool_calls"),
        vendor_request_id="req_vendor",
        logprobs=(msgspec.Raw(b'[{"token":"It","logprob":-0.5}]'), msgspec.Raw(b"null")),
        warnings=("top_k was dropped",),
        turn=Turn(role="assistant", parts=PARTS, vendor=VendorTurn(provider="w", model="m", raw=msgspec.Raw(b"[1]"))),
    ),
)


def test_everything_an_answer_holds_can_be_seen() -> None:
    response = response_of(FULL)
    assert response.content == "It is cold."
    assert (response.reasoning, response.refusal) == ("hm", "No more.")
    assert [(source.url, source.title) for source in response.citations] == [("https://h", "H")]
    assert response.logprobs == ([{"token": "It", "logprob": -0.5}], None)
    assert (response.request_id, response.vendor_request_id) == ("req-1", "req_vendor")
    assert response.warnings == ("top_k was dropped",)
    assert response.turn is FULL.answer.turn


def test_it_can_be_written_as_json() -> None:
    plain = json.loads(json.dumps(response_of(FULL).to_dict()))
    assert plain["citations"][0]["url"] == "https://h"
    assert plain["citations"][0]["raw"] == {"type": "url_citation", "url": "https://h"}
    assert plain["logprobs"][0][0]["token"] == "It"
    assert plain["vendor_request_id"] == "req_vendor"


def test_a_response_without_a_turn_makes_one() -> None:
    bare = response_of(Finished(request_id=RequestId("r"), answer=Answer(parts=PARTS), provider="p", model="m"))
    assert bare.turn == Turn(role="assistant", parts=PARTS)


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_turn_of_a_response_carries_a_conversation_to_another_provider(
    streamed: bool, autojump_clock: trio.testing.MockClock
) -> None:
    calls = Script(text="Let me look.", tool_calls=(ScriptedCall(name="look", arguments='{"a": 1}'),))
    rig = Rig(Behaviour(first=(calls,), script=Script(text="Once more.")), Script(text="It is cold."))
    tools = [{"name": "look"}]
    async with open_rig(rig) as agent:
        conversation = [Turn(role="user", parts=(Text(text="Look!"),))]
        asked = await agent.begin(conversation, streamed=streamed, provider="first", tools=tools).response()
        (call,) = asked.tool_calls
        result = manus.ToolResult(id=call.id, content=(Text(text="4 C"),))
        conversation += [asked.turn, Turn(role="tool", parts=(result,))]
        answered = await agent.begin(conversation, streamed=streamed, provider="second", tools=tools).response()
        assert (answered.provider, answered.content) == ("second", "It is cold.")
        conversation += [answered.turn, Turn(role="user", parts=(Text(text="And now?"),))]
        again = await agent.begin(conversation, streamed=streamed, provider="first", tools=tools).response()
        assert (again.provider, again.content) == ("first", "Once more.")


async def test_a_refusal_by_the_vendor_names_its_own_id_of_the_call(autojump_clock: trio.testing.MockClock) -> None:
    rig = Rig(Script(fault=Rejected(status=400)))
    async with open_rig(rig) as agent:
        with pytest.raises(manus.InvalidRequestError) as caught:
            await agent.generate("Hello", provider="first")
    error = caught.value
    assert error.vendor_request_id is not None
    assert error.vendor_request_id == error.to_dict()["vendor_request_id"] == error.attempts[0].vendor_request_id
    assert pickle.loads(pickle.dumps(error)).vendor_request_id == error.vendor_request_id
