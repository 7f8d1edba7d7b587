"""Own what could be said to a client: what providers were told to say, and what they make of others' beginnings.

A continued answer is of two hands: a prefix of what one said, as it was shown to the other, and what the other said
then. Blanks at the end of the prefix are not shown to it (vendors refuse them), so they may stand between.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from manus.sim.chaos_world import Report, Visit
from manus.sim.faults import Cut
from manus.sim.prefill import rest_of

BEYOND_ASCII = " \U0001f30d"
"""What the cut inside a character adds to a text that has none of several bytes."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider would have said in the end, had nothing come between: `text`, from the answer's beginning."""

    visit: Visit
    text: str


def said_to(report: Report, number: int) -> list[Said]:
    """Give all that could be said to a client, in the order in which its providers were asked."""
    said: list[Said] = []
    for visit in report.visits:
        if visit.number == number:
            said += [Said(visit=visit, text=text) for text in _whole_texts(visit, [each.text for each in said])]
    return said


def _whole_texts(visit: Visit, before: list[str]) -> Iterator[str]:
    own = visit.script.text or ""
    if isinstance(visit.script.fault, Cut) and visit.script.fault.where == "utf8" and own.isascii():
        own += BEYOND_ASCII
    if not visit.begun or visit.prefill != "continue":
        yield own
        return
    rest = rest_of(own, visit.begun)
    for shown in dict.fromkeys(_shown(visit.begun, before)):
        blanks = shown[len(visit.begun) :]
        yield shown + (rest[len(blanks) :] if rest.startswith(blanks) else rest.lstrip())


def _shown(begun: str, before: list[str]) -> Iterator[str]:
    """Give what the client can have seen when `begun` was shown as the beginning: that, and blanks."""
    for text in before:
        if not text.startswith(begun):
            continue
        end = len(begun)
        yield begun
        while end < len(text) and text[end].isspace():
            end += 1
            yield text[:end]
