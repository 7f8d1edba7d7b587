"""Own how CTest is run: built first, its output shown where a test failed."""

from __future__ import annotations

import os
import subprocess
from typing import Final

from tests.cpp.building import Flavour, built

LIMIT_S: Final = 280
"""By then CTest has ended whatever hangs: its own limits are shorter."""


def run_tests(flavour: Flavour, *, only: str = "", stress: int = 1) -> None:
    """Build the client's tests and run those whose names begin with `only`; `stress` is how often they insist."""
    directory = built(flavour, "manus_tests", "manus_peer")
    done = subprocess.run(
        ["ctest", "--test-dir", str(directory), "--output-on-failure", "--no-tests=error", "-R", f"^{only}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=None if stress > 1 else LIMIT_S,
        env=os.environ | {"MANUS_STRESS": str(stress)},
    )
    assert done.returncode == 0, done.stdout[-16000:]
    assert "tests passed, 0 tests failed" in done.stdout, done.stdout[-2000:]
