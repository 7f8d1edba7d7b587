"""One attempt at a provider actor: what is sent, how each ending is told, and that the connection is let go."""

from __future__ import annotations

import json

import httpx
import pytest
import trio
import trio.testing

from manus.actors.codecs.base import HttpRequest
from manus.actors.credentials import Authorisation, NoCredentials, StaticKey
from manus.actors.provider_call import LINGER_S
from manus.actors.upstream import ProviderCounters, ProviderSpec, Upstream
from manus.messages.calls import ProviderStatus, StatusAsked
from manus.messages.content import Image, Text, Turn
from manus.messages.failures import Failed
from manus.messages.policy import ProviderPolicy
from manus.supervisor.shield import bounded_shield
from tests.actors.provider_rig import (
    ANSWER,
    DONE,
    KEY,
    REFUSAL,
    delta,
    failure_of,
    finish,
    provider,
    whole,
)
from tests.actors.scripted import Reply, ScriptedTransport

# --- what is sent ---------------------------------------------------------------------------------------------


async def test_request_goes_to_the_entrys_address_with_its_key_and_its_length(autojump_clock: object) -> None:
    async with provider(reply=whole(ANSWER), credentials=StaticKey(KEY)) as asked:
        await asked.ended()
        await asked.ended()

        first, second = asked.transport.requests
        assert str(first.url) == "http://p.test/v1/chat/completions"
        assert first.headers["authorization"] == f"Bearer {KEY}"
        assert first.headers["host"] == "p.test"
        assert first.headers["content-length"] == str(len(first.content))
        assert json.loads(first.content)["messages"] == [{"role": "user", "content": "Hi"}]
        assert second.headers.multi_items() == first.headers.multi_items()


async def test_request_that_cannot_be_written_never_leaves(autojump_clock: object) -> None:
    async with provider(reply=whole(ANSWER)) as asked:
        picture = Turn(role="system", parts=(Image(file_id="x"), Text(text="?")))
        ended = await asked.ended(turn=picture)

        assert failure_of(ended).kind in ("unsupported", "invalid_request")
        assert (ended.billed, asked.sent) == ("no", 0)
        assert asked.transport.requests == []


class Rotating:
    """Credentials that take a while to come, and are different every time."""

    fingerprint = "f"
    expires_at_unix_s = None

    def __init__(self) -> None:
        self.number = 0

    async def authorise(self, request: HttpRequest, url: httpx.URL) -> Authorisation | Failed:
        await trio.sleep(3.0)
        self.number += 1
        return Authorisation((("authorization", f"Bearer {self.number}"),), fingerprint=self.fingerprint)

    def refused(self, authorisation: Authorisation, failure: Failed) -> Failed:
        return failure

    def let_go(self) -> None:
        pass


async def test_credentials_may_take_their_time_and_change(autojump_clock: object) -> None:
    async with provider(reply=whole(ANSWER), credentials=Rotating()) as asked:
        for _ in range(2):
            await asked.ended()

        assert trio.current_time() == 6.0
        assert [r.headers["authorization"] for r in asked.transport.requests] == ["Bearer 1", "Bearer 2"]


async def test_credentials_that_do_not_come_are_bounded_by_the_deadline(autojump_clock: object) -> None:
    async with provider(reply=whole(ANSWER), credentials=Rotating()) as asked:
        await asked.call(within_s=2.0)

        assert trio.current_time() <= 2.05
        assert asked.sent == 0


# --- success --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_whole_answer_comes_in_whatever_pieces(size: int, autojump_clock: object) -> None:
    pieces = [ANSWER[at : at + size] for at in range(0, len(ANSWER), size)]
    async with provider(reply=whole(*pieces)) as asked:
        ended = await asked.ended()

        assert (ended.failure, ended.billed) == (None, "reported")
        assert ended.answer.parts == (Text(text="Hello"),)
        assert (ended.answer.usage.input_total, ended.answer.usage.output) == (9, 2)
        assert asked.transport.left == ["complete"]
        assert asked.delivery.phase == "streaming"
        assert asked.sent == 1


async def test_streamed_answer_is_timed_and_named(autojump_clock: object) -> None:
    async with provider(2.0, delta("Hel"), 1.0, delta("lo"), finish(), DONE) as asked:
        ended = await asked.ended(stream=True)

        assert ended.failure is None
        assert ended.first_content_s == 2.0
        assert ended.answer.parts == (Text(text="Hello"),)
        assert ended.answer.vendor_request_id == "req_7"


@pytest.mark.parametrize("status", [200, 500])
async def test_head_of_a_response_is_told_when_it_is_there(status: int, autojump_clock: object) -> None:
    told: list[float] = []
    reply = Reply(5.0, ANSWER, status=status, before=(3.0,))
    async with provider(reply=reply) as asked:
        asked.delivery.on_answered = lambda: told.append(trio.current_time())
        await asked.ended()

        assert told == [3.0]
        assert asked.sent == 1


async def test_answer_does_not_wait_for_the_end_of_the_body(autojump_clock: object) -> None:
    async with provider(delta("Hello"), finish(), DONE, 5.0) as asked:
        ended = await asked.ended(stream=True)

        assert (ended.failure, trio.current_time()) == (None, 0.0)
        await trio.sleep(10.0)
        assert asked.transport.left == ["broken"]


async def test_connection_is_kept_where_the_body_ends_soon_after_the_answer(autojump_clock: object) -> None:
    async with provider(delta("Hello"), finish(), DONE, LINGER_S / 2) as asked:
        await asked.ended(stream=True)

        assert trio.current_time() == 0.0
        await trio.sleep(1.0)
        assert asked.transport.left == ["complete"]


async def test_break_after_the_answer_is_nobodys_failure(autojump_clock: object) -> None:
    async with provider(delta("Hello"), finish(), DONE, 0.1, httpx.ReadError("gone")) as asked:
        ended = await asked.ended(stream=True)
        await trio.sleep(1.0)

        assert ended.failure is None
        status = await asked.ref.ask(StatusAsked(), deadline=trio.current_time() + 1)
        assert isinstance(status, ProviderStatus)
        assert (status.calls, status.failures) == (1, 0)


# --- foreign transports ---------------------------------------------------------------------------------------


async def test_transport_that_tells_no_phases_is_taken_to_have_sent(autojump_clock: object) -> None:
    silent = Reply(before=(500.0,))
    async with provider(reply=silent, reports_phases=False) as asked:
        ended = await asked.ended(stream=True)

        assert (failure_of(ended).timeout, ended.billed) == ("headers", "unknown")
        assert asked.sent == 1


async def test_connection_that_was_refused_is_not_billed_whoever_says_so(autojump_clock: object) -> None:
    refused = Reply(before=(httpx.ConnectError("refused"),))
    async with provider(reply=refused, reports_phases=False) as asked:
        assert (await asked.ended()).billed == "no"


@pytest.mark.parametrize("stream", [True, False])
async def test_head_that_comes_after_its_time_is_not_the_caller_leaving(stream: bool, autojump_clock: object) -> None:
    async with provider(delta("x"), finish(), DONE) as asked:
        in_time = asked.transport.handle_async_request

        async def too_late(request: httpx.Request) -> httpx.Response:
            response = await in_time(request)
            with bounded_shield(30.0):
                await trio.sleep(25.0)
            return response

        asked.transport.handle_async_request = too_late  # type: ignore[method-assign]
        failure = failure_of(await asked.ended(stream=stream))

    assert (failure.kind, failure.timeout) == ("timeout", "headers")


# --- cancellation ---------------------------------------------------------------------------------------------


async def test_asker_who_leaves_has_the_connection_closed_in_the_same_tick(autojump_clock: object) -> None:
    async with provider(delta("x"), 50.0) as asked:
        with trio.move_on_after(3.0):
            await asked.call(stream=True)
        await trio.testing.wait_all_tasks_blocked()

        assert trio.current_time() == 3.0
        assert asked.transport.left == ["broken"]


async def test_nothing_is_begun_where_the_asker_left_in_the_step_in_which_the_credentials_came(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    authorise = Upstream.authorise
    asker = trio.CancelScope()

    async def authorised_too_late(self: Upstream, encoded: HttpRequest, key: str | None = None) -> object:
        authorisation = await authorise(self, encoded, key)
        asker.cancel()
        while not left.is_set():  # the asker is told in a pass of the loop, and tells the actor
            await trio.lowlevel.cancel_shielded_checkpoint()
        return authorisation

    left = trio.Event()
    monkeypatch.setattr(Upstream, "authorise", authorised_too_late)
    async with provider(reply=whole(ANSWER)) as asked:
        with asker:
            await asked.call()
        left.set()
        await trio.testing.wait_all_tasks_blocked()

        assert asked.transport.requests == []


async def test_attempt_that_was_fenced_does_not_send(autojump_clock: object) -> None:
    async with provider(reply=whole(ANSWER)) as asked:
        asked.delivery.fence()
        ended = await asked.ended()

        assert ended.billed == "no"
        assert asked.transport.requests
        assert asked.delivery.phase == "queued"
        assert asked.sent == 0


# --- the actor ------------------------------------------------------------------------------------------------


async def test_status_tells_what_is_going_on(autojump_clock: object) -> None:
    async with provider(reply=whole(REFUSAL, status=404, before=(5.0,))) as asked:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(asked.ended)
            await trio.sleep(1.0)
            during = await asked.ref.ask(StatusAsked(), deadline=trio.current_time() + 1)
        after = await asked.ref.ask(StatusAsked(), deadline=trio.current_time() + 1)

        assert isinstance(during, ProviderStatus)
        assert (during.name, during.in_flight, during.limit, during.models) == ("p", 1, 4, ("m",))
        assert isinstance(after, ProviderStatus)
        assert (after.in_flight, after.calls, after.failures) == (0, 1, 1)
        assert after.last_failure == "not_found (HTTP 404)"


async def test_places_bound_the_calls_in_flight(autojump_clock: object) -> None:
    async with provider(reply=whole(ANSWER, before=(5.0,)), concurrency=2) as asked:
        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(asked.ended)
            await trio.sleep(1.0)
            assert len(asked.transport.requests) == 2

        assert trio.current_time() == 15.0


class Server:
    """A model server on this machine that moves with every restart."""

    def __init__(self, *answers: str | Failed) -> None:
        self.answers = list(answers)

    async def ensure(self) -> str | Failed:
        await trio.sleep(1.0)
        return self.answers.pop(0)


async def test_local_server_is_waited_for_and_followed_to_its_new_address(autojump_clock: object) -> None:
    down = Failed(kind="unavailable", message="It does not start.")
    server = Server("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1", down)
    async with provider(reply=whole(ANSWER), server=server) as asked:
        first, second, third = await asked.ended(), await asked.ended(), await asked.ended()

        assert (first.failure, second.failure) == (None, None)
        assert [str(request.url) for request in asked.transport.requests] == [
            "http://127.0.0.1:1/v1/chat/completions",
            "http://127.0.0.1:2/v1/chat/completions",
        ]
        assert (failure_of(third).kind, third.billed) == ("unavailable", "no")


async def test_entry_with_neither_or_both_addresses_is_a_mistake_of_the_wiring(autojump_clock: object) -> None:
    spec = ProviderSpec(
        name="p",
        wire="openai-chat",
        policy=ProviderPolicy(name="p", type="openai"),
        credentials=NoCredentials(),
        transport_factory=lambda base_url: ScriptedTransport(Reply()),
    )
    with pytest.raises(ValueError, match="base URL"):
        Upstream(spec, ProviderCounters())
