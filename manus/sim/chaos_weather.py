"""Own the weather of a chaos world: what a provider goes through for a while, whoever asks it meanwhile.

A meeting is one request's bad luck; weather is a provider's, or that of several at once. It is data, on the grid of
time, and asked by time alone, so the same plan has the same weather. What it changes is the script of an answer;
only a clog changes the network, and a jump the wall clock.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import TypeVar, assert_never

import msgspec

from manus.sim.behaviour import Script
from manus.sim.faults import Fault, Rejected


class Span(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True):
    """What all weather has in common: at whom, from when, until when (seconds of virtual time, the end excluded)."""

    providers: tuple[str, ...]
    from_s: float
    until_s: float

    def covers(self, name: str, at_s: float) -> bool:
        """Whether it is at provider `name` at that time."""
        return name in self.providers and self.from_s <= at_s < self.until_s


class Outage(Span, frozen=True, kw_only=True, tag="outage"):
    """All of them fail in the same way, all the time: what they share has failed."""

    fault: Fault


class Flapping(Span, frozen=True, kw_only=True, tag="flapping"):
    """Down for `down_s`, up for `up_s`, and so on; down first."""

    fault: Fault
    down_s: float
    up_s: float


class BrownOut(Span, frozen=True, kw_only=True, tag="brown_out"):
    """A share of the requests (0 to 1) meets `fault`, or is `slow_s` late where there is none."""

    share: float
    fault: Fault | None = None
    slow_s: float = 0.0


class Storm(Span, frozen=True, kw_only=True, tag="storm"):
    """Too many requests: each is refused with 429 and `retry_after_s`, told as a date where `date` says so.

    With `warned`, answers of the `warned_s` before the storm say in their headers that nothing remains.
    """

    retry_after_s: float
    date: bool = False
    warned_s: float = 0.0

    def warns(self, name: str, at_s: float) -> bool:
        """Whether an answer that is given now tells of the storm that comes."""
        return name in self.providers and self.from_s - self.warned_s <= at_s < self.from_s


class Dripping(Span, frozen=True, kw_only=True, tag="dripping"):
    """Content comes token by token, with a gap before each."""

    gap_s: float


class Clog(Span, frozen=True, kw_only=True, tag="clog"):
    """Nothing comes through to clients, neither of new requests nor of those under way; afterwards all of it does."""


Weather = Outage | Flapping | BrownOut | Storm | Dripping | Clog


def kind_of(weather: Weather) -> str:
    """Name its kind, as plans do."""
    return str(weather.__struct_config__.tag)


class ClockJump(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The wall clock is set: `by_s` seconds ahead, or back where that is negative. The loop's clock does not notice."""

    at_s: float
    by_s: float


def script_under(
    weather: Iterable[Weather], script: Script, *, name: str, at_s: float, chance: random.Random
) -> Script:
    """Say what becomes of an answer that provider `name` begins at `at_s`.

    Args:
        chance: decides who is hit by a brown-out; drawn from once for each that is on.
    """
    for each in weather:
        if isinstance(each, Storm) and each.warns(name, at_s):
            script = _changed(script, limits_reset_s=each.from_s - at_s)
        if not each.covers(name, at_s):
            continue
        match each:
            case Outage(fault=fault):
                script = _changed(script, fault=fault)
            case Flapping(fault=fault):
                if (at_s - each.from_s) % (each.down_s + each.up_s) < each.down_s - 1e-9:
                    script = _changed(script, fault=fault)
            case BrownOut(fault=fault):
                if chance.random() >= each.share:
                    continue
                slow = {"latency_s": script.latency_s + each.slow_s}
                script = _changed(script, **slow) if fault is None else _changed(script, fault=fault)
            case Storm():
                refused = Rejected(status=429, retry_after_s=each.retry_after_s, retry_after_date=each.date)
                script = _changed(script, fault=refused, limits_reset_s=each.retry_after_s)
            case Dripping():
                script = _changed(script, chunk_tokens=1, gap_s=each.gap_s)
            case Clog():
                pass  # the network's part: `clogged_until`
            case unreachable:
                assert_never(unreachable)
    return script


def clogged_until(weather: Iterable[Weather], name: str, at_s: float) -> float:
    """Tell when what provider `name` sends at `at_s` comes through: then already, where nothing is in its way."""
    clogs = sorted((each.from_s, each.until_s) for each in weather if isinstance(each, Clog) and name in each.providers)
    for from_s, until_s in clogs:
        if from_s <= at_s < until_s:
            at_s = until_s
    return at_s


def wall_offset_s(jumps: Iterable[ClockJump], at_s: float) -> float:
    """Tell how far the wall clock has been set by then, in all."""
    return sum(jump.by_s for jump in jumps if jump.at_s <= at_s)


AnyWeather = TypeVar("AnyWeather", bound=Span)


def elsewhere(weather: Iterable[AnyWeather], name: str) -> tuple[AnyWeather, ...]:
    """Give the same weather with fair skies at provider `name`."""
    changed = (
        msgspec.structs.replace(each, providers=tuple(one for one in each.providers if one != name)) for each in weather
    )
    return tuple(each for each in changed if each.providers)


def _changed(script: Script, **fields: object) -> Script:
    return msgspec.structs.replace(script, **fields)
