"""Own a run of kills: agents that share a ledger work against simulated providers, die one after another, are audited.

    python -m tests.kill.lane [--kills N] [--seed N] [--durability process|power]

prints the figures of a run, which the long lane of the tests keeps to itself.
"""

from __future__ import annotations

import argparse
import itertools
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import msgspec

from manus.actors.ledger.file import open_file_to_read
from manus.actors.ledger.journaled import runs_directory
from manus.actors.ledger.records import AnyRecord, AttemptDispatched, AttemptReserved
from manus.actors.ledger.rows import LedgerRow
from manus.actors.ledger.sqlite import all_rows
from manus.actors.ledger.store import Recovery
from tests.actors.books import Desk
from tests.kill.agent_child import Settings
from tests.kill.audit import Audit, Figures
from tests.kill.fleet import BillLine, Fleet, simulated
from tests.kill.killing import Way, end, wait_for_notes
from tests.kill.notes import lines_of
from tests.kill.spawner import Spawner, spawning
from tests.kill.tearing import TEARS, tear_tail
from tests.kill.totals import check_totals

WAYS: Final[tuple[Way, ...]] = ("kill", "kill", "kill", "kill", "kill", "exit", "end", "interrupt", "end-kill")
"""How they die in the quick lane: mostly by SIGKILL, at an instant that the seed decides."""

ALL_WAYS: Final[tuple[Way, ...]] = (*WAYS, "abort", "interrupt-kill")

AT_WORK = 25
"""Notes that a child has written when it counts as being at work."""

AUDIT_EVERY = 8
"""Deaths between two audits."""

EPISODE = 25
"""Deaths over one ledger; then another is begun, so that audits stay cheap."""

TOGETHER = 2
"""Processes that work on one ledger at once."""

ASKED_ABOUT = 20
"""Requests of its predecessors that a new process asks the books about."""


class Child:
    """A process at work, or about to be."""

    def __init__(
        self, spawner: Spawner, directory: Path, seed: str, config: dict[str, Any], ask_about: tuple[str, ...]
    ) -> None:
        self.notes = directory / f"{seed}.notes"
        settings = directory / f"{seed}.json"
        settings.write_bytes(
            msgspec.json.encode(Settings(config=config, notes=str(self.notes), seed=seed, ask_about=ask_about))
        )
        self.process = spawner.start(settings)
        self._expected = len(ask_about) + AT_WORK

    def wait_until_at_work(self) -> None:
        """Wait until it has asked the books what it was told to, and made some requests of its own."""
        wait_for_notes(self.process, self.notes, self._expected)


class Episode:
    """One ledger, the fleet that its processes ask, and the notes of all who lived."""

    def __init__(
        self,
        directory: Path,
        fleet: Fleet,
        spawner: Spawner,
        *,
        seed: int,
        together: int = TOGETHER,
        audit_every: int = AUDIT_EVERY,
        pull_the_plug: bool = False,
        **sections: Any,
    ) -> None:
        self.directory = directory
        self.ledger = directory / "ledger.sqlite"
        self.figures = Figures()
        self._config = fleet.configuration(self.ledger, **sections)
        self._fleet = fleet
        self._spawner = spawner
        self._seed = seed
        self._together = together
        self._audit_every = audit_every
        self._plug = pull_the_plug
        self._rng = random.Random(f"{seed}/deaths")
        self._numbers = itertools.count()
        self._living: list[Child] = []
        self._dead: list[Child] = []

    def run(self, kills: int, ways: tuple[Way, ...]) -> Figures:
        """Let at least `kills` processes die, auditing now and then and at the end."""
        began = time.monotonic()
        died = 0
        try:
            while died < kills:
                while len(self._living) < min(self._together, kills - died):
                    self._begin()
                for child in self._living:
                    child.wait_until_at_work()
                self._end_one(ways)
                died += 1
                if died % self._audit_every == 0 or died == kills:
                    died += self._end_the_others()
                    self._audit()
        finally:
            for child in self._living:
                child.process.kill()
                child.process.wait()
        self.figures.seconds = time.monotonic() - began
        return self.figures

    def rows(self) -> list[LedgerRow]:
        """Read all rows of the ledger."""
        connection = open_file_to_read(self.ledger, busy_s=5.0)
        rows = list(all_rows(connection))
        connection.close()
        return rows

    def notes(self) -> list[list[str]]:
        """Read what everybody noted."""
        return [line for child in (*self._dead, *self._living) for line in lines_of(child.notes)]

    def recover(self) -> Recovery:
        """Open the ledger once more, and close it cleanly."""
        store = Desk().open(self.ledger, now=time.time())
        store.close()
        return store.recovered

    def _begin(self) -> None:
        asked = [line[1] for child in self._dead[-TOGETHER:] for line in lines_of(child.notes) if line[0] == "asked"]
        ask_about = tuple(self._rng.sample(asked[-4 * ASKED_ABOUT :], min(ASKED_ABOUT, len(asked))))
        name = f"{self._seed}.{next(self._numbers)}"
        self._living.append(Child(self._spawner, self.directory, name, self._config, ask_about))

    def _end_one(self, ways: tuple[Way, ...]) -> None:
        rng = self._rng
        child = self._living.pop(rng.randrange(len(self._living)))
        self._dead.append(child)
        way = rng.choice(ways)
        time.sleep(rng.uniform(0.0, 0.4))
        end(child.process, way, cut_short_after_s=rng.uniform(0.0, 0.3))
        self.figures.kills += 1
        self.figures.ways[way] += 1

    def _end_the_others(self) -> int:
        """Kill everybody at once, so that nobody writes any more; give how many."""
        count = len(self._living)
        while self._living:
            self._end_one(("kill",))
        return count

    def _audit(self) -> None:
        bills = self._fleet.bills()
        if self._plug:
            self.figures.torn_records += self._tear(bills)
            with patch("manus.actors.ledger.recovery.current_boot_id", str):  # the machine came up again
                self.recover()
            for path in runs_directory(self.ledger).glob("*.damaged"):
                path.unlink()
        self.recover()
        rows = self.rows()
        desk = Desk()
        store = desk.open(self.ledger, now=time.time())
        assert store.recovered == Recovery(), "recovering twice is recovering once"
        check_totals(desk, store, rows)
        store.close()
        assert self.rows() == rows
        assert list(runs_directory(self.ledger).iterdir()) == [], "nothing of the dead is left"
        found = Audit(rows, bills, self.notes(), torn=self._plug).check()
        # It is of all that happened to this ledger, as the one before it was.
        kept = {name: getattr(self.figures, name) for name in ("kills", "ways", "torn_records")}
        self.figures = msgspec.structs.replace(found, **kept)

    def _tear(self, bills: dict[str, list[BillLine]]) -> int:
        """Take from the journals of the dead what nobody can have been told was kept; give how many records."""
        # Whoever was asked was asked after the intent was on the disk, and who was told durable after the ending was.
        arrived = {line.name for bill in bills.values() for line in bill}
        durable = {line[2] for line in self.notes() if line[0] == "told" and line[3] == "durable"}

        def is_kept(record: AnyRecord) -> bool:
            match record:
                case AttemptReserved():
                    return record.request_key in arrived
                case AttemptDispatched():
                    return False
                case _:
                    return record.request_id in durable

        directory = runs_directory(self.ledger)
        runs = sorted(path.stem for path in directory.glob("*.lock"))
        return sum(tear_tail(directory, run, self._rng.choice(TEARS), self._rng, is_kept) for run in runs)


def run_lane(directory: Path, *, kills: int, seed: int, ways: tuple[Way, ...] = WAYS, **sections: Any) -> Figures:
    """Run episode after episode until `kills` processes have died; give the figures of all."""
    *_, total = lane(directory, kills=kills, seed=seed, ways=ways, **sections)
    return total


def lane(directory: Path, *, kills: int, seed: int, ways: tuple[Way, ...] = WAYS, **sections: Any) -> Iterator[Figures]:
    """Run episode after episode until `kills` processes have died; give the figures so far after each."""
    total = Figures()
    for number in itertools.count():
        if total.kills >= kills:
            return
        place = directory / str(number)
        place.mkdir()
        with simulated(seed + number) as fleet, spawning() as spawner:
            episode = Episode(place, fleet, spawner, seed=seed + number, **sections)
            total.add(episode.run(min(EPISODE, kills - total.kills), ways))
        yield total


USUAL: Final[dict[str, Any]] = {
    "retry": {"base_s": 0.01, "budget_min": 1000},
    "timeouts": {"headers_s": 0.4, "first_content_s": 0.4, "idle_s": 0.2, "request_s": 5.0},
    "hedge": {"enabled": True, "samples_min": 5, "quantile": 0.9, "delay_min_s": 0.03, "budget_ratio": 0.3},
    "routing": {"drain_s": 0.5, "drains_max": 8},
    "limits": {"tags": {"lantern": {"concurrency": 4}, "ledger": {"requests_per_minute": 120}}},
    "budgets": {"tags": {"harbour": {"usd_per_day": 0.4}}},
    "health": {"failure_rate": 1.0, "failures": 50, "cooldown_s": 0.05, "silent_s": 0.2},
}
"""A configuration in which much is retried, failed over, raced, limited and read on, and nobody rests for long."""


def main() -> None:
    """Run by hand, and print the figures so far after each episode."""
    parser = argparse.ArgumentParser(description="Kill agents at work, and hold their books against the bills.")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--durability", choices=("process", "power"), default="process")
    arguments = parser.parse_args()
    sections = USUAL | {"ledger": {"durability": arguments.durability}}
    with tempfile.TemporaryDirectory() as directory:
        for figures in lane(Path(directory), kills=arguments.kills, seed=arguments.seed, ways=ALL_WAYS, **sections):
            for name in figures.__struct_fields__:
                print(f"{name:30} {getattr(figures, name)}")
            print(flush=True)


if __name__ == "__main__":
    main()
