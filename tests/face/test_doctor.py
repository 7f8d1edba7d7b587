"""Examinations of providers on loopback, as they are and with everything that can be wrong with them."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from manus import doctor
from manus.actors.credentials import fingerprint_of
from manus.checkup import Check, Checkup
from manus.config.load import load
from manus.doctor import examine_all
from manus.sim.provider import WIRES, SimProvider
from manus.sim.server import serve_sim
from manus.sim.wire import WireName
from manus.wiring import wire
from tests.actors.loopback_http import Loopback, answering

KEY = "sk-canary-good"
NAMES = ("gpt-5.4", "gpt-5.4-mini")
MODELS = json.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in NAMES]}).encode()


def tables(**providers: dict[str, Any]) -> dict[str, Any]:
    return {"ledger": {"path": ":memory:"}, "providers": providers}


async def examined(
    providers: dict[str, dict[str, Any]],
    *,
    base: Path = Path(),
    limit_s: float = 20.0,
    now_unix_s: Callable[[], float] = time.time,
) -> dict[str, Checkup]:
    config = load(tables(**providers), environ={}).config
    specs = wire(config, base=base, state=None).providers
    checkups = await examine_all(config, specs, base=base, limit_s=limit_s, now_unix_s=now_unix_s)
    assert [checkup.provider for checkup in checkups] == list(providers)
    assert "canary" not in repr(checkups)
    for checkup in checkups:
        for check in checkup.checks:
            assert check.state != "failed" or check.mend, check
    return {checkup.provider: checkup for checkup in checkups}


async def examined_one(entry: dict[str, Any], **options: Any) -> Checkup:
    return (await examined({"one": {"api_key": KEY, **entry}}, **options))["one"]


def check_of(checkup: Checkup, name: str) -> Check:
    (check,) = (check for check in checkup.checks if check.name == name)
    return check


def openai(base_url: str, **more: Any) -> dict[str, Any]:
    return {"type": "openai", "base_url": base_url, "models": [{"name": "sim-large"}], **more}


# --- well providers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wire", WIRES)
async def test_well_provider_is_well_in_every_respect_and_billed_nothing(wire: WireName) -> None:
    provider = SimProvider(wire, api_key=KEY)
    kind = "openai" if wire == "openai-responses" else wire
    async with serve_sim(provider) as server:
        more = {"region": "us-east-1"} if kind == "bedrock" else {}
        checkup = await examined_one({**openai(server.base_url), "type": kind, **more})

    assert checkup.state in ("ok", "unknown"), checkup
    names = [check.name for check in checkup.checks]
    assert names == ["configuration", "credentials", "reachable", "clock", "authenticated", "model sim-large"]
    assert check_of(checkup, "authenticated").state == "ok"
    assert check_of(checkup, "model sim-large").state == ("unknown" if kind == "bedrock" else "ok")
    assert "fingerprint" in check_of(checkup, "credentials").found
    assert all(not row.billed for row in provider.bill.rows())


async def test_trusted_authority_of_ones_own_is_trusted_here_too(tmp_path: Path) -> None:
    context, authority = _own_authority(tmp_path)
    with answering(lambda method, path, body: (200, MODELS), tls=context) as server:
        entry = openai(f"{server.origin}/v1", models=[{"name": "gpt-5.4"}], ca_file=authority.name)
        checkup = await examined_one(entry, base=tmp_path)
    assert checkup.state == "ok", checkup


def _own_authority(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    return context, tmp_path / "ca.pem"


# --- what can be wrong ----------------------------------------------------------------------------------------


async def test_wrong_key_is_told_from_everything_else() -> None:
    async with serve_sim(SimProvider("openai", api_key="sk-canary-another")) as server:
        checkup = await examined_one(openai(server.base_url))
    assert check_of(checkup, "reachable").state == "ok"
    refused = check_of(checkup, "authenticated")
    assert refused.state == "failed"
    assert "HTTP 401" in refused.found
    assert not any(check.name.startswith("model") for check in checkup.checks)


async def test_each_of_several_keys_is_tried_and_the_dead_one_is_named() -> None:
    async with serve_sim(SimProvider("openai", api_key=KEY)) as server:
        entry = {**openai(server.base_url), "api_key": None, "api_keys": ["sk-canary-dead", KEY]}
        checkup = await examined_one(entry)
    dead, good = (check for check in checkup.checks if check.name == "authenticated")
    assert (dead.state, good.state) == ("failed", "ok")
    assert fingerprint_of("sk-canary-dead") in dead.found
    assert fingerprint_of(KEY) in good.found
    assert check_of(checkup, "model sim-large").state == "ok"


async def test_model_that_is_not_there_is_named_with_what_was_meant() -> None:
    async with serve_sim(SimProvider("openai", api_key=KEY)) as server:
        checkup = await examined_one(openai(server.base_url, models=[{"name": "sim-larg"}]))
    check = check_of(checkup, "model sim-larg")
    assert check.state == "failed"
    assert "did you mean 'sim-large'" in check.found


async def test_host_without_an_address_is_a_matter_of_names() -> None:
    checkup = await examined_one(openai("http://no-such-host.invalid/v1"))
    assert checkup.checks[-1].name == "name"
    assert "offline" in checkup.checks[-1].mend


async def test_port_where_nobody_listens_is_a_matter_of_the_connection() -> None:
    async with serve_sim(SimProvider("openai")) as server:
        base_url = server.base_url
    checkup = await examined_one(openai(base_url))
    assert (checkup.checks[-1].name, checkup.checks[-1].state) == ("connection", "failed")
    assert "refused" in checkup.checks[-1].found


async def test_certificate_of_a_stranger_is_a_matter_of_tls(tmp_path: Path) -> None:
    context, _ = _own_authority(tmp_path)
    with answering(lambda method, path, body: (200, MODELS), tls=context) as server:
        checkup = await examined_one(openai(f"{server.origin}/v1"))
    assert (checkup.checks[-1].name, checkup.checks[-1].state) == ("TLS", "failed")
    assert "not trusted" in checkup.checks[-1].found
    assert server.seen == []


async def test_server_without_tls_is_a_matter_of_tls() -> None:
    async with serve_sim(SimProvider("openai")) as server:
        checkup = await examined_one(openai(server.base_url.replace("http://127.0.0.1", "https://localhost")))
    assert (checkup.checks[-1].name, checkup.checks[-1].state) == ("TLS", "failed")


async def test_server_that_hangs_ends_within_the_bound_and_holds_nobody_up() -> None:
    released = threading.Event()

    def hang(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        released.wait(60)
        return 200, MODELS

    async with serve_sim(SimProvider("openai", api_key=KEY)) as well:
        try:
            with answering(hang) as server:
                entries = {"hangs": openai(server.origin), "well": openai(well.base_url)}
                checkups = await examined({name: {"api_key": KEY, **e} for name, e in entries.items()}, limit_s=3.0)
                released.set()
        finally:
            released.set()
    last = checkups["hangs"].checks[-1]
    assert (last.name, last.state, last.found) == ("authenticated", "failed", "no answer within 3 s")
    assert check_of(checkups["well"], "authenticated").state == "ok"


async def test_server_that_answers_something_else_is_unknown() -> None:
    for status, content in ((200, b"<html>"), (200, b"{}"), (404, b"{}"), (500, b"")):

        def answer(method: str, path: str, body: bytes, status: int = status, content: bytes = content) -> Any:
            return status, content

        with answering(answer) as server:
            checkup = await examined_one(openai(server.origin))
        assert check_of(checkup, "authenticated").state == "unknown"


async def test_list_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LIST_BYTES_MAX", 1000)
    with answering(lambda method, path, body: (200, b" " * 2000)) as server:
        checkup = await examined_one(openai(server.origin))
    assert "too long" in check_of(checkup, "authenticated").found


async def test_warning_of_the_configuration_is_told_with_its_provider(tmp_path: Path) -> None:
    context, _ = _own_authority(tmp_path)
    with answering(lambda method, path, body: (200, MODELS), tls=context) as server:
        entry = openai(f"{server.origin}/v1", models=[{"name": "gpt-5.4"}], verify=False)
        checkup = await examined_one(entry)
    assert check_of(checkup, "configuration").state == checkup.state == "warning"
    assert "providers.one.verify" in check_of(checkup, "configuration").found


# --- the vendors' own ways ------------------------------------------------------------------------------------


def bedrock(server: Loopback, **more: Any) -> dict[str, Any]:
    keys = {"aws_access_key_id": "AKIACANARY".lower(), "aws_secret_access_key": "canary-secret"}
    models = [{"name": "us.anthropic.claude-opus-5"}, {"name": "anthropic.claude-opus-9"}]
    return {
        "type": "bedrock",
        "region": "us-east-1",
        "base_url": server.origin,
        "api_key": None,
        "models": models,
        **keys,
        **more,
    }


FOUNDATION = json.dumps({"modelSummaries": [{"modelId": "anthropic.claude-opus-5"}]}).encode()


@pytest.mark.parametrize(("off_s", "state"), [(0.0, "ok"), (120.0, "warning"), (-400.0, "failed")])
async def test_clock_matters_more_where_requests_are_signed(off_s: float, state: str) -> None:
    with answering(lambda method, path, body: (200, FOUNDATION)) as server:
        checkup = await examined_one(bedrock(server), now_unix_s=lambda: time.time() + off_s)
    assert check_of(checkup, "clock").state == state
    assert check_of(checkup, "model us.anthropic.claude-opus-5").state == "unknown"
    assert check_of(checkup, "model anthropic.claude-opus-9").state == "failed"


async def test_bedrock_credentials_that_are_nowhere_are_said_before_anybody_is_asked() -> None:
    with answering(lambda method, path, body: (200, FOUNDATION)) as server:
        checkup = await examined_one(bedrock(server, aws_access_key_id=None, aws_secret_access_key=None))
    missing = check_of(checkup, "credentials")
    assert missing.state == "failed"
    assert "AWS credential chain" in missing.found
    assert "aws configure" in missing.mend
    assert check_of(checkup, "reachable").state == "ok"
    assert server.seen == []


async def test_deployments_of_azure_are_asked_nothing_and_told_apart() -> None:
    asked: list[tuple[str, bytes]] = []

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        asked.append((method, body))
        if method == "GET":
            return 200, MODELS
        if b"missing" in body or "missing" in path:
            error = {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}
            return 404, json.dumps({"error": error}).encode()
        return 400, b'{"error": {"code": "empty_array", "message": "messages: too short"}}'

    for version in (None, "2024-10-21"):
        with answering(answer) as server:
            entry = {
                "type": "azure",
                "base_url": server.origin,
                "api_version": version,
                "models": [{"name": "mine", "base": "gpt-5.4"}, {"name": "missing"}],
            }
            checkup = await examined_one(entry)
        assert check_of(checkup, "model mine").state == "ok"
        missing = check_of(checkup, "model missing")
        assert missing.state == "failed"
        assert "DeploymentNotFound" in missing.found
    assert all(json.loads(body)["messages"] == [] for method, body in asked if method == "POST")


async def test_anthropics_key_is_shown_in_its_own_header_and_its_list_is_read() -> None:
    listed = json.dumps({"data": [{"type": "model", "id": "claude-haiku-4-5-20251001"}], "has_more": False}).encode()
    with answering(lambda method, path, body: (200, listed)) as server:
        entry = {"type": "anthropic", "base_url": server.origin, "models": [{"name": "claude-haiku-4-5"}]}
        checkup = await examined_one(entry)
    assert checkup.state == "ok", checkup
    assert server.seen[0][1].startswith("/v1/models")


async def test_local_model_is_not_started_for_it(tmp_path: Path) -> None:
    entry = {"type": "local", "command": str(tmp_path / "nowhere"), "args": ["{port}"], "models": [{"name": "m"}]}
    (checkup,) = (await examined({"local": entry})).values()
    assert check_of(checkup, "server").state == "ok"
    assert check_of(checkup, "model m").state == "unknown"
    (broken,) = (await examined({"local": {**entry, "command": None, "args": ["x"]}})).values()
    assert [check.name for check in broken.checks][:2] == ["configuration", "server"]


async def test_examination_that_is_cancelled_leaves_nothing_behind() -> None:
    released = threading.Event()

    def hang(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        released.wait(60)
        return 200, MODELS

    try:
        with answering(hang) as server:
            with trio.move_on_after(0.5) as scope:
                await examined_one(openai(server.origin))
            released.set()
    finally:
        released.set()
    assert scope.cancelled_caught
