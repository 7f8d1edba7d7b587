"""Own what expires: tokens and temporary keys, fetched once for all who wait, renewed before anybody has to wait.

A fetch runs in a task of its own, so that no call owns it: a caller that is cancelled takes nothing away from the
others, and while a renewal runs the old value is used. One fetch at a time, each with a deadline; after a failure
there is a pause, doubled with every further one.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, NoReturn, TypeVar, final

import httpx
import msgspec
import trio

from manus.actors.codecs.base import HttpRequest
from manus.actors.credentials.base import ASK_AGAIN, Authorisation, fingerprint_of
from manus.actors.credentials.static import can_stand_in_a_header
from manus.messages.failures import Failed

REFRESH_SHARE: Final = 0.8
"""After this share of its life a value is renewed while it is still used."""

MARGIN_S: Final = 10.0
"""A value with less than this left to live is not shown any more, for the request has a way to go; at most a tenth of
its life."""

FETCH_S: Final = 30.0
"""How long one fetch may take, with every retry that the vendor's library makes."""

PAUSE_S: Final = 1.0
PAUSE_MAX_S: Final = 60.0
"""Between a failed fetch and the next: at first, and at most."""

AGAIN_S: Final = 60.0
"""A value that is refused is renewed at most once in so long: a fresh one that is refused too is no matter of age."""

T = TypeVar("T")

TokenProvider = Callable[[], Awaitable[tuple[str, float]]]
"""Gives a token, and the Unix time in seconds at which it expires. It is cancelled after `FETCH_S`."""

Fetch = Callable[[], Awaitable[tuple[T, float | None] | Failed]]
"""Gives a value and when it expires (Unix time, None: never), or says what is wrong. An exception counts as that too,
told by its type alone: its text may quote a secret."""


class _Held(Generic[T]):
    """A value, and when it has to be renewed and may not be shown any more.

    Both are told by two clocks, and whichever comes first holds: the wall clock, which a vendor dates by and which goes
    on while the machine sleeps, and the loop's, which nobody sets back.

    Args:
        fetched_unix_s, fetched_at: when its fetch began, by the wall clock and by the loop's.
        expires_at: Unix time; None: never.
    """

    __slots__ = ("_refresh_at", "_refresh_unix_s", "_usable_until", "_usable_until_unix_s", "expires_at", "value")

    def __init__(self, value: T, *, fetched_unix_s: float, fetched_at: float, expires_at: float | None) -> None:
        self.value = value
        self.expires_at = expires_at
        life_s = float("inf") if expires_at is None else max(0.0, expires_at - fetched_unix_s)
        refresh_s = REFRESH_SHARE * life_s
        usable_s = life_s - min(MARGIN_S, 0.1 * life_s)
        self._refresh_unix_s, self._refresh_at = fetched_unix_s + refresh_s, fetched_at + refresh_s
        self._usable_until_unix_s, self._usable_until = fetched_unix_s + usable_s, fetched_at + usable_s

    def is_young(self, unix_s: float) -> bool:
        """Whether it need not be renewed yet; `unix_s` is what the wall clock says."""
        return unix_s < self._refresh_unix_s and trio.current_time() < self._refresh_at

    def is_usable(self, unix_s: float) -> bool:
        """Whether it may be shown."""
        return unix_s < self._usable_until_unix_s and trio.current_time() < self._usable_until


@final
class Renewing(Generic[T]):
    """One value that expires, for all who need it.

    Args:
        fetch: gets a fresh one.
        what: how failures name it: `the AWS credentials`.
        now_unix_s: the wall clock, which expiry is dated by. It may be set at any time: what was fetched is shown for
            no longer than its life by the loop's clock. Pauses and deadlines go by that one alone.
        fetch_s: how long one fetch may take.
        mend: what to do where one fails, a sentence.
    """

    __slots__ = (
        "_done",
        "_failure",
        "_fetch",
        "_fetch_s",
        "_held",
        "_mend",
        "_now",
        "_pause_s",
        "_paused_until",
        "_scope",
        "_what",
        "_yielded_at",
    )

    def __init__(
        self,
        fetch: Fetch[T],
        *,
        what: str,
        now_unix_s: Callable[[], float] = time.time,
        fetch_s: float = FETCH_S,
        mend: str = "",
    ) -> None:
        self._fetch = fetch
        self._what = what
        self._mend = mend
        self._now = now_unix_s
        self._fetch_s = fetch_s
        self._held: _Held[T] | None = None
        self._failure: Failed | None = None
        self._pause_s = PAUSE_S
        self._paused_until = float("-inf")
        self._yielded_at = float("-inf")
        self._done: trio.Event | None = None
        self._scope: trio.CancelScope | None = None

    @property
    def held(self) -> T | None:
        """The value as it stands, however old; None before the first fetch. Without a checkpoint."""
        return None if self._held is None else self._held.value

    @property
    def expires_at_unix_s(self) -> float | None:
        """When the value as it stands expires; None where it does not, or there is none."""
        return None if self._held is None else self._held.expires_at

    async def get(self) -> T | Failed:
        """Give the value; no checkpoint while it is young. Waits for a fetch only where there is nothing to use.

        Cancelled, it leaves the fetch to the others.
        """
        while True:
            held = self._held
            if held is not None:
                unix_s = self._now()
                if held.is_young(unix_s):
                    return held.value
                self._begin()
                if held.is_usable(unix_s):
                    return held.value
            else:
                self._begin()
            if self._done is None:
                assert self._failure is not None, "without a fetch under way there is a pause after a failure"
                return self._until_the_pause_ends(self._failure)
            await self._done.wait()
            if self._held is held and self._failure is not None:
                return self._until_the_pause_ends(self._failure)

    def expire(self, value: T) -> bool:
        """Hear that `value` was refused: it is not shown again, and the next `get` has another. False: no use.

        Of no use is a refusal so soon after another one that the value cannot have been too old.
        """
        held = self._held
        if held is None or held.value is not value:
            return True  # it has been renewed meanwhile, or is being so
        now = trio.current_time()
        if now - self._yielded_at < AGAIN_S:
            return False
        self._yielded_at = now
        self._held = None
        self._paused_until = float("-inf")
        return True

    def let_go(self) -> None:
        """Cancel the fetch that is under way; whoever still waits begins another one."""
        if self._scope is not None:
            self._scope.cancel("nobody needs it any more")

    def _begin(self) -> None:
        """Start a fetch, unless one is under way or the pause after a failure lasts."""
        if self._done is None and trio.current_time() >= self._paused_until:
            self._done = trio.Event()
            self._scope = trio.CancelScope()
            self._failure = None
            trio.lowlevel.spawn_system_task(self._run, self._scope, name=f"fetch {self._what}")

    async def _run(self, scope: trio.CancelScope) -> None:
        """Fetch once. A task of the loop itself, so nothing may leave it: what is raised becomes a failure."""
        held: _Held[T] | None = None
        failure: Failed | None = None
        began_at, began_unix_s = trio.current_time(), self._now()
        try:
            with scope, trio.move_on_after(self._fetch_s) as limit:
                outcome = await self._fetch()
                if isinstance(outcome, Failed):
                    failure = outcome
                else:
                    value, expires_at = outcome
                    # A wall clock that was set ahead meanwhile would lengthen the token's life by as much.
                    ahead_s = max(0.0, self._now() - began_unix_s - (trio.current_time() - began_at))
                    held = _Held(
                        value, fetched_unix_s=began_unix_s + ahead_s, fetched_at=began_at, expires_at=expires_at
                    )
            if limit.cancelled_caught:
                failure = self._failed(f"did not come within {self._fetch_s:g} s")
        except Exception as error:
            failure = self._failed(f"could not be fetched ({type(error).__name__})")
        finally:
            self._settle(held, failure)

    def _settle(self, held: _Held[T] | None, failure: Failed | None) -> None:
        done, self._done, self._scope = self._done, None, None
        if held is not None:
            if held.is_usable(self._now()):
                self._held, self._pause_s = held, PAUSE_S
            else:
                failure = self._failed("had expired by the time of its coming; check this machine's clock")
        if failure is not None:
            self._failure = failure
            self._paused_until = trio.current_time() + self._pause_s
            self._pause_s = min(2 * self._pause_s, PAUSE_MAX_S)
        assert done is not None
        done.set()

    def _until_the_pause_ends(self, failure: Failed) -> Failed:
        """Say when it is worth asking again: sooner, nobody would be asked."""
        wait_s = max(0.0, self._paused_until - trio.current_time())
        return msgspec.structs.replace(failure, retry_after_s=wait_s)

    def _failed(self, how: str) -> Failed:
        message = f"{self._what[:1].upper()}{self._what[1:]} {how}. {self._mend}".rstrip()
        return Failed(kind="auth", message=message, safe_to_retry=True)

    def __repr__(self) -> str:
        return f"Renewing({self._what!r}, held={self._held is not None})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are never copied or written anywhere")


@final
class BearerTokens:
    """Bearer tokens that expire, from any source.

    In the books they all go by one name, that of their source: a token lives for an hour, and whoever it speaks for
    stays the same.

    Args:
        provide: gives a token and when it expires.
        name: names the source; its fingerprint is the key's in the books.
        mend: what to do where a fetch fails, a sentence.
        now_unix_s: the wall clock.
        fetch_s: how long one fetch may take.
    """

    __slots__ = ("_fingerprint", "_tokens")

    def __init__(
        self,
        provide: Fetch[str],
        *,
        name: str,
        now_unix_s: Callable[[], float] = time.time,
        fetch_s: float = FETCH_S,
        mend: str = "",
    ) -> None:
        self._fingerprint = fingerprint_of(name)

        async def fetch() -> tuple[Authorisation, float | None] | Failed:
            outcome = await provide()
            if isinstance(outcome, Failed):
                return outcome
            token, expires_at = outcome
            if not isinstance(token, str) or not can_stand_in_a_header(token):
                message = "The token is empty or holds characters that no HTTP header may carry."
                return Failed(kind="auth", message=message, safe_to_retry=True)
            shown = Authorisation((("Authorization", f"Bearer {token}"),), fingerprint=self._fingerprint)
            return shown, expires_at

        self._tokens = Renewing(fetch, what="the token", now_unix_s=now_unix_s, fetch_s=fetch_s, mend=mend)

    @property
    def fingerprint(self) -> str:
        """The name of the source."""
        return self._fingerprint

    @property
    def expires_at_unix_s(self) -> float | None:
        """When the token as it stands expires."""
        return self._tokens.expires_at_unix_s

    async def authorise(self, request: HttpRequest, url: httpx.URL) -> Authorisation | Failed:
        """Show the token as it stands; the first call, and one after a long silence, waits for it."""
        return await self._tokens.get()

    def refused(self, authorisation: Authorisation, failure: Failed) -> Failed:
        """Have another token fetched, and advise to ask once more with it."""
        if failure.kind == "auth" and self._tokens.expire(authorisation):
            return msgspec.structs.replace(failure, advice=ASK_AGAIN)
        return failure

    def let_go(self) -> None:
        """Stop fetching."""
        self._tokens.let_go()

    def __repr__(self) -> str:
        return f"BearerTokens(fingerprint={self._fingerprint!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are never copied or written anywhere")
