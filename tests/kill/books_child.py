"""A process to be killed: keeps books as fast as it can, and notes on the side what it has told and sent.

    python -m tests.kill.books_child LEDGER NOTES SEED DURABILITY

The notes:

    granted NAME          the intent is durable, says accounting
    sent NAME             bytes left: from here on it may be billed
    booked NAME STATE     its ending is durable, says accounting
"""

from __future__ import annotations

import itertools
import random
import sys
import time

import trio

from manus.actors.accounting import ACCOUNTING, accounting_child
from manus.actors.ledger.opening import open_ledger
from manus.messages.accounting import Booked, Dispatched, Doubt, Granted, Release, Reserve, Settle
from manus.messages.ids import DeploymentId, RequestId
from manus.messages.policy import LedgerPolicy
from manus.messages.usage import Price, Usage
from manus.supervisor.ref import Ref
from manus.supervisor.spec import SupervisorSpec
from manus.supervisor.tree import open_tree
from tests.kill.notes import Notes

CLIENTS = 24
PRICE = Price(input=1_000_000_000, output=4_000_000_000, version="kill")


def bound_of(name: str) -> Usage:
    """The bound an attempt is reserved with: anybody can compute it from the name."""
    rng = random.Random(f"bound/{name}")
    return Usage(input_uncached=rng.randrange(100, 10_000), output=rng.randrange(100, 5_000), source="bound")


def used_by(name: str) -> Usage:
    """What an attempt uses, where it is settled."""
    bound = bound_of(name)
    rng = random.Random(f"used/{name}")
    return Usage(
        input_uncached=rng.randrange(bound.input_uncached),
        output=rng.randrange(bound.output),
        source=rng.choice(("reported", "estimated")),
    )


def ending_of(name: str) -> Settle | Release | Doubt:
    """How an attempt ends if it lives to its end."""
    request_id = RequestId(name)
    match random.Random(f"ending/{name}").randrange(10):
        case 0 | 1:
            return Release(request_id=request_id, attempt=1, reason="refused")
        case 2:
            return Doubt(request_id=request_id, attempt=1, reason="cut")
        case _:
            return Settle(request_id=request_id, attempt=1, usage=used_by(name), finish="stop")


async def attempt(accounting: Ref, notes: Notes, name: str, rng: random.Random) -> None:
    """Make one attempt, at a pace that leaves many open at any moment."""
    place = accounting.place()
    assert place is not None
    reserve = Reserve(
        request_id=RequestId(name),
        attempt=1,
        deployment=DeploymentId("alpha/small"),
        provider="alpha",
        model="small",
        bound=bound_of(name),
        estimate=Usage(source="estimated"),
        price=PRICE,
        tags=("x" * rng.randrange(1, 200),),
    )
    granted = await accounting.ask(reserve, deadline=trio.current_time() + 30)
    if not isinstance(granted, Granted):
        place.free()
        await trio.sleep(0.01)
        return
    notes.write("granted", name)
    await trio.sleep(rng.choice((0.0, 0.0, 0.002, 0.02)))
    accounting.cast(Dispatched(request_id=RequestId(name), attempt=1))
    notes.write("sent", name)
    await trio.sleep(rng.choice((0.0, 0.002, 0.02, 0.2)))
    booked = await place.ask(ending_of(name), deadline=trio.current_time() + 30)
    if isinstance(booked, Booked) and booked.durable:
        notes.write("booked", name, booked.state)


async def main(ledger: str, notes_path: str, seed: str, durability: str) -> None:
    """Work until killed."""
    policy = LedgerPolicy(
        path=ledger,
        durability="power" if durability == "power" else "process",
        gather_s=0.02,
        open_max=64,
        segment_bytes=256 * 1024,
    )
    notes = Notes(notes_path)
    numbers = itertools.count()

    async def client(accounting: Ref, rng: random.Random) -> None:
        while True:
            await attempt(accounting, notes, f"{seed}-{next(numbers)}", rng)

    async with open_ledger(policy, now_unix_s=time.time) as store:
        notes.write("began", store.run_id)
        root = SupervisorSpec(id="root", children=(accounting_child(store, policy, now_unix_s=time.time),))
        async with open_tree(root, seed=1) as tree, trio.open_nursery() as nursery:
            for number in range(CLIENTS):
                nursery.start_soon(client, tree.ref(ACCOUNTING), random.Random(f"{seed}/{number}"))


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4])
