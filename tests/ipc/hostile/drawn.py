"""Own what chance decides about a world of hosts: their programs, their pipes, the bounds, and who is struck when.

A plan is data and comes from its seed alone. Bounds lie at 1 and little as often as at what is usual, for that is where
faults are.
"""

from __future__ import annotations

import random
from typing import Final, Literal

import msgspec

GRID_S: Final = 0.05
"""All waits are multiples of it, so that things fall into one moment."""

Action = Literal[
    "generate",
    "stream",
    "chat_stream",
    "ping",
    "cancel",
    "credit",
    "pause",
    "resume",
    "garbage",
    "short",
    "engine",
    "wait",
    "read",
    "cut",
]
"""What a host does next. `cut` writes a request in two pieces with a wait between them; `engine` speaks the Atomic
Engine's envelope, which only a socket understands."""

Ending = Literal["finish", "half_close", "vanish", "die_within_a_line", "shutdown", "stay"]

_WEIGHTS: Final[dict[Action, int]] = {
    "generate": 4,
    "stream": 6,
    "chat_stream": 1,
    "ping": 3,
    "cancel": 4,
    "credit": 3,
    "pause": 1,
    "resume": 1,
    "garbage": 2,
    "short": 1,
    "engine": 2,
    "wait": 4,
    "read": 3,
    "cut": 2,
}


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of one connection; see `IpcPolicy`."""

    window: int | None
    in_flight_max: int
    outbox_bytes_max: int
    stream_bytes_max: int
    event_bytes_max: int
    batch_bytes: int
    lines_per_pass: int


class HostPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One host.

    Args:
        name: its prompts begin with it.
        program: what it does, one after another.
        ending: what it does at last.
        reads: whether a task of its own reads whatever comes; else it reads only where its program says so.
        portion_bytes: how much it writes, and reads, at once.
        pipe_bytes: how much each of its pipes holds.
        grants: whether it gives an event back for each that it took.
    """

    name: str
    program: tuple[Action, ...]
    ending: Ending
    reads: bool
    portion_bytes: int
    pipe_bytes: int
    grants: bool
    bounds: Bounds


class WorldPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A world of hosts.

    Args:
        hosts: those that may do as they like.
        strikes: when whose session is struck: of a host by its place; that of the first is on stdio and comes back.
        gap_s: between the chunks of answers.
    """

    seed: int
    hosts: tuple[HostPlan, ...]
    strikes: tuple[tuple[float, int], ...]
    gap_s: float


def draw_world(seed: int) -> WorldPlan:
    """Draw a world."""
    rng = random.Random(f"hosts/{seed}")
    hosts = tuple(_draw_host(rng, f"h{number}") for number in range(rng.randrange(1, 5)))
    until = rng.choice((5, 20, 60))
    struck = sorted(rng.randrange(1, until) * GRID_S for _ in range(rng.choice((0, 0, 1, 3, 8))))
    strikes = tuple((at_s, rng.choice((0, len(hosts) - 1))) for at_s in struck)
    return WorldPlan(seed=seed, hosts=hosts, strikes=strikes, gap_s=rng.choice((0.0, GRID_S, 3 * GRID_S)))


def _draw_host(rng: random.Random, name: str) -> HostPlan:
    actions = list(_WEIGHTS)
    favourite = rng.choice(actions)
    bytewise = rng.random() < 0.1
    weights = [_WEIGHTS[action] * (8 if action == favourite else 1) for action in actions]
    return HostPlan(
        name=name,
        program=tuple(rng.choices(actions, weights, k=rng.randrange(1, 40))),
        ending=rng.choice(("half_close", "half_close", "vanish", "die_within_a_line", "shutdown", "stay")),
        reads=rng.random() < 0.7,
        portion_bytes=rng.choice((1, 64, 4096, 4096, 65_536, 65_536)) if bytewise else rng.choice((64, 4096, 65_536)),
        pipe_bytes=rng.choice((1, 64, 4096)) if bytewise else rng.choice((64, 4096, 65_536)),
        grants=rng.random() < 0.7,
        bounds=draw_bounds(rng),
    )


def draw_bounds(rng: random.Random) -> Bounds:
    """Draw the bounds of a connection."""
    return Bounds(
        window=rng.choice((None, None, 1, 2, 64)),
        in_flight_max=rng.choice((1, 2, 8, 1024)),
        outbox_bytes_max=rng.choice((1024, 4096, 8 * 2**20)),
        stream_bytes_max=rng.choice((1, 256, 64 * 2**10)),
        event_bytes_max=rng.choice((1, 64, 8 * 2**10)),
        batch_bytes=rng.choice((1, 256, 64 * 2**10)),
        lines_per_pass=rng.choice((1, 64)),
    )
