"""Drawn worlds of conversations: whatever leaves, dies or stalls, histories hold what callers were told, in order."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.actors.conversations.chaos import play

SEEDS = 30


def test_histories_hold_what_was_told_in_every_drawn_world() -> None:
    ends: Counter[str] = Counter()
    for seed in range(SEEDS):
        ends += play(seed)
    seen = {"finished", "finished, and told that it is not on the disk", "cancelled", "deadline", "shed"}
    seen |= {"ActorFailed", "Withdrawn", "ConversationDeleted", "server", "invalid_request"}
    assert seen <= set(ends), f"the worlds are too tame: {ends}"


@pytest.mark.long
def test_histories_hold_what_was_told_in_thousands_of_worlds() -> None:
    for seed in range(SEEDS, 5000):
        play(seed)
