"""Finding and reading the configuration: the search order, and every file that cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from manus.config import load as load_module
from manus.config.load import FILE_BYTES_MAX, find, load, load_file
from manus.config.policies import router_policy
from manus.config.problems import InvalidConfig
from manus.config.routing_schema import RoutingStrategy
from manus.config.schema import LLMConfig, ProviderConfig
from manus.config.secrets import Secret

GOOD = '[providers.openai]\napi_key = "k"\nmodels = [{ name = "NAME" }]\n'


def put(path: Path, name: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(GOOD.replace("NAME", name))
    return path


def model_of(source: object, *, environ: dict[str, str], directory: Path) -> str:
    assert source is None or isinstance(source, Path)
    loaded = load(source, environ=environ, working_directory=directory)
    return loaded.config.providers["openai"].models[0].name


def test_the_search_order_is_explicit_variable_config_directory_working_directory_user(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environ = {"HOME": str(home)}
    user = put(home / ".config/manus/llm.toml", "user")
    assert model_of(None, environ=environ, directory=tmp_path) == "user"
    put(tmp_path / "llm.toml", "working")
    assert model_of(None, environ=environ, directory=tmp_path) == "working"
    put(tmp_path / "config/llm.toml", "config")
    assert model_of(None, environ=environ, directory=tmp_path) == "config"
    named = put(tmp_path / "named.toml", "variable")
    assert model_of(None, environ={**environ, "MANUS_CONFIG": str(named)}, directory=tmp_path) == "variable"
    explicit = put(tmp_path / "explicit.toml", "explicit")
    assert model_of(explicit, environ={**environ, "MANUS_CONFIG": str(named)}, directory=tmp_path) == "explicit"
    assert user.exists()


def test_xdg_config_home_moves_the_users_file(tmp_path: Path) -> None:
    put(tmp_path / "xdg/manus/llm.toml", "xdg")
    assert find({"XDG_CONFIG_HOME": str(tmp_path / "xdg")}, tmp_path) == tmp_path / "xdg/manus/llm.toml"
    assert find({"XDG_CONFIG_HOME": "relative"}, tmp_path) is None
    assert find({}, tmp_path) is None


def refused(path: Path, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(InvalidConfig) as caught:
        load_file(path, environ=environ or {})
    (problem,) = caught.value.problems
    assert problem.file == str(path)
    return problem.message


def test_a_file_that_is_not_there_says_how_to_write_one(tmp_path: Path) -> None:
    assert "manus config init" in refused(tmp_path / "none.toml")


def test_a_file_that_the_variable_names_and_is_not_there_says_so(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    with pytest.raises(InvalidConfig, match="MANUS_CONFIG names it"):
        load(environ={"MANUS_CONFIG": str(path)}, working_directory=tmp_path)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "is a directory" in refused(tmp_path)


def test_what_is_not_utf_8_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "llm.toml"
    path.write_bytes(b"# ok\n# \xff\n")
    with pytest.raises(InvalidConfig) as caught:
        load_file(path, environ={})
    assert "is not UTF-8" in caught.value.problems[0].message
    assert caught.value.problems[0].line == 2


def test_a_byte_order_mark_is_forgiven(tmp_path: Path) -> None:
    path = tmp_path / "llm.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load_file(path, environ={}).config.providers


def test_a_file_beyond_the_bound_is_refused_without_being_parsed(tmp_path: Path) -> None:
    path = tmp_path / "llm.toml"
    path.write_bytes(b"#" * (FILE_BYTES_MAX + 1))
    assert "that is no configuration" in refused(path)


def test_a_file_without_end_is_refused() -> None:
    assert "that is no configuration" in refused(Path("/dev/zero"))


def test_a_name_that_is_no_path_is_refused() -> None:
    assert "no path" in refused_message(Path("a\0b"))
    assert "File name too long" in refused_message(Path("x" * 5000))


def refused_message(path: Path) -> str:
    with pytest.raises(InvalidConfig) as caught:
        load_file(path, environ={})
    return str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "llm.toml", "m")
    path.chmod(0)
    assert "Permission denied" in refused(path)


def test_a_program_may_hand_over_tables_in_the_files_shape() -> None:
    loaded = load(
        {"general": {"routing_strategy": "priority"}, "providers": {"openai": {"api_key": "${K}"}}},
        environ={"K": "secret"},
    )
    assert loaded.config.routing_strategy is RoutingStrategy.PRIORITY
    assert loaded.config.providers["openai"].api_key == Secret("secret")
    assert loaded.origin == "the program"


def test_a_program_may_hand_over_a_configuration_and_it_is_checked_too() -> None:
    entry = ProviderConfig(api_key=Secret("k"))
    good = LLMConfig(routing_strategy=RoutingStrategy.PRIORITY, providers={"openai": entry})
    assert load(good, environ={}).config == good

    bad = LLMConfig(default_provider="opnai", providers={"openai": entry}, fallback_providers=["x"])
    with pytest.raises(InvalidConfig) as caught:
        load(bad, environ={})
    assert [p.path for p in caught.value.problems] == ["general.default_provider", "general.fallback_providers[0]"]


def test_a_configuration_of_a_program_that_names_no_provider_has_those_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load_module, "is_installed", set[str]().__contains__)
    asked = LLMConfig(routing_strategy=RoutingStrategy.COST_AWARE, fallback_providers=["anthropic", "bedrock"])
    loaded = load(asked, environ={"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b"})
    assert list(loaded.config.providers) == ["openai", "anthropic"]
    assert loaded.config.routing_strategy is RoutingStrategy.COST_AWARE
    assert loaded.origin == "the program, with the environment's providers"
    assert loaded.notes[-1].endswith(
        "names bedrock, which is not configured and so is never asked; add [providers.bedrock]"
    )
    with pytest.raises(InvalidConfig, match="OPENAI_API_KEY"):
        load(asked, environ={})


def test_a_configuration_of_a_program_is_not_expanded() -> None:
    """What a variable held may look like a variable; expanding it twice would let the environment rewrite itself."""
    entry = ProviderConfig(api_key=Secret("${HOME}"), base_url="http://h/${HOME}")
    loaded = load(LLMConfig(providers={"openai": entry}), environ={"HOME": "/root"})
    assert loaded.config.providers["openai"] == entry


@pytest.mark.parametrize("keys", ["sk", 5, {"a": "b"}, [5]])
def test_wrong_types_from_a_program_are_problems_and_not_crashes(keys: object) -> None:
    entry = ProviderConfig(api_keys=keys)  # type: ignore[arg-type]
    with pytest.raises(InvalidConfig) as caught:
        load(LLMConfig(providers={"openai": entry}), environ={})
    assert caught.value.problems[0].path.startswith("providers.openai.api_keys")


def test_warnings_become_notes(tmp_path: Path) -> None:
    path = put(tmp_path / "llm.toml", "m")
    path.write_text(path.read_text() + "[timeouts]\ntotal_s = 5\nidle_s = 9\n")
    (note,) = load_file(path, environ={}).notes
    assert note.startswith(f"{path}:6: warning: timeouts.idle_s: ")


SEEDS_SAMPLE = """\
[general]
default_provider = "openai"
fallback_providers = ["anthropic", "bedrock"]
routing_strategy = "priority"
enable_streaming = true
enable_logging = true

[providers.openai]
enabled = true
priority = 1
api_key = "${OPENAI_API_KEY}"
models = [
    { name = "gpt-4o", cost_per_input = 5.0, cost_per_output = 15.0 },
    { name = "gpt-4o-mini", cost_per_input = 0.15, cost_per_output = 0.6 }
]

[providers.anthropic]
enabled = true
priority = 2
api_key = "${ANTHROPIC_API_KEY}"
models = [
    { name = "claude-sonnet-4-20250514", cost_per_input = 3.0, cost_per_output = 15.0 }
]
"""
"""The file that people have from the beginnings of the project: its second fallback has no table."""


def test_the_file_of_the_beginnings_loads_and_says_which_fallback_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "llm.toml").write_text(SEEDS_SAMPLE)
    loaded = load(tmp_path / "llm.toml", environ={"OPENAI_API_KEY": "a", "ANTHROPIC_API_KEY": "b"})
    assert list(loaded.config.providers) == ["openai", "anthropic"]
    (note,) = loaded.notes
    assert "fallback_providers[1]" in note
    assert "add [providers.bedrock]" in note
    assert router_policy(loaded.config).fallback_providers == ("anthropic",)
