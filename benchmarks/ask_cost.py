"""Own the price of a message: CPU time per ask of an actor, against the bare Trio primitives it is made of.

Run it as `python -m benchmarks.ask_cost`. Rounds of all contenders are interleaved, and the median of each is printed,
so that a noisy machine moves all of them alike.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial

import trio
from trio.lowlevel import Abort, RaiseCancelT

from manus.supervisor.context import Context
from manus.supervisor.envelope import Envelope
from manus.supervisor.ref import Ref
from manus.supervisor.spec import ChildSpec, SupervisorSpec
from manus.supervisor.tree import open_tree

ASKS_PER_ROUND = 2_000
ROUNDS = 9
_DEADLINE_S = 60.0


async def _answer(envelope: Envelope) -> object:
    return envelope.message


def _answer_in_turn(envelope: Envelope) -> object:
    return envelope.message


async def _requests(ctx: Context) -> None:
    ctx.started()
    await ctx.serve(_answer)


async def _turns(ctx: Context) -> None:
    ctx.started()
    await ctx.serve_turns(_answer_in_turn)


async def _loop(ctx: Context) -> None:
    inbox = ctx.inbox
    ctx.started()
    while True:
        envelope = await inbox.receive()
        envelope.reply(envelope.message)


async def _ask(ref: Ref, times: int) -> None:
    for number in range(times):
        await ref.ask(number, deadline=trio.current_time() + _DEADLINE_S)


async def _ask_at_once(ref: Ref, times: int, askers: int = 64) -> None:
    async with trio.open_nursery(strict_exception_groups=True) as nursery:
        for _ in range(askers):
            nursery.start_soon(_ask, ref, times // askers)


async def _channel_round_trips(times: int) -> None:
    to_server, at_server = trio.open_memory_channel[int](1)
    to_client, at_client = trio.open_memory_channel[int](1)

    async def serve() -> None:
        async for number in at_server:
            await to_client.send(number)

    async with trio.open_nursery(strict_exception_groups=True) as nursery:
        nursery.start_soon(serve)
        for number in range(times):
            await to_server.send(number)
            await at_client.receive()
        to_server.close()


async def _task_round_trips(times: int) -> None:
    me = trio.lowlevel.current_task()

    async def answer() -> None:
        trio.lowlevel.reschedule(me)

    def abort(_: RaiseCancelT) -> Abort:
        return Abort.SUCCEEDED

    async with trio.open_nursery(strict_exception_groups=True) as nursery:
        for _ in range(times):
            nursery.start_soon(answer)
            await trio.lowlevel.wait_task_rescheduled(abort)


async def _deadlined_task_round_trips(times: int) -> None:
    me = trio.lowlevel.current_task()

    async def answer(scope: trio.CancelScope) -> None:
        with scope:
            trio.lowlevel.reschedule(me)

    def abort(_: RaiseCancelT) -> Abort:
        return Abort.SUCCEEDED

    async with trio.open_nursery(strict_exception_groups=True) as nursery:
        for _ in range(times):
            nursery.start_soon(answer, trio.CancelScope(deadline=trio.current_time() + _DEADLINE_S))
            await trio.lowlevel.wait_task_rescheduled(abort)


async def _scopes(times: int) -> None:
    for _ in range(times):
        scope = trio.CancelScope(deadline=trio.current_time() + _DEADLINE_S)
        scope.__enter__()
        scope.__exit__(None, None, None)


async def main(rounds: int = ROUNDS, asks: int = ASKS_PER_ROUND) -> None:
    """Measure and print."""
    spec = SupervisorSpec(
        id="bench",
        children=(
            ChildSpec(id="requests", start=_requests),
            ChildSpec(id="turns", start=_turns),
            ChildSpec(id="loop", start=_loop),
        ),
    )
    async with open_tree(spec, drain_s=0.0) as tree:
        contenders: dict[str, Callable[[int], Awaitable[None]]] = {
            "cancel scope with deadline, entered and left": _scopes,
            "nursery.start_soon, reschedule back": _task_round_trips,
            "the same within a scope with deadline": _deadlined_task_round_trips,
            "memory channel round trip": _channel_round_trips,
            "ask, serve_turns (inline)": partial(_ask, tree.ref("turns")),
            "ask, serve": partial(_ask, tree.ref("requests")),
            "ask, serve, 64 askers at once": partial(_ask_at_once, tree.ref("requests")),
            "ask, own loop on the inbox": partial(_ask, tree.ref("loop")),
        }
        spent: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(rounds):
            for name, contender in contenders.items():
                began = time.process_time()
                await contender(asks)
                spent[name].append((time.process_time() - began) / asks * 1e6)
    base = statistics.median(spent["memory channel round trip"])
    for name, rounds_us in spent.items():
        middle = statistics.median(rounds_us)
        low = min(rounds_us, default=math.nan)
        sys.stdout.write(f"{name:46} {middle:7.2f} us CPU (least {low:6.2f}), {middle / base:5.2f} x channel\n")


if __name__ == "__main__":
    trio.run(main)
