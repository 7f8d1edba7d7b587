"""What stands in for a file that is not there, and that it is said aloud."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from manus.config import environment_vendors
from manus.config.check import check_config
from manus.config.environment import config_from_environment
from manus.config.environment_vendors import COMPATIBLE, VENDORS, ollama_url
from manus.config.load import load
from manus.config.policies import provider_policy
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
    assert all(card.price.known for card in provider_policy("openai", entry).models)
    assert found.notes == ("provider openai: found by OPENAI_API_KEY and OPENAI_ORG_ID",)


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


KEYS = {
    "openai": ({"OPENAI_API_KEY": "sk-canary-1"}, "api_key"),
    "anthropic": ({"ANTHROPIC_API_KEY": "sk-canary-1", "ANTHROPIC_AUTH_TOKEN": "other"}, "api_key"),
    "anthropic token": ({"ANTHROPIC_AUTH_TOKEN": "sk-canary-1"}, "auth_token"),
    "azure": (
        {"AZURE_OPENAI_API_KEY": "sk-canary-1", "AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com/"},
        "api_key",
    ),
    "azure token": (
        {
            "AZURE_OPENAI_API_KEY": "other",
            "AZURE_OPENAI_AD_TOKEN": "sk-canary-1",
            "AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com",
        },
        "auth_token",
    ),
    "bedrock": (
        {"AWS_BEARER_TOKEN_BEDROCK": "sk-canary-1", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_REGION": "eu-west-1"},
        "api_key",
    ),
    "bedrock keys": (
        {"AWS_ACCESS_KEY_ID": "AKIAX", "AWS_SECRET_ACCESS_KEY": "sk-canary-1", "AWS_DEFAULT_REGION": "eu-west-1"},
        "aws_secret_access_key",
    ),
    **{name: ({f"{name.upper()}_API_KEY": "sk-canary-1"}, "api_key") for name in COMPATIBLE},
    "ollama": ({"OLLAMA_HOST": "h", "OLLAMA_API_KEY": "sk-canary-1"}, "api_key"),
}


@pytest.mark.parametrize("case", KEYS)
def test_each_vendors_variables_make_an_entry_that_is_good_and_shows_no_key(case: str) -> None:
    environ, field = KEYS[case]
    found = config_from_environment(environ, installed=nothing_installed)
    ((name, entry),) = found.config.providers.items()
    assert name == case.split()[0]
    assert getattr(entry, field) == Secret("sk-canary-1")
    assert check_config(found.config).problems == ()
    assert len(found.notes) == 1
    assert "sk-canary-1" not in repr(found)


def test_every_vendor_is_tried() -> None:
    assert {case.split()[0] for case in KEYS} == set(VENDORS)


def test_the_test_targets_unset_every_variable_that_is_read() -> None:
    read = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', Path(environment_vendors.__file__).read_text(encoding="utf-8")))
    read |= {f"{name.upper()}_{what}" for name in COMPATIBLE for what in ("API_KEY", "MODEL")}
    assert len(read) > 30
    makefile = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
    (no_keys,) = re.findall(r"NO_KEYS := env ((?:.*\\\n)*.*)\n", makefile)
    taken_away = set(re.findall(r"-u (\w+)", no_keys)) | set(re.findall(r"(\w+)=", no_keys))
    assert read - taken_away == set()


@pytest.mark.parametrize(
    ("environ", "word"),
    [
        ({"AZURE_OPENAI_API_KEY": "k"}, "AZURE_OPENAI_ENDPOINT is not"),
        ({"AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com"}, "manus-llm[azure]"),
        ({"AWS_BEARER_TOKEN_BEDROCK": "k"}, "AWS_REGION is not"),
        ({"AWS_PROFILE": "p"}, "manus-llm[bedrock]"),
    ],
)
def test_half_of_what_a_vendor_needs_is_said_and_left_out(environ: dict[str, str], word: str) -> None:
    environ["OPENAI_API_KEY"] = "k"
    found = config_from_environment(environ, installed=nothing_installed)
    assert list(found.config.providers) == ["openai"]
    assert any(word in note for note in found.notes)
    with pytest.raises(InvalidConfig) as caught:
        config_from_environment({**environ, "OPENAI_API_KEY": ""}, installed=nothing_installed)
    assert word in str(caught.value)


def test_an_azure_resource_without_a_key_is_entered_with_entra() -> None:
    environ = {"AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com", "AZURE_OPENAI_DEPLOYMENT": "mine"}
    entry = config_from_environment(environ, installed="azure.identity".__eq__).config.providers["azure"]
    assert entry.entra is True
    assert [model.name for model in entry.models] == ["mine"]


def test_a_profiles_region_is_read_where_the_aws_tools_keep_it(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[default]\nregion = us-east-1\n[profile work]\nregion = eu-central-1\n")
    environ = {"AWS_PROFILE": "work", "AWS_CONFIG_FILE": str(tmp_path / "config")}
    entry = config_from_environment(environ, installed="botocore".__eq__).config.providers["bedrock"]
    assert (entry.profile, entry.region) == ("work", "eu-central-1")


@pytest.mark.parametrize("content", ["", "no section", "[profile work]\n", "\x00", "[profile work\n", None])
def test_a_file_of_the_aws_tools_that_does_not_help_stops_nobody(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "config").write_text(content)
    environ = {"AWS_PROFILE": "work", "AWS_CONFIG_FILE": str(tmp_path / "config"), "OPENAI_API_KEY": "k"}
    found = config_from_environment(environ, installed="botocore".__eq__)
    assert list(found.config.providers) == ["openai"]
    assert any("AWS_REGION is not" in note for note in found.notes)


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
