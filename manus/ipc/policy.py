"""Own the bounds of a connection, as values: what a host may hold of us, and for how long."""

from __future__ import annotations

import msgspec

from manus.config.schema import LLMConfig


class IpcPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of every connection. The first eight are told at `manus.config.ipc_schema.IpcConfig`.

    Args:
        request_s: how long a request may take that names no `timeout_s`; a paused stream waits no longer either.
        stream_bytes_max: text of one stream that may wait here; then its provider is slowed down.
        event_bytes_max: pieces of text that wait together are joined up to this size.
        batch_bytes: what is written, or read, at once.
        lines_per_pass: lines acted upon before other tasks get their chance; one costs some 20 us.
        flush_s: how long the last words of a connection may take to be written once nobody is at work any more.
        exit_flush_s: the same after `exit`: what a host that reads takes at once.
        settle_s: how long a call that was cancelled may take to say what it cost.
    """

    window: int | None = None
    in_flight_max: int = 1024
    frame_bytes_max: int = 16 * 2**20
    outbox_bytes_max: int = 8 * 2**20
    connections_max: int = 64
    consumer_stall_s: float = 30.0
    drain_s: float = 30.0
    socket_path: str | None = None
    request_s: float = 600.0
    stream_bytes_max: int = 64 * 2**10
    event_bytes_max: int = 8 * 2**10
    batch_bytes: int = 64 * 2**10
    lines_per_pass: int = 64
    flush_s: float = 2.0
    exit_flush_s: float = 0.1
    settle_s: float = 6.0


def ipc_policy(config: LLMConfig) -> IpcPolicy:
    """Take the policy from a configuration."""
    return IpcPolicy(**msgspec.structs.asdict(config.ipc), request_s=config.timeouts.request_s)
