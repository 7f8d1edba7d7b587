"""Own what a power cut does to a journal: whatever was not synced when it came may be anything afterwards.

A disk that was told to sync has what was written before; of what came later each sector may be old, new or garbage, in
no order. So everything after the last record that anybody was told of as kept is fair game, and nothing before it. The
head of a segment is synced when the segment is made.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal

from manus.actors.ledger.frames import HEAD_BYTES, scan
from manus.actors.ledger.journal import segments_of
from manus.actors.ledger.records import AnyRecord, decode

Tear = Literal["truncated", "zeroed", "garbled", "sectors"]

TEARS: Final[tuple[Tear, ...]] = ("truncated", "zeroed", "garbled", "sectors")

SECTOR_BYTES = 512


def tear_tail(
    directory: Path, run_id: str, tear: Tear, rng: random.Random, is_kept: Callable[[AnyRecord], bool]
) -> int:
    """Tear what follows the last record of a dead run that is kept; give how many whole records that cost."""
    segments = segments_of(directory, run_id)
    ends = [list(_ends_of(path.read_bytes())) for path in segments]
    kept_in = max((at for at, found in enumerate(ends) if any(is_kept(record) for record, _ in found)), default=-1)
    lost = 0
    for at, (path, found) in enumerate(zip(segments, ends, strict=True)):
        if at < kept_in:
            continue
        data = path.read_bytes()
        head_bytes = HEAD_BYTES + len(scan(data).payloads[0])
        safe_bytes = max((end for record, end in found if is_kept(record)), default=head_bytes)
        used_bytes = len(data.rstrip(b"\0"))
        if used_bytes <= safe_bytes:
            continue
        path.write_bytes(_torn(data, safe_bytes, used_bytes, tear, rng))
        lost += len(found) - sum(1 for _ in _ends_of(path.read_bytes()))
    return lost


def _ends_of(segment: bytes) -> Iterator[tuple[AnyRecord, int]]:
    """Give each whole record, and where it ends."""
    end = 0
    for place, payload in enumerate(scan(segment).payloads):
        end += HEAD_BYTES + len(payload)
        if place > 0:
            yield decode(payload), end


def _torn(data: bytes, safe_bytes: int, used_bytes: int, tear: Tear, rng: random.Random) -> bytes:
    begin = rng.randrange(safe_bytes, used_bytes)
    match tear:
        case "truncated":
            return data[:begin]
        case "zeroed":
            return data[:begin] + bytes(len(data) - begin)
        case "garbled":
            end = rng.randrange(begin, used_bytes) + 1
            return data[:begin] + rng.randbytes(end - begin) + data[end:]
        case "sectors":
            torn = bytearray(data)
            for sector in range(safe_bytes // SECTOR_BYTES, used_bytes // SECTOR_BYTES + 1):
                first, last = max(safe_bytes, sector * SECTOR_BYTES), min(len(data), (sector + 1) * SECTOR_BYTES)
                match rng.choice(("old", "new", "garbage")):
                    case "old":
                        torn[first:last] = bytes(last - first)
                    case "garbage":
                        torn[first:last] = rng.randbytes(last - first)
                    case _:
                        pass
            return bytes(torn)
