"""Where an entry's API lives, whichever part of its address was copied."""

from __future__ import annotations

import pytest

from manus.config.provider_places import base_url_of, is_openai
from manus.config.schema import ProviderConfig


@pytest.mark.parametrize("written", ["", "/", "/v1", "/v1/", "/v1/messages"])
def test_a_base_url_of_anthropic_may_hold_the_path_that_the_codec_writes(written: str) -> None:
    entry = ProviderConfig(base_url=f"https://gateway.example/claude{written}")
    assert base_url_of("anthropic", entry) == "https://gateway.example/claude"


def test_anthropic_has_a_usual_place() -> None:
    assert base_url_of("anthropic", ProviderConfig()) == "https://api.anthropic.com"


@pytest.mark.parametrize("written", ["", "/", "/openai", "/openai/v1", "/openai/v1/", "/models"])
def test_a_base_url_of_azure_may_hold_the_path_that_the_codec_writes(written: str) -> None:
    entry = ProviderConfig(base_url=f"https://acme.services.ai.azure.com{written}")
    assert base_url_of("azure", entry) == "https://acme.services.ai.azure.com"


@pytest.mark.parametrize(
    ("base_url", "its_own"),
    [
        ("https://api.openai.com/v1", True),
        ("https://eu.api.openai.com/v1", True),
        ("https://api.openai.com.evil.example/v1", False),
        ("https://notapi.openai.com/v1", False),
        ("http://localhost:8000/v1", False),
        ("no url", False),
        (None, False),
    ],
)
def test_openais_own_service_is_told_from_servers_that_speak_like_it(base_url: str | None, its_own: bool) -> None:
    assert is_openai(base_url) is its_own
