"""Own the credentials of AWS: keys, and the signing of each request with them.

Keys are given once, or come from a chain that renews them. A signature holds a date, so the wall clock is handed in.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NoReturn, Protocol, final

import httpx
import msgspec

from manus.actors.codecs.base import HttpRequest
from manus.actors.credentials.aws_sigv4 import sign
from manus.actors.credentials.base import ASK_AGAIN, Authorisation, Headers, fingerprint_of
from manus.actors.credentials.static import can_stand_in_a_header
from manus.messages.failures import Failed

SERVICE: Final = "bedrock"
"""What Bedrock's hosts, both of inference and of control, are called in a signature."""


@final
class AwsKeys:
    """One set of AWS keys. The secret and the token are kept out of reprs, copies and pickles.

    Raises:
        ValueError: one of them is no key. The message does not quote it.
    """

    __slots__ = ("access_key_id", "fingerprint", "secret_access_key", "session_token")

    def __init__(self, access_key_id: str, secret_access_key: str, session_token: str | None = None) -> None:
        for name, value in (("access key id", access_key_id), ("secret access key", secret_access_key)):
            if not can_stand_in_a_header(value):
                raise ValueError(f"the {name} is empty or holds blanks or line ends")
        if session_token is not None and not can_stand_in_a_header(session_token):
            raise ValueError("the session token is empty or holds blanks or line ends")
        self.access_key_id = access_key_id
        self.secret_access_key = secret_access_key
        self.session_token = session_token
        self.fingerprint = fingerprint_of(access_key_id)

    def __repr__(self) -> str:
        return f"AwsKeys(fingerprint={self.fingerprint!r}, temporary={self.session_token is not None})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are never copied or written anywhere")


@final
class Signed(Authorisation):
    """A signature, and the keys it was made with."""

    __slots__ = ("keys",)

    def __init__(self, headers: Headers, keys: AwsKeys) -> None:
        super().__init__(headers, fingerprint=keys.fingerprint, once=True)
        self.keys = keys


class KeySource(Protocol):
    """Where the keys of the next signature come from."""

    @property
    def held(self) -> AwsKeys | None:
        """The keys as they stand; None before they were fetched."""
        ...

    @property
    def expires_at_unix_s(self) -> float | None:
        """When the keys as they stand expire."""
        ...

    async def get(self) -> AwsKeys | Failed:
        """Give the keys; no checkpoint unless they have to be fetched."""
        ...

    def expire(self, value: AwsKeys) -> bool:
        """Hear that keys were refused; False where there will be no others."""
        ...

    def let_go(self) -> None:
        """Stop fetching."""
        ...


@final
class _GivenKeys:
    """Keys that were given once."""

    __slots__ = ("expires_at_unix_s", "held")

    def __init__(self, keys: AwsKeys) -> None:
        self.held: AwsKeys | None = keys
        self.expires_at_unix_s: float | None = None

    async def get(self) -> AwsKeys | Failed:
        assert self.held is not None
        return self.held

    def expire(self, value: AwsKeys) -> bool:
        return False

    def let_go(self) -> None:
        pass


@final
class SigV4:
    """Signs every request anew. In the books its key goes by the fingerprint of the access key's id.

    Args:
        keys: AWS keys, or what fetches them (`aws_chain.ChainKeys`).
        region: the region of the host.
        service: the service's name in the signature.
        now_unix_s: the wall clock; AWS takes a signature of five minutes before or after its own.
    """

    __slots__ = ("_now", "_region", "_service", "_source")

    def __init__(
        self,
        keys: AwsKeys | KeySource,
        *,
        region: str,
        service: str = SERVICE,
        now_unix_s: Callable[[], float] = time.time,
    ) -> None:
        self._source: KeySource = _GivenKeys(keys) if isinstance(keys, AwsKeys) else keys
        self._region = region
        self._service = service
        self._now = now_unix_s

    @property
    def fingerprint(self) -> str | None:
        """The name of the keys as they stand; None before they were fetched."""
        keys = self._source.held
        return None if keys is None else keys.fingerprint

    @property
    def expires_at_unix_s(self) -> float | None:
        """When the keys as they stand expire."""
        return self._source.expires_at_unix_s

    async def authorise(self, request: HttpRequest, url: httpx.URL) -> Authorisation | Failed:
        """Sign. The request must be as it goes on the wire; it is signed for one sending."""
        keys = await self._source.get()
        if isinstance(keys, Failed):
            return keys
        signed = sign(
            request.method,
            f"{url.scheme}://{url.netloc.decode()}{url.raw_path.decode()}",
            request.headers,
            request.body,
            access_key=keys.access_key_id,
            secret_key=keys.secret_access_key,
            session_token=keys.session_token,
            region=self._region,
            service=self._service,
            amz_date=time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._now())),
        )
        return Signed(signed, keys)

    def refused(self, authorisation: Authorisation, failure: Failed) -> Failed:
        """Have other keys fetched where that is possible, and advise to ask once more with them."""
        keys = authorisation.keys if isinstance(authorisation, Signed) else None
        if failure.kind == "auth" and keys is not None and self._source.expire(keys):
            return msgspec.structs.replace(failure, advice=ASK_AGAIN)
        return failure

    def let_go(self) -> None:
        """Stop fetching."""
        self._source.let_go()

    def __repr__(self) -> str:
        return f"SigV4(region={self._region!r}, fingerprint={self.fingerprint!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are never copied or written anywhere")
