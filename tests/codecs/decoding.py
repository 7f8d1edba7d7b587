"""Own what the codec tests share: passing bodies through decoders in pieces."""

from __future__ import annotations

from collections.abc import Iterable

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
from manus.messages.events import Ended, StreamEvent, StreamFailed
from manus.messages.policy import Bounds


def decode(
    wire: str, pieces: Iterable[bytes], *, stream: bool = True, bounds: Bounds | None = None
) -> list[StreamEvent]:
    """Give all events of a body fed in `pieces` and then ended."""
    options = CodecOptions(bounds=bounds or Bounds())
    decoder = codec_for(wire).decoder(stream=stream, model="m", options=options)
    events: list[StreamEvent] = []
    for piece in pieces:
        events.extend(decoder.feed(piece))
    events.extend(decoder.finish())
    assert decoder.done
    return events


def assemble(wire: str, body: bytes, *, stream: bool = True) -> Assembly:
    """Fold a whole body into an assembly."""
    assembly = Assembly(wire, "m", Bounds())
    assembly.add(decode(wire, [body], stream=stream))
    return assembly


def sse(*payloads: str) -> bytes:
    """Frame payloads as an event stream."""
    return "".join(f"data: {payload}\n\n" for payload in payloads).encode("utf-8", "surrogatepass")


def assert_grammar(events: list[StreamEvent]) -> None:
    """Check what every decoder promises of its events, whatever the bytes."""
    terminals = [event for event in events if isinstance(event, Ended | StreamFailed)]
    assert len(terminals) == 1
    assert events[-1] is terminals[0]
