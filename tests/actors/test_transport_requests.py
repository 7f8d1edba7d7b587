"""What leaves: the bytes of a request, and the requests that are refused before anything leaves."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import h11
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.actors.http1.request import encode

VALUE = r"[!-~]([\t -~]*[!-~])?"
URL = "http://api.test:8080/v1/chat?a=b"


def _parsed(wire: bytes) -> tuple[h11.Request, bytes]:
    server = h11.Connection(h11.SERVER)
    server.receive_data(wire)
    request = server.next_event()
    assert isinstance(request, h11.Request)
    body = bytearray()
    while isinstance(event := server.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    return request, bytes(body)


@given(
    body=st.binary(max_size=200_000),
    headers=st.lists(
        st.tuples(st.sampled_from(["x-a", "X-B"]), st.from_regex(r"[!-~]([\t -~]*[!-~])?", fullmatch=True))
    ),
    method=st.sampled_from(["POST", "GET", "PUT", "DELETE"]),
)
async def test_a_request_reads_as_it_was_meant(body: bytes, headers: list[tuple[str, str]], method: str) -> None:
    request = httpx.Request(method, URL, content=body, headers=headers)

    wire = await encode(request, body_bytes_max=1_000_000)

    parsed, parsed_body = _parsed(b"".join(wire.pieces))
    assert (parsed.method, parsed.target, parsed_body) == (method.encode(), b"/v1/chat?a=b", body)
    sent = [(name.lower(), value) for name, value in request.headers.raw]
    assert list(parsed.headers) == [*sent, (b"accept-encoding", b"identity")]
    assert len(wire.pieces) <= 2


async def test_asks_for_identity_only_where_the_caller_does_not_choose() -> None:
    wire = await encode(httpx.Request("GET", URL, headers={"accept-encoding": "br"}), body_bytes_max=0)
    assert b"identity" not in wire.pieces[0]


async def test_a_streamed_body_is_read_and_sent_in_one_chunk() -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    wire = await encode(httpx.Request("POST", URL, content=parts()), body_bytes_max=100)
    assert _parsed(b"".join(wire.pieces))[1] == b"one two"


async def test_an_empty_streamed_body_is_only_the_last_chunk() -> None:
    async def parts() -> AsyncIterator[bytes]:
        nothing: tuple[bytes, ...] = ()
        for part in nothing:
            yield part

    wire = await encode(httpx.Request("POST", URL, content=parts()), body_bytes_max=100)
    assert _parsed(b"".join(wire.pieces))[1] == b""


async def test_a_body_above_the_bound_is_refused_while_it_is_read() -> None:
    taken = 0

    async def parts() -> AsyncGenerator[bytes, None]:
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 1000

    async with aclosing(parts()) as endless:
        with pytest.raises(httpx.LocalProtocolError, match="request_bytes"):
            await encode(httpx.Request("POST", URL, content=endless), body_bytes_max=10_000)
    assert taken == 11
    with pytest.raises(httpx.LocalProtocolError, match="request_bytes"):
        await encode(httpx.Request("POST", URL, content=b"x" * 10_001), body_bytes_max=10_000)


SECRET = "sk-canary"


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {SECRET}\r\nx-injected: 1"},
        {"authorization": f"Bearer {SECRET}\n"},
        {"authorization": f"Bearer {SECRET}\x00"},
        {"authorization": f" {SECRET}"},
        {"authorization": f"{SECRET} "},
        {f"bad name {SECRET}": "x"},
        {f"name:{SECRET}": "x"},
        {"": SECRET},
    ],
)
async def test_an_illegal_header_is_refused_without_being_quoted(headers: dict[str, str]) -> None:
    request = httpx.Request("GET", URL, headers=headers)
    with pytest.raises(httpx.LocalProtocolError) as refused:
        await encode(request, body_bytes_max=0)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


async def test_a_method_cannot_smuggle_a_second_request() -> None:
    with pytest.raises(httpx.LocalProtocolError):
        await encode(httpx.Request("GET / HTTP/1.1\r\nx: y\r\n\r\nGET", URL), body_bytes_max=0)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-length": "3"},
        {"transfer-encoding": "gzip"},
        {"content-length": "2", "transfer-encoding": "chunked"},
    ],
)
async def test_a_body_whose_headers_belie_it_is_refused(headers: dict[str, str]) -> None:
    request = httpx.Request("POST", URL, content=b"hi", headers=headers)
    with pytest.raises(httpx.LocalProtocolError):
        await encode(request, body_bytes_max=100)


async def test_a_body_without_a_length_is_refused() -> None:
    request = httpx.Request("POST", URL, content=b"hi")
    del request.headers["content-length"]
    with pytest.raises(httpx.LocalProtocolError):
        await encode(request, body_bytes_max=100)


async def test_a_request_without_a_host_is_refused() -> None:
    request = httpx.Request("GET", URL)
    del request.headers["host"]
    with pytest.raises(httpx.LocalProtocolError):
        await encode(request, body_bytes_max=100)
