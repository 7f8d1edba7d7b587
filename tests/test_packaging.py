"""The wheel that users install carries the data that the code reads, and nothing that only developers need."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from manus.config.catalogue_file import FILE_NAME

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """The wheel of this checkout."""
    directory = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (built,) = directory.glob("*.whl")
    return zipfile.Path(built)


def test_the_catalogue_is_in_the_wheel_as_it_was_reviewed(wheel: zipfile.Path) -> None:
    packed = wheel / "manus" / "config" / FILE_NAME
    assert packed.read_bytes() == (ROOT / "manus" / "config" / FILE_NAME).read_bytes()


def test_the_wheel_says_that_it_is_typed_and_holds_no_tests_or_scripts(wheel: zipfile.Path) -> None:
    assert (wheel / "manus" / "py.typed").exists()
    tops = {entry.name for entry in wheel.iterdir()}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"manus"}
