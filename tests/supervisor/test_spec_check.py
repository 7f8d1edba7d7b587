"""A tree that could not work is refused before it is built, with every problem named."""

from __future__ import annotations

import math

import msgspec
import pytest

from manus.supervisor.spec import AnySpec, Backoff, ChildSpec, Intensity, Liveness, MailboxSpec, SupervisorSpec
from manus.supervisor.spec_check import SpecError, check_tree, covers, problems_of, walk
from tests.supervisor.core_rig import never_started, worker


def tree(*children: AnySpec) -> SupervisorSpec:
    return SupervisorSpec(id="root", children=children)


def test_a_sound_tree_passes() -> None:
    check_tree(
        tree(
            worker("books"),
            SupervisorSpec(
                id="upstreams", ordered=False, children=(worker("upstream/a", uses=("books",)), worker("upstream/b"))
            ),
            worker("router", uses=("upstream/*", "books")),
        )
    )


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"significant": True}, "significant"),
        ({"shutdown_s": math.inf}, "shutdown_s = inf"),
        ({"drain_s": math.inf}, "drain_s = inf"),
        ({"start_timeout_s": math.inf}, "start_timeout_s = inf"),
        ({"shutdown_s": -1.0}, "shutdown_s = -1"),
        ({"shutdown_s": math.nan}, "shutdown_s = nan"),
        ({"drain_s": -0.1}, "drain_s = -0.1"),
        ({"start_timeout_s": 0.0}, "start_timeout_s = 0"),
        ({"quarantine_s": 0.0}, "quarantine_s = 0"),
        ({"quarantine_s": math.inf}, "quarantine_s must be finite"),
        ({"intensity": Intensity(max_restarts=-1)}, "intensity.max_restarts"),
        ({"intensity": Intensity(period_s=0.0)}, "intensity.period_s"),
        ({"backoff": Backoff(min_s=-1.0)}, "backoff.min_s"),
        ({"backoff": Backoff(min_s=2.0, max_s=1.0)}, "backoff.max_s = 1"),
        ({"backoff": Backoff(max_s=math.inf)}, "backoff.max_s = inf"),
        ({"backoff": Backoff(max_s=math.nan)}, "backoff.max_s = nan"),
        ({"backoff": Backoff(factor=0.5)}, "backoff.factor"),
        ({"backoff": Backoff(jitter=1.5)}, "backoff.jitter"),
        ({"backoff": Backoff(jitter=-0.5)}, "backoff.jitter"),
        ({"backoff": Backoff(reset_after_s=-1.0)}, "backoff.reset_after_s"),
        ({"mailbox": MailboxSpec(capacity=-1)}, "mailbox.capacity"),
        ({"mailbox": MailboxSpec(control_capacity=0)}, "mailbox.control_capacity"),
        ({"liveness": Liveness(ping_interval_s=0.0)}, "liveness.ping_interval_s"),
        ({"liveness": Liveness(ping_timeout_s=0.0)}, "liveness.ping_timeout_s"),
        ({"liveness": Liveness(progress_timeout_s=0.0)}, "liveness.progress_timeout_s"),
        ({"uses": ("nobody",)}, "uses 'nobody'"),
        ({"uses": ("root",)}, "uses 'root'"),
        ({"uses": ("a",)}, "a -> a"),
    ],
)
def test_one_broken_rule_is_one_problem(settings: dict[str, object], named: str) -> None:
    (problem,) = problems_of(tree(worker("a", **settings)))
    assert problem.startswith("a: ")
    assert named in problem


@pytest.mark.parametrize("name", ["", " a", "a*", "a#1"])
def test_ids_that_could_be_mistaken_are_refused(name: str) -> None:
    assert [problem for problem in problems_of(tree(worker(name))) if "an id" in problem]


def test_ids_are_unique_in_the_whole_tree() -> None:
    nested = SupervisorSpec(id="inner", children=(worker("a"),))
    (problem,) = problems_of(tree(worker("a"), nested))
    assert problem.startswith("a: the id is used 2 times")


@pytest.mark.parametrize(
    ("max_restarts", "period_s", "reachable"),
    [(3, 7.01, True), (3, 7.0, False), (2, 3.5, True), (0, 0.1, True), (100, 60.0, False)],
)
def test_intensity_that_can_never_be_spent_is_refused(max_restarts: int, period_s: float, reachable: bool) -> None:
    """Three restarts wait 1 + 2 + 4 seconds at least; jitter only lengthens that and does not count."""
    spec = worker(
        "a",
        intensity=Intensity(max_restarts=max_restarts, period_s=period_s),
        backoff=Backoff(min_s=1.0, max_s=30.0, factor=2.0, jitter=1.0),
    )
    problems = list(problems_of(tree(spec)))
    assert problems == [] if reachable else "can never be spent" in problems[0]


def test_intensity_means_nothing_to_a_temporary_child() -> None:
    spec = worker("a", restart="temporary", intensity=Intensity(max_restarts=100, period_s=1.0))
    assert list(problems_of(tree(spec))) == []


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_shared_fate_needs_order(strategy: str) -> None:
    spec = msgspec.structs.replace(tree(worker("a")), strategy=strategy, ordered=False)
    (problem,) = problems_of(spec)
    assert "needs ordered = true" in problem


@pytest.mark.parametrize(
    ("uses", "circle"),
    [
        ({"a": ("b",), "b": ("c",), "c": ("a",)}, "a -> b -> c -> a"),
        ({"a": (), "b": ("x/*",), "x/1": ("b",)}, "b -> x/1 -> b"),
        ({"x/1": ("x/*",)}, "x/1 -> x/1"),
        ({"a": ("b", "c"), "b": ("c",), "c": ()}, None),
        ({"a": ("x/*",), "x/1": (), "x/2": ()}, None),
    ],
)
def test_refs_that_go_round_in_a_circle_are_refused(uses: dict[str, tuple[str, ...]], circle: str | None) -> None:
    problems = list(problems_of(tree(*(worker(name, uses=targets) for name, targets in uses.items()))))
    assert problems == [] if circle is None else circle in problems[0]


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        check_tree(tree(worker("a", shutdown_s=-1.0), worker("b", uses=("nobody",)), worker("b")))
    assert len(caught.value.problems) == 3
    assert "a: shutdown_s" in str(caught.value)


def test_a_prefix_covers_what_lies_beneath_it_and_nothing_beside() -> None:
    assert covers(("upstream/*",), "upstream/a")
    assert not covers(("upstream/*",), "upstream")
    assert not covers(("upstream/*",), "upstreams/a")
    assert not covers(("upstream",), "upstream/a")


def test_walk_goes_in_start_order() -> None:
    spec = tree(worker("a"), SupervisorSpec(id="s", children=(worker("b"),)), worker("c"))
    assert [each.id for each in walk(spec)] == ["root", "a", "s", "b", "c"]


def test_specs_are_values() -> None:
    assert worker("a") == ChildSpec(id="a", start=never_started)
    with pytest.raises(AttributeError):
        worker("a").id = "b"  # type: ignore[misc]
