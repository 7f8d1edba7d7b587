"""Own one drawn run of conversations: many callers who stay or leave, deletions, crashes, a disk that comes and goes.

What must be in each history is worked out from what the callers were told. By hand, with figures:
`python -m tests.actors.conversations.chaos 2000`.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from typing import Literal

import msgspec
import trio
import trio.testing

from manus.actors.conversations.shelf import Shelf
from manus.actors.conversations.store import MemoryStore
from manus.messages.conversations import (
    ConversationAsked,
    ConversationDeleted,
    ConversationPolicy,
    ConversationUnknown,
    DeleteConversation,
)
from manus.messages.outcomes import Finished, Unfinished
from manus.messages.routing_policy import HealthPolicy, RetryPolicy, RouterPolicy
from manus.sim.behaviour import Script
from manus.sim.faults import Cut, Fault, Rejected, Stall
from manus.sim.wire import ChatAsked
from manus.supervisor.dialog import Dialog
from manus.supervisor.ref import Question
from manus.supervisor.terminals import ActorFailed, Expired, Undelivered, Withdrawn
from tests.actors.conversations.disk import SlowDisk
from tests.actors.conversations.talk import memory_of, texts_of, turn_asked
from tests.actors.rig import Rig, Upstreams, open_rig

GRID_S = 0.05
"""All times are multiples of it, so that things fall into one moment and races happen."""

CALLERS, TURNS, NAMES = 10, 3, "abc"

PATIENCE_S = 1000.0

FAULTS: tuple[Fault | None, ...] = (
    None,
    None,
    None,
    Rejected(status=500),
    Rejected(status=400),
    Cut(where="body", after_chunks=1),
    Stall(where="first_token"),
)

ROUTING = RouterPolicy(
    retry=RetryPolicy(same_deployment=0),
    health=HealthPolicy(failures=1_000_000, calls_min=1_000_000, failure_rate=1.0),
)


class Said(msgspec.Struct, kw_only=True):
    """One turn as its caller saw it, or a deletion; `place` is its place in the order of asking.

    `patient` callers wait longer than any world lasts.
    """

    place: int
    conversation: str
    text: str | None
    patient: bool = True
    end: object = None


class World:
    """One run, drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"{seed}/conversations")
        self.seed = seed
        self.said: list[Said] = []
        self.forgets = self.rng.random() < 0.3
        self.policy = ConversationPolicy(
            waiting_max=self.rng.choice((0, 1, 4, 16)),
            in_hand_max=self.rng.choice((2, 8, 100)),
            conversations_max=self.rng.choice((1, 2)) if self.forgets else 100,
            conversation_bytes_max=600 if self.forgets else 1_000_000,
            confirm_s=self.rng.choice((0.05, 0.2, 5.0)),
        )
        self.disk = SlowDisk(self.rng.randrange(4)) if self.rng.random() < 0.6 else None

    def script(self, asked: ChatAsked) -> Script:
        """Answer a prompt by repeating it, at a pace and with a fault that are its own."""
        own = random.Random(f"{self.seed}/{asked.prompt}")
        return Script(
            text=f"re {asked.prompt}",
            latency_s=GRID_S * own.randrange(3),
            gap_s=GRID_S * own.randrange(3),
            fault=own.choice(FAULTS),
        )

    async def run(self) -> Counter[str]:
        """Play, and check. Gives how each turn ended."""
        async with trio.open_nursery() as nursery:
            if self.disk is not None:
                nursery.start_soon(self.disk.work)
            way = Upstreams()
            way.sim.behave(self.script)
            async with open_rig(("a", way), policy=ROUTING, seed=self.seed) as rig:
                rig.tree.add("root", memory_of(self.policy, self.disk or MemoryStore()))
                async with trio.open_nursery() as players:
                    for number in range(CALLERS):
                        players.start_soon(self._call, rig, number)
                    players.start_soon(self._delete, rig)
                    players.start_soon(self._strike, rig)
                    if self.disk is not None:
                        players.start_soon(self._trouble, self.disk)
                await self._check(rig)
            nursery.cancel_scope.cancel()
        return Counter(kind_of(each.end) for each in self.said)

    # --- the players --------------------------------------------------------------------------------

    async def _call(self, rig: Rig, number: int) -> None:
        rng = random.Random(f"{self.seed}/caller/{number}")
        conversations = rig.tree.ref("conversations")
        for turn in range(TURNS):
            await trio.sleep(GRID_S * rng.randrange(12))
            said = Said(place=len(self.said), conversation=rng.choice(NAMES), text=f"{number}.{turn}")
            self.said.append(said)
            way = rng.choice(("stay", "stay", "leave", "cancel", "stream"))
            said.patient = rng.random() < 0.7
            deadline = trio.current_time() + (PATIENCE_S if said.patient else GRID_S * rng.randrange(1, 30))
            chat = turn_asked(said.text or "", said.conversation, stream=way in ("cancel", "stream"))
            after_s = GRID_S * rng.randrange(20)
            if way in ("cancel", "stream"):
                dialog = conversations.ask_stream(chat, deadline=deadline)
                said.end = await self._streamed(dialog, after_s if way == "cancel" else None)
            else:
                question = conversations.put(chat, deadline=deadline)
                said.end = await self._waited(question, after_s if way == "leave" else None)

    async def _streamed(self, dialog: Dialog, cancel_after_s: float | None) -> object:
        with trio.CancelScope() as scope:
            scope.deadline = trio.current_time() + (1e9 if cancel_after_s is None else cancel_after_s)
            async for _ in dialog:
                pass
        if scope.cancelled_caught:
            dialog.cancel()
        outcome = await dialog.outcome()
        dialog.close()
        return outcome

    async def _waited(self, question: Question, leave_after_s: float | None) -> object:
        if leave_after_s is not None:
            await trio.sleep(leave_after_s)
            question.leave()
        return await question.answer()

    async def _delete(self, rig: Rig) -> None:
        conversations = rig.tree.ref("conversations")
        for _ in range(self.rng.randrange(4)):
            await trio.sleep(GRID_S * self.rng.randrange(20))
            said = Said(place=len(self.said), conversation=self.rng.choice(NAMES), text=None)
            self.said.append(said)
            message = DeleteConversation(conversation_id=said.conversation)
            said.end = await conversations.ask(message, deadline=trio.current_time() + 60)

    async def _strike(self, rig: Rig) -> None:
        rng = random.Random(f"{self.seed}/blows")
        for _ in range(rng.randrange(5)):
            await trio.sleep(GRID_S * rng.randrange(16))
            actor = rng.choice(("conversations", "conversations", "router", "provider/a"))
            if any(each.id == actor and each.state == "running" for each in rig.tree.status()):
                rig.tree.crash(actor, RuntimeError("struck"))

    async def _trouble(self, disk: SlowDisk) -> None:
        rng = random.Random(f"{self.seed}/disk")
        states: tuple[Literal["well", "refuses", "stalls"], ...] = ("well", "well", "refuses", "stalls")
        for _ in range(6):
            await trio.sleep(GRID_S * rng.randrange(10))
            disk.state = rng.choice(states)
            disk.stir()
        disk.state = "well"
        disk.stir()

    # --- what must hold -----------------------------------------------------------------------------

    async def _check(self, rig: Rig) -> None:
        await rig.settled()
        assert not [event for event in rig.events if type(event).__name__ == "RequestCrashed"]
        assert not [each for each in self.said if each.patient and kind_of(each.end) in ("deadline", "Expired")]
        shelf = rig.tree._ground.slots["conversations"].cell
        assert isinstance(shelf, Shelf)
        conversations = rig.tree.ref("conversations")
        for name in NAMES:
            asked = ConversationAsked(conversation_id=name)
            answer = await conversations.ask(asked, deadline=trio.current_time() + 1.0)
            assert isinstance(answer, ConversationUnknown) or getattr(answer, "in_hand", None) == 0
            history = shelf.get(name)
            held = [] if history is None else [texts_of(exchange) for exchange in history.exchanges]
            told = self.told_in(name)
            if self.forgets:
                assert held == told[len(told) - len(held) :], "what is held is the end of what was told"
            else:
                assert held == told
            if self.disk is not None:
                self._check_disk(shelf, name)
        await rig.check()

    def told_in(self, name: str) -> list[tuple[str, str]]:
        """Work out what a conversation must hold: whatever was answered of what was asked after the last deletion."""
        mine = [each for each in self.said if each.conversation == name]
        deletions = [each.place for each in mine if isinstance(each.end, ConversationDeleted)]
        last = max(deletions, default=-1)
        kept = [each for each in mine if each.place > last and isinstance(each.end, Finished)]
        return [(each.text or "", f"re {each.text}") for each in kept]

    def _check_disk(self, shelf: Shelf, name: str) -> None:
        assert self.disk is not None
        assert self.disk.backlog == 0
        history, kept = shelf.get(name), self.disk.image.get(name)
        if history is None:
            assert kept is None
            return
        bodies = [msgspec.json.encode(exchange) for exchange in history.exchanges]
        assert kept == (history.system, dict(enumerate(bodies, start=history.first)))


def kind_of(end: object) -> str:
    """Name an end. Every turn has one that its caller may see."""
    match end:
        case Finished(answer=answer):
            return "finished, and told that it is not on the disk" if answer.warnings else "finished"
        case Unfinished(failure=failure):
            return failure.kind
        case ActorFailed() | Expired() | Undelivered() | Withdrawn() | ConversationDeleted():
            return type(end).__name__
        case _:
            raise AssertionError(f"an end that nobody should see: {end!r}")


def play(seed: int) -> Counter[str]:
    """Run one world on a virtual clock."""
    return trio.run(World(seed).run, clock=trio.testing.MockClock(autojump_threshold=0.0))


def main(seeds: int) -> None:
    """Run many, and print how their turns ended."""
    began_at = time.monotonic()
    ends: Counter[str] = Counter()
    for seed in range(seeds):
        try:
            ends += play(seed)
        except Exception:
            print(f"seed {seed}", file=sys.stderr)
            raise
    print(f"{seeds} worlds, {ends.total()} turns and deletions in {time.monotonic() - began_at:.0f} s")
    for kind, count in ends.most_common():
        print(f"{count:8} {kind}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
