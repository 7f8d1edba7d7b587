"""Own the stage of processes: `manus sim` for the providers, and a user's program with a configuration file."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, final

import httpx
import msgspec
import trio

from manus.messages.requests import OnInterrupt
from manus.sim.behaviour import Behaviour
from tests.scenarios.program import AskOrder, BooksOrder, Order
from tests.scenarios.settings import providers_of, settings, simulated
from tests.scenarios.vocabulary import Bill, Books, Method, Name, Result, Scenario

ROOT = Path(__file__).resolve().parents[2]

SIMULATION, PROGRAM = "manus", "tests.scenarios.program"
"""What is run: `manus sim`, and a user's program."""

SETTLE_S = 10.0
"""How long a provider may take to notice that its client has left."""

CONTROL_S = 10.0
"""How long a simulated provider may take to do what it is told."""

END_S = 20.0
"""How long a process may take to end by itself; then it is killed."""

T = TypeVar("T")


@final
class Lines:
    """A process that is asked and answers line by line."""

    def __init__(self, name: str, process: trio.Process) -> None:
        self._name = name
        self._process = process
        self._read = bytearray()

    async def line(self) -> bytes:
        """Read its next line.

        Raises:
            RuntimeError: it ended instead.
        """
        assert self._process.stdout is not None
        while b"\n" not in self._read:
            data = await self._process.stdout.receive_some()
            if not data:
                raise RuntimeError(f"{self._name} ended with {await self._process.wait()}")
            self._read += data
        line, _, rest = self._read.partition(b"\n")
        self._read = bytearray(rest)
        return bytes(line)

    async def ask(self, question: bytes) -> bytes:
        """Write a line, and read one."""
        assert self._process.stdin is not None
        await self._process.stdin.send_all(question + b"\n")
        return await self.line()


@final
class Sims:
    """Simulated providers in a process of their own, by name; one that has no door is not among them."""

    def __init__(self, origins: dict[Name, str], client: httpx.AsyncClient) -> None:
        self.origins = origins
        self._client = client

    async def behave(self, name: Name, behaviour: Behaviour) -> None:
        """Change how a provider answers; one that has no door stays without."""
        if name in self.origins:
            url = f"{self.origins[name]}/_sim/behaviour"
            (await self._client.put(url, content=msgspec.json.encode(behaviour))).raise_for_status()

    async def bill(self, name: Name) -> Bill:
        """Read what a provider saw."""
        if name not in self.origins:
            return Bill()
        told = (await self._client.get(f"{self.origins[name]}/_sim/bill")).json()
        rows = [row for row in told["rows"] if row["model"]]
        return Bill(
            requests=len(rows),
            billed=sum(row["billed"] for row in rows),
            open=sum(row["state"] in ("arriving", "working") for row in rows),
        )

    async def settle(self) -> None:
        """Wait until the providers have noticed who left."""
        with trio.move_on_after(SETTLE_S):
            while any([(await self.bill(name)).open for name in self.origins]):  # noqa: ASYNC110  # it is another process
                await trio.sleep(0.05)


@final
class Processes:
    """A stage whose caller and whose providers are processes of their own."""

    def __init__(self, program: Lines, sims: Sims) -> None:
        self._program = program
        self.behave = sims.behave
        self.bill = sims.bill
        self.settle = sims.settle
        self._set_at = trio.current_time()

    async def ask(self, method: Method, *, timeout_s: float, on_interrupt: OnInterrupt | None = None) -> Result:
        """Have the program make one request."""
        return await self._order(AskOrder(method=method, timeout_s=timeout_s, on_interrupt=on_interrupt), Result)

    async def books(self) -> Books:
        """Have the program say how its books stand."""
        return await self._order(BooksOrder(), Books)

    async def wait_until(self, at_s: float) -> None:
        """Wait until so long after the stage was set."""
        await trio.sleep_until(self._set_at + at_s)

    async def _order(self, order: Order, answer: type[T]) -> T:
        return msgspec.json.decode(await self._program.ask(msgspec.json.encode(order)), type=answer)


@asynccontextmanager
async def process_stage(scenario: Scenario, directory: Path) -> AsyncIterator[Processes]:
    """Set the stage; `directory` is empty, and is the program's own."""
    async with serve(scenario) as sims:
        configuration = write_configuration(scenario, sims.origins, directory)
        async with _running(PROGRAM, str(configuration)) as program:
            await program.line()
            yield Processes(program, sims)


@asynccontextmanager
async def serve(scenario: Scenario) -> AsyncIterator[Sims]:
    """Simulate the scenario's providers in a process, each with its script."""
    named = [(name, provider) for name, provider in providers_of(scenario).items() if not provider.shut]
    wires = [option for _, provider in named for option in ("--wire", provider.wire)]
    async with (
        _running(SIMULATION, "sim", "--json", *wires) as process,
        httpx.AsyncClient(timeout=CONTROL_S, trust_env=False) as client,
    ):
        told: dict[str, Any] = json.loads(await process.line())
        origins = {name: each["origin"] for (name, _), each in zip(named, told["providers"], strict=True)}
        sims = Sims(origins, client)
        for name, provider in named:
            await sims.behave(name, provider.plays)
        yield sims


def write_configuration(scenario: Scenario, origins: dict[Name, str], directory: Path) -> Path:
    """Write the caller's configuration file."""
    sims = simulated(scenario)
    tables = settings(scenario, sims, "ledger.sqlite")
    for name, entry in tables["providers"].items():
        origin = origins.get(name) or f"http://127.0.0.1:{_port_of_nobody()}"
        entry["base_url"] = origin + sims[name].wire.base_path
    path = directory / "llm.toml"
    path.write_text("".join(f"{line}\n" for line in _toml_lines(tables)), encoding="utf-8")
    return path


def _toml_lines(tables: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for name, table in tables.items():
        if name == "providers":
            for entry, fields in table.items():
                lines += [f"[providers.{entry}]", *(f"{key} = {_toml(value)}" for key, value in fields.items())]
        else:
            lines += [f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
    return lines


def _toml(value: Any) -> str:
    """Write a value on one line. Any: whatever a scenario's tables hold."""
    match value:
        case dict():
            return "{ " + ", ".join(f"{key} = {_toml(member)}" for key, member in value.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case _:
            return json.dumps(value)


def _port_of_nobody() -> int:
    """Find a port on which nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


@asynccontextmanager
async def _running(module: str, *arguments: str) -> AsyncIterator[Lines]:
    """Run a module until the block ends: then its stdin does, and it is told to. Bills are not shown."""
    command = [sys.executable, "-m", module, *arguments]
    stderr = subprocess.DEVNULL if module == SIMULATION else None
    process = await trio.lowlevel.open_process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, cwd=ROOT
    )
    try:
        yield Lines(module, process)
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + END_S):
            if process.stdin is not None:
                await process.stdin.aclose()
            process.terminate()
            await process.wait()
        if process.poll() is None:
            process.kill()
