"""Own the shape of `[ipc]`: how `manus serve` talks to its hosts, and what each of them may hold of us.

What the numbers bound is told at the policy that they become, in `manus.ipc.policy`.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from manus.config.units import InFlight, Seconds, Section

FrameBytes = Annotated[
    int, Meta(ge=1024, le=2**30, description="bytes, a whole number from 1024 to 1073741824 (1 GiB)")
]
Window = Annotated[int, Meta(ge=1, le=65_536, description="a whole number from 1 to 65536")]


class IpcConfig(Section, frozen=True, kw_only=True):
    """`[ipc]`: how `manus serve` talks to its hosts.

    Args:
        socket_path: where `manus serve --unix` listens unless it is told; relative to the configuration file.
        window: events of one stream that may be on their way to a host which names no window of its own; left out, as
            many as the pipe takes.
        in_flight_max: requests of one connection at once; what is beyond is answered `overloaded`.
        frame_bytes_max: the longest line that is read; a longer one is refused, and the next one is read.
        outbox_bytes_max: answers of one connection that may wait for a host which does not read; then nothing more is
            read from it.
        connections_max: connections to the Unix socket at once; one more is told `overloaded`, and closed.
        consumer_stall_s: how long a stream waits for a host that takes nothing of it and did not pause it.
        drain_s: how long what is in flight may take when the host has left, or wants an end and says no time.
    """

    socket_path: str | None = None
    window: Window | None = None
    in_flight_max: InFlight = 1024
    frame_bytes_max: FrameBytes = 16 * 2**20
    outbox_bytes_max: FrameBytes = 8 * 2**20
    connections_max: Annotated[int, Meta(ge=1, le=4096, description="a whole number from 1 to 4096")] = 64
    consumer_stall_s: Seconds = 30.0
    drain_s: Seconds = 30.0
