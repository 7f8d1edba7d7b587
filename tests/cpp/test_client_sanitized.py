"""The C++ client's own tests once more, watched for what goes wrong without being seen: memory, arithmetic, races."""

from __future__ import annotations

import pytest

from tests.cpp.building import Flavour, built
from tests.cpp.ctest import run_tests


@pytest.mark.parametrize("flavour", ["address", "thread"])
def test_it_compiles_with_a_watchman_inside(flavour: Flavour) -> None:
    assert (built(flavour, "manus_peer", "manus_tests") / "manus_tests").exists()


@pytest.mark.parametrize("flavour", ["address", "thread"])
def test_nothing_goes_wrong_unseen(flavour: Flavour) -> None:
    run_tests(flavour)


@pytest.mark.long
@pytest.mark.parametrize("flavour", ["plain", "address", "thread"])
def test_nothing_goes_wrong_unseen_under_much_stress(flavour: Flavour) -> None:
    run_tests(flavour, only="stress", stress=20)
