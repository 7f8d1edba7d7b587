"""The C++ client's own tests, compiled with every warning an error."""

from __future__ import annotations

from tests.cpp.building import built
from tests.cpp.ctest import run_tests


def test_all_of_it_compiles_without_a_warning() -> None:
    directory = built("plain", "ask", "manus_driver", "manus_peer", "manus_tests")
    assert (directory / "ask").exists()


def test_the_client_keeps_its_promises_to_a_server_that_keeps_none() -> None:
    run_tests("plain")
