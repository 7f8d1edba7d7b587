"""Own the step from an entry's keys to credentials: what a type shows, in which header, and where the rest is found."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

from manus.actors.credentials import (
    Credentials,
    Headers,
    NoCredentials,
    StaticKey,
    WithHeaders,
    fingerprint_of,
)
from manus.actors.credentials.aws import AwsKeys, SigV4
from manus.actors.credentials.aws_chain import chain_keys
from manus.actors.credentials.entra import SCOPE, EntraApplication, entra_tokens
from manus.actors.credentials.tokens import BearerTokens, TokenProvider
from manus.config.provider_places import region_of
from manus.config.schema import SECRET_FIELDS, EntraConfig, ProviderConfig
from manus.config.secrets import Secret
from manus.messages.policy import KeyPolicy

KEY_HEADERS: Final = {"anthropic": ("x-api-key", ""), "azure": ("api-key", "")}
"""Where a key stands, and what before it; elsewhere it is `Authorization: Bearer`."""

BEARER_VARIABLE: Final = "AWS_BEARER_TOKEN_BEDROCK"

OAUTH_BETA: Final = "oauth-2025-04-20"
"""What Anthropic's own hosts want in `anthropic-beta` beside a bearer token (anthropic.md section 1, read 2026-11)."""


def credentials_of(
    name: str,
    kind: str,
    entry: ProviderConfig,
    *,
    provide: TokenProvider | None = None,
    now_unix_s: Callable[[], float] = time.time,
) -> Credentials:
    """Make the credentials of one entry, once; they outlive the incarnations of its actor.

    Args:
        name: the entry's name.
        kind: its type.
        entry: the entry, checked.
        provide: the program's own source of tokens, in place of whatever the entry says.
        now_unix_s: the wall clock.
    """
    if provide is not None:
        return _with_headers(BearerTokens(provide, name=f"program:{name}", now_unix_s=now_unix_s), entry)
    return _with_headers(_by_type(kind, entry, now_unix_s), entry)


def keys_of(kind: str, entry: ProviderConfig) -> dict[str, Credentials]:
    """Make what shows each key of an entry that has several, by the key's name in the books; else there is nothing."""
    if len(entry.api_keys) < 2:
        return {}
    shown = [_static(kind, each.key) for each in entry.api_keys]
    return {key.fingerprint: _with_headers(key, entry) for key in shown}


def key_policies(entry: ProviderConfig) -> tuple[KeyPolicy, ...]:
    """Tell the router of the keys of an entry that has several, under their names in the books."""
    if len(entry.api_keys) < 2:
        return ()
    return tuple(
        KeyPolicy(name=fingerprint_of(each.key.reveal()), weight=each.weight, tags=tuple(each.tags))
        for each in entry.api_keys
    )


def _with_headers(shown: Credentials, entry: ProviderConfig) -> Credentials:
    """Add the entry's own headers, where it has some."""
    named = (("OpenAI-Organization", entry.organization), ("OpenAI-Project", entry.project))
    headers: Headers = (
        *((header, value) for header, value in named if value is not None),
        *((header, value.reveal()) for header, value in entry.headers.items()),
    )
    return WithHeaders(shown, headers) if headers else shown


def betas_of(kind: str, entry: ProviderConfig) -> tuple[str, ...]:
    """Name the betas to ask for: the entry's, and the one that bearer tokens need."""
    betas = tuple(entry.betas)
    if kind == "anthropic" and entry.auth_token is not None and entry.base_url is None and OAUTH_BETA not in betas:
        betas = (*betas, OAUTH_BETA)
    return betas


def bearer_of_environment(entry: ProviderConfig) -> str | None:
    """Give the Bedrock key of the environment for an entry that names no credentials, as AWS's own tools take it."""
    if entry.aws_access_key_id is not None or entry.profile is not None:
        return None
    return os.environ.get(BEARER_VARIABLE, "").strip() or None


def secrets_of_entry(entry: ProviderConfig) -> tuple[Secret, ...]:
    """List the secrets of one entry."""
    found: list[Secret] = []
    for field in SECRET_FIELDS:
        match getattr(entry, field):
            case None:
                pass
            case Secret() as secret:
                found.append(secret)
            case tuple() as several:
                found.extend(each.key for each in several)
            case table:
                found.extend(table.values())
    if isinstance(entry.entra, EntraConfig) and entry.entra.client_secret is not None:
        found.append(entry.entra.client_secret)
    return tuple(found)


def _by_type(kind: str, entry: ProviderConfig, now_unix_s: Callable[[], float]) -> Credentials:
    keys = [*filter(None, (entry.api_key,)), *(each.key for each in entry.api_keys)]
    if keys:
        return _static(kind, keys[0])
    if entry.auth_token is not None:
        return StaticKey(entry.auth_token.reveal())
    if kind == "azure" and entry.entra:
        return _entra(entry.entra if isinstance(entry.entra, EntraConfig) else EntraConfig(), now_unix_s)
    if kind == "bedrock" and not any(header.lower() == "authorization" for header in entry.headers):
        bearer = bearer_of_environment(entry)
        return _aws(entry, now_unix_s) if bearer is None else StaticKey(bearer)
    return NoCredentials()


def _static(kind: str, key: Secret) -> StaticKey:
    header, prefix = KEY_HEADERS.get(kind, ("Authorization", "Bearer "))
    return StaticKey(key.reveal(), header=header, prefix=prefix)


def _aws(entry: ProviderConfig, now_unix_s: Callable[[], float]) -> Credentials:
    region = region_of(entry)
    assert region is not None, "an enabled entry without a region does not pass the checks"
    access_key, secret_key, token = entry.aws_access_key_id, entry.aws_secret_access_key, entry.aws_session_token
    if access_key is None or secret_key is None:
        return SigV4(chain_keys(profile=entry.profile, now_unix_s=now_unix_s), region=region, now_unix_s=now_unix_s)
    keys = AwsKeys(access_key.reveal(), secret_key.reveal(), None if token is None else token.reveal())
    return SigV4(keys, region=region, now_unix_s=now_unix_s)


def _entra(entra: EntraConfig, now_unix_s: Callable[[], float]) -> Credentials:
    scope = entra.scope or SCOPE
    if entra.tenant is None or entra.client_id is None or entra.client_secret is None:
        return entra_tokens(client_id=entra.client_id, scope=scope, authority=entra.authority, now_unix_s=now_unix_s)
    secret = entra.client_secret.reveal()
    application = EntraApplication(tenant=entra.tenant, client_id=entra.client_id, client_secret=secret)
    return entra_tokens(application, scope=scope, authority=entra.authority, now_unix_s=now_unix_s)
