"""Own where a history may be cut, and how far it has to be to fit. Pure.

A cut is a number of exchanges, counted from the oldest. Only whole exchanges go, and none whose tool call is answered
in one that stays: a result without its call is refused by every vendor.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from manus.messages.content import ToolCall, ToolResult, Turn


def cuts_of(turns: Sequence[Sequence[Turn]]) -> tuple[int, ...]:
    """List the cuts that a conversation allows, from 0 on, ascending.

    `turns` are those of each exchange, oldest first, and at the end those that are asked now, which always stay.
    """
    needs = _oldest_needed(turns)
    allowed = []
    stays = len(turns) - 1
    for cut in range(len(turns) - 1, -1, -1):
        stays = min(stays, needs[cut])
        if stays >= cut:
            allowed.append(cut)
    return tuple(reversed(allowed))


def cut_to(sizes: Sequence[int], cuts: Sequence[int], rest_bytes: int, bytes_max: float) -> int:
    """Give the smallest of `cuts` that leaves at most `bytes_max`, or the largest there is.

    Args:
        sizes: of the exchanges, oldest first.
        cuts: what may be cut, ascending.
        rest_bytes: what stays in any case.
        bytes_max: how much may stay.
    """
    gone = [0, *accumulate(sizes)]
    for cut in cuts:
        if gone[-1] - gone[cut] + rest_bytes <= bytes_max:
            return cut
    return cuts[-1]


def _oldest_needed(turns: Sequence[Sequence[Turn]]) -> list[int]:
    """Give for each exchange the oldest one whose calls it answers; itself, where there is none.

    A result answers the oldest call with its id that nobody has answered yet, as when a conversation is written for a
    wire.
    """
    waiting: dict[str, list[int]] = {}
    needs = []
    for number, exchange in enumerate(turns):
        oldest = number
        for turn in exchange:
            for part in turn.parts:
                if isinstance(part, ToolCall) and turn.role == "assistant":
                    waiting.setdefault(part.id, []).append(number)
                elif isinstance(part, ToolResult) and waiting.get(part.id):
                    oldest = min(oldest, waiting[part.id].pop(0))
        needs.append(oldest)
    return needs
