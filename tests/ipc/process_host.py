"""Own a host of the real subprocess: `manus serve` over whatever descriptors a test gives it."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any

import trio

from manus.sim.behaviour import Script
from manus.sim.provider import SimProvider
from manus.testing import serve_sim

LIMIT_S = 60.0
"""Nothing here takes nearly so long; what does is hung."""

KEY = "sk-simulated"


def command(config: Path, *arguments: str) -> list[str]:
    """Give the command line of a server."""
    return [sys.executable, "-m", "manus", "serve", *arguments, "--config", str(config)]


def write_config(path: Path, base_url: str, more: str = "") -> Path:
    """Write a configuration of one provider, with books in memory."""
    path.write_text(
        f'[ledger]\npath = ":memory:"\n{more}\n[providers.openai]\napi_key = "{KEY}"\nbase_url = "{base_url}"\n'
        'models = [{ name = "gpt-4o", cost_per_input = 1, cost_per_output = 2 }]\n'
    )
    return path


@asynccontextmanager
async def provider_at(path: Path, script: Script | None = None, more: str = "") -> AsyncIterator[Path]:
    """Serve a simulated provider, and give the path of a configuration that names it."""
    async with serve_sim(SimProvider("openai", script or Script(text="One two three."), api_key=KEY)) as server:
        yield write_config(path / "llm.toml", server.base_url, more)


class ProcessHost:
    """The program at the other end of a server's pipes."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self._read = bytearray()

    async def say(self, *messages: object) -> None:
        """Write lines: bytes as they are, the rest as JSON."""
        assert self.process.stdin is not None
        for message in messages:
            await self.process.stdin.send_all(
                message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
            )

    async def ask(self, request_id: int, method: str, **params: object) -> None:
        """Make a request of JSON-RPC."""
        await self.say({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})

    async def hear(self) -> dict[str, Any]:
        """Read the next line."""
        assert self.process.stdout is not None
        while (end := self._read.find(b"\n")) < 0:
            piece = await self.process.stdout.receive_some()
            assert piece, "the server has closed its end"
            self._read += piece
        line = bytes(self._read[:end])
        del self._read[: end + 1]
        heard = json.loads(line)
        assert isinstance(heard, dict)
        return heard

    async def greet(self) -> None:
        """Initialize."""
        await self.ask(0, "initialize", protocolVersion=1)
        assert "result" in await self.hear()

    async def reply(self, request_id: int) -> dict[str, Any]:
        """Read until the reply to a request."""
        while (heard := await self.hear()).get("id") != request_id:
            pass
        return heard

    async def rest(self) -> bytes:
        """Read to the end of the server's output."""
        assert self.process.stdout is not None
        rest = bytes(self._read)
        while piece := await self.process.stdout.receive_some():
            rest += piece
        return rest


@asynccontextmanager
async def open_process(argv: list[str], **descriptors: Any) -> AsyncIterator[ProcessHost]:
    """Start a server, and kill it if it is there at the end. Any: what `open_process` takes for descriptors."""
    with trio.fail_after(LIMIT_S):
        process = await trio.lowlevel.open_process(argv, **({"stdin": PIPE, "stdout": PIPE} | descriptors))
        try:
            yield ProcessHost(process)
        finally:
            if process.returncode is None:
                process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    with trio.CancelScope(shield=True):
                        await stream.aclose()


async def until_gone(pid: int) -> None:
    """Wait until a process that is none of ours has ended, to the last of it."""
    while is_alive(pid):  # noqa: ASYNC110  # it is nobody's child here
        await trio.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in ("Z", "X")


def kill(pid: int) -> None:
    """Kill one process."""
    os.kill(pid, signal.SIGKILL)
