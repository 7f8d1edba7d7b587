"""Loops for asyncio programs, handed to the tests that ask for them."""

from __future__ import annotations

from functools import partial

import pytest

from tests.hosts.loops import Run, checked, in_asyncio, in_uvloop


@pytest.fixture
def run() -> Run:
    """Run a coroutine in a loop of its own, and see that no runtime is left."""
    return partial(checked, in_asyncio)


@pytest.fixture(params=[in_asyncio, in_uvloop])
def run_both(request: pytest.FixtureRequest) -> Run:
    """Do so in either implementation of the loop."""
    return partial(checked, request.param)
