"""Where an entry's API lives, whichever part of its address was copied."""

from __future__ import annotations

import pytest

from manus.config.provider_places import base_url_of
from manus.config.schema import ProviderConfig


@pytest.mark.parametrize("written", ["", "/", "/v1", "/v1/", "/v1/messages"])
def test_a_base_url_of_anthropic_may_hold_the_path_that_the_codec_writes(written: str) -> None:
    entry = ProviderConfig(base_url=f"https://gateway.example/claude{written}")
    assert base_url_of("anthropic", entry) == "https://gateway.example/claude"


def test_anthropic_has_a_usual_place() -> None:
    assert base_url_of("anthropic", ProviderConfig()) == "https://api.anthropic.com"
