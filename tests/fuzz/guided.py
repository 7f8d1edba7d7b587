"""Own the coverage-guided run: `python -m tests.fuzz.guided RUNS CORPUS FOUND [libFuzzer options]`.

libFuzzer changes the inputs of the directory CORPUS and keeps there each that reaches code which none has reached
before. An input that breaks a promise is written to FOUND, and ends the run with code 77. Replay one with
`python -m tests.fuzz.guided 1 FILE FOUND`. The same seed (`-seed=1`) gives the same run.
"""

from __future__ import annotations

import sys

import atheris

# What is imported here is instrumented; the tests' own code is not, for its branches are no goal.
with atheris.instrument_imports(include=["manus.actors", "manus.messages"]):
    from manus.actors.codecs import CODECS, codec_for

    for wire in CODECS:
        codec_for(wire)

from tests.fuzz.inputs import run_input
from tests.fuzz.running import fuzz

INPUT_BYTES_MAX = 8192


def main(arguments: list[str]) -> None:
    """Run; ends the process."""
    fuzz(arguments, run_input, INPUT_BYTES_MAX)


if __name__ == "__main__":
    main(sys.argv[1:])
