"""Own what is promised of every decoder, whatever the bytes, and the check of it that all fuzzing goes through."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterable
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

import msgspec

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, Decoder
from manus.messages.events import CONTENT, Ended, StreamEvent, StreamFailed
from manus.messages.policy import Bounds

SMALL = Bounds(event_bytes=2048, answer_bytes=1024, tool_calls=4, parts=40, response_bytes=4096)
"""Bounds that a test can reach."""

RETAINED_BYTES_MAX = 64 * 1024
"""What decoder and assembly may hold under `SMALL`: a multiple of its bounds, for Python's objects are large."""

_SHARED = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, msgspec.json.Decoder)

_RAW_BYTES = 64

BROKEN_TEXT = "\ufffd"


def decoder_of(wire: str, *, stream: bool, bounds: Bounds | None = None) -> Decoder:
    """Make a decoder as an actor does."""
    return codec_for(wire).decoder(stream=stream, model="m", options=CodecOptions(bounds=bounds or Bounds()))


def decoded(
    wire: str, pieces: Iterable[bytes], *, stream: bool, bounds: Bounds | None = None
) -> tuple[list[StreamEvent], Assembly]:
    """Decode and fold; checks on the way that nothing comes after the end, and at the end all that is promised."""
    decoder = decoder_of(wire, stream=stream, bounds=bounds)
    assembly = Assembly(wire, "m", bounds or Bounds())
    events: list[StreamEvent] = []
    over = False
    for piece in pieces:
        given = decoder.feed(piece)
        assert not (over and given), "events after the terminal one"
        over = decoder.done
        events.extend(given)
        assembly.add(given)
    given = decoder.finish()
    assert not (over and given), "an end after the terminal event"
    events.extend(given)
    assembly.add(given)
    assert decoder.done
    assert decoder.feed(b"data: {}\n\n") == []
    assert decoder.finish() == []
    assert_promises(events, assembly)
    return events, assembly


def assert_promises(events: list[StreamEvent], assembly: Assembly) -> None:
    """Check the grammar of one answer's events, and that they and the answer can be written anywhere."""
    terminals = [event for event in events if isinstance(event, Ended | StreamFailed)]
    assert len(terminals) == 1, f"{len(terminals)} terminal events"
    assert events[-1] is terminals[0], "the terminal event is not the last"
    for event in events:
        if isinstance(event, CONTENT):
            assert getattr(event, "index", 0) >= 0
    # Lone surrogates and vendor JSON that is none make this raise, or not come back.
    answer = assembly.answer()
    json.loads(msgspec.json.encode(events))
    json.loads(msgspec.json.encode(answer))
    assert (assembly.failure is None) == (isinstance(terminals[0], Ended) and terminals[0].evidence != "none")
    usage = answer.usage
    assert min(usage.input_uncached, usage.cache_read, usage.output, usage.reasoning, usage.cache_write_short) >= 0


def retained_bytes(*roots: object) -> int:
    """Weigh everything that is reachable from `roots` and belongs to nobody else: no types, modules, functions."""
    seen: set[int] = set()
    waiting = list(roots)
    total = 0
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, _SHARED):
            continue
        seen.add(id(each))
        if isinstance(each, msgspec.Raw):  # which tells a wrong size of itself
            total += len(bytes(each)) + _RAW_BYTES
            continue
        total += sys.getsizeof(each)
        if isinstance(each, msgspec.Struct):  # those without garbage collection tell it nothing
            waiting.extend(getattr(each, field) for field in each.__struct_fields__)
        else:
            waiting.extend(gc.get_referents(each))
    return total
