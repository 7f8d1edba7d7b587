"""Name the core's actions in a few words; equal words mean the same decision."""

from __future__ import annotations

from typing import TypeAlias

from manus.supervisor import events, protocol

Brief: TypeAlias = tuple[object, ...]
"""An action in a few words, for comparison: its kind, the child, and what decides."""


def brief(action: protocol.Action) -> Brief:
    """Put one action into a few words."""
    match action:
        case protocol.Start(id=name):
            return ("start", name)
        case protocol.Drain(id=name):
            return ("drain", name)
        case protocol.Cancel(id=name):
            return ("cancel", name)
        case protocol.Fence(id=name, generation=generation):
            return ("fence", name, generation)
        case protocol.AnswerInHand(id=name, generation=generation):
            return ("answer", name, generation)
        case protocol.ScheduleAt(id=name):
            return ("timer", name)
        case protocol.Quarantine(id=name, until=until):
            return ("quarantine", name, until)
        case protocol.Readmit(id=name):
            return ("readmit", name)
        case protocol.Retire(id=name):
            return ("retire", name)
        case protocol.Forget(id=name):
            return ("forget", name)
        case protocol.Refuse(id=name):
            return ("refuse", name)
        case protocol.Ready():
            return ("ready",)
        case protocol.Escalate(child=name):
            return ("escalate", name)
        case protocol.Exit():
            return ("exit",)
        case protocol.Emit(event=events.RestartScheduled(actor=name, delay_s=delay_s, n_in_period=n)):
            return ("restart", name, round(delay_s, 9), n)
        case protocol.Emit(event=events.ActorStarted(actor=name)):
            return ("started", name)
        case protocol.Emit():
            return ("other",)
