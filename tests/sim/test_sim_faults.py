"""What each fault looks like to a client, in bytes and exceptions, over both servings."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import httpx
import pytest

from manus.sim.behaviour import Behaviour, Script
from manus.sim.faults import (
    FAULTS,
    Cut,
    DuplicateTerminal,
    ErrorInside,
    Fault,
    HugeLine,
    Malformed,
    NoMarker,
    PingsOnly,
    Rejected,
    Stall,
    exists_on,
    fault_named,
)
from manus.sim.provider import WIRES, SimProvider
from manus.sim.wire import WireName
from tests.sim.asking import Got, Serving, asking
from tests.sim.reading import ends_on_an_event, is_error, is_json, is_last, payloads, text_in

pytestmark = [
    pytest.mark.parametrize("wire", WIRES),
    pytest.mark.parametrize("serving", ["memory", "sockets"]),
]

TEXT = "één twee drie vier vijf"


async def stream(wire: WireName, serving: Serving, fault: Fault | None, text: str = TEXT) -> Got:
    """Stream one answer that meets `fault`."""
    async with asking(SimProvider(wire, Script(text=text, fault=fault)), serving) as asker:
        return await asker.ask(stream=True)


async def whole(wire: WireName, serving: Serving, fault: Fault | None) -> Got:
    """Get one answer that meets `fault`, in one piece."""
    async with asking(SimProvider(wire, Script(text=TEXT, fault=fault)), serving) as asker:
        return await asker.ask(stream=False)


FINISHES: dict[WireName, bytes] = {
    "openai": b'"finish_reason":"stop"',
    "azure": b'"finish_reason":"stop"',
    "anthropic": b'"stop_reason":"end_turn"',
    "bedrock": b'"stopReason":"end_turn"',
}
"""How a reason is told apart from the marker; the other wires tell both in one event."""


async def test_a_good_stream_ends_in_the_terminal_marker(wire: WireName, serving: Serving) -> None:
    got = await stream(wire, serving, None)
    assert (got.status, got.error) == (200, None)
    assert text_in(wire, got.body) == TEXT
    ends = [is_last(wire, event) for event in payloads(wire, got.body)]
    assert ends.index(True) == len(ends) - 1
    assert ends_on_an_event(wire, got.body)


@pytest.mark.parametrize("chunks", range(6))
async def test_a_stall_comes_after_so_many_chunks(chunks: int, wire: WireName, serving: Serving) -> None:
    got = await stream(wire, serving, Stall(after_chunks=chunks))
    assert got.error is httpx.ReadTimeout
    assert text_in(wire, got.body) == " ".join(TEXT.split()[:chunks])


async def test_a_stall_may_come_before_the_head_or_before_the_first_content(wire: WireName, serving: Serving) -> None:
    silent = await stream(wire, serving, Stall(where="headers"))
    assert (silent.status, silent.error) == (None, httpx.ReadTimeout)
    opened = await stream(wire, serving, Stall(where="first_token"))
    assert (opened.status, opened.error) == (200, httpx.ReadTimeout)
    assert text_in(wire, opened.body) == ""


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
async def test_a_cut_inside_the_body_ends_in_the_middle_of_an_event(
    reset: bool, wire: WireName, serving: Serving
) -> None:
    got = await stream(wire, serving, Cut(where="body", after_chunks=3, reset=reset))
    assert got.error is (httpx.ReadError if reset else httpx.RemoteProtocolError)
    assert not ends_on_an_event(wire, got.body)
    assert text_in(wire, got.body) == "één twee drie"


async def test_a_hang_up_is_told_in_the_words_of_transports_on_sockets(wire: WireName, serving: Serving) -> None:
    before = await stream(wire, serving, Cut(where="headers"))
    assert before.error_text == "Server disconnected without sending a response."
    chunked = await stream(wire, serving, Cut(where="body"))
    assert chunked.error_text.endswith("complete message body (incomplete chunked read)")
    sized = await whole(wire, serving, Cut(where="body"))
    length = int(sized.headers["content-length"])
    assert sized.error_text.endswith(f"(received {length // 2} bytes, expected {length})")


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
async def test_a_cut_before_the_head_leaves_nothing(reset: bool, wire: WireName, serving: Serving) -> None:
    got = await stream(wire, serving, Cut(where="headers", reset=reset))
    assert (got.status, got.body) == (None, b"")
    assert got.error is (httpx.ReadError if reset else httpx.RemoteProtocolError)


@pytest.mark.parametrize("text", [TEXT, "plain ASCII only", "世界 水 花火", "🌍🚀"])
async def test_a_cut_inside_a_character_leaves_half_of_it(text: str, wire: WireName, serving: Serving) -> None:
    for got in (
        await stream(wire, serving, Cut(where="utf8", after_chunks=0), text),
        await whole(wire, serving, Cut(where="utf8")),
    ):
        assert got.error is httpx.RemoteProtocolError
        # Frames hold bytes of other meaning before the text, so only the last ones are looked at.
        with pytest.raises(UnicodeDecodeError, match="unexpected end of data"):
            got.body[-1:].decode()


async def test_an_error_inside_a_200_comes_before_or_after_content_and_ends_the_stream(
    wire: WireName, serving: Serving
) -> None:
    for chunks in (0, 3):
        got = await stream(wire, serving, ErrorInside(after_chunks=chunks))
        assert (got.status, got.error) == (200, None)
        *_, last = payloads(wire, got.body)
        assert is_error(wire, last)
        assert text_in(wire, got.body) == " ".join(TEXT.split()[:chunks])
    answer = await whole(wire, serving, ErrorInside())
    assert answer.status == 200
    assert is_error(wire, answer.body)


async def test_a_malformed_event_is_followed_by_good_ones(wire: WireName, serving: Serving) -> None:
    got = await stream(wire, serving, Malformed(after_chunks=2))
    readable = [is_json(event) or event == b"[DONE]" for event in payloads(wire, got.body)]
    assert readable.count(False) == 1
    assert is_last(wire, payloads(wire, got.body)[-1])
    assert not is_json((await whole(wire, serving, Malformed())).body)


async def test_a_missing_marker_ends_the_body_in_good_order(wire: WireName, serving: Serving) -> None:
    for finish in (True, False):
        got = await stream(wire, serving, NoMarker(finish=finish))
        assert got.error is None
        assert not any(is_last(wire, event) for event in payloads(wire, got.body))
        assert text_in(wire, got.body) == TEXT
        if wire in FINISHES:
            assert (FINISHES[wire] in got.body) is finish
    cut_short = await stream(wire, serving, NoMarker(finish=False, after_chunks=2))
    assert (cut_short.error, text_in(wire, cut_short.body)) == (None, "één twee")


async def test_the_marker_may_come_twice(wire: WireName, serving: Serving) -> None:
    got = await stream(wire, serving, DuplicateTerminal())
    assert [is_last(wire, event) for event in payloads(wire, got.body)][-2:] == [True, True]


async def test_pings_come_instead_of_content(wire: WireName, serving: Serving) -> None:
    got = await stream(wire, serving, PingsOnly(gap_s=0.0, count=4))
    ping = SimProvider(wire).wire.ping()
    assert ping * 4 in got.body
    assert is_last(wire, [event for event in payloads(wire, got.body) if event][-1])


async def test_a_page_comes_instead_of_an_answer(wire: WireName, serving: Serving) -> None:
    for got in (
        await stream(wire, serving, FAULTS["html"]),
        await whole(wire, serving, FAULTS["html"]),
    ):
        assert (got.status, got.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert got.body.startswith(b"<!DOCTYPE html>")


async def test_a_wrong_charset_is_declared_for_good_bytes_or_the_bytes_are_wrong(
    wire: WireName, serving: Serving
) -> None:
    declared = await stream(wire, serving, FAULTS["wrong-charset"])
    assert declared.headers["content-type"].endswith("; charset=iso-8859-1")
    assert text_in(wire, declared.body) == TEXT
    sent = await stream(wire, serving, FAULTS["latin1-body"])
    with pytest.raises(UnicodeDecodeError):
        b"".join(payloads(wire, sent.body)).decode()


async def test_a_missing_usage_leaves_the_rest_alone(wire: WireName, serving: Serving) -> None:
    for got in (
        await stream(wire, serving, FAULTS["no-usage"]),
        await whole(wire, serving, FAULTS["no-usage"]),
    ):
        assert got.error is None
        for word in (b'_tokens"', b'Tokens"', b"eval_count"):
            assert word not in got.body


async def test_a_huge_line_comes_block_by_block(wire: WireName, serving: Serving) -> None:
    size = 3_000_000
    got = await stream(wire, serving, HugeLine(line_bytes=size, after_chunks=2))
    assert got.error is None
    assert max(map(len, payloads(wire, got.body))) == size
    assert max(len(data) for data in got.reads) <= 128 * 1024


async def test_drip_sends_single_bytes(wire: WireName, serving: Serving) -> None:
    got = await whole(wire, serving, fault_named("drip:gap_s=0"))
    assert got.body == (await whole(wire, serving, None)).body
    if serving == "memory":
        assert {len(data) for data in got.reads} == {1}


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if isinstance(fault, Rejected)])
async def test_an_http_error_has_the_vendors_status_and_body(name: str, wire: WireName, serving: Serving) -> None:
    fault = FAULTS[name]
    assert isinstance(fault, Rejected)
    provider = SimProvider(wire)
    async with asking(provider, serving) as asker:
        got = await asker.ask(stream=True, fault=name)
    assert provider.bill.totals().billed == int((wire, name) == ("azure", "content-filter"))
    if not exists_on(fault, wire):
        assert got.status == 400
        assert f"does not exist on the wire '{wire}'".encode() in got.body
        return
    # Bedrock refuses an unknown key with 403.
    assert got.status == (403 if (wire, fault.status) == ("bedrock", 401) else fault.status)
    assert _waits(got) == fault.retry_after_s
    if got.headers["content-type"].startswith("application/json"):
        assert is_json(got.body)
    else:
        assert got.headers["content-type"].startswith("text/")


def _waits(got: Got) -> float | None:
    """Read how long a client is told to wait."""
    said = got.headers.get("retry-after")
    if said is None:
        return None
    if said[:1].isdigit():
        return float(said)
    then, now = (parsedate_to_datetime(each) for each in (said, got.headers["date"]))
    return (then - now).total_seconds()


@pytest.mark.parametrize("name", ["corrupt-frame", "pause-turn", "refusal", "overloaded-inside", "throttled-inside"])
async def test_a_fault_of_other_vendors_is_refused_and_not_played(name: str, wire: WireName, serving: Serving) -> None:
    provider = SimProvider(wire)
    async with asking(provider, serving) as asker:
        got = await asker.ask(stream=True, fault=name)
    if exists_on(FAULTS[name], wire):
        assert (got.status, provider.bill.totals().billed) == (200, 1)
    else:
        assert (got.status, provider.bill.totals().billed) == (400, 0)
        with pytest.raises(ValueError, match="does not exist on the wire"):
            SimProvider(wire, Script(fault=FAULTS[name]))


async def test_who_breaks_off_says_so_and_bills_what_was_said(wire: WireName, serving: Serving) -> None:
    for name in ("refusal", "pause-turn"):
        if not exists_on(FAULTS[name], wire):
            continue
        provider = SimProvider(wire, Script(text=TEXT, fault=FAULTS[name]))
        async with asking(provider, serving) as asker:
            got = await asker.ask(stream=True)
        assert text_in(wire, got.body) == "één twee"
        (row,) = provider.bill.rows()
        assert (row.state, row.output_tokens) == ("complete", 2)


async def test_a_fault_can_be_asked_for_by_model_and_by_header(wire: WireName, serving: Serving) -> None:
    provider = SimProvider(wire, Behaviour(first=(Script(text="one"), Script(text="two"))))
    async with asking(provider, serving) as asker:
        assert (await asker.ask(model="sim-429")).status == 429
        assert (await asker.ask(fault="503:retry_after_s=2")).headers["retry-after"] == "2"
        assert b"one" in (await asker.ask(model="sim-large")).body
        assert b"two" in (await asker.ask(model="sim-nothing-of-the-kind")).body
        misspelt = await asker.ask(fault="tsall")
        assert misspelt.status == 400
        assert b"did you mean 'stall'?" in misspelt.body
