"""Whatever is done to a configuration file, the answer is a configuration or a list of problems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from manus.config.check import check_mapping, check_text
from manus.config.init import STARTER
from manus.config.policies import provider_policies, router_policy, timeouts_of
from manus.config.problems import errors_of
from manus.config.schema import General, LLMConfig, ModelConfig, ProviderConfig
from manus.config.show import show

ENVIRON = {"OPENAI_API_KEY": "sk-canary-55"}

edits = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=len(STARTER)),
        st.integers(min_value=0, max_value=40),
        st.one_of(
            st.text(max_size=12),
            st.sampled_from(['"', "'", '"""', "[", "]", "[[", "{", "}", "=", ".", ",", "\n", "${", "inf", "-1", "#"]),
        ),
    ),
    min_size=1,
    max_size=4,
)


@given(edits)
@settings(max_examples=200, deadline=None)
@example([(0, 0, "\ud800")])
@example([(0, 0, "\x00")])
def test_any_mutation_of_a_file_ends_in_a_configuration_or_in_problems(cuts: list[tuple[int, int, str]]) -> None:
    text = STARTER.replace("enabled = false", "enabled = true")
    for at, length, put in cuts:
        text = text[:at] + put + text[at + length :]

    checked = check_text(text, file="llm.toml", environ=ENVIRON, base=Path())

    use(checked.config, usable=not errors_of(checked.problems))
    for problem in checked.problems:
        assert problem.line is None or 1 <= problem.line <= text.count("\n") + 1
        assert "sk-canary-55" not in str(problem)


KEYS = [
    "general",
    "providers",
    "openai",
    "local",
    "x",
    *General.__struct_fields__,
    *LLMConfig.__struct_fields__,
    *ProviderConfig.__struct_fields__,
    *ModelConfig.__struct_fields__,
]

values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.dates(),
        st.binary(max_size=2),
        st.sampled_from(["openai", "local", "http://h", "${A}", "priority"]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=5))
@settings(max_examples=200, deadline=None)
def test_any_nested_tables_end_in_a_configuration_or_in_problems(raw: dict[str, Any]) -> None:
    checked = check_mapping(raw, environ={}, base=Path("/nonexistent"))
    use(checked.config, usable=not errors_of(checked.problems))


def use(config: LLMConfig, *, usable: bool) -> None:
    """What is done with a configuration that passed must not fail either."""
    assert show(config)
    if usable:
        assert provider_policies(config)
        assert all(timeouts_of(policy.name, config) for policy in provider_policies(config))
        assert router_policy(config).timeout_s > 0
