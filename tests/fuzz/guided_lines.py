"""Own the coverage-guided run over lines: `python -m tests.fuzz.guided_lines RUNS CORPUS FOUND [options]`.

As `tests.fuzz.guided` does it for the bodies of vendors; an input is one line, as a host may write it.
"""

from __future__ import annotations

import sys

import atheris

# What is imported here is instrumented; the tests' own code is not, for its branches are no goal.
with atheris.instrument_imports(include=["manus.ipc.protocol", "manus.ipc.dialects"]):
    import manus.ipc.dialects.reading  # noqa: F401

from tests.fuzz.running import fuzz
from tests.ipc.line_promises import check

INPUT_BYTES_MAX = 2048


def main(arguments: list[str]) -> None:
    """Run; ends the process."""
    fuzz(arguments, check, INPUT_BYTES_MAX)


if __name__ == "__main__":
    main(sys.argv[1:])
