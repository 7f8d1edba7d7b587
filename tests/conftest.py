"""What holds for every test: no key of anybody's, no test that waits for ever, hypothesis without a clock."""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "manus", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("manus")

HANG_S = 300
"""No single test takes this long. One that does is hung: print where, and end the run."""

_KEYS = ("API_KEY", "BEARER_TOKEN", "ACCESS_KEY", "SESSION_TOKEN", "BASE_URL", "OLLAMA_HOST", "MANUS_CONFIG", "_PROXY")


@pytest.fixture(autouse=True)
def no_keys_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away every variable that could lead a test to a real account or through somebody's proxy."""
    for name in list(os.environ):
        if name.upper().endswith(_KEYS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(autouse=True)
def ends_if_hung(request: pytest.FixtureRequest) -> Iterator[None]:
    """End the run with every thread's stack when one test hangs; the long lane takes its own time."""
    if request.node.get_closest_marker("long") is None:
        faulthandler.dump_traceback_later(HANG_S, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
