"""Whatever the last bytes of a journal have become, recovery books what was so, or a doubt, and never anything else."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manus.actors.ledger.file import open_file
from manus.actors.ledger.frames import FRAME_BYTES_MAX, frame, scan
from manus.actors.ledger.journal import RunLock, segments_of
from manus.actors.ledger.journaled import runs_directory
from manus.actors.ledger.records import AnyRecord, AttemptReserved, encode
from manus.actors.ledger.recovery import recover
from manus.actors.ledger.sqlite import all_rows
from manus.actors.ledger.sqlite_sums import usage_sums
from manus.messages.accounting import StatsAsked
from tests.actors.books import BOUND, REPORTED, dispatched, leave_dead_run, released, reserved, settled

SEGMENT_BYTES = 8192

RECORDS: list[AnyRecord] = [
    reserved("first"),
    dispatched("first"),
    settled("first"),
    reserved("sent"),
    reserved("refused"),
    released("refused"),
    dispatched("sent"),
    reserved("done"),
    dispatched("done"),
    settled("done"),
    reserved("unsent"),
]
BOOKED = {"first": "settled", "sent": "in_doubt", "refused": "released", "done": "settled", "unsent": "released"}

Tear = Callable[[bytes, int, int], bytes]
"""What becomes of a segment that is torn at a byte, of so many that were written."""


def zeroed(segment: bytes, at: int, end: int) -> bytes:
    return segment[:at] + bytes(len(segment) - at)


def cut_off(segment: bytes, at: int, end: int) -> bytes:
    return segment[:at]


def flipped(segment: bytes, at: int, end: int) -> bytes:
    return segment[:at] + bytes((segment[at] ^ 0x41,)) + segment[at + 1 :]


def one_zeroed(segment: bytes, at: int, end: int) -> bytes:
    return segment[:at] + b"\0" + segment[at + 1 :]


def garbled(segment: bytes, at: int, end: int) -> bytes:
    return segment[:at] + random.Random(at).randbytes(end - at) + segment[end:]


TO_THE_END: list[Tear] = [zeroed, cut_off, garbled]
IN_PLACE: list[Tear] = [flipped, one_zeroed]

STEPS = pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.long)])
"""Bytes from one tear to the next."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_file(path, durability="process", busy_s=1.0)
    connection.execute("PRAGMA synchronous = OFF")
    yield connection
    connection.close()


def template(path: Path) -> bytes:
    """Give a segment with all records in it."""
    leave_dead_run(path, "template", RECORDS, segment_bytes=SEGMENT_BYTES)
    (segment, *_) = segments_of(runs_directory(path), "template")
    content = segment.read_bytes()
    for file in runs_directory(path).iterdir():
        file.unlink()
    return content


def recovered(connection: sqlite3.Connection, path: Path, run_id: str, segment: bytes) -> dict[str, str]:
    """Recover a run that left this segment; give its rows' states, once what they say has been checked."""
    directory = runs_directory(path)
    RunLock.claim(directory, run_id).release(remove=False)
    (directory / f"{run_id}.00000001.journal").write_bytes(segment)
    found = recover(connection, directory, own_run_id="me", at_unix_s=50.0)
    assert (found.runs, found.left) == (1, ())
    rows = [row for row in all_rows(connection) if row.run_id == run_id]
    for row in rows:
        match row.state:
            case "settled":
                assert (row.usage, row.cost_nano_usd) == (REPORTED, 780_000)
            case "in_doubt":
                assert (row.usage, row.cost_nano_usd) == (BOUND, 3_000_000)
            case _:
                assert row.state == "released"
    (total,) = usage_sums(connection, StatsAsked(by=()))
    assert (total.open, total.requests) == (0, len(rows))
    for table in ("attempts", "sums", "conversation_sums"):
        connection.execute(f"DELETE FROM {table}")
    for file in directory.iterdir():
        file.unlink()
    return {row.request_id: row.state for row in rows}


def written_before(at: int, segment: bytes) -> set[str]:
    """Name the requests whose intents end before this byte."""
    end = len(segment.rstrip(b"\0")) - sum(len(frame(encode(record))) for record in RECORDS)
    names = set()
    for record in RECORDS:
        end += len(frame(encode(record)))
        if isinstance(record, AttemptReserved) and end <= at:
            names.add(str(record.request_id))
    return names


@STEPS
@pytest.mark.parametrize("tear", [*TO_THE_END, *IN_PLACE])
def test_after_a_power_cut_nothing_is_wrong_at_whatever_byte_the_tail_is_torn(
    connection: sqlite3.Connection, path: Path, monkeypatch: pytest.MonkeyPatch, tear: Tear, step: int
) -> None:
    segment = template(path)
    end = len(segment.rstrip(b"\0"))
    first = end - sum(len(frame(encode(record))) for record in RECORDS[3:])
    monkeypatch.setattr("manus.actors.ledger.recovery.current_boot_id", lambda: "another boot")
    for at in range(first, end, step):
        states = recovered(connection, path, f"torn{at}", tear(segment, at, end))
        assert states["first"] == "settled", "what lies before the tear stands"
        assert written_before(at, segment) <= states.keys(), at
        for name, state in states.items():
            # Nobody can say any more that nothing was sent: only its own word has a row released.
            right = "released" if name == "refused" else BOOKED[name] if name != "unsent" else "in_doubt"
            assert state in (right, "in_doubt"), f"{name} is {state} when torn at {at}"


@STEPS
@pytest.mark.parametrize("tear", IN_PLACE)
def test_a_record_that_has_gone_bad_before_others_lets_nothing_be_taken_for_unsent(
    connection: sqlite3.Connection, path: Path, tear: Tear, step: int
) -> None:
    """The machine was up all the while: a torn write would be the last one, so this is damage, however small."""
    segment = template(path)
    end = len(segment.rstrip(b"\0"))
    first = end - sum(len(frame(encode(record))) for record in RECORDS[3:])
    last = end - len(frame(encode(RECORDS[-1])))
    for at in range(first, last, step):
        torn = tear(segment, at, end)
        if torn == segment:
            continue
        states = recovered(connection, path, f"bad{at}", torn)
        for name, state in states.items():
            right = "in_doubt" if name == "unsent" else BOOKED[name]
            assert state in (right, "in_doubt"), f"{name} is {state} when bad at {at}"


@pytest.mark.parametrize("tear", [*TO_THE_END, *IN_PLACE])
def test_a_torn_last_write_of_a_killed_process_costs_that_record_and_no_other(
    connection: sqlite3.Connection, path: Path, tear: Tear
) -> None:
    segment = template(path)
    end = len(segment.rstrip(b"\0"))
    for at in range(end - len(frame(encode(RECORDS[-1]))), end):
        torn = tear(segment, at, end)
        states = recovered(connection, path, f"last{at}", torn)
        expected = BOOKED if torn == segment else {name: BOOKED[name] for name in BOOKED if name != "unsent"}
        assert states == expected, at


def test_what_follows_a_bad_frame_tells_a_torn_write_from_damage() -> None:
    frames = [frame(encode(record)) for record in RECORDS]
    torn = b"".join(frames[:2]) + frames[2][:-5] + bytes(100)
    assert scan(torn).tail == "torn"
    bad = bytearray(b"".join(frames) + bytes(100))
    bad[len(frames[0]) + 2] ^= 1
    assert scan(bytes(bad)) == ([encode(RECORDS[0])], "damaged")
    assert sum(map(len, frames)) < FRAME_BYTES_MAX
