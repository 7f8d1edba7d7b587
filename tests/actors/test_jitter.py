"""Jitter: equal for equal names and seeds, and untouched by what others draw."""

from __future__ import annotations

from manus.actors.jitter import Jitter


def draws(jitter: Jitter, count: int) -> list[float]:
    return [jitter.draw() for _ in range(count)]


def test_equal_seeds_and_names_draw_the_same() -> None:
    assert draws(Jitter(1, "a"), 5) == draws(Jitter(1, "a"), 5)


def test_others_draws_change_nothing() -> None:
    alone = draws(Jitter(1, "a"), 4)
    mine, other = Jitter(1, "a"), Jitter(1, "b")
    between = []
    for _ in range(4):
        other.draw()
        between.append(mine.draw())
        other.draw()
    assert between == alone


def test_names_and_seeds_have_streams_of_their_own() -> None:
    streams = [draws(Jitter(seed, name), 3) for seed in (1, 2) for name in ("a", "b")]
    assert len({tuple(stream) for stream in streams}) == 4


def test_draws_are_shares() -> None:
    assert all(0.0 <= draw < 1.0 for draw in draws(Jitter(3, "a"), 200))
