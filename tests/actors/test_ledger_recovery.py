"""What dead runs left is booked by whoever comes next: once, completely, and without touching the living."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from manus.actors.ledger import recovery
from manus.actors.ledger.file import open_file, transaction
from manus.actors.ledger.frames import FRAME_BYTES_MAX, frame
from manus.actors.ledger.journal import FORMAT, RunLock, SegmentHead, current_boot_id, segments_of
from manus.actors.ledger.journaled import runs_directory
from manus.actors.ledger.records import AnyRecord, encode
from manus.actors.ledger.recovery import recover
from manus.actors.ledger.sqlite import all_rows, ingest
from manus.actors.ledger.sqlite_sums import usage_sums
from manus.actors.ledger.store import Recovery
from manus.messages.accounting import StatsAsked
from tests.actors.books import dispatched, leave_dead_run, released, reserved, settled

RECORDS: list[AnyRecord] = [
    reserved("done"),
    dispatched("done"),
    settled("done"),
    reserved("refused"),
    released("refused"),
    reserved("sent"),
    dispatched("sent"),
    reserved("unsent"),
]
BOOKED = {"done": "settled", "refused": "released", "sent": "in_doubt", "unsent": "released"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_file(path, durability="process", busy_s=1.0)
    yield connection
    connection.close()


def run_recovery(connection: sqlite3.Connection, path: Path) -> Recovery:
    return recover(connection, runs_directory(path), own_run_id="me", at_unix_s=50.0)


def states(connection: sqlite3.Connection) -> dict[str, str]:
    return {row.request_id: row.state for row in all_rows(connection)}


def test_a_dead_run_is_booked_and_its_files_are_gone(connection: sqlite3.Connection, path: Path) -> None:
    leave_dead_run(path, "dead", RECORDS)
    assert run_recovery(connection, path) == Recovery(runs=1, in_doubt=1, released=1)
    assert states(connection) == BOOKED
    assert list(runs_directory(path).iterdir()) == []
    before = list(all_rows(connection))
    assert run_recovery(connection, path) == Recovery()
    assert list(all_rows(connection)) == before


def test_segments_that_sqlite_has_already_may_be_missing(connection: sqlite3.Connection, path: Path) -> None:
    leave_dead_run(path, "dead", RECORDS, segment_bytes=1024)
    segments = segments_of(runs_directory(path), "dead")
    assert len(segments) == 3
    with transaction(connection):
        ingest(connection, "dead", RECORDS[:3])
    segments[0].unlink()
    assert run_recovery(connection, path).in_doubt == 1
    assert states(connection) == BOOKED


def test_a_living_run_is_left_alone(connection: sqlite3.Connection, path: Path) -> None:
    directory = runs_directory(path)
    leave_dead_run(path, "other", RECORDS)
    alive = RunLock.adopt(directory / "other.lock")
    assert alive is not None
    with transaction(connection):
        ingest(connection, "other", RECORDS)
    assert run_recovery(connection, path) == Recovery()
    assert states(connection) == BOOKED | {"sent": "dispatched", "unsent": "intent"}
    assert len(segments_of(directory, "other")) == 2
    alive.release(remove=False)
    assert run_recovery(connection, path).in_doubt == 1


def test_a_run_without_any_file_has_its_open_rows_in_doubt(connection: sqlite3.Connection, path: Path) -> None:
    runs_directory(path).mkdir()
    with transaction(connection):
        ingest(connection, "lost", RECORDS)
    assert run_recovery(connection, path) == Recovery(runs=1, in_doubt=2)
    assert states(connection) == BOOKED | {"unsent": "in_doubt"}


def test_a_journal_whose_lock_is_gone_is_still_booked(connection: sqlite3.Connection, path: Path) -> None:
    leave_dead_run(path, "dead", RECORDS)
    (runs_directory(path) / "dead.lock").unlink()
    assert run_recovery(connection, path).runs == 1
    assert states(connection) == BOOKED
    assert list(runs_directory(path).iterdir()) == []


def test_a_run_that_died_before_its_first_segment_leaves_nothing(connection: sqlite3.Connection, path: Path) -> None:
    runs_directory(path).mkdir()
    RunLock.claim(runs_directory(path), "dead").release(remove=False)
    (runs_directory(path) / "dead.00000001.journal").write_bytes(bytes(4096))
    assert run_recovery(connection, path) == Recovery(runs=1)
    assert list(runs_directory(path).iterdir()) == []


def test_a_torn_last_record_is_dropped_at_every_byte(connection: sqlite3.Connection, path: Path) -> None:
    directory = runs_directory(path)
    leave_dead_run(path, "template", RECORDS)
    (segment, _) = segments_of(directory, "template")
    written = segment.read_bytes().rstrip(b"\0")
    last = frame(encode(RECORDS[-1]))
    run_recovery(connection, path)
    # What the ledger says of the run must hold whichever of the last record's bytes were the last to be written.
    for cut in range(1, len(last) + 1):
        run_id = f"cut{cut}"
        RunLock.claim(directory, run_id).release(remove=False)
        torn = written[: len(written) - cut] if cut < len(last) else written[: len(written) - len(last)]
        (directory / f"{run_id}.00000001.journal").write_bytes(torn.ljust(65536, b"\0"))
        found = run_recovery(connection, path)
        assert (found.runs, found.in_doubt, found.damaged) == (1, 1, ()), cut
        assert found.released == 0, cut
    rows = [row for row in all_rows(connection) if row.run_id.startswith("cut")]
    assert len(rows) == 3 * len(last)
    assert all(row.state == BOOKED[row.request_id] for row in rows)


def test_damage_puts_everything_open_in_doubt_and_the_journal_aside(connection: sqlite3.Connection, path: Path) -> None:
    long: list[AnyRecord] = [reserved(f"long{number}", tags=("x" * (FRAME_BYTES_MAX // 3),)) for number in range(6)]
    leave_dead_run(path, "dead", [*RECORDS, *long], segment_bytes=262144)
    segment = segments_of(runs_directory(path), "dead")[0]
    content = bytearray(segment.read_bytes())
    content[content.index(b"long1")] ^= 1
    segment.write_bytes(content)
    found = run_recovery(connection, path)
    aside = segment.with_suffix(".damaged")
    assert found == Recovery(runs=1, in_doubt=3, released=0, damaged=(str(aside),))
    assert aside.read_bytes() == content, "nothing of it is thrown away"
    assert states(connection) == BOOKED | {"unsent": "in_doubt", "long0": "in_doubt"}
    assert run_recovery(connection, path) == Recovery()


def test_a_gap_in_the_segments_puts_everything_open_in_doubt(connection: sqlite3.Connection, path: Path) -> None:
    leave_dead_run(path, "dead", RECORDS, segment_bytes=1024)
    segments_of(runs_directory(path), "dead")[1].unlink()
    assert run_recovery(connection, path).released == 0
    assert set(states(connection).values()) <= {"settled", "released", "in_doubt"}


def write_segment(path: Path, run_id: str, head: SegmentHead, payloads: list[bytes]) -> None:
    directory = runs_directory(path)
    directory.mkdir(exist_ok=True)
    RunLock.claim(directory, run_id).release(remove=False)
    frames = [frame(msgspec.msgpack.encode(head)), *(frame(payload) for payload in payloads)]
    (directory / f"{run_id}.00000001.journal").write_bytes(b"".join(frames).ljust(65536, b"\0"))


def test_after_the_machine_went_down_no_intent_is_taken_for_unsent(connection: sqlite3.Connection, path: Path) -> None:
    head = SegmentHead(format=FORMAT, run_id="dead", number=1, boot_id="another boot")
    assert current_boot_id() != ""
    write_segment(path, "dead", head, [encode(record) for record in RECORDS])
    assert run_recovery(connection, path) == Recovery(runs=1, in_doubt=2)
    assert states(connection) == BOOKED | {"unsent": "in_doubt"}


def test_a_journal_of_a_newer_version_is_left_for_it(connection: sqlite3.Connection, path: Path) -> None:
    write_segment(path, "newer", SegmentHead(format=FORMAT + 1, run_id="newer", number=1), [b"unknown"])
    before = sorted(runs_directory(path).iterdir())
    (left,) = run_recovery(connection, path).left
    assert "newer" in left
    assert sorted(runs_directory(path).iterdir()) == before


def test_a_record_that_nobody_knows_is_damage(connection: sqlite3.Connection, path: Path) -> None:
    head = SegmentHead(format=FORMAT, run_id="dead", number=1, boot_id=current_boot_id())
    write_segment(path, "dead", head, [encode(reserved()), msgspec.msgpack.encode([99, "what is this"])])
    found = run_recovery(connection, path)
    assert (found.in_doubt, len(found.damaged)) == (1, 1)


def recover_and_die(path: Path, dies_at: int) -> None:
    """In a child: recover, and be gone without a word at step `dies_at` of reading, writing or deleting."""
    steps = 0

    def dying(function: Callable[..., object]) -> Callable[..., object]:
        def step(*args: object, **options: object) -> object:
            nonlocal steps
            if steps == dies_at:
                os._exit(9)
            steps += 1
            return function(*args, **options)

        return step

    for owner, name in (
        (recovery, "ingest"),
        (recovery, "end_run"),
        (Path, "unlink"),
        (Path, "read_bytes"),
    ):
        setattr(owner, name, dying(getattr(owner, name)))
    run_recovery(open_file(path, durability="process", busy_s=5.0), path)
    os._exit(0)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_recovery_that_is_killed_at_any_step_is_done_again(tmp_path: Path) -> None:
    for dies_at in itertools.count():
        path = tmp_path / str(dies_at) / "ledger.db"
        open_file(path, durability="process", busy_s=1.0).close()
        leave_dead_run(path, "dead", RECORDS, segment_bytes=1024)
        child = multiprocessing.get_context("fork").Process(target=recover_and_die, args=(path, dies_at))
        child.start()
        child.join(60)
        connection = open_file(path, durability="process", busy_s=1.0)
        run_recovery(connection, path)
        assert states(connection) == BOOKED, dies_at
        assert usage_sums(connection, StatsAsked())[0].requests == len(BOOKED)
        assert list(runs_directory(path).iterdir()) == []
        connection.close()
        if child.exitcode == 0:
            break
        assert child.exitcode == 9
    assert dies_at >= 8, "the recovery has more steps than that"


def test_a_full_disk_leaves_the_run_for_the_next_start(
    connection: sqlite3.Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_dead_run(path, "dead", RECORDS)

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(recovery, "ingest", full)
        found = run_recovery(connection, path)
    assert found.runs == 0
    assert "disk is full" in found.left[0]
    assert states(connection) == {}
    assert run_recovery(connection, path).in_doubt == 1
    assert states(connection) == BOOKED
