"""Own a run of kills: the server of a C++ client dies by `kill -9` in mid-stream, again and again, and all is told.

    python -m tests.cpp.kills [--kills N] [--seed N] [--local]

prints the figures of a run. With `--local` the embedded model answers instead of simulated providers, so that every
server has a model server of its own, which must not outlive it.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import msgspec

from manus.actors.ledger.file import open_file_to_read
from manus.actors.ledger.rows import LedgerRow, status_of
from manus.actors.ledger.sqlite import all_rows
from manus.config.wheels import LOCAL_MODEL
from tests.conformance.links import write_config
from tests.cpp.building import built
from tests.cpp.driving import PATIENCE_S, Driver, End, driving
from tests.kill.fleet import BillLine, simulated

TOGETHER: Final = 8
"""Calls that are under way when the server is killed."""

METHODS: Final = ("stream", "stream", "generate")

SERVE: Final = ("-m", "manus", "serve", "--stdio", "--config")


class Figures(msgspec.Struct, kw_only=True):
    """What a run of kills came to."""

    kills: int = 0
    calls: int = 0
    answered: int = 0
    books: Counter[str] = msgspec.field(default_factory=Counter)
    unsent: int = 0
    events: int = 0
    repeatable: int = 0
    billed_unseen: int = 0
    model_servers: int = 0
    seconds: float = 0.0


class Run:
    """One client and the servers that die under it."""

    def __init__(self, driver: Driver, seed: int, *, local: bool) -> None:
        self.figures = Figures()
        self._driver = driver
        self._rng = random.Random(f"{seed}/kills")
        self._local = local
        self._keys: dict[int, str] = {}

    def kill_one(self) -> None:
        """Have calls begin, kill the server in the middle of them, and wait until each has its end."""
        driver, rng = self._driver, self._rng
        victim = driver.server_pid()
        first = self._begin("stream")
        wanted = rng.randrange(1, 8)
        driver.wait_until(lambda: len(driver.events.get(first, ())) >= wanted or first in driver.ends, "some events")
        before = driver.descendants()
        numbers = [first]
        for _ in range(TOGETHER - 1):  # when it dies some are half done, some on their way, and some may be answered
            time.sleep(rng.uniform(0.0, 0.05))
            numbers.append(self._begin(rng.choice(METHODS)))
        os.kill(victim, signal.SIGKILL)
        self.figures.kills += 1
        numbers.append(self._begin("generate"))  # to a server that is dead, or dying, or not there yet
        self.figures.model_servers += len(before) > 1
        for number in numbers:
            self._check(number, driver.end_of(number))
        others = before.keys() - {victim}
        driver.wait_until(lambda: driver.ask("ping").result is not None and not _alive(others), "the end of orphans")
        states = driver.descendants()
        assert victim not in states, f"the killed server is still there: {states}"
        assert "Z" not in states.values(), f"a zombie: {states}"

    def status(self, key: str) -> str:
        """Ask the server that is there now what the books say."""
        result = self._driver.ask("request.status", request_key=key).result
        assert result is not None
        return str(result["state"])

    def check_books(self, rows: list[LedgerRow], bills: list[BillLine]) -> None:
        """Hold what the client told against the ledger, and that against the providers' own bills."""
        billed = Counter(line.name for line in bills if line.billed)
        asked = Counter(line.name for line in bills)
        for number, key in self._keys.items():
            mine = [row for row in rows if row.request_key == key]
            state = status_of(key, mine).state  # type: ignore[arg-type]  # a key is a text
            end = self._driver.ends[number]
            if end.result is not None:
                assert state == "settled", f"{key} was answered, and the ledger says {state}"
                continue
            data = end.data
            if data["books"] is None:
                self.figures.unsent += 1
                assert data["retryable"], f"{key} has no status and may not be repeated: {end}"
            else:
                assert state == data["books"], f"{key} was told {data['books']}, and the ledger says {state}"
            if data["retryable"]:
                assert not billed[key], f"{key} may be repeated, it was said, and it is on a bill"
            if data["books"] == "unknown":
                assert not asked[key], f"nothing is known of {key}, and a provider was asked"
            self.figures.billed_unseen += billed[key]

    def _begin(self, method: str) -> int:
        key = f"key-{self._rng.getrandbits(64):016x}"
        prompt = f"{key} tell me of lamps" if not self._local else "Tell me of lamps."
        limits = {"max_tokens": 200} if self._local else {}
        window = self._rng.choice((1, 4, 64)) if method == "stream" else None
        number = self._driver.call(method, prompt=prompt, request_key=key, window=window, **limits)
        self._keys[number] = key
        return number

    def _check(self, number: int, end: End) -> None:
        figures = self.figures
        figures.calls += 1
        figures.events += len(self._driver.events.get(number, ()))
        if end.result is not None:
            figures.answered += 1
            return
        data = end.data
        assert data["kind"] == "server_lost", end
        assert data["request_key"] == self._keys[number]
        assert data["books"] in ("settled", "released", "in_doubt", "unknown"), end
        assert data["in_doubt"] == (data["books"] == "in_doubt")
        assert data["retryable"] == (data["books"] in ("released", "unknown"))
        assert self.status(self._keys[number]) == data["books"]
        figures.books[data["books"]] += 1
        figures.repeatable += data["retryable"]


def run_kills(directory: Path, *, kills: int, seed: int) -> Figures:
    """Kill servers that ask simulated providers; check every end, the ledger and the bills."""
    ledger = directory / "ledger.sqlite"
    with simulated(seed, fault_rate=0.0) as fleet:
        config = write_config(fleet.configuration(ledger), directory / "llm.toml")
        figures, run = _run(directory, config, kills=kills, seed=seed, local=False)
        bills = [line for lines in fleet.bills().values() for line in lines]
    run.check_books(_rows(ledger), bills)
    return figures


def run_local_kills(directory: Path, *, kills: int, seed: int) -> Figures:
    """Kill servers that have a model server of their own."""
    ledger = directory / "ledger.sqlite"
    model = {"name": LOCAL_MODEL, "cost_per_input": 0, "cost_per_output": 0}
    embedded = {"type": "local", "models": [model]}
    settings: dict[str, Any] = {"ledger": {"path": str(ledger)}, "providers": {"embedded": embedded}}
    figures, run = _run(directory, write_config(settings, directory / "llm.toml"), kills=kills, seed=seed, local=True)
    run.check_books(_rows(ledger), [])  # a model of one's own bills nobody
    return figures


def _run(directory: Path, config: Path, *, kills: int, seed: int, local: bool) -> tuple[Figures, Run]:
    began = time.monotonic()
    command = (sys.executable, *SERVE, str(config))
    driver_path = built("plain", "manus_driver") / "manus_driver"
    log = directory / "server.log"
    with driving(driver_path, "--restart", *command, log=log) as driver:
        run = Run(driver, seed, local=local)
        try:
            for _ in range(kills):
                run.kill_one()
        except AssertionError as error:
            error.add_note(f"the server's last words:\n{log.read_text()[-4000:]}")
            raise
        assert driver.close() == 0
        give_up_at = time.monotonic() + PATIENCE_S
        while left := driver.descendants():
            assert time.monotonic() < give_up_at, f"these outlived their host: {left}"
            time.sleep(0.01)
    run.figures.seconds = time.monotonic() - began
    return run.figures, run


def _rows(ledger: Path) -> list[LedgerRow]:
    connection = open_file_to_read(ledger, busy_s=5.0)
    rows = list(all_rows(connection))
    connection.close()
    return rows


def _alive(pids: set[int]) -> bool:
    return any(Path(f"/proc/{pid}").exists() for pid in pids)


def main() -> None:
    """Run by hand, and print the figures."""
    parser = argparse.ArgumentParser(
        description="Kill the server under a C++ client, and hold what it says to account."
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--local", action="store_true", help="have the embedded model answer")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        lane = run_local_kills if arguments.local else run_kills
        figures = lane(Path(directory), kills=arguments.kills, seed=arguments.seed)
    for name in figures.__struct_fields__:
        print(f"{name:20} {getattr(figures, name)}")


if __name__ == "__main__":
    main()
