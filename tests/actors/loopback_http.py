"""Own a plain HTTP server on loopback, in threads of its own, for libraries that block: it answers as it is told.

It is no Trio server on purpose: what talks to it runs in threads, and must not need the loop to get on.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[str, str, bytes], tuple[int, bytes]]
"""Given method, path and body, the status and the JSON to answer."""


class Loopback:
    """A running server: `origin`, and the requests it has seen as (method, path)."""

    def __init__(self, port: int, *, scheme: str) -> None:
        self.origin = f"{scheme}://localhost:{port}"
        self.seen: list[tuple[str, str]] = []


@contextmanager
def answering(answer: Answer, *, tls: ssl.SSLContext | None = None) -> Iterator[Loopback]:
    """Serve until the block ends, over TLS where a context is given; every connection is served by a thread."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            loopback.seen.append((self.command, self.path))
            status, content = answer(self.command, self.path, body)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _serve  # noqa: N815  # the names that the base class calls

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing of clients that leave: some tests are about that."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    loopback = Loopback(server.server_address[1], scheme="http" if tls is None else "https")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield loopback
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
