"""Own the use of several keys for one provider: whose turn it is, which are dead, and when a dead one is tried again.

A key that the vendor refuses (wrong, revoked, out of quota) is quarantined; after that it is on probation: one
request tries it, and its next refusal quarantines it for longer. A key that is merely not permitted something stands
behind the others and stays in use, for the next model may be one it is permitted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal, NoReturn, final

import httpx
import msgspec
import trio

from manus.actors.codecs.base import HttpRequest
from manus.actors.credentials.base import ASK_AGAIN, Authorisation, Credentials
from manus.messages.failures import Failed, FailureKind

Order = Literal["round_robin", "sticky"]
"""Every key in turn, or the first one that lives for as long as it does."""

QUARANTINE_S: Final = 60.0
"""How long a dead key rests at first: a key that was refused by mistake, or just paid for, is back within a minute."""

QUARANTINE_MAX_S: Final = 3600.0
"""How long it rests at most; each refusal on probation doubles the time."""

UNWELCOME_S: Final = 60.0
"""How long a key that was not permitted something stands behind the others."""


class _Key:
    """One key and how it stands: alive while `dead_of` is None; dead, it may be tried from `dead_until` on."""

    __slots__ = ("credentials", "dead_of", "dead_until", "on_probation", "quarantine_s", "unwelcome_until")

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self.dead_of: FailureKind | None = None
        self.dead_until = 0.0
        self.on_probation = False
        self.quarantine_s = QUARANTINE_S
        self.unwelcome_until = -math.inf


@final
class Rotation:
    """Several keys, one after the other. Each is named by its own fingerprint in the books.

    Args:
        keys: at least one; their fingerprints differ.
        order: whose turn it is.
    """

    __slots__ = ("_by_fingerprint", "_keys", "_order", "_turn")

    def __init__(self, keys: Sequence[Credentials], *, order: Order = "round_robin") -> None:
        self._keys = [_Key(credentials) for credentials in keys]
        self._by_fingerprint = {key.credentials.fingerprint: key for key in self._keys}
        if not keys or len(self._by_fingerprint) < len(self._keys):
            raise ValueError("a rotation needs keys, and no key twice")
        self._order = order
        self._turn = 0

    @property
    def fingerprint(self) -> str | None:
        """None: which key a call uses is known when it is authorised."""
        return None

    @property
    def expires_at_unix_s(self) -> None:
        """None: each key has its own life."""
        return None

    async def authorise(self, request: HttpRequest, url: httpx.URL) -> Authorisation | Failed:
        """Show the key whose turn it is; where all are dead, say so without asking anybody."""
        key = self._next(trio.current_time())
        return self._all_dead() if key is None else await key.credentials.authorise(request, url)

    def accepted(self, authorisation: Authorisation) -> None:
        """The key lives. Only probation proves it: an answer that took long may have begun before the key died."""
        key = self._by_fingerprint.get(authorisation.fingerprint)
        if key is not None and key.on_probation:
            key.dead_of, key.on_probation, key.quarantine_s = None, False, QUARANTINE_S

    def refused(self, authorisation: Authorisation, failure: Failed) -> Failed:
        """Quarantine the key; where another one lives, advise to ask again at once."""
        key = self._by_fingerprint.get(authorisation.fingerprint)
        if key is None:
            return failure
        now = trio.current_time()
        if failure.kind == "permission":
            key.dead_of, key.on_probation = None, False  # whoever forbids something knows the key
            key.unwelcome_until = now + UNWELCOME_S
            others = any(each.dead_of is None and each.unwelcome_until <= now for each in self._keys)
        else:
            if key.dead_of is None or key.on_probation:  # else it was under way when the key died
                key.dead_until = now + key.quarantine_s
                key.quarantine_s = min(2 * key.quarantine_s, QUARANTINE_MAX_S)
            key.dead_of, key.on_probation = failure.kind, False
            others = any(each.dead_of is None for each in self._keys)
        return msgspec.structs.replace(failure, advice=ASK_AGAIN) if others else failure

    def let_go(self) -> None:
        """Pass it on."""
        for key in self._keys:
            key.credentials.let_go()

    def _next(self, now: float) -> _Key | None:
        """Choose a dead key whose quarantine is over, for one request; else a living one, the welcome ones first."""
        keys = self._keys
        ahead = [keys[(self._turn + step) % len(keys)] for step in range(len(keys))]
        living: list[_Key] = []
        for key in ahead:
            if key.dead_of is None:
                living.append(key)
            elif now >= key.dead_until:
                key.on_probation = True
                key.dead_until = now + key.quarantine_s  # should nothing be heard of that request, another one tries
                return key
        if not living:
            return None
        chosen = next((key for key in living if key.unwelcome_until <= now), living[0])
        if self._order == "round_robin":
            self._turn = (keys.index(chosen) + 1) % len(keys)
        return chosen

    def _all_dead(self) -> Failed:
        names = ", ".join(str(key.credentials.fingerprint) for key in self._keys)
        out_of_quota = all(key.dead_of == "quota_exhausted" for key in self._keys)
        wait_s = max(0.0, min(key.dead_until for key in self._keys) - trio.current_time())
        why = "used up" if out_of_quota else "refused"
        return Failed(
            kind="quota_exhausted" if out_of_quota else "auth",
            message=f"All {len(self._keys)} keys (fingerprints {names}) were {why} by the provider and rest. "
            "Replace them (`api_keys`).",
            retry_after_s=wait_s,
            safe_to_retry=True,
        )

    def __repr__(self) -> str:
        return f"Rotation({[key.credentials for key in self._keys]!r}, order={self._order!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are never copied or written anywhere")
