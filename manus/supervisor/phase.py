"""Own the phases of a request in hand: how far its effects on the outside world have got."""

from __future__ import annotations

from enum import IntEnum


class Phase(IntEnum):
    """Where a request stands; a handler writes it into its envelope as it goes.

    The order matters: below `SENT` nothing has left, so a crash leaves the request safe to retry.
    """

    QUEUED = 0
    SENDING = 1
    SENT = 2
    STREAMING = 3
