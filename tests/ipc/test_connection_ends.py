"""How one connection ends: at the end of its input, by shutdown and exit, by a host that left, by crashes."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from tests.face.rig import Rig
from tests.ipc.memory_host import LONG, open_host, slow

# --- ends ---------------------------------------


async def test_the_end_of_input_lets_what_is_in_flight_finish(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow("one two three")) as host:
        host.ask(1, "generate", prompt="hello")
        host.source.end()
        _, reply = await host.answer(1)
        ending = await host.over()

        assert reply["result"]["content"] == "one two three"
        assert ending.why == "eof"


async def test_a_host_that_can_give_no_more_credit_gets_the_rest(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow()) as host:
        host.ask(1, "stream", prompt="hello", window=1)
        host.ask(2, "stream", prompt="hello")
        host.tell("$/pause", id=2)
        await trio.sleep(1.0)
        host.source.end()
        texts = {1: "", 2: ""}
        replies: dict[int, Any] = {}
        while len(replies) < 2:
            heard = await host.hear()
            if "result" in heard:
                replies[heard["id"]] = heard["result"]["content"]
            else:
                texts[heard["params"]["id"]] += heard["params"]["event"]["delta"]

        assert texts == replies == {1: LONG, 2: LONG}


async def test_a_half_line_at_the_end_of_input_is_not_acted_upon(autojump_clock: trio.testing.MockClock) -> None:
    rig = Rig()
    async with open_host(rig) as host:
        host.say(b'{"jsonrpc": "2.0", "id": 1, "method": "generate", "params": {"prompt": "hello"}}')
        host.source.end()
        heard = await host.hear()
        await host.over()

        assert heard["id"] is None
        assert heard["error"]["data"]["kind"] == "unfinished_line"
        assert len(rig.first.bill) == 0


async def test_shutdown_answers_everything_and_itself_last(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow()) as host:
        host.ask(1, "stream", prompt="hello")
        host.ask(2, "generate", prompt="hello")
        await trio.sleep(1.0)
        host.ask(3, "shutdown", deadline_ms=2000)
        host.ask(4, "generate", prompt="hello")
        host.ask(5, "ping")
        replies: list[dict[str, Any]] = []
        while not replies or replies[-1]["id"] != 3:
            heard = await host.hear()
            if "id" in heard:
                replies.append(heard)
        ending = await host.over()

        by_id = {each["id"]: each for each in replies}
        assert by_id[1]["result"]["finish_reason"] == by_id[2]["result"]["finish_reason"] == "cancelled"
        assert by_id[4]["error"]["data"]["kind"] == "stopping"
        assert by_id[5]["result"] == {}
        assert by_id[3]["result"] == {}
        assert ending.why == "shutdown"
        assert not host.sink.written
        assert 3.0 <= trio.current_time() < 4.0


async def test_what_waits_for_its_turn_at_the_end_is_never_begun(autojump_clock: trio.testing.MockClock) -> None:
    rig = slow()
    async with open_host(rig) as host:
        for _ in range(3):
            host.say({"command": "stream", "params": {"prompt": "hello"}})
        host.ask(9, "shutdown", deadline_ms=1000)
        ends: list[dict[str, Any]] = []
        while not ends or ends[-1].get("id") != 9:
            heard = await host.hear()
            if heard.get("status") != "chunk":
                ends.append(heard)

        assert ends[0]["response"]["finish_reason"] == "cancelled"
        assert [each["error"]["code"] for each in ends[1:3]] == [-32800, -32800]
        assert len(rig.first.bill) == 1, "work begins for nobody"


async def test_exit_ends_at_once(autojump_clock: trio.testing.MockClock) -> None:
    rig = slow()
    async with open_host(rig) as host:
        host.ask(1, "stream", prompt="hello")
        await trio.sleep(1.0)
        host.tell("exit")
        ending = await host.over()

        assert ending.why == "exit"
        assert trio.current_time() < 1.5
        assert rig.open_exchanges == 0


async def test_a_host_that_reads_no_more_ends_its_requests_at_once(autojump_clock: trio.testing.MockClock) -> None:
    rig = slow()
    async with open_host(rig) as host:
        for number in range(5):
            host.ask(number, "stream", prompt="hello")
        await trio.sleep(1.0)
        host.sink.fail(BrokenPipeError())
        ending = await host.over()

        assert ending.why == "gone"
        assert trio.current_time() < 2.0
        assert rig.open_exchanges == 0


async def test_a_host_that_died_quietly_is_noticed_while_its_requests_drain(
    autojump_clock: trio.testing.MockClock,
) -> None:
    rig = slow()
    async with open_host(rig) as host:
        host.ask(1, "generate", prompt="hello")
        await trio.sleep(1.0)
        host.sink.broken = True
        host.source.end()
        await host.over()

        assert trio.current_time() < 2.0
        assert rig.open_exchanges == 0


async def test_last_words_to_a_host_that_does_not_read_take_bounded_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_host(slow("a b c"), room=10) as host:
        for number in range(50):
            host.ask(number, "generate", prompt="hello")
        host.ask(99, "shutdown", deadline_ms=1000)
        await host.over()

        assert trio.current_time() < 15.0


async def test_a_read_that_fails_is_the_end_of_the_host(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(Rig()) as host:
        host.source.error = ConnectionResetError()
        host.source.end()
        ending = await host.over()

        assert ending.why == "gone"


# --- crashes ---------------------------------------


async def test_a_crashed_session_answers_every_open_id_and_reads_on(autojump_clock: trio.testing.MockClock) -> None:
    rig = slow()
    async with open_host(rig) as host:
        host.ask("a", "stream", prompt="hello")
        host.ask("b", "generate", prompt="hello")
        await trio.sleep(1.0)
        host.say(b'{"jsonrpc": "2.0", "id": "c", "meth')  # half a line is with the session
        await trio.testing.wait_all_tasks_blocked()
        host.crash()
        host.say(b'od": "ping"}\n')
        replies: dict[str, dict[str, Any]] = {}
        while len(replies) < 3:
            heard = await host.hear()
            if "id" in heard:
                assert heard["id"] not in replies
                replies[heard["id"]] = heard

        for lost in ("a", "b"):
            data = replies[lost]["error"]["data"]
            assert data["kind"] == "actor_crashed"
            assert data["request_id"].startswith("req-")
        assert replies["c"]["result"] == {}
        assert rig.open_exchanges == 0, "what nobody waits for was cancelled upstream"
        host.ask("d", "providers.list")
        assert (await host.hear())["id"] == "d", "the greeting still holds"


async def test_a_crash_tears_no_line(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow(gap_s=0.0), room=100, consumer_stall_s=1000.0) as host:
        host.sink.piece = 7
        host.ask(1, "generate", prompt="hello")
        await trio.sleep(1.0)
        assert host.sink.written, "the reply is half written"
        host.crash()
        heard = [await host.hear()]
        host.ask(2, "ping")
        heard.append(await host.hear())

        assert [each["id"] for each in heard] == [1, 2]
        assert heard[0]["result"]["content"] == LONG


async def test_a_session_that_crashes_while_it_ends_still_ends(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow()) as host:
        host.ask(1, "generate", prompt="hello")
        host.ask(2, "shutdown", deadline_ms=3000)
        await trio.sleep(1.0)
        host.crash()
        replies = [await host.hear(), await host.hear()]
        ending = await host.over()

        assert [each["id"] for each in replies] == [1, 2]
        assert ending.why == "shutdown"


async def test_a_defect_in_one_request_ends_that_request(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_host(slow("one two three")) as host:

        async def break_down(*_: object) -> object:
            raise ZeroDivisionError("marzipan")

        monkeypatch.setattr(type(host.host.methods), "answer", break_down)
        host.ask(1, "generate", prompt="hello")
        host.ask(2, "limits")
        _, broken = await host.answer(2)
        _, fine = await host.answer(1)

        assert broken["error"]["code"] == -32603
        assert "marzipan" not in str(broken), "a defect's own words may hold anything"
        assert fine["result"]["content"] == "one two three"


async def test_defects_in_short_order_crash_the_session_and_nobody_goes_unanswered(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_host(slow()) as host:

        async def break_down(*_: object) -> object:
            raise ZeroDivisionError("marzipan")

        monkeypatch.setattr(type(host.host.methods), "answer", break_down)
        host.ask("long", "generate", prompt="hello")
        for number in range(5):
            host.ask(number, "limits")
        heard = {(each := await host.hear())["id"]: each for _ in range(6)}

        assert set(heard) == {"long", 0, 1, 2, 3, 4}
        assert all("error" in each for each in heard.values())


async def test_a_supervisor_that_stops_lets_the_connection_drain(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow("one two three")) as host:
        host.ask(1, "generate", prompt="hello")
        await trio.sleep(0.01)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: host.agent._tree.stop(drain_s=30.0, hard_s=1.0))
            _, reply = await host.answer(1)
            ending = await host.over()

        assert reply["result"]["content"] == "one two three"
        assert ending.why == "stopping"
