"""The whole agent is killed under load, again and again; its ledger and the providers' own bills agree all the same."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from manus.actors.ledger.file import open_file_to_read
from manus.actors.ledger.journaled import runs_directory
from manus.actors.ledger.rows import LedgerRow
from manus.actors.ledger.sqlite import all_rows
from manus.actors.ledger.store import Recovery
from manus.sim.provider import WIRES
from manus.sim.wire import WireName
from manus.testing import SimProvider, sim_config
from tests.actors.books import Desk
from tests.kill.killing import ROOT, kill_after, lines_of, start, wait_for_notes

FAULTS = ("500", "503", "cut-headers", "reset-headers")
"""Two that cost nothing and may be retried; two after which the provider bills and we cannot know what."""


def configuration(servers: dict[str, dict[str, str]], ledger: Path) -> dict[str, Any]:
    """Give a provider entry for each vendor, under its wire's name and at prices of its own."""
    config = sim_config(
        {wire: SimProvider(cast(WireName, wire)) for wire in servers},
        retry={"base_s": 0.01, "budget_min": 1000},
        ledger={"path": str(ledger)},
    )
    for place, (wire, entry) in enumerate(config["providers"].items(), start=1):
        entry["base_url"] = servers[wire]["base_url"]
        for model in entry["models"]:
            model["cost_per_output"] = 2.0 + place
    return config


@contextmanager
def simulated(seed: int) -> Iterator[dict[str, dict[str, str]]]:
    """Run the providers in a process of their own, which nobody kills and which keeps the bills."""
    arguments = ["--json", "--seed", str(seed), "--words", "30", "--latency-s", "0.01", "--gap-s", "0.003"]
    faults = [word for fault in FAULTS for word in ("--fault", fault)]
    with subprocess.Popen(
        [sys.executable, "-m", "manus", "sim", *arguments, *faults, "--fault-rate", "0.2"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            yield {each["wire"]: each for each in told["providers"]}
        finally:
            process.terminate()


def final_bill(origin: str) -> list[dict[str, Any]]:
    """Read a provider's bill once it has noticed that nobody listens any more."""
    give_up_at = time.monotonic() + 30
    while True:
        with urllib.request.urlopen(f"{origin}/_sim/bill", timeout=10) as answer:
            rows: list[dict[str, Any]] = json.load(answer)["rows"]
        if not any(row["state"] in ("arriving", "working") for row in rows):
            return rows
        assert time.monotonic() < give_up_at, "the provider never noticed"
        time.sleep(0.05)


class Books:
    """The ledger's rows and the notes, by the name of the request."""

    def __init__(self, directory: Path) -> None:
        self.ledger = directory / "ledger.sqlite"
        self.notes = directory / "notes"
        self.config = directory / "llm.json"

    def recover(self) -> Recovery:
        """Open the ledger once more, and close it cleanly."""
        store = Desk().open(self.ledger)
        store.close()
        return store.recovered

    def rows(self) -> list[LedgerRow]:
        connection = open_file_to_read(self.ledger, busy_s=5.0)
        rows = list(all_rows(connection))
        connection.close()
        return rows

    def told(self, word: str) -> dict[str, list[str]]:
        return {line[1]: line[2:] for line in lines_of(self.notes) if line[0] == word}


def check_rows(books: Books, rows: list[LedgerRow]) -> None:
    """What the agent told is booked as told, and every row has ended, once."""
    assert len({(row.request_id, row.attempt) for row in rows}) == len(rows)
    assert {row.state for row in rows} <= {"settled", "released", "in_doubt"}
    by_name: defaultdict[str, list[LedgerRow]] = defaultdict(list)
    for row in rows:
        (name,) = row.tags
        by_name[name].append(row)
    asked = books.told("asked")
    assert by_name.keys() <= asked.keys(), "a row for what nobody asked"
    for name, (tokens_in, tokens_out, cost) in books.told("answered").items():
        settled = [row for row in by_name[name] if row.state == "settled"]
        assert sum(row.usage.input_total for row in settled) == int(tokens_in), name
        assert sum(row.usage.output for row in settled) == int(tokens_out), name
        assert sum(row.cost_nano_usd or 0 for row in settled) == int(cost), name


def check_bills(rows: list[LedgerRow], bills: dict[str, list[dict[str, Any]]]) -> None:
    """Request by request, what a provider bills is settled, or lies within the bound of what is in doubt."""
    booked: defaultdict[tuple[str, str], list[LedgerRow]] = defaultdict(list)
    for row in rows:
        booked[(row.provider, row.tags[0])].append(row)
    billed: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for provider, bill in bills.items():
        for line in bill:
            if line["billed"]:
                billed[(provider, line["prompt"].split(" ")[0])].append(line)
    assert billed.keys() <= booked.keys(), "billed, and not booked at all"
    for key, lines in billed.items():
        standing = [row for row in booked[key] if row.state != "released"]
        assert len(standing) >= len(lines), f"{key}: {len(lines)} bills, {len(standing)} rows that own up to them"
        for kind in ("input_tokens", "output_tokens"):
            owed = sum(line[kind] for line in lines)
            covered = sum(row.usage.input_total if kind == "input_tokens" else row.usage.output for row in standing)
            assert owed <= covered, f"{key}: {owed} {kind} billed, {covered} in the books"
            if all(row.state == "settled" for row in standing):
                assert owed == covered, f"{key}: settled, and not at what was billed"
    for key, standing in booked.items():
        settled = [row for row in standing if row.state == "settled"]
        assert len(settled) <= len(billed[key]), f"{key}: settled, and never billed"
        unsent = [row for row in standing if row.state == "in_doubt" and row.dispatched_unix_s is None]
        assert not unsent, f"{key}: in doubt, and never sent"


def kill_again_and_again(directory: Path, *, seed: int, rounds: int) -> None:
    rng = random.Random(f"{seed}/kill")
    books = Books(directory)
    with simulated(seed) as servers:
        assert servers.keys() == WIRES.keys()
        books.config.write_text(json.dumps(configuration(servers, books.ledger)))
        for number in range(rounds):
            done = len(lines_of(books.notes))
            child = start("tests.kill.agent_child", str(books.config), str(books.notes), f"{seed}.{number}")
            wait_for_notes(child, books.notes, done + 25)
            kill_after(child, rng.uniform(0.0, 0.5))
            # Every other time it is the next agent that has to recover what this one left.
            if number % 2 or number == rounds - 1:
                assert books.recover().runs >= 1
                rows = books.rows()
                assert books.recover() == Recovery(), "recovering twice is recovering once"
                assert books.rows() == rows
                assert list(runs_directory(books.ledger).iterdir()) == []
                check_rows(books, rows)
                check_bills(rows, {wire: final_bill(each["origin"]) for wire, each in servers.items()})
    rows = books.rows()
    assert {row.provider for row in rows if row.state == "settled"} == WIRES.keys(), "a vendor never answered"
    seen = {row.state for row in rows}
    assert seen == {"settled", "released", "in_doubt"}, "the load did not reach every ending"
    assert len(books.told("answered")) > 10 * rounds, "it was hardly at work"
    killed = [row for row in rows if row.reason == "the run ended before the answer was booked"]
    assert len(killed) >= rounds, "hardly anybody died with a call under way"


def test_the_agents_books_survive_being_killed(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, seed=1, rounds=6)


@pytest.mark.long
def test_the_agents_books_survive_being_killed_fifty_times(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, seed=2, rounds=50)
