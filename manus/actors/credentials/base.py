"""Own what a call shows to be let in, as its provider sees it: `Credentials`, and the `Authorisation` of one request.

A credentials object lives longer than an incarnation of its actor: the wiring makes it, once. It sees the whole
request, because requests are signed here, and hears when it was refused, because tokens are renewed. Each shows one
key or source of tokens; an entry with several keys has one object for each, and the router says which is shown.
"""

from __future__ import annotations

import hashlib
from typing import Final, NoReturn, Protocol

import httpx

from manus.actors.codecs.base import HttpRequest
from manus.actors.redaction import redactor
from manus.messages.failures import Advice, Failed, FailureKind

Headers = tuple[tuple[str, str], ...]

FINGERPRINT_CHARS: Final = 12
"""How much of a key's hash names it in the ledger: enough to tell one's own keys apart, no help to guess one."""

SECRET_WORD_CHARS_MIN: Final = 20
"""Words of a header that are shorter are names of schemes; keys that short are struck out by the entry's own list."""

REFUSALS: Final[frozenset[FailureKind]] = frozenset({"auth", "permission", "quota_exhausted"})
"""What a vendor says about the key, and not about the request."""

ASK_AGAIN: Final = Advice("once", "yes", False)
"""What to do when the credentials have something else to show: this says nothing about the deployment's health."""


class Authorisation:
    """What lets requests in: headers, and the name of the key in the books. Kept out of reprs, copies and pickles.

    Args:
        headers: to be added to the request.
        fingerprint: the name of the key that was used; None where there is none.
        once: it is for one request alone, as a signature is; else the same object is given again and again.
        inner: the authorisation that this one adds to, for credentials inside of others.
    """

    __slots__ = ("fingerprint", "headers", "inner", "once")

    def __init__(
        self,
        headers: Headers,
        *,
        fingerprint: str | None = None,
        once: bool = False,
        inner: Authorisation | None = None,
    ) -> None:
        self.headers = headers
        self.fingerprint = fingerprint
        self.once = once
        self.inner = inner

    def strike_out(self, text: str) -> str:
        """Strike what was shown out of a text from outside: AWS quotes the signed headers, session token and all.

        For failures: it looks at every word anew, so that tokens which change need no list of them.
        """
        words = (word for _, value in self.headers for word in value.split() if len(word) >= SECRET_WORD_CHARS_MIN)
        return redactor(words)(text)

    def __repr__(self) -> str:
        return f"Authorisation({len(self.headers)} headers, fingerprint={self.fingerprint!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are never copied or written anywhere")


class Credentials(Protocol):
    """How one provider entry proves who calls. No method raises; a failure is a value that says what to mend."""

    @property
    def fingerprint(self) -> str | None:
        """The name of the key that the next call is expected to use; None where there is none or it is not known yet.

        What a call did use is in its `Authorisation`, and that is what the books hold.
        """
        ...

    @property
    def expires_at_unix_s(self) -> float | None:
        """When what is shown now expires; None where it does not, or nothing was fetched yet."""
        ...

    async def authorise(self, request: HttpRequest, url: httpx.URL) -> Authorisation | Failed:
        """Give what lets `request` in at `url`; no checkpoint unless something has to be fetched.

        Cancelling it takes nothing away from others who wait for the same: what is being fetched goes on.
        Its own waits are bounded.
        """
        ...

    def refused(self, authorisation: Authorisation, failure: Failed) -> Failed:
        """Hear that the vendor refused a request for its key (`REFUSALS`); gives the failure to report.

        That is `failure` itself, or one with better advice where something fresh can be shown.
        """
        ...

    def let_go(self) -> None:
        """Stop whatever runs in the background; the next `authorise` begins it anew. Synchronous."""
        ...


def fingerprint_of(key: str) -> str:
    """Name a key in the books: a prefix of its SHA-256."""
    return hashlib.sha256(key.encode()).hexdigest()[:FINGERPRINT_CHARS]
