"""What arrives, taken apart without any IO: heads, framing and bodies, by both parsers, at every split."""

from __future__ import annotations

import gzip
import itertools
import zlib

import httpx
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from manus.actors.http1.body import ChunkedBody, SizedBody, UntilCloseBody
from manus.actors.http1.connection import Connection
from manus.actors.http1.encoding import decoder_for
from manus.actors.http1.head import HeadReader
from manus.actors.http1.parser import ParserFactory, default_parser
from manus.actors.http1.parser_h11 import H11Parser
from manus.actors.http1.parser_httptools import HttptoolsParser
from manus.actors.http1.request import encode
from manus.actors.http1.waits import waits_by_default
from manus.messages.policy import Timeouts
from tests.actors.http_exchanges import Exchange, exchanges
from tests.actors.memory_pipe import memory_pipe

PARSERS: dict[str, ParserFactory] = {"httptools": HttptoolsParser, "h11": H11Parser}
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
WAITS = waits_by_default(Timeouts())


async def _received(parser: ParserFactory, exchange: Exchange, pieces: list[bytes]) -> tuple[object, ...]:
    """Let one connection make the exchange over a pipe whose server writes these pieces, and see what comes."""
    near, far = memory_pipe(capacity_bytes=1_000_000)
    connection = Connection(near, parser, 256 * 1024)
    wire = await encode(
        httpx.Request(exchange.method, "http://a.test/", content=exchange.body), body_bytes_max=1_000_000
    )

    async def serve() -> None:
        for piece in pieces:
            await far.send_all(piece)
            while far.unread_by_peer():
                await trio.lowlevel.checkpoint()
        far.send_eof()

    body = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        try:
            await connection.send(wire, WAITS)
            head = await connection.receive_head(wire, WAITS, None)
            while data := await connection.receive_body(None):
                body += data
        except (httpx.TransportError, httpx.DecodingError) as error:
            return (type(error), bytes(body))
        finally:
            nursery.cancel_scope.cancel()
    return (head.status, head.reason, [(name.lower(), value.lower()) for name, value in head.headers], bytes(body))


@given(exchange=exchanges(), cuts=st.sets(st.integers(1, 3000), max_size=12))
async def test_neither_parser_nor_splits_change_what_is_received(exchange: Exchange, cuts: set[int]) -> None:
    wire = b"".join(exchange.pieces)
    edges = [0, *sorted(cut for cut in cuts if cut < len(wire)), len(wire)]
    split = [wire[start:end] for start, end in itertools.pairwise(edges)]
    ways = [[wire], [wire[at : at + 1] for at in range(len(wire))], split]

    results = [await _received(parser, exchange, way) for parser in PARSERS.values() for way in ways]

    for result in results[1:]:
        assert result == results[0]


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
def test_trailers_are_no_headers(parser: ParserFactory) -> None:
    parsed = parser("POST", HEAD)
    assert parsed.feed(b"2\r\nhi\r\n0\r\nX-Late: 1\r\n\r\n") == b"hi"
    assert (parsed.complete, parsed.surplus) == (True, False)
    assert parsed.headers == [(b"Transfer-Encoding", b"chunked")]


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
@pytest.mark.parametrize("surplus", [b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])
def test_bytes_after_a_chunked_body_are_noticed(parser: ParserFactory, surplus: bytes) -> None:
    parsed = parser("POST", HEAD)
    assert parsed.feed(b"2\r\nhi\r\n0\r\n\r\n" + surplus) == b"hi"
    assert (parsed.complete, parsed.surplus) == (True, True)


def test_h11_serves_where_httptools_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_parser() is HttptoolsParser
    monkeypatch.setattr("importlib.util.find_spec", {}.get)
    assert default_parser() is H11Parser


def test_interim_responses_are_passed_over_and_bounded() -> None:
    interim = b"HTTP/1.1 102 Processing\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    reader = HeadReader(1000)
    assert reader.feed(interim * 10 + head[:5]) is None
    assert reader.feed(head[5:] + b"body") == (head, b"body")

    endless = HeadReader(1000)
    for _ in range(1000 // len(interim)):
        assert endless.feed(interim) is None
    with pytest.raises(httpx.RemoteProtocolError, match="header_bytes"):
        endless.feed(interim)


def test_a_head_is_refused_as_soon_as_it_cannot_become_http() -> None:
    for beginning in (b"\x16\x03\x01", b"S", b"HTTP/2", b"http/1.1"):
        with pytest.raises(httpx.RemoteProtocolError, match=r"does not speak HTTP/1"):
            HeadReader(1000).feed(beginning)


def test_a_head_of_exactly_the_bound_is_accepted() -> None:
    head = b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100 + b"\r\n\r\n"
    assert HeadReader(len(head)).feed(head) == (head, b"")
    with pytest.raises(httpx.RemoteProtocolError, match="header_bytes"):
        HeadReader(len(head) - 1).feed(head)


def test_a_sized_body_knows_its_end_and_what_is_missing() -> None:
    body = SizedBody(5)
    assert body.feed(b"abc") == b"abc"
    with pytest.raises(httpx.RemoteProtocolError, match="received 3 bytes, expected 5"):
        body.end()
    assert body.feed(b"defgh") == b"de"
    assert (body.complete, body.surplus) == (True, True)
    body.end()


def test_a_chunked_body_without_its_last_chunk_is_cut_short() -> None:
    body = ChunkedBody(HttptoolsParser("POST", HEAD))
    assert body.feed(b"2\r\nhi\r\n") == b"hi"
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
        body.end()


def test_a_body_until_close_is_complete_at_the_end_of_the_connection() -> None:
    body = UntilCloseBody()
    assert body.feed(b"abc") == b"abc"
    assert not body.complete
    body.end()
    assert body.complete


@given(body=st.binary(max_size=5000), size=st.integers(1, 700))
@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "raw deflate"])
def test_encoded_bodies_are_decoded_in_any_pieces(coding: str, body: bytes, size: int) -> None:
    if coding == "raw deflate":
        compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        encoded = compressor.compress(body) + compressor.flush()
    else:
        encoded = zlib.compress(body) if coding == "deflate" else gzip.compress(body)
    decoder = decoder_for(coding.split()[-1].encode(), None)
    assert decoder is not None
    assert b"".join(decoder.decode(encoded[at : at + size]) for at in range(0, len(encoded), size)) == body
    decoder.end()


def test_what_a_bomb_becomes_is_bounded() -> None:
    decoder = decoder_for(b"gzip", 1000)
    assert decoder is not None
    assert len(decoder.decode(gzip.compress(b"\0" * 10_000_000))) == 1001


@pytest.mark.parametrize("garbage", [b"not compressed at all", b"\x1f\x8b\x08\x00" + b"\xff" * 40])
@pytest.mark.parametrize("coding", [b"gzip", b"deflate"])
def test_a_body_that_is_not_encoded_as_stated_is_an_error(coding: bytes, garbage: bytes) -> None:
    decoder = decoder_for(coding, None)
    assert decoder is not None
    with pytest.raises(httpx.DecodingError):
        decoder.decode(garbage)


def test_an_encoding_nobody_asked_for_is_an_error() -> None:
    with pytest.raises(httpx.DecodingError):
        decoder_for(b"br", None)
