"""The whole agent as a subprocess: JSON lines over its stdin and stdout, and the least that a host must do for them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import trio

from benchmarks.contenders.agent import configuration
from benchmarks.contract import MAX_TOKENS, PROMPT

LOOP = "trio"
READ_BYTES = 64 * 1024
END_S = 30.0


class _Event(msgspec.Struct):
    delta: str = ""


class _Params(msgspec.Struct):
    id: int
    event: _Event


class _Result(msgspec.Struct):
    content: str = ""


class _Line(msgspec.Struct):
    """A reply or an event, as far as it is looked at."""

    id: int | None = None
    result: _Result | None = None
    error: msgspec.Raw | None = None
    params: _Params | None = None


_decode = msgspec.json.Decoder(_Line).decode
_encode = msgspec.json.encode


class _Call:
    """One request that waits for its reply."""

    __slots__ = ("ended", "on_text", "reply")

    def __init__(self, on_text: Callable[[str], None] | None) -> None:
        self.on_text = on_text
        self.ended = trio.Event()
        self.reply: _Line | None = None


class StdioClient:
    """Requests as lines. `events` counts how many lines streams came in: chunks that waited together share one."""

    def __init__(self, stdin: trio.abc.SendStream, stdout: trio.abc.ReceiveStream) -> None:
        self._stdin = stdin
        self._stdout = stdout
        self._sending = trio.Lock()
        self._calls: dict[int, _Call] = {}
        self._last_id = 0
        self.events = 0

    async def ask(self) -> str:
        """Ask for a whole answer."""
        reply = await self.call("generate", {"model": "whole"} | _ASKED)
        assert reply.result is not None, reply.error
        return reply.result.content

    async def stream(self, model: str, on_text: Callable[[str], None]) -> None:
        """Stream."""
        reply = await self.call("stream", {"model": model} | _ASKED, on_text)
        assert reply.result is not None, reply.error

    async def call(self, method: str, params: dict[str, Any], on_text: Callable[[str], None] | None = None) -> _Line:
        """Send a request, and wait for its reply."""
        self._last_id += 1
        number, call = self._last_id, _Call(on_text)
        self._calls[number] = call
        line = _encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + b"\n"
        async with self._sending:
            await self._stdin.send_all(line)
        await call.ended.wait()
        assert call.reply is not None
        return call.reply

    async def read(self) -> None:
        """Take lines, and give them to whom they are for, until there are none."""
        rest = b""
        while content := await self._stdout.receive_some(READ_BYTES):
            *lines, rest = (rest + content).split(b"\n")
            for text in lines:
                line = _decode(text)
                if line.params is not None:
                    self.events += 1
                    on_text = self._calls[line.params.id].on_text
                    assert on_text is not None
                    if line.params.event.delta:
                        on_text(line.params.event.delta)
                elif line.id is not None:
                    call = self._calls.pop(line.id)
                    call.reply = line
                    call.ended.set()
        if self._calls:
            raise EOFError(f"the subprocess left {len(self._calls)} calls unanswered")


_ASKED: dict[str, Any] = {"prompt": PROMPT, "provider": "p0", "max_tokens": MAX_TOKENS}


def serve_command(config: Path) -> list[str]:
    """Give the command that a host starts."""
    return [sys.executable, "-m", "manus", "serve", "--stdio", "--config", str(config)]


def write_configuration(base_url: str, directory: Path) -> Path:
    """Write the configuration of the benchmark to a file, as a host has one."""
    path = directory / "llm.toml"
    settings: Any = configuration(base_url, directory / "ledger.sqlite")
    models = ", ".join(
        "{ " + ", ".join(f"{name} = {_toml(value)}" for name, value in model.items()) + " }"
        for model in settings["providers"]["p0"].pop("models")
    )
    entry = "\n".join(f"{name} = {_toml(value)}" for name, value in settings["providers"]["p0"].items())
    path.write_text(
        f"[general]\nenable_logging = false\n[ledger]\npath = {_toml(settings['ledger']['path'])}\n"
        f"[providers.p0]\n{entry}\nmodels = [{models}]\n"
    )
    return path


def _toml(value: object) -> str:
    return msgspec.json.encode(value).decode()


@asynccontextmanager
async def open_contender(base_url: str) -> AsyncIterator[StdioClient]:
    """Start the agent with one provider, and shake hands."""
    with tempfile.TemporaryDirectory(prefix="manus-bench-") as directory:
        config = write_configuration(base_url, Path(directory))
        process = await trio.lowlevel.open_process(
            serve_command(config), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdin is not None
        assert process.stdout is not None
        client = StdioClient(process.stdin, process.stdout)
        async with trio.open_nursery(strict_exception_groups=True) as nursery:
            nursery.start_soon(client.read)
            await client.call("initialize", {"protocolVersion": 1})
            yield client
            await process.stdin.aclose()  # the end of its stdin is its end
            with trio.fail_after(END_S):
                await process.wait()
