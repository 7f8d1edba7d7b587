"""Own the way to the reference data that stands beside the checkout, in `../shared`.

Where it is absent a test that needs it is skipped with the reason; under `CI=true` it fails instead, so that
a build that proves nothing cannot be green.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


def shared_dir(*steps: str) -> Path:
    """Give a directory under `../shared`; skips the test where there is none, fails it in CI."""
    directory = _SHARED.joinpath(*steps)
    if not directory.is_dir():
        unavailable(f"reference data is missing: no directory {'/'.join(('../shared', *steps))}")
    return directory


def unavailable(reason: str) -> None:
    """Skip the test for want of something that CI must have; fail it there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def exchanges(*apis: tuple[str, str]) -> Iterator[dict[str, Any]]:  # Any: recorded JSON, read by the tests
    """Give the recorded exchanges of these (provider, api) pairs, in order of their ids."""
    for path in sorted(shared_dir("wire").glob("*.json")):
        if any(path.name.startswith(f"{provider}-{api}-") for provider, api in apis):
            exchange = json.loads(path.read_bytes())
            if (exchange["provider"], exchange["api"]) in apis:
                yield exchange
