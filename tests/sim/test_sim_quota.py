"""Limits that a simulated provider keeps itself: what counts when, who is refused, and in which vendor's words."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import trio

from manus.actors.codecs import codec_for
from manus.messages.failures import Failed
from manus.sim.behaviour import Script
from manus.sim.faults import Refused, Rejected
from manus.sim.limits import go_duration
from manus.sim.provider import CODECS, WIRES, SimProvider
from manus.sim.quota import VendorLimits
from manus.sim.server import serve_sim
from manus.sim.wire import EPOCH_UNIX_S, WireName
from tests.sim.asking import TLS, Asker, Got, asking, leave_after
from tests.sim.reading import MARKS

TELLING: tuple[WireName, ...] = ("openai", "openai-responses", "azure", "anthropic")
PROMPT_TOKENS = 8
"""What the asker's prompt costs, by the rule of `words.py`."""


def capped(wire: WireName, tokens: int) -> dict[str, Any]:
    """Write the cap on an answer as the vendor has it."""
    match wire:
        case "ollama":
            return {"options": {"num_predict": tokens}}
        case "openai-responses":
            return {"max_output_tokens": tokens}
        case _:
            return {"max_tokens": tokens}


def failure_of(wire: WireName, got: Got) -> Failed:
    assert got.status is not None
    return codec_for(CODECS[wire]).failure(got.status, got.headers, got.body, now_unix_s=EPOCH_UNIX_S)


def quota_of(asker: Asker) -> Any:
    assert asker.provider.quota is not None
    return asker.provider.quota


@pytest.mark.parametrize("wire", WIRES)
async def test_the_call_beyond_gets_the_vendor_s_429_and_costs_nothing(wire: WireName, autojump_clock: object) -> None:
    provider = SimProvider(wire, limits=VendorLimits(requests_per_minute=2, counting="sliding"))
    async with asking(provider, "memory") as asker:
        assert [(await asker.ask()).status for _ in range(2)] == [200, 200]
        billed = provider.bill.totals()
        await trio.sleep(20.0)
        got = await asker.ask()
        assert got.status == 429
        failure = failure_of(wire, got)
        assert failure.kind == (
            "quota_exhausted" if wire == "ollama" and failure.kind != "rate_limited" else "rate_limited"
        )
        # Bedrock and Ollama do not say when to come back.
        assert failure.retry_after_s == (None if wire in ("bedrock", "ollama") else 40.0)
        assert provider.bill.totals().billed == billed.billed
        assert quota_of(asker).refused == 1
        await trio.sleep(40.0)
        assert (await asker.ask()).status == 200


@pytest.mark.parametrize("wire", TELLING)
async def test_headers_say_what_remains_and_when_all_of_it_is_back(wire: WireName, autojump_clock: object) -> None:
    limits = VendorLimits(requests_per_minute=10, tokens_per_minute=5_000, counting="sliding")
    async with asking(SimProvider(wire, Script(words=1), limits=limits), "memory") as asker:
        await asker.ask(**capped(wire, 100))
        await trio.sleep(15.0)
        got = await asker.ask(**capped(wire, 100))
    readings = {one.dimension: one for one in codec_for(CODECS[wire]).rate_limits(got.headers)}
    requests, tokens = readings["requests"], readings["tokens"]
    assert (requests.limit, requests.remaining, requests.reset_s) == (10, 8, 60.0)
    each = PROMPT_TOKENS + (1 if wire == "anthropic" else 100)
    # Anthropic's second answer has not been written when its head is.
    written = 2 * each - (1 if wire == "anthropic" and got.body.startswith(b"event") else 0)
    assert (tokens.limit, tokens.remaining, tokens.reset_s) == (5_000, 5_000 - written, 60.0)


@pytest.mark.parametrize("wire", ["openai", "openai-responses", "azure"])
async def test_prompt_and_cap_count_for_good_where_the_vendor_counts_at_arrival(
    wire: WireName, autojump_clock: object
) -> None:
    limits = VendorLimits(tokens_per_minute=2 * PROMPT_TOKENS + 199, counting="sliding")
    async with asking(SimProvider(wire, Script(words=1), limits=limits), "memory") as asker:
        assert (await asker.ask(**capped(wire, 100))).status == 200
        refused = await asker.ask(**capped(wire, 100))
        assert refused.status == 429
        assert (await asker.ask(**capped(wire, 99))).status == 200


async def test_bedrock_gives_back_what_was_reserved_and_not_used(autojump_clock: object) -> None:
    limits = VendorLimits(tokens_per_minute=2 * PROMPT_TOKENS + 199, counting="sliding")
    provider = SimProvider("bedrock", Script(words=1, latency_s=2.0), limits=limits)
    got: list[Got] = []

    async def one(asker: Asker) -> None:
        got.append(await asker.ask(max_tokens=100, read_s=10.0))

    async with asking(provider, "memory") as asker:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, asker)
            nursery.start_soon(one, asker)
        assert sorted(each.status or 0 for each in got) == [200, 429]
        assert b"Too many tokens" in next(each.body for each in got if each.status == 429)
        assert (await asker.ask(max_tokens=100, read_s=10.0)).status == 200
        assert quota_of(asker).overruns() == {}


async def test_anthropic_counts_input_without_its_cache_and_output_as_it_is_written(autojump_clock: object) -> None:
    limits = VendorLimits(input_tokens_per_minute=2 * PROMPT_TOKENS - 5, output_tokens_per_minute=5, counting="sliding")
    async with asking(SimProvider("anthropic", Script(words=4, cached_tokens=5), limits=limits), "memory") as asker:
        assert (await asker.ask()).status == 200
        assert (await asker.ask()).status == 200  # beyond its output: 8 tokens of 5
        assert quota_of(asker).overruns() == {"output_tokens": 3}
        refused = await asker.ask()
        assert (refused.status, b"5 output tokens per minute" in refused.body) == (429, True)


@pytest.mark.parametrize("wire", WIRES)
async def test_places_are_free_again_when_a_call_ends_or_its_client_leaves(
    wire: WireName, autojump_clock: object
) -> None:
    provider = SimProvider(wire, Script(words=6, gap_s=1.0), limits=VendorLimits(concurrency=1))
    async with asking(provider, "memory") as asker:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(leave_after, asker, MARKS[wire], 3)
            await trio.sleep(0.5)
            assert (await asker.ask()).status == 429
        assert quota_of(asker).in_flight == 0
        assert (await asker.ask(read_s=30.0)).status == 200


async def test_what_never_came_counts_nothing_and_what_was_refused_for_other_reasons_does(
    autojump_clock: object,
) -> None:
    provider = SimProvider("openai", limits=VendorLimits(requests_per_minute=1))
    async with asking(provider, "memory") as asker:
        provider.behave(Script(fault=Refused()))
        assert (await asker.ask()).error is httpx.ConnectError
        provider.behave(Script(fault=Rejected(status=500)))
        assert [(await asker.ask()).status for _ in range(2)] == [500, 429]


async def test_azure_refuses_a_burst_that_its_minute_has_room_for(autojump_clock: object) -> None:
    limits = VendorLimits(requests_per_minute=12, burst_s=10.0)
    async with asking(SimProvider("azure", limits=limits), "memory") as asker:
        assert [(await asker.ask()).status for _ in range(3)] == [200, 200, 429]
        await trio.sleep(10.0)
        assert (await asker.ask()).status == 200


async def test_a_request_above_the_limit_alone_is_told_so(autojump_clock: object) -> None:
    async with asking(SimProvider("openai", limits=VendorLimits(tokens_per_minute=50)), "memory") as asker:
        got = await asker.ask(max_tokens=100)
    assert (got.status, b"Request too large for m" in got.body, "retry-after" in got.headers) == (429, True, False)


async def test_limits_hold_and_are_read_on_sockets() -> None:
    provider = SimProvider("openai", limits=VendorLimits(requests_per_minute=1))
    async with (
        serve_sim(provider) as server,
        httpx.AsyncClient(base_url=server.origin, verify=TLS, trust_env=False) as client,
    ):
        chat = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        answers = [await client.post("/v1/chat/completions", json=chat) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 429]
        assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["0", "0"]
        assert (await client.get("/_sim/limits")).json()["refused"] == 1
        assert (await client.put("/_sim/limits", json={"requests_per_minute": 0})).status_code == 400
        assert (await client.put("/_sim/limits", json={"requests_per_minute": 5})).json()["refused"] == 0
        assert (await client.post("/v1/chat/completions", json=chat)).status_code == 200
        assert (await client.delete("/_sim/limits")).json() == {"limits": None}


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.0, "0s"), (0.006, "6ms"), (1.5, "1.5s"), (59.7, "59.7s"), (360.0, "6m0s"), (3723.5, "1h2m3.5s")],
)
def test_durations_are_written_as_go_does(seconds: float, written: str) -> None:
    assert go_duration(seconds) == written


@pytest.mark.parametrize(
    "fields", [{"concurrency": 0}, {"window_s": 0.0}, {"burst_s": 61.0}, {"tokens_per_minute": -1}]
)
def test_limits_that_nobody_could_keep_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"a limit|a window"):
        VendorLimits(**fields)
