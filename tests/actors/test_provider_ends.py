"""How an attempt at a provider ends that does not end well at once: waits that run out, refusals, nonsense."""

from __future__ import annotations

import httpx
import pytest
import trio
import trio.testing

from manus.actors.provider_call import IDLE_SLACK
from manus.messages.content import Text
from manus.messages.outcomes import CallEnded
from manus.messages.policy import Bounds
from tests.actors.provider_rig import (
    ANSWER,
    DONE,
    REFUSAL,
    SSE,
    TIMEOUTS,
    delta,
    failure_of,
    provider,
    stop,
    usage_only,
    whole,
)
from tests.actors.scripted import Piece, Reply


def _every(gap_s: float, piece: bytes, times: int) -> list[Piece]:
    pieces: list[Piece] = []
    for _ in range(times):
        pieces += [piece, gap_s]
    return pieces


# --- the end of a stream that is finished ---------------------------------------------------------------------


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
