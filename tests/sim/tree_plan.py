"""Own plans for the supervisor's chaos: a random tree, what is sent into it, and the blows it gets, all as data.

A plan is drawn from a seed once; nothing is drawn while it runs. Times lie on a grid, for only there do things fall
into one tick. How often things go wrong is itself drawn, for even rates never find what needs two rare things.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Literal

import msgspec

from manus.supervisor.spec import OnExhausted, Restart, Strategy

GRID_S = 1 / 16
"""A power of two: its multiples and their sums are exact, so that what is due at the same time is due in one tick."""

Mode = Literal["safety", "liveness"]
"""Faults to the end; or faults until `heal_at_s`, after which everybody must serve again."""

Manner = Literal["requests", "turns", "inbox"]
Start = Literal["fine", "raise", "hang", "return"]
Way = Literal["ask", "stream", "tell", "cast", "place", "place_cast"]
DeedKind = Literal["work", "send", "push", "raise", "hang", "wedge", "later"]
BlowKind = Literal["crash", "cancel", "remove", "add"]


class Data(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What all parts of a plan are: values that survive JSON."""


class ActorPlan(Data, frozen=True, kw_only=True, tag="actor"):
    """One actor: how it takes its work, and how its first incarnations start. Later ones start well."""

    name: str
    manner: Manner
    places: int | None = None
    capacity: int = 8
    sheds: bool = False
    starts: tuple[Start, ...] = ()
    start_s: float = 0.0
    restart: Restart = "permanent"
    significant: bool = False
    max_restarts: int = 5
    period_s: float = 10.0
    backoff_s: float = 0.125
    backoff_max_s: float = 1.0
    jitter: float = 0.0
    reset_after_s: float | None = None
    on_exhausted: OnExhausted = "escalate"
    quarantine_s: float = 2.0
    shutdown_s: float = 0.5
    drain_s: float = 2.0
    start_timeout_s: float = 1.0
    progress_timeout_s: float | None = None


class GroupPlan(Data, frozen=True, kw_only=True, tag="group"):
    """One supervisor."""

    name: str
    strategy: Strategy = "one_for_one"
    ordered: bool = True
    max_restarts: int = 2
    period_s: float = 10.0
    on_exhausted: OnExhausted = "escalate"
    children: tuple[ActorPlan | GroupPlan, ...] = ()


class Deed(Data, frozen=True, kw_only=True):
    """One step of what a message has its handler do; `s` is how long that takes."""

    kind: DeedKind
    s: float = 0.0


class MessagePlan(Data, frozen=True, kw_only=True):
    """One message: who gets it when, how, and what it does there. `leave_s` later its sender walks off."""

    number: int
    at_s: float
    to: str
    way: Way
    within_s: float = 5.0
    leave_s: float | None = None
    deeds: tuple[Deed, ...] = ()


class Blow(Data, frozen=True, kw_only=True):
    """Something done to the tree from outside."""

    at_s: float
    kind: BlowKind
    actor: str


class Plan(Data, frozen=True, kw_only=True):
    """One run. The tree is stopped at `end_at_s`; in liveness mode nothing bad happens from `heal_at_s` on."""

    seed: int
    schedule_seed: int
    mode: Mode
    tree: GroupPlan
    messages: tuple[MessagePlan, ...] = ()
    blows: tuple[Blow, ...] = ()
    heal_at_s: float = 0.0
    end_at_s: float = 10.0
    drain_s: float = 2.0
    hard_s: float = 1.0

    @property
    def horizon_s(self) -> float:
        return self.end_at_s + 200.0


def plan_from_seed(seed: int, mode: Mode | None = None) -> Plan:
    """Draw a plan. The same seed and mode give the same plan, on every machine."""
    return _Draw(seed, mode).plan()


def actors_of(group: GroupPlan) -> Iterator[ActorPlan]:
    """Give every actor of a tree in start order."""
    for child in group.children:
        match child:
            case ActorPlan():
                yield child
            case GroupPlan():
                yield from actors_of(child)


def groups_of(group: GroupPlan) -> Iterator[GroupPlan]:
    """Give every supervisor of a tree, parents first."""
    yield group
    for child in group.children:
        if isinstance(child, GroupPlan):
            yield from groups_of(child)


class _Draw:
    """Draws one plan; each part from a stream of its own, so that one more draw here changes nothing there."""

    def __init__(self, seed: int, mode: Mode | None) -> None:
        self.seed = seed
        streams = {part: random.Random(f"{seed}/{part}") for part in ("rates", "tree", "messages", "blows")}
        self.tree_rng, self.message_rng, self.blow_rng = streams["tree"], streams["messages"], streams["blows"]
        rates = streams["rates"]
        self.mode: Mode = mode if mode is not None else rates.choice(["safety", "safety", "liveness"])
        self.fault_rate = rates.choice([0.0, 0.1, 0.3, 0.6])
        self.bad_start_rate = rates.choice([0.0, 0.0, 0.2, 0.5])
        self.leave_rate = rates.choice([0.0, 0.2, 0.5])
        self.blows_max = rates.choice([0, 2, 6, 15])
        self.messages_max = rates.choice([10, 30, 60])
        self.cramped = rates.random() < 0.4

    def plan(self) -> Plan:
        tree = self._group("root", depth=0)
        names = [actor.name for actor in actors_of(tree)]
        heal_at_s = 6.0
        end_at_s = heal_at_s + 40.0 if self.mode == "liveness" else self._on_grid(self.blow_rng, 2.0, 12.0)
        blows = sorted((self._blow(names, heal_at_s) for _ in range(self.blow_rng.randint(0, self.blows_max))), key=_at)
        count = self.message_rng.randint(1, self.messages_max)
        messages = [self._message(number, names, heal_at_s) for number in range(count)]
        if self.mode == "liveness":
            messages += [
                MessagePlan(number=count + each, at_s=heal_at_s + 30.0, to=name, way="ask", within_s=5.0)
                for each, name in enumerate(names)
            ]
        return Plan(
            seed=self.seed,
            schedule_seed=self.blow_rng.randrange(2**32),
            mode=self.mode,
            tree=tree,
            messages=tuple(sorted(messages, key=_at)),
            blows=tuple(blows),
            heal_at_s=heal_at_s,
            end_at_s=end_at_s,
            drain_s=self.blow_rng.choice([0.0, 0.5, 2.0]),
            hard_s=self.blow_rng.choice([0.125, 1.0, 5.0]),
        )

    def _group(self, name: str, depth: int) -> GroupPlan:
        rng = self.tree_rng
        strategies: list[Strategy] = ["one_for_one", "one_for_one", "one_for_all", "rest_for_one"]
        strategy = rng.choice(strategies)
        children: list[ActorPlan | GroupPlan] = []
        prefix = "" if name == "root" else f"{name}/"
        for number in range(rng.randint(1, 3)):
            if depth < 2 and rng.random() < 0.25:
                children.append(self._group(f"{prefix}g{number}", depth + 1))
            else:
                children.append(self._actor(f"{prefix}a{number}"))
        return GroupPlan(
            name=name,
            strategy=strategy,
            ordered=strategy != "one_for_one" or rng.random() < 0.7,
            max_restarts=rng.choice([0, 1, 3]),
            on_exhausted="quarantine" if self.mode == "liveness" else rng.choice(["escalate", "quarantine"]),
            children=tuple(children),
        )

    def _actor(self, name: str) -> ActorPlan:
        rng = self.tree_rng
        heals = self.mode == "liveness"
        manner: Manner = rng.choice(["requests", "requests", "turns", "inbox"])
        restart: Restart = "permanent" if heals else rng.choice(["permanent", "permanent", "transient", "temporary"])
        starts: list[Start] = ["raise", "hang", "return"]
        bad = [rng.choice(starts) if rng.random() < self.bad_start_rate else "fine" for _ in range(4)]
        quarantine: OnExhausted = "quarantine" if heals else rng.choice(["escalate", "quarantine", "quarantine"])
        return ActorPlan(
            name=name,
            manner=manner,
            places=rng.choice([None, 1, 1, 2]) if manner == "requests" else None,
            capacity=rng.choice([0, 1, 2]) if self.cramped else 64,
            # A loop of its own can begin nothing at once: without a queue it could be reached only by who waits.
            sheds=rng.random() < 0.2 and (manner != "inbox" or not self.cramped),
            starts=tuple(bad),
            start_s=rng.choice([0.0, 0.0, GRID_S, 0.5]),
            restart=restart,
            significant=restart != "permanent" and rng.random() < 0.2,
            max_restarts=rng.choice([0, 1, 2, 5]),
            period_s=rng.choice([4.0, 10.0]),
            backoff_s=rng.choice([0.0, GRID_S, 0.125]),
            backoff_max_s=rng.choice([0.125, 0.5]),
            jitter=rng.choice([0.0, 0.0, 0.5]),
            reset_after_s=rng.choice([None, 0.5]),
            on_exhausted=quarantine,
            quarantine_s=rng.choice([0.5, 2.0]),
            shutdown_s=rng.choice([0.0, 0.5, 1.0]),
            drain_s=rng.choice([0.0, 0.5, 2.0]),
            progress_timeout_s=rng.choice([None, 0.5, 1.0]),
        )

    def _message(self, number: int, names: list[str], before_s: float) -> MessagePlan:
        rng = self.message_rng
        ways: list[Way] = ["ask", "ask", "ask", "stream", "tell", "cast", "place", "place_cast"]
        way = rng.choice(ways)
        return MessagePlan(
            number=number,
            at_s=self._on_grid(rng, 0.0, before_s - 1.0),
            to=rng.choice(names),
            way=way,
            within_s=rng.choice([0.0, GRID_S, 0.125, 0.5, 5.0]),
            leave_s=self._on_grid(rng, 0.0, 0.5) if rng.random() < self.leave_rate else None,
            deeds=tuple(self._deeds(may_hang=self.mode == "safety" or way in ("ask", "stream"))),
        )

    def _deeds(self, *, may_hang: bool) -> Iterator[Deed]:
        """Draw what a handler does. Hanging without a deadline is found out only when more work comes: no healing."""
        rng = self.message_rng
        for _ in range(rng.randint(0, 4)):
            usual: list[DeedKind] = ["work", "work", "send", "push"]
            yield Deed(kind=rng.choice(usual), s=rng.choice([0.0, GRID_S, 0.125, 0.5]))
            if rng.random() < self.fault_rate / 4:
                faults: list[DeedKind] = ["raise", "raise", "hang" if may_hang else "raise", "wedge", "later"]
                yield Deed(kind=rng.choice(faults), s=rng.choice([0.0, GRID_S, 1.0, 3.0]))

    def _blow(self, names: list[str], before_s: float) -> Blow:
        rng = self.blow_rng
        kinds: list[BlowKind] = ["crash", "crash", "cancel"]
        if self.mode == "safety":
            kinds += ["remove", "add"]
        return Blow(at_s=self._on_grid(rng, 0.0, before_s), kind=rng.choice(kinds), actor=rng.choice(names))

    def _on_grid(self, rng: random.Random, low_s: float, high_s: float) -> float:
        return rng.randint(round(low_s / GRID_S), round(high_s / GRID_S)) * GRID_S


def _at(thing: Blow | MessagePlan) -> float:
    return thing.at_s
