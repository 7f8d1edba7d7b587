"""What each fault looks like to a client, in bytes and exceptions, over both servings."""

from __future__ import annotations

import json

import httpx
import msgspec
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
    fault_named,
)
from manus.sim.provider import SimProvider
from manus.sim.wire import WireName
from tests.sim.asking import Got, Serving, asking

WIRES: tuple[WireName, ...] = ("openai", "ollama")

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


def events(wire: WireName, body: bytes) -> list[bytes]:
    """Take the framing off a stream that ends on a whole event."""
    if wire == "ollama":
        return body.splitlines()
    assert body.endswith(b"\n\n")
    return [event.removeprefix(b"data: ") for event in body.removesuffix(b"\n\n").split(b"\n\n")]


def text_in(wire: WireName, body: bytes) -> str:
    """Join the text of all whole events of a stream."""
    said = []
    for event in events(wire, body[: body.rfind(b"\n") + 1]):
        if not event.startswith(b"{"):
            continue
        message = msgspec.json.decode(event)
        if wire == "ollama":
            said.append(message.get("message", {}).get("content", ""))
        else:
            said += [choice["delta"].get("content") or "" for choice in message.get("choices", [])]
    return "".join(said)


def is_last(wire: WireName, event: bytes) -> bool:
    """Whether an event is the vendor's terminal marker."""
    return event == b"[DONE]" if wire == "openai" else b'"done":true' in event


async def test_a_good_stream_ends_in_the_terminal_marker(wire: WireName, serving: Serving) -> None:
    got = await stream(wire, serving, None)
    assert (got.status, got.error) == (200, None)
    assert text_in(wire, got.body) == TEXT
    assert [is_last(wire, event) for event in events(wire, got.body)].index(True) == len(events(wire, got.body)) - 1


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
    assert not got.body.endswith(b"\n")
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
        with pytest.raises(UnicodeDecodeError, match="unexpected end of data"):
            got.body.decode()


async def test_an_error_inside_a_200_comes_before_or_after_content_and_ends_the_stream(
    wire: WireName, serving: Serving
) -> None:
    for chunks in (0, 3):
        got = await stream(wire, serving, ErrorInside(after_chunks=chunks))
        assert (got.status, got.error) == (200, None)
        *_, last = events(wire, got.body)
        assert list(msgspec.json.decode(last)) == ["error"]
        assert text_in(wire, got.body) == " ".join(TEXT.split()[:chunks])
    answer = await whole(wire, serving, ErrorInside())
    assert (answer.status, list(msgspec.json.decode(answer.body))) == (200, ["error"])


async def test_a_malformed_event_is_followed_by_good_ones(wire: WireName, serving: Serving) -> None:
    got = await stream(wire, serving, Malformed(after_chunks=2))
    readable = [_is_json(event) or event == b"[DONE]" for event in events(wire, got.body)]
    assert readable.count(False) == 1
    assert is_last(wire, events(wire, got.body)[-1])
    assert not _is_json((await whole(wire, serving, Malformed())).body)


async def test_a_missing_marker_ends_the_body_in_good_order(wire: WireName, serving: Serving) -> None:
    for finish in (True, False):
        got = await stream(wire, serving, NoMarker(finish=finish))
        assert got.error is None
        assert not any(is_last(wire, event) for event in events(wire, got.body))
        assert text_in(wire, got.body) == TEXT
        assert b'"usage":{' not in got.body
        if wire == "openai":
            assert (b'"finish_reason":"stop"' in got.body) is finish
    cut_short = await stream(wire, serving, NoMarker(finish=False, after_chunks=2))
    assert (cut_short.error, text_in(wire, cut_short.body)) == (None, "één twee")


async def test_the_marker_may_come_twice(wire: WireName, serving: Serving) -> None:
    got = await stream(wire, serving, DuplicateTerminal())
    assert [is_last(wire, event) for event in events(wire, got.body)][-2:] == [True, True]


async def test_pings_come_instead_of_content(wire: WireName, serving: Serving) -> None:
    got = await stream(wire, serving, PingsOnly(gap_s=0.0, count=4))
    ping = b": keep-alive\n\n" if wire == "openai" else b"\n"
    assert ping * 4 in got.body
    assert is_last(wire, [event for event in events(wire, got.body) if event][-1])


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
        sent.body.decode()


async def test_a_missing_usage_leaves_the_rest_alone(wire: WireName, serving: Serving) -> None:
    for got in (
        await stream(wire, serving, FAULTS["no-usage"]),
        await whole(wire, serving, FAULTS["no-usage"]),
    ):
        assert got.error is None
        assert b"_tokens" not in got.body
        assert b"eval_count" not in got.body


async def test_a_huge_line_comes_block_by_block(wire: WireName, serving: Serving) -> None:
    size = 3_000_000
    got = await stream(wire, serving, HugeLine(line_bytes=size, after_chunks=2))
    assert got.error is None
    assert max(len(event) for event in events(wire, got.body)) == size
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
    assert got.status == fault.status
    retry_after = None if fault.retry_after_s is None else f"{fault.retry_after_s:g}"
    assert got.headers.get("retry-after") == retry_after
    if got.headers["content-type"].startswith("application/json"):
        error = json.loads(got.body)["error"]
        assert isinstance(error, dict if wire == "openai" else str)
    else:
        assert got.body.startswith(b"<html>")
    assert provider.bill.totals().billed == 0


async def test_a_fault_can_be_asked_for_by_model_and_by_header(wire: WireName, serving: Serving) -> None:
    provider = SimProvider(wire, Behaviour(first=(Script(text="one"), Script(text="two"))))
    async with asking(provider, serving) as asker:
        assert (await asker.ask(model="sim-429")).status == 429
        assert (await asker.ask(fault="503:retry_after_s=2.5")).headers["retry-after"] == "2.5"
        assert b"one" in (await asker.ask(model="sim-large")).body
        assert b"two" in (await asker.ask(model="sim-nothing-of-the-kind")).body
        misspelt = await asker.ask(fault="tsall")
        assert misspelt.status == 400
        assert b"did you mean 'stall'?" in misspelt.body


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True
