"""Whatever befalls the accounting actor, in whichever step, the books stay whole and every attempt ends."""

from __future__ import annotations

import itertools
import random
from typing import Any, Literal

import pytest
import trio
import trio.testing

from manus.actors.ledger.store import Fault
from manus.messages.accounting import Booked, Granted
from manus.sim.determinism import simulate
from manus.supervisor.events import LateReply
from manus.supervisor.terminals import ActorFailed, Expired
from tests.actors.accounting_rig import BACKOFF_S, POLICY, Faults, Rig, accounting, dispatch, doubt, release, settle
from tests.actors.books import make_reserve
from tests.supervisor.steps import Strike, strike_at_each_step

POINTS: tuple[Literal["before", "after"], ...] = ("before", "after")


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_while_an_intent_is_written_leaves_nothing_open(
    autojump_clock: trio.testing.MockClock, point: Any
) -> None:
    async with accounting() as rig:
        rig.faults.at[1] = (point, "raise")
        failed = await rig.ask(make_reserve())
        assert isinstance(failed, ActorFailed)
        assert failed.safe_to_retry
        assert isinstance(await rig.ask(make_reserve(attempt=2)), Granted)
        assert rig.states().get("r1/1") in (None, "released")
        assert rig.books.ledger.totals.open == 1
        await rig.ask(settle(attempt=2))
        assert rig.books.ledger.totals.conserved


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize(
    ("ending", "state"),
    [(settle(), "settled"), (release(), "released"), (doubt(), "in_doubt")],
    ids=["settle", "release", "doubt"],
)
async def test_a_crash_while_an_ending_is_written_does_not_lose_it(
    autojump_clock: trio.testing.MockClock, point: Any, ending: Any, state: str
) -> None:
    async with accounting() as rig:
        await rig.ask(make_reserve())
        rig.faults.at[2] = (point, "raise")
        assert isinstance(await rig.ask(ending), ActorFailed)
        await trio.sleep(BACKOFF_S + 0.1)
        assert rig.states() == {"r1/1": state}, "the next incarnation booked what was in hand"
        again = await rig.ask(ending)
        assert isinstance(again, Booked)
        assert (again.state, again.durable) == (state, True)
        assert rig.books.ledger.totals.conserved


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_while_a_dispatch_is_written_does_not_lose_it(
    autojump_clock: trio.testing.MockClock, point: Any
) -> None:
    async with accounting() as rig:
        await rig.ask(make_reserve())
        rig.faults.at[2] = (point, "raise")
        rig.ref.cast(dispatch())
        await trio.sleep(BACKOFF_S + 0.1)
        assert rig.states() == {"r1/1": "dispatched"}
        await rig.ask(settle())


async def test_an_ending_that_crashes_its_booking_every_time_is_left_in_doubt(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with accounting() as rig:
        await rig.ask(make_reserve())

        def broken(*_: object) -> None:
            raise ZeroDivisionError("a bug in settling")

        monkeypatch.setattr(type(rig.books.ledger), "settle", broken)
        assert isinstance(await rig.ask(settle()), ActorFailed)
        await trio.sleep(5 * BACKOFF_S)
        assert rig.states() == {"r1/1": "in_doubt"}
        assert rig.tree.status()[0].state == "running"


async def test_while_nobody_keeps_the_books_what_was_granted_counts_as_sent(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with accounting() as rig:
        await rig.ask(make_reserve("granted"))
        await rig.ask(make_reserve("ended"))
        await rig.ask(settle("ended"))
        rig.tree.crash("accounting", KeyError("injected"))
        await trio.testing.wait_all_tasks_blocked()
        assert rig.states() == {"granted/1": "dispatched", "ended/1": "settled"}
        rig.ref.cast(dispatch("granted"))
        await rig.ask(release("granted"))
        assert rig.states()["granted/1"] == "released", "it may still turn out to have been refused"


async def test_what_was_asked_while_it_was_down_is_booked_in_order(autojump_clock: trio.testing.MockClock) -> None:
    async with accounting() as rig:
        await rig.ask(make_reserve())
        place = rig.ref.place()
        assert place is not None
        rig.tree.crash("accounting", KeyError("injected"))
        await trio.testing.wait_all_tasks_blocked()
        rig.ref.cast(dispatch())
        booked = await place.ask(settle(), deadline=trio.current_time() + 30)
        assert isinstance(booked, Booked)
        assert booked.state == "settled"
        assert rig.states() == {"r1/1": "settled"}


async def test_an_ending_whose_asker_stopped_waiting_is_booked_all_the_same(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with accounting() as rig:
        await rig.ask(make_reserve())
        place = rig.ref.place()
        assert place is not None
        rig.tree.crash("accounting", KeyError("injected"))
        await trio.testing.wait_all_tasks_blocked()
        assert isinstance(await place.ask(settle(), deadline=trio.current_time() + 0.1), Expired)
        await trio.sleep(BACKOFF_S)
        assert rig.states() == {"r1/1": "settled"}


async def test_an_error_after_a_confirmation_is_the_actors_crash_and_not_the_loops(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with accounting() as rig:
        rig.faults.at[1] = ("after", "stall")
        rig.faults.at[2] = ("before", "raise")
        with trio.move_on_after(1):
            await rig.ask(make_reserve())
        rig.store.heal()  # confirms, and the release of what nobody waits for any more fails
        await trio.sleep(BACKOFF_S + 0.1)
        assert rig.tree.status()[0].generation == 2
        assert rig.states() == {"r1/1": "released"}


async def test_a_confirmation_for_a_former_incarnation_changes_nothing(autojump_clock: trio.testing.MockClock) -> None:
    async with accounting() as rig, trio.open_nursery() as nursery:
        rig.faults.at[1] = ("after", "stall")
        answers: list[object] = []

        async def reserve() -> None:
            answers.append(await rig.ask(make_reserve()))

        nursery.start_soon(reserve)
        await trio.testing.wait_all_tasks_blocked()
        rig.tree.crash("accounting", KeyError("injected"))
        await trio.sleep(BACKOFF_S + 0.1)
        assert isinstance(answers[0], ActorFailed)
        assert rig.states() == {"r1/1": "released"}
        rig.store.heal()
        await trio.sleep(POLICY.confirm_s + 1)
        assert rig.states() == {"r1/1": "released"}
        assert rig.books.ledger.totals.open == 0
        assert rig.of(LateReply) == []


class Told:
    """What clients were told: who was granted, and how which attempt was booked."""

    def __init__(self) -> None:
        self.granted: set[str] = set()
        self.booked: dict[str, str] = {}


async def one_attempt(rig: Rig, name: str, ending: Any, told: Told) -> None:
    """Make one attempt as the router does: a place first, then reserve, dispatch, ending; leaving ends it too."""
    place = rig.ref.place()
    if place is None:
        return
    row = f"{name}/1"
    try:
        if not isinstance(await rig.ask(make_reserve(name)), Granted):
            return
        told.granted.add(row)
        await trio.sleep(0.05)
        rig.ref.cast(dispatch(name))
        await trio.sleep(0.05)
        booked = await place.ask(ending, deadline=trio.current_time() + 30)
        if isinstance(booked, Booked):
            told.booked[row] = booked.state
    finally:
        if not place.used:
            place.cast(doubt(name) if row in told.granted else release(name))


def check_books(rig: Rig, told: Told) -> None:
    totals = rig.books.ledger.totals
    assert totals.conserved
    assert totals.open == 0
    assert not rig.books.unwritten
    rows = rig.states()
    for row in told.granted:
        assert rows[row] in ("settled", "released", "in_doubt"), row
    for row, state in told.booked.items():
        assert rows[row] == state, row
    # An intent that was kept although its asker was told otherwise stays open: nothing was sent for it.
    assert {row for row, state in rows.items() if state in ("intent", "dispatched")}.isdisjoint(told.granted)


@pytest.mark.parametrize("stalled", [False, True], ids=["prompt disk", "stalling disk"])
@pytest.mark.parametrize("blow", ["cancel", "crash"])
def test_an_attempt_survives_a_blow_at_any_step(stalled: bool, blow: str) -> None:
    """Its asker is cancelled, or accounting crashes, after every single step of everybody who takes part."""

    async def scenario(strike: Strike) -> None:
        faults = Faults()
        if stalled:
            faults.always = "stall"
        told = Told()
        scope = trio.CancelScope()
        async with accounting(faults=faults) as rig:

            def crash() -> None:
                if rig.tree.status()[0].state == "running":
                    rig.tree.crash("accounting", KeyError("injected"))

            async def client() -> None:
                with scope:
                    await one_attempt(rig, "r1", settle(), told)

            async def heal() -> None:
                for _ in range(40):
                    await trio.sleep(0.05)
                    rig.store.heal()

            async with trio.open_nursery() as nursery:
                strike.blow = scope.cancel if blow == "cancel" else crash
                nursery.start_soon(client, name="client")
                nursery.start_soon(heal, name="disk")
            strike.blow = None
            await trio.sleep(30)
            check_books(rig, told)
            assert set(rig.states().values()) <= {"settled", "released", "in_doubt"}

    assert strike_at_each_step(scenario, "client", "disk", "accounting") >= 10


@pytest.mark.parametrize("seed", range(25))
def test_no_mixture_of_faults_and_crashes_loses_an_attempt(seed: int) -> None:
    simulate(lambda: mixture(seed), schedule_seed=seed, horizon_s=1_000.0)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(25, 2000))
def test_no_mixture_at_all_loses_an_attempt(seed: int) -> None:
    simulate(lambda: mixture(seed), schedule_seed=seed, horizon_s=1_000.0)


async def mixture(seed: int) -> None:
    """Run clients against a store that fails at random and an actor that is crashed at random, then let it heal."""
    rng = random.Random(f"{seed}/accounting")
    rate = rng.choice((0.02, 0.1, 0.3))
    faults = Faults()
    choices: tuple[Fault, ...] = ("refuse", "raise", "stall")
    for position in range(1, 400):
        if rng.random() < rate:
            faults.at[position] = (rng.choice(POINTS), rng.choice(choices))
    told = Told()
    counter = itertools.count()
    async with accounting(faults=faults) as rig:

        async def client() -> None:
            for _ in range(8):
                name = f"r{next(counter)}"
                ending = rng.choice((settle, release, doubt))(name)
                with trio.move_on_after(rng.choice((0.05, 0.1, 1.0, 60.0))):
                    await one_attempt(rig, name, ending, told)
                await trio.sleep(rng.choice((0.0, 0.05, 0.5)))

        async def trouble() -> None:
            for _ in range(12):
                await trio.sleep(rng.choice((0.05, 0.5, 2.0)))
                if rng.random() < 0.3 and rig.tree.status()[0].state == "running":
                    rig.tree.crash("accounting", KeyError("injected"))
                else:
                    rig.store.heal()

        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(client)
            nursery.start_soon(trouble)
        faults.at.clear()
        rig.store.heal()
        await trio.sleep(60)
        check_books(rig, told)
    assert told.granted
    assert told.booked
