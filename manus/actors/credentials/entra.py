"""Own tokens of Microsoft Entra ID, for Azure: an application's, or those of whoever the surroundings know.

The tokens are azure-identity's, of the extra `azure`. It blocks and takes half a second to import, so all of it
happens in a thread, one per provider entry at most.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any, Final, NoReturn, final

import trio

from manus.actors.credentials.tokens import FETCH_S, BearerTokens
from manus.messages.failures import Failed

INSTALL: Final = 'pip install "manus-llm[azure]"'

SCOPE: Final = "https://cognitiveservices.azure.com/.default"
"""What a token for Azure OpenAI is for (Microsoft's documentation, read 2026-10); newer v1 documents name
`https://ai.azure.com/.default` instead, which the configuration may say."""

_NOBODY_LISTENS: Final = logging.NullHandler()

_CODE = re.compile(r"AADSTS\d+")


@final
class EntraApplication:
    """An application that asks for tokens in its own name. The secret is kept out of reprs, copies and pickles."""

    __slots__ = ("client_id", "client_secret", "tenant")

    def __init__(self, *, tenant: str, client_id: str, client_secret: str) -> None:
        self.tenant = tenant
        self.client_id = client_id
        self.client_secret = client_secret

    def __repr__(self) -> str:
        return f"EntraApplication(tenant={self.tenant!r}, client_id={self.client_id!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are never copied or written anywhere")


def entra_tokens(
    application: EntraApplication | None = None,
    *,
    client_id: str | None = None,
    scope: str = SCOPE,
    authority: str | None = None,
    now_unix_s: Callable[[], float] = time.time,
    fetch_s: float = FETCH_S,
    make: Callable[[], Any] | None = None,  # Any: azure-identity is typed, but not always here
) -> BearerTokens:
    """Give credentials that show Entra tokens, fetched once for all calls and renewed in time.

    Args:
        application: who asks; None: whoever the surroundings know (environment variables, workload and managed
            identities, `az login`), as azure-identity's `DefaultAzureCredential` finds them.
        client_id: of a managed identity, where the machine has several.
        scope: what the token is for.
        authority: the host that gives tokens, where it is not the public cloud's.
        now_unix_s: the wall clock.
        fetch_s: how long one fetch may take. A thread that hangs longer is left behind, and no other is started
            before it has ended.
        make: makes a credential of azure-identity's kind in place of the usual ones; called in the thread, once per
            token: each keeps the tokens it was given, also those that were refused.
    """
    limiter = trio.CapacityLimiter(1)

    def make_usual() -> Any:
        from azure.identity import ClientSecretCredential, DefaultAzureCredential

        # An authority that the user names is believed; the usual check would ask the public cloud about it.
        places: dict[str, Any] = (
            {} if authority is None else {"authority": authority, "disable_instance_discovery": True}
        )
        if application is None:
            chosen = {} if client_id is None else {"managed_identity_client_id": client_id}
            return DefaultAzureCredential(**places, **chosen)
        return ClientSecretCredential(application.tenant, application.client_id, application.client_secret, **places)

    def ask() -> tuple[str, float | None] | Failed:
        try:
            from azure.core.exceptions import AzureError
        except ImportError:
            return _failed(f"Tokens of Microsoft Entra ID need azure-identity, which is not installed: {INSTALL}.")
        # It tells the standard library's logger what it tried; without anybody to listen that would go to stderr.
        logging.getLogger("azure").addHandler(_NOBODY_LISTENS)
        try:
            with (make or make_usual)() as credential:
                token = credential.get_token(scope)
        except (AzureError, ValueError) as error:
            return _failed(_why(error, application))
        return token.token, float(token.expires_on)

    async def provide() -> tuple[str, float | None] | Failed:
        return await trio.to_thread.run_sync(ask, abandon_on_cancel=True, limiter=limiter)

    who = f"{application.tenant}/{application.client_id}" if application is not None else client_id or "surroundings"
    return BearerTokens(
        provide,
        name=f"entra:{who}",
        now_unix_s=now_unix_s,
        fetch_s=fetch_s,
        mend="Check the network, and whether `az account get-access-token` gives one.",
    )


def _why(error: Exception, application: EntraApplication | None) -> str:
    """Say what is known of a refusal: its type and the vendor's code. Its text may quote what it was shown."""
    code = _CODE.search(str(error))
    told = type(error).__name__ + (f", {code.group()}" if code else "")
    if application is None:
        mend = (
            "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, run `az login`, or give an identity a role"
        )
    else:
        mend = "check `entra.tenant`, `entra.client_id` and `entra.client_secret`"
    return f"Microsoft Entra ID gave no token ({told}): {mend}."


def _failed(message: str) -> Failed:
    return Failed(kind="auth", message=message, safe_to_retry=True)
