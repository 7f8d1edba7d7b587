"""Own the way from a script and its fault to steps: pure, lazy, the same for both servings.

Each kind of fault is handled in one of three places: before the head (`answer_steps`), in a stream
(`_streamed`), in an answer of one piece (`_in_one_piece`). How the bytes are split is decided last.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator

import msgspec

from manus.sim.behaviour import Script
from manus.sim.faults import (
    CorruptFrame,
    Cut,
    Drip,
    DuplicateTerminal,
    ErrorInside,
    Fault,
    HtmlBody,
    HugeLine,
    Malformed,
    NoMarker,
    NoUsage,
    PauseTurn,
    PingsOnly,
    Refusal,
    Refused,
    Rejected,
    Slow,
    Stall,
    WrongCharset,
)
from manus.sim.limits import telling_limits
from manus.sim.steps import Accept, End, Generate, Hangup, Head, Planned, Refuse, Send, Silence, Wait
from manus.sim.wire import Finish, Headers, Piece, Reply, Spoken, Wire, http_date

BLOCK_BYTES = 64 * 1024
"""A huge line is generated in blocks of this size, so that it never stands in memory whole."""

AZURE_FILTERS = ("content_filter", "content_policy_violation")
"""Azure charges for the prompt that its filter refuses, though the status is an error."""

_PAGE = (
    b"<!DOCTYPE html>\n<html>\n<head><title>Sign in</title></head>\n"
    b"<body><h1>Welcome to the network</h1><p>Please sign in to continue.</p></body>\n</html>\n"
)
_HTML: Headers = (("content-type", "text/html; charset=utf-8"),)


def reply_steps(reply: Reply) -> Iterator[Planned]:
    """Answer with a whole response at once; nothing of it is billed."""
    yield _sized_head(reply.status, reply.headers, len(reply.body))
    if reply.body:
        yield Send(reply.body, final=True)
    yield End()


def answer_steps(wire: Wire, spoken: Spoken, script: Script, *, stream: bool, key: str) -> Iterator[Planned]:
    """Play `script` as an answer to one chat request."""
    steps = _answered(wire, spoken, script, stream=stream, key=key)
    return steps if script.limits_reset_s is None else telling_limits(steps, script.limits_reset_s)


def _answered(wire: Wire, spoken: Spoken, script: Script, *, stream: bool, key: str) -> Iterator[Planned]:
    fault = script.fault
    match fault:
        case Refused():
            yield Refuse(fault.for_s)
            return
        case Rejected():
            if wire.name == "azure" and fault.code in AZURE_FILTERS:
                yield Accept(spoken.input_tokens, spoken.cached_tokens, spoken.cache_write_tokens)
            yield from _waiting(script.latency_s)
            yield from reply_steps(_rejection(wire, spoken, fault, key))
            return
        case Refusal():
            spoken = _broken_off(spoken, fault.after_chunks, "refusal")
        case PauseTurn():
            spoken = _broken_off(spoken, fault.after_chunks, "pause")
    yield Accept(spoken.input_tokens, spoken.cached_tokens, spoken.cache_write_tokens)
    yield from _waiting(script.latency_s)
    match fault:
        case Stall(where="headers"):
            yield Silence()
        case Cut(where="headers"):
            yield Hangup(fault.reset)
        case HtmlBody():
            yield from reply_steps(Reply(status=200, body=_PAGE, headers=_HTML))
        case _:
            if isinstance(fault, Slow) and fault.where == "headers":
                yield Wait(fault.delay_s)
            steps = _streamed(wire, spoken, script) if stream else _in_one_piece(wire, spoken, script)
            yield from _split(steps, script)


def _rejection(wire: Wire, spoken: Spoken, fault: Rejected, key: str) -> Reply:
    reply = wire.rejection(
        fault.status,
        number=spoken.number,
        model=spoken.model,
        code=fault.code,
        retry_after_s=fault.retry_after_s,
        key=key,
    )
    if not fault.retry_after_date or fault.retry_after_s is None:
        return reply
    kept = tuple(
        (name, value) for name, value in reply.headers if name not in ("retry-after", "retry-after-ms", "date")
    )
    then = http_date(spoken.number + math.ceil(fault.retry_after_s))
    dated = (*kept, ("date", http_date(spoken.number)), ("retry-after", then))
    return msgspec.structs.replace(reply, headers=dated)


def _broken_off(spoken: Spoken, chunks: int, finish: Finish) -> Spoken:
    """Let an answer end after so many chunks, for another reason than its own."""
    return msgspec.structs.replace(
        spoken,
        chunks=spoken.chunks[:chunks],
        chunk_tokens=spoken.chunk_tokens[:chunks],
        calls=(),
        call_tokens=(),
        finish=finish,
    )


def _streamed(wire: Wire, spoken: Spoken, script: Script) -> Iterator[Planned]:
    fault = script.fault
    pieces = _pieces(wire, spoken, fault)
    yield Head(200, _declared(wire.stream_head(spoken), fault))
    content_begins = next((at for at, piece in enumerate(pieces) if piece.kind != "opening"), len(pieces))
    breaks_at = _break_position(pieces, fault, spoken)
    for at, piece in enumerate(pieces):
        if at == content_begins:
            yield from _waiting(script.first_token_s)
            yield from _before_first_token(wire, fault)
        elif piece.kind == "content":
            yield from _waiting(script.gap_s)
        if piece.kind == "content" and isinstance(fault, Slow) and fault.where == "chunks":
            yield Wait(fault.delay_s)
        if piece.tokens:
            yield Generate(piece.tokens)
        if at == breaks_at and fault is not None:
            ended = yield from _break_stream(wire, piece, fault, spoken)
            if ended:
                return
        yield Send(piece.data, final=at == len(pieces) - 1 and not isinstance(fault, NoMarker))
    yield End()


def _pieces(wire: Wire, spoken: Spoken, fault: Fault | None) -> list[Piece]:
    """Write the stream with what the fault leaves out, doubles or garbles for good."""
    pieces = wire.pieces(spoken, usage=not isinstance(fault, NoUsage))
    match fault:
        case NoMarker():
            kept = ("opening", "content", "finish") if fault.finish else ("opening", "content")
            pieces = [piece for piece in pieces if piece.kind in kept]
            if fault.after_chunks is not None:
                pieces = pieces[: _position_after(pieces, fault.after_chunks)]
        case DuplicateTerminal():
            pieces.append(pieces[-1])
        case CorruptFrame():
            at = min(_position_after(pieces, fault.after_chunks), len(pieces) - 1)
            pieces[at] = Piece(pieces[at].kind, wire.corrupt(pieces[at].data), pieces[at].tokens)
        case WrongCharset(body=True):
            pieces = [Piece(piece.kind, wire.with_latin1(piece.data), piece.tokens) for piece in pieces]
    return pieces


def _break_position(pieces: list[Piece], fault: Fault | None, spoken: Spoken) -> int:
    """Find the piece at which a fault strikes; -1 where none does."""
    match fault:
        case Cut(where="utf8"):
            start = min(_position_after(pieces, fault.after_chunks), len(pieces) - 1)
            split = [at for at, piece in enumerate(pieces) if _long_character(piece.data, spoken) is not None]
            later = [at for at in split if at >= start]
            return (later or split or [start])[0]
        case Stall(where="body") | Cut() | ErrorInside() | Malformed() | HugeLine():
            return min(_position_after(pieces, fault.after_chunks), len(pieces) - 1)
        case _:
            return -1


def _position_after(pieces: list[Piece], chunks: int) -> int:
    """Find the position after `chunks` pieces of content, or after the last one."""
    content = [at for at, piece in enumerate(pieces) if piece.kind == "content"]
    if chunks < len(content):
        return content[chunks]
    return content[-1] + 1 if content else len([piece for piece in pieces if piece.kind == "opening"])


def _before_first_token(wire: Wire, fault: Fault | None) -> Iterator[Planned]:
    match fault:
        case Slow(where="first_token"):
            yield Wait(fault.delay_s)
        case Stall(where="first_token"):
            yield Silence()
        case PingsOnly():
            yield from _pings(wire.ping(), fault)


def _break_stream(wire: Wire, piece: Piece, fault: Fault, spoken: Spoken) -> Generator[Planned, None, bool]:
    """Strike at `piece`, which has just been generated; return whether the stream is over."""
    match fault:
        case Stall():
            yield Silence()
        case Cut():
            yield Send(piece.data[: _cut_inside(piece.data, fault, spoken)])
            yield Hangup(fault.reset)
        case ErrorInside():
            yield Send(wire.error_event(fault.code))
            yield End()
        case Malformed():
            yield Send(wire.malformed_event())
            return False
        case HugeLine():
            opening, closing = wire.event_around(fault.line_bytes)
            yield from _blocks(opening, closing, fault.line_bytes)
            yield End()
    return True


def _in_one_piece(wire: Wire, spoken: Spoken, script: Script) -> Iterator[Planned]:
    """Generate everything, then send it. What takes time does so before the head."""
    fault = script.fault
    yield from _generated(spoken, script)
    head = _declared(wire.body_head(spoken), fault)
    body = wire.body(spoken, finished=not isinstance(fault, NoMarker), usage=not isinstance(fault, NoUsage))
    match fault:
        case ErrorInside():
            body = wire.error_body(fault.code)
        case Malformed():
            body = body[: len(body) // 2] + b"\x01" + body[len(body) // 2 :]  # no JSON holds it, inside a string or out
        case WrongCharset(body=True):
            body = wire.with_latin1(body)
        case HugeLine():
            opening, closing = b'{"padding":"', b'"}'
            yield _sized_head(200, head, len(opening) + fault.line_bytes + len(closing))
            yield from _blocks(opening, closing, fault.line_bytes)
            yield End()
            return
        case PingsOnly():
            yield Head(200, (*head, ("transfer-encoding", "chunked")))
            yield from _pings(b" ", fault)
            yield Send(body, final=True)
            yield End()
            return
        case Stall(where="first_token"):
            yield _sized_head(200, head, len(body))
            yield Silence()
            return
        case Stall(where="body"):
            yield _sized_head(200, head, len(body))
            yield Send(body[: len(body) // 2])
            yield Silence()
            return
        case Cut():
            yield _sized_head(200, head, len(body))
            yield Send(body[: _cut_inside(body, fault, spoken)])
            yield Hangup(fault.reset)
            return
    yield _sized_head(200, head, len(body))
    yield Send(body, final=not isinstance(fault, NoMarker))
    yield End()


def _generated(spoken: Spoken, script: Script) -> Iterator[Planned]:
    fault = script.fault
    yield from _waiting(script.first_token_s)
    if isinstance(fault, Slow) and fault.where == "first_token":
        yield Wait(fault.delay_s)
    if spoken.reasoning_tokens:
        yield Generate(spoken.reasoning_tokens)
    for position, tokens in enumerate((*spoken.chunk_tokens, *spoken.call_tokens)):
        if position:
            yield from _waiting(script.gap_s)
        if isinstance(fault, Slow) and fault.where == "chunks":
            yield Wait(fault.delay_s)
        yield Generate(tokens)


def _split(steps: Iterable[Planned], script: Script) -> Iterator[Planned]:
    """Cut what is sent into pieces of `split_bytes`, or into single bytes that drip."""
    fault = script.fault
    size = 1 if isinstance(fault, Drip) else script.split_bytes
    if size == 0:
        yield from steps
        return
    for step in steps:
        if not isinstance(step, Send):
            yield step
            continue
        for begin in range(0, len(step.data), size):
            if isinstance(fault, Drip):
                yield from _waiting(fault.gap_s)
            yield Send(step.data[begin : begin + size], final=step.final and begin + size >= len(step.data))


def _waiting(seconds: float) -> Iterator[Planned]:
    if seconds > 0:
        yield Wait(seconds)


def _pings(ping: bytes, fault: PingsOnly) -> Iterator[Planned]:
    sent = 0
    while fault.count is None or sent < fault.count:
        yield Wait(fault.gap_s)
        yield Send(ping)
        sent += 1


def _blocks(opening: bytes, closing: bytes, filler_bytes: int) -> Iterator[Planned]:
    block = b"a" * min(BLOCK_BYTES, filler_bytes)
    yield Send(opening)
    sent = 0
    while sent < filler_bytes:
        part = block[: filler_bytes - sent]
        sent += len(part)
        yield Send(part)
    yield Send(closing)


def _sized_head(status: int, headers: Headers, length: int) -> Head:
    return Head(status, (*headers, ("content-length", str(length))))


def _declared(headers: Headers, fault: Fault | None) -> Headers:
    if not (isinstance(fault, WrongCharset) and not fault.body):
        return headers
    return tuple(
        (name, value.partition(";")[0] + "; charset=iso-8859-1" if name == "content-type" else value)
        for name, value in headers
    )


def _cut_inside(data: bytes, fault: Cut, spoken: Spoken) -> int:
    """Say how much of `data` is still sent: half of it, or up to inside its first long character."""
    at = _long_character(data, spoken) if fault.where == "utf8" else None
    return max(1, len(data) // 2) if at is None else at + 1


def _long_character(data: bytes, spoken: Spoken) -> int | None:
    """Find the first character of the text that takes several bytes. (Frames hold such bytes outside of texts too.)"""
    long = {character.encode() for character in spoken.text if not character.isascii()}
    found = [at for character in long if (at := data.find(character)) >= 0]
    return min(found, default=None)
