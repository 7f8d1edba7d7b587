"""What keys and tokens do for a whole agent: who is asked with what, what is tried again, and what the books hold."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

import manus
from manus.actors.credentials import fingerprint_of
from manus.actors.credentials.tokens import PAUSE_S
from manus.opening import open_agent
from manus.sim.behaviour import Script
from manus.sim.memory import SimTransport
from manus.sim.provider import SimProvider

MODEL = {"name": "m", "cost_per_input": 1, "cost_per_output": 2}
GOOD = "sk-canary-good"


def tables(path: Path, **entry: Any) -> dict[str, Any]:
    provider = {"type": "openai", "base_url": "http://one/v1", "models": [MODEL], **entry}
    return {"ledger": {"path": str(path / "ledger.sqlite")}, "providers": {"one": provider}}


def sim(**options: Any) -> tuple[SimProvider, dict[str, Any]]:
    provider = SimProvider("openai", Script(text="Hello"), api_key=GOOD, **options)

    def connect(base_url: str) -> SimTransport:
        return SimTransport(provider)

    return provider, {"one": connect}


def booked(path: Path) -> list[tuple[str, str | None]]:
    """List how each attempt ended, and under which key, in the order of the attempts."""
    with sqlite3.connect(path / "ledger.sqlite") as connection:
        rows = connection.execute("SELECT state, key_fingerprint FROM attempts ORDER BY created_unix_s, attempt")
        return [(state, key) for state, key in rows]


async def test_dead_key_is_followed_by_the_next_one_and_the_books_name_the_key_of_each_attempt(tmp_path: Path) -> None:
    _, transports = sim()
    keys = ["sk-canary-dead", GOOD]
    async with open_agent(tables(tmp_path, api_keys=keys), transports=transports) as agent:
        first = await agent.generate("Hi")
        second = await agent.generate("Hi")

    assert [attempt.result for attempt in first.route.attempts] == ["auth", "ok"]
    assert [attempt.result for attempt in second.route.attempts] == ["ok"]
    dead, good = map(fingerprint_of, keys)
    assert booked(tmp_path) == [("released", dead), ("settled", good), ("settled", good)]
    assert b"canary" not in (tmp_path / "ledger.sqlite").read_bytes()


async def test_token_is_renewed_behind_further_headers_too(tmp_path: Path) -> None:
    _, transports = sim()
    given = iter(("sk-canary-old", GOOD))

    async def give() -> tuple[str, float]:
        return next(given), 4e9

    entry = {"organization": "org", "headers": {"X-Team": "t"}}
    async with open_agent(tables(tmp_path, **entry), transports=transports, tokens={"one": give}) as agent:
        response = await agent.generate("Hi")
    assert [attempt.result for attempt in response.route.attempts] == ["auth", "ok"]


async def test_when_every_key_is_dead_nobody_is_asked_and_the_error_names_them(tmp_path: Path) -> None:
    provider, transports = sim()
    keys = ["sk-canary-1", "sk-canary-2"]
    async with open_agent(tables(tmp_path, api_keys=keys), transports=transports) as agent:
        with pytest.raises(manus.AuthenticationError):
            await agent.generate("Hi")
        asked = len(provider.bill.rows())
        with pytest.raises(manus.AuthenticationError) as refused:
            await agent.generate("Hi")

    assert len(provider.bill.rows()) == asked == 2
    assert all(fingerprint_of(key) in str(refused.value) for key in keys)
    assert "canary" not in str(refused.value)
    assert refused.value.retry_after_s
    assert booked(tmp_path) == [("released", fingerprint_of(key)) for key in keys]


async def test_token_of_the_program_is_renewed_when_it_is_refused(tmp_path: Path) -> None:
    _, transports = sim()
    given: list[str] = []

    async def give() -> tuple[str, float]:
        given.append("sk-canary-old" if not given else GOOD)
        await trio.sleep(0.1)
        return given[-1], 4e9

    async with open_agent(tables(tmp_path), transports=transports, tokens={"one": give}) as agent:
        response = await agent.generate("Hi")
        await agent.generate("Hi")

    assert [attempt.result for attempt in response.route.attempts] == ["auth", "ok"]
    assert len(given) == 2
    name = fingerprint_of("program:one")
    assert booked(tmp_path) == [("released", name), ("settled", name), ("settled", name)]


async def test_token_that_does_not_come_is_an_error_that_ends_in_the_books(
    autojump_clock: object, tmp_path: Path
) -> None:
    provider, transports = sim()

    async def give() -> tuple[str, float]:
        await trio.sleep_forever()
        raise AssertionError

    async with open_agent(tables(tmp_path), transports=transports, tokens={"one": give}) as agent:
        with pytest.raises(manus.AuthenticationError, match="did not come within 30 s") as failed:
            await agent.generate("Hi")
        await trio.sleep(PAUSE_S)
        with pytest.raises(manus.TimeoutError) as late:
            await agent.generate("Hi", timeout_s=5)

    assert provider.bill.rows() == ()
    for error in (failed.value, late.value):
        assert [attempt.booking for attempt in error.attempts] == ["released"]


async def test_nothing_is_fetched_any_more_when_the_agent_is_closed(autojump_clock: object, tmp_path: Path) -> None:
    _, transports = sim()
    under_way = 0

    async def give() -> tuple[str, float]:
        nonlocal under_way
        under_way += 1
        try:
            await trio.sleep_forever()
        finally:
            under_way -= 1
        raise AssertionError

    async with open_agent(tables(tmp_path), transports=transports, tokens={"one": give}) as agent:
        with pytest.raises(manus.TimeoutError):
            await agent.generate("Hi", timeout_s=1)
        assert under_way == 1
    await trio.lowlevel.checkpoint()
    assert under_way == 0


async def test_requests_to_bedrock_are_signed_each_for_itself(tmp_path: Path) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(400, json={"message": "no"}, headers={"x-amzn-errortype": "ValidationException"})

    entry = {
        "type": "bedrock",
        "region": "eu-west-1",
        "base_url": None,
        "aws_access_key_id": "AKIATEST",
        "aws_secret_access_key": "canary-secret",
        "headers": {"X-Team": "t"},
    }
    config = tables(tmp_path, **entry)
    async with open_agent(config, transports={"one": lambda base_url: httpx.MockTransport(answer)}) as agent:
        for prompt in ("Hi", "Ho"):
            with pytest.raises(manus.LLMError):
                await agent.generate(prompt)

    one, two = seen
    assert one.url.host == "bedrock-runtime.eu-west-1.amazonaws.com"
    assert one.headers["authorization"] != two.headers["authorization"]
    for request in seen:
        assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIATEST/")
        assert request.headers["x-team"] == "t"
        assert len(request.headers.get_list("authorization")) == len(request.headers.get_list("x-amz-date")) == 1
    assert {key for _, key in booked(tmp_path)} == {fingerprint_of("AKIATEST")}


TOKEN = "canary" + "/SessionToken+0123456789" * 20


@pytest.mark.parametrize("told", [TOKEN, TOKEN[:200], TOKEN[:5] + "..." + TOKEN], ids=["whole", "cut short", "more"])
async def test_what_was_shown_is_struck_out_of_what_the_vendor_says(
    autojump_clock: object, tmp_path: Path, told: str
) -> None:
    """AWS explains a wrong signature by quoting the signed headers, the session token among them."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["x-amz-security-token"] == TOKEN
        message = f"The Canonical String for this request should have been 'x-amz-security-token:{told}"
        return httpx.Response(400, json={"message": message}, headers={"x-amzn-errortype": "ValidationException"})

    entry = {
        "type": "bedrock",
        "region": "eu-west-1",
        "base_url": None,
        "aws_access_key_id": "AKIATEST",
        "aws_secret_access_key": "canary-secret",
    }
    config = tables(tmp_path, **entry)
    config["providers"]["one"] |= {"aws_session_token": TOKEN}
    async with open_agent(config, transports={"one": lambda base_url: httpx.MockTransport(answer)}) as agent:
        with pytest.raises(manus.LLMError) as refused:
            await agent.generate("Hi")
    assert "Canonical String" in str(refused.value)
    assert "SessionToken" not in str(refused.value)


@pytest.mark.parametrize("length", [500, 150])
async def test_token_of_the_program_is_struck_out_as_well(autojump_clock: object, tmp_path: Path, length: int) -> None:
    token = "canary" * 100

    async def give() -> tuple[str, float]:
        return token, 4e9

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(403, json={"error": {"message": f"This token may not do that: {token[:length]}"}})

    transports = {"one": lambda base_url: httpx.MockTransport(answer)}
    async with open_agent(tables(tmp_path), transports=transports, tokens={"one": give}) as agent:
        with pytest.raises(manus.LLMError) as refused:
            await agent.generate("Hi")
    assert "This token may not do that" in str(refused.value)
    assert "canarycanary" not in str(refused.value)


async def test_bedrock_key_of_the_environment_is_taken_as_the_aws_tools_take_it(
    autojump_clock: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "canary-bearer")
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(403, json={"message": "no"})

    config = tables(tmp_path, type="bedrock", region="eu-west-1", base_url=None)
    async with open_agent(config, transports={"one": lambda base_url: httpx.MockTransport(answer)}) as agent:
        with pytest.raises(manus.LLMError):
            await agent.generate("Hi")
    assert set(seen) == {"Bearer canary-bearer"}
