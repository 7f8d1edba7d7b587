"""The in-memory transport keeps time, phases, timeouts and cancellation as a transport on sockets does."""

from __future__ import annotations

import httpx
import pytest
import trio
from trio.testing import MockClock

from manus.sim.behaviour import Script
from manus.sim.faults import FAULTS, Fault, Slow, Stall
from manus.sim.memory import GRID_S, SimTransport
from manus.sim.provider import SimProvider
from tests.sim.asking import Asker, asking


async def test_waits_are_those_of_the_script(autojump_clock: MockClock) -> None:
    script = Script(text="a b c", latency_s=100.0, first_token_s=20.0, gap_s=3.0)
    async with asking(SimProvider("openai", script), "memory") as asker:
        assert (await asker.ask(stream=True, read_s=200.0)).error is None
    assert trio.current_time() == pytest.approx(126.0)


async def test_on_a_grid_every_wait_ends_on_a_line(autojump_clock: MockClock) -> None:
    provider = SimProvider("openai", Script(words=20, latency_s=0.013, gap_s=0.07))
    async with SimTransport(provider, grid_s=GRID_S) as transport:
        response = await transport.handle_async_request(Asker(provider, transport, "http://x").request(stream=True))
        seen = [trio.current_time()]
        async for _ in response.stream:  # type: ignore[union-attr]
            seen.append(trio.current_time())
    lines = [moment / GRID_S for moment in seen]
    assert lines == pytest.approx([round(line) for line in lines])
    assert len(set(seen)) > 10


@pytest.mark.parametrize(
    ("fault", "limit", "error"),
    [
        (Stall(where="headers"), {"read": 1.0}, httpx.ReadTimeout),
        (Stall(where="headers"), {"headers": 1.0, "read": 99.0}, httpx.ReadTimeout),
        (Slow(where="headers", delay_s=5.0), {"read": 1.0}, httpx.ReadTimeout),
        (Stall(where="first_token"), {"read": 1.0, "headers": 99.0}, httpx.ReadTimeout),
        (Stall(after_chunks=3), {"read": 1.0}, httpx.ReadTimeout),
        (Slow(where="chunks", delay_s=0.5), {"read": 1.0}, None),
        (None, {"connect": 1.0}, httpx.ConnectTimeout),
    ],
)
async def test_a_timeout_strikes_after_its_time(
    fault: Fault | None, limit: dict[str, float], error: type[Exception] | None, autojump_clock: MockClock
) -> None:
    provider = SimProvider("openai", Script(words=4, fault=fault))
    async with SimTransport(provider, connect_s=2.0 if "connect" in limit else 0.0) as transport:
        request = Asker(provider, transport, "http://x").request(stream=True)
        request.extensions["timeout"] = limit
        raised: type[Exception] | None = None
        try:
            response = await transport.handle_async_request(request)
            async for _ in response.stream:  # type: ignore[union-attr]
                pass
        except httpx.TimeoutException as timeout:
            raised = type(timeout)
        assert raised is error
        assert transport.open_exchanges == 0
    if error is not None:
        assert trio.current_time() == pytest.approx(1.0)


async def test_phases_are_told_in_order_and_a_refused_call_never_sends() -> None:
    for fault, expected in ((None, ["connecting", "sending", "sent"]), (FAULTS["refused"], ["connecting"])):
        told: list[str] = []
        provider = SimProvider("openai", Script(fault=fault))
        async with SimTransport(provider) as transport:
            request = Asker(provider, transport, "http://x").request()
            request.extensions["manus_phase"] = told.append
            try:
                response = await transport.handle_async_request(request)
                await response.aread()
            except httpx.ConnectError:
                assert fault is not None
        assert told == expected


@pytest.mark.parametrize("fault", [None, *("stall-headers", "stall-first-token", "stall")])
async def test_cancelled_at_any_instant_an_exchange_is_over_and_billed_as_far_as_it_got(
    fault: str | None, autojump_clock: MockClock
) -> None:
    outputs = set()
    for tenth in range(40):
        script = Script(
            text="a b c d", latency_s=0.5, first_token_s=0.5, gap_s=0.5, fault=None if fault is None else FAULTS[fault]
        )
        provider = SimProvider("openai", script)
        async with SimTransport(provider, connect_s=0.5) as transport:
            with trio.move_on_after(tenth / 10):
                response = await transport.handle_async_request(
                    Asker(provider, transport, "http://x").request(stream=True, read_s=9.0)
                )
                async for _ in response.stream:  # type: ignore[union-attr]
                    pass
            assert transport.open_exchanges == 0
        row = provider.bill.rows()
        assert [r.open for r in row] in ([], [False])
        assert provider.in_flight == 0
        outputs.add(provider.bill.totals().output_tokens)
        if tenth < 5:
            assert provider.bill.totals().billed == 0
    assert len(outputs) == {None: 5, "stall-headers": 1, "stall-first-token": 1, "stall": 4}[fault]


async def test_a_closed_transport_ends_what_is_open_and_sends_nothing_more() -> None:
    provider = SimProvider("openai", Script(words=5))
    transport = SimTransport(provider)
    asker = Asker(provider, transport, "http://x")
    response = await transport.handle_async_request(asker.request(stream=True))
    reads = aiter(response.stream)  # type: ignore[arg-type]
    assert await anext(reads)
    await transport.aclose()
    assert transport.open_exchanges == 0
    with pytest.raises(httpx.ReadError):
        await anext(reads)
    with pytest.raises(RuntimeError, match="closed"):
        await transport.handle_async_request(asker.request())


async def test_it_serves_an_ordinary_httpx_client() -> None:
    async with httpx.AsyncClient(transport=SimTransport(SimProvider("ollama")), base_url="http://sim") as client:
        assert (await client.get("/api/version")).json()["version"]
        assert [model["name"] for model in (await client.get("/api/tags")).json()["models"]] == [
            "sim-large",
            "sim-small",
        ]
        assert (await client.head("/")).content == b""
