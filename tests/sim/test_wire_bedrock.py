"""The simulated Bedrock speaks as the real one does: AWS's own parser and signer take it for it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.eventstream import ChecksumMismatch, EventStreamBuffer

from manus.actors.codecs import embed_codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.codecs.embed_answer import unpacked
from manus.actors.codecs.event_stream import FrameSplitter
from manus.messages.events import VectorsReported
from manus.messages.ids import RequestId
from manus.messages.requests import EmbedRequest
from manus.sim.behaviour import Script, ScriptedCall
from manus.sim.embeddings import vector_of
from manus.sim.faults import HugeLine, fault_named
from manus.sim.memory import SimTransport
from manus.sim.provider import SimProvider
from manus.sim.steps import Head, Send
from manus.sim.wire import SimRequest
from manus.sim.wire_bedrock import BedrockWire
from tests.shared_data import exchanges

# Any, throughout this file: JSON.

USER = {"role": "user", "content": [{"text": "Tell me."}]}
WEATHER = {"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object", "properties": {}}}}}
CALLING = Script(
    text="Größe 🌍", reasoning="Hm so", tool_calls=(ScriptedCall(name="weather", arguments='{"city": "Oslo"}'),)
)


def asked(
    body: dict[str, Any], script: Script | None = None, *, operation: str = "converse", model: str = "m"
) -> tuple[int, dict[str, str], bytes]:
    """Ask once and give status, headers and body."""
    provider = SimProvider("bedrock", script or Script(text="Yes."))
    return answered(provider, f"/model/{model}/{operation}", json.dumps(body).encode())


def answered(
    provider: SimProvider, path: str, body: bytes = b"", *, method: str = "POST", headers: dict[str, str] | None = None,
    query: str = "",
) -> tuple[int, dict[str, str], bytes]:  # fmt: skip
    """Give one answer, with all that is sent of it at once."""
    exchange = provider.answer(SimRequest(method=method, path=path, query=query, headers=headers or {}, body=body))
    status, head, sent = 0, {}, b""
    while (step := exchange.next_step()) is not None:
        if isinstance(step, Head):
            status, head = step.status, dict(step.headers)
        elif isinstance(step, Send):
            sent += step.data
    return status, head, sent


def parsed(body: bytes) -> list[tuple[dict[str, Any], bytes]]:
    """Read frames with AWS's parser, which checks every checksum."""
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    return [(message.headers, message.payload) for message in buffer]


# --- answers ---------------------------------------------------------------------------------------------


def test_a_stream_is_what_awss_parser_reads_with_the_order_of_real_events() -> None:
    status, head, body = asked(
        {"messages": [USER], "toolConfig": {"tools": [WEATHER]}}, CALLING, operation="converse-stream"
    )
    events = [(headers[":event-type"], json.loads(payload)) for headers, payload in parsed(body)]

    assert (status, head["content-type"]) == (200, "application/vnd.amazon.eventstream")
    assert len(head["x-amzn-requestid"].split("-")) == 5
    assert all("p" in payload for _, payload in events)
    starts = [name for name, _ in events if name != "contentBlockDelta"]
    assert starts == [
        "messageStart", "contentBlockStop", "contentBlockStop", "contentBlockStart", "contentBlockStop", "messageStop",
        "metadata",
    ]  # fmt: skip
    deltas = [payload["delta"] for name, payload in events if name == "contentBlockDelta"]
    assert "".join(delta.get("text", "") for delta in deltas) == "Größe 🌍"
    assert "".join(delta.get("toolUse", {}).get("input", "") for delta in deltas) == '{"city": "Oslo"}'
    assert events[-2][1]["stopReason"] == "tool_use"
    assert events[-1][1]["usage"]["totalTokens"] > 0


def test_its_answers_hold_no_key_that_real_ones_lack() -> None:
    known = set().union(*(_keys_of_recorded(exchange) for exchange in exchanges(("bedrock", "converse"))))
    known |= set().union(*(_keys_of_recorded(exchange) for exchange in exchanges(("bedrock", "converse-stream"))))
    known |= {"contentBlockDelta.delta.reasoningContent.signature", "contentBlockDelta.delta.reasoningContent.text"}
    body = {"messages": [USER], "toolConfig": {"tools": [WEATHER]}}
    streamed = asked(body, CALLING, operation="converse-stream")[2]
    said = set().union(*(_keys(json.loads(payload), headers[":event-type"]) for headers, payload in parsed(streamed)))
    said |= _keys(json.loads(asked(body, CALLING)[2]), "")
    assert said - known == set()


def _keys_of_recorded(exchange: dict[str, Any]) -> set[str]:
    response = exchange["response"]
    if response["status"] != 200:
        return set()
    if "body_text" in response:
        return _keys(json.loads(response["body_text"]), "")
    frames = FrameSplitter(10_000_000).feed(base64.b64decode(response["body_base64"]))
    return set().union(*(_keys(json.loads(payload), str(headers[":event-type"])) for headers, payload in frames))


def _keys(value: Any, path: str) -> set[str]:
    if path.endswith("input") or not isinstance(value, dict | list):
        return {path}
    if isinstance(value, list):
        return set().union(*(_keys(member, path) for member in value), {path})
    return {path}.union(*(_keys(member, f"{path}.{key}".lstrip(".")) for key, member in value.items()))


def test_an_error_inside_a_stream_is_an_exception_frame() -> None:
    for code, name in (("", "internalServerException"), ("overloaded", "serviceUnavailableException")):
        fault = fault_named("error-inside" + (f":code={code}" if code else ""))
        headers, payload = parsed(
            asked({"messages": [USER]}, Script(text="x", fault=fault), operation="converse-stream")[2]
        )[-1]
        assert (headers[":message-type"], headers[":exception-type"]) == ("exception", name)
        assert list(json.loads(payload)) == ["message"]


def test_a_corrupt_frame_is_one_to_awss_parser() -> None:
    script = Script(text="one two three four five", fault=fault_named("corrupt-frame"))
    body = asked({"messages": [USER]}, script, operation="converse-stream")[2]
    with pytest.raises(ChecksumMismatch):
        parsed(body)


def test_a_long_frame_has_the_checksum_of_all_its_letters() -> None:
    for filler in (0, 1, 70_000, 300_000):
        opening, closing = BedrockWire().event_around(filler)
        ((_, payload),) = parsed(opening + b"a" * filler + closing)
        assert payload == b"a" * filler
    script = Script(text="one two three", fault=HugeLine(line_bytes=200_000, after_chunks=1))
    body = asked({"messages": [USER]}, script, operation="converse-stream")[2]
    assert max(len(payload) for _, payload in parsed(body)) == 200_000


def test_garbled_text_stands_in_frames_whose_checksums_are_right() -> None:
    script = Script(text="one two three", fault=fault_named("latin1-body"))
    payloads = [payload for _, payload in parsed(asked({"messages": [USER]}, script, operation="converse-stream")[2])]
    assert any(b'"text":"\xe9' in payload for payload in payloads)


# --- what it refuses -------------------------------------------------------------------------------------

CALL = {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {}}}
RESULT = {"toolResult": {"toolUseId": "t1", "content": [{"text": "4 C"}]}}
TOOLS = {"tools": [WEATHER]}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "messages field"),
        ({"messages": [{"role": "system", "content": [{"text": "x"}]}]}, "role"),
        ({"messages": [{"role": "user", "content": []}]}, "content field"),
        ({"messages": [{"role": "user", "content": [{"text": "x", "image": {}}]}]}, "one key"),
        ({"messages": [{"role": "assistant", "content": [{"text": "x"}]}]}, "start with a user"),
        ({"messages": [USER, USER]}, "alternate"),
        ({"messages": [{"role": "user", "content": [{"text": " "}]}]}, "non-empty"),
        ({"messages": [USER], "inferenceConfig": {"maxTokens": 0}}, "maxTokens"),
        ({"messages": [USER], "inferenceConfig": {"temperature": 1.5}}, "temperature"),
        ({"messages": [USER], "inferenceConfig": {"stopSequences": [""]}}, "stopSequences"),
        ({"messages": [USER], "system": [{"text": ""}]}, "SystemContentBlock"),
        ({"messages": [USER], "toolConfig": {"tools": []}}, "tools field"),
        ({"messages": [USER], "toolConfig": {**TOOLS, "toolChoice": {"none": {}}}}, "toolChoice"),
        ({"messages": [USER], "toolConfig": {"tools": [{"toolSpec": {"name": "a b"}}]}}, "name"),
        ({"messages": [USER], "toolConfig": {"tools": [{"toolSpec": {"name": "a"}}]}}, "type"),
        (
            {"messages": [USER, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [RESULT]}]},
            "toolConfig field must be defined",
        ),
        ({"messages": [USER, {"role": "assistant", "content": [CALL]}], "toolConfig": TOOLS}, "Expected toolResult"),
        (
            {"messages": [USER, {"role": "assistant", "content": [CALL]}, USER], "toolConfig": TOOLS},
            "Expected toolResult",
        ),
        ({"messages": [{"role": "user", "content": [RESULT]}], "toolConfig": TOOLS}, "unexpected toolResult"),
        (
            {"messages": [{"role": "user", "content": [{"document": {"name": "a.pdf"}}, {"text": "x"}]}]},
            "not allowed",
        ),
        ({"messages": [{"role": "user", "content": [{"document": {"name": "a"}}]}]}, "text block"),
        (
            {"messages": [{"role": "user", "content": [*[{"text": "x"}, {"cachePoint": {"type": "default"}}] * 5]}]},
            "maximum of 4",
        ),
    ],
)  # fmt: skip
def test_what_bedrock_refuses_is_refused(body: dict[str, Any], said: str) -> None:
    status, head, answer = asked(body)
    assert (status, head["x-amzn-errortype"].partition(":")[0]) == (400, "ValidationException")
    assert said in json.loads(answer)["message"]


def test_a_good_tool_round_trip_is_taken() -> None:
    messages = [USER, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [RESULT]}]
    assert asked({"messages": messages, "toolConfig": TOOLS})[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/foundation-models", 200),
        ("GET", "/foundation-models/sim-large", 200),
        ("GET", "/foundation-models/nobody", 404),
        ("GET", "/inference-profiles", 200),
        ("GET", "/nothing", 404),
        ("POST", "/model/m/dance", 404),
        ("POST", "/model/a/b/converse", 404),
        ("PUT", "/model/m/converse", 404),
        ("POST", "/model/m/converse", 400),
    ],
)
def test_every_path_has_its_answer_and_costs_nothing(method: str, path: str, status: int) -> None:
    provider = SimProvider("bedrock")
    assert answered(provider, path, b"{", method=method)[0] == status
    assert provider.bill.totals().billed == 0


def test_the_model_in_the_path_is_read_decoded() -> None:
    provider = SimProvider("bedrock", Script(text="x"))
    answered(provider, "/model/us.anthropic.claude-v1%3A0/converse", json.dumps({"messages": [USER]}).encode())
    assert provider.bill.rows()[0].model == "us.anthropic.claude-v1:0"


# --- embeddings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model", ["amazon.titan-embed-text-v2:0", "cohere.embed-v4:0", "amazon.nova-2-embeddings-v1:0"]
)
def test_vectors_are_asked_for_and_given_in_each_vendors_words(model: str) -> None:
    codec = embed_codec_for("bedrock")
    assert codec is not None
    provider = SimProvider("bedrock")
    request = EmbedRequest(request_id=RequestId("r"), inputs=("Größe",), dimensions=32)
    written = codec.encode(request, model, CodecOptions())
    assert isinstance(written, HttpRequest)
    status, _, body = answered(provider, written.path, written.body)
    decoder = codec.decoder(request, model, CodecOptions())
    events = decoder.feed(body) + decoder.finish()
    (reported,) = (event for event in events if isinstance(event, VectorsReported))
    assert status == 200
    assert unpacked(reported.vectors[0]).tolist() == vector_of("Größe", 32)
    assert answered(provider, written.path, b"{}")[0] == 400


# --- who may ask -----------------------------------------------------------------------------------------

BODY = json.dumps({"messages": [USER]}).encode()
URL = "http://sim.test/model/us.x-v1%3A0/converse"


def signed(
    url: str = URL, body: bytes = BODY, *, method: str = "POST", secret: str = "secret", token: str | None = None,
    service: str = "bedrock",
) -> dict[str, str]:  # fmt: skip
    """Sign with AWS's own signer; header names are lower-case."""
    request = AWSRequest(method=method, url=url, data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials("AKID", secret, token), service, "us-east-1").add_auth(request)
    return {"host": "sim.test", **{name.lower(): value for name, value in request.headers.items()}}


def test_a_request_that_is_signed_with_the_keys_is_let_in() -> None:
    provider = SimProvider("bedrock", Script(text="x"), api_key="AKID:secret")
    for headers in (signed(), signed(token="session/token=")):
        assert answered(provider, "/model/us.x-v1%3A0/converse", BODY, headers=headers)[0] == 200
    listing = "http://sim.test/foundation-models?byOutputModality=TEXT&a="
    headers = signed(listing, b"", method="GET")
    query = "byOutputModality=TEXT&a="
    assert answered(provider, "/foundation-models", headers=headers, method="GET", query=query)[0] == 200
    assert answered(provider, "/foundation-models", headers=headers, method="GET")[0] == 403


def _tampered() -> Iterator[tuple[str, dict[str, str], str, bytes]]:
    path = "/model/us.x-v1%3A0/converse"
    yield "another secret", signed(secret="guess"), path, BODY
    yield "another service", signed(service="s3"), path, BODY
    yield "another body", signed(), path, BODY + b" "
    yield "another path", signed(), "/model/us.y-v1%3A0/converse", BODY
    yield "another host", {**signed(), "host": "elsewhere"}, path, BODY
    yield "another type", {**signed(), "content-type": "text/plain"}, path, BODY
    yield "another date", {**signed(), "x-amz-date": "20200101T000000Z"}, path, BODY
    yield "another token", {**signed(token="t"), "x-amz-security-token": "u"}, path, BODY
    yield "no signature", {}, path, BODY
    yield "a bearer key", {"authorization": "Bearer AKID:secret"}, path, BODY


@pytest.mark.parametrize("case", list(_tampered()), ids=lambda case: case[0].replace(" ", "-"))
def test_a_request_that_was_changed_or_signed_otherwise_is_not(case: tuple[str, dict[str, str], str, bytes]) -> None:
    _, headers, path, body = case
    provider = SimProvider("bedrock", Script(text="x"), api_key="AKID:secret")
    status, head, answer = answered(provider, path, body, headers=headers)
    assert (status, head["x-amzn-errortype"].partition(":")[0]) == (403, "UnrecognizedClientException")
    assert b"secret" not in answer
    assert provider.bill.totals().billed == 0


async def test_a_bearer_key_is_enough_where_one_is_set() -> None:
    async with SimTransport(SimProvider("bedrock", Script(text="x"), api_key="ABSK-1")) as transport:
        async with httpx.AsyncClient(transport=transport, base_url="http://sim") as client:
            for key, status in (("ABSK-1", 200), ("ABSK-2", 403)):
                head = {"authorization": f"Bearer {key}"}
                answer = await client.post("/model/x%3A0/converse", json={"messages": [USER]}, headers=head)
                assert answer.status_code == status
