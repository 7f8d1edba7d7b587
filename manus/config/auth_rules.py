"""Own the ways an entry may prove who calls, by its type: which keys there are, and that one way is given, whole.

What is missing is told with the mend; what is given twice is refused, for nobody could say which one is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from manus.config.did_you_mean import listing
from manus.config.problems import Problem
from manus.config.provider_places import base_url_of, parsed_url, region_of, type_of
from manus.config.schema import EntraConfig, ProviderConfig
from manus.config.wheels import is_installed

KEY_TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "auth_token": ("anthropic", "azure"),
    "betas": ("anthropic",),
    "region": ("bedrock",),
    "profile": ("bedrock",),
    "aws_access_key_id": ("bedrock",),
    "aws_secret_access_key": ("bedrock",),
    "aws_session_token": ("bedrock",),
    "api_version": ("azure",),
    "entra": ("azure",),
}
"""Keys that mean something to some types only."""

KEY_VARIABLES: Final[Mapping[str, str]] = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "ollama": "OLLAMA_API_KEY",
    "azure": "AZURE_OPENAI_API_KEY",
}
"""Where the vendors' own tools look for a key."""

KEY_HOSTS: Final = frozenset({"api.openai.com", "ollama.com", "api.anthropic.com"})
AZURE_HOSTS: Final = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com", ".azure.us")
"""Hosts that answer nobody without a key; other servers of these types may well."""

_KEY_HEADERS: Final[Mapping[str, str]] = {"anthropic": "x-api-key", "azure": "api-key"}

_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?|v1|preview")

_AWS_KEYS: Final = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


def keys_suit_the_type(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """A key of one vendor says nothing to another."""
    kind = type_of(name, entry)
    default = ProviderConfig()
    for field, kinds in KEY_TYPES.items():
        if kind is not None and kind not in kinds and getattr(entry, field) != getattr(default, field):
            meant = listing(f"'{each}'" for each in kinds)
            yield Problem(path=field, message=f"is for type {meant}; remove it, or check the type")


def one_way_is_given(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """One way to prove who calls, not two."""
    ways = _ways(type_of(name, entry), entry)
    for field in ways[1:]:
        yield Problem(path=field, message=f"contradicts {ways[0]}; keep one of the two")


def keys_are_given_once(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """One key or a list of different keys."""
    if entry.api_key is not None and entry.api_keys:
        yield Problem(path="api_keys", message="contradicts api_key; put all keys into api_keys")
    if len({each.key for each in entry.api_keys}) < len(entry.api_keys):
        yield Problem(path="api_keys", message="holds the same key twice; keep one of the two")


def aws_keys_are_whole(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """An access key is two values; a session token belongs to both."""
    given = [field for field in _AWS_KEYS if getattr(entry, field) is not None]
    if given:
        for field in _AWS_KEYS[:2]:
            if field not in given:
                yield Problem(path=field, message=f"is missing, and {given[0]} is of no use without it; add it")


def entra_is_whole(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """An application is three values; `client_id` alone is a managed identity."""
    if isinstance(entry.entra, EntraConfig):
        fields = ("tenant", "client_id", "client_secret")
        given = [field for field in fields if getattr(entry.entra, field) is not None]
        if given and given != ["client_id"]:
            for field in fields:
                if field not in given:
                    message = f"is missing, and {given[0]} is of no use without it; add it"
                    yield Problem(path=f"entra.{field}", message=message)


def api_version_is_one(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """It stands in an address."""
    if entry.api_version is not None and not _API_VERSION.fullmatch(entry.api_version):
        message = 'expected a version such as "2024-10-21" or "2025-04-01-preview"; leave it out for the v1 API'
        yield Problem(path="api_version", message=message)


def region_is_one(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """It stands in a host name and in every signature."""
    if entry.region is not None and not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d{1,2}", entry.region):
        yield Problem(path="region", message='expected an AWS region such as "us-east-1"')


def region_is_known(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """Bedrock is somewhere."""
    if type_of(name, entry) == "bedrock" and region_of(entry) is None:
        mend = 'write region = "us-east-1", or region = "${AWS_REGION}" and set that variable'
        yield Problem(path="region", message=f"is missing; {mend}")


def resource_is_known(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """Every Azure resource has a host of its own."""
    if type_of(name, entry) == "azure" and entry.base_url is None:
        example = "https://RESOURCE.openai.azure.com"
        yield Problem(path="base_url", message=f'is missing; write the endpoint of the resource, such as "{example}"')


def key_is_there(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """Hosts known to refuse strangers need a key; asking without one would only fail later and less clearly."""
    kind = type_of(name, entry)
    if kind is None or kind == "bedrock" or _ways(kind, entry):
        return
    url = parsed_url(base_url_of(kind, entry) or "")
    host = (url.hostname or "") if url is not None else ""
    variable = KEY_VARIABLES.get(kind, "OPENAI_API_KEY")
    if kind == "azure" and host.endswith(AZURE_HOSTS):
        mend = f'write api_key = "${{{variable}}}" and set that variable, or entra = true for Microsoft Entra ID'
        yield Problem(path="api_key", message=f"is missing; {mend}")
    elif host in KEY_HOSTS:
        yield Problem(path="api_key", message=f'is missing; write api_key = "${{{variable}}}" and set that variable')


def finding_credentials_is_possible(name: str, entry: ProviderConfig) -> Iterator[Problem]:
    """What the vendors' libraries find is found with these libraries."""
    ways = _ways(type_of(name, entry), entry)
    if type_of(name, entry) == "bedrock" and (not ways or "profile" in ways) and not is_installed("botocore"):
        yield Problem(
            message='finding AWS credentials needs botocore, which is not installed: pip install "manus-llm[bedrock]", '
            "give api_key or aws_access_key_id and aws_secret_access_key, or write enabled = false"
        )
    if entry.entra and not is_installed("azure.identity"):
        yield Problem(
            path="entra",
            message='needs azure-identity, which is not installed: pip install "manus-llm[azure]", give api_key, '
            "or write enabled = false",
        )


def _ways(kind: str | None, entry: ProviderConfig) -> list[str]:
    """Name the ways to prove who calls that an entry gives."""
    ways = []
    if entry.api_key is not None:
        ways.append("api_key")
    elif entry.api_keys:
        ways.append("api_keys")
    if entry.auth_token is not None:
        ways.append("auth_token")
    if entry.entra:
        ways.append("entra")
    ways += [field for field in _AWS_KEYS if getattr(entry, field) is not None][:1]
    if entry.profile is not None:
        ways.append("profile")
    keys = ("authorization", _KEY_HEADERS.get(kind or ""))
    ways += [f"headers.{header}" for header in entry.headers if header.lower() in keys]
    return ways
