"""Seeded runs of a whole agent that is reloaded under load: conservation, one end for each request, none dropped."""

from __future__ import annotations

import msgspec
import pytest

from tests.reload.chaos import Report, Seen, broken, play

SEEDS = 24
SEEDS_LONG = 2_000


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_is_reloaded_when_nothing_is_dropped_and_the_books_add_up(seed: int) -> None:
    report = play(seed)
    assert broken(report) == []
    assert report.reloads


@pytest.mark.long
@pytest.mark.parametrize("first", range(SEEDS, SEEDS_LONG, 100))
def test_many_more_seeds(first: int) -> None:
    assert {seed: told for seed in range(first, first + 100) if (told := broken(play(seed)))} == {}


def test_the_judge_sees_what_is_broken() -> None:
    text = "a: one two three four five."
    fine = Report(calm=True, seen=[Seen(number=0, began_at=0.0, text=text)], asked=1, in_force=True, rows=(1, 1, 0, 0))
    assert broken(fine) == []

    def judged(**changes: object) -> list[str]:
        return broken(msgspec.structs.replace(fine, **changes))

    dropped = Seen(number=0, began_at=0.0, kind="stopped")
    late = Seen(number=0, began_at=0.0, ended_at=61.0, text=text)
    torn = Seen(number=0, began_at=0.0, text=text, streamed=text[:5])
    lies: list[dict[str, object]] = [
        {"seen": []},
        {"seen": [dropped]},
        {"seen": [dropped], "calm": False},
        {"seen": [late]},
        {"seen": [torn]},
        {"rows": (2, 1, 0, 0)},
        {"open_rows": 1},
        {"billed_tokens": 1},
        {"booked_tokens": 1},
        {"reloads_refused": ["why"]},
        {"in_force": False},
        {"actors": frozenset({"provider/first"})},
        {"limits_used": (1,)},
        {"limits": (1,)},
        {"open_exchanges": 1},
    ]
    assert [lie for lie in lies if not judged(**lie)] == []
