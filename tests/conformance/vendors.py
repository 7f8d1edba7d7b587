"""Own the simulated providers that every host of the suite asks: on real sockets, in a thread, each with its bill.

What is answered depends on the first word of the prompt alone (`SCRIPTS`), so that any number of hosts and threads get
the same answers in any order.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import msgspec
import trio

from manus.sim.behaviour import Script, ScriptedCall
from manus.sim.bill import BillRow
from manus.sim.faults import Cut, Rejected, Stall
from manus.sim.serve import serve_all
from manus.sim.server import SimServer
from manus.sim.wire import ChatAsked, WireName
from manus.testing import SimProvider, sim_config

NOTICE_S: Final = 60.0
"""By then a provider has noticed that its client left, and a thread has started or ended."""

WIRES: Final[dict[str, WireName]] = {"first": "openai", "second": "anthropic", "third": "ollama"}
"""The providers by name, in order of preference."""

TEXT: Final = "The keeper trims the lamp, writes the hour into the ledger and goes back to bed."
STALLED: Final = "One two three four five"
LONG: Final = " ".join(f"word{number}" for number in range(300))
STEADY: Final = " ".join(f"word{number}" for number in range(60))
ENDLESS: Final = " ".join([TEXT] * 4_000)
PERSON: Final = '{"name": "Ada", "age": 36}'

SCRIPTS: Final[dict[str, Script]] = {
    "plain": Script(text=TEXT),
    "think": Script(text=TEXT, reasoning="The tide is going out."),
    "person": Script(text=PERSON),
    "tool": Script(text="", tool_calls=(ScriptedCall(name="weather", arguments='{"city": "Zürich"}'),)),
    "long": Script(text=LONG),
    "steady": Script(text=STEADY, gap_s=0.002),
    "endless": Script(text=ENDLESS, chunk_tokens=200, gap_s=0.02),
    "rough": Script(text=TEXT, gap_s=0.002),
    "stall": Script(text=STALLED + " six seven", fault=Stall(after_chunks=5)),
    "silent": Script(text=TEXT, fault=Stall(where="first_token")),
    "unheard": Script(text=TEXT, fault=Stall(where="headers")),
    "cut": Script(text=TEXT, fault=Cut(after_chunks=4)),
    "bad": Script(fault=Rejected(status=400)),
    "toolong": Script(fault=Rejected(status=400, code="context_length_exceeded")),
    "unknown": Script(fault=Rejected(status=404)),
    "denied": Script(fault=Rejected(status=401)),
    "busy": Script(fault=Rejected(status=429, retry_after_s=30.0)),
    "broken": Script(fault=Rejected(status=500)),
}
"""What a provider does with a prompt that begins with this word."""

_T = TypeVar("_T")


def script_for(asked: ChatAsked, name: str) -> Script:
    """Choose by the prompt's first word; whatever else says who answered and how much it had been told."""
    word = asked.prompt.split(" ")[0]
    if word == "switched" and name == "first":
        return SCRIPTS["broken"]
    return SCRIPTS.get(word) or Script(text=f"{name} was told {asked.input_tokens} tokens: {asked.prompt}")


class Vendors:
    """The providers while they are served. Its methods may be called from any thread but the servers' own."""

    def __init__(self, servers: dict[str, SimServer], token: trio.lowlevel.TrioToken) -> None:
        self._servers = servers
        self._token = token

    def configuration(self, **tables: Any) -> dict[str, Any]:
        """Give the whole configuration of an agent; the books are in memory unless `tables` say otherwise.

        Nothing is tried twice at one place, and no deployment rests because of failures of another: what one caller
        gets must not depend on what others got before.
        """
        base: dict[str, Any] = {
            "general": {"enable_logging": False},
            "ledger": {"path": ":memory:"},
            "limits": {"learn": False},
            "retry": {"same_deployment": 0, "budget_min": 10_000},
            "health": {"failures": 1000, "failure_rate": 1.0, "calls_min": 10_000, "jitter": 0.0},
        }
        config = sim_config(self._servers, **base | tables)
        embedder = {"name": "sim-embed", "embeddings": True, "cost_per_input": 0.5, "cost_per_output": 0.0}
        config["providers"]["first"]["models"].append(embedder)
        return config

    def rows(self) -> dict[str, tuple[BillRow, ...]]:
        """Copy every provider's bill, once each has noticed that nobody is served any more."""
        give_up_at = time.monotonic() + NOTICE_S
        while True:
            bills = self.rows_now()
            if not any(row.open for rows in bills.values() for row in rows):
                return bills
            assert time.monotonic() < give_up_at, f"a provider still serves: {bills}"
            time.sleep(0.01)

    def rows_now(self) -> dict[str, tuple[BillRow, ...]]:
        """Copy every provider's bill as it stands."""
        return self._inside(self._rows)

    def wait_for(self, prompt: str, *, working: int = 1) -> None:
        """Return when so many requests whose prompts begin so are being answered."""
        give_up_at = time.monotonic() + NOTICE_S
        while True:
            rows = [row for rows in self.rows_now().values() for row in rows if row.prompt.startswith(prompt)]
            if sum(row.state == "working" for row in rows) >= working:
                return
            assert time.monotonic() < give_up_at, f"{prompt!r} never arrived: {rows}"
            time.sleep(0.005)

    def wait_until_left(self, prompt: str, count: int) -> None:
        """Return when so many requests whose prompts begin so have come, and all of them are over."""
        give_up_at = time.monotonic() + NOTICE_S
        while True:
            rows = [row for rows in self.rows_now().values() for row in rows if row.prompt.startswith(prompt)]
            if len(rows) == count and not any(row.open for row in rows):
                return
            assert time.monotonic() < give_up_at, f"{prompt!r} goes on: {rows}"
            time.sleep(0.02)

    def _rows(self) -> dict[str, tuple[BillRow, ...]]:
        return {name: server.provider.bill.rows() for name, server in self._servers.items()}

    def _inside(self, read: Callable[[], _T]) -> _T:
        return trio.from_thread.run_sync(read, trio_token=self._token)


class _Serving(msgspec.Struct):
    """What the servers' thread tells: that they are up, or what went wrong; and what ends them."""

    ready: threading.Event
    vendors: Vendors | None = None
    stop: trio.Event | None = None
    failed: Exception | None = None


@contextmanager
def served() -> Iterator[Vendors]:
    """Serve the providers for as long as the block lasts."""
    serving = _Serving(ready=threading.Event())
    thread = threading.Thread(target=_serve, args=(serving,), name="simulated providers", daemon=True)
    thread.start()
    assert serving.ready.wait(NOTICE_S), "the simulated providers did not start"
    if serving.failed is None:
        assert serving.vendors is not None
        assert serving.stop is not None
        try:
            yield serving.vendors
        finally:
            if serving.failed is None:
                trio.from_thread.run_sync(serving.stop.set, trio_token=serving.vendors._token)
            thread.join(NOTICE_S)
            assert not thread.is_alive(), "the simulated providers did not end"
    if serving.failed is not None:
        raise serving.failed


def _serve(serving: _Serving) -> None:
    try:
        trio.run(_serve_until_told, serving)
    except Exception as error:
        serving.failed = error
        serving.ready.set()


async def _serve_until_told(serving: _Serving) -> None:
    providers = [SimProvider(wire, _responder(name)) for name, wire in WIRES.items()]
    async with serve_all(providers) as servers:
        serving.stop = trio.Event()
        serving.vendors = Vendors(dict(zip(WIRES, servers, strict=True)), trio.lowlevel.current_trio_token())
        serving.ready.set()
        await serving.stop.wait()


def _responder(name: str) -> Callable[[ChatAsked], Script]:
    def respond(asked: ChatAsked) -> Script:
        return script_for(asked, name)

    return respond
