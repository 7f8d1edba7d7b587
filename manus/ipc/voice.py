"""Own the seam between a connection and its dialects: what a line asks for, and who writes the answer to it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

import msgspec

from manus.responses import StreamChunk


class Voice(Protocol):
    """Writes the lines that answer one request, in the dialect it was made in. Synchronous and total.

    Each line is whole, with its LF.
    """

    needs_greeting: bool
    """Whether the dialect wants `initialize` before all else."""

    def result(self, result: object) -> bytes:
        """Write the one reply of a success: a response of the face, or plain data."""

    def failure(self, error: Exception) -> bytes:
        """Write the one reply of a failure: an `LLMError`, a `Refusal`, or a defect of ours."""

    def event(self, seq: int, chunk: StreamChunk) -> bytes:
        """Write one event of a stream. `seq` counts from 0 without a gap; called in order, and never after a reply."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A line that wants an answer.

    Args:
        key: tells it from others in flight on the connection; None where the host gave none.
        method: the name of JSON-RPC's method, whatever the dialect.
        params: decoded JSON in that method's shape, not yet checked; `msgspec.UNSET` where it was left out.
        ordered: answered in its turn, after those that came before it and are ordered too.
        refused: why nothing can be done with it; it is answered in its turn all the same.
    """

    key: Hashable | None
    method: str
    params: object
    voice: Voice
    ordered: bool = False
    refused: Exception | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A line that wants no answer."""

    method: str
    params: object


class Malformed(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is of no dialect, or wrong in itself; `reply` is what is said to that."""

    reply: bytes
