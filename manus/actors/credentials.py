"""Own what a call shows to a provider to be let in: a key it holds and never tells.

`authorise` is asynchronous and sees the whole request, because tokens are refreshed and requests are signed here
one day; a static key answers without waiting. A credentials object lives longer than an incarnation of its actor:
the wiring makes it, once.
"""

from __future__ import annotations

import hashlib
from typing import NoReturn, Protocol, final

from manus.actors.codecs.base import HttpRequest

Headers = tuple[tuple[str, str], ...]

FINGERPRINT_CHARS = 12
"""How much of a key's hash names it in the ledger: enough to tell one's own keys apart, no help to guess one."""


class Credentials(Protocol):
    """How one provider entry proves who calls."""

    @property
    def fingerprint(self) -> str | None:
        """The name of the key in the books: a prefix of its SHA-256, or None where there is no key."""
        ...

    async def authorise(self, request: HttpRequest) -> Headers:
        """Give the headers that let `request` in. Cancelled like any other wait of the call."""
        ...


@final
class NoCredentials:
    """For servers that ask for nothing, as local ones do."""

    __slots__ = ()

    @property
    def fingerprint(self) -> None:
        """No key, no name."""
        return None

    async def authorise(self, request: HttpRequest) -> Headers:
        """Add nothing."""
        return ()


@final
class StaticKey:
    """One key that never changes, in one header.

    Args:
        key: the secret. It is kept out of reprs, comparisons, copies and pickles.
        header: where it goes.
        prefix: what stands before it there; `Authorization` wants `Bearer `, `api-key` nothing.

    Raises:
        ValueError: the key or the header could not stand in an HTTP header. The message does not quote the key.
    """

    __slots__ = ("_fingerprint", "_headers")

    def __init__(self, key: str, *, header: str = "Authorization", prefix: str = "Bearer ") -> None:
        if not key or not key.isascii() or not key.isprintable() or key != key.strip():
            raise ValueError("the key is empty or holds blanks, line ends or characters that no HTTP header may carry")
        if not header or not all(character.isalnum() or character in "-_" for character in header):
            raise ValueError(f"{header!r} is not the name of an HTTP header")
        self._headers: Headers = ((header, prefix + key),)
        self._fingerprint = hashlib.sha256(key.encode()).hexdigest()[:FINGERPRINT_CHARS]

    @property
    def fingerprint(self) -> str:
        """The key's name in the books."""
        return self._fingerprint

    async def authorise(self, request: HttpRequest) -> Headers:
        """Show the key."""
        return self._headers

    def __repr__(self) -> str:
        return f"StaticKey(fingerprint={self._fingerprint!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are never copied or written anywhere")


@final
class WithHeaders:
    """Credentials with further headers of the entry's own: an organization, a gateway's key.

    Their values are kept out of reprs, copies and pickles like a key.
    """

    __slots__ = ("_headers", "_inner")

    def __init__(self, inner: Credentials, headers: Headers) -> None:
        self._inner = inner
        self._headers = headers

    @property
    def fingerprint(self) -> str | None:
        """The name of the inner credentials' key."""
        return self._inner.fingerprint

    async def authorise(self, request: HttpRequest) -> Headers:
        """Show the key, and add the headers."""
        return (*await self._inner.authorise(request), *self._headers)

    def __repr__(self) -> str:
        return f"WithHeaders({self._inner!r}, {len(self._headers)} more)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are never copied or written anywhere")
