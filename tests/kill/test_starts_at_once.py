"""Processes that start over one ledger at the same moment take each other for dead at worst, and start all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from manus.actors.ledger import journal
from manus.actors.ledger.file import LedgerUnusable
from manus.actors.ledger.journal import RunLock
from manus.actors.ledger.journaled import CLAIMS_MAX, runs_directory
from tests.actors.books import Desk, reserved

_lock = journal._lock


def take_for_dead(monkeypatch: pytest.MonkeyPatch, times: int) -> list[Path]:
    """Have another start adopt and close a run's lock after it was made and before it was locked, so many times."""
    taken: list[Path] = []

    def lock(fd: int, path: Path) -> bool:
        if len(taken) < times:
            taken.append(path)
            adopted = RunLock.adopt(path)
            assert adopted is not None
            adopted.release(remove=True)
        return _lock(fd, path)

    original = RunLock.adopt.__func__  # type: ignore[attr-defined]

    def adopt(cls: type[RunLock], path: Path) -> RunLock | None:
        with monkeypatch.context() as patch:
            patch.setattr(journal, "_lock", _lock)
            found: RunLock | None = original(cls, path)
            return found

    monkeypatch.setattr(RunLock, "adopt", classmethod(adopt))
    monkeypatch.setattr(journal, "_lock", lock)
    return taken


def test_a_start_that_another_takes_for_dead_goes_on_under_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.sqlite"
    taken = take_for_dead(monkeypatch, 3)
    store = Desk().open(path)
    assert len(set(taken)) == 3, "each time under another name"
    assert store.append(reserved("r1")) is None
    store.close()
    assert list(runs_directory(path).iterdir()) == []


def test_a_start_that_is_always_taken_for_dead_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = take_for_dead(monkeypatch, 10 * CLAIMS_MAX)
    with pytest.raises(LedgerUnusable, match="taken for dead"):
        Desk().open(tmp_path / "ledger.sqlite")
    assert len(taken) == CLAIMS_MAX
