"""Which transport serves which address, and the stock one dressed as ours: phases, bounds, decoding, waits."""

from __future__ import annotations

import gzip

import httpx
import pytest
import trio

from manus.actors.http1.stock import StockTransport, proxy_of_environment
from manus.actors.transport import OriginTransport, make_transport
from manus.messages.policy import Bounds, Timeouts
from tests.actors.http_server import HangUp, Hold, Read, Say, hostile_server

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def _make(base_url: str, proxy: str | None = None, bounds: Bounds | None = None) -> httpx.AsyncBaseTransport:
    return make_transport(
        base_url, timeouts=Timeouts(headers_s=7.0), bounds=bounds or Bounds(), connections_max=4, proxy=proxy
    )


ENVIRONMENTS: dict[str, tuple[dict[str, str], str, str | None]] = {
    "none": ({}, "https://api.test", None),
    "https": ({"HTTPS_PROXY": "http://p.test:1"}, "https://api.test", "http://p.test:1"),
    "lower case": ({"https_proxy": "http://p.test:1"}, "https://api.test", "http://p.test:1"),
    "another scheme": ({"HTTP_PROXY": "http://p.test:1"}, "https://api.test", None),
    "all": ({"ALL_PROXY": "socks5://p.test:1"}, "https://api.test", "socks5://p.test:1"),
    "without a scheme": ({"HTTPS_PROXY": "p.test:1"}, "https://api.test", "http://p.test:1"),
    "exempt": (
        {"HTTPS_PROXY": "http://p.test:1", "NO_PROXY": "other.test,.api.test,api.test"},
        "https://api.test",
        None,
    ),
    "all exempt": ({"HTTPS_PROXY": "http://p.test:1", "NO_PROXY": "*"}, "https://api.test", None),
    "empty": ({"HTTPS_PROXY": ""}, "https://api.test", None),
    "this machine": ({"HTTP_PROXY": "http://p.test:1", "ALL_PROXY": "http://p.test:1"}, "http://localhost:11434", None),
    "this machine, v4": ({"ALL_PROXY": "http://p.test:1"}, "http://127.0.0.2:11434", None),
    "this machine, v6": ({"ALL_PROXY": "http://p.test:1"}, "http://[::1]:11434", None),
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_environment_names_the_proxy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variables, url, expected = ENVIRONMENTS[name]
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    assert proxy_of_environment(httpx.URL(url)) == expected


def test_a_proxy_means_the_stock_transport_and_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(_make("http://api.test"), OriginTransport)
    assert isinstance(_make("http://api.test", proxy="http://p.test:1"), StockTransport)
    monkeypatch.setenv("HTTP_PROXY", "http://p.test:1")
    assert isinstance(_make("http://api.test"), StockTransport)
    assert isinstance(_make("http://api.test", proxy=""), OriginTransport)


@pytest.mark.parametrize("proxy", ["ftp://user:sk-canary@p.test", "socks5://user:sk-canary@p.test"])
def test_a_proxy_that_cannot_serve_is_refused_without_being_quoted(proxy: str) -> None:
    with pytest.raises(ValueError, match="proxy") as refused:
        _make("https://api.test", proxy=proxy)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("base_url", ["api.test", "ftp://api.test", "http://", "/v1"])
def test_an_address_that_is_no_origin_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match="https://"):
        _make(base_url)


async def test_a_request_for_another_origin_is_not_sent() -> None:
    transport = _make("https://api.test")
    for url in ("https://api.test:8443/", "http://api.test/", "https://evil.test/", "https://api.test@evil.test/"):
        with pytest.raises(httpx.UnsupportedProtocol):
            await transport.handle_async_request(httpx.Request("GET", url, headers={"authorization": "Bearer k"}))


async def test_the_stock_transport_reports_phases_and_asks_for_identity() -> None:
    async with hostile_server() as server:
        transport = _make("http://api.test", proxy=f"http://127.0.0.1:{server.port}")
        phases: list[str] = []
        server.scripts += [[Read(), Say(ANSWER)]] * 2
        for _ in range(2):
            request = httpx.Request(
                "POST", "http://api.test/v1", content=b"{}", extensions={"manus_phase": phases.append}
            )
            response = await transport.handle_async_request(request)
            assert [piece async for piece in response.stream] == [b"hi"]  # type: ignore[union-attr]
            await response.aclose()
        assert phases == ["connecting", "sending", "sent", "sending", "sent"]
        assert server.requests[0].startswith(b"POST http://api.test/v1 HTTP/1.1\r\n")
        assert b"accept-encoding: identity" in server.requests[0].lower()
        await transport.aclose()


async def test_asking_a_proxy_for_a_tunnel_is_not_sending() -> None:
    async with hostile_server() as server:
        transport = _make("https://api.test", proxy=f"http://127.0.0.1:{server.port}")
        phases: list[str] = []
        server.scripts.append([Read(), Say(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")])
        with pytest.raises(httpx.ProxyError):
            await transport.handle_async_request(
                httpx.Request("POST", "https://api.test/", content=b"{}", extensions={"manus_phase": phases.append})
            )
        assert phases == ["connecting"]
        await transport.aclose()


@pytest.mark.parametrize("proxied", [True, False])
async def test_an_encoding_nobody_asked_for_is_undone_and_bounded(proxied: bool) -> None:
    async with hostile_server() as server:
        origin = "http://api.test" if proxied else f"http://127.0.0.1:{server.port}"
        transport = _make(
            origin, proxy=f"http://127.0.0.1:{server.port}" if proxied else "", bounds=Bounds(response_bytes=1000)
        )
        for body in (b"x" * 1000, b"x" * 1001):
            packed = gzip.compress(body)
            head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
            server.scripts.append([Read(), Say(head + packed)])
            response = await transport.handle_async_request(httpx.Request("GET", f"{origin}/"))
            assert "content-encoding" not in response.headers
            stream = response.stream
            assert isinstance(stream, httpx.AsyncByteStream)
            if len(body) <= 1000:
                assert b"".join([piece async for piece in stream]) == body
            else:
                with pytest.raises(httpx.RemoteProtocolError, match="response_bytes"):
                    await anext(aiter(stream))
            await response.aclose()
        await transport.aclose()


@pytest.mark.parametrize("proxied", [True, False])
async def test_an_encoding_that_cannot_be_undone_is_an_error(proxied: bool) -> None:
    async with hostile_server() as server:
        origin = "http://api.test" if proxied else f"http://127.0.0.1:{server.port}"
        transport = _make(origin, proxy=f"http://127.0.0.1:{server.port}" if proxied else "")
        server.scripts.append([Read(), Say(b"HTTP/1.1 500 No\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nhi")])
        response = await transport.handle_async_request(httpx.Request("GET", f"{origin}/"))
        assert response.status_code == 500, "the status is known whatever the body is"
        with pytest.raises(httpx.DecodingError):
            await anext(aiter(response.stream))  # type: ignore[arg-type]
        await response.aclose()
        await transport.aclose()


async def test_behind_a_proxy_too_every_wait_has_an_end() -> None:
    async with hostile_server() as server:
        transport = _make("http://api.test", proxy=f"http://127.0.0.1:{server.port}")
        server.scripts.append([Read(), Hold()])
        request = httpx.Request("GET", "http://api.test/", extensions={"timeout": {"read": 0.001}})
        with pytest.raises(httpx.ReadTimeout):
            await transport.handle_async_request(request)
        await transport.aclose()


async def test_behind_a_proxy_a_cut_answer_is_the_same_error() -> None:
    async with hostile_server() as server:
        transport = _make("http://api.test", proxy=f"http://127.0.0.1:{server.port}")
        server.scripts.append([Read(), Say(ANSWER[:-1]), HangUp()])
        response = await transport.handle_async_request(httpx.Request("GET", "http://api.test/"))
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"):
            assert [piece async for piece in stream]
        await response.aclose()
        await transport.aclose()
        await trio.lowlevel.checkpoint()
