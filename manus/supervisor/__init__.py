"""Supervised actors on Trio: children that are restarted, mailboxes that outlive them, asks that always end.

A tree of specs is opened with `open_tree`; actors are plain async functions that are given a `Context`; messages go
through `Ref`s, which stay valid while incarnations come and go. Nothing here knows what the actors are for.

The names below are resolved when they are first used, so that importing this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manus.supervisor.bus import EventBus, Subscription
    from manus.supervisor.context import Context
    from manus.supervisor.dialog import Dialog, Sink
    from manus.supervisor.envelope import LATER, Envelope
    from manus.supervisor.fault_budget import FaultBudget
    from manus.supervisor.phase import Phase
    from manus.supervisor.ref import Place, Ref
    from manus.supervisor.shield import bounded_shield
    from manus.supervisor.spec import Backoff, ChildSpec, Intensity, Liveness, MailboxSpec, SupervisorSpec
    from manus.supervisor.spec_check import SpecError
    from manus.supervisor.stall import StallPolicy
    from manus.supervisor.statistics import ActorStatus, StopReport
    from manus.supervisor.terminals import (
        ActorFailed,
        Expired,
        SupervisorTerminal,
        Unavailable,
        Undelivered,
        Withdrawn,
    )
    from manus.supervisor.tree import RuntimeFailed, Tree, open_tree

__all__ = [
    "LATER",
    "ActorFailed",
    "ActorStatus",
    "Backoff",
    "ChildSpec",
    "Context",
    "Dialog",
    "Envelope",
    "EventBus",
    "Expired",
    "FaultBudget",
    "Intensity",
    "Liveness",
    "MailboxSpec",
    "Phase",
    "Place",
    "Ref",
    "RuntimeFailed",
    "Sink",
    "SpecError",
    "StallPolicy",
    "StopReport",
    "Subscription",
    "SupervisorSpec",
    "SupervisorTerminal",
    "Tree",
    "Unavailable",
    "Undelivered",
    "Withdrawn",
    "bounded_shield",
    "open_tree",
]

_HOMES = {
    "bus": ("EventBus", "Subscription"),
    "context": ("Context",),
    "dialog": ("Dialog", "Sink"),
    "envelope": ("LATER", "Envelope"),
    "fault_budget": ("FaultBudget",),
    "phase": ("Phase",),
    "ref": ("Place", "Ref"),
    "shield": ("bounded_shield",),
    "spec": ("Backoff", "ChildSpec", "Intensity", "Liveness", "MailboxSpec", "SupervisorSpec"),
    "spec_check": ("SpecError",),
    "stall": ("StallPolicy",),
    "statistics": ("ActorStatus", "StopReport"),
    "terminals": ("ActorFailed", "Expired", "SupervisorTerminal", "Unavailable", "Undelivered", "Withdrawn"),
    "tree": ("RuntimeFailed", "Tree", "open_tree"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
