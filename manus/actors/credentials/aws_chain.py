"""Own the search for AWS credentials where the AWS tools find theirs: environment, files, SSO, containers, machines.

The search is botocore's, of the extra `bedrock`. It blocks, so it runs in a thread, one per provider entry at most;
botocore is imported there too, for it takes a fifth of a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import trio

from manus.actors.credentials.aws import AwsKeys
from manus.actors.credentials.tokens import FETCH_S, Renewing
from manus.messages.failures import Failed

INSTALL: Final = 'pip install "manus-llm[bedrock]"'

LOOK_AGAIN_S: Final = 900.0
"""Keys that do not say when they expire are looked up again after so long: their file may have been edited."""

Look = Callable[[], tuple[AwsKeys, float | None] | Failed]
"""Finds keys, and when they expire in Unix time. Blocks; called in a thread."""


def chain_keys(
    *,
    profile: str | None = None,
    now_unix_s: Callable[[], float] = time.time,
    fetch_s: float = FETCH_S,
    look: Look | None = None,
) -> Renewing[AwsKeys]:
    """Give keys that are found, kept and renewed as botocore's chain has them.

    Args:
        profile: of the AWS configuration files; None is the usual one, `AWS_PROFILE`.
        now_unix_s: the wall clock.
        fetch_s: how long one search may take. A thread that hangs longer is left behind, and no other is started
            before it has ended.
        look: the search, in place of botocore's.
    """
    limiter = trio.CapacityLimiter(1)

    def look_with_botocore() -> tuple[AwsKeys, float | None] | Failed:
        return _look(profile)

    async def fetch() -> tuple[AwsKeys, float | None] | Failed:
        found = await trio.to_thread.run_sync(look or look_with_botocore, abandon_on_cancel=True, limiter=limiter)
        if isinstance(found, Failed):
            return found
        keys, expires_at = found
        return keys, now_unix_s() + LOOK_AGAIN_S if expires_at is None else expires_at

    return Renewing(
        fetch,
        what="the AWS credentials",
        now_unix_s=now_unix_s,
        fetch_s=fetch_s,
        mend="Try `aws sts get-caller-identity`; it finds credentials in the same places.",
    )


def _look(profile: str | None) -> tuple[AwsKeys, float | None] | Failed:
    """Search once, from the beginning: a chain that was resolved before would not see what changed since."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound
        from botocore.session import Session
    except ImportError:
        return _failed(f"Finding AWS credentials needs botocore, which is not installed: {INSTALL}.")
    try:
        credentials: Any = Session(profile=profile).get_credentials()  # Any: botocore has no types
        if credentials is None:
            return _failed(
                "No AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE or "
                "AWS_BEARER_TOKEN_BEDROCK, or run `aws configure`."
            )
        frozen = credentials.get_frozen_credentials()
        # Temporary credentials have an expiry; botocore keeps it to itself, under this name since its beginnings.
        expiry = getattr(credentials, "_expiry_time", None)
    except ProfileNotFound:
        named = profile or "that AWS_PROFILE names"
        return _failed(f"The AWS profile {named} does not exist; `aws configure list-profiles` lists those that do.")
    except BotoCoreError as error:
        # Its type alone: the text of a process that gives credentials may hold them.
        mend = "`aws sso login` if it is about SSO, else try `aws sts get-caller-identity`"
        return _failed(f"Finding AWS credentials failed ({type(error).__name__}): {mend}.")
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "no reason given")
        return _failed(f"AWS gave no temporary credentials ({code}): may these credentials assume that role?")
    try:
        keys = AwsKeys(frozen.access_key, frozen.secret_key, frozen.token or None)
    except ValueError as error:
        return _failed(f"The AWS credentials that were found cannot be used: {error}.")
    return keys, None if expiry is None else expiry.timestamp()


def _failed(message: str) -> Failed:
    return Failed(kind="auth", message=message, safe_to_retry=True)
