"""Own how a chaos world's providers are let into: with nothing, several keys, or tokens that live for seconds.

Every secret begins with `SECRET`, so that it can be looked for wherever it must not be; and what was shown is kept, so
that a token that was shown after its end can be found out.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

import httpx
import trio

from manus.actors.credentials import Credentials, NoCredentials, StaticKey
from manus.actors.credentials.tokens import BearerTokens
from manus.messages.failures import Failed
from manus.messages.policy import KeyPolicy
from manus.sim.chaos_plan import Proof
from manus.sim.memory import GRID_S

SECRET = "chaos-secret-of"
KEYS = 3
TOKEN_LIVES_S = (2.0, 5.0, 3600.0)
FETCH_S = 1.0


class Doorkeeper:
    """The credentials of one provider, and what they showed. Times are those of the loop.

    Args:
        name: the provider's.
        proof: which kind of credentials.
        now_unix_s: the wall clock. Whoever gives a token dates its end by it, and the token lives by the loop's clock.
        seed: decides how tokens are fetched: how long that takes, how long they live, which fetch fails.
    """

    def __init__(self, name: str, proof: Proof, *, now_unix_s: Callable[[], float], seed: int) -> None:
        self._name = name
        self._now_unix_s = now_unix_s
        self._rng = random.Random(f"{seed}/tokens/{name}")
        self._expires_at: dict[str, float] = {}
        self.stale = 0
        """How many requests showed a token that had expired, or that nobody had given."""
        self.shown: set[str] = set()
        """Every key and token that any request showed."""
        self.keys: dict[str, Credentials] = {}
        """What shows each of several keys, by its name in the books."""
        self.key_policies: tuple[KeyPolicy, ...] = ()
        self.key_order: Literal["round_robin", "sticky"] = "round_robin"
        self.credentials: Credentials = self._make(proof)

    def look_at(self, request: httpx.Request) -> None:
        """Look at what a request shows, at the moment at which it is sent."""
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not shown:
            return
        self.shown.add(shown)
        if f"{SECRET}-{self._name}-key" in shown:
            return
        self.stale += self._expires_at.get(shown, 0.0) <= trio.current_time()

    def _make(self, proof: Proof) -> Credentials:
        match proof:
            case "none":
                return NoCredentials()
            case "keys":
                shown = [StaticKey(f"{SECRET}-{self._name}-key-{number}") for number in range(KEYS)]
                self.keys = {key.fingerprint: key for key in shown}
                self.key_order = self._rng.choice(("round_robin", "sticky"))
                self.key_policies = tuple(
                    KeyPolicy(name=name, weight=self._rng.choice((0.5, 1.0, 3.0))) for name in self.keys
                )
                return shown[0]
            case "tokens":
                return BearerTokens(
                    self._fetch,
                    name=self._name,
                    now_unix_s=self._now_unix_s,
                    fetch_s=FETCH_S,
                )

    async def _fetch(self) -> tuple[str, float | None] | Failed:
        await trio.sleep(self._rng.choice((0.0, GRID_S, 0.5, 2 * FETCH_S)))
        if self._rng.random() < 0.2:
            return Failed(kind="auth", message="nobody gives tokens at present", safe_to_retry=True)
        token = f"{SECRET}-{self._name}-token-{len(self._expires_at)}"
        lives_s = self._rng.choice(TOKEN_LIVES_S)
        self._expires_at[token] = trio.current_time() + lives_s
        return token, self._now_unix_s() + lives_s
