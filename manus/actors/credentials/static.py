"""Own credentials that never change: none at all, one key, and headers of the entry's own around any of them."""

from __future__ import annotations

from typing import NoReturn, final

import httpx

from manus.actors.codecs.base import HttpRequest
from manus.actors.credentials.base import Authorisation, Credentials, Headers, fingerprint_of
from manus.messages.failures import Failed

_NOTHING = Authorisation(())


@final
class NoCredentials:
    """For servers that ask for nothing, as local ones do."""

    __slots__ = ()

    @property
    def fingerprint(self) -> None:
        """No key, no name."""
        return None

    @property
    def expires_at_unix_s(self) -> None:
        """Never."""
        return None

    async def authorise(self, request: HttpRequest, url: httpx.URL) -> Authorisation:
        """Add nothing."""
        return _NOTHING

    def refused(self, authorisation: Authorisation, failure: Failed) -> Failed:
        """Nothing else to show."""
        return failure

    def let_go(self) -> None:
        """Nothing runs."""


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

    __slots__ = ("_authorisation", "_fingerprint")

    def __init__(self, key: str, *, header: str = "Authorization", prefix: str = "Bearer ") -> None:
        if not can_stand_in_a_header(key):
            raise ValueError("the key is empty or holds blanks, line ends or characters that no HTTP header may carry")
        if not header or not all(character.isalnum() or character in "-_" for character in header):
            raise ValueError(f"{header!r} is not the name of an HTTP header")
        self._fingerprint = fingerprint_of(key)
        self._authorisation = Authorisation(((header, prefix + key),), fingerprint=self._fingerprint)

    @property
    def fingerprint(self) -> str:
        """The key's name in the books."""
        return self._fingerprint

    @property
    def expires_at_unix_s(self) -> None:
        """Never."""
        return None

    async def authorise(self, request: HttpRequest, url: httpx.URL) -> Authorisation:
        """Show the key."""
        return self._authorisation

    def refused(self, authorisation: Authorisation, failure: Failed) -> Failed:
        """Nothing else to show."""
        return failure

    def let_go(self) -> None:
        """Nothing runs."""

    def __repr__(self) -> str:
        return f"StaticKey(fingerprint={self._fingerprint!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are never copied or written anywhere")


@final
class WithHeaders:
    """Credentials with further headers of the entry's own: an organization, a gateway's key.

    Their values are kept out of reprs, copies and pickles like a key.
    """

    __slots__ = ("_headers", "_inner", "_last")

    def __init__(self, inner: Credentials, headers: Headers) -> None:
        self._inner = inner
        self._headers = headers
        self._last: Authorisation | None = None

    @property
    def fingerprint(self) -> str | None:
        """The name of the inner credentials' key."""
        return self._inner.fingerprint

    @property
    def expires_at_unix_s(self) -> float | None:
        """When what the inner credentials show expires."""
        return self._inner.expires_at_unix_s

    async def authorise(self, request: HttpRequest, url: httpx.URL) -> Authorisation | Failed:
        """Show the key, and add the headers. The same key gives the same object again."""
        inner = await self._inner.authorise(request, url)
        if isinstance(inner, Failed):
            return inner
        last = self._last
        if last is not None and last.inner is inner:
            return last
        both = Authorisation(
            (*inner.headers, *self._headers), fingerprint=inner.fingerprint, once=inner.once, inner=inner
        )
        if not inner.once:
            self._last = both
        return both

    def refused(self, authorisation: Authorisation, failure: Failed) -> Failed:
        """Pass it on."""
        return failure if authorisation.inner is None else self._inner.refused(authorisation.inner, failure)

    def let_go(self) -> None:
        """Pass it on."""
        self._inner.let_go()

    def __repr__(self) -> str:
        return f"WithHeaders({self._inner!r}, {len(self._headers)} more)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are never copied or written anywhere")


def can_stand_in_a_header(key: str) -> bool:
    """Whether a key could be the value of an HTTP header."""
    return bool(key) and key.isascii() and key.isprintable() and key == key.strip()
