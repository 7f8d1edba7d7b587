"""Worlds of hosts drawn from seeds, in virtual time: whatever they do and whoever is struck, the promises hold."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.ipc.hostile.drawn import draw_world
from tests.ipc.hostile.world import run_world

WORLDS = 24
SEEN = (
    *("generate stop", "stream stop", "stream cancelled", "chat_stream stop"),
    *("error overloaded", "error slow_consumer", "error actor_crashed"),
    *("struck on stdio", "struck on a socket", "engine ended", "heard to the end"),
)
"""What has to come up in every batch, or it proves nothing."""


def play(seeds: range) -> Counter[str]:
    """Play the worlds of these seeds; give what was seen in all of them together."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        try:
            report = run_world(draw_world(seed))
        except Exception as error:
            error.add_note(f"world {seed}")
            raise
        assert not report.broken, f"world {seed}: {report.broken[:10]}"
        seen.update(report.marks)
    return seen


def test_every_host_gets_its_due_in_worlds_of_hosts() -> None:
    seen = play(range(WORLDS))
    assert not [mark for mark in SEEN if not seen[mark]], seen


@pytest.mark.long
def test_every_host_gets_its_due_in_thousands_of_worlds() -> None:
    play(range(WORLDS, 4_000))
