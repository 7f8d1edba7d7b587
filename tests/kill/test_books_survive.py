"""Accounting is killed at random instants, again and again; what it told and what was sent is in the ledger."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from manus.actors.ledger.file import open_file_to_read
from manus.actors.ledger.journaled import runs_directory
from manus.actors.ledger.rows import LedgerRow
from manus.actors.ledger.sqlite import all_rows
from manus.actors.ledger.store import Recovery
from manus.messages.accounting import Doubt, Release, Settle
from tests.actors.books import Desk
from tests.kill.books_child import bound_of, ending_of, used_by
from tests.kill.killing import kill_after, start, wait_for_notes
from tests.kill.notes import lines_of
from tests.kill.totals import check_totals


class Killed:
    """A ledger and the notes of all who died over it."""

    def __init__(self, directory: Path) -> None:
        self.ledger = directory / "ledger.sqlite"
        self.notes = directory / "notes"
        self.granted: set[str] = set()
        self.sent: set[str] = set()
        self.booked: dict[str, str] = {}

    def run(self, seed: str, delay_s: float, durability: str) -> None:
        """Let a child work, kill it, and read what it left."""
        done = len(lines_of(self.notes))
        child = start("tests.kill.books_child", str(self.ledger), str(self.notes), seed, durability)
        wait_for_notes(child, self.notes, done + 50)
        kill_after(child, delay_s)
        for line in lines_of(self.notes)[done:]:
            match line:
                case ["granted", name]:
                    self.granted.add(name)
                case ["sent", name]:
                    self.sent.add(name)
                case ["booked", name, state]:
                    self.booked[name] = state
                case ["began", _]:
                    pass
                case other:
                    raise AssertionError(f"not a note: {other}")

    def rows(self) -> dict[str, LedgerRow]:
        """Read all rows; a request stands there once."""
        connection = open_file_to_read(self.ledger, busy_s=5.0)
        rows = list(all_rows(connection))
        connection.close()
        assert len({row.request_id for row in rows}) == len(rows)
        return {row.request_id: row for row in rows}


def planned_state(name: str) -> str:
    match ending_of(name):
        case Settle():
            return "settled"
        case Release():
            return "released"
        case Doubt():
            return "in_doubt"


def check(killed: Killed) -> None:
    """Compare the recovered ledger with everything that the dead had noted."""
    rows = killed.rows()
    assert killed.granted <= rows.keys(), "a grant is a row"
    for name, row in rows.items():
        planned = planned_state(name)
        if name in killed.booked:
            assert row.state == killed.booked[name] == planned, f"{name}: what was told has changed"
        elif name in killed.sent:
            assert row.state in (planned, "in_doubt"), f"{name} was sent, and is {row.state}"
        elif name in killed.granted:
            # Its dispatch may be in the ledger although he had no time to note that it was sent.
            assert row.state in ("released", "in_doubt"), f"{name} was not sent, and is {row.state}"
        else:
            assert row.state == "released", f"{name} was never granted, and is {row.state}"
        assert row.ended_unix_s is not None
        match row.state:
            case "settled":
                assert row.usage == used_by(name)
                assert row.cost_nano_usd is not None
            case "in_doubt":
                assert row.usage == bound_of(name), "the bound covers whatever was billed"
                assert row.dispatched_unix_s is not None
            case "released":
                assert (row.usage.total, row.cost_nano_usd) == (0, 0)
            case other:
                raise AssertionError(f"{name} is left {other}")


def recover(killed: Killed) -> Recovery:
    """Start once more, and end cleanly."""
    store = Desk().open(killed.ledger)
    store.close()
    return store.recovered


def kill_again_and_again(directory: Path, *, seed: int, rounds: int, durability: str) -> None:
    rng = random.Random(f"{seed}/kill")
    killed = Killed(directory)
    for number in range(rounds):
        killed.run(f"{seed}.{number}", rng.uniform(0.0, 0.4), durability)
        # Half of the time the next child itself has to recover what the last one left.
        if number % 2 or number == rounds - 1:
            found = recover(killed)
            assert found.runs >= 1
            assert (found.damaged, found.left) == ((), ())
            before = killed.rows()
            check(killed)
            assert recover(killed) == Recovery(), "recovering twice is recovering once"
            assert killed.rows() == before
            assert list(runs_directory(killed.ledger).iterdir()) == []
    assert len(killed.booked) > 10 * rounds, "it was hardly at work"
    assert killed.sent - killed.booked.keys(), "nobody died with a call under way"
    desk = Desk()
    store = desk.open(killed.ledger)
    check_totals(desk, store, list(killed.rows().values()))
    store.close()


@pytest.mark.parametrize(("durability", "rounds"), [("process", 6), ("power", 2)])
def test_books_survive_being_killed(tmp_path: Path, durability: str, rounds: int) -> None:
    kill_again_and_again(tmp_path, seed=1, rounds=rounds, durability=durability)


@pytest.mark.long
@pytest.mark.parametrize("durability", ["process", "power"])
@pytest.mark.parametrize("seed", range(100, 105))
def test_books_survive_being_killed_a_hundred_times(tmp_path: Path, seed: int, durability: str) -> None:
    kill_again_and_again(tmp_path, seed=seed, rounds=20, durability=durability)


def test_a_living_process_is_not_robbed_by_one_that_recovers_the_dead(tmp_path: Path) -> None:
    killed = Killed(tmp_path)
    other_notes = tmp_path / "other notes"
    living = start("tests.kill.books_child", str(killed.ledger), str(other_notes), "living", "process")
    try:
        wait_for_notes(living, other_notes, 50)
        for number in range(2):
            killed.run(f"dead.{number}", 0.05, "process")
            assert recover(killed).runs == 1
        assert living.poll() is None
        open_rows = [row for row in killed.rows().values() if row.is_open]
        assert open_rows
        assert all(row.request_id.startswith("living-") for row in open_rows)
    finally:
        kill_after(living, 0.0)
    killed.notes.write_text(killed.notes.read_text() + other_notes.read_text())
    for line in lines_of(other_notes):
        match line:
            case ["granted", name]:
                killed.granted.add(name)
            case ["sent", name]:
                killed.sent.add(name)
            case ["booked", name, state]:
                killed.booked[name] = state
    assert recover(killed).runs == 1
    check(killed)
