"""One connection whose host does not read, or reads slowly, or asks without ids: what is bounded, who is stalled."""

from __future__ import annotations

import trio
import trio.testing

from tests.face.rig import Rig
from tests.ipc.memory_host import LONG, open_host, said, slow

# --- hosts that do not read ---------------------------------------


async def test_a_host_without_credit_is_told_that_it_stalled(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow(), consumer_stall_s=5.0) as host:
        host.ask(1, "stream", prompt="hello", window=1)
        events, reply = await host.answer(1)

        data = reply["error"]["data"]
        assert reply["error"]["code"] == -32017
        assert data["kind"] == "slow_consumer"
        assert data["usage"]["output_tokens"] > 0
        assert data["partial"].startswith(said(events))
        assert len(events) == 1
        assert trio.current_time() < 120.0


async def test_a_pause_is_no_stall_until_the_requests_time_is_up(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow(), consumer_stall_s=5.0) as host:
        host.ask(1, "stream", prompt="hello", timeout_s=100)
        host.tell("$/pause", id=1)
        await trio.sleep(60.0)
        assert not host.sink.written
        host.tell("$/resume", id=1)
        events, reply = await host.answer(1)

        assert said(events) == LONG == reply["result"]["content"]


async def test_a_pause_without_end_ends_with_the_request(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow(), consumer_stall_s=5.0) as host:
        host.ask(1, "stream", prompt="hello", timeout_s=100)
        host.tell("$/pause", id=1)
        _, reply = await host.answer(1)

        assert reply["error"]["data"]["kind"] == "slow_consumer"
        assert 99.0 < trio.current_time() < 110.0


async def test_a_slow_reader_is_no_stalled_one(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow(LONG * 10, gap_s=0.0), room=256, consumer_stall_s=5.0) as host:
        host.sink.piece = 64
        for number in range(5):
            host.ask(number, "stream", prompt="hello")
        texts = dict.fromkeys(range(5), "")
        left = set(range(5))
        while left:
            await trio.sleep(1.0)
            heard = await host.hear()
            if "result" in heard:
                left.remove(heard["id"])
                assert heard["result"]["content"] == texts[heard["id"]] == LONG * 10
            else:
                texts[heard["params"]["id"]] += heard["params"]["event"]["delta"]


async def test_a_flood_of_pings_to_a_host_that_does_not_read_holds_no_more_than_its_bound(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_host(Rig(), room=1000, outbox_bytes_max=4096) as host:
        for number in range(20_000):
            host.ask(number, "ping")
        await trio.testing.wait_all_tasks_blocked()
        held = host.session.outbox.waiting_bytes + host.session.framer.held_bytes

        assert held < 4096 + 2 * 65_536
        assert host.source.unread > 500_000, "the pipe is the back-pressure"
        heard = [(await host.hear())["id"] for _ in range(20_000)]
        assert heard == list(range(20_000))


async def test_too_many_requests_are_refused_and_cancel_still_gets_through(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_host(slow(), in_flight_max=3) as host:
        for number in range(6):
            host.ask(number, "generate", prompt="hello")
        refused = [await host.hear() for _ in range(3)]
        await trio.sleep(1.0)
        host.ask(7, "ping")
        host.tell("$/cancelRequest", id=0)
        pong, cancelled = await host.hear(), await host.hear()

        assert [each["id"] for each in refused] == [3, 4, 5]
        assert {each["error"]["data"]["kind"] for each in refused} == {"overloaded"}
        assert refused[0]["error"]["data"]["retryable"]
        assert pong["id"] == 7
        assert cancelled["result"]["finish_reason"] == "cancelled"


# --- the short form ---------------------------------------


async def test_requests_without_id_are_answered_in_their_order(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow("a b c d", gap_s=1.0), greeted=False) as host:
        host.say(
            {"command": "generate", "params": {"prompt": "slow"}},
            {"command": "providers"},
            {"command": "nonsense"},
            {"command": "stream", "params": {"prompt": "x"}},
            {"command": "providers", "id": "early"},
        )
        early, first, second, third = [await host.hear() for _ in range(4)]
        chunks = []
        while (heard := await host.hear())["status"] == "chunk":
            chunks.append(heard["chunk"])

        assert early["id"] == "early"
        assert first["response"]["content"] == "a b c d"
        assert second["response"]["providers"] == ["first", "second"]
        assert third["status"] == "error"
        assert said(chunks) == heard["response"]["content"] == "a b c d"


async def test_a_flood_without_ids_behind_a_slow_request_is_not_read_further(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_host(slow(), greeted=False, in_flight_max=5) as host:
        host.say({"command": "generate", "params": {"prompt": "slow"}})
        for _ in range(2000):
            host.say({"command": "nonsense"})
        await trio.testing.wait_all_tasks_blocked()

        assert len(host.session.calls) <= 10
        heard = [await host.hear() for _ in range(2001)]
        assert heard[0]["status"] == "success"
        assert {each["status"] for each in heard[1:]} == {"error"}
