"""Own the play of one scenario on one stage: the requests in their order, then the proof that all is well again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from manus.messages.requests import OnInterrupt
from manus.sim.behaviour import Behaviour, Script
from tests.scenarios.vocabulary import FALLBACK, PRIMARY, TEXT, Bill, Books, Method, Name, Result, Scenario

HEALTHY = Behaviour(script=Script(text=TEXT))


class Stage(Protocol):
    """Two providers and a caller's program, wherever they run."""

    async def ask(self, method: Method, *, timeout_s: float, on_interrupt: OnInterrupt | None = None) -> Result:
        """Have the caller make one request."""
        ...

    async def books(self) -> Books:
        """Have the caller say how its books stand."""
        ...

    async def behave(self, name: Name, behaviour: Behaviour) -> None:
        """Change how a provider answers, from its next request on."""
        ...

    async def bill(self, name: Name) -> Bill:
        """Read what a provider saw; nothing, where there is no such provider."""
        ...

    async def wait_until(self, at_s: float) -> None:
        """Wait until so long after the stage was set."""
        ...

    async def settle(self) -> None:
        """Wait until the providers have noticed who left."""
        ...


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a scenario.

    Args:
        results: of each request.
        calls: how many requests the primary and the fallback saw for each of them.
        books: after the last of them, with the `bills` of both providers.
        after: the plain request that the same program makes when the providers are well again.
        books_after: with nothing under way any more, and `bills_after`.
    """

    results: tuple[Result, ...]
    calls: tuple[tuple[int, int], ...]
    books: Books
    bills: tuple[Bill, Bill]
    after: Result
    books_after: Books
    bills_after: tuple[Bill, Bill]


async def play(scenario: Scenario, method: Method, stage: Stage, *, budget_s: float, again_s: float) -> Played:
    """Play it.

    Args:
        scenario: what to play, its times as the stage wants them.
        method: how the caller asks.
        stage: where.
        budget_s: what every request may take.
        again_s: what the plain request afterwards may take.
    """
    results: list[Result] = []
    calls: list[tuple[int, int]] = []
    seen = await _requests(stage)
    for asked in scenario.asks:
        await stage.wait_until(asked.at_s)
        if asked.primary is not None:
            await stage.behave(PRIMARY, asked.primary)
        results.append(await stage.ask(method, timeout_s=budget_s, on_interrupt=asked.on_interrupt))
        now = await _requests(stage)
        calls.append((now[0] - seen[0], now[1] - seen[1]))
        seen = now
    books, bills = await stage.books(), await _bills(stage)
    await stage.behave(PRIMARY, HEALTHY)
    if scenario.fallback is not None:
        await stage.behave(FALLBACK, HEALTHY)
    after = await stage.ask("generate", timeout_s=again_s)
    await stage.settle()
    return Played(
        results=tuple(results),
        calls=tuple(calls),
        books=books,
        bills=bills,
        after=after,
        books_after=await stage.books(),
        bills_after=await _bills(stage),
    )


async def _requests(stage: Stage) -> tuple[int, int]:
    bills = await _bills(stage)
    return bills[0].requests, bills[1].requests


async def _bills(stage: Stage) -> tuple[Bill, Bill]:
    return await stage.bill(PRIMARY), await stage.bill(FALLBACK)


def attempts_of(played: Played) -> Sequence[str]:
    """List how each attempt of the scenario's own requests was booked, as the routes tell."""
    return [booking for result in played.results for booking in result.bookings]
