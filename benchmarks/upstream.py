"""Own the canned OpenAI server that all contenders ask: bytes made beforehand, so that it is never the bottleneck.

The model's name says what it does: `whole` answers at once, `paced` streams a chunk every 20 ms, `burst` streams all
chunks at once, `hold` streams three chunks and then nothing until the client leaves, `gone` is refused with a 404.
`GET /v1/gaps` gives the microseconds from each such refusal to the request that followed it, and forgets them. Run as a
process of its own; it prints its port on the first line.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from functools import partial

PACED_CHUNKS = 100
PACE_S = 0.02
BURST_CHUNKS = 5000
HELD_CHUNKS = 3
DIFFERENT_WORDS = 10
"""LiteLLM takes a stream whose chunks are all alike for a model that has gone mad."""
ANSWER = " ".join(f"word{number}" for number in range(80))

_HEADERS = (
    b"date: Sun, 22 Nov 2026 10:00:00 GMT\r\nserver: canned\r\nopenai-processing-ms: 20\r\n"
    b"x-request-id: req_0123456789ab\r\n"
    b"x-ratelimit-limit-requests: 10000\r\nx-ratelimit-remaining-requests: 9999\r\n"
    b"x-ratelimit-limit-tokens: 2000000\r\nx-ratelimit-remaining-tokens: 1999000\r\n"
)
_USAGE = '"usage":{"prompt_tokens":200,"completion_tokens":80,"total_tokens":280}'


def streamed_text(chunks: int) -> str:
    """Give the text of the first so many chunks of a stream."""
    return "".join(f" word{number % DIFFERENT_WORDS}" for number in range(chunks))


def _whole() -> bytes:
    body = (
        '{"id":"chatcmpl-1","object":"chat.completion","created":1790000000,"model":"whole","choices":[{"index":0,'
        f'"message":{{"role":"assistant","content":"{ANSWER}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],'
        f'{_USAGE},"service_tier":"default","system_fingerprint":"fp_0123456789"}}'
    ).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" + _HEADERS
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def _chunk(fields: str) -> bytes:
    event = (
        'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1790000000,"model":"paced",'
        f'"service_tier":"default","system_fingerprint":"fp_0123456789",{fields}}}\n\n'
    ).encode()
    return b"%x\r\n%b\r\n" % (len(event), event)


WHOLE = _whole()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n" + _HEADERS
HEAD += b"\r\n"
WORDS = [
    _chunk(
        f'"choices":[{{"index":0,"delta":{{"content":" word{number}"}},"logprobs":null,"finish_reason":null}}],'
        '"usage":null'
    )
    for number in range(DIFFERENT_WORDS)
]
END = (
    _chunk('"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null')
    + _chunk(f'"choices":[],{_USAGE}')
    + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
)
GONE = json.dumps(
    {
        "error": {
            "message": "The model `gone` does not exist or you do not have access to it.",
            "type": "invalid_request_error",
            "param": None,
            "code": "model_not_found",
        }
    }
).encode()
REFUSED = b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\n" + _HEADERS
REFUSED += b"content-length: %d\r\n\r\n" % len(GONE) + GONE
BURST = HEAD + b"".join(WORDS[number % DIFFERENT_WORDS] for number in range(BURST_CHUNKS)) + END
HELD = HEAD + b"".join(WORDS[:HELD_CHUNKS])


class Gaps:
    """How long clients took from a refusal to their next request, whichever connection that came on."""

    def __init__(self) -> None:
        self._refused_at: float | None = None
        self._gaps_us: list[float] = []

    def refused(self) -> None:
        """A refusal has been written."""
        self._refused_at = time.perf_counter()

    def asked(self) -> None:
        """A request has come."""
        if self._refused_at is not None:
            self._gaps_us.append((time.perf_counter() - self._refused_at) * 1e6)
            self._refused_at = None

    def report(self) -> bytes:
        """Give them all, and forget them."""
        body = json.dumps(self._gaps_us).encode()
        self._gaps_us = []
        return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


class Conversation(asyncio.Protocol):
    """One connection."""

    def __init__(self, gaps: Gaps) -> None:
        self._gaps = gaps
        self._unread = b""
        self._transport: asyncio.Transport | None = None
        self._paced_left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._unread += data
        while True:
            end = self._unread.find(b"\r\n\r\n") + 4
            if end < 4:
                return
            head = self._unread[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 : head.index(b"\r\n", at)]) if at >= 0 else 0
            if len(self._unread) < end + length:
                return
            body = self._unread[end : end + length]
            self._unread = self._unread[end + length :]
            if head.startswith(b"get /v1/gaps "):
                assert self._transport is not None
                self._transport.write(self._gaps.report())
            else:
                self._answer(body)

    def _answer(self, body: bytes) -> None:
        assert self._transport is not None
        self._gaps.asked()
        if b'"gone"' in body:
            self._transport.write(REFUSED)
            self._gaps.refused()
            return
        streamed = b'"stream":true' in body or b'"stream": true' in body
        if not streamed:
            self._transport.write(WHOLE)
        elif b'"burst"' in body:
            self._transport.write(BURST)
        elif b'"hold"' in body:
            self._transport.write(HELD)
        else:
            self._paced_left = PACED_CHUNKS
            self._transport.write(HEAD)
            self._pace()

    def _pace(self) -> None:
        transport = self._transport
        assert transport is not None
        if transport.is_closing():
            return
        if self._paced_left:
            self._paced_left -= 1
            transport.write(WORDS[(PACED_CHUNKS - 1 - self._paced_left) % DIFFERENT_WORDS])
            asyncio.get_running_loop().call_later(PACE_S, self._pace)
        else:
            transport.write(END)


async def serve() -> None:
    """Serve until killed, or until the parent closes our stdin."""
    loop = asyncio.get_running_loop()
    gaps = Gaps()
    server = await loop.create_server(partial(Conversation, gaps), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve())
