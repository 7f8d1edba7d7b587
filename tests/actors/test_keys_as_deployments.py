"""Several keys of one entry: each makes deployments of its own, rests alone, and is named in the books."""

from __future__ import annotations

from collections import Counter

import httpx
import msgspec
import pytest
import trio

from manus.actors.codecs.base import HttpRequest
from manus.actors.credentials import Authorisation
from manus.messages.failures import Failed
from manus.messages.ids import RequestId, deployment_id
from manus.messages.outcomes import Finished, Outcome
from manus.messages.policy import ModelCard
from manus.messages.requests import RoutingCriteria, Strategy
from manus.messages.routing import RoutingMetrics, RoutingMetricsAsked
from manus.messages.routing_policy import HealthPolicy, RouterPolicy
from manus.sim.behaviour import Responder, Script
from manus.sim.faults import Fault, Rejected
from manus.sim.wire import ChatAsked
from tests.actors.keyed import CANARY, KeyedUpstreams
from tests.actors.rig import (
    MODEL,
    PRICE,
    Rig,
    Upstreams,
    asked,
    finished,
    open_rig,
    outcome_of,
    results,
    unfinished,
)

WELL = Script(text="Hello")
OTHER_MODEL = "sim-small"
CARDS = {"a": tuple(ModelCard(name=name, price=PRICE, context_tokens=32_000) for name in (MODEL, OTHER_MODEL))}
STEADY = HealthPolicy(refused_s=300.0, jitter=0.0)


def rejecting(fault: Fault) -> Script:
    return Script(text="never", fault=fault)


def from_now_on(first: Script, second: Script, *, at_s: float) -> Responder:
    """Answer by the first script, and from `at_s` on by the second."""

    def respond(question: ChatAsked) -> Script:
        return first if trio.current_time() < at_s else second

    return respond


def keys_of(outcome: Outcome, upstreams: KeyedUpstreams) -> list[str]:
    """Name the accounts whose keys were shown, attempt by attempt."""
    names = {account.key: name for name, account in upstreams.of.items()}
    return [names[attempt.deployment.partition("#")[2]] for attempt in outcome.route.attempts]


def sticky(upstreams: KeyedUpstreams) -> KeyedUpstreams:
    upstreams.key_order = "sticky"
    return upstreams


async def metrics_of(rig: Rig) -> RoutingMetrics:
    metrics = await rig.router.ask(RoutingMetricsAsked(), deadline=trio.current_time() + 5)
    assert isinstance(metrics, RoutingMetrics)
    return metrics


# --- whose turn it is ---------------------------------------------------------------------------------------------


async def test_keys_are_used_in_turn_and_the_books_name_the_one_that_was_shown(autojump_clock: object) -> None:
    way = KeyedUpstreams({"one": WELL, "two": WELL, "three": WELL})
    async with open_rig(("a", way)) as rig:
        shown = [name for _ in range(7) for name in keys_of(await rig.generate(), way)]
        assert shown == ["one", "two", "three", "one", "two", "three", "one"]
        assert [row.key_fingerprint for row in rig.rows()] == [way.of[name].key for name in shown]
        assert {row.deployment for row in rig.rows()} == {deployment_id("a", MODEL, a.key) for a in way.of.values()}
        await rig.check()


async def test_first_key_is_used_for_as_long_as_it_is_well_and_again_when_it_is(autojump_clock: object) -> None:
    gone = from_now_on(rejecting(Rejected(status=429, retry_after_s=30)), WELL, at_s=10.0)
    way = sticky(KeyedUpstreams({"one": gone, "two": WELL}))
    async with open_rig(("a", way)) as rig:
        assert [keys_of(await rig.generate(), way) for _ in range(3)] == [["one", "two"], ["two"], ["two"]]
        await trio.sleep(31.0)
        assert keys_of(await rig.generate(), way) == ["one"]
        await rig.check()


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_weights_share_the_traffic(seed: int, autojump_clock: object) -> None:
    """Drawn from the seed and the request, so the same in every run: two in three for the key of double weight."""
    shown: list[list[str]] = [[], []]
    for run in shown:
        way = KeyedUpstreams({"double": WELL, "single": WELL}, weights={"double": 2.0})
        async with open_rig(("a", way), policy=RouterPolicy(strategy="weighted"), seed=seed) as rig:
            for number in range(300):
                request = msgspec.structs.replace(asked(), request_id=RequestId(f"weighed {number}"))
                run += keys_of(outcome_of(await rig.router.ask(request, deadline=trio.current_time() + 60)), way)
            await rig.check()
    assert shown[0] == shown[1]
    counts = Counter(shown[0])
    assert 170 <= counts["double"] <= 230  # three and a half standard deviations about 200
    assert counts.total() == 300


async def test_key_of_no_weight_is_used_when_the_others_are_gone(autojump_clock: object) -> None:
    way = KeyedUpstreams({"spare": WELL, "main": WELL}, weights={"spare": 0.0})
    async with open_rig(("a", way), policy=RouterPolicy(strategy="weighted")) as rig:
        assert {name for _ in range(20) for name in keys_of(await rig.generate(), way)} == {"main"}
        way.of["main"].sim.behave(rejecting(Rejected(status=401)))
        assert keys_of(await rig.generate(), way) == ["main", "spare"]


@pytest.mark.parametrize(
    "strategy", ["priority", "cost_aware", "capability", "latency", "least_busy", "weighted", "round_robin"]
)
async def test_every_strategy_knows_the_keys(strategy: Strategy, autojump_clock: object) -> None:
    way = KeyedUpstreams({"one": rejecting(Rejected(status=401)), "two": WELL})
    async with open_rig(("a", way), policy=RouterPolicy(strategy=strategy)) as rig:
        for _ in range(6):
            outcome = finished(await rig.generate())
            assert keys_of(outcome, way)[-1] == "two"
        assert way.of["one"].asked <= 1
        await rig.check()


async def test_tags_of_a_key_can_be_asked_for(autojump_clock: object) -> None:
    way = KeyedUpstreams({"one": WELL, "two": WELL})
    async with open_rig(("a", way)) as rig:
        for _ in range(3):
            assert keys_of(await rig.generate(criteria=RoutingCriteria(tags=("two",))), way) == ["two"]


# --- what befalls one key -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("retry_after_s", [None, 1, 20])
async def test_429_on_one_key_goes_to_the_next_one_at_once_and_rests_that_model_of_that_key_alone(
    retry_after_s: float | None, autojump_clock: object
) -> None:
    def respond(question: ChatAsked) -> Script:
        return rejecting(Rejected(status=429, retry_after_s=retry_after_s)) if question.model == MODEL else WELL

    way = sticky(KeyedUpstreams({"one": respond, "two": WELL}))
    elsewhere = Upstreams(WELL)
    async with open_rig(("a", way), ("b", elsewhere), cards=CARDS) as rig:
        outcome = finished(await rig.generate(model=MODEL))
        assert trio.current_time() == 0.0
        assert keys_of(outcome, way) == ["one", "two"]
        assert [attempt.role for attempt in outcome.route.attempts] == ["first", "failover"]
        # Another model under the same key goes on as if nothing had been.
        assert keys_of(await rig.generate(model=OTHER_MODEL), way) == ["one"]
        assert keys_of(await rig.generate(model=MODEL), way) == ["two"]
        assert elsewhere.sim.bill.totals().requests == 0
        await rig.check()


async def test_short_retry_after_is_waited_out_where_every_key_has_one(autojump_clock: object) -> None:
    def soon(question: ChatAsked) -> Script:
        return rejecting(Rejected(status=429, retry_after_s=1)) if trio.current_time() < 1.0 else WELL

    way = sticky(KeyedUpstreams({"one": soon, "two": soon}))
    elsewhere = Upstreams(WELL)
    async with open_rig(("a", way), ("b", elsewhere)) as rig:
        outcome = finished(await rig.generate())
        assert keys_of(outcome, way) == ["one", "two", "two"]
        assert [attempt.role for attempt in outcome.route.attempts] == ["first", "failover", "wait"]
        assert elsewhere.sim.bill.totals().requests == 0
        await rig.check()


async def test_429_on_every_key_goes_to_the_next_provider(autojump_clock: object) -> None:
    limited = rejecting(Rejected(status=429, retry_after_s=300))
    way = KeyedUpstreams({"one": limited, "two": limited})
    async with open_rig(("a", way), ("b", Upstreams(WELL))) as rig:
        outcome = finished(await rig.generate())
        assert [each[:2] for each in results(outcome)] == [("a", "rate_limited"), ("a", "rate_limited"), ("b", "ok")]
        assert trio.current_time() == 0.0
        await rig.check()


@pytest.mark.parametrize("status", [401, 402])
async def test_revoked_key_rests_alone_for_all_models_and_is_tried_once_when_its_time_is_over(
    status: int, autojump_clock: object
) -> None:
    revoked = from_now_on(rejecting(Rejected(status=status)), WELL, at_s=400.0)
    way = sticky(KeyedUpstreams({"one": revoked, "two": WELL}))
    async with open_rig(("a", way), cards=CARDS, policy=RouterPolicy(health=STEADY)) as rig:
        assert keys_of(await rig.generate(model=MODEL), way) == ["one", "two"]
        for model in (MODEL, OTHER_MODEL, MODEL):
            assert keys_of(await rig.generate(model=model), way) == ["two"]
        assert way.of["one"].asked == 1
        resting = {each.deployment for each in (await metrics_of(rig)).deployments if each.breaker == "open"}
        assert deployment_id("a", MODEL, way.of["one"].key) in resting
        assert not [name for name in resting if name.endswith(way.of["two"].key)]

        await trio.sleep_until(301.0)  # one request finds out that it is still refused
        assert [keys_of(await rig.generate(), way) for _ in range(3)] == [["one", "two"], ["two"], ["two"]]
        await trio.sleep_until(1000.0)  # and one that it is not any more
        assert [keys_of(await rig.generate(), way) for _ in range(3)] == [["one"], ["one"], ["one"]]
        await rig.check()


async def test_key_that_may_not_use_one_model_is_used_for_the_others(autojump_clock: object) -> None:
    def respond(question: ChatAsked) -> Script:
        return rejecting(Rejected(status=403)) if question.model == MODEL else WELL

    way = sticky(KeyedUpstreams({"one": respond, "two": WELL}))
    async with open_rig(("a", way), cards=CARDS, policy=RouterPolicy(health=STEADY)) as rig:
        assert keys_of(await rig.generate(model=OTHER_MODEL), way) == ["one"]
        assert keys_of(await rig.generate(model=MODEL), way) == ["one", "two"]
        assert keys_of(await rig.generate(model=MODEL), way) == ["two"]
        assert keys_of(await rig.generate(model=OTHER_MODEL), way) == ["one"]
        await rig.check()


async def test_when_every_key_is_refused_each_is_asked_once_and_the_error_names_the_last(
    autojump_clock: object,
) -> None:
    refused = rejecting(Rejected(status=401))
    way = KeyedUpstreams({"one": refused, "two": refused})
    async with open_rig(("a", way), policy=RouterPolicy(health=STEADY)) as rig:
        outcome = unfinished(await rig.generate())
        assert keys_of(outcome, way) == ["one", "two"]
        assert outcome.failure.kind == "auth"
        assert way.of["two"].key in outcome.failure.message
        assert outcome.cost_nano_usd == 0

        again = unfinished(await rig.generate(within_s=5.0))
        assert trio.current_time() < 5.0
        assert again.route.attempts == ()
        assert again.failure.retry_after_s == pytest.approx(300.0, abs=1.0)
        assert [account.asked for account in way.of.values()] == [1, 1]
        await rig.check()


async def test_brown_out_of_one_account_is_not_blamed_on_the_other(autojump_clock: object) -> None:
    way = KeyedUpstreams({"one": rejecting(Rejected(status=503)), "two": WELL})
    async with open_rig(("a", way), policy=RouterPolicy(health=STEADY)) as rig:
        for _ in range(30):
            assert isinstance(await rig.generate(), Finished)
            await trio.sleep(0.2)
        deployments = {each.deployment: each for each in (await metrics_of(rig)).deployments}
        assert deployments[deployment_id("a", MODEL, way.of["one"].key)].breaker != "closed"
        assert deployments[deployment_id("a", MODEL, way.of["two"].key)].breaker == "closed"
        assert way.of["one"].asked < 15
        await rig.check()


# --- books and secrets --------------------------------------------------------------------------------------------


class Blow(Exception):
    """What is injected."""


@pytest.mark.parametrize("crash_after_s", [0.5, 1.5])
async def test_intent_names_the_key_before_anything_is_sent(crash_after_s: float, autojump_clock: object) -> None:
    way = KeyedUpstreams({"one": Script(text="Hello", latency_s=1.0), "two": Script(text="Hello", latency_s=1.0)})
    way.connect_s = 1.0
    async with open_rig(("a", way)) as rig, trio.open_nursery() as nursery:
        nursery.start_soon(rig.ask)
        await trio.sleep(crash_after_s)
        (row,) = rig.rows()
        assert row.key_fingerprint == way.of["one"].key
        rig.tree.crash("router", Blow())
        await rig.settled()
        (row,) = rig.rows()
        assert row.key_fingerprint == way.of["one"].key


class Found:
    """Credentials that are found when they are first needed, as those of AWS are."""

    fingerprint = None
    expires_at_unix_s = None

    async def authorise(self, request: HttpRequest, url: httpx.URL) -> Authorisation:
        return Authorisation((("authorization", "found"),), fingerprint="found")

    def refused(self, authorisation: Authorisation, failure: Failed) -> Failed:
        return failure

    def let_go(self) -> None:
        pass


async def test_books_name_what_was_shown_where_it_was_not_known_before(autojump_clock: object) -> None:
    way = Upstreams(WELL)
    way.credentials = Found()
    async with open_rig(("a", way)) as rig:
        await rig.generate()
        (row,) = rig.rows()
        assert (row.key_fingerprint, row.deployment) == ("found", f"a/{MODEL}")
        await rig.check()


class Quoting(KeyedUpstreams):
    """A vendor that quotes what it was shown, whole or in part, in everything that it says."""

    def __init__(self, status: int, length: int) -> None:
        super().__init__({"one": WELL, "two": WELL})
        self._status = status
        self._length = length

    def make(self, base_url: str) -> httpx.AsyncBaseTransport:
        """Make the transport of one incarnation."""
        return httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        shown = request.headers["authorization"].removeprefix("Bearer ")[: self._length]
        error = {"message": f"Incorrect API key provided: {shown}", "code": shown}
        return httpx.Response(self._status, json={"error": error}, headers={"x-request-id": shown})


@pytest.mark.parametrize("status", [401, 403, 429, 500])
@pytest.mark.parametrize("length", [100, 24])
async def test_no_key_is_told_to_anybody(status: int, length: int, autojump_clock: object) -> None:
    way = Quoting(status, length)
    async with open_rig(("a", way)) as rig:
        whole = await rig.generate(within_s=5.0)
        events, streamed = await rig.stream(within_s=5.0)
        assert whole.route.attempts
        told = [whole, streamed, events, rig.events, rig.rows(), await metrics_of(rig)]
        assert CANARY not in repr(told)
        assert CANARY.encode() not in msgspec.json.encode([whole, streamed])
        assert CANARY not in repr([way.keys, way.key_policies])
