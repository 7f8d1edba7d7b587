"""Simulated runs are exact: one seed, one trace, whatever the hash seed; and they reach nothing outside."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
import uuid

import pytest
import trio

from manus.sim.chaos import run_plan
from manus.sim.chaos_draw import plan_from_seed
from manus.sim.determinism import (
    HorizonReached,
    OutsideTouched,
    StepCanceller,
    TooManySteps,
    Trace,
    cancel_at_each_step,
    simulate,
)


async def scramble() -> list[int]:
    """Let twenty tasks that are always ready together write down their order."""
    order: list[int] = []

    async def worker(number: int) -> None:
        for _ in range(5):
            await trio.sleep(0.05)
            order.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(worker, number)
    return order


def order_of(seed: int) -> tuple[str, list[int]]:
    trace = Trace()
    order = simulate(scramble, schedule_seed=seed, horizon_s=10.0, trace=trace)
    return trace.hexdigest(), order


def test_one_seed_gives_one_schedule_and_other_seeds_give_others() -> None:
    """Guards the private names of trio that order the run queue: without them these would be equal, or random."""
    assert order_of(1) == order_of(1)
    assert len({order_of(seed)[0] for seed in range(5)}) == 5


def test_trio_is_left_as_it_was() -> None:
    from trio._core import _run

    before = vars(_run)["_ALLOW_DETERMINISTIC_SCHEDULING"], _run._r.getstate()
    order_of(3)
    assert (vars(_run)["_ALLOW_DETERMINISTIC_SCHEDULING"], _run._r.getstate()) == before


def test_what_waits_for_ever_reaches_the_horizon_instead_of_hanging() -> None:
    with pytest.raises(HorizonReached, match="100 s"):
        simulate(trio.sleep_forever, schedule_seed=0, horizon_s=100.0)


def test_what_spins_is_stopped() -> None:
    async def spin() -> None:
        while True:
            await trio.lowlevel.checkpoint()

    with pytest.raises(TooManySteps):
        simulate(spin, schedule_seed=0, horizon_s=100.0, trace=Trace(steps_max=1000))


async def touch_a_thread() -> None:
    await trio.to_thread.run_sync(int)


async def touch_the_clock() -> None:
    time.time()


async def touch_the_steady_clock() -> None:
    time.monotonic()


async def touch_chance() -> None:
    random.random()


async def touch_uuid() -> None:
    uuid.uuid4()


async def touch_the_network() -> None:
    with socket.socket() as sock:
        sock.connect(("127.0.0.1", 9))


async def touch_entropy() -> None:
    os.urandom(4)


@pytest.mark.parametrize(
    "touch",
    [
        touch_a_thread,
        touch_the_clock,
        touch_the_steady_clock,
        touch_chance,
        touch_uuid,
        touch_the_network,
        touch_entropy,
    ],
)
def test_a_simulation_that_reaches_outside_is_told_so(touch: object) -> None:
    assert callable(touch)
    with pytest.raises(OutsideTouched):
        simulate(touch, schedule_seed=0, horizon_s=1.0)


def test_cancelling_at_each_step_meets_every_step_once() -> None:
    async def scenario(canceller: StepCanceller) -> int:
        done = 0
        with canceller:
            for _ in range(4):
                await trio.sleep(1)
                done += 1
        return done

    seen: list[int] = []
    steps = cancel_at_each_step(scenario, seen.append)
    assert steps == 4
    assert seen == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("persistent", "outcomes"),
    [
        (False, [["cut", "done"], ["cut", "done"], ["done", "cut"], ["done", "cut"], ["done", "done"]]),
        (True, [["cut", "cut"], ["cut", "cut"], ["done", "cut"], ["done", "cut"], ["done", "done"]]),
    ],
)
def test_cancellation_strikes_once_or_from_then_on(persistent: bool, outcomes: list[list[str]]) -> None:
    async def scenario(canceller: StepCanceller) -> list[str]:
        ends = []
        for _ in range(2):
            with canceller as scope:
                await trio.sleep(1)
                await trio.sleep(1)
            ends.append("cut" if scope.cancelled_caught else "done")
        return ends

    seen: list[list[str]] = []
    assert cancel_at_each_step(scenario, seen.append, persistent=persistent) == 4
    assert seen == outcomes


def test_a_failed_check_says_at_which_step_it_was_cancelled() -> None:
    async def scenario(canceller: StepCanceller) -> list[str]:
        done = []
        with canceller:
            await trio.sleep(1)
            await trio.sleep(1)
            done.append("all of it")
        return done

    def check(done: list[str]) -> None:
        assert done, "it must not be cut short"

    with pytest.raises(AssertionError) as caught:
        cancel_at_each_step(scenario, check, persistent=True)
    assert caught.value.__notes__ == ["cancelled at step 1 and ever after"]


TRACES = """
from manus.sim.chaos import run_plan
from manus.sim.chaos_draw import plan_from_seed
print([run_plan(plan_from_seed(seed)).trace for seed in range(6)])
"""


def test_plans_run_the_same_under_every_hash_seed() -> None:
    traces = {
        subprocess.run(
            [sys.executable, "-c", TRACES],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert traces == {f"{[run_plan(plan_from_seed(seed)).trace for seed in range(6)]}\n"}
