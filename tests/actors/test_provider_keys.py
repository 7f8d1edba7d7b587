"""An entry with several keys: the call says which one is shown, and what the vendor says of it is said of that one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from manus.actors.credentials import StaticKey, WithHeaders
from manus.actors.credentials.base import REFUSALS
from manus.actors.delivery import Delivery
from manus.actors.provider import provider_child
from manus.actors.upstream import ProviderSpec
from manus.messages.calls import Call
from manus.messages.content import text_turn
from manus.messages.failures import Failed, FailureKind
from manus.messages.ids import RequestId, deployment_id
from manus.messages.outcomes import CallEnded
from manus.messages.policy import ModelCard, ProviderPolicy
from manus.messages.requests import ChatRequest
from manus.supervisor.ref import Ref
from manus.supervisor.spec import SupervisorSpec
from manus.supervisor.tree import open_tree
from tests.actors.scripted import Reply, ScriptedTransport

ANSWER = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}]}'
SECRETS = ("sk-canary-one-0123456789", "sk-canary-two-0123456789")
KEYS = {key.fingerprint: key for key in map(StaticKey, SECRETS)}
ONE, TWO = KEYS
TEAM = (("X-Team", "t"),)


class Asked:
    """A provider actor with two keys, over one scripted transport."""

    def __init__(self, ref: Ref, transport: ScriptedTransport) -> None:
        self.ref = ref
        self.transport = transport
        self.named: str | None = None

    async def ended(self, key: str | None) -> CallEnded:
        """Ask with `key`; `named` is then what the books are told of the key."""
        request = ChatRequest(request_id=RequestId("r1"), turns=(text_turn("user", "Hi"),))
        call = Call(request=request, model="m", deployment=deployment_id("p", "m", key), attempt=1, key=key)
        delivery = Delivery(None, on_sending=lambda: setattr(self, "named", delivery.key_fingerprint))
        answer = await self.ref.ask(call, deadline=trio.current_time() + 60.0, sink=delivery)
        assert isinstance(answer, CallEnded), answer
        return answer

    async def refusal(self, key: str | None) -> Failed:
        """Ask with `key`, and insist on failure."""
        failure = (await self.ended(key)).failure
        assert failure is not None
        return failure

    def shown(self) -> list[str]:
        """List the secrets that were shown, in order."""
        return [request.headers["authorization"].removeprefix("Bearer ") for request in self.transport.requests]


@asynccontextmanager
async def provider(reply: Reply) -> AsyncIterator[Asked]:
    transport = ScriptedTransport(reply)
    spec = ProviderSpec(
        name="p",
        wire="openai-chat",
        policy=ProviderPolicy(name="p", type="openai", models=(ModelCard(name="m"),)),
        credentials=WithHeaders(KEYS[ONE], TEAM),
        keys={name: WithHeaders(key, TEAM) for name, key in KEYS.items()},
        transport_factory=lambda base_url: transport,
        base_url="http://p.test/v1/",
    )
    async with open_tree(SupervisorSpec(id="root", children=(provider_child(spec),)), seed=1) as tree:
        yield Asked(tree.ref("provider/p"), transport)


async def test_key_that_a_call_names_is_the_one_that_is_shown_and_booked(autojump_clock: object) -> None:
    async with provider(Reply(ANSWER)) as asked:
        named = []
        for key in (TWO, ONE, TWO, TWO):
            assert (await asked.ended(key)).failure is None
            named.append(asked.named)
    one, two = SECRETS
    assert asked.shown() == [two, one, two, two]
    assert named == [TWO, ONE, TWO, TWO]
    assert all(request.headers["x-team"] == "t" for request in asked.transport.requests)


async def test_call_that_names_no_key_shows_the_first_one(autojump_clock: object) -> None:
    async with provider(Reply(ANSWER)) as asked:
        await asked.ended(None)
    assert (asked.shown(), asked.named) == ([SECRETS[0]], ONE)


async def test_key_that_the_entry_does_not_have_is_shown_to_nobody_and_replaced_by_none(autojump_clock: object) -> None:
    async with provider(Reply(ANSWER)) as asked:
        failure = await asked.refusal("0123456789ab")
    assert asked.transport.requests == []
    assert (failure.kind, failure.safe_to_retry, failure.what_to_do.health) == ("unavailable", True, False)
    assert "0123456789ab" in failure.message


@pytest.mark.parametrize(("status", "kind"), [(401, "auth"), (403, "permission"), (402, "quota_exhausted")])
async def test_refused_key_is_named_and_neither_told_nor_tried_again(
    status: int, kind: FailureKind, autojump_clock: object
) -> None:
    error = b'{"error": {"message": "Not with %s"}}' % SECRETS[1].encode()
    async with provider(Reply(error, status=status)) as asked:
        failure = await asked.refusal(TWO)
    assert failure.kind == kind
    assert kind in REFUSALS
    assert TWO in failure.message
    assert "canary" not in repr(failure)
    assert failure.what_to_do.retry_here == "no"
    assert len(asked.transport.requests) == 1


async def test_failure_that_says_nothing_of_the_key_does_not_blame_it(autojump_clock: object) -> None:
    async with provider(Reply(b'{"error": {"message": "busy"}}', status=503)) as asked:
        failure = await asked.refusal(TWO)
    assert TWO not in failure.message
