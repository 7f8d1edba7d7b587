"""Own how long tests wait for what should have happened long ago. No test passes by waiting so long.

A mutant that hangs is found out by this wait: those who run mutants want it short.
"""

from __future__ import annotations

import os
from typing import Final

PATIENCE: Final = "MANUS_TESTS_PATIENCE_S"
"""The variable of the environment that says it."""

WAIT_S: Final = float(os.environ.get(PATIENCE, "30"))
