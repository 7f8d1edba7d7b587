"""The plug is pulled on books of `durability = "power"`: what was confirmed stands, the rest is in doubt at worst."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from manus.actors.ledger.journaled import runs_directory
from manus.actors.ledger.records import AnyRecord, AttemptDispatched, AttemptReserved
from manus.actors.ledger.store import Recovery
from tests.actors.books import Desk
from tests.kill.books_child import bound_of, used_by
from tests.kill.fleet import simulated
from tests.kill.lane import USUAL, Episode
from tests.kill.notes import lines_of
from tests.kill.spawner import spawning
from tests.kill.tearing import TEARS, Tear, tear_tail
from tests.kill.test_books_survive import Killed, planned_state
from tests.kill.totals import check_totals

PATIENCE = 8
"""How many times the usual rounds a run may take until its plug is pulled while something is unconfirmed."""


def pull_the_plug(killed: Killed, name: str, tear: Tear, rng: random.Random) -> int:
    """Let a child work, kill it, and take from its journal what it had not been told was kept."""
    killed.run(name, rng.uniform(0.0, 0.3), "power")
    (run_id,) = [line[1] for line in lines_of(killed.notes) if line[0] == "began"][-1:]

    def is_kept(record: AnyRecord) -> bool:
        match record:
            case AttemptReserved():
                return record.request_id in killed.granted
            case AttemptDispatched():
                return False  # nobody waits for it to be kept
            case _:
                return record.request_id in killed.booked

    return tear_tail(runs_directory(killed.ledger), run_id, tear, rng, is_kept)


def check(killed: Killed) -> None:
    """Nothing that was confirmed is missing or another; of the rest the books know less, never something wrong."""
    rows = killed.rows()
    assert killed.granted <= rows.keys(), "a grant is a row, whatever becomes of the disk's tail"
    for name, row in rows.items():
        planned = planned_state(name)
        if name in killed.booked:
            assert row.state == killed.booked[name] == planned, f"{name}: what was told has changed"
        else:
            assert row.state in (planned, "in_doubt"), f"{name} is {row.state}"
        match row.state:
            case "settled":
                assert row.usage == used_by(name)
            case "in_doubt":
                assert row.usage == bound_of(name)
            case _:
                assert row.usage.total == 0
                # What was sent may have been billed: only its own word can have released it.
                assert row.reason == "refused", f"{name} was released by recovery after a power cut"


def pull_it_again_and_again(directory: Path, monkeypatch: pytest.MonkeyPatch, tear: Tear, *, rounds: int) -> None:
    rng = random.Random(f"{tear}/{rounds}")
    killed = Killed(directory)
    lost = number = 0
    # Whether anything was unconfirmed at the moment of the kill is the scheduler's doing: go on until something was.
    while number < rounds or (lost == 0 and number < rounds * PATIENCE):
        lost += pull_the_plug(killed, f"{tear}.{number}", tear, rng)
        with monkeypatch.context() as patch:
            # The machine came up again.
            patch.setattr("manus.actors.ledger.recovery.current_boot_id", lambda number=number: f"boot {number}")
            desk = Desk()
            store = desk.open(killed.ledger)
            assert store.recovered.runs == 1
            assert store.recovered.left == ()
            store.close()
        set_aside = [str(path) for path in runs_directory(killed.ledger).iterdir()]
        assert sorted(store.recovered.damaged) == sorted(set_aside), "what made no sense is kept for people"
        for path in set_aside:
            Path(path).unlink()
        check(killed)
        before = killed.rows()
        store = desk.open(killed.ledger)
        assert store.recovered == Recovery()
        check_totals(desk, store, list(before.values()))
        store.close()
        assert killed.rows() == before
        number += 1
    assert killed.booked, "nothing had been confirmed"
    assert lost > 0, "nothing was torn"


@pytest.mark.parametrize("tear", TEARS)
def test_confirmed_books_survive_a_torn_tail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tear: Tear) -> None:
    pull_it_again_and_again(tmp_path, monkeypatch, tear, rounds=3)


@pytest.mark.long
@pytest.mark.parametrize("tear", TEARS)
def test_confirmed_books_survive_forty_torn_tails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tear: Tear) -> None:
    pull_it_again_and_again(tmp_path, monkeypatch, tear, rounds=40)


def test_what_agents_were_told_is_durable_survives_a_torn_tail_and_every_bill_is_owned_up_to(tmp_path: Path) -> None:
    sections = USUAL | {"ledger": {"durability": "power"}}
    with simulated(11) as fleet, spawning() as spawner:
        episode = Episode(tmp_path, fleet, spawner, seed=11, audit_every=2, pull_the_plug=True, **sections)
        figures = episode.run(6, ("kill",))
        for _ in range(PATIENCE):
            if figures.torn_records > 0:
                break
            figures = episode.run(2, ("kill",))
    assert figures.torn_records > 0, "nothing was torn"
    assert figures.told > 50, "hardly anybody was told anything"
