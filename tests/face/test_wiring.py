"""From a configuration to specs: who there is, what each is handed, and what is refused before anything runs."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trio.testing

import manus
from manus.actors.codecs.base import HttpRequest
from manus.actors.credentials import Authorisation, fingerprint_of
from manus.actors.ledger.store import MemoryStore
from manus.config.load import load
from manus.config.problems import InvalidConfig
from manus.config.secrets import Secret
from manus.messages.policy import KeyPolicy
from manus.opening import open_agent
from manus.supervisor.spec import ChildSpec, SupervisorSpec
from manus.supervisor.spec_check import check_tree
from manus.wiring import Wiring, tree_spec, wire
from tests.face.rig import config

REQUEST = HttpRequest(method="POST", path="/")
URL = httpx.URL("https://api.test/")


def wired(base: Path = Path(), **providers: dict[str, Any]) -> Wiring:
    loaded = load(config(providers=providers), environ={})
    return wire(loaded.config, base=base, state=None)


def test_the_tree_has_accounting_then_providers_then_the_router_then_conversations_then_adapters() -> None:
    spec = tree_spec(wired(openai={"api_key": "k"}, ollama={}), MemoryStore())

    check_tree(spec)

    accounting, providers, router, conversations, adapters = spec.children
    assert isinstance(providers, SupervisorSpec)
    assert isinstance(router, ChildSpec)
    assert isinstance(adapters, SupervisorSpec)
    assert isinstance(conversations, ChildSpec)
    names = ["accounting", "providers", "router", "conversations", "adapters"]
    assert [each.id for each in spec.children] == names
    assert conversations.uses == ("router",)
    assert adapters.children == ()
    assert [each.id for each in providers.children] == ["provider/openai", "provider/ollama"]
    assert {each.on_exhausted for each in providers.children} == {"quarantine"}
    assert router.uses == ("accounting", "provider/*")
    assert accounting.on_exhausted == "escalate"


@pytest.mark.parametrize(
    ("entry", "headers"),
    [
        ({"api_key": "key-1"}, [("Authorization", "Bearer key-1")]),
        ({"api_keys": ["key-1", "key-2"]}, [("Authorization", "Bearer key-1")]),
        ({"base_url": "http://h"}, []),
        (
            {"api_key": "key-1", "organization": "org", "project": "proj", "headers": {"X-Team": "t"}},
            [
                ("Authorization", "Bearer key-1"),
                ("OpenAI-Organization", "org"),
                ("OpenAI-Project", "proj"),
                ("X-Team", "t"),
            ],
        ),
    ],
    ids=["one key", "several keys", "no key", "with headers"],
)
async def test_credentials_show_the_key_and_the_entrys_own_headers(
    entry: dict[str, Any], headers: list[tuple[str, str]]
) -> None:
    (provider,) = wired(openai=entry).providers
    authorisation = await provider.credentials.authorise(REQUEST, URL)
    assert isinstance(authorisation, Authorisation)
    assert list(authorisation.headers) == headers
    for value in ("key-1", "Bearer"):
        assert value not in repr(provider)


@pytest.mark.parametrize(
    ("name", "entry", "headers"),
    [
        ("anthropic", {"api_key": "key-1"}, {"x-api-key": "key-1"}),
        ("anthropic", {"auth_token": "key-1"}, {"Authorization": "Bearer key-1"}),
        ("azure", {"base_url": "http://h", "api_key": "key-1"}, {"api-key": "key-1"}),
        ("azure", {"base_url": "http://h", "auth_token": "key-1"}, {"Authorization": "Bearer key-1"}),
        ("bedrock", {"region": "us-east-1", "api_key": "key-1"}, {"Authorization": "Bearer key-1"}),
        ("bedrock", {"region": "us-east-1", "headers": {"Authorization": "key-1"}}, {"Authorization": "key-1"}),
        ("ollama", {"api_key": "key-1"}, {"Authorization": "Bearer key-1"}),
    ],
)
async def test_each_type_shows_its_key_in_its_own_header(
    name: str, entry: dict[str, Any], headers: dict[str, str]
) -> None:
    config_of_one = load(config(providers={name: entry}), environ={}).config
    (provider,) = wire(config_of_one, base=Path(), state=None).providers
    authorisation = await provider.credentials.authorise(REQUEST, URL)
    assert isinstance(authorisation, Authorisation)
    assert dict(authorisation.headers) == headers
    assert "key-1" not in repr(provider)


async def test_aws_keys_sign_for_the_region_of_the_entry_or_of_its_host() -> None:
    keys = {"aws_access_key_id": "AKIATEST", "aws_secret_access_key": "key-1"}
    host = "https://bedrock-runtime-fips.us-west-2.amazonaws.com"
    for entry, region in (({"region": "eu-west-1"}, "eu-west-1"), ({"base_url": host}, "us-west-2")):
        (provider,) = wired(bedrock={**keys, **entry}).providers
        authorisation = await provider.credentials.authorise(REQUEST, URL)
        assert isinstance(authorisation, Authorisation)
        assert f"/{region}/bedrock/aws4_request" in dict(authorisation.headers)["Authorization"]
        assert region in str(provider.base_url)
        assert "key-1" not in repr(provider)


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ({"region": "us-east-1"}, "SigV4(region='us-east-1', fingerprint=None)"),
        ({"region": "us-east-1", "profile": "p"}, "SigV4(region='us-east-1', fingerprint=None)"),
        ({"type": "azure", "base_url": "http://h", "entra": True}, "BearerTokens("),
        (
            {
                "type": "azure",
                "base_url": "http://h",
                "entra": {"tenant": "t", "client_id": "c", "client_secret": "key-1"},
            },
            "BearerTokens(",
        ),
        ({"api_keys": ["key-1", "key-2"], "region": "us-east-1", "key_order": "sticky"}, "StaticKey("),
    ],
)
def test_what_fetches_credentials_is_made_without_fetching_any(entry: dict[str, Any], kind: str) -> None:
    (provider,) = wired(bedrock=entry).providers
    assert repr(provider.credentials).startswith(kind)
    assert "key-1" not in repr(provider)


async def test_several_keys_are_deployments_with_their_own_weights_and_each_is_shown_with_the_headers() -> None:
    keys = ["key-1", {"key": "key-2", "weight": 2, "tags": ["team-b"]}]
    entry = {"api_keys": keys, "key_order": "sticky", "headers": {"X-Team": "t"}}
    (provider,) = wired(anthropic=entry).providers
    one, two = map(fingerprint_of, ("key-1", "key-2"))

    assert provider.policy.keys == (KeyPolicy(name=one), KeyPolicy(name=two, weight=2.0, tags=("team-b",)))
    assert provider.policy.key_order == "sticky"
    assert list(provider.keys) == [one, two]
    for name, key in ((one, "key-1"), (two, "key-2")):
        shown = await provider.keys[name].authorise(REQUEST, URL)
        assert isinstance(shown, Authorisation)
        assert shown.headers == (("x-api-key", key), ("X-Team", "t"))
        assert shown.fingerprint == name
    assert "key-2" not in repr(provider)


@pytest.mark.parametrize("entry", [{"api_key": "key-1"}, {"api_keys": ["key-1"]}, {"base_url": "http://h"}])
def test_one_key_or_none_makes_deployments_without_a_key_in_their_names(entry: dict[str, Any]) -> None:
    (provider,) = wired(openai=entry).providers
    assert (provider.policy.keys, dict(provider.keys)) == ((), {})


async def test_tokens_of_the_program_take_the_place_of_all_keys() -> None:
    async def give() -> tuple[str, float]:
        return "token", 4e9

    loaded = load(config(providers={"openai": {"api_keys": ["key-1", "key-2"]}}), environ={})
    (provider,) = wire(loaded.config, base=Path(), state=None, tokens={"openai": give}).providers
    assert (provider.policy.keys, dict(provider.keys)) == ((), {})
    assert repr(provider.credentials).startswith("BearerTokens(")


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        ({"type": "openai", "api_key": Secret("canary\n\x00")}, "api_key"),
        ({"type": "openai", "api_keys": [Secret("a"), Secret(" ")]}, "api_keys[1]"),
        (
            {"region": "us-east-1", "aws_access_key_id": Secret("a"), "aws_secret_access_key": Secret("cänary")},
            "aws_secret_access_key",
        ),
        ({"region": "us-east-1", "headers": {"X": Secret("canary\r\nY: 1")}}, "headers.X"),
    ],
)
def test_a_secret_of_a_program_is_checked_like_one_of_a_file(entry: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidConfig) as refused:
        wired(bedrock=entry)
    assert [problem.path for problem in refused.value.problems] == [f"providers.bedrock.{path}"]
    assert "anary" not in str(refused.value)


def test_bearer_tokens_of_anthropics_own_host_come_with_the_beta_they_need() -> None:
    entries = ({"auth_token": "t", "betas": ["mine"]}, {"auth_token": "t", "base_url": "http://h"}, {"api_key": "k"})
    betas = [wired(anthropic=entry).providers[0].options.betas for entry in entries]
    assert betas == [("mine", "oauth-2025-04-20"), (), ()]


@pytest.mark.parametrize(
    ("written", "asked", "version"),
    [
        ("https://r.openai.azure.com/", None, None),
        ("https://r.openai.azure.com/openai/v1/", "v1", None),
        ("https://r.openai.azure.com/openai", "2024-10-21", "2024-10-21"),
    ],
)
def test_azures_endpoint_is_the_resource_however_it_is_copied(
    written: str, asked: str | None, version: str | None
) -> None:
    (provider,) = wired(azure={"base_url": written, "api_key": "k", "api_version": asked}).providers
    assert provider.base_url == "https://r.openai.azure.com"
    assert provider.options.api_version == version


def test_a_proxys_password_is_not_in_the_spec() -> None:
    (provider,) = wired(openai={"api_key": "k", "proxy": "http://u:proxy-canary@h:1"}).providers
    assert "proxy-canary" not in repr(provider)
    assert type(provider.transport_factory("https://api.openai.com/v1")).__name__ == "StockTransport"


def test_peculiarities_of_a_server_reach_its_codec() -> None:
    openai, ollama, local = wired(
        openai={"api_key": "k", "wire": {"include_usage": False, "system_role": "system"}},
        ollama={"context": 4096, "wire": {"truncate": True}},
        local={"command": "serve", "args": ["{port}"]},
    ).providers
    assert (openai.options.include_usage, openai.options.system_role) == (False, "system")
    assert (ollama.options.context_tokens, ollama.options.truncate) == (4096, True)
    assert (local.options.max_tokens_field, local.options.top_k) == ("max_tokens", True)


def test_a_local_entry_is_handed_a_server_and_no_address(tmp_path: Path) -> None:
    wiring = wired(tmp_path, local={"command": "serve", "args": ["--port={port}"], "concurrency": 3})
    (provider,) = wiring.providers
    assert provider.base_url is None
    assert wiring.servers == (provider.server,)
    assert provider.concurrency == 3


def test_certificates_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for name in ("none.pem", "empty.pem"):
        with pytest.raises(InvalidConfig) as caught:
            wired(tmp_path, openai={"api_key": "k", "ca_file": name})
        (problem,) = caught.value.problems
        assert problem.path == "providers.openai.ca_file"


def test_certificates_are_found_beside_the_configuration(tmp_path: Path) -> None:
    paths = ssl.get_default_verify_paths()
    if paths.cafile is None:
        pytest.skip("this machine has no bundle of certificates to copy")
    (tmp_path / "ca.pem").write_bytes(Path(paths.cafile).read_bytes())
    assert wired(tmp_path, openai={"api_key": "k", "ca_file": "ca.pem"}).providers


@pytest.mark.parametrize("url", ["http://[v1.x]", "http://xn--zckzah-.-:80", "http://a..b", "http://-", "http://%00"])
def test_an_address_that_no_transport_takes_stops_the_start_by_name(url: str) -> None:
    """Whatever URL passes the checks, the wiring either makes a transport of it or refuses it by its path."""
    refused = ""
    try:
        wired(openai={"api_key": "k", "base_url": url})
    except InvalidConfig as invalid:
        refused = str(invalid)
    assert refused == "" or refused.startswith("providers.openai.base_url: ")


def unavailable(request: httpx.Request) -> httpx.Response:
    return httpx.Response(503)


async def test_transports_of_ones_own_are_made_once_per_incarnation(
    autojump_clock: trio.testing.MockClock,
) -> None:
    made: list[str] = []

    def transport(base_url: str) -> httpx.AsyncBaseTransport:
        made.append(base_url)
        return httpx.MockTransport(unavailable)

    tables = config(providers={"one": {"type": "openai", "base_url": "http://one/v1", "models": [{"name": "m"}]}})
    async with open_agent(tables, transports={"one": transport}) as agent:
        with pytest.raises(manus.ProviderError):
            await agent.generate("Hello")
        agent._tree.crash("provider/one", RuntimeError("injected"))
        await trio.sleep(5)
        with pytest.raises(manus.ProviderError):
            await agent.generate("Hello")
    assert made == ["http://one/v1"] * 2


async def test_a_ledger_that_cannot_be_opened_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_text("this is no database, and long enough to be seen as such" * 10)
    with pytest.raises(manus.ConfigurationError, match=r"ledger\.sqlite"):
        async with open_agent(config(ledger={"path": str(tmp_path / "ledger.sqlite")})):
            pass


async def test_a_tree_that_cannot_be_kept_running_is_an_internal_error(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def crash_the_router_for_ever() -> None:
        async with open_agent(config(), transports={}) as agent:
            while True:
                await trio.sleep(0.5)
                states = {actor.id: actor.state for actor in agent._tree.status()}
                if states["router"] == "running":
                    agent._tree.crash("router", RuntimeError("injected"))

    with pytest.raises(manus.InternalError, match="could not be kept running"):
        await crash_the_router_for_ever()
