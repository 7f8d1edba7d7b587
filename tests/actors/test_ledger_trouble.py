"""A ledger whose file is taken away, damaged, or shared with other processes: nothing is lost, and it is said."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from manus.actors.ledger.file import LedgerUnusable, open_file, transaction
from manus.actors.ledger.journaled import JournaledStore, runs_directory
from manus.actors.ledger.records import AnyRecord
from manus.actors.ledger.sqlite import ingest
from manus.actors.ledger.store import Refused
from manus.messages.accounting import Spent, SpentAsked, StatsAsked, UsageRow
from manus.messages.limits import Scope
from tests.actors.books import BOUND, REPORTED, Desk, dispatched, doubted, reserved, settled


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()


def total(desk: Desk, store: JournaledStore) -> UsageRow:
    rows = desk.wait(store.sums(StatsAsked(by=())))
    assert not isinstance(rows, Refused)
    return rows[0]


def files_of(path: Path) -> list[Path]:
    return [path, Path(f"{path}-wal"), Path(f"{path}-shm")]


@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced"])
def test_what_is_booked_after_the_file_was_taken_away_is_in_the_next_one(
    desk: Desk, path: Path, replaced: bool
) -> None:
    store = desk.open(path)
    store.append(reserved("before"))
    store.append(settled("before"))
    assert total(desk, store).settled == 1
    for file in files_of(path):
        file.unlink(missing_ok=True)
    if replaced:
        open_file(path, durability="process", busy_s=1.0).close()
    store.append(reserved("after"))
    store.append(settled("after"))
    answer = desk.wait(store.sums(StatsAsked()))
    assert isinstance(answer, Refused)
    assert "removed or replaced" in answer.reason
    assert store.trouble is not None
    assert str(path) in store.trouble
    store.close()
    following = desk.open(path)
    assert following.recovered.runs == 1
    assert total(desk, following).settled == 2, "the first one stands in the journal still"


def test_a_file_that_is_put_back_is_used_on(desk: Desk, path: Path, tmp_path: Path) -> None:
    store = desk.open(path)
    aside = tmp_path / "aside"
    path.rename(aside)
    store.append(reserved())
    desk.wait_until(lambda: store.trouble is not None)
    aside.rename(path)
    assert_soon_well(desk, store)
    assert total(desk, store).open == 1


def assert_soon_well(desk: Desk, store: JournaledStore) -> None:
    desk.wait_until(lambda: store.trouble is None)


def test_a_run_whose_lock_was_taken_away_says_that_it_may_be_taken_for_dead(desk: Desk, path: Path) -> None:
    store = desk.open(path)
    shutil.rmtree(runs_directory(path))
    store.append(reserved())
    store.append(settled())
    assert total(desk, store).settled == 1
    desk.wait_until(lambda: store.trouble is not None)
    assert store.trouble is not None
    assert "may take it for dead" in store.trouble


def left_beside(path: Path) -> Iterator[Path]:
    """List what lies beside a ledger and within its directory of runs, but for SQLite's own."""
    return (file for file in path.parent.rglob("*") if file not in (*files_of(path), runs_directory(path)))


@pytest.mark.parametrize("first_page", [1, 10])
def test_a_ledger_with_bad_pages_is_refused_as_damaged_and_left_as_it_is(
    desk: Desk, path: Path, first_page: int
) -> None:
    connection = open_file(path, durability="process", busy_s=1.0)
    records: list[AnyRecord] = []
    for number in range(300):
        records += [reserved(f"r{number}"), dispatched(f"r{number}")]
    with transaction(connection):
        ingest(connection, "dead", records)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    content = bytearray(path.read_bytes())
    content[first_page * 4096 :] = b"\xa5" * (len(content) - first_page * 4096)
    path.write_bytes(content)
    with pytest.raises(LedgerUnusable, match=r"is damaged: .*; restore it or move it aside, and a new one is begun"):
        desk.open(path)
    assert path.read_bytes() == content
    assert list(left_beside(path)) == [], "what was begun was taken away again"


def test_opening_a_sound_ledger_writes_nothing_into_it(path: Path) -> None:
    open_file(path, durability="process", busy_s=1.0).close()
    before = path.read_bytes()
    open_file(path, durability="process", busy_s=1.0).close()
    assert path.read_bytes() == before


# A process of its own that books two calls and leaves one open, says so, and waits for its end.
CHILD = """
import sys
from tests.actors.books import Desk, dispatched, doubted, reserved, settled
from manus.messages.accounting import StatsAsked
from pathlib import Path
desk = Desk()
store = desk.open(Path(sys.argv[1]), run_id=sys.argv[2])
for record in (reserved("a"), settled("a"), reserved("b"), doubted("b"), reserved("c"), dispatched("c")):
    store.append(record)
desk.wait(store.sums(StatsAsked()))
print("booked", flush=True)
sys.stdin.read()
store.close()
"""


def start_child(path: Path, run_id: str) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), run_id],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "booked\n"
    return child


def test_processes_see_each_others_books_open_calls_among_them_and_do_not_bury_the_living(
    desk: Desk, path: Path
) -> None:
    store = desk.open(path, run_id="mine")
    for record in (reserved("a"), settled("a"), reserved("b"), doubted("b"), reserved("c"), dispatched("c")):
        store.append(record)
    everybody, others = (
        SpentAsked(scope=Scope(), since_unix_s=0.0),
        SpentAsked(scope=Scope(), since_unix_s=0.0, others_only=True),
    )

    def spent() -> tuple[Spent, ...]:
        answer = desk.wait(store.spent((everybody, others)))
        assert not isinstance(answer, Refused)
        return answer

    assert spent()[1].buckets == ()
    children = [start_child(path, f"child{number}") for number in range(2)]
    try:
        row = total(desk, store)
        assert (row.settled, row.in_doubt, row.open) == (3, 3, 3)
        all_of_it, of_others = (answer.buckets[0] for answer in spent())
        assert (all_of_it.tokens, of_others.tokens) == (3 * REPORTED.total, 2 * REPORTED.total)
        assert (all_of_it.open_tokens, of_others.open_tokens) == (3 * BOUND.total, 2 * BOUND.total)
        assert of_others.in_doubt_cost_nano_usd == of_others.open_cost_nano_usd == 6_000_000
        children[0].send_signal(signal.SIGKILL)
        children[0].wait()
        third = desk.open(path, run_id="third")
        assert (third.recovered.runs, third.recovered.in_doubt) == (1, 1), "the living are left alone"
        row = total(desk, store)
        assert (row.settled, row.in_doubt, row.open) == (3, 4, 2)
        assert spent()[1].buckets[0].in_doubt_tokens == 3 * BOUND.total
        children[1].communicate("")
        assert children[1].returncode == 0
        assert total(desk, store).open == 1, "who ends cleanly leaves nothing open"
    finally:
        for child in children:
            child.kill()
            child.communicate()


def test_a_ledger_that_another_program_holds_answers_when_it_is_let_go(desk: Desk, path: Path) -> None:
    store = desk.open(path, busy_s=0.05)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    for number in range(50):
        assert store.append(reserved(f"r{number}")) is None, "the loop goes on"
    answer = desk.wait(store.spent((SpentAsked(scope=Scope(), since_unix_s=0.0),)))
    assert isinstance(answer, Refused)
    assert "locked" in answer.reason
    holder.execute("ROLLBACK")
    holder.close()
    assert total(desk, store).open == 50
    assert store.trouble is None
