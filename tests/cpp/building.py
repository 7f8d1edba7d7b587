"""Own how the C++ client is built for tests: once, with CMake, in `build/cpp/`, whichever test asks first.

A compiler, CMake and nlohmann/json come from the system. Where one is missing the test is skipped with the reason, and
fails in CI, which installs them (`.ci/run`).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from tests.shared_data import unavailable

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCES: Final = ROOT / "clients" / "cpp"
PACKAGES: Final = "apt-get install g++ cmake make nlohmann-json3-dev"

OPTIONS: Final = ("-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-g1")
"""What is built is run for seconds: to optimise it would take longer."""

Flavour = Literal["plain", "address", "thread"]
"""Without a sanitizer; under AddressSanitizer and UndefinedBehaviorSanitizer; under ThreadSanitizer."""

Target = Literal["ask", "manus_driver", "manus_peer", "manus_tests"]


def compiler() -> str:
    """Give the system's C++ compiler."""
    for tool in ("c++", "cmake", "make"):
        if shutil.which(tool) is None:
            unavailable(f"the C++ client cannot be built: there is no {tool} ({PACKAGES})")
    return "c++"


def built(flavour: Flavour, *targets: Target) -> Path:
    """Build what is not up to date, and give the directory that holds the executables."""
    compiler()
    directory = ROOT / "build" / "cpp" / flavour
    directory.mkdir(parents=True, exist_ok=True)
    with _alone(directory.with_suffix(".lock")):
        sanitizer = "" if flavour == "plain" else flavour
        _run("cmake", "-S", str(SOURCES), "-B", str(directory), f"-DMANUS_SANITIZE={sanitizer}", *OPTIONS)
        _run("cmake", "--build", str(directory), "--target", *targets)
    return directory


def _run(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if "Could not find a package configuration file provided by" in done.stdout:
        unavailable(f"the C++ client cannot be built: nlohmann/json is missing ({PACKAGES})")
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout[-8000:]}"


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Keep other processes of the test run from building the same thing at once."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
