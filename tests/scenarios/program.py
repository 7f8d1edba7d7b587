"""Own a user's program, as a process of its own: it opens an agent from a configuration file and asks what it is told.

`python -m tests.scenarios.program FILE`; one JSON object a line on stdin, one answer a line on stdout.
"""

from __future__ import annotations

import sys

import msgspec
import trio

from manus.messages.requests import OnInterrupt
from manus.opening import open_agent
from tests.scenarios import caller
from tests.scenarios.vocabulary import Method


class AskOrder(msgspec.Struct, frozen=True, kw_only=True, tag="ask", tag_field="order"):
    """Make one request; answered with a `Result`."""

    method: Method
    timeout_s: float
    on_interrupt: OnInterrupt | None = None


class BooksOrder(msgspec.Struct, frozen=True, kw_only=True, tag="books", tag_field="order"):
    """Say how the books stand; answered with `Books`."""


Order = AskOrder | BooksOrder


async def main(path: str) -> None:
    """Obey until stdin ends."""
    async with open_agent(path) as agent:
        print(flush=True)  # ready
        while line := await trio.to_thread.run_sync(sys.stdin.readline):
            order: Order = msgspec.json.decode(line, type=Order)
            if isinstance(order, AskOrder):
                told: msgspec.Struct = await caller.ask(
                    agent, order.method, timeout_s=order.timeout_s, on_interrupt=order.on_interrupt
                )
            else:
                told = await caller.books(agent)
            print(msgspec.json.encode(told).decode(), flush=True)


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
