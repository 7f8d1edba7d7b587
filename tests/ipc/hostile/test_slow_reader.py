"""A host that reads a trickle of many streams costs bounded memory, however long it goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.vendors import served
from tests.ipc.hostile.measured import MIB
from tests.ipc.hostile.slow_reader import STREAMS, Readings, read_slowly

GROWTH_MAX_BYTES = 48 * MIB
"""Fifty streams: 64 KiB each that may wait, a read and its parsing in the provider's actor, the pipe, and what an
allocator keeps of all that."""


def check(directory: Path, *, seconds: int) -> Readings:
    """Read slowly for so long, and look at what it cost at most."""
    with served() as vendors:
        readings = read_slowly(vendors, directory, seconds=seconds)
    assert readings.streams == STREAMS, "a slow reader is no stalled one"
    assert readings.growth_bytes < GROWTH_MAX_BYTES, readings
    return readings


def test_a_slow_reader_of_fifty_streams_costs_bounded_memory(tmp_path: Path) -> None:
    check(tmp_path, seconds=4)


@pytest.mark.long
def test_a_slow_reader_of_fifty_streams_costs_no_more_after_ten_minutes(tmp_path: Path) -> None:
    readings = check(tmp_path, seconds=600)
    half = len(readings.resident_bytes) // 2
    early, late = max(readings.resident_bytes[:half]), max(readings.resident_bytes[half:])
    assert late - early < 4 * MIB, f"it grows: {readings}"
