"""Both stores of the ledger keep what stores promise; with `durability = "power"` too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from manus.actors.ledger.store import LedgerStore, MemoryStore, Pending, T
from tests.actors.books import Desk
from tests.actors.store_promises import NOW, DurablePromises, Shelf, StorePromises


class MemoryShelf:
    """Books that end with their process: every store is another."""

    def open(self) -> LedgerStore:
        return MemoryStore(run_id="run")

    def wait(self, pending: Pending[T]) -> T:
        assert pending.done, "books in memory owe nothing"
        return pending.value


class FileShelf:
    """One file, opened again and again."""

    def __init__(self, path: Path, durability: Literal["process", "power"]) -> None:
        self.desk = Desk()
        self._path = path
        self._durability = durability

    def open(self) -> LedgerStore:
        return self.desk.open(self._path, now=NOW, durability=self._durability)

    def wait(self, pending: Pending[T]) -> T:
        return self.desk.wait(pending)


class TestBooksInMemory(StorePromises):
    @pytest.fixture
    def shelf(self) -> Shelf:
        return MemoryShelf()


class TestBooksInAFile(DurablePromises):
    @pytest.fixture(params=["process", "power"])
    def shelf(self, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Shelf]:
        shelf = FileShelf(tmp_path / "ledger.db", request.param)
        yield shelf
        shelf.desk.close()
