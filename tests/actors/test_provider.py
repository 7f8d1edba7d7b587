"""One attempt at a provider actor: what is sent, how each ending is told, and that the connection is let go."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import trio
import trio.testing

from manus.actors.codecs.base import HttpRequest
from manus.actors.credentials import Authorisation, Credentials, NoCredentials, StaticKey
from manus.actors.delivery import Delivery
from manus.actors.provider import provider_child
from manus.actors.provider_call import IDLE_SLACK, LINGER_S
from manus.actors.upstream import LocalServer, ProviderCounters, ProviderSpec, Upstream
from manus.messages.calls import Call, ProviderStatus, StatusAsked
from manus.messages.content import Image, Text, Turn, text_turn
from manus.messages.failures import Failed
from manus.messages.ids import DeploymentId, RequestId
from manus.messages.outcomes import CallEnded
from manus.messages.policy import Bounds, ModelCard, ProviderPolicy, Timeouts
from manus.messages.requests import ChatRequest
from manus.supervisor.ref import Ref
from manus.supervisor.shield import bounded_shield
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

SSE = {"content-type": "text/event-stream", "x-request-id": "req_7"}
DONE = b"data: [DONE]\n\n"


def delta(text: str) -> bytes:
    return _event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


def finish() -> bytes:
    return stop() + usage_only()


def stop() -> bytes:
    return _event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


def usage_only() -> bytes:
    return _event({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}})


def _event(fields: dict[str, object]) -> bytes:
    return b"data: " + json.dumps({"id": "c1", "model": "m", **fields}).encode() + b"\n\n"


def _every(gap_s: float, piece: bytes, times: int) -> list[Piece]:
    pieces: list[Piece] = []
    for _ in range(times):
        pieces += [piece, gap_s]
    return pieces


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


@pytest.mark.parametrize(
    "more",
    [
        [50.0],
        [1.0, b": ping\n\n", 1.0, b": ping\n\n", 1.0, b": ping\n\n", 50.0],
        [1.0, usage_only(), 50.0],
    ],
)
async def test_end_that_does_not_come_after_the_finish_reason_is_waited_for_shortly(
    more: list[Piece], autojump_clock: object
) -> None:
    async with provider(delta("Hello"), 7.0, stop(), *more) as asked:
        ended = await asked.ended(stream=True)

        assert ended.failure is None
        assert trio.current_time() == 7.0 + TIMEOUTS.finish_s
        assert ended.answer.parts == (Text(text="Hello"),)
        assert ended.answer.finish.reason == "stop"
        assert ended.billed == ("reported" if usage_only() in more else "estimated")
        assert asked.transport.left in ([], ["broken"])


async def test_body_that_ends_after_the_finish_reason_is_not_waited_for_at_all(autojump_clock: object) -> None:
    async with provider(delta("Hello"), stop()) as asked:
        ended = await asked.ended(stream=True)

        assert ended.failure is None
        assert trio.current_time() == 0.0


# --- named waits ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "stream", "timeout", "at_s"),
    [
        (Reply(before=(50.0,)), True, "headers", 10.0),
        (Reply(before=(50.0,)), False, "headers", 20.0),
        (Reply(50.0, headers=SSE), True, "first_content", 12.0),
        (Reply(6.0, b": ping\n\n", 6.1, b": ping\n\n", headers=SSE), True, "first_content", 12.0),
        (Reply(50.0), False, "idle", 8.0),
        (Reply(7.0, ANSWER[:5], 7.0, ANSWER[5:9], 50.0), False, "idle", 22.0),
        (Reply(7.0, delta("x"), 50.0, headers=SSE), True, "idle", 15.0),
        (Reply(7.0, delta("x"), 5.0, b": ping\n\n", 5.0, headers=SSE), True, "idle", 15.0),
        (Reply(*_every(7.0, delta("x"), 20), headers=SSE), True, "total", 100.0),
    ],
)
async def test_each_wait_has_a_name_and_ends_the_attempt(
    reply: Reply, stream: bool, timeout: str, at_s: float, autojump_clock: object
) -> None:
    async with provider(reply=reply) as asked:
        ended = await asked.ended(stream=stream, within_s=500.0)

        failure = failure_of(ended)
        assert (failure.kind, failure.timeout) == ("timeout", timeout)
        assert f"timeouts.{timeout}_s" in failure.message or timeout == "headers"
        assert at_s <= trio.current_time() <= at_s + TIMEOUTS.idle_s * IDLE_SLACK
        assert asked.transport.left in ([], ["broken"])
        assert ended.billed == ("estimated" if asked.delivery.first_content_at is not None else "unknown")


async def test_deadline_of_the_request_is_not_called_a_timeout_of_the_provider(autojump_clock: object) -> None:
    async with provider(delta("x"), 5.0, delta("y"), 50.0) as asked:
        answer = await asked.call(stream=True, within_s=6.0)

        assert isinstance(answer, CallEnded)
        assert failure_of(answer).kind == "deadline"
        assert answer.answer.parts == (Text(text="xy"),)


# --- refusals and nonsense ------------------------------------------------------------------------------------

REFUSAL = json.dumps({"error": {"message": "No such model", "code": "model_not_found"}}).encode()


@pytest.mark.parametrize(
    ("status", "billed"),
    [
        *[(400, "no"), (401, "no"), (404, "no"), (429, "no"), (500, "no"), (503, "no"), (302, "no")],
        *[(408, "unknown"), (502, "unknown"), (504, "unknown"), (522, "unknown")],
    ],
)
async def test_refusal_is_a_value_that_says_whether_it_may_be_billed(
    status: int, billed: str, autojump_clock: object
) -> None:
    async with provider(reply=whole(REFUSAL, status=status)) as asked:
        ended = await asked.ended()

        failure = failure_of(ended)
        assert (failure.status, ended.billed, failure.safe_to_retry) == (status, billed, billed == "no")
        assert (failure.provider, failure.model, failure.phase) == ("p", "m", "sent")
        assert asked.transport.left == ["complete"]


async def test_huge_error_page_is_read_as_far_as_the_bound(autojump_clock: object) -> None:
    page = b"<html>" + b"x" * 1000
    async with provider(reply=whole(*[page] * 1000, status=500), bounds=Bounds(error_bytes=5000)) as asked:
        ended = await asked.ended()

        assert failure_of(ended).kind == "server"
        assert asked.transport.read_bytes <= 5000 + len(page)
        assert asked.transport.left == ["broken"]


async def test_error_page_that_never_ends_is_judged_by_its_status(autojump_clock: object) -> None:
    async with provider(reply=whole(*_every(0.5, b"x", 100), status=429, headers={"retry-after": "3"})) as asked:
        ended = await asked.ended()

        failure = failure_of(ended)
        assert (failure.kind, failure.retry_after_s) == ("rate_limited", 3.0)
        assert trio.current_time() <= TIMEOUTS.idle_s
        assert asked.transport.left == ["broken"]


async def test_error_page_that_breaks_off_is_judged_by_its_status(autojump_clock: object) -> None:
    async with provider(reply=whole(b"{", httpx.ReadError("gone"), status=401)) as asked:
        assert failure_of(await asked.ended()).kind == "auth"


async def test_page_instead_of_an_answer_is_no_answer(autojump_clock: object) -> None:
    async with provider(reply=whole(b"<html>log in</html>", headers={"content-type": "text/html"})) as asked:
        ended = await asked.ended()

        assert (failure_of(ended).kind, ended.billed) == ("protocol", "unknown")
        assert asked.transport.left == ["broken"]


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        ((delta("Hel"),), "incomplete"),
        ((delta("Hel"), httpx.ReadError("gone")), "network"),
        ((delta("Hel"), b"data: {nonsense\n\n", delta("lo"), DONE), "protocol"),
        ((delta("Hel"), b'data: {"error": {"message": "boom", "type": "server_error"}}\n\n'), "server"),
    ],
)
async def test_answer_that_is_cut_is_a_failure_with_what_came(
    pieces: tuple[Piece, ...], kind: str, autojump_clock: object
) -> None:
    async with provider(*pieces) as asked:
        ended = await asked.ended(stream=True)

        assert (failure_of(ended).kind, ended.billed) == (kind, "estimated")
        assert ended.answer.parts == (Text(text="Hel"),)
        assert (ended.answer.usage.input_total, ended.answer.usage.source) == (7, "estimated")
        assert ended.answer.usage.output >= 1
        assert len(asked.transport.left) == 1


async def test_body_beyond_its_bound_is_not_kept(autojump_clock: object) -> None:
    pieces = [b"{" + b"x" * 999] * 1000
    async with provider(reply=whole(*pieces), bounds=Bounds(response_bytes=5000)) as asked:
        ended = await asked.ended()

        assert failure_of(ended).kind == "protocol"
        assert asked.transport.read_bytes <= 7000


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
