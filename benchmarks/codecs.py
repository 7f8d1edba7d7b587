"""Measure the CPU time that decoding one chunk costs: `python -m benchmarks codecs`.

For each wire the same chunks go, in interleaved rounds, through `json.loads` alone (the least that any client written
in plain Python pays), through framing, decoding and assembly as a call does them, and through the vendor's own SDK.
Medians, as ratios to `json.loads`: compare columns, for absolute numbers are those of a shared machine.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence

from benchmarks.codec_sdks import sdk_of
from benchmarks.codec_streams import CHUNKS, Stream, streams
from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
from manus.messages.policy import Bounds

ROW = "chunk, decoding alone (us, and times json.loads of it)"
_BASE = "json.loads"
_COLUMNS = (_BASE, "ours", "ours, 16 KB reads", "SDK", "SDK, 16 KB reads")
_WIDTH = 19


def print_codecs(rounds: int) -> None:
    """Print the table."""
    print(ROW)
    print(f"    {'wire':<18}" + "".join(f"{column:>{_WIDTH}}" for column in _COLUMNS) + f"{'SDK / ours':>{_WIDTH}}")
    for stream in streams():
        spent = _measured(stream, rounds)
        print(f"    {stream.wire:<18}" + "".join(_cell(spent, column) for column in _COLUMNS) + _faster(spent))
        sys.stdout.flush()


def _measured(stream: Stream, rounds: int) -> dict[str, float]:
    """Give microseconds per chunk, by column."""
    cases: dict[str, Callable[[], object]] = {
        _BASE: lambda: _each(json.loads, stream.payloads),
        "ours": lambda: _decode(stream.wire, stream.frames),
        "ours, 16 KB reads": lambda: _decode(stream.wire, stream.bursts),
    }
    for column, bursts in (("SDK", False), ("SDK, 16 KB reads", True)):
        sdk = sdk_of(stream, bursts=bursts)
        if sdk is not None:
            cases[column] = sdk
    said = _decode(stream.wire, stream.frames)
    for column, run in cases.items():
        if column != _BASE and run() != said:
            raise AssertionError(f"{stream.wire}: {column} read another text")
    spent: dict[str, list[float]] = {column: [] for column in cases}
    for _ in range(rounds):
        for column, run in cases.items():
            gc.collect()
            began = time.process_time_ns()
            run()
            spent[column].append((time.process_time_ns() - began) / 1000 / CHUNKS)
    return {column: statistics.median(times) for column, times in spent.items()}


def _each(parse: Callable[[bytes], object], texts: Sequence[bytes]) -> None:
    for text in texts:
        parse(text)


def _decode(wire: str, pieces: Sequence[bytes]) -> int:
    """Decode and assemble; gives how many characters of text came."""
    decoder = codec_for(wire).decoder(stream=True, model="m", options=CodecOptions())
    assembly = Assembly(wire, "m", Bounds())
    for piece in pieces:
        assembly.add(decoder.feed(piece))
    assembly.add(decoder.finish())
    if assembly.failure is not None:
        raise AssertionError(assembly.failure)
    return len(assembly.text_so_far)


def _cell(spent: dict[str, float], column: str) -> str:
    if column not in spent:
        return f"{'-':>{_WIDTH}}"
    ratio = "" if column == _BASE else f"{spent[column] / spent[_BASE]:7.2f}x"
    return f"{spent[column]:.2f}{ratio}".rjust(_WIDTH)


def _faster(spent: dict[str, float]) -> str:
    return f"{spent['SDK'] / spent['ours']:.1f}x".rjust(_WIDTH) if "SDK" in spent else f"{'-':>{_WIDTH}}"
