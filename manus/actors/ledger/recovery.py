"""Own what becomes of runs that died: their journals go into SQLite and their open rows are ended.

Any process may do it, whenever it opens the ledger. A run whose lock can be taken is dead; a live run's open rows
are never touched. Reading a journal in twice changes nothing, and files are deleted only after their rows are
committed, so a recovery that is killed is simply done again.

An open row of a dead run ends in doubt with its upper bound if it was dispatched, and is released if it was not: the
dispatch is in the journal before the first byte leaves. That inference needs the whole journal. Where the journal
is damaged or missing, or the machine went down (what was not yet on the disk is lost), every open row ends in doubt.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

import msgspec

from manus.actors.ledger.file import transaction
from manus.actors.ledger.frames import scan
from manus.actors.ledger.journal import FORMAT, RunLock, SegmentHead, current_boot_id, segments_of
from manus.actors.ledger.records import AnyRecord, decode
from manus.actors.ledger.sqlite import end_run, ingest, runs_with_open_rows
from manus.actors.ledger.store import Recovery


class _Unreadable(Exception):
    """A journal of a newer version: to be left for whoever can read it."""


class _Read(NamedTuple):
    """What a dead run's journal holds. `certain` means that nothing that was written is missing."""

    records: list[AnyRecord]
    damaged: list[Path]
    certain: bool


def recover(connection: sqlite3.Connection, directory: Path, *, own_run_id: str, at_unix_s: float) -> Recovery:
    """Close every dead run that left something in `directory` or an open row in SQLite. Blocks."""
    # Rows first, locks second: a run that ends cleanly in between has ended its rows before its lock goes.
    candidates = set(runs_with_open_rows(connection))
    candidates |= runs_in(directory)
    result = Recovery()
    for run_id in sorted(candidates - {own_run_id}):
        lock = _take_over(directory, run_id)
        if lock is not None:
            result = _add(result, _close_run(connection, directory, lock, at_unix_s))
    return result


def runs_in(directory: Path) -> set[str]:
    """Name the runs that are alive, or left something to recover."""
    return {path.name.split(".")[0] for pattern in ("*.lock", "*.journal") for path in directory.glob(pattern)}


def _take_over(directory: Path, run_id: str) -> RunLock | None:
    lock = RunLock.adopt(directory / f"{run_id}.lock")
    if lock is not None or (directory / f"{run_id}.lock").exists():
        return lock
    try:
        return RunLock.claim(directory, run_id)
    except FileExistsError:  # another process is at it
        return None


def _close_run(connection: sqlite3.Connection, directory: Path, lock: RunLock, at_unix_s: float) -> Recovery:
    paths = segments_of(directory, lock.run_id)
    try:
        found = _read(paths)
        with transaction(connection):
            ingest(connection, lock.run_id, found.records)
            in_doubt, released = end_run(connection, lock.run_id, at_unix_s, certain=found.certain)
    except (sqlite3.Error, OSError, _Unreadable) as error:
        lock.release(remove=False)
        return Recovery(left=(f"run {lock.run_id}: {error}",))
    for path in paths:
        if path in found.damaged:
            path.rename(path.with_suffix(".damaged"))
        else:
            path.unlink(missing_ok=True)
    lock.release(remove=True)
    damaged = tuple(str(path.with_suffix(".damaged")) for path in found.damaged)
    return Recovery(runs=1, in_doubt=in_doubt, released=released, damaged=damaged)


def _read(paths: list[Path]) -> _Read:
    """Read a dead run's segments in order.

    Raises:
        _Unreadable: a newer version wrote them.
    """
    records: list[AnyRecord] = []
    damaged: list[Path] = []
    numbers: list[int] = []
    same_boot = True
    for path in paths:
        payloads, tail = scan(path.read_bytes())
        sound = tail != "damaged"
        try:
            if payloads:
                head = msgspec.msgpack.decode(payloads[0], type=SegmentHead)
                if head.format > FORMAT:
                    raise _Unreadable(f"its journal is of format {head.format}, and this program knows {FORMAT}")
                numbers.append(head.number)
                same_boot = same_boot and head.boot_id == current_boot_id() != ""
            for payload in payloads[1:]:
                records.append(decode(payload))
        except msgspec.MsgspecError:
            sound = False
        if not sound:
            damaged.append(path)
    whole = bool(numbers) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return _Read(records, damaged, certain=whole and same_boot and not damaged)


def _add(one: Recovery, other: Recovery) -> Recovery:
    return Recovery(
        runs=one.runs + other.runs,
        in_doubt=one.in_doubt + other.in_doubt,
        released=one.released + other.released,
        damaged=one.damaged + other.damaged,
        left=one.left + other.left,
    )
