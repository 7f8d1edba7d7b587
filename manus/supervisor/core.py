"""Own every decision of a supervisor, without doing any of it.

`SupervisorCore.handle(input, now)` takes what happened and returns what to do. It never awaits,
sleeps, reads a clock or draws entropy of its own, so the whole table of strategies, restart types,
exit reasons and races can be walked in a test.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from manus.supervisor.protocol import Action, Input
from manus.supervisor.spec import AnySpec, SupervisorSpec

ChildState: TypeAlias = Literal[
    "waiting", "starting", "running", "draining", "stopping", "backoff", "quarantined", "stopped"
]


class ChildStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What the core knows of one child. `zombies` are fenced generations whose tasks have not ended."""

    id: str
    state: ChildState
    generation: int
    restarts: int
    zombies: int


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """What a supervisor's successor inherits per child, so that generations never repeat on a slot."""

    spec: AnySpec
    generation: int
    zombies: frozenset[int]


class SupervisorCore:
    """The state machine of one supervisor and its direct children."""

    def __init__(
        self, spec: SupervisorSpec, *, rng: random.Random, carried: Mapping[str, Carried] | None = None
    ) -> None:
        """`carried` comes from the predecessor's `carry()`; its specs replace those of `spec.children`."""

    def handle(self, event: Input, now: float) -> list[Action]:
        """Take one input at loop time `now`; return the actions to execute, in order."""
        raise NotImplementedError

    def status(self) -> tuple[ChildStatus, ...]:
        """Describe the children in start order."""
        raise NotImplementedError

    def carry(self) -> dict[str, Carried]:
        """Give what the next core of this supervisor must know, in start order."""
        raise NotImplementedError
