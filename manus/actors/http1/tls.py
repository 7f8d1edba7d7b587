"""Own TLS over any byte stream, and the contexts that are shared because building one costs 40 to 120 ms.

OpenSSL is driven through memory buffers, as trio's SSLStream does it, but with what our connections need: a
send that does not wait, an end that needs no await, and a read that gives all that arrived. It is also cheaper
by a third to a half per exchange (measured).
"""

from __future__ import annotations

import functools
import os
import ssl

import httpx

from manus.actors.http1.streams import READ_BYTES, ByteStream, Sendable

RECORDS_BYTES = 64 * 1024
"""How much is encrypted ahead of the network: progress stays visible and memory small."""


@functools.cache
def shared_ssl_context(verify: bool | str = True) -> ssl.SSLContext:
    """Give the context of this process for `verify`: True (the usual authorities), a CA file or directory, or False.

    Raises:
        OSError: the CA file or directory cannot be read, or holds no certificate.
    """
    if isinstance(verify, bool):
        context = httpx.create_ssl_context(verify=verify)
    elif os.path.isdir(verify):
        context = ssl.create_default_context(capath=verify)
    else:
        context = ssl.create_default_context(cafile=verify)
    context.set_alpn_protocols(["http/1.1"])
    return context


class TlsStream(ByteStream):
    """The client's side of TLS. An end without TLS's own goodbye counts as an end: HTTP's framing tells a cut."""

    __slots__ = ("_cipher", "_ended", "_incoming", "_outgoing", "_owed_bytes", "_raw", "_session")

    def __init__(self, raw: ByteStream, context: ssl.SSLContext, server_hostname: str) -> None:
        self._raw = raw
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        self._cipher = b""
        # What is encrypted cannot be taken back: so many of the caller's bytes stand behind `_cipher`.
        self._owed_bytes = 0
        self._ended = False

    async def handshake(self) -> None:
        """Shake hands; `ssl.SSLError` (an OSError) where that fails, after the peer was told why."""
        while True:
            try:
                self._session.do_handshake()
            except ssl.SSLWantReadError:
                await self._send_cipher()
                await self._fill()
            except ssl.SSLError:
                self._raw.send_now(self._outgoing.read())
                raise
            else:
                await self._send_cipher()
                return

    def send_now(self, data: Sendable) -> int:
        """Take a piece if all its records can leave at once."""
        if not self._owed_bytes:
            piece = data[:RECORDS_BYTES]
            self._owed_bytes = self._session.write(piece)
            self._cipher += self._outgoing.read()
        return self._flush()

    async def send_some(self, data: Sendable) -> int:
        """Wait until a piece has left."""
        taken = self.send_now(data)
        while not taken:
            sent = await self._raw.send_some(self._cipher)
            self._cipher = self._cipher[sent:]
            taken = self._flush()
        return taken

    async def receive(self) -> bytes:
        """Receive all that has arrived and is whole records."""
        while True:
            data = self._decrypted()
            if data or self._ended:
                return data
            await self._fill()

    def has_news(self) -> bool:
        """Say whether plaintext, records or network bytes wait."""
        return bool(self._session.pending() or self._incoming.pending or self._raw.has_news())

    def acknowledged_bytes(self) -> int | None:
        """Count in encrypted bytes."""
        return self._raw.acknowledged_bytes()

    def sent_bytes(self) -> int:
        """Count in encrypted bytes."""
        return self._raw.sent_bytes()

    def close(self) -> None:
        """Close what is beneath, without a goodbye: no peer waits for one, and saying it could block."""
        self._raw.close()

    def _flush(self) -> int:
        while self._cipher:
            sent = self._raw.send_now(self._cipher)
            if not sent:
                return 0
            self._cipher = self._cipher[sent:]
        owed, self._owed_bytes = self._owed_bytes, 0
        return owed

    async def _send_cipher(self) -> None:
        self._cipher += self._outgoing.read()
        while self._cipher:
            sent = self._raw.send_now(self._cipher) or await self._raw.send_some(self._cipher)
            self._cipher = self._cipher[sent:]

    async def _fill(self) -> None:
        data = await self._raw.receive()
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
            self._ended = True

    def _decrypted(self) -> bytes:
        pieces: list[bytes] = []
        try:
            while self._incoming.pending or self._session.pending():
                piece = self._session.read(READ_BYTES)
                if not piece:
                    # TLS's own goodbye; the connection beneath may stay open for long.
                    self._ended = True
                    break
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLEOFError:
            self._ended = True
        if self._outgoing.pending:
            # An answer to the peer's key update; what does not leave now leaves with the next bytes.
            self._cipher += self._outgoing.read()
            if not self._owed_bytes:
                self._flush()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
