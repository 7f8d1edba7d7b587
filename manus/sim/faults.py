"""Own the closed set of things that go wrong at a simulated provider, and how they are spelt.

A fault is data: it can stand in a script, in a chaos plan, in the body of a control request, in a
model's name (`sim-429`) or in the request header `x-sim-fault`. On a command line and in those two
places it is spelt as a name of `FAULTS`, with fields changed where needed: `stall`,
`429:retry_after_s=2`, `cut-body:after_chunks=5`.

`after_chunks` counts chunks of content that are sent whole before the fault; where the answer is
shorter, the fault comes after its last one. In an answer that is not streamed there are no chunks: a
fault inside the body then falls in its middle.

Not every vendor can fail in every way: `exists_on` says which fault a wire has.
"""

from __future__ import annotations

import difflib
from typing import Literal

import msgspec

from manus.sim.wire import WireName

_MEBIBYTE = 1024 * 1024


class FaultBase(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """What all faults have in common: `kind` tells them apart in JSON."""


class Slow(FaultBase, frozen=True, kw_only=True, tag="slow"):
    """Answer well, but late: before the head, before the first content, or before every chunk."""

    where: Literal["headers", "first_token", "chunks"] = "headers"
    delay_s: float = 1.0


class Stall(FaultBase, frozen=True, kw_only=True, tag="stall"):
    """Fall silent for ever, with the connection open."""

    where: Literal["headers", "first_token", "body"] = "body"
    after_chunks: int = 2


class Cut(FaultBase, frozen=True, kw_only=True, tag="cut"):
    """End the connection in the wrong place: before the head, inside a chunk, inside a character.

    `reset` ends it by RST, as a crashed process does, else by FIN. The provider had read the request and
    begun to work, so the call is on its bill.
    """

    where: Literal["headers", "body", "utf8"] = "body"
    after_chunks: int = 2
    reset: bool = False


class Rejected(FaultBase, frozen=True, kw_only=True, tag="status"):
    """Answer with an HTTP error in the vendor's own words. Never billed.

    `code` chooses among errors that share a status (`insufficient_quota` for 429). With `retry_after_date` the wait
    is told as a point in time.
    """

    status: int
    retry_after_s: float | None = None
    retry_after_date: bool = False
    code: str | None = None


class ErrorInside(FaultBase, frozen=True, kw_only=True, tag="error_inside"):
    """Report an error inside a 200, before any content or after some: a failed server, unless `code` says otherwise.

    On Bedrock this is an exception frame, on the Responses wire the event `response.failed`.
    """

    after_chunks: int = 0
    code: Literal["overloaded", "throttled"] | None = None


class Malformed(FaultBase, frozen=True, kw_only=True, tag="malformed"):
    """Send one event that is no JSON, then go on as if nothing had happened."""

    after_chunks: int = 2


class CorruptFrame(FaultBase, frozen=True, kw_only=True, tag="corrupt_frame"):
    """Spoil the checksum of one frame, then go on as if nothing had happened. Streams of frames only."""

    after_chunks: int = 2


class Refusal(FaultBase, frozen=True, kw_only=True, tag="refusal"):
    """Break off after some content, and end in good order with the vendor's word for a refusal."""

    after_chunks: int = 2


class PauseTurn(FaultBase, frozen=True, kw_only=True, tag="pause_turn"):
    """Break off after some content, and end in good order with the word for a turn that is to be continued."""

    after_chunks: int = 2


class HtmlBody(FaultBase, frozen=True, kw_only=True, tag="html"):
    """Answer 200 with a web page, as captive portals and broken proxies do."""


class NoMarker(FaultBase, frozen=True, kw_only=True, tag="no_marker"):
    """End the body in good order, but without the vendor's terminal marker.

    With `finish` the finish reason is still sent (and the usage chunk is not); without, the stream just
    ends. `after_chunks` drops the rest of the content as well.
    """

    finish: bool = True
    after_chunks: int | None = None


class Drip(FaultBase, frozen=True, kw_only=True, tag="drip"):
    """Send the body one byte at a time, with a gap before each."""

    gap_s: float = 0.001


class HugeLine(FaultBase, frozen=True, kw_only=True, tag="huge_line"):
    """Send one event (or one body) of `line_bytes` bytes, generated block by block."""

    line_bytes: int = 32 * _MEBIBYTE
    after_chunks: int = 2


class Refused(FaultBase, frozen=True, kw_only=True, tag="refused"):
    """Accept no connection.

    In memory the call fails while connecting. On sockets a request has to arrive before its fault is
    known: its connection is reset, and new ones are refused for `for_s` seconds. (`SimServer.refuse`
    closes the door for good.) Never billed.
    """

    for_s: float = 1.0


class DuplicateTerminal(FaultBase, frozen=True, kw_only=True, tag="duplicate_terminal"):
    """Send the terminal marker twice. Streams only."""


class WrongCharset(FaultBase, frozen=True, kw_only=True, tag="wrong_charset"):
    """Declare ISO-8859-1 for a body in UTF-8, or, with `body`, really send Latin-1 bytes as UTF-8."""

    body: bool = False


class PingsOnly(FaultBase, frozen=True, kw_only=True, tag="pings"):
    """Keep the connection alive and say nothing: `count` pings, or pings for ever."""

    gap_s: float = 0.05
    count: int | None = None


class NoUsage(FaultBase, frozen=True, kw_only=True, tag="no_usage"):
    """Leave the usage out of an answer that is otherwise good."""


Fault = (
    Slow
    | Stall
    | Cut
    | Rejected
    | ErrorInside
    | Malformed
    | CorruptFrame
    | Refusal
    | PauseTurn
    | HtmlBody
    | NoMarker
    | Drip
    | HugeLine
    | Refused
    | DuplicateTerminal
    | WrongCharset
    | PingsOnly
    | NoUsage
)

FAULTS: dict[str, Fault] = {
    "latency": Slow(where="headers"),
    "slow-first-token": Slow(where="first_token"),
    "slow-chunks": Slow(where="chunks", delay_s=0.2),
    "stall": Stall(),
    "stall-headers": Stall(where="headers"),
    "stall-first-token": Stall(where="first_token"),
    "cut-headers": Cut(where="headers"),
    "cut-body": Cut(where="body"),
    "cut-utf8": Cut(where="utf8"),
    "reset-headers": Cut(where="headers", reset=True),
    "reset-body": Cut(where="body", reset=True),
    "400": Rejected(status=400),
    "context-length": Rejected(status=400, code="context_length_exceeded"),
    "content-filter": Rejected(status=400, code="content_filter"),
    "401": Rejected(status=401),
    "expired-token": Rejected(status=403, code="expired_token"),
    "clock-skew": Rejected(status=403, code="clock_skew"),
    "403": Rejected(status=403),
    "404": Rejected(status=404),
    "408": Rejected(status=408),
    "413": Rejected(status=413),
    "429": Rejected(status=429),
    "429-retry-after": Rejected(status=429, retry_after_s=1.0),
    "429-date": Rejected(status=429, retry_after_s=30.0, retry_after_date=True),
    "quota": Rejected(status=429, code="insufficient_quota"),
    "model-not-ready": Rejected(status=429, code="model_not_ready"),
    "500": Rejected(status=500),
    "502": Rejected(status=502),
    "503": Rejected(status=503),
    "503-retry-after": Rejected(status=503, retry_after_s=1.0),
    "529": Rejected(status=529),
    "error-inside": ErrorInside(after_chunks=0),
    "error-after-content": ErrorInside(after_chunks=2),
    "overloaded-inside": ErrorInside(after_chunks=0, code="overloaded"),
    "throttled-inside": ErrorInside(after_chunks=1, code="throttled"),
    "malformed": Malformed(),
    "corrupt-frame": CorruptFrame(),
    "refusal": Refusal(),
    "pause-turn": PauseTurn(),
    "html": HtmlBody(),
    "no-marker": NoMarker(finish=True),
    "no-finish": NoMarker(finish=False),
    "truncated": NoMarker(finish=False, after_chunks=2),
    "drip": Drip(),
    "huge-line": HugeLine(),
    "refused": Refused(),
    "duplicate-terminal": DuplicateTerminal(),
    "wrong-charset": WrongCharset(),
    "latin1-body": WrongCharset(body=True),
    "pings": PingsOnly(),
    "no-usage": NoUsage(),
}
"""Every fault by the name that people use; together they show each kind, in each of its forms."""


_ONLY_ON: dict[str, frozenset[WireName]] = {
    "content_filter": frozenset({"azure"}),
    "expired_token": frozenset({"bedrock"}),
    "clock_skew": frozenset({"bedrock"}),
    "model_not_ready": frozenset({"bedrock"}),
    "overloaded": frozenset({"anthropic", "bedrock"}),
    "throttled": frozenset({"anthropic", "bedrock", "openai-responses"}),
}
"""Where an error exists that not every vendor has, by its code."""


def exists_on(fault: Fault, wire: WireName) -> bool:
    """Tell whether a vendor's wire can go wrong in this way. A provider of another wire refuses to play it."""
    match fault:
        case CorruptFrame():
            return wire == "bedrock"
        case PauseTurn():
            return wire == "anthropic"
        case Refusal():
            return wire != "ollama"
        case Rejected(code=str() as code) | ErrorInside(code=str() as code):
            return wire in _ONLY_ON.get(code, (wire,))
        case _:
            return True


def faults_of(wire: WireName) -> dict[str, Fault]:
    """Give the faults of `FAULTS` that exist on a wire."""
    return {name: fault for name, fault in FAULTS.items() if exists_on(fault, wire)}


def fault_named(spelling: str) -> Fault:
    """Read a fault as people spell it: `name` or `name:field=value,field=value`.

    Raises:
        ValueError: no such name, field or value; the message says what would do.
    """
    name, _, fields = spelling.strip().partition(":")
    preset = FAULTS.get(name)
    if preset is None:
        close = difflib.get_close_matches(name, FAULTS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "one of: " + ", ".join(FAULTS)
        raise ValueError(f"there is no fault {name!r}; {hint}")
    changed: dict[str, object] = msgspec.to_builtins(preset)
    for field in filter(None, fields.split(",")):
        key, separator, value = field.partition("=")
        if not separator:
            raise ValueError(f"{field!r} in fault {spelling!r} is not of the form field=value")
        changed[key.strip()] = value.strip()
    try:
        fault: Fault = msgspec.convert(changed, Fault, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"fault {spelling!r}: {error}") from None
    return fault


def name_of(fault: Fault) -> str:
    """Name a fault for people: its entry in `FAULTS` where it is one, else its kind."""
    for name, known in FAULTS.items():
        if known == fault:
            return name
    return str(msgspec.to_builtins(fault)["kind"])
