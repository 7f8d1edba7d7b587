"""Tokens of Microsoft Entra ID, by azure-identity itself against token services on loopback."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import ssl
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

import httpx
import pytest
import trio
import trustme

from manus.actors.codecs.base import HttpRequest
from manus.actors.credentials import ASK_AGAIN, Authorisation
from manus.actors.credentials.entra import INSTALL, SCOPE, EntraApplication, entra_tokens
from manus.actors.credentials.tokens import BearerTokens
from manus.messages.failures import Failed
from tests.actors.loopback_http import Loopback, answering

REQUEST = HttpRequest(method="POST", path="/")
URL = httpx.URL("https://r.openai.azure.com/openai/v1/chat/completions")
APPLICATION = EntraApplication(tenant="tenant-1", client_id="client-1", client_secret="canary-secret")
REFUSED = Failed(kind="auth", message="refused", status=401)


async def shown(tokens: BearerTokens) -> Authorisation:
    authorisation = await tokens.authorise(REQUEST, URL)
    assert isinstance(authorisation, Authorisation), authorisation
    return authorisation


async def failed(tokens: BearerTokens) -> Failed:
    failure = await tokens.authorise(REQUEST, URL)
    assert isinstance(failure, Failed)
    assert (failure.kind, failure.safe_to_retry) == ("auth", True)
    assert "canary" not in repr(failure)
    return failure


# --- whoever the surroundings know ----------------------------------------------------------------------------


def managed_identity(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the surroundings those of a web application that has an identity, as the platform's variables tell it."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{loopback.origin}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "canary-header")


def numbered_tokens() -> Callable[[str, str, bytes], tuple[int, bytes]]:
    given = 0

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        nonlocal given
        given += 1
        ends = str(int(time.time()) + 3600)
        token = {"access_token": f"canary-token-{given}", "expires_on": ends, "resource": "r", "token_type": "Bearer"}
        return 200, json.dumps(token).encode()

    return answer


async def test_managed_identity_is_asked_once_by_thirty_calls_while_the_loop_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = numbered_tokens()
    asked = threading.Event()
    ticked = threading.Event()

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        asked.set()
        assert ticked.wait(30), "the loop did not go on while the token was asked for"
        return usual(method, path, body)

    with answering(answer) as service:
        managed_identity(service, monkeypatch)
        tokens = entra_tokens()
        got: list[Authorisation] = []

        async def call() -> None:
            got.append(await shown(tokens))

        async with trio.open_nursery() as nursery:
            for _ in range(30):
                nursery.start_soon(call)
            with trio.fail_after(60):
                while not asked.is_set():  # noqa: ASYNC110  # set by a thread
                    await trio.sleep(0.01)
            ticked.set()

    assert {each.headers for each in got} == {(("Authorization", "Bearer canary-token-1"),)}
    assert len(service.seen) == 1
    assert "resource=https://cognitiveservices.azure.com" in service.seen[0][1]


async def test_refused_token_is_not_taken_from_a_cache_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(numbered_tokens()) as service:
        managed_identity(service, monkeypatch)
        tokens = entra_tokens()
        first = await shown(tokens)
        assert tokens.refused(first, REFUSED).what_to_do == ASK_AGAIN
        second = await shown(tokens)
    assert second.headers == (("Authorization", "Bearer canary-token-2"),)
    assert first.fingerprint == second.fingerprint == tokens.fingerprint


async def test_surroundings_that_know_nobody_say_what_can_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lambda method, path, body: (400, b'{"error": "canary"}')) as service:
        managed_identity(service, monkeypatch)
        monkeypatch.setenv("PATH", os.devnull)
        failure = await failed(entra_tokens())
    for word in ("AZURE_CLIENT_ID", "az login", "ClientAuthenticationError"):
        assert word in failure.message
    # What the library logs about it would go to stderr, if nobody at all listened.
    assert logging.getLogger("azure").handlers


# --- an application of one's own ------------------------------------------------------------------------------


class Authority:
    """A token service of one tenant, over TLS."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        ca = trustme.CA()
        bundle = tmp_path / "ca.pem"
        ca.cert_pem.write_to_path(str(bundle))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("localhost").configure_cert(self.tls)
        self.forms: list[dict[str, list[str]]] = []
        self.origin = ""
        self.refuses = False

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if path.endswith("openid-configuration"):
            base = f"{self.origin}/tenant-1/oauth2/v2.0"
            places = {
                "token_endpoint": f"{base}/token",
                "authorization_endpoint": f"{base}/authorize",
                "issuer": f"{self.origin}/tenant-1/v2.0",
            }
            return 200, json.dumps(places).encode()
        self.forms.append(parse_qs(body.decode()))
        if self.refuses:
            words = "AADSTS7000215: Invalid client secret provided: canary-secret."
            return 401, json.dumps({"error": "invalid_client", "error_description": words}).encode()
        return 200, json.dumps({"access_token": "canary-app", "expires_in": 3600, "token_type": "Bearer"}).encode()


async def test_application_asks_its_authority_in_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path, monkeypatch)
    with answering(authority.answer, tls=authority.tls) as service:
        authority.origin = service.origin
        authorisation = await shown(entra_tokens(APPLICATION, authority=service.origin))

    assert authorisation.headers == (("Authorization", "Bearer canary-app"),)
    (form,) = authority.forms
    assert (form["client_id"], form["client_secret"], form["scope"]) == (["client-1"], ["canary-secret"], [SCOPE])


async def test_wrong_secret_is_told_by_the_vendors_code_and_not_by_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path, monkeypatch)
    authority.refuses = True
    with answering(authority.answer, tls=authority.tls) as service:
        authority.origin = service.origin
        failure = await failed(entra_tokens(APPLICATION, authority=service.origin))
    assert "AADSTS7000215" in failure.message
    assert "entra.client_secret" in failure.message


# --- what goes wrong around it --------------------------------------------------------------------------------


async def test_missing_library_is_named_with_its_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] == "azure"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "azure", None)
    assert INSTALL in (await failed(entra_tokens())).message


class Hanging:
    """A credential of azure-identity's kind that does not answer until it is let go."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.asked = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        """Nothing to close."""

    def get_token(self, scope: str) -> Any:
        self.asked += 1
        self.released.wait(60)
        raise ValueError("canary")


async def test_hanging_service_is_given_up_and_no_second_thread_is_started(autojump_clock: object) -> None:
    hanging = Hanging()
    tokens = entra_tokens(make=lambda: hanging)
    try:
        assert "did not come within 30 s" in (await failed(tokens)).message
        await trio.sleep(30.0)
        assert "did not come within 30 s" in (await failed(tokens)).message
        assert hanging.asked <= 1
    finally:
        hanging.released.set()


def test_an_application_cannot_be_printed_copied_or_pickled() -> None:
    assert "canary" not in repr(APPLICATION)
    assert not hasattr(APPLICATION, "__dict__")
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never copied"):
            attempt(APPLICATION)
