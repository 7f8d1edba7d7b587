"""Every fault decodes to the outcome that P5 demands: success on evidence only, else the failure that fits."""

from __future__ import annotations

import httpx
import msgspec
import pytest
from trio.testing import MockClock

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, Decoder
from manus.actors.transport_errors import failure_of
from manus.messages.failures import Phase
from manus.messages.policy import Bounds
from manus.sim.behaviour import Script
from manus.sim.bill import BillRow
from manus.sim.faults import FAULTS, Fault, HugeLine, PingsOnly, faults_of
from manus.sim.provider import CODECS, WIRES, SimProvider
from manus.sim.wire import WireName
from tests.sim.asking import asking

BOUNDS = Bounds(event_bytes=100_000, response_bytes=200_000)
TEXT = "Größe und Mut 🌍 stehen hier, zehn Wörter weit und breit."

# What the caller is told: "finished", or the kind of the failure.
OUTCOMES: dict[str, str] = {
    "latency": "finished",
    "slow-first-token": "finished",
    "slow-chunks": "finished",
    "stall": "timeout",
    "stall-headers": "timeout",
    "stall-first-token": "timeout",
    "cut-headers": "network",
    "cut-body": "network",
    "cut-utf8": "network",
    "reset-headers": "network",
    "reset-body": "network",
    "400": "invalid_request",
    "context-length": "context_length",
    "content-filter": "content_policy",
    "401": "auth",
    "expired-token": "auth",
    "clock-skew": "auth",
    "403": "permission",
    "404": "not_found",
    "408": "timeout",
    "413": "too_large",
    "429": "rate_limited",
    "429-retry-after": "rate_limited",
    "429-date": "rate_limited",
    "quota": "quota_exhausted",
    "model-not-ready": "overloaded",
    "500": "server",
    "502": "server",
    "503": "overloaded",
    "503-retry-after": "overloaded",
    "529": "overloaded",
    "error-inside": "server",
    "error-after-content": "server",
    "overloaded-inside": "overloaded",
    "throttled-inside": "rate_limited",
    "malformed": "protocol",
    "corrupt-frame": "protocol",
    "refusal": "finished",
    "pause-turn": "finished",
    "html": "protocol",
    "no-marker": "incomplete",
    "no-finish": "incomplete",
    "truncated": "incomplete",
    "drip": "finished",
    "huge-line": "protocol",
    "refused": "network",
    "duplicate-terminal": "finished",
    "wrong-charset": "finished",
    "latin1-body": "protocol",
    "pings": "timeout",
    "no-usage": "finished",
}

# Where a wire can tell less, or more, than the others.
DEVIATIONS: dict[tuple[str, WireName, bool], str] = {
    # A finish reason and a clean end of body are evidence enough on this wire; the usage is missing all the same.
    ("no-marker", "openai", True): "finished",
    ("no-marker", "azure", True): "finished",
    # The same here, and the usage comes with the reason.
    ("no-marker", "anthropic", True): "finished",
    # The same here: the reason comes before the marker, which brings the usage.
    ("no-marker", "bedrock", True): "finished",
    # One NDJSON line that does not parse and has no line after it may as well have been cut.
    ("malformed", "ollama", False): "incomplete",
    ("latin1-body", "ollama", False): "incomplete",
    # An answer in one piece has no frames.
    ("corrupt-frame", "bedrock", False): "finished",
}

RETRY_AFTER_S = {"429-retry-after": 1.0, "503-retry-after": 1.0, "429-date": 30.0}


BROKEN_OFF = {"refusal": ("refusal", "content_filter"), "pause-turn": ("pause",)}
BROKEN_OFF_TEXT = "Größe und"
"""After two chunks, in good order: a success that says of itself that it is not whole."""

READS_WITHOUT_CONTENT_MAX = 2_000
"""Pings feed every timer of a socket and never end: this stands for the idle timer of the call, which they do not."""


class Told(msgspec.Struct):
    """What a client with our codec makes of one answer."""

    kind: str
    text: str = ""
    output_tokens: int = 0
    usage_source: str = "missing"
    finish: str = ""
    retry_after_s: float | None = None


async def told(fault: str, wire: WireName, *, stream: bool, split_bytes: int) -> tuple[Told, BillRow]:
    """Let one answer meet `fault`, and read it as the provider actor does: its transport, codec and assembly."""
    script = Script(text=TEXT, split_bytes=split_bytes, fault=_bounded(fault))
    provider = SimProvider(wire, script)
    async with asking(provider, "memory") as asker:
        seen = await _told(asker.transport, asker.request(stream=stream, read_s=5.0), wire, stream=stream)
    return seen, provider.bill.rows()[0]


async def _told(transport: httpx.AsyncBaseTransport, request: httpx.Request, wire: WireName, *, stream: bool) -> Told:
    codec = codec_for(CODECS[wire])
    options = CodecOptions(provider="sim", bounds=BOUNDS)
    decoder = codec.decoder(stream=stream, model="m", options=options)
    assembly = Assembly(CODECS[wire], "m", BOUNDS)
    phase: Phase = "sent"
    try:
        response = await transport.handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        if response.status_code >= 400:
            body = b"".join([data async for data in response.stream])
            failed = codec.failure(response.status_code, dict(response.headers), body, now_unix_s=0.0)
            return Told(kind=failed.kind, retry_after_s=failed.retry_after_s)
        phase = "streaming"
        try:
            await _read(response.stream, decoder, assembly)
        finally:
            await response.aclose()
    except httpx.TransportError as error:
        return Told(kind=failure_of(error, phase=phase).kind, text=assembly.text_so_far)
    usage = assembly.usage
    answer = assembly.answer()
    return Told(
        kind=assembly.failure.kind if assembly.failure else "finished",
        text=assembly.text_so_far,
        output_tokens=usage.output,
        usage_source=usage.source,
        finish=answer.finish.reason,
    )


async def _read(body: httpx.AsyncByteStream, decoder: Decoder, assembly: Assembly) -> None:
    reads_without_content = 0
    async for data in body:
        assembly.add(decoder.feed(data))
        if decoder.done:
            return
        reads_without_content = 0 if assembly.has_content else reads_without_content + 1
        if reads_without_content > READS_WITHOUT_CONTENT_MAX:
            raise httpx.ReadTimeout("no content in time")
    assembly.add(decoder.finish())


def _bounded(name: str) -> Fault:
    match FAULTS[name]:
        case HugeLine():
            return HugeLine(line_bytes=300_000)
        case PingsOnly():
            return PingsOnly(gap_s=0.05)
        case fault:
            return fault


def test_the_table_covers_every_fault() -> None:
    assert list(OUTCOMES) == list(FAULTS)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(("wire", "fault"), [(wire, fault) for wire in WIRES for fault in faults_of(wire)])
async def test_a_fault_is_told_as_what_it_is(
    fault: str, wire: WireName, stream: bool, autojump_clock: MockClock
) -> None:
    expected = DEVIATIONS.get((fault, wire, stream), OUTCOMES[fault])
    for split_bytes in (0, 1):
        if split_bytes and fault == "huge-line":
            continue  # the same bytes in far too many reads
        seen, row = await told(fault, wire, stream=stream, split_bytes=split_bytes)
        assert seen.kind == expected, f"in pieces of {split_bytes} bytes"
        assert seen.retry_after_s == RETRY_AFTER_S.get(fault)
        if expected != "finished":
            assert TEXT.startswith(seen.text)
            assert seen.finish != "stop"
            continue
        if fault in BROKEN_OFF:
            assert seen.text == BROKEN_OFF_TEXT
            assert seen.finish in BROKEN_OFF[fault]
        else:
            assert seen.text == TEXT
            assert seen.finish == "stop"
        reported = fault != "no-usage" and (fault != "no-marker" or wire == "anthropic")
        assert seen.usage_source == ("reported" if reported else "missing")
        assert seen.output_tokens == (row.output_tokens if reported else 0)
