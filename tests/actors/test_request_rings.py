"""A request leaves no rings of objects behind, which only the collector could free, late and at a price."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio

from manus.actors.http1.parser_h11 import H11Parser
from manus.actors.http1.parser_httptools import HttptoolsParser
from manus.messages.requests import OnCancel
from manus.messages.routing_policy import HedgePolicy, RouterPolicy
from manus.sim.behaviour import Behaviour, Script
from manus.sim.faults import Cut, Fault, Rejected
from tests.actors.rig import Upstreams, open_rig

REQUESTS = 5


@contextmanager
def rings() -> Iterator[list[str]]:
    """Collect the types of our objects that only the collector could free, named once the block is done."""
    found: list[str] = []
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found += [type(each).__qualname__ for each in gc.garbage if type(each).__module__.startswith("manus.")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("fault", [None, Rejected(status=401), Cut(where="body")], ids=["fair", "refused", "cut"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_request_is_freed_when_it_is_over(stream: bool, fault: Fault | None, autojump_clock: object) -> None:
    async with open_rig(("a", Upstreams(Script(fault=fault))), ("b", Upstreams(Script()))) as rig:
        with rings() as found:
            for _ in range(REQUESTS):
                if stream:
                    await rig.stream(on_interrupt="restart")
                else:
                    await rig.generate()
            await rig.settled()

        assert [name for name in found if found.count(name) >= REQUESTS] == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_race_is_freed_when_it_is_over(stream: bool, autojump_clock: object) -> None:
    hedge = HedgePolicy(enabled=True, quantile=0.0, samples_min=1, delay_min_s=0.1, budget_ratio=1.0)
    slow = Upstreams(Behaviour(script=Script(first_token_s=0.5), first=(Script(),)))
    ways = (("a", slow), ("b", Upstreams(Script())))
    async with open_rig(*ways, policy=RouterPolicy(hedge=hedge)) as rig:
        await (rig.stream() if stream else rig.generate())
        with rings() as found:
            for _ in range(REQUESTS):
                outcome = (await rig.stream())[1] if stream else await rig.generate()
                assert len(outcome.route.attempts) == 2
            await rig.settled()
            del outcome

        assert [name for name in found if found.count(name) >= REQUESTS] == []


@pytest.mark.parametrize("on_cancel", ["abort", "drain"])
async def test_request_whose_caller_left_is_freed_when_it_is_over(on_cancel: OnCancel, autojump_clock: object) -> None:
    slow = Upstreams(Script(latency_s=1.0, gap_s=1.0))
    async with open_rig(("a", slow), policy=RouterPolicy(on_cancel=on_cancel)) as rig:
        with rings() as found:
            for _ in range(REQUESTS):
                with trio.move_on_after(5.0):
                    await rig.stream()
            await rig.settled()

        assert [name for name in found if found.count(name) >= REQUESTS] == []


@pytest.mark.parametrize("parser", [HttptoolsParser, H11Parser])
def test_response_is_freed_when_it_is_parsed(parser: type[HttptoolsParser] | type[H11Parser]) -> None:
    with rings() as found:
        for _ in range(REQUESTS):
            response = parser("POST", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            response.feed(b"5\r\nhello\r\n0\r\n\r\n")
            del response

    assert found == []
