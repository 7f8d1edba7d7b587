"""Own the simulated providers of a kill run: a process of their own, which nobody kills and which keeps their bills."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import msgspec

from manus.sim.provider import WIRES
from manus.sim.wire import WireName
from manus.testing import SimProvider, sim_config
from tests.kill.killing import ROOT

NOTICE_S = 30.0
"""By then a provider has noticed that a killed client listens no more."""

FAULTS = (
    "500",
    "503",
    "429",
    "cut-headers",
    "reset-headers",
    "cut-body",
    "reset-body",
    "error-inside",
    "error-after-content",
    "no-usage",
    "stall",
    "stall-headers",
    "slow-first-token",
)
"""Three that cost nothing and may be retried; those after which the provider bills and nobody can know what; those that
break off an answer whose beginning came; one that says nothing of what it used; and those that are waited out."""

EMBEDDERS = ("openai", "azure", "ollama", "bedrock")
"""Whose wires have embeddings."""

EMBEDDER = "sim-embed"


class BillLine(msgspec.Struct, frozen=True, kw_only=True):
    """One request as a provider saw it, from its own bill."""

    number: int
    model: str
    prompt: str
    state: str
    billed: bool
    input_tokens: int
    output_tokens: int
    fault: str | None

    @property
    def name(self) -> str:
        """Give the request's name, with which its prompt begins."""
        return self.prompt.split(" ")[0]


class _Bill(msgspec.Struct, frozen=True):
    rows: tuple[BillLine, ...]


class Fleet:
    """Where the simulated providers are, by wire."""

    def __init__(self, servers: dict[str, dict[str, str]]) -> None:
        self._servers = servers

    def configuration(self, path: Path, **sections: Any) -> dict[str, Any]:
        """Give a provider entry for each wire, under its name and at prices of its own, with the ledger at `path`."""
        servers = self._servers
        config = sim_config({wire: SimProvider(cast(WireName, wire)) for wire in servers}, **sections)
        config["ledger"] = {"path": str(path), **config.get("ledger", {})}
        for place, (wire, entry) in enumerate(config["providers"].items(), start=1):
            entry["base_url"] = servers[wire]["base_url"]
            for model in entry["models"]:
                model["cost_per_output"] = 2.0 + place
            if wire in EMBEDDERS:
                embedder = {"name": EMBEDDER, "embeddings": True, "cost_per_input": 0.5, "cost_per_output": 0.0}
                entry["models"].append(embedder)
        return config

    def bills(self) -> dict[str, list[BillLine]]:
        """Read every provider's bill, once each has noticed that nobody listens any more."""
        return {wire: self._final_bill(each["origin"]) for wire, each in self._servers.items()}

    def _final_bill(self, origin: str) -> list[BillLine]:
        give_up_at = time.monotonic() + NOTICE_S
        while True:
            with urllib.request.urlopen(f"{origin}/_sim/bill", timeout=10) as answer:
                rows = msgspec.json.decode(answer.read(), type=_Bill).rows
            if not any(row.state in ("arriving", "working") for row in rows):
                return list(rows)
            assert time.monotonic() < give_up_at, "the provider never noticed"
            time.sleep(0.02)


@contextmanager
def simulated(seed: int, *, fault_rate: float = 0.25) -> Iterator[Fleet]:
    """Serve one provider of each wire on sockets for as long as the block lasts."""
    arguments = ["--json", "--seed", str(seed), "--words", "30", "--latency-s", "0.01", "--gap-s", "0.003"]
    faults = [word for fault in FAULTS for word in ("--fault", fault)]
    with subprocess.Popen(
        [sys.executable, "-m", "manus", "sim", *arguments, *faults, "--fault-rate", str(fault_rate)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            fleet = {each["wire"]: each for each in told["providers"]}
            assert fleet.keys() == WIRES.keys()
            yield Fleet(fleet)
        finally:
            process.terminate()
