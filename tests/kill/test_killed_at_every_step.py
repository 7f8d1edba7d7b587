"""Recovery, the update of an old file, the first start and a clean end are killed between any two of their steps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from manus.actors.ledger.file import open_file_to_read
from manus.actors.ledger.journaled import runs_directory
from manus.actors.ledger.records import AnyRecord
from manus.actors.ledger.rows import LedgerRow
from manus.actors.ledger.sqlite import all_rows
from manus.actors.ledger.store import Recovery
from tests.actors.books import Desk, dispatched, doubted, leave_dead_run, released, reserved, settled
from tests.kill.killing import ROOT
from tests.kill.notes import lines_of
from tests.kill.old_ledgers import ROWS, make_version_1
from tests.kill.totals import check_totals

LATER = 100.0
"""When whoever comes after opens the ledger."""

SEGMENT_BYTES = 16 * 1024
"""So small that a run leaves more than one."""


def kill_at_every_step(operation: str, template: Path, places: Path, *, at_least: int) -> list[Path]:
    """Give the places where processes died, each one step later than the one before."""
    places.mkdir()
    arguments = [sys.executable, "-m", "tests.kill.step_child", operation, str(template), str(places)]
    told = subprocess.run(arguments, cwd=ROOT, check=True, stdout=subprocess.PIPE, timeout=280)
    steps = int(told.stdout)
    assert steps > at_least, f"{operation} took {steps} steps, and hardly anything was tried"
    return [places / str(number) for number in range(1, steps)]


def rows_of(ledger: Path) -> list[LedgerRow]:
    connection = open_file_to_read(ledger, busy_s=5.0)
    rows = list(all_rows(connection))
    connection.close()
    return rows


def recovered_rows(place: Path) -> dict[str, LedgerRow]:
    """Open what was left, and give its rows; opening it again changes nothing, and its totals are their sums."""
    ledger = place / "ledger.sqlite"
    desk = Desk()
    store = desk.open(ledger, now=LATER)
    assert (store.recovered.left, store.recovered.damaged) == ((), ())
    store.close()
    rows = rows_of(ledger)
    store = desk.open(ledger, now=LATER)
    assert store.recovered == Recovery(), "recovering twice is recovering once"
    check_totals(desk, store, rows)
    store.close()
    assert rows_of(ledger) == rows
    assert list(runs_directory(ledger).iterdir()) == []
    assert len({(row.run_id, row.request_id, row.attempt) for row in rows}) == len(rows)
    return {f"{row.run_id}/{row.request_id}": row for row in rows}


def step_by_step(name: str) -> list[AnyRecord]:
    """Give what a run leaves that died with calls in every state, over more than one segment."""
    records: list[AnyRecord] = []
    for number in range(5):
        each = f"{name}.{number}"
        records += [reserved(each, tags=("x" * 4000,)), dispatched(each)]
        match number % 5:
            case 0:
                records.append(settled(each))
            case 1:
                records.append(released(each))
            case 2:
                records.append(doubted(each))
            case _:
                pass
    return [*records, reserved(f"{name}.unsent")]


def test_a_recovery_that_is_killed_at_any_step_is_done_again(tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.mkdir()
    ledger = template / "ledger.sqlite"
    Desk().open(ledger).close()
    for name in ("run-1", "run-2"):
        leave_dead_run(ledger, name, step_by_step(name), segment_bytes=SEGMENT_BYTES)
    places = kill_at_every_step("open", template, tmp_path / "places", at_least=30)
    expected = recovered_rows(template)
    assert {row.state for row in expected.values()} == {"settled", "released", "in_doubt"}
    for place in places:
        found = recovered_rows(place)
        assert found.keys() == expected.keys()
        for name, row in found.items():
            wanted = expected[name]
            assert (row.state, row.usage, row.cost_nano_usd) == (wanted.state, wanted.usage, wanted.cost_nano_usd)
            assert row.ended_unix_s in (3.0, 50.0, LATER), "it ended when it ended, or when it was found"


def test_an_update_that_is_killed_at_any_step_is_done_again(tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.mkdir()
    ledger = template / "ledger.sqlite"
    make_version_1(ledger)
    leave_dead_run(ledger, "run-1", step_by_step("run-1"), segment_bytes=SEGMENT_BYTES)
    places = kill_at_every_step("open", template, tmp_path / "places", at_least=30)
    expected = recovered_rows(template)
    assert sum(name.startswith("old/") for name in expected) == ROWS
    for place in places:
        found = recovered_rows(place)
        assert found.keys() == expected.keys()
        for name, row in found.items():
            wanted = expected[name]
            assert (row.state, row.usage, row.cost_nano_usd) == (wanted.state, wanted.usage, wanted.cost_nano_usd)
            if wanted.ended_unix_s != LATER:
                assert row == wanted, "what had ended when the file was old has not changed"


def test_a_first_start_that_is_killed_at_any_step_is_done_again(tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.mkdir()
    for place in kill_at_every_step("open", template, tmp_path / "places", at_least=10):
        assert recovered_rows(place) == {}


def test_an_end_that_is_killed_at_any_step_loses_nothing(tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.mkdir()
    Desk().open(template / "ledger.sqlite").close()
    ends = {
        "settled": "settled",
        "released": "released",
        "doubted": "in_doubt",
        "sent": "in_doubt",
        "unsent": "released",
    }
    for place in kill_at_every_step("close", template, tmp_path / "places", at_least=30):
        found = {name.split("/")[1]: row for name, row in recovered_rows(place).items()}
        noted = lines_of(place / "notes")
        assert {name for what, name in noted if what == "AttemptReserved"} <= found.keys()
        for what, name in noted:
            if what in ("AttemptSettled", "AttemptReleased", "AttemptDoubted") or name in ("sent", "unsent"):
                assert found[name].state in (ends[name], "released" if what == "AttemptReserved" else ends[name])
        for name, row in found.items():
            # What was not noted may be there or not; never as something that it was not.
            assert row.state in (ends[name], "in_doubt", "released")
