"""Own the seam over the HTTP parsing libraries: httptools where its wheel is installed, else h11.

httptools is llhttp: 3 us per exchange against h11's 72. h11 is pure Python and always there.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Protocol

from manus.actors.http1.head import Headers


class ResponseParser(Protocol):
    """Parses one response: its head at construction, then a chunked body."""

    @property
    def headers(self) -> Headers:
        """The head's headers, in order."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the last chunk and its trailers have been seen."""
        ...

    @property
    def surplus(self) -> bool:
        """Whether bytes came after the end: the connection is out of step and must not serve again."""
        ...

    def feed(self, received: bytes) -> bytes:
        """Give the body bytes in these bytes of a chunked body.

        Raises:
            httpx.RemoteProtocolError: the chunking is broken.
        """
        ...


ParserFactory = Callable[[str, bytes], ResponseParser]
"""Makes the parser of one response from the request's method and the response's head, a block of the grammar
of `head.py`. Raises httpx.RemoteProtocolError where the library finds the head wrong all the same."""


def default_parser() -> ParserFactory:
    """Give the fastest parser that is installed."""
    if importlib.util.find_spec("httptools") is None:
        from manus.actors.http1.parser_h11 import H11Parser

        return H11Parser
    from manus.actors.http1.parser_httptools import HttptoolsParser

    return HttptoolsParser
