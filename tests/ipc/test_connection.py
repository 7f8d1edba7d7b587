"""One connection over pipes in memory, the whole agent behind it, on a virtual clock: what a host is owed."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from manus.sim.behaviour import Script
from manus.sim.faults import FAULTS
from tests.face.rig import TEXT, Rig
from tests.ipc.memory_host import MemoryHost, open_host

LONG = " ".join(f"word{number}" for number in range(400)) + "."


def slow(text: str = LONG, gap_s: float = 0.05) -> Rig:
    return Rig(Script(text=text, gap_s=gap_s))


def said(events: list[dict[str, Any]]) -> str:
    return "".join(event["delta"] for event in events)


# --- asking ---------------------------------------


async def test_a_request_has_its_answer(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(Rig()) as host:
        host.ask(1, "generate", prompt="hello")
        _, reply = await host.answer(1)

        assert reply["result"]["content"] == TEXT
        assert reply["result"]["finish_reason"] == "stop"


async def test_a_stream_is_its_events_and_then_the_reply(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow()) as host:
        host.ask("s", "stream", prompt="hello")
        events, reply = await host.answer("s")

        assert said(events) == LONG == reply["result"]["content"]
        assert {event["kind"] for event in events} == {"delta"}


async def test_requests_run_side_by_side(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow("a b c d e", gap_s=1.0)) as host:
        began = trio.current_time()
        for number in range(20):
            host.ask(number, "generate", prompt=f"hello {number}")
        heard = {(await host.hear())["id"] for _ in range(20)}

        assert heard == set(range(20))
        assert trio.current_time() - began < 10.0


async def test_nothing_but_ping_is_answered_before_the_greeting(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(Rig(), greeted=False) as host:
        host.ask(1, "ping")
        host.ask(2, "generate", prompt="hello")
        host.ask(3, "initialize", protocolVersion=7)
        host.ask(4, "initialize", protocolVersion=1)
        host.ask(5, "initialize", protocolVersion=1)
        host.ask(6, "generate", prompt="hello")
        heard = [await host.hear() for _ in range(6)]

        told = [each["error"]["data"]["kind"] if "error" in each else "ok" for each in heard]
        assert told == ["ok", "not_initialized", "unsupported_version", "ok", "already_initialized", "ok"]
        assert heard[2]["error"]["data"]["supported"] == [1]


async def test_an_id_in_flight_is_refused_and_free_again_after_its_reply(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_host(slow("one two three")) as host:
        host.ask(1, "generate", prompt="hello")
        host.ask(1, "generate", prompt="hello")
        refused = await host.hear()
        _, reply = await host.answer(1)
        host.ask(1, "ping")
        again = await host.hear()

        assert refused["id"] is None
        assert refused["error"]["data"]["kind"] == "duplicate_id"
        assert refused["error"]["data"]["id"] == 1
        assert reply["result"]["content"] == "one two three"
        assert again["id"] == 1


async def test_broken_lines_cost_themselves_alone(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(Rig(), frame_bytes_max=1024) as host:
        host.say(b"not json\n", b"[1]\n", b'"text"\n', b"\xff\xfe\n", b"x" * 100_000 + b"\n", b"[" * 900 + b"\n")
        host.ask(1, "nonsense")
        host.ask(2, "generate", prompt=5)
        host.ask(3, "ping")
        heard = [await host.hear() for _ in range(9)]

        assert [each["error"]["code"] for each in heard[:8]] == [
            -32700, -32600, -32600, -32700, -32700, -32700, -32601, -32602,
        ]  # fmt: skip
        assert heard[4]["error"]["data"]["kind"] == "frame_too_large"
        assert heard[7]["error"]["data"]["path"] == "params.prompt"
        assert heard[8] == {"jsonrpc": "2.0", "id": 3, "result": {}}


async def test_a_switch_holds_for_its_own_connection(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(Rig()) as host:
        other = MemoryHost(host.agent, host.session.policy)
        host.ask(1, "providers.switch", provider="second")
        await host.answer(1)
        host.ask(2, "generate", prompt="hello")
        _, reply = await host.answer(2)

        assert reply["result"]["provider"] == "second"
        assert host.agent.get_available_providers()[0] == "first"
        assert other.host.methods._agent.get_available_providers()[0] == "first"


async def test_a_failure_is_told_with_what_a_program_needs(autojump_clock: trio.testing.MockClock) -> None:
    rig = Rig(Script(fault=FAULTS["429"]), Script(fault=FAULTS["500"]))
    async with open_host(rig, {"retry": {"attempts_max": 2, "wait_here_s": 0}}) as host:
        host.ask(1, "generate", prompt="hello", request_key="k")
        _, reply = await host.answer(1)

        data = reply["error"]["data"]
        assert set(data) >= {"kind", "retryable", "retry_after_ms", "provider", "model", "attempts", "request_id"}
        assert data["attempts"] == 2


# --- cancel and credit ---------------------------------------


@pytest.mark.parametrize(("method", "booking"), [("generate", "in_doubt"), ("stream", "settled")])
async def test_a_cancelled_request_says_what_it_cost(
    method: str, booking: str, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_host(slow()) as host:
        host.ask(1, method, prompt="hello")
        await trio.sleep(3.02)
        host.tell("$/cancelRequest", id=1)
        _, reply = await host.answer(1)

        assert reply["result"]["finish_reason"] == "cancelled"
        assert [each["booking"] for each in reply["result"]["route"]["attempts"]] == [booking]
        assert reply["result"]["route"]["attempts"][0]["usage"]["input_uncached"] > 0
        assert trio.current_time() < 4.0


async def test_what_never_left_is_cancelled_as_an_error(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow()) as host:
        host.ask(1, "stream", prompt="hello")
        host.tell("$/cancelRequest", id=1)
        _, reply = await host.answer(1)

        assert reply["error"]["code"] == -32800


async def test_cancel_and_credit_of_nobody_are_ignored_and_told_to_who_asks(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_host(Rig()) as host:
        for _ in range(50):
            host.tell("$/cancelRequest", id=77)
            host.tell("$/credit", id=77, n=1)
        host.ask(1, "$/cancelRequest", id=77)
        host.ask(2, "$/credit", id=77, n=1)

        assert [(await host.hear())["result"] for _ in range(2)] == [{"known": False}, {"known": False}]


async def test_a_window_holds_events_back_until_there_is_credit(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow()) as host:
        host.ask(1, "stream", prompt="hello", window=3)
        events = [(await host.hear())["params"]["event"] for _ in range(3)]
        await trio.sleep(10.0)
        assert not host.sink.written, "without credit nothing goes"
        host.tell("$/credit", id=1, n=1)
        fourth = (await host.hear())["params"]

        assert fourth["seq"] == 3
        assert len(fourth["event"]["delta"]) > 500, "what waited is joined"
        host.tell("$/credit", id=1, n=1000)
        rest: list[dict[str, Any]] = []
        while "result" not in (heard := await host.hear()):
            rest.append(heard["params"]["event"])
        assert said([*events, fourth["event"], *rest]) == LONG


async def test_credit_right_behind_its_request_counts(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow("one two three four five")) as host:
        host.ask(1, "stream", prompt="hello", window=1)
        host.tell("$/credit", id=1, n=100)
        events, reply = await host.answer(1)

        assert said(events) == reply["result"]["content"]


async def test_the_window_of_the_greeting_is_every_streams(autojump_clock: trio.testing.MockClock) -> None:
    async with open_host(slow(), greeted=False) as host:
        greeting = await host.greet(window=2)
        host.ask(1, "stream", prompt="hello")
        for _ in range(2):
            await host.hear()
        await trio.sleep(5.0)

        assert greeting["result"]["limits"]["window"] == 2
        assert not host.sink.written


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
