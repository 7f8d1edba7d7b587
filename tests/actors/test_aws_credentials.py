"""AWS keys as AWS's own tools find them, requests signed with them, and chains that hang, fail and go stale."""

from __future__ import annotations

import copy
import json
import os
import pickle
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
import trio

from manus.actors.codecs.base import HttpRequest
from manus.actors.credentials import ASK_AGAIN, Authorisation, fingerprint_of
from manus.actors.credentials.aws import AwsKeys, Signed, SigV4
from manus.actors.credentials.aws_chain import INSTALL, LOOK_AGAIN_S, chain_keys
from manus.messages.failures import Failed
from tests.actors.loopback_http import answering

SECRET = "canary+secret/access/key"
BODY = b'{"messages":[{"role":"user","content":[{"text":"hi"}]}]}'
URL = httpx.URL(
    "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
)
REQUEST = HttpRequest(method="POST", path="", headers=(("content-type", "application/json"),), body=BODY)
REFUSED = Failed(kind="auth", message="expired", status=403, code="ExpiredTokenException")


async def authorised(credentials: SigV4) -> Signed:
    authorisation = await credentials.authorise(REQUEST, URL)
    assert isinstance(authorisation, Signed), authorisation
    return authorisation


# --- signing --------------------------------------------------------------------------------------------------


async def test_request_is_signed_as_it_goes_out_at_the_clocks_time() -> None:
    """The vector of bedrock.md, section 1.1."""
    keys = AwsKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    signed = await authorised(SigV4(keys, region="us-east-1", now_unix_s=lambda: 1767323045.0))

    headers = {name.lower(): value for name, value in signed.headers}
    assert headers["x-amz-date"] == "20260102T030405Z"
    assert headers["authorization"].endswith(
        "Signature=6b18186d5132c71249f705372d764ddfd8a9890b662230fb355af564c05e1c35"
    )
    assert signed.once
    assert signed.fingerprint == fingerprint_of("AKIDEXAMPLE")


async def test_session_token_is_shown_and_given_keys_have_nothing_else_to_show() -> None:
    credentials = SigV4(AwsKeys("ASIAX", SECRET, "the-token"), region="us-east-1")
    signed = await authorised(credentials)
    assert ("X-Amz-Security-Token", "the-token") in signed.headers
    assert credentials.refused(signed, REFUSED) is REFUSED


@pytest.mark.parametrize("keys", [("", SECRET), ("A", ""), ("A", SECRET + "\n"), ("A", SECRET, "a b\x00")])
def test_keys_that_are_none_are_refused_without_being_quoted(keys: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="is empty or holds") as refusal:
        AwsKeys(*keys)
    assert "canary" not in str(refusal.value)


async def test_keys_and_signatures_cannot_be_printed_copied_or_pickled() -> None:
    keys = AwsKeys("AKIDCANARY", SECRET, "canary-token")
    credentials = SigV4(keys, region="us-east-1")
    for holder in (keys, credentials, await authorised(credentials), chain_keys()):
        assert "canary" not in repr(holder).lower()
        assert not hasattr(holder, "__dict__")
        for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="never copied"):
                attempt(holder)


# --- the chain, with botocore itself --------------------------------------------------------------------------


async def test_environment_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    credentials = SigV4(chain_keys(), region="us-east-1")
    assert credentials.fingerprint is None
    assert (await authorised(credentials)).fingerprint == fingerprint_of("AKIAENV") == credentials.fingerprint


def a_process_that_gives_keys(tmp_path: Path, *, life_s: float) -> Path:
    """Write a program as AWS's `credential_process` wants it; each run gives other keys and leaves a line."""
    program = tmp_path / "give_keys.py"
    program.write_text(
        f"""
import datetime, json, pathlib
runs = pathlib.Path({str(tmp_path / "runs")!r})
number = len(runs.read_text().splitlines()) + 1 if runs.exists() else 1
with runs.open("a") as file: file.write("run\\n")
ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds={life_s})
print(json.dumps({{"Version": 1, "AccessKeyId": f"ASIA{{number}}", "SecretAccessKey": {SECRET!r},
                  "SessionToken": f"token-{{number}}", "Expiration": ends.isoformat()}}))
"""
    )
    config = tmp_path / "config"
    config.write_text(f"[profile work]\nregion = eu-west-1\ncredential_process = {sys.executable} {program}\n")
    return config


async def test_profile_with_a_process_is_asked_once_by_thirty_calls(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(a_process_that_gives_keys(tmp_path, life_s=3600)))
    credentials = SigV4(chain_keys(profile="work"), region="eu-west-1")
    shown: list[Signed] = []

    async def call() -> None:
        shown.append(await authorised(credentials))

    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(call)

    assert {each.fingerprint for each in shown} == {fingerprint_of("ASIA1")}
    assert ("X-Amz-Security-Token", "token-1") in shown[0].headers
    assert_lives_for_an_hour(credentials)
    assert (tmp_path / "runs").read_text() == "run\n"


async def test_refused_keys_are_looked_up_from_the_beginning_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(a_process_that_gives_keys(tmp_path, life_s=3600)))
    credentials = SigV4(chain_keys(profile="work"), region="eu-west-1")
    first = await authorised(credentials)

    assert credentials.refused(first, REFUSED).what_to_do == ASK_AGAIN
    second = await authorised(credentials)

    assert (first.fingerprint, second.fingerprint) == (fingerprint_of("ASIA1"), fingerprint_of("ASIA2"))
    assert credentials.refused(second, REFUSED) is REFUSED


async def test_keys_that_have_expired_are_replaced_before_they_are_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(a_process_that_gives_keys(tmp_path, life_s=3600)))
    later_s = 0.0
    credentials = SigV4(chain_keys(profile="work", now_unix_s=lambda: time.time() + later_s), region="eu-west-1")
    await authorised(credentials)
    later_s = 3600.0 * 0.9
    assert (await authorised(credentials)).fingerprint == fingerprint_of("ASIA1")  # being renewed meanwhile
    with trio.fail_after(60):
        while credentials.fingerprint == fingerprint_of("ASIA1"):  # noqa: ASYNC110  # it is renewed in a thread
            await trio.sleep(0.01)
    assert credentials.fingerprint == fingerprint_of("ASIA2")


async def test_machine_service_is_asked_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain's last place: the metadata of the machine, here on loopback."""
    expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    found = {
        "Code": "Success",
        "AccessKeyId": "ASIAROLE",
        "SecretAccessKey": SECRET,
        "Token": "t",
        "Expiration": expiration,
    }

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if path.endswith("/api/token"):
            return 200, b"imds-token"
        return 200, b"a-role" if path.endswith("security-credentials/") else json.dumps(found).encode()

    with answering(answer) as machine:
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", machine.origin)
        credentials = SigV4(chain_keys(), region="us-east-1")
        signed = await authorised(credentials)

    assert signed.fingerprint == fingerprint_of("ASIAROLE")
    assert_lives_for_an_hour(credentials)
    assert ("PUT", "/latest/api/token") in machine.seen


def assert_lives_for_an_hour(credentials: SigV4) -> None:
    expires_at = credentials.expires_at_unix_s
    assert expires_at is not None
    assert 3000 < expires_at - time.time() <= 3600


def a_profile_with_a_role(tmp_path: Path) -> Path:
    config = tmp_path / "config"
    config.write_text(
        "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = base-secret\n"
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\nregion = us-east-1\n"
    )
    return config


async def test_role_that_may_not_be_assumed_is_told_by_the_vendors_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(a_profile_with_a_role(tmp_path)))
    denied = (
        b'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        b"<Code>AccessDenied</Code><Message>canary</Message></Error></ErrorResponse>"
    )
    with answering(lambda method, path, body: (403, denied)) as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", service.origin)
        failure = await failed(SigV4(chain_keys(profile="role"), region="us-east-1"))
    assert "AccessDenied" in failure.message
    assert "canary" not in repr(failure)


async def test_role_is_assumed_at_the_token_service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(a_profile_with_a_role(tmp_path)))
    expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    assumed = (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        f"<AccessKeyId>ASIASTS</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey>"
        f"<SessionToken>t</SessionToken><Expiration>{expiration}</Expiration>"
        "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    ).encode()
    with answering(lambda method, path, body: (200, assumed)) as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", service.origin)
        credentials = SigV4(chain_keys(profile="role"), region="us-east-1")
        signed = await authorised(credentials)
    assert signed.fingerprint == fingerprint_of("ASIASTS")
    assert_lives_for_an_hour(credentials)


# --- what goes wrong ------------------------------------------------------------------------------------------


async def failed(credentials: SigV4) -> Failed:
    failure = await credentials.authorise(REQUEST, URL)
    assert isinstance(failure, Failed)
    assert failure.kind == "auth"
    assert failure.safe_to_retry
    return failure


async def test_nothing_found_says_where_keys_may_be() -> None:
    failure = await failed(SigV4(chain_keys(), region="us-east-1"))
    for place in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK", "aws configure"):
        assert place in failure.message


async def test_profile_that_does_not_exist_is_named() -> None:
    assert "profile nobody does not exist" in (await failed(SigV4(chain_keys(profile="nobody"), region="x"))).message


async def test_process_that_fails_is_told_without_its_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = f"{sys.executable} -c 'import sys; sys.exit(\"canary-in-stderr\")'"
    (tmp_path / "config").write_text(f"[profile work]\ncredential_process = {program}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    failure = await failed(SigV4(chain_keys(profile="work"), region="x"))
    assert "CredentialRetrievalError" in failure.message
    assert "canary" not in repr(failure)


async def test_missing_library_is_named_with_its_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] == "botocore"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "botocore", None)
    assert INSTALL in (await failed(SigV4(chain_keys(), region="x"))).message


async def test_hanging_chain_blocks_neither_the_loop_nor_more_than_one_thread(autojump_clock: object) -> None:
    """Threads do not run by the virtual clock: all waits here are over before the thread is."""
    released = threading.Event()
    looking: list[int] = []

    def look() -> tuple[AwsKeys, float | None] | Failed:
        looking.append(threading.get_ident())
        released.wait(60)
        return AwsKeys("ASIALATE", SECRET), None

    keys = chain_keys(look=look)
    credentials = SigV4(keys, region="x")
    try:
        ticks = 0
        for _ in range(3):
            with trio.move_on_after(1.0):
                await credentials.authorise(REQUEST, URL)
            ticks += 1
        failure = await failed(credentials)
        assert "did not come within 30 s" in failure.message
        assert "aws sts get-caller-identity" in failure.message
        await trio.sleep(10.0)
        await failed(credentials)
        assert ticks == 3
        assert len(looking) <= 1
    finally:
        released.set()


async def test_keys_without_an_end_are_looked_up_again_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0
    now = 0.0

    def look() -> tuple[AwsKeys, float | None] | Failed:
        nonlocal looked
        looked += 1
        return AwsKeys(f"AKIA{looked}", SECRET), None

    credentials = SigV4(chain_keys(look=look, now_unix_s=lambda: now), region="x")
    assert (await authorised(credentials)).fingerprint == fingerprint_of("AKIA1")
    now = LOOK_AGAIN_S
    assert (await authorised(credentials)).fingerprint == fingerprint_of("AKIA2")


async def test_search_does_not_run_on_the_loops_thread() -> None:
    def look() -> tuple[AwsKeys, float | None] | Failed:
        assert threading.get_ident() != loops
        return AwsKeys("AKIA", SECRET), None

    loops = threading.get_ident()
    assert isinstance(await SigV4(chain_keys(look=look), region="x").authorise(REQUEST, URL), Authorisation)


def test_importing_the_credentials_loads_no_vendors_library() -> None:
    code = (
        "import sys, manus.wiring, manus.actors.credentials.aws_chain, manus.actors.credentials.entra;"
        "sys.exit(any(m.split('.')[0] in ('botocore', 'azure', 'msal') for m in sys.modules))"
    )
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", code]) == 0
