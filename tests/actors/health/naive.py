"""Own the oracle of health: as slow and as plain as can be, recomputed from the whole history at every question.

It knows the rules as `docs/health.md` says them, for policies without jitter, and shares no code with what it judges.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from manus.messages.routing_policy import HealthPolicy

End = Literal["good", "bad", "cooling", "auth", "quota", "permission", "nothing"]

WINDOW_PIECES = 10
MONTH_S = 31 * 86_400.0
POLL_S = 0.5


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the history.

    `begin` was granted; it `began` to be answered; `end` of the attempt `number`, or `left`; `crash` of the router;
    `list` asks for a list of models under a key and `listed` ends that.
    """

    what: Literal["begin", "began", "end", "left", "crash", "list", "listed", "no_list"]
    at: float
    number: int = -1
    deployment: str = ""
    key: str = ""
    end: End = "nothing"
    hint_s: float | None = None


class NaiveBreaker:
    """State, when it got there, and what counted since."""

    def __init__(self, policy: HealthPolicy) -> None:
        self.policy = policy
        self.state = "closed"
        self.period = 0
        self.until = -math.inf
        self.results: list[tuple[float, bool]] = []
        self.in_a_row_ever: list[bool] = []
        self.openings = 0
        self.prober: tuple[str, int] | None = None
        self.trial = False

    def go(self, state: str) -> None:
        self.state = state
        self.period += 1
        self.results = []

    def count(self, at: float, good: bool) -> None:
        self.results.append((at, good))
        lately = [each for _, each in self.results][-self.policy.failures :]
        if lately == [True] * self.policy.failures:
            self.openings = 0
        if good:
            self.trial = False
            return
        piece = self.policy.window_s / WINDOW_PIECES
        inside = [each for when, each in self.results if when // piece > at // piece - WINDOW_PIECES]
        too_many = lately == [False] * self.policy.failures
        too_often = len(inside) >= self.policy.calls_min and inside.count(False) >= self.policy.failure_rate * len(
            inside
        )
        if too_many or too_often or self.trial:
            self.open_doubling(at)

    def open_doubling(self, at: float) -> None:
        rest = min(self.policy.open_s * 2**self.openings, self.policy.open_max_s)
        self.openings += 1
        self.open_for(at, rest)

    def open_for(self, at: float, rest: float) -> None:
        self.go("open")
        self.trial = False
        self.until = at + rest


class NaiveDeployment:
    """One deployment: a breaker, a cooldown, and the attempts that run."""

    def __init__(self, policy: HealthPolicy) -> None:
        self.breaker = NaiveBreaker(policy)
        self.cool_until = -math.inf
        self.last_hintless_429 = -math.inf
        self.hintless = 0
        self.goods: list[float] = []


class World(msgspec.Struct):
    """What follows from a history."""

    deployments: dict[str, NaiveDeployment]
    keys: dict[str, NaiveBreaker]
    key_of: dict[str, str]
    refused_as: dict[str, str]
    running: dict[int, tuple[str, float, int, int]]
    listless: set[str]


def replay(history: list[Happened], key_of: dict[str, str], policy: HealthPolicy) -> World:
    """Live through a history again."""
    world = World(
        deployments={name: NaiveDeployment(policy) for name in key_of},
        keys={key: NaiveBreaker(policy) for key in key_of.values()},
        key_of=key_of,
        refused_as={},
        running={},
        listless=set(),
    )
    for line in history:
        _live(world, line, policy)
    return world


def _live(world: World, line: Happened, policy: HealthPolicy) -> None:
    if line.what == "begin":
        mine, key = world.deployments[line.deployment].breaker, world.keys[world.key_of[line.deployment]]
        for breaker in (mine, key):
            if breaker.state != "closed":
                if breaker.state == "open":
                    breaker.go("half_open")
                breaker.prober = ("attempt", line.number)
        world.running[line.number] = (line.deployment, line.at, mine.period, key.period)
    elif line.what == "crash":
        world.running.clear()
        for breaker in (*(each.breaker for each in world.deployments.values()), *world.keys.values()):
            breaker.prober = None
    elif line.what == "list":
        for breaker in list_would_try(world, line.key, line.at):
            breaker.go("half_open")
            breaker.prober = ("list", line.number)
    elif line.what == "began" and line.number in world.running:
        deployment, began, period, key_period = world.running[line.number]
        mine, key = world.deployments[deployment].breaker, world.keys[world.key_of[deployment]]
        me = ("attempt", line.number)
        if me in (mine.prober, key.prober):
            if mine.prober == me:
                mine.prober = None
                mine.go("closed")
                mine.trial = True
            if key.prober == me:
                key.prober = None
                key.go("closed")
            world.running[line.number] = (deployment, began, mine.period, key.period)
    elif line.what in ("listed", "no_list"):
        _listed(world, line, policy)
    elif line.number in world.running:
        deployment, began, period, key_period = world.running.pop(line.number)
        _ended(world, line, policy, deployment, began, period, key_period)


def _ended(
    world: World, line: Happened, policy: HealthPolicy, name: str, began: float, period: int, key_period: int
) -> None:
    mine = world.deployments[name]
    key_name = world.key_of[name]
    key = world.keys[key_name]
    end: End = "nothing" if line.what == "left" else line.end
    me = ("attempt", line.number)
    if end == "good":
        mine.goods.append(line.at)
        if began >= mine.last_hintless_429:
            mine.hintless = 0
    _cool(mine, end, line, began, policy)
    others_good = any(
        when >= line.at - policy.refused_s
        for other, each in world.deployments.items()
        if other != name and world.key_of[other] == key_name
        for when in each.goods[-1:]
    )
    model_only = end == "permission" and others_good and key.prober != me
    key_refused = end in ("auth", "quota", "permission") and not model_only
    rest = max(policy.refused_s, min(line.hint_s or 0.0, MONTH_S))
    own = mine.breaker
    if own.prober == me:
        own.prober = None
        if end == "good":
            own.go("closed")
        elif end == "bad":
            own.open_doubling(line.at)
        elif model_only:
            own.open_for(line.at, rest)
    elif own.period == period:
        if end in ("good", "bad"):
            own.count(line.at, end == "good")
        elif model_only:
            own.open_for(line.at, rest)
    was_prober = key.prober == me
    if was_prober:
        key.prober = None
        if end == "good":
            key.go("closed")
    if key_refused and (was_prober or key.period == key_period):
        key.open_for(line.at, rest)
        world.refused_as[key_name] = end


def _cool(mine: NaiveDeployment, end: End, line: Happened, began: float, policy: HealthPolicy) -> None:
    hint = None if line.hint_s is None else min(line.hint_s, MONTH_S)
    if end == "cooling" and hint is None:
        if began >= mine.last_hintless_429:
            mine.hintless += 1
            mine.last_hintless_429 = line.at
        pause = min(policy.cooldown_s * 2 ** (max(mine.hintless, 1) - 1), policy.open_max_s)
        mine.cool_until = max(mine.cool_until, line.at + pause)
    elif end in ("cooling", "bad") and hint is not None:
        mine.cool_until = max(mine.cool_until, line.at + hint)


def list_would_try(world: World, key_name: str, at: float) -> list[NaiveBreaker]:
    """Name the breakers that a list of models would find out about."""
    key = world.keys[key_name]
    if key_name in world.listless:
        return []
    tries: list[NaiveBreaker] = []
    if key.state != "closed":
        if key.state != "open" or at < key.until or world.refused_as[key_name] == "quota":
            return []
        tries.append(key)
    for name, each in world.deployments.items():
        rests_over = at >= each.breaker.until and at >= each.cool_until
        if world.key_of[name] == key_name and each.breaker.state == "open" and rests_over:
            tries.append(each.breaker)
    return tries


def _listed(world: World, line: Happened, policy: HealthPolicy) -> None:
    me = ("list", line.number)
    key = world.keys[line.key]
    end = line.end
    if line.what == "no_list" or end == "permission":
        world.listless.add(line.key)
        end = "nothing"
    for name, each in world.deployments.items():
        if world.key_of[name] == line.key and each.breaker.prober == me:
            each.breaker.prober = None
            if end == "bad":
                each.breaker.open_doubling(line.at)
    rest = max(policy.refused_s, min(line.hint_s or 0.0, MONTH_S))
    if key.prober == me:
        key.prober = None
        if end == "good" and world.refused_as[line.key] == "auth":
            key.go("closed")
        elif end == "auth":
            key.open_for(line.at, rest)
            world.refused_as[line.key] = "auth"
    elif end == "auth" and key.state == "closed":
        key.open_for(line.at, rest)
        world.refused_as[line.key] = "auth"


def state_of(world: World, name: str) -> str:
    """Say how a deployment stands, its key taken into account."""
    states = {world.deployments[name].breaker.state, world.keys[world.key_of[name]].state}
    return "open" if "open" in states else "half_open" if "half_open" in states else "closed"


def not_before(world: World, name: str, at: float, policy: HealthPolicy) -> float | None:
    """Say when a deployment may be asked; None is now."""
    mine = world.deployments[name]
    key_name = world.key_of[name]
    key = world.keys[key_name]
    hold = (
        0.0 if policy.probe_interval_s is None or key_name in world.listless else min(2 * policy.probe_interval_s, 10.0)
    )
    times: list[float] = [mine.cool_until]
    if key.state == "open":
        times.append(key.until + (0.0 if world.refused_as[key_name] == "quota" else hold))
    if mine.breaker.state == "open":
        times.append(mine.breaker.until + hold)
    for breaker in (key, mine.breaker):
        if breaker.state == "half_open" and breaker.prober is not None:
            times.append(at + POLL_S)
    latest = max(times)
    return latest if latest > at else None
