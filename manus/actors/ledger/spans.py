"""Own how a span of time is cut into pieces that sums are kept of, and what is left at its ends.

A span is whole days, the whole hours beside them, and two ends that are read row by row. So an answer takes as long as
there are sums, however many rows there are, and is exact to the moment. Where rows have been cleared away, the smallest
sum at an end counts whole or not at all.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from manus.actors.ledger.sums import bucket_of


class Piece(NamedTuple):
    """A part of a span: to be read from sums of `length_s`, or from rows where that is 0."""

    length_s: int
    since: float
    until: float


def cut(since: float, until: float, rows_from: float, *lengths_s: int) -> list[Piece]:
    """Cut a span into pieces that are read from sums, the longest first named, and from rows at its ends.

    Before `rows_from`, which is the beginning of a day, there are no rows to read; the sum that an end lies in counts
    if it begins within the span.
    """
    if since >= until:
        return []
    smallest = lengths_s[-1]
    first, last = _up(since, smallest), _down(until, smallest)
    ends: list[Piece] = []
    if until <= rows_from:
        last = _up(until, smallest)
    if since >= rows_from:
        if first >= last:
            return [Piece(0, since, until)]
        ends.append(Piece(0, since, first))
    if until > rows_from:
        ends.append(Piece(0, last, until))
    return [*_whole(first, last, *lengths_s), *(end for end in ends if end.since < end.until)]


def _whole(first: float, last: float, *lengths_s: int) -> list[Piece]:
    longest, *shorter = lengths_s
    since, until = _up(first, longest), _down(last, longest)
    if not shorter:
        return [Piece(longest, since, until)] if since < until else []
    if since >= until:
        return _whole(first, last, *shorter)
    return [Piece(longest, since, until), *_whole(first, since, *shorter), *_whole(until, last, *shorter)]


def _down(at: float, length_s: int) -> float:
    return at if math.isinf(at) else float(bucket_of(at, length_s))


def _up(at: float, length_s: int) -> float:
    down = _down(at, length_s)
    return down if down >= at else down + length_s
