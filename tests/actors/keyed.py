"""Own an upstream that has several keys, each of an account of its own: what one key meets, another need not."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from manus.actors.credentials import Credentials, StaticKey
from manus.messages.policy import KeyPolicy
from manus.sim.behaviour import Responder, Script
from manus.sim.memory import SimTransport
from manus.sim.provider import SimProvider
from tests.actors.rig import Upstreams

CANARY = "sk-canary-"
"""What every key of these tests begins with, so that it can be looked for where it must not be."""


class Account:
    """One key, and the vendor as it answers that key."""

    def __init__(self, name: str, answers: Script | Responder) -> None:
        self.secret = f"{CANARY}{name}-0123456789abcdef"
        self.shown = StaticKey(self.secret)
        self.sim = SimProvider("openai", api_key=self.secret)
        self.sim.behave(answers)

    @property
    def key(self) -> str:
        """The key's name in the books."""
        return self.shown.fingerprint

    @property
    def asked(self) -> int:
        """How many requests showed this key."""
        return len(self.sim.bill.rows())


class KeyedUpstreams(Upstreams):
    """One simulated vendor with an account per key. Whoever shows no key of theirs is refused.

    Args:
        answers: what each account answers, by a name that its key is made from.
        weights: the weights of the keys, by the same names; 1 where none is given.
    """

    def __init__(self, answers: Mapping[str, Script | Responder], weights: Mapping[str, float] | None = None) -> None:
        super().__init__(None)
        self.of = {name: Account(name, answer) for name, answer in answers.items()}
        self.credentials = next(iter(self.of.values())).shown
        self._weights = weights or {}

    @property
    def keys(self) -> Mapping[str, Credentials]:
        """What shows each key, by its name in the books."""
        return {account.key: account.shown for account in self.of.values()}

    @property
    def key_policies(self) -> tuple[KeyPolicy, ...]:
        """What the router knows of them."""
        return tuple(
            KeyPolicy(name=account.key, weight=self._weights.get(name, 1.0), tags=(name,))
            for name, account in self.of.items()
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys themselves, which are struck out of what a server says."""
        return tuple(account.secret for account in self.of.values())

    @property
    def accounts(self) -> list[tuple[str | None, SimProvider]]:
        """Who sends bills, and for which key."""
        return [(account.key, account.sim) for account in self.of.values()]

    def make(self, base_url: str) -> httpx.AsyncBaseTransport:
        """Make the transport of one incarnation."""
        transport = ByKey(
            {account.secret: SimTransport(account.sim, connect_s=self.connect_s) for account in self.of.values()}
        )
        self.made.append(transport)
        return transport


class ByKey(httpx.AsyncBaseTransport):
    """Sends each request to the account whose key it shows."""

    reports_phases = True

    def __init__(self, accounts: dict[str, SimTransport]) -> None:
        self._accounts = accounts

    @property
    def open_exchanges(self) -> int:
        """How many responses are neither at their end nor closed."""
        return sum(each.open_exchanges for each in self._accounts.values())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        shown = request.headers["authorization"].removeprefix("Bearer ")
        return await self._accounts[shown].handle_async_request(request)

    async def aclose(self) -> None:
        for each in self._accounts.values():
            await each.aclose()
