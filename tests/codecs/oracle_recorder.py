"""Own the loopback server that the vendors' SDKs and our own transport are both sent to, to compare what arrives.

`recorder()` keeps every request as it came (target undecoded, headers in order, body in bytes) and answers from a
list of canned answers. It runs on threads, so a synchronous SDK can call it from a test as well as our transport can
under trio. `sent_by_us` and `asked_by_us` are the other side: a `ChatRequest` through codec, credentials and
transport, as a provider actor does it, but for the actor.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import httpx
import msgspec

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.credentials import Authorisation, Credentials, NoCredentials
from manus.actors.transport import make_transport
from manus.actors.upstream import ProviderCounters, ProviderSpec, Upstream
from manus.messages.failures import Failed
from manus.messages.policy import Bounds, ProviderPolicy, Timeouts
from manus.messages.requests import ChatRequest

SILENT_CLIENT_S = 20.0
"""A connection on which nobody asks anything for so long is closed: a test that hangs must end."""

# Any, throughout this file: JSON that a client under test has written.


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """One request as the server read it. `path` is the request's target: undecoded, with its query."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def json(self) -> Any:
        """Read the body."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """Give a header's value whatever its case; None where it was not sent."""
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(found) <= 1, f"{name} was sent {len(found)} times"
        return found[0] if found else None


class Canned(msgspec.Struct, frozen=True, kw_only=True):
    """What the server answers. `pieces` leave one after another, chunked; without them `body` with its length."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    body: bytes = b"{}"
    pieces: tuple[bytes, ...] = ()


def json_answer(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Canned:
    """Answer with a JSON document."""
    fields = {"content-type": "application/json", **(headers or {})}
    return Canned(status=status, headers=tuple(fields.items()), body=json.dumps(value).encode())


def stream_answer(
    body: bytes,
    *,
    content_type: str = "text/event-stream",
    piece_bytes: int = 0,
    headers: Mapping[str, str] | None = None,
) -> Canned:
    """Answer with a stream (`application/x-ndjson`, `application/vnd.amazon.eventstream`...), in pieces of a size."""
    size = piece_bytes or max(1, len(body))
    pieces = tuple(body[place : place + size] for place in range(0, len(body), size))
    fields = {"content-type": content_type, **(headers or {})}
    return Canned(headers=tuple(fields.items()), body=body, pieces=pieces)


def recorded_answer(exchange: Mapping[str, Any], body: bytes) -> Canned:
    """Answer with a recorded exchange's response, whose body the caller has decoded."""
    response = exchange["response"]
    of_the_transport = {"transfer-encoding", "content-length", "connection", "content-encoding"}
    headers = {name.lower(): str(value) for name, value in (response.get("headers") or {}).items()}
    kept = tuple((name, value) for name, value in headers.items() if name not in of_the_transport)
    return Canned(status=response["status"], headers=kept, body=body)


class Recorder:
    """What arrived, and what is to be answered. The last answer is given again and again.

    Any thread may read `arrived` once the call that it belongs to has been answered.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.arrived: list[Arrived] = []
        self._answers: list[Canned] = [Canned()]
        self._lock = threading.Lock()

    def answer(self, *answers: Canned) -> None:
        """Give these from now on, one per request."""
        with self._lock:
            self._answers = list(answers)

    def last(self) -> Arrived:
        """Give the newest request."""
        return self.arrived[-1]

    def take(self, arrived: Arrived) -> Canned:
        """Note a request and give its answer."""
        with self._lock:
            self.arrived.append(arrived)
            return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@contextmanager
def recorder(*answers: Canned) -> Iterator[Recorder]:
    """Serve on a loopback port until the block ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.recorder = Recorder(f"http://127.0.0.1:{server.server_address[1]}")
    if answers:
        server.recorder.answer(*answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, name="recorder")
    thread.start()
    try:
        yield server.recorder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    recorder: Recorder


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = SILENT_CLIENT_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the base class names it)
        """Say nothing: tests compare, nobody reads along."""

    def _serve(self) -> None:
        self.close_connection = True
        arrived = Arrived(
            method=self.command, path=self.path, headers=tuple(self.headers.items()), body=self._read_body()
        )
        canned = cast(_Server, self.server).recorder.take(arrived)
        self.send_response_only(canned.status)
        for name, value in canned.headers:
            self.send_header(name, value)
        self.send_header("connection", "close")
        if canned.pieces:
            self.send_header("transfer-encoding", "chunked")
        else:
            self.send_header("content-length", str(len(canned.body)))
        self.end_headers()
        try:
            if not canned.pieces:
                self.wfile.write(canned.body)
                return
            for piece in canned.pieces:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass  # a client that has read enough may hang up

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815  (the base class names them)

    def _read_body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        pieces: list[bytes] = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a request of ours: an answer in parts and events, or a failure before there was any."""

    status: int
    headers: dict[str, str]
    assembly: Assembly | None = None
    failure: Failed | None = None


async def asked_by_us(
    wire: str,
    request: ChatRequest,
    model: str,
    base_url: str,
    *,
    credentials: Credentials | None = None,
    options: CodecOptions | None = None,
) -> Answered:
    """Encode, authorise, send, decode: all that a provider actor does for one call that nobody interrupts.

    Raises:
        AssertionError: the codec refused the request; its own tests are the place to see that.
        httpx.TransportError: the server could not be talked to.
    """
    options = options or CodecOptions()
    codec = codec_for(wire)
    encoded = codec.encode(request, model, options)
    assert isinstance(encoded, HttpRequest), encoded
    bounds = Bounds()
    response = await sent_by_us(encoded, base_url, credentials=credentials)
    headers = {name.lower(): value for name, value in response.headers.items()}
    body = response.content
    if not 200 <= response.status_code < 300:
        failure = codec.failure(response.status_code, headers, body, now_unix_s=0.0)
        return Answered(status=response.status_code, headers=headers, failure=failure)
    options = msgspec.structs.replace(options, answer_tool=encoded.answer_tool)
    decoder = codec.decoder(stream=request.stream, model=model, options=options)
    assembly = Assembly(wire, model, bounds)
    assembly.add(decoder.feed(body))
    assembly.add(decoder.finish())
    return Answered(status=response.status_code, headers=headers, assembly=assembly, failure=assembly.failure)


async def sent_by_us(encoded: HttpRequest, base_url: str, *, credentials: Credentials | None = None) -> httpx.Response:
    """Send what a codec wrote through our own transport, addressed and authorised as a provider actor does it.

    Gives the response with its body read.
    """
    spec = ProviderSpec(
        name="oracle",
        wire="openai-chat",
        policy=ProviderPolicy(name="oracle", type="openai"),
        credentials=credentials or NoCredentials(),
        transport_factory=_transport,
        base_url=base_url,
    )
    upstream = Upstream(spec, ProviderCounters())
    try:
        transport = await upstream.ready()
        assert isinstance(transport, httpx.AsyncBaseTransport)
        authorisation = await upstream.authorise(encoded)
        assert isinstance(authorisation, Authorisation), authorisation
        request = upstream.request_of(encoded, authorisation, {"timeout": upstream.transport_timeouts})
        response = await transport.handle_async_request(request)
        await response.aread()
        return response
    finally:
        await upstream.aclose()


def _transport(base_url: str) -> httpx.AsyncBaseTransport:
    return make_transport(base_url, timeouts=Timeouts(), bounds=Bounds(), connections_max=4, proxy="")


def differences(ours: Any, theirs: Any, *, path: str = "$") -> list[str]:
    """List where two JSON values differ, one line per place, in order. The empty list means equality.

    An integer and a float of the same value are equal: JSON has one kind of number.
    """
    if isinstance(ours, dict) and isinstance(theirs, dict):
        places = [*ours, *(key for key in theirs if key not in ours)]
        return [line for key in places for line in _of_key(ours, theirs, key, f"{path}.{key}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [line for number, (a, b) in pairs for line in differences(a, b, path=f"{path}[{number}]")]
    if isinstance(ours, bool) is isinstance(theirs, bool) and ours == theirs:
        return []
    return [f"{path}: {json.dumps(ours)} here, {json.dumps(theirs)} there"]


def _of_key(ours: Mapping[str, Any], theirs: Mapping[str, Any], key: str, path: str) -> Sequence[str]:
    if key not in theirs:
        return [f"{path}: only here, {json.dumps(ours[key])}"]
    if key not in ours:
        return [f"{path}: only there, {json.dumps(theirs[key])}"]
    return differences(ours[key], theirs[key], path=path)
