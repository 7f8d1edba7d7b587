"""Own the measurement of a host that reads a thousand bytes a second of fifty streams: what the server holds meanwhile.

    python -m tests.ipc.hostile.slow_reader [SECONDS [WINDOW]]

prints resident memory over time. Without a window the pipe itself is the back-pressure; with one, credit is what slows
the streams down, and a host that grants none for `consumer_stall_s` loses its streams.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec

from tests.conformance.links import Pipes, write_config
from tests.conformance.vendors import Vendors, served
from tests.ipc.hostile.measured import MIB, footprint
from tests.ipc.hostile.raw import HELLO, line

STREAMS: Final = 50
BYTES_PER_S: Final = 1024
PORTIONS_PER_S: Final = 8


class Readings(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of the server.

    Args:
        began_bytes: resident memory before the first stream was asked for.
        resident_bytes: resident memory, second by second.
        peak_bytes: the most that was ever resident.
        read_bytes: what the host took.
        streams: how many were still under way at the end.
    """

    began_bytes: int
    resident_bytes: tuple[int, ...]
    peak_bytes: int
    read_bytes: int
    streams: int

    @property
    def growth_bytes(self) -> int:
        """By how much it grew at most."""
        return self.peak_bytes - self.began_bytes


def read_slowly(vendors: Vendors, directory: Path, *, seconds: int, window: int | None = None) -> Readings:
    """Ask for fifty endless streams over a pipe, and read slowly for so long; then leave."""
    pipes = Pipes(write_config(vendors.configuration(), directory / "llm.toml"))
    try:
        assert pipes.process.stdout is not None
        output = pipes.process.stdout.fileno()
        hello = HELLO if window is None else HELLO | {"window": window}
        pipes.send(line({"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": hello}))
        heard = b""
        while b"\n" not in heard:
            heard += os.read(output, 4096)
        assert json.loads(heard)["result"]["protocolVersion"] == 1
        began = footprint(pipes.process.pid).resident_bytes
        for number in range(STREAMS):
            params = {"prompt": f"endless {number}", "provider": "first", "fallback_providers": [], "tags": ["left"]}
            pipes.send(line({"jsonrpc": "2.0", "id": number, "method": "stream", "params": params}))
        vendors.wait_for("endless ", working=STREAMS)
        seen: list[int] = []
        told = b""
        for portion in range(1, seconds * PORTIONS_PER_S + 1):
            told += os.read(output, BYTES_PER_S // PORTIONS_PER_S)
            time.sleep(1 / PORTIONS_PER_S)
            if portion % PORTIONS_PER_S == 0:
                seen.append(footprint(pipes.process.pid).resident_bytes)
        now = footprint(pipes.process.pid)
        messages = [json.loads(each) for each in told.split(b"\n")[:-1]]
        return Readings(
            began_bytes=began,
            resident_bytes=tuple(seen),
            peak_bytes=now.peak_bytes,
            read_bytes=len(told),
            streams=STREAMS - sum("id" in message for message in messages),
        )
    finally:
        pipes.kill()


def main(seconds: int, window: int | None) -> None:
    """Measure, and print."""
    with served() as vendors, tempfile.TemporaryDirectory() as directory:
        readings = read_slowly(vendors, Path(directory), seconds=seconds, window=window)
    print(f"{STREAMS} streams, {BYTES_PER_S} bytes/s for {seconds} s, window {window or 'none'}")
    print(f"before {readings.began_bytes / MIB:.1f} MiB, at most {readings.peak_bytes / MIB:.1f} MiB")
    for second, resident in enumerate(readings.resident_bytes, start=1):
        if second % max(1, seconds // 10) == 0:
            print(f"  after {second:4d} s: {resident / MIB:.1f} MiB resident")
    print(f"{readings.read_bytes} bytes were read; {readings.streams} streams were still under way")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60, int(sys.argv[2]) if len(sys.argv) > 2 else None)
