"""What holds for every test: no key of anybody's, and hypothesis without a clock."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "manus", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("manus")

_KEYS = ("API_KEY", "BASE_URL", "AUTH_TOKEN", "MANUS_CONFIG", "_PROXY")
_VENDORS = ("OPENAI_", "ANTHROPIC_", "AZURE_", "AWS_", "BEDROCK_", "OLLAMA_", "IDENTITY_", "MSI_")


@pytest.fixture(autouse=True)
def no_keys_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away every variable that could lead a test to a real account or through somebody's proxy."""
    for name in list(os.environ):
        if name.upper().endswith(_KEYS) or name.upper().startswith(_VENDORS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for file in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(file, os.devnull)
