"""The C++ client's own tests, compiled with every warning an error."""

from __future__ import annotations

from tests.cpp.ctest import run_tests


def test_the_client_keeps_its_promises_to_a_server_that_keeps_none() -> None:
    run_tests("plain")
