"""The provider's bill is the ground truth: what was generated is on it, to the token, however a call ends."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from manus.sim.behaviour import Behaviour, Script, ScriptedCall
from manus.sim.bill import Bill, BillRow, BillTotals
from manus.sim.faults import FAULTS, Cut, Stall, faults_of
from manus.sim.provider import WIRES, SimProvider
from manus.sim.wire import WireName
from tests.sim.asking import Asker, Serving, asking, leave_after
from tests.sim.reading import MARKS, OPENS_WITH_TEXT, usage_in

SERVINGS: tuple[Serving, ...] = ("memory", "sockets")

WORDS = 12
UNBILLED = {name for name, fault in FAULTS.items() if type(fault).__name__ in ("Rejected", "Refused")}


async def leave_after_chunks(asker: Asker, chunks: int) -> None:
    """Open a stream, read until `chunks` chunks of content have come, and go."""
    wire = asker.provider.wire.name
    opening = int(wire in OPENS_WITH_TEXT and chunks > 0)
    await leave_after(asker, MARKS[wire], chunks + opening)


async def settled(provider: SimProvider) -> BillRow:
    """Wait until the provider's only request is over, and give its row."""
    with trio.fail_after(5):
        while provider.in_flight or not len(provider.bill):  # noqa: ASYNC110 - a provider without IO has no event
            await trio.sleep(0.005)
    (row,) = provider.bill.rows()
    return row


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("serving", SERVINGS)
@pytest.mark.parametrize("chunks", range(WORDS))
async def test_a_client_that_leaves_after_any_chunk_pays_what_was_generated(
    chunks: int, serving: Serving, wire: WireName
) -> None:
    provider = SimProvider(wire, Script(text=" ".join("abcdefghijkl"), fault=Stall(after_chunks=chunks)))
    async with asking(provider, serving) as asker:
        await leave_after_chunks(asker, chunks)
        row = await settled(provider)
    assert (row.state, row.billed) == ("disconnected", True)
    assert row.input_tokens > 0
    # The stalled chunk has been generated too, unless the reader was gone before it was asked for.
    assert row.output_tokens in ({chunks} if serving == "memory" else {chunks, chunks + 1})


@pytest.mark.parametrize("wire", WIRES)
async def test_in_memory_nothing_is_generated_ahead_of_the_reader(wire: WireName, autojump_clock: MockClock) -> None:
    for chunks in range(WORDS + 1):
        provider = SimProvider(wire, Script(text=" ".join("abcdefghijkl"), gap_s=1.0))
        async with asking(provider, "memory") as asker:
            await leave_after_chunks(asker, chunks)
        (row,) = provider.bill.rows()
        assert (row.state, row.output_tokens) == ("disconnected", chunks)


@pytest.mark.parametrize("wire", WIRES)
async def test_a_client_that_leaves_stops_the_generation(wire: WireName) -> None:
    provider = SimProvider(wire, Script(words=20_000, gap_s=0.001))
    async with asking(provider, "sockets") as asker:
        await leave_after_chunks(asker, 3)
        row = await settled(provider)
    assert row.state == "disconnected"
    assert 3 <= row.output_tokens < 20_000


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("serving", SERVINGS)
@pytest.mark.parametrize(
    "script",
    [
        Script(latency_s=3600.0),
        Script(first_token_s=3600.0),
        Script(fault=Stall(where="headers")),
        Script(fault=Stall(where="first_token")),
    ],
    ids=["latency", "first token", "stalled head", "stalled first token"],
)
async def test_a_client_that_leaves_while_waiting_pays_for_its_prompt(
    script: Script, serving: Serving, wire: WireName
) -> None:
    provider = SimProvider(wire, script)
    async with asking(provider, serving) as asker:
        await asker.ask(stream=True, read_s=0.05)
        row = await settled(provider)
    assert (row.state, row.billed, row.output_tokens) == ("disconnected", True, 0)
    assert row.input_tokens > 0


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(
    ("wire", "fault"),
    [(wire, name) for wire in WIRES for name in faults_of(wire) if name not in ("drip", "huge-line", "pings")],
)
async def test_every_fault_is_billed_by_the_rules(
    fault: str, wire: WireName, stream: bool, autojump_clock: MockClock
) -> None:
    provider = SimProvider(wire, Script(text="ß b c d e f g h i j k l", fault=FAULTS[fault]))
    async with asking(provider, "memory") as asker:
        await asker.ask(stream=stream, read_s=5.0)
    (row,) = provider.bill.rows()
    assert not row.open
    assert row.fault == fault
    # Azure charges for the prompt that its filter refuses.
    assert row.billed is (fault not in UNBILLED or (wire, fault) == ("azure", "content-filter"))
    assert (row.input_tokens > 0) is row.billed
    assert row.output_tokens <= WORDS
    if row.state == "complete":
        assert row.output_tokens == (2 if fault in ("refusal", "pause-turn") else WORDS)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("wire", WIRES)
async def test_the_reported_usage_is_the_bill(wire: WireName, stream: bool) -> None:
    script = Script(
        text="Let me look.",
        reasoning="Which tool is it?",
        tool_calls=(ScriptedCall(name="look_up", arguments='{"city": "Århus"}'),),
        cached_tokens=4,
        cache_write_tokens=2,
    )
    provider = SimProvider(wire, script)
    async with asking(provider, "memory") as asker:
        got = await asker.ask(stream=stream)
    (row,) = provider.bill.rows()
    assert row.state == "complete"
    assert usage_in(wire, got.body, stream=stream) == (row.input_tokens, row.output_tokens)
    assert (row.cached_tokens, row.cache_write_tokens) == (4, 2)


async def test_a_longer_prompt_costs_more() -> None:
    provider = SimProvider("openai")
    async with asking(provider, "memory") as asker:
        await asker.ask(prompt="one two three")
        await asker.ask(prompt="one two three four five")
        await asker.ask(prompt="one two three", tools=[{"type": "function", "function": {"name": "f"}}])
    short, longer, tooled = (row.input_tokens for row in provider.bill.rows())
    assert longer == short + 2
    assert tooled > short


@pytest.mark.parametrize("wire", WIRES)
async def test_what_an_api_key_does_not_open_costs_nothing(wire: WireName) -> None:
    provider = SimProvider(wire, api_key="right-and-long-enough")
    async with asking(provider, "memory") as asker:
        request = asker.request()
        request.headers["authorization"] = "Bearer another-key-that-is-wrong"
        if wire in ("anthropic", "azure"):
            request.headers["x-api-key" if wire == "anthropic" else "api-key"] = "another-key-that-is-wrong"
        response = await asker.transport.handle_async_request(request)
        body = await response.aread()
        await response.aclose()
    assert response.status_code == (403 if wire == "bedrock" else 401)
    assert b"right-and" not in body
    assert b"another-key-that-is-wrong" not in body
    assert (b"another-************rong" in body) is (
        wire in ("openai", "openai-responses")
    )  # the vendor shows the ends of a key
    assert provider.bill.totals() == BillTotals(requests=1)


def test_rows_beyond_the_bound_stay_in_the_totals() -> None:
    bill = Bill(rows_max=3)
    for number in range(10):
        bill.open_row(
            BillRow(number=number, request_id="", state="complete", billed=True, input_tokens=2, output_tokens=number)
        )
    assert len(bill) == 3
    assert bill.totals() == BillTotals(requests=10, billed=10, input_tokens=20, output_tokens=45)


async def test_a_row_is_found_by_its_prompt_and_only_when_it_is_the_only_one() -> None:
    provider = SimProvider("openai", Behaviour(first=(Script(fault=Cut(where="headers")),)))
    async with asking(provider, "memory") as asker:
        for prompt in ("first", "second", "second"):
            await asker.ask(prompt=prompt)
    assert provider.bill.row_for("first").state == "cut"
    for prompt in ("second", "third"):
        with pytest.raises(LookupError, match=prompt):
            provider.bill.row_for(prompt)
