"""Own how a coverage-guided run is begun: what its command line says, and what bounds each input of it."""

from __future__ import annotations

import sys
from collections.abc import Callable

import atheris

INPUT_TIMEOUT_S = 30
MEMORY_MB_MAX = 1024


def fuzz(arguments: list[str], check: Callable[[bytes], None], input_bytes_max: int) -> None:
    """Run `check` on inputs as RUNS CORPUS FOUND [libFuzzer options] say; ends the process.

    Whatever is to be instrumented has to be imported before.
    """
    runs, corpus, found, *more = arguments
    options = (
        f"-runs={runs}",
        f"-artifact_prefix={found}/",
        f"-max_len={input_bytes_max}",
        f"-timeout={INPUT_TIMEOUT_S}",
        f"-rss_limit_mb={MEMORY_MB_MAX}",
        "-len_control=0",
        "-print_final_stats=1",
    )
    atheris.Setup([sys.argv[0], *options, *more, corpus], check)
    atheris.Fuzz()
