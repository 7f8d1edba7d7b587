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

INPUT_BYTES_MAX = 8192
INPUT_TIMEOUT_S = 30
MEMORY_MB_MAX = 1024


def main(arguments: list[str]) -> None:
    """Run; ends the process."""
    runs, corpus, found, *more = arguments
    options = (
        f"-runs={runs}",
        f"-artifact_prefix={found}/",
        f"-max_len={INPUT_BYTES_MAX}",
        f"-timeout={INPUT_TIMEOUT_S}",
        f"-rss_limit_mb={MEMORY_MB_MAX}",
        "-len_control=0",
        "-print_final_stats=1",
    )
    atheris.Setup([sys.argv[0], *options, *more, corpus], run_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
