"""Own what must hold of answers: a success is whole, and was said so; what a stream's reader has is the answer.

The texts that could be said are those of `chaos_said`: of one provider, or of two hands where one went on for another.
"""

from __future__ import annotations

from manus.messages.content import Reasoning, Text, ToolCall
from manus.messages.content import Refusal as Refused
from manus.messages.content import text_of as text_in
from manus.messages.outcomes import Answer, Finished, Unfinished
from manus.sim.chaos_clients import Seen
from manus.sim.chaos_said import said_to
from manus.sim.chaos_world import Report
from manus.sim.faults import (
    CorruptFrame,
    DuplicateTerminal,
    NoMarker,
    NoUsage,
    PauseTurn,
    PingsOnly,
    Refusal,
    Slow,
    WrongCharset,
)

HARMLESS = (Slow, DuplicateTerminal, NoUsage)
"""Faults under which an answer is whole all the same."""


def no_lie(report: Report) -> list[str]:
    """P5: a success is a whole answer that a provider really gave; nothing cut is called finished."""
    wrong: list[str] = []
    for seen in report.seen:
        if isinstance(seen.outcome, Finished):
            wrong += _doubts_about(report, seen, seen.outcome)
    return wrong


def whole_streams(report: Report) -> list[str]:
    """P6: what a stream's reader has at the end is the answer, to the letter, or the beginning of one."""
    wrong: list[str] = []
    for seen in report.seen:
        number = seen.client.number
        if not seen.client.stream:
            continue
        match seen.outcome:
            case Finished(answer=answer):
                if seen.text != text_in(answer.parts):
                    wrong.append(f"client {number} read {seen.text!r}, the answer is {text_in(answer.parts)!r}")
                read = [part for _, part in sorted(seen.parts.items()) if part[1]]
                if read != _parts_of(answer):
                    wrong.append(f"client {number} read {read!r}, the answer is {_parts_of(answer)!r}")
            case Unfinished(partial=partial) if partial is not None and not seen.walked_away:
                if not text_in(partial.parts).startswith(seen.text):
                    wrong.append(f"client {number} read {seen.text!r}, the partial is {text_in(partial.parts)!r}")
            case _:
                pass
        if seen.text and not any(said.text.startswith(seen.text) for said in said_to(report, number)):
            wrong.append(f"client {number} read {seen.text!r}, which nobody said")
    return wrong


def _doubts_about(report: Report, seen: Seen, outcome: Finished) -> list[str]:
    """Hold a success against what its provider was told to do."""
    client = seen.client
    text = text_in(outcome.answer.parts)
    for said in said_to(report, client.number):
        if said.visit.provider != outcome.provider:
            continue
        fault = said.visit.script.fault
        if isinstance(fault, Refusal | PauseTurn) and outcome.answer.finish.reason != "stop":
            if said.text.startswith(text):
                return []  # it is not called whole, and is the beginning of what was to be said
            continue
        if text != said.text:
            continue
        match fault:
            case None | WrongCharset() | PingsOnly(count=int()):
                return []
            case NoMarker(finish=True, after_chunks=None):
                return []
            case CorruptFrame() if not client.stream:
                return []  # there are no frames in an answer of one piece
            case fault if isinstance(fault, HARMLESS):
                return []
            case _:
                continue
    name = outcome.provider
    return [f"client {client.number} was told that {name} finished with {text!r}; no attempt there could end so"]


def _parts_of(answer: Answer) -> list[tuple[str, str]]:
    """Tell an answer part by part, as its reader has it: thoughts that are not shown are not there."""
    parts: list[tuple[str, str]] = []
    for part in answer.parts:
        match part:
            case Text(text=text):
                parts.append(("text", text))
            case Reasoning(text=text):
                parts.append(("reasoning", text))
            case Refused(text=text):
                parts.append(("refusal", text))
            case ToolCall(name=name, arguments=arguments):
                parts.append(("tool_call", name + arguments))
            case _:
                parts.append((type(part).__name__, ""))
    return [part for part in parts if part[1]]
