"""A run's files: the lock tells the living from the dead, and what was admitted always has room to be booked."""

from __future__ import annotations

import errno
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from manus.actors.ledger.frames import HEAD_BYTES, scan
from manus.actors.ledger.journal import Journal, RunLock, Segment, segments_of

SEGMENT_BYTES = 4096


def read_all(directory: Path, run_id: str = "run") -> list[bytes]:
    payloads: list[bytes] = []
    for path in segments_of(directory, run_id):
        payloads += scan(path.read_bytes()).payloads[1:]
    return payloads


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path, "run", SEGMENT_BYTES, sync=False)


def test_a_living_run_cannot_be_taken_over(tmp_path: Path) -> None:
    lock = RunLock.claim(tmp_path, "run")
    assert RunLock.adopt(tmp_path / "run.lock") is None
    with pytest.raises(FileExistsError):
        RunLock.claim(tmp_path, "run")
    lock.release(remove=False)
    adopted = RunLock.adopt(tmp_path / "run.lock")
    assert adopted is not None
    assert adopted.run_id == "run"
    assert RunLock.adopt(tmp_path / "run.lock") is None
    adopted.release(remove=True)
    adopted.release(remove=True)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_gone_cannot_be_taken_over(tmp_path: Path) -> None:
    assert RunLock.adopt(tmp_path / "run.lock") is None


def test_a_lock_whose_file_was_removed_meanwhile_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A recovery adopts and removes the file between our opening it and our locking it.
    real_open = os.open

    def open_and_lose(path: Path, flags: int, mode: int = 0o777) -> int:
        fd = real_open(path, flags, mode)
        os.unlink(path)
        return fd

    monkeypatch.setattr(os, "open", open_and_lose)
    with pytest.raises(FileExistsError):
        RunLock.claim(tmp_path, "run")
    (tmp_path / "run.lock").write_bytes(b"")
    assert RunLock.adopt(tmp_path / "run.lock") is None


def test_a_lock_whose_file_was_replaced_meanwhile_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As above, and by the time we lock the old file another run of that name has made a new one.
    real_open = os.open

    def open_and_lose_to_another(path: Path, flags: int, mode: int = 0o777) -> int:
        fd = real_open(path, flags, mode)
        os.unlink(path)
        os.close(real_open(path, os.O_RDWR | os.O_CREAT, 0o600))
        return fd

    (tmp_path / "run.lock").write_bytes(b"")
    monkeypatch.setattr(os, "open", open_and_lose_to_another)
    assert RunLock.adopt(tmp_path / "run.lock") is None


def test_records_come_back_in_order_across_segments(journal: Journal, tmp_path: Path) -> None:
    written = []
    for number in range(100):
        journal.make_spare()
        payload = f"record {number}".encode() * 10
        journal.append(payload, room_bytes=0)
        written.append(payload)
    assert journal.current.number == 3
    assert read_all(tmp_path) == written
    journal.close(remove=False)


def test_an_intent_is_refused_where_the_endings_of_all_would_not_fit(journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no room"):
        journal.append(b"intent", room_bytes=SEGMENT_BYTES)
    assert journal.append(b"ending", room_bytes=0) == 1
    journal.make_spare()
    with pytest.raises(OSError, match="no room"):
        journal.append(b"intent", room_bytes=SEGMENT_BYTES)
    assert journal.append(b"intent", room_bytes=SEGMENT_BYTES - 500) == 1
    assert journal.spare is not None
    fits_the_spare_alone = SEGMENT_BYTES - journal.spare.used_bytes - 1000 - HEAD_BYTES
    assert journal.append(b"x" * 1000, room_bytes=fits_the_spare_alone) == 2, "it moved on to the spare"
    assert read_all(tmp_path) == [b"ending", b"intent", b"x" * 1000]
    journal.close(remove=True)
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_what_was_there_and_the_next_takes_its_place(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append(b"first", room_bytes=0)
    real_pwrite = os.pwrite
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda fd, data, at: real_pwrite(fd, data[: len(data) // 2], at))
        with pytest.raises(OSError, match="only a part"):
            journal.append(b"never kept, and longer than what follows", room_bytes=0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail_with(errno.EIO))
        with pytest.raises(OSError, match="injected"):
            journal.append(b"never kept either", room_bytes=0)
    journal.append(b"second", room_bytes=0)
    assert read_all(tmp_path) == [b"first", b"second"]
    journal.close(remove=False)


def test_removing_keeps_what_sqlite_has_not_got(journal: Journal, tmp_path: Path) -> None:
    for number in range(30):
        journal.make_spare()
        journal.append(b"%d" % number * 500, room_bytes=0)
    last = journal.current.number
    journal.remove_before(last - 1)
    left = [int(path.name.split(".")[1]) for path in segments_of(tmp_path, "run")]
    assert left == [last - 1, last, last + 1]  # the spare is the last
    assert last > 3
    journal.close(remove=False)


def test_a_disk_without_room_makes_no_segment_and_leaves_no_file(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "posix_fallocate", fail_with(errno.ENOSPC))
    with pytest.raises(OSError, match="injected"):
        journal.make_spare()
    assert journal.spare is None
    assert len(segments_of(tmp_path, "run")) == 1
    assert journal.append(b"still room here", room_bytes=0) == 1
    journal.close(remove=True)


def test_a_distrusted_segment_gets_no_further_record(journal: Journal) -> None:
    journal.distrusted = True
    with pytest.raises(OSError, match="no room"):
        journal.append(b"record", room_bytes=0)
    journal.make_spare()
    assert journal.append(b"record", room_bytes=0) == 2
    assert not journal.distrusted
    journal.close(remove=True)


def test_syncing_covers_every_segment_that_was_written(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(Segment, "sync", lambda segment: synced.append(segment.number))
    for _ in range(3):
        journal.make_spare()
        journal.append(b"x" * 3000, room_bytes=0)
    journal.sync()
    assert synced == [1, 2, 3]
    journal.close(remove=True)


def test_a_segment_made_for_the_power_cut_holds_the_same(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "run", SEGMENT_BYTES, sync=True)
    journal.append(b"record", room_bytes=0)
    journal.sync()
    assert read_all(tmp_path) == [b"record"]
    journal.close(remove=True)
    journal.sync()  # of closed files: nothing to do, nothing raised


def append_in_a_child(journal: Journal) -> None:
    try:
        journal.append(b"from the child", room_bytes=0)
    except OSError as error:
        os._exit(7 if "fork" in str(error) else 8)
    os._exit(0)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_cannot_tear_its_parents_journal(journal: Journal, tmp_path: Path) -> None:
    child = multiprocessing.get_context("fork").Process(target=append_in_a_child, args=(journal,))
    child.start()
    child.join(30)
    assert child.exitcode == 7
    journal.append(b"from the parent", room_bytes=0)
    assert read_all(tmp_path) == [b"from the parent"]
    journal.close(remove=True)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_does_not_keep_its_parents_run_alive(tmp_path: Path) -> None:
    lock = RunLock.claim(tmp_path, "run")
    context = multiprocessing.get_context("fork")
    up, let_end = context.Event(), context.Event()

    def stay() -> None:
        up.set()
        let_end.wait(60)

    child = context.Process(target=stay)
    child.start()
    assert up.wait(30)
    assert RunLock.adopt(tmp_path / "run.lock") is None, "the parent holds it still"
    lock.release(remove=False)  # as its death would
    adopted = RunLock.adopt(tmp_path / "run.lock")
    assert adopted is not None
    adopted.release(remove=True)
    let_end.set()
    child.join(30)


def fail_with(code: int) -> Callable[..., object]:
    def fail(*_: object) -> object:
        raise OSError(code, f"injected: {os.strerror(code)}")

    return fail
