"""Own one stream's way to its host: what waits, how many events may go, and the number of each. Pure.

An event gets its number in the step in which it is taken to be written, so that numbers have no gaps whatever is joined
or dropped before. Pieces of one text that wait together are joined.
"""

from __future__ import annotations

from typing import Final, final

import msgspec

from manus.ipc.voice import Voice
from manus.responses import StreamChunk, ToolCallDelta
from manus.supervisor.wake import WakeSlot

CREDITS_MAX: Final = 2**31
"""Credits beyond this are not counted: no stream has so many events."""

CHUNK_COST: Final = 64
"""What a chunk counts besides its text, in bytes."""


@final
class Flow:
    """The events of one stream that are on their way.

    Args:
        voice: who writes them.
        window: how many may go before more credit comes; None is as many as the pipe takes.
        join_max: pieces are joined up to this size, in bytes of text (estimated by characters).
    """

    __slots__ = (
        "_bytes",
        "_credits",
        "_grown",
        "_join_max",
        "_pieces",
        "_seq",
        "_shape",
        "_voice",
        "_waiting",
        "moved",
        "moved_at",
        "paused",
    )

    def __init__(self, voice: Voice, *, window: int | None, join_max: int, now: float) -> None:
        self._voice = voice
        self._credits = window
        self._join_max = join_max
        # Whole chunks in order; the newest may still grow, and is kept as a shape and the pieces of its text.
        self._waiting: list[StreamChunk] = []
        self._shape: StreamChunk | None = None
        self._pieces: list[str] = []
        self._grown = 0
        self._bytes = 0
        self._seq = 0
        self.paused = False
        self.moved = WakeSlot()
        """Where the stream's own task sleeps while its host takes nothing."""
        self.moved_at = now
        """When the host last took an event, or granted one."""

    @property
    def waiting_bytes(self) -> int:
        """About how much waits."""
        return self._bytes

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return self._shape is None

    @property
    def has_credit(self) -> bool:
        """Whether the host would take an event now: it granted one, and has not paused the stream."""
        return not self.paused and (self._credits is None or self._credits > 0)

    @property
    def sent(self) -> int:
        """How many events have gone."""
        return self._seq

    def put(self, chunk: StreamChunk) -> None:
        """Let a chunk wait behind the others, or grow the newest."""
        text = _text_of(chunk)
        self._bytes += len(text)
        shape = self._shape
        if shape is not None and self._grown + len(text) <= self._join_max and _continues(shape, chunk):
            self._pieces.append(text)
            self._grown += len(text)
            return
        if shape is not None:
            self._waiting.append(_with_text(shape, "".join(self._pieces)))
        self._shape, self._pieces, self._grown = chunk, [text], len(text)
        self._bytes += CHUNK_COST

    def grant(self, events: int, now: float) -> None:
        """Let so many more events go. Where there is no window there is nothing to grant."""
        if self._credits is not None:
            self._credits = min(self._credits + events, CREDITS_MAX)
            self.moved_at = now
            self.moved.wake()

    def pause(self) -> None:
        """The host takes nothing for a while, and says so."""
        self.paused = True
        self.moved.wake()

    def resume(self, now: float) -> None:
        """The host takes events again."""
        self.paused = False
        self.moved_at = now
        self.moved.wake()

    def lift(self, now: float) -> None:
        """The host can say nothing more, neither credit nor `resume`: from here on the pipe is the window."""
        self._credits = None
        self.resume(now)

    def drop(self) -> None:
        """Let nothing wait any more: the reply says it all."""
        self._waiting.clear()
        self._shape = None
        self._pieces = []
        self._bytes = 0

    def take(self, now: float) -> bytes | None:
        """Give the line of the next event; None where nothing waits, or may go."""
        if self._shape is None or not self.has_credit:
            return None
        if self._waiting:
            chunk = self._waiting.pop(0)
        else:
            chunk = _with_text(self._shape, "".join(self._pieces))
            self._shape, self._pieces = None, []
        self._bytes -= len(_text_of(chunk)) + CHUNK_COST
        line = self._voice.event(self._seq, chunk)
        self._seq += 1
        if self._credits is not None:
            self._credits -= 1
        self.moved_at = now
        self.moved.wake()
        return line


def _text_of(chunk: StreamChunk) -> str:
    match chunk.kind:
        case "delta":
            return chunk.delta
        case "tool_arguments":
            return "" if chunk.tool_call is None else chunk.tool_call.arguments
        case _:
            return chunk.text


def _continues(first: StreamChunk, second: StreamChunk) -> bool:
    """Tell whether two neighbours are pieces of one text."""
    if first.kind != second.kind or first.index != second.index:
        return False
    match first.kind:
        case "delta" | "reasoning" | "refusal":
            return True
        case "tool_arguments":
            return (first.tool_call and first.tool_call.index) == (second.tool_call and second.tool_call.index)
        case _:
            return False


def _with_text(chunk: StreamChunk, text: str) -> StreamChunk:
    match chunk.kind:
        case "delta":
            return msgspec.structs.replace(chunk, delta=text)
        case "tool_arguments":
            call = chunk.tool_call or ToolCallDelta(index=chunk.index)
            return msgspec.structs.replace(chunk, tool_call=msgspec.structs.replace(call, arguments=text))
        case _:
            return msgspec.structs.replace(chunk, text=text)
