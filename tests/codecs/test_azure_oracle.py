"""What OpenAI's own Python SDK sends to Azure, on either surface, we send too: target, key, body; and read alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import pytest
import trio

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.credentials import StaticKey
from manus.messages.content import text_turn
from manus.messages.ids import RequestId
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, Sampling
from tests.codecs.decoding import assemble
from tests.codecs.oracle_recorder import (
    Arrived,
    Recorder,
    differences,
    json_answer,
    recorded_answer,
    recorder,
    sent_by_us,
)
from tests.shared_data import exchanges

openai = pytest.importorskip("openai", reason="the vendor's SDK is a development requirement")

KEY = "azure-key-0123456789abcdef"
TOKEN = "eyJ0eXAiOiJKV1QifQ.e30.c2lnbmF0dXJl"
VERSION = "2024-10-21"
USER = {"role": "user", "content": "Hi"}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4.1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
}
RESPONSE = {"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m", "output": []}


def _request(**fields: Any) -> ChatRequest:
    return ChatRequest(request_id=RequestId("r"), turns=(text_turn("user", "Hi"),), **fields)


def _written(wire: str, request: ChatRequest, deployment: str, version: str | None) -> HttpRequest:
    options = CodecOptions(card=ModelCard(name=deployment, base="gpt-4.1"), api_version=version)
    encoded = codec_for(wire).encode(request, deployment, options)
    assert isinstance(encoded, HttpRequest)
    assert encoded.warnings == ()
    return encoded


def _body(arrived: Arrived) -> dict[str, Any]:
    return {key: value for key, value in arrived.json().items() if (key, value) != ("stream", False)}


@pytest.mark.parametrize("deployment", ["chat", "my gpt-4.1 (eu)", "größe", "a+b&c?"])
async def test_the_classic_surface_is_asked_as_the_sdk_asks(deployment: str) -> None:
    request = _request(sampling=Sampling(temperature=0.5), max_output_tokens=64)

    def ask(server: Recorder) -> None:
        with openai.AzureOpenAI(
            azure_endpoint=server.url, api_key=KEY, api_version=VERSION, azure_deployment=deployment, max_retries=0
        ) as client:
            client.chat.completions.create(model=deployment, messages=[USER], temperature=0.5, max_tokens=64)

    ours, theirs = await _both(_written("azure-chat", request, deployment, VERSION), ask, COMPLETION)

    assert ours.path.startswith("/openai/deployments/")
    assert ours.path.endswith(f"/chat/completions?api-version={VERSION}")
    if deployment != "a+b&c?":  # the SDK leaves what begins a query as it is, and so asks for another place
        assert unquote(ours.path) == unquote(theirs.path)
    assert ours.header("api-key") == theirs.header("api-key") == KEY
    assert differences(_body(ours), theirs.json()) == []


async def test_v1_is_asked_as_the_sdk_asks() -> None:
    def ask(server: Recorder) -> None:
        with openai.OpenAI(base_url=f"{server.url}/openai/v1/", api_key=KEY, max_retries=0) as client:
            client.chat.completions.create(model="chat", messages=[USER], max_tokens=64)

    written = _written("azure-chat", _request(max_output_tokens=64), "chat", None)
    ours, theirs = await _both(written, ask, COMPLETION)

    assert ours.path == theirs.path == "/openai/v1/chat/completions"
    assert ours.header("api-key") == KEY
    assert theirs.header("authorization") == f"Bearer {KEY}"  # v1 takes the key at either place
    assert differences(_body(ours), theirs.json()) == []


@pytest.mark.parametrize("version", [None, "2025-04-01-preview"], ids=["v1", "classic"])
async def test_responses_are_asked_for_as_the_sdk_asks(version: str | None) -> None:
    def ask(server: Recorder) -> None:
        if version is None:
            client = openai.OpenAI(base_url=f"{server.url}/openai/v1/", api_key=KEY, max_retries=0)
        else:
            client = openai.AzureOpenAI(azure_endpoint=server.url, api_key=KEY, api_version=version, max_retries=0)
        with client:
            client.responses.create(model="chat", input=[USER], store=False)

    ours, theirs = await _both(_written("azure-responses", _request(), "chat", version), ask, RESPONSE)

    assert ours.path == theirs.path
    assert differences(_body(ours), theirs.json()) == []


async def test_models_are_listed_as_the_sdk_lists_them() -> None:
    def ask(server: Recorder) -> None:
        with openai.AzureOpenAI(azure_endpoint=server.url, api_key=KEY, api_version=VERSION, max_retries=0) as client:
            client.models.list()

    encoded = codec_for("azure-chat").list_models_request(CodecOptions(api_version=VERSION))
    ours, theirs = await _both(encoded, ask, {"object": "list", "data": [{"id": "gpt-4.1"}]})

    assert (ours.method, ours.path) == (theirs.method, theirs.path) == ("GET", f"/openai/models?api-version={VERSION}")


async def test_an_entra_token_is_shown_as_the_sdk_shows_it() -> None:
    def ask(server: Recorder) -> None:
        with openai.AzureOpenAI(
            azure_endpoint=server.url, azure_ad_token=TOKEN, api_version=VERSION, max_retries=0
        ) as client:
            client.chat.completions.create(model="chat", messages=[USER])

    ours, theirs = await _both(
        _written("azure-chat", _request(), "chat", VERSION), ask, COMPLETION, credentials=StaticKey(TOKEN)
    )

    assert ours.header("authorization") == theirs.header("authorization") == f"Bearer {TOKEN}"
    assert ours.header("api-key") is None


async def test_our_decoder_and_the_sdks_read_the_same_streams() -> None:
    with recorder() as server:
        assert await trio.to_thread.run_sync(_compare_streams, server) >= 20


def _compare_streams(server: Recorder) -> int:
    read = 0
    with openai.AzureOpenAI(azure_endpoint=server.url, api_key=KEY, api_version=VERSION, max_retries=0) as client:
        for exchange in exchanges(("azure", "deployments-chat"), ("azure", "v1-chat"), ("azure", "models-chat")):
            text = exchange["response"]["body_text"]
            if exchange["response"]["status"] != 200 or not text.startswith("data:"):
                continue
            server.answer(recorded_answer(exchange, text.encode()))
            said, finish, completion_tokens = "", None, None
            for chunk in client.chat.completions.create(model="chat", messages=[USER], stream=True):
                completion_tokens = chunk.usage.completion_tokens if chunk.usage else completion_tokens
                for choice in chunk.choices[:1]:
                    said += (choice.delta and choice.delta.content) or ""
                    finish = choice.finish_reason or finish
            assembly = assemble("azure-chat", text.encode())
            counts = assembly.vendor_counts
            assert assembly.finish is not None
            assert (assembly.text_so_far, assembly.finish.raw) == (said, finish), exchange["id"]
            assert (counts and counts.output) == completion_tokens, exchange["id"]
            read += 1
    return read


async def _both(
    encoded: HttpRequest,
    ask: Callable[[Recorder], None],
    answer: object,
    *,
    credentials: StaticKey | None = None,
) -> tuple[Arrived, Arrived]:
    with recorder(json_answer(answer)) as server:
        await sent_by_us(encoded, server.url, credentials=credentials or StaticKey(KEY, header="api-key", prefix=""))
        ours = server.last()
        await trio.to_thread.run_sync(ask, server)
        return ours, server.last()
