"""Own the choice of the wire for one call, where a vendor has more than one for the same purpose."""

from __future__ import annotations

from manus.actors.codecs.base import CodecOptions
from manus.messages.requests import ChatRequest


def wire_of(entry: str, request: ChatRequest, options: CodecOptions) -> str:
    """Name the wire that carries `request` to a provider whose entry speaks `entry`."""
    return entry
