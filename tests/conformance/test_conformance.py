"""Every host gives every case the outcome that a Trio program gets, field by field; its books are as the bills say."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest

from tests.conformance.asking import Case
from tests.conformance.books import check_books
from tests.conformance.cases import (
    SHARED,
    cancels_midway,
    embeds,
    generates,
    generates_elsewhere,
    leaves,
    streams,
)
from tests.conformance.driver import Driver
from tests.conformance.hosts import HOSTS, REFERENCE
from tests.conformance.lone_cases import ALONE
from tests.conformance.vendors import Vendors, served

DRAIN_S = 1.0
"""What a host gives its requests in flight; what is to end within it takes a tenth of that."""


class Stage:
    """One host with the providers that it alone asks."""

    def __init__(self, host: str, stack: ExitStack) -> None:
        self.name = host
        self.vendors: Vendors = stack.enter_context(served())
        self.driver: Driver = stack.enter_context(HOSTS[host].opens(self.vendors.configuration(), DRAIN_S))
        self._callers = stack.enter_context(ThreadPoolExecutor(HOSTS[host].callers))

    def play(self, case: Case) -> list[Any]:  # Any: each case's own record
        """Play one case, from as many threads at once as the host has callers; give what came of each."""
        played = [self._callers.submit(case, self.driver, self.vendors) for _ in range(HOSTS[self.name].callers)]
        return [each.result() for each in played]


@pytest.fixture(scope="module", params=list(HOSTS))
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(request.param, stack)


@pytest.mark.parametrize("case", SHARED, ids=lambda case: case.__name__)
def test_a_host_gives_the_outcome_of_the_reference(stage: Stage, case: Case) -> None:
    for record in stage.play(case):
        assert record == expected(case)


@pytest.fixture(scope="module", params=list(HOSTS))
def lonely(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Give a host to cases that change what later ones get, in the order in which they do not."""
    with ExitStack() as stack:
        yield Stage(request.param, stack)


@pytest.mark.parametrize("case", ALONE, ids=lambda case: case.__name__)
def test_a_host_gives_one_caller_the_outcome_of_the_reference(lonely: Stage, case: Case) -> None:
    assert case(lonely.driver, lonely.vendors) == expected(case)


def test_a_host_s_books_agree_with_the_bills(stage: Stage) -> None:
    for case in (generates, generates_elsewhere, embeds, streams, cancels_midway, leaves):
        stage.play(case)
    found = check_books(stage.driver, stage.vendors)
    assert found["exact"] > 0
    assert found["estimated"] > 0


@cache
def expected(case: Case) -> Any:  # Any: each case's own record
    """Play a case at the reference, once, with an agent of its own."""
    with ExitStack() as stack:
        stage = Stage(REFERENCE, stack)
        return case(stage.driver, stage.vendors)
