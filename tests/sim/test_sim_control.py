"""Faults are switched and bills are read at run time, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import trio

from manus.sim.behaviour import Script
from manus.sim.faults import faults_of
from manus.sim.provider import SimProvider
from manus.sim.server import SimServer, serve_sim
from tests.sim.asking import TLS

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
async def server() -> AsyncIterator[SimServer]:
    async with serve_sim(SimProvider("openai", Script(text="usual"))) as server:
        yield server


@pytest.fixture
async def client(server: SimServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.origin, verify=TLS, trust_env=False) as client:
        yield client
    await trio.lowlevel.checkpoint()


async def test_a_fault_is_switched_on_and_off(client: httpx.AsyncClient) -> None:
    switched = await client.post("/_sim/fault/429:retry_after_s=3")
    assert switched.json()["script"] == {"text": "usual", "fault": {"kind": "status", "status": 429, **RETRY}}
    assert (await client.post("/v1/chat/completions", json=CHAT)).headers["retry-after"] == "3"
    assert (await client.delete("/_sim/fault")).status_code == 200
    answer = await client.post("/v1/chat/completions", json=CHAT)
    assert answer.json()["choices"][0]["message"]["content"] == "usual"


RETRY = {"retry_after_s": 3.0, "retry_after_date": False, "code": None}


async def test_a_behaviour_is_set_and_read(client: httpx.AsyncClient) -> None:
    wanted = {"script": {"text": "later"}, "first": [{"fault": {"kind": "html"}}], "seed": 3}
    assert (await client.put("/_sim/behaviour", json=wanted)).status_code == 200
    assert (await client.get("/_sim/behaviour")).json()["seed"] == 3
    assert "html" in (await client.post("/v1/chat/completions", json=CHAT)).headers["content-type"]
    assert b"later" in (await client.post("/v1/chat/completions", json=CHAT)).content


async def test_the_bill_is_read_and_reading_is_not_on_it(client: httpx.AsyncClient, server: SimServer) -> None:
    await client.post("/v1/chat/completions", json=CHAT)
    for _ in range(2):
        bill = (await client.get("/_sim/bill")).json()
        assert bill["totals"]["requests"] == 1
        assert bill["rows"][0]["state"] == "complete"
    assert bill["totals"]["output_tokens"] == server.provider.bill.totals().output_tokens == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "/_sim/fault/stal", None, 400, "did you mean 'stall'"),
        ("POST", "/_sim/fault/corrupt-frame", None, 400, "does not exist on the wire 'openai'"),
        ("PUT", "/_sim/behaviour", b'{"script":{"fault":{"kind":"pause_turn"}}}', 400, "does not exist on the wire"),
        ("PUT", "/_sim/behaviour", b"{", 400, "not a behaviour"),
        ("PUT", "/_sim/behaviour", b'{"sccript":{}}', 400, "sccript"),
        ("GET", "/_sim/", None, 404, "no GET"),
        ("DELETE", "/_sim/bill", None, 404, "no DELETE"),
    ],
)
async def test_what_cannot_be_done_is_said(
    method: str, path: str, body: bytes | None, status: int, says: str, client: httpx.AsyncClient
) -> None:
    answer = await client.request(method, path, content=body)
    assert answer.status_code == status
    assert says in answer.json()["error"]
    assert b"usual" in (await client.post("/v1/chat/completions", json=CHAT)).content


async def test_a_provider_scripted_by_a_function_cannot_be_given_a_fault(
    client: httpx.AsyncClient, server: SimServer
) -> None:
    server.provider.behave(lambda asked: Script(text=asked.prompt))
    assert (await client.post("/_sim/fault/stall")).status_code == 409
    assert (await client.get("/_sim/behaviour")).status_code == 404
    assert (await client.get("/_sim/faults")).json().keys() == faults_of("openai").keys()
