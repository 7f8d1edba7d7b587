"""Own the rig that tests of one attempt run in: a provider actor over one scripted transport, and pieces of answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing

from manus.actors.credentials import Credentials, NoCredentials
from manus.actors.delivery import Delivery
from manus.actors.provider import provider_child
from manus.actors.upstream import LocalServer, ProviderSpec
from manus.messages.calls import Call
from manus.messages.content import Turn, text_turn
from manus.messages.failures import Failed
from manus.messages.ids import DeploymentId, RequestId
from manus.messages.outcomes import CallEnded
from manus.messages.policy import Bounds, ModelCard, ProviderPolicy, Timeouts
from manus.messages.requests import ChatRequest
from manus.supervisor.ref import Ref
from manus.supervisor.spec import SupervisorSpec
from manus.supervisor.tree import open_tree
from tests.actors.scripted import Piece, Reply, ScriptedTransport

TIMEOUTS = Timeouts(headers_s=10.0, answer_s=20.0, first_content_s=12.0, idle_s=8.0, finish_s=3.0, total_s=100.0)
KEY = "sk-canary-0123456789"

ANSWER = json.dumps(
    {
        "id": "c1",
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
    }
).encode()

REFUSAL = json.dumps({"error": {"message": "No such model", "code": "model_not_found"}}).encode()

SSE = {"content-type": "text/event-stream", "x-request-id": "req_7"}
DONE = b"data: [DONE]\n\n"


def delta(text: str) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


def finish() -> bytes:
    return stop() + usage_only()


def stop() -> bytes:
    return event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


def usage_only() -> bytes:
    return event({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}})


def event(fields: dict[str, object]) -> bytes:
    return b"data: " + json.dumps({"id": "c1", "model": "m", **fields}).encode() + b"\n\n"


class Asked:
    """A provider actor over one scripted transport, and what its delivery saw."""

    def __init__(self, ref: Ref, transport: ScriptedTransport) -> None:
        self.ref = ref
        self.transport = transport
        self.sent = 0
        self.delivery = Delivery(None, on_sending=self._note)

    async def call(
        self, *, stream: bool = False, within_s: float = 60.0, model: str = "m", turn: Turn | None = None
    ) -> object:
        turns = (turn or text_turn("user", "Hi"),)
        request = ChatRequest(request_id=RequestId("r1"), turns=turns, stream=stream)
        if self.delivery.assembly is not None:
            self.delivery = Delivery(None, on_sending=self._note)
        call = Call(request=request, model=model, deployment=DeploymentId("p/m"), attempt=1, estimated_input_tokens=7)
        return await self.ref.ask(call, deadline=trio.current_time() + within_s, sink=self.delivery)

    async def ended(self, *, stream: bool = False, within_s: float = 60.0, turn: Turn | None = None) -> CallEnded:
        answer = await self.call(stream=stream, within_s=within_s, turn=turn)
        assert isinstance(answer, CallEnded), answer
        return answer

    def _note(self) -> None:
        self.sent += 1


@asynccontextmanager
async def provider(
    *pieces: Piece,
    reply: Reply | None = None,
    credentials: Credentials | None = None,
    reports_phases: bool = True,
    bounds: Bounds | None = None,
    server: LocalServer | None = None,
    concurrency: int = 4,
) -> AsyncIterator[Asked]:
    transport = ScriptedTransport(reply or Reply(*pieces, headers=SSE), reports_phases=reports_phases)
    spec = ProviderSpec(
        name="p",
        wire="openai-chat",
        policy=ProviderPolicy(name="p", type="openai", models=(ModelCard(name="m"),)),
        credentials=credentials or NoCredentials(),
        transport_factory=lambda base_url: transport,
        base_url=None if server is not None else "http://p.test/v1/",
        server=server,
        timeouts=TIMEOUTS,
        bounds=bounds or Bounds(),
        concurrency=concurrency,
        now_unix_s=lambda: 1_800_000_000.0,
    )
    async with open_tree(SupervisorSpec(id="root", children=(provider_child(spec),)), seed=1) as tree:
        yield Asked(tree.ref("provider/p"), transport)
    assert transport.closed


def whole(
    *pieces: Piece, status: int = 200, headers: dict[str, str] | None = None, before: tuple[float, ...] = ()
) -> Reply:
    return Reply(*pieces, status=status, headers=headers, before=before)


def failure_of(ended: CallEnded) -> Failed:
    assert ended.failure is not None
    return ended.failure
