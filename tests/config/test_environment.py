"""What stands in for a file that is not there, and that it is said aloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from manus.config.environment import config_from_environment, ollama_url
from manus.config.load import load
from manus.config.problems import InvalidConfig
from manus.config.secrets import Secret
from manus.config.wheels import is_installed


def nothing_installed(module: str) -> bool:
    return False


def all_installed(module: str) -> bool:
    return True


def test_an_openai_key_makes_a_provider_with_prices() -> None:
    found = config_from_environment({"OPENAI_API_KEY": "k", "OPENAI_ORG_ID": "org"}, installed=nothing_installed)
    entry = found.config.providers["openai"]
    assert entry.api_key == Secret("k")
    assert entry.organization == "org"
    assert all(model.cost_per_input is not None for model in entry.models)
    assert found.notes == ("provider openai: found by OPENAI_API_KEY",)


def test_a_base_url_makes_a_provider_without_key_and_without_openais_models() -> None:
    environ = {"OPENAI_BASE_URL": "http://127.0.0.1:8000/v1", "OPENAI_MODEL": "mine"}
    entry = config_from_environment(environ, installed=nothing_installed).config.providers["openai"]
    assert entry.api_key is None
    assert entry.base_url == "http://127.0.0.1:8000/v1"
    assert [model.name for model in entry.models] == ["mine"]


def test_the_order_is_openai_ollama_local() -> None:
    environ = {"OPENAI_API_KEY": "k", "OLLAMA_HOST": "localhost"}
    found = config_from_environment(environ, installed=all_installed)
    by_priority = sorted(found.config.providers, key=lambda name: found.config.providers[name].priority)
    assert by_priority == ["openai", "ollama", "local"]
    assert len(found.notes) == 3


def test_the_embedded_model_needs_both_wheels() -> None:
    found = config_from_environment({}, installed=all_installed)
    assert list(found.config.providers) == ["local"]
    with pytest.raises(InvalidConfig):
        config_from_environment({}, installed="xllamacpp".__eq__)


def test_nothing_found_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig) as caught:
        config_from_environment({"OPENAI_API_KEY": " ", "OLLAMA_HOST": ""}, installed=nothing_installed)
    for way_out in ("OPENAI_API_KEY", "OLLAMA_HOST", "make setup", "manus config init"):
        assert way_out in str(caught.value)


def test_keys_of_providers_not_spoken_are_mentioned_and_not_shown() -> None:
    found = config_from_environment({"ANTHROPIC_API_KEY": "sk-canary"}, installed=all_installed)
    assert any("ANTHROPIC_API_KEY" in note and "not available" in note for note in found.notes)
    assert "sk-canary" not in repr(found)


def test_what_was_found_passes_the_same_checks_as_a_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"providers\.openai\.base_url: expected a URL"):
        load(environ={"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "nonsense"}, working_directory=tmp_path)
    loaded = load(environ={"OPENAI_API_KEY": "k"}, working_directory=tmp_path)
    assert loaded.origin == "the environment"
    assert loaded.notes


def test_asking_whether_a_module_is_installed_does_not_need_it() -> None:
    assert is_installed("trio")
    assert not is_installed("no_such_module_anywhere")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("localhost", "http://localhost:11434"),
        ("localhost:1234", "http://localhost:1234"),
        ("0.0.0.0", "http://127.0.0.1:11434"),  # noqa: S104
        ("0.0.0.0:1234", "http://127.0.0.1:1234"),
        (":1234", "http://127.0.0.1:1234"),
        ("http://h", "http://h"),
        ("https://h/ollama/", "https://h/ollama"),
        ("https://h:8443", "https://h:8443"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:1234", "http://[::1]:1234"),
        ("[::]", "http://127.0.0.1:11434"),
        ("ollama.com", "https://ollama.com"),
        (' "10.0.0.1" ', "http://10.0.0.1:11434"),
        ("h/path", "http://h:11434/path"),
    ],
)
def test_ollama_host_is_read_as_ollamas_own_client_reads_it(host: str, url: str) -> None:
    assert ollama_url(host) == url
