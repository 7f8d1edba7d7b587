"""Rate-limit headers of a limit that is used up: in each vendor's spelling, and read by our own codecs as meant."""

from __future__ import annotations

import httpx
import pytest
import trio

from manus.actors.codecs import codec_for
from manus.sim.behaviour import Script
from manus.sim.faults import Rejected
from manus.sim.memory import SimTransport
from manus.sim.provider import CODECS, SimProvider
from manus.sim.wire import WireName
from tests.sim.asking import Asker, Got, asking

TELLING: tuple[WireName, ...] = ("openai", "openai-responses", "azure", "anthropic")
SILENT: tuple[WireName, ...] = ("bedrock", "ollama")


async def answer_of(wire: WireName, script: Script) -> Got:
    async with asking(SimProvider(wire, script), "memory") as asker:
        return await asker.ask()


@pytest.mark.parametrize("wire", TELLING)
@pytest.mark.parametrize("fault", [None, Rejected(status=429, retry_after_s=3.0)], ids=["answered", "refused"])
async def test_a_used_up_limit_is_read_as_such(wire: WireName, fault: Rejected | None, autojump_clock: object) -> None:
    got = await answer_of(wire, Script(limits_reset_s=3.0, fault=fault))
    assert got.status == (200 if fault is None else 429)
    readings = codec_for(CODECS[wire]).rate_limits(got.headers)
    requests = next(reading for reading in readings if reading.dimension == "requests")
    assert (requests.remaining, requests.reset_s) == (0, 3.0)
    assert all(reading.remaining for reading in readings if reading is not requests)


@pytest.mark.parametrize("wire", TELLING)
async def test_a_limit_that_is_not_used_up_says_what_remains(wire: WireName, autojump_clock: object) -> None:
    got = await answer_of(wire, Script())
    assert all(reading.remaining for reading in codec_for(CODECS[wire]).rate_limits(got.headers))


@pytest.mark.parametrize("wire", SILENT)
async def test_who_tells_nothing_of_limits_goes_on_telling_nothing(wire: WireName, autojump_clock: object) -> None:
    got = await answer_of(wire, Script(limits_reset_s=3.0))
    assert codec_for(CODECS[wire]).rate_limits(got.headers) == ()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_clogged_network_lets_nothing_through_until_it_is_free(stream: bool, autojump_clock: object) -> None:
    provider = SimProvider("openai", Script(latency_s=1.0))
    transport = SimTransport(provider, held_until=lambda at_s: 5.0 if at_s < 5.0 else at_s)
    got = await Asker(provider, transport, "http://sim.test").ask(stream=stream, read_s=30.0)
    assert (trio.current_time(), got.status, got.error) == (5.0, 200, None)


async def test_what_is_under_way_when_the_network_clogs_comes_through_later(autojump_clock: object) -> None:
    provider = SimProvider("openai", Script(words=4, gap_s=1.0))
    transport = SimTransport(provider, held_until=lambda at_s: 10.0 if 1.5 < at_s < 10.0 else at_s)
    got = await Asker(provider, transport, "http://sim.test").ask(stream=True, read_s=30.0)
    assert got.error is None
    assert b"[DONE]" in got.body
    assert trio.current_time() > 10.0


async def test_a_clog_counts_as_the_provider_s_silence(autojump_clock: object) -> None:
    provider = SimProvider("openai", Script())
    transport = SimTransport(provider, held_until=lambda at_s: 5.0)
    got = await Asker(provider, transport, "http://sim.test").ask(read_s=2.0)
    assert (got.error, trio.current_time()) == (httpx.ReadTimeout, 2.0)
