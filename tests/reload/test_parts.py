"""The parts that a reload changes, one by one: what they keep and what they go by afterwards."""

from __future__ import annotations

import random

import pytest
import trio
import trio.testing

from manus.actors.estimates.calibration import Calibration
from manus.actors.estimates.measure import measure
from manus.actors.health import Health, NotBefore, Ticket
from manus.actors.journey.traffic_share import TrafficShares
from manus.actors.redaction import SECRETS_MAX, Redaction
from manus.actors.waiting_room import WaitingRoom
from manus.messages.calls import Probed
from manus.messages.content import Text, Turn
from manus.messages.failures import Failed
from manus.messages.ids import DeploymentId, RequestId
from manus.messages.requests import ChatRequest
from manus.messages.routing_policy import HealthPolicy

ONE = DeploymentId("p/one")
TWO = DeploymentId("q/two")
BAD = Failed(kind="server", message="HTTP 500", status=500)
REFUSED = Failed(kind="auth", message="HTTP 401", status=401)


def begun(health: Health, deployment: DeploymentId, now: float) -> Ticket:
    """Begin an attempt that may begin."""
    ticket = health.begin(deployment, provider=deployment[0], key=None, now=now)
    assert isinstance(ticket, Ticket)
    return ticket


def fails(health: Health, deployment: DeploymentId, now: float, failure: Failed = BAD) -> None:
    """Have one attempt fail."""
    health.ended(begun(health, deployment, now), failure=failure, now=now, first_content_s=None, latency_s=None)


def is_ready(health: Health, deployment: DeploymentId, now: float) -> bool:
    return not isinstance(health.verdict(deployment, provider=deployment[0], key=None, now=now), NotBefore)


def only_one(provider: str, key: str | None, deployment: DeploymentId) -> bool:
    return deployment == ONE


def all_of_them(provider: str, key: str | None, deployment: DeploymentId) -> bool:
    return True


def test_health_is_kept_where_it_is_still_true_and_forgotten_elsewhere() -> None:
    health = Health(HealthPolicy(failures=1), random.Random(1))
    for deployment in (ONE, TWO):
        fails(health, deployment, 0.0)

    health.reconfigure(HealthPolicy(failures=1), only_one)

    assert (is_ready(health, ONE, 0.1), is_ready(health, TWO, 0.1)) == (False, True)
    assert [each.deployment for each in health.metrics(0.1)] == [ONE]


def test_an_attempt_that_runs_where_health_was_forgotten_says_nothing_of_its_successor() -> None:
    health = Health(HealthPolicy(failures=1), random.Random(1))
    old = begun(health, TWO, 0.0)
    health.reconfigure(HealthPolicy(failures=1), only_one)
    new = begun(health, TWO, 1.0)

    moves = health.ended(old, failure=BAD, now=2.0, first_content_s=None, latency_s=None)

    assert moves == ()
    assert is_ready(health, TWO, 2.0)
    assert health.in_flight(TWO) == 1
    health.ended(new, failure=BAD, now=3.0, first_content_s=None, latency_s=None)
    assert not is_ready(health, TWO, 3.0)
    assert not health.all_well


def test_a_success_where_health_was_forgotten_does_not_make_its_successor_well() -> None:
    health = Health(HealthPolicy(failures=1), random.Random(1))
    old = begun(health, TWO, 0.0)
    health.reconfigure(HealthPolicy(failures=1), only_one)
    fails(health, TWO, 1.0)

    health.ended(old, failure=None, now=2.0, first_content_s=None, latency_s=None)

    assert not is_ready(health, TWO, 2.0)
    assert not health.all_well


def test_a_list_of_models_that_comes_after_its_key_has_changed_says_nothing() -> None:
    policy = HealthPolicy(refused_s=1.0, probe_interval_s=1.0)
    health = Health(policy, random.Random(1))
    fails(health, TWO, 0.0, REFUSED)
    probe = health.begin_probe("q", None, 5.0)
    assert probe is not None
    health.reconfigure(policy, only_one)

    moves = health.probed(probe, Probed(failure=REFUSED), now=6.0)

    assert all(move.at < 6.0 for move in moves), "only what had happened before"
    assert is_ready(health, TWO, 6.0)


def test_another_policy_counts_from_now_on_and_a_rest_that_has_begun_stays() -> None:
    health = Health(HealthPolicy(failures=1, open_s=50.0, open_max_s=50.0, jitter=0.0), random.Random(1))
    fails(health, ONE, 0.0)

    health.reconfigure(HealthPolicy(failures=2, open_s=1.0, jitter=0.0, window_s=60.0), all_of_them)

    assert not is_ready(health, ONE, 49.0)
    assert is_ready(health, ONE, 51.0)
    fails(health, TWO, 0.0)
    assert is_ready(health, TWO, 0.1)
    fails(health, TWO, 0.2)
    assert not is_ready(health, TWO, 0.3)


async def test_more_places_let_on_who_waits_and_fewer_take_none_away(autojump_clock: object) -> None:
    room = WaitingRoom(2, batch_share=0.5, waiting_max=9, rng=random.Random(1))
    served: list[int] = []

    async def wait(number: int) -> None:
        await room.wait()
        served.append(number)

    assert room.enter(0.0, batch=True)
    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(wait, number)
            await trio.testing.wait_all_tasks_blocked()
        room.resize(6, batch_share=0.5, waiting_max=9)
        await trio.testing.wait_all_tasks_blocked()
        assert (sorted(served), room.taken, room.waiting) == ([0, 1], 3, 1)

        room.resize(1, batch_share=0.5, waiting_max=0)
        assert not room.enter(1.0, batch=False)
        assert not room.has_room(batch=True)
        for _ in range(3):
            room.leave(1.0, 2.0)
        await trio.testing.wait_all_tasks_blocked()
        assert (sorted(served), room.taken) == ([0, 1, 2], 1)


def test_shares_of_traffic_are_of_another_size_and_what_was_spent_stays_spent() -> None:
    shares = TrafficShares(0.0, 2)
    assert [shares.spend("p", 0.0) for _ in range(3)] == [True, True, False]

    shares.adopt(0.0, 3)
    assert [shares.spend("p", 0.0) for _ in range(2)] == [True, False]
    shares.keep_only(["q"])
    assert shares.spend("p", 0.0), "it has left, and begins anew should it come back"


def test_what_was_learnt_of_an_entry_is_unlearnt_and_of_others_it_is_not() -> None:
    calibration = Calibration()
    request = ChatRequest(request_id=RequestId("r"), turns=(Turn(role="user", parts=(Text(text="word " * 50),)),))
    measured = measure(request)
    for provider in ("p", "q"):
        calibration.observe_prompt(provider, "m", "m", measured, 500)

    calibration.forget("p")

    assert (calibration.knows("p", "m"), calibration.knows("q", "m")) == (False, True)


def test_secrets_of_former_configurations_are_struck_out_beside_those_of_the_present_one() -> None:
    redact = Redaction(["sk-first-key-0001"])
    redact.learn(["sk-second-key-0002"])

    assert redact("keys sk-first-key-0001 and sk-second-key-0002!") == "keys [secret] and [secret]!"
    assert "sk-" not in repr(redact)


@pytest.mark.parametrize("more", [0, 7])
def test_so_many_secrets_are_remembered_and_the_latest_of_them(more: int) -> None:
    redact = Redaction([])
    for number in range(SECRETS_MAX + more):
        redact._known[f"{number:012}"] = None
    redact.learn(["sk-the-latest-key"])

    assert len(redact._known) == SECRETS_MAX
    assert redact("the sk-the-latest-key!") == "the [secret]!"
