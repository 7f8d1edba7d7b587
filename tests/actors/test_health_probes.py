"""Do lists of models find out about deployments that rest, whatever happens to those who ask and who are asked?"""

from __future__ import annotations

from collections.abc import Callable

import httpx
import msgspec
import trio

from manus.actors.health import Health, NotBefore
from manus.actors.router_desk import RouterCell
from manus.messages.calls import ProbeAsked, Probed
from manus.messages.failures import Failed
from manus.messages.ids import deployment_id
from manus.messages.routing_policy import HealthPolicy, RouterPolicy
from manus.messages.watching import BreakerMoved
from manus.sim.memory import SimTransport
from tests.actors.rig import MODEL, Rig, Upstreams, finished, open_rig

POLICY = RouterPolicy(health=HealthPolicy(failures=1, open_s=5.0, open_max_s=40.0, jitter=0.0, probe_interval_s=2.0))
DEPLOYMENT = deployment_id("a", MODEL)
DOWN = Failed(kind="server", message="down", status=500)


class ListSwitch(httpx.AsyncBaseTransport):
    """Answers the list of models as a test says, and counts how often it is asked for; calls go on to the provider."""

    def __init__(self, inner: SimTransport, script: Script) -> None:
        self._inner = inner
        self._script = script

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/models"):
            return await self._inner.handle_async_request(request)
        self._script.asked_at.append(trio.current_time())
        self._script.running += 1
        try:
            assert self._script.running == 1, "two lists at once"
            await trio.sleep(self._script.takes_s)
            answer = self._script.answer
            if isinstance(answer, Exception):
                raise answer
            return answer() if answer is not None else await self._inner.handle_async_request(request)
        finally:
            self._script.running -= 1

    async def aclose(self) -> None:
        await self._inner.aclose()


class Script:
    """What a provider says when it is asked for its models, over all incarnations of its actor."""

    def __init__(self) -> None:
        self.answer: Callable[[], httpx.Response] | Exception | None = None
        self.takes_s = 0.1
        self.asked_at: list[float] = []
        self.running = 0

    def upstreams(self) -> Upstreams:
        upstreams = Upstreams()
        upstreams.wrap = self._wrap
        return upstreams

    def _wrap(self, transport: SimTransport) -> httpx.AsyncBaseTransport:
        return ListSwitch(transport, self)


def answering(status: int, body: bytes = b"{}", content_type: str = "application/json") -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(status, headers={"content-type": content_type}, stream=httpx.ByteStream(body))


def health_of(rig: Rig) -> Health:
    cell = rig.tree._ground.slots["router"].cell
    assert isinstance(cell, RouterCell)
    return cell.health


def open_breaker(rig: Rig, failure: Failed = DOWN) -> None:
    now = trio.current_time()
    ticket = health_of(rig).begin(DEPLOYMENT, provider="a", key=None, now=now)
    assert not isinstance(ticket, NotBefore), ticket
    health_of(rig).ended(ticket, failure=failure, now=now, first_content_s=None, latency_s=None)


def state_of(rig: Rig) -> str:
    [metrics] = health_of(rig).metrics(trio.current_time())
    return metrics.breaker


async def probed_by(script: Script, *, key: str | None = None) -> object:
    async with open_rig(("a", script.upstreams())) as rig:
        answer = await rig.tree.ref("provider/a").ask(ProbeAsked(key=key), deadline=trio.current_time() + 60.0)
        await rig.check()
        assert rig.rows() == []
        return answer


# --- the provider's side ----------------------------------------------------------------------------


async def test_a_provider_that_lists_its_models_is_reached_and_nothing_is_booked(autojump_clock: object) -> None:
    assert await probed_by(Script()) == Probed()


async def test_what_the_vendor_refuses_is_told_as_a_call_would(autojump_clock: object) -> None:
    script = Script()
    for status, kind in ((401, "auth"), (403, "permission"), (500, "server"), (429, "rate_limited")):
        script.answer = answering(status)
        probed = await probed_by(script)
        assert isinstance(probed, Probed)
        assert probed.supported
        assert probed.failure is not None
        assert (probed.failure.kind, probed.failure.status) == (kind, status)


async def test_a_server_without_a_list_teaches_nothing(autojump_clock: object) -> None:
    script = Script()
    for status in (404, 405, 501):
        script.answer = answering(status)
        assert await probed_by(script) == Probed(supported=False)


async def test_a_web_page_is_no_list(autojump_clock: object) -> None:
    script = Script()
    script.answer = answering(200, b"<html>Please log in</html>", "text/html; charset=utf-8")
    probed = await probed_by(script)
    assert isinstance(probed, Probed)
    assert probed.failure is not None
    assert probed.failure.kind == "protocol"


async def test_a_list_that_is_longer_than_wanted_is_a_list(autojump_clock: object) -> None:
    script = Script()
    script.answer = answering(200, b"x" * 1_000_000)
    assert await probed_by(script) == Probed()


async def test_a_broken_line_and_silence_are_failures_in_bounded_time(autojump_clock: object) -> None:
    script = Script()
    script.answer = httpx.ConnectError("no route")
    probed = await probed_by(script)
    assert isinstance(probed, Probed)
    assert probed.failure is not None
    assert probed.failure.kind == "network"
    script.takes_s = 1e9
    began = trio.current_time()
    probed = await probed_by(script)
    assert isinstance(probed, Probed)
    assert probed.failure is not None
    assert (probed.failure.kind, probed.failure.timeout) == ("timeout", "headers")
    assert trio.current_time() - began < 6.0
    assert script.running == 0


async def test_a_key_that_the_entry_does_not_have_is_no_fault_of_the_vendor(autojump_clock: object) -> None:
    script = Script()
    probed = await probed_by(script, key="not-there")
    assert isinstance(probed, Probed)
    assert probed.failure is not None
    assert probed.failure.kind == "unavailable"
    assert script.asked_at == []


# --- the router's side --------------------------------------------------------------------------------


async def test_nobody_is_asked_while_all_is_well_or_before_the_rest_is_over(autojump_clock: object) -> None:
    script = Script()
    async with open_rig(("a", script.upstreams()), policy=POLICY) as rig:
        finished(await rig.generate())
        await trio.sleep(60.0)
        assert script.asked_at == []
        open_breaker(rig)
        opened_at = trio.current_time()
        await trio.sleep(4.9)
        assert script.asked_at == []
        await trio.sleep(3.0)
        [asked_at] = script.asked_at
        assert 5.0 <= asked_at - opened_at <= 7.0


async def test_a_list_leaves_the_deployment_to_one_request_which_closes_it(autojump_clock: object) -> None:
    script = Script()
    async with open_rig(("a", script.upstreams()), policy=POLICY) as rig:
        open_breaker(rig)
        await trio.sleep(8.0)
        assert state_of(rig) == "half_open"
        assert len(script.asked_at) == 1
        await trio.sleep(60.0)
        assert len(script.asked_at) == 1  # it has told all that it can
        moves = [(each.before, each.after) for each in rig.events if isinstance(each, BreakerMoved)]
        assert moves[-1] == ("open", "half_open")


async def test_a_vendor_that_stays_down_is_asked_ever_less_and_no_request_has_to_try(autojump_clock: object) -> None:
    script = Script()
    script.answer = httpx.ConnectError("no route")
    async with open_rig(("a", script.upstreams()), policy=POLICY) as rig:
        open_breaker(rig)
        verdicts = []
        for _ in range(400):
            await trio.sleep(0.25)
            verdicts.append(health_of(rig).verdict(DEPLOYMENT, provider="a", key=None, now=trio.current_time()))
        assert all(isinstance(verdict, NotBefore) for verdict in verdicts)
        gaps = [later - sooner for sooner, later in zip(script.asked_at, script.asked_at[1:], strict=False)]
        assert len(gaps) >= 2
        assert gaps == sorted(gaps)
        assert gaps[0] >= 10.0
        script.answer = None
        await trio.sleep(45.0)
        assert state_of(rig) == "half_open"


async def test_a_vendor_without_a_list_is_left_to_requests_from_then_on(autojump_clock: object) -> None:
    script = Script()
    script.answer = answering(404)
    async with open_rig(("a", script.upstreams()), policy=POLICY) as rig:
        open_breaker(rig)
        await trio.sleep(8.0)
        assert len(script.asked_at) == 1
        probe = health_of(rig).begin(DEPLOYMENT, provider="a", key=None, now=trio.current_time())
        assert not isinstance(probe, NotBefore)
        assert probe.probe
        now = trio.current_time()
        health_of(rig).ended(probe, failure=DOWN, now=now, first_content_s=None, latency_s=None)
        await trio.sleep(10.0)
        assert not isinstance(health_of(rig).verdict(DEPLOYMENT, provider="a", key=None, now=now + 10.0), NotBefore)
        await trio.sleep(60.0)
        assert len(script.asked_at) == 1


async def test_where_free_probes_are_seldom_a_request_goes_first(autojump_clock: object) -> None:
    seldom = msgspec.structs.replace(POLICY, health=msgspec.structs.replace(POLICY.health, probe_interval_s=600.0))
    script = Script()
    async with open_rig(("a", script.upstreams()), policy=seldom) as rig:
        open_breaker(rig)
        await trio.sleep(14.9)
        now = trio.current_time()
        assert isinstance(health_of(rig).verdict(DEPLOYMENT, provider="a", key=None, now=now), NotBefore)
        await trio.sleep(0.2)
        finished(await rig.generate())
        assert state_of(rig) == "closed"
        assert script.asked_at == []


async def test_a_rest_for_quota_is_left_to_requests(autojump_clock: object) -> None:
    script = Script()
    async with open_rig(("a", script.upstreams()), policy=POLICY) as rig:
        open_breaker(rig, Failed(kind="quota_exhausted", message="no credit", status=429, retry_after_s=10.0))
        await trio.sleep(600.0)
        assert script.asked_at == []
        assert not isinstance(
            health_of(rig).verdict(DEPLOYMENT, provider="a", key=None, now=trio.current_time()), NotBefore
        )


async def test_a_refused_key_is_found_accepted_again(autojump_clock: object) -> None:
    script = Script()
    script.answer = answering(401)
    async with open_rig(("a", script.upstreams()), policy=POLICY) as rig:
        open_breaker(rig, Failed(kind="auth", message="no", status=401))
        await trio.sleep(303.0)
        assert len(script.asked_at) == 1
        assert state_of(rig) == "open"
        script.answer = None
        await trio.sleep(303.0)
        assert state_of(rig) == "closed"
        assert health_of(rig).all_well


async def test_a_crash_of_the_provider_actor_tells_nothing_of_its_vendor(autojump_clock: object) -> None:
    script = Script()
    script.answer = ZeroDivisionError("a bug in the way of the probe")
    async with open_rig(("a", script.upstreams()), policy=POLICY) as rig:
        open_breaker(rig)
        await trio.sleep(8.0)
        assert len(script.asked_at) == 1
        assert state_of(rig) == "half_open"  # a request finds out
        script.answer = None
        finished(await rig.generate())


async def test_a_provider_that_hangs_holds_neither_the_breaker_nor_the_drain(autojump_clock: object) -> None:
    script = Script()
    script.takes_s = 1e9
    async with open_rig(("a", script.upstreams()), policy=POLICY) as rig:
        open_breaker(rig)
        await trio.sleep(7.5)
        assert script.running == 1
        refused = health_of(rig).verdict(DEPLOYMENT, provider="a", key=None, now=trio.current_time())
        assert isinstance(refused, NotBefore)
        assert refused.why == "a probe is under way"
        await trio.sleep(6.0)
        assert script.running == 0
        assert state_of(rig) == "open"
        await trio.sleep(11.0)
        assert script.running == 1
        began = trio.current_time()
    assert trio.current_time() - began < 7.0
    assert script.running == 0


async def test_a_probe_lost_in_a_crash_of_the_router_is_free_again(autojump_clock: object) -> None:
    script = Script()
    script.takes_s = 3.0
    async with open_rig(("a", script.upstreams()), policy=POLICY) as rig:
        open_breaker(rig)
        await trio.sleep(7.5)
        assert script.running == 1
        rig.tree.crash("router", ZeroDivisionError("injected"))
        await trio.sleep(5.0)
        assert script.running == 0
        assert state_of(rig) == "half_open"
        assert not isinstance(
            health_of(rig).verdict(DEPLOYMENT, provider="a", key=None, now=trio.current_time()), NotBefore
        )
        finished(await rig.generate())
