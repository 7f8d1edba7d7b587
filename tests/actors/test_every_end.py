"""Every way in which an attempt can end, over every wire, by faults that really happen: its row, and who says so.

The table is that of `docs/cancelling.md`. Truth is the simulated provider's own bill, which shares no code with ours.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import httpx
import msgspec
import pytest
import trio

from manus.actors.ledger.records import AnyRecord, AttemptReserved
from manus.actors.ledger.rows import LedgerRow
from manus.actors.ledger.store import Fault as StoreFault
from manus.messages.policy import Timeouts
from manus.messages.routing_policy import RetryPolicy, RouterPolicy
from manus.sim.behaviour import Script
from manus.sim.bill import BillRow
from manus.sim.faults import Cut, ErrorInside, Fault, HtmlBody, NoMarker, NoUsage, Refusal, Rejected, Stall, exists_on
from manus.sim.memory import SimTransport
from manus.sim.wire import WireName
from tests.actors.rig import TIMEOUTS, Rig, Upstreams, asked, open_rig

TEXT = "one two three four five six seven eight nine ten"
SLOW = Script(text=TEXT, latency_s=4.0, first_token_s=4.0, gap_s=1.0)
"""Connecting until 2, headers at 6, first content at 10, then a word a second; the last one comes at 19."""

QUICK = Script(text=TEXT)

WIRES: tuple[WireName, ...] = get_args(WireName)

INPUT_TOLD_FIRST = ("anthropic",)
"""Wires that say how long the prompt was before they answer it."""

RELEASED = ("released", None)
IN_DOUBT = ("in_doubt", "bound")
ESTIMATED = ("settled", "estimated")
REPORTED = ("settled", "reported")

Act = Callable[[Rig], Awaitable[object]]


@dataclass(frozen=True)
class End:
    """One line of the table.

    Args:
        row: the state, and who says what was used.
        act: what happens; a stream is asked for and read, unless it says otherwise.
        output: how many tokens of the answer are booked, where the row is settled; None for what is on the bill.
        hold: how many sends of the provider come through before the network is clogged for a long time.
    """

    row: tuple[str, str | None]
    act: Act
    script: Script = SLOW
    output: int | None = None
    timeouts: Timeouts = TIMEOUTS
    policy: RouterPolicy = field(default_factory=lambda: RouterPolicy(retry=RetryPolicy(attempts_max=1)))
    connect_s: float = 2.0
    hold: Callable[[WireName], int] | None = None
    transport: Callable[[SimTransport], httpx.AsyncBaseTransport] | None = None
    store: Callable[[Literal["before", "after"], AnyRecord], StoreFault | None] | None = None
    wires: tuple[WireName, ...] = WIRES


# --- what happens -------------------------------------------------------------------------------------------------


async def read(rig: Rig) -> None:
    await rig.stream()


async def read_whatever_comes(rig: Rig) -> None:
    """Ask for a stream that the supervisor may have to end."""
    with rig.router.ask_stream(asked(stream=True), deadline=60.0) as dialog:
        await dialog.outcome()


async def generate(rig: Rig) -> None:
    await rig.generate()


def leaves(at_s: float) -> Act:
    """The caller drops the stream after so long."""

    async def act(rig: Rig) -> None:
        with trio.move_on_after(at_s):
            await rig.stream()

    return act


def leaves_whole(at_s: float) -> Act:
    async def act(rig: Rig) -> None:
        with trio.move_on_after(at_s):
            await rig.generate()

    return act


def deadline(at_s: float) -> Act:
    async def act(rig: Rig) -> None:
        await rig.stream(within_s=at_s)

    return act


def crashes(actor: str, at_s: float) -> Act:
    """An actor dies while the answer is on its way."""

    async def act(rig: Rig) -> None:
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def crash() -> None:
                await trio.sleep(at_s)
                rig.tree.crash(actor, RuntimeError("injected"))

            await read_whatever_comes(rig)

    return act


def stops(at_s: float, drain_s: float) -> Act:
    """The whole tree is stopped, in order, while the answer is on its way."""

    async def act(rig: Rig) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_whatever_comes, rig)
            await trio.sleep(at_s)
            await rig.tree.stop(drain_s=drain_s, hard_s=5.0)

    return act


async def does_not_read(rig: Rig) -> None:
    with rig.router.ask_stream(asked(stream=True), deadline=trio.current_time() + 60, buffer=2) as dialog:
        await dialog.outcome()


class NeverSends(httpx.AsyncBaseTransport):
    """A connection that takes no byte: the request has begun to leave and never does."""

    reports_phases = True

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions["manus_phase"]("connecting")
        request.extensions["manus_phase"]("sending")
        await trio.sleep_forever()
        raise AssertionError("unreachable")


def unwilling_disk(point: Literal["before", "after"], record: AnyRecord) -> StoreFault | None:
    return "stall" if point == "before" and isinstance(record, AttemptReserved) else None


def fault(script: Script, fault: Fault) -> Script:
    return msgspec.structs.replace(script, fault=fault)


def content_sends(wire: WireName) -> int:
    """How many times a provider sends until the last word of `TEXT` is out, its head included."""
    openings = {"ollama": 0, "openai-responses": 2, "azure": 2}.get(wire, 1)
    return 1 + openings + 10


def finish_sends(wire: WireName) -> int:
    """How many times it sends until its finish reason is out as well, without the counts where those follow."""
    return content_sends(wire) + 1


def usage_sends(wire: WireName) -> int:
    """How many times it sends until everything is out but the end marker."""
    return content_sends(wire) + (1 if wire == "anthropic" else 2)


QUICKLY = RouterPolicy(retry=RetryPolicy(attempts_max=1), consumer_stall_s=5.0)

TABLE: dict[str, End] = {
    # the caller leaves
    "left before the grant": End(RELEASED, leaves(1.0), store=unwilling_disk),
    "left while connecting": End(RELEASED, leaves(1.0)),
    "left while sending": End(RELEASED, leaves(1.0), transport=lambda sim: NeverSends()),
    "left before the head": End(IN_DOUBT, leaves(4.0)),
    "left before the first content": End(IN_DOUBT, leaves(8.0)),
    **{f"left after chunk {k}": End(ESTIMATED, leaves(9.5 + k), output=k) for k in range(1, 10)},
    "left after a whole answer was begun": End(IN_DOUBT, leaves_whole(13.5)),
    # the deadline
    "deadline while connecting": End(RELEASED, deadline(1.0)),
    "deadline before the head": End(IN_DOUBT, deadline(4.0)),
    "deadline after chunk 4": End(ESTIMATED, deadline(13.5), output=4),
    # the vendor breaks off
    "cut before the head": End(IN_DOUBT, read, fault(SLOW, Cut(where="headers"))),
    "cut after chunk 3": End(ESTIMATED, read, fault(SLOW, Cut(where="body", after_chunks=3)), output=3),
    "reset after chunk 3": End(ESTIMATED, read, fault(SLOW, Cut(where="body", after_chunks=3, reset=True)), output=3),
    "cut in a whole answer": End(IN_DOUBT, generate, fault(QUICK, Cut(where="body"))),
    "error inside before content": End(IN_DOUBT, read, fault(SLOW, ErrorInside())),
    "error inside after chunk 2": End(ESTIMATED, read, fault(SLOW, ErrorInside(after_chunks=2)), output=2),
    "page instead of an answer": End(IN_DOUBT, read, fault(SLOW, HtmlBody())),
    "no usage": End(ESTIMATED, read, fault(SLOW, NoUsage()), output=10),
    "truncated": End(ESTIMATED, read, fault(SLOW, NoMarker(finish=False, after_chunks=2)), output=2),
    "refused in good order": End(REPORTED, read, fault(SLOW, Refusal(after_chunks=2)), output=2),
    # refusals by status
    **{f"status {s}": End(RELEASED, read, fault(QUICK, Rejected(status=s))) for s in (400, 401, 429, 500, 503, 529)},
    **{f"status {s}": End(IN_DOUBT, read, fault(QUICK, Rejected(status=s))) for s in (408, 502, 504)},
    # named timeouts
    "timeout connect": End(RELEASED, read, connect_s=50.0),
    "timeout headers": End(IN_DOUBT, read, fault(SLOW, Stall(where="headers"))),
    "timeout first content": End(IN_DOUBT, read, fault(SLOW, Stall(where="first_token"))),
    "timeout idle after chunk 3": End(ESTIMATED, read, fault(SLOW, Stall(where="body", after_chunks=3)), output=3),
    "timeout idle of a whole answer": End(IN_DOUBT, generate, fault(QUICK, Stall(where="body"))),
    "timeout total": End(ESTIMATED, read, timeouts=msgspec.structs.replace(TIMEOUTS, total_s=13.5), output=4),
    # a clogged network at the end
    "left after the content": End(ESTIMATED, leaves(3.0), QUICK, 10, hold=content_sends),
    "left after the finish": End(ESTIMATED, leaves(3.0), QUICK, 10, hold=finish_sends, wires=("openai", "bedrock")),
    "left after the counts": End(REPORTED, leaves(3.0), QUICK, 10, hold=usage_sends, wires=("openai", "anthropic")),
    "timeout finish": End(ESTIMATED, read, QUICK, 10, hold=finish_sends, wires=("openai", "bedrock")),
    # actors die
    "provider crashes while connecting": End(RELEASED, crashes("provider/a", 1.0)),
    "provider crashes before the head": End(IN_DOUBT, crashes("provider/a", 4.0)),
    "provider crashes after chunk 4": End(ESTIMATED, crashes("provider/a", 13.5), output=4),
    "router crashes while connecting": End(RELEASED, crashes("router", 1.0)),
    "router crashes before the head": End(IN_DOUBT, crashes("router", 4.0)),
    "router crashes after chunk 4": End(ESTIMATED, crashes("router", 13.5), output=4),
    "accounting crashes before the head": End(REPORTED, crashes("accounting", 4.0), output=10),
    "accounting crashes after chunk 4": End(REPORTED, crashes("accounting", 13.5), output=10),
    # the reader, and an orderly end
    "slow consumer": End(ESTIMATED, does_not_read, policy=QUICKLY, connect_s=0.0),
    "stopped in order": End(REPORTED, stops(13.5, 30.0), output=10),
    "stopped before it was done": End(ESTIMATED, stops(13.5, 2.0), output=6),
}

CASES = [
    pytest.param(wire, end, id=f"{name}-{wire}")
    for name, end in TABLE.items()
    for wire in end.wires
    if end.script.fault is None or exists_on(end.script.fault, wire)
]


@pytest.mark.parametrize(("wire", "end"), CASES)
async def test_row_is_what_is_known_of_how_an_attempt_ended(wire: WireName, end: End, autojump_clock: object) -> None:
    upstream = Upstreams(end.script, wire)
    upstream.connect_s = end.connect_s
    if end.transport is not None:
        upstream.wrap = end.transport
    if end.hold is not None:
        upstream.wrap = _clogged_after(end.hold(wire))
    fields: dict[str, Any] = {} if end.store is None else {"faults": end.store}
    async with open_rig(("a", upstream), policy=end.policy, timeouts=end.timeouts, **fields) as rig:
        await end.act(rig)
        rig.store.heal()
        await rig.settled()

        (row,) = rig.rows()
        source = None if row.state == "released" else row.usage.source
        assert (row.state, source) == end.row
        bill = list(upstream.sim.bill)
        assert sum(each.billed for each in bill) <= (row.state != "released")
        if row.state == "settled":
            _check_usage(wire, end, row, bill[0])
        assert upstream.open_exchanges == 0


@pytest.mark.parametrize("mode", ["auto", "restart"])
@pytest.mark.parametrize("wire", WIRES)
async def test_each_attempt_of_a_rescued_stream_has_the_row_of_its_own_end(
    wire: WireName, mode: str, autojump_clock: object
) -> None:
    broken = Upstreams(fault(SLOW, Cut(where="body", after_chunks=3)), wire)
    whole = Upstreams(SLOW, wire)
    policy = RouterPolicy(retry=RetryPolicy(same_deployment=0))
    async with open_rig(("a", broken), ("b", whole), policy=policy) as rig:
        await rig.stream(on_interrupt=mode)
        await rig.settled()

        first, second = rig.rows()
        assert [(row.state, row.usage.source) for row in (first, second)] == [ESTIMATED, REPORTED]
        for upstream, row in ((broken, first), (whole, second)):
            (bill,) = upstream.sim.bill
            _check_usage(wire, End(ESTIMATED, read), row, bill)
        assert first.usage.output == 3


def _check_usage(wire: WireName, end: End, row: LedgerRow, bill: BillRow) -> None:
    assert bill.billed
    if row.usage.source == "reported":
        assert (row.usage.input_total, row.usage.output) == (bill.input_tokens, bill.output_tokens)
    else:
        # What was generated and not received is at most the chunk on its way.
        assert 0 <= bill.output_tokens - row.usage.output <= 1
        if wire in INPUT_TOLD_FIRST and not isinstance(end.script.fault, NoUsage):
            assert row.usage.input_total == bill.input_tokens
        else:
            assert row.usage.input_total == pytest.approx(bill.input_tokens, rel=0.5)
    if end.output is not None:
        assert row.usage.output == end.output


def _clogged_after(sends: int) -> Callable[[SimTransport], httpx.AsyncBaseTransport]:
    """Let so many sends through, and no more for a long time."""

    def wrap(sim: SimTransport) -> httpx.AsyncBaseTransport:
        passed = 0

        def held_until(now: float) -> float:
            nonlocal passed
            passed += 1
            return now if passed <= sends else 1000.0

        return SimTransport(sim.provider, held_until=held_until)

    return wrap
