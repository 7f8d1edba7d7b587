"""What AWS's own Python SDK sends to Bedrock and reads from it, we send and read too.

Our body is handed to the SDK as arguments, by its own model of the service, which refuses what the service does not
know; what it then sends to a recorder on a loopback port must be what we send there. Each side's signature is checked
by the other. Recorded streams are read by the SDK's parser and by our decoder.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, EventStreamError
from botocore.session import Session

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.credentials.aws import AwsKeys, SigV4
from manus.messages.content import Document, Image, Opaque, Reasoning, Text, ToolCall, ToolResult, Turn, text_turn
from manus.messages.events import StreamEvent
from manus.messages.ids import RequestId
from manus.messages.policy import Bounds
from manus.messages.requests import ChatRequest, OutputFormat, ReasoningOptions, Sampling, Tool, ToolChoice
from manus.sim.wire import SimRequest
from manus.sim.wire_bedrock import BedrockWire
from tests.codecs.converse_frames import (
    MESSAGE_START,
    converse,
    delta,
    exception,
    message_stop,
    metadata,
    start,
    stop,
    stream,
)
from tests.codecs.oracle_recorder import Arrived, Recorder, asked_by_us, recorder, sent_by_us, stream_answer
from tests.codecs.test_recorded_requests_bedrock import Inexpressible, request_of
from tests.shared_data import exchanges

# Any, throughout this file: JSON, and the SDK's own objects, which have no types.

ACCESS_KEY, SECRET_KEY, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session/token=="
REGION = "eu-west-1"
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/1arbu5hu2sjr"
PNG = b"\x89PNG\r\n\x1a\n1"
EVENT_STREAM = "application/vnd.amazon.eventstream"

WEATHER = Tool(
    name="get_weather",
    description="Tells the weather.",
    schema=msgspec.Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}'),
    strict=True,
)
SCHEMA = OutputFormat(schema=msgspec.Raw(b'{"type":"object","additionalProperties":false}'), name="count")
ROUND_TRIP = (
    text_turn("system", "Be terse."),
    Turn(role="user", parts=(Text(text="Weather in \u00d8sl\u00f8 \U0001f30d?", cache="long"), Image(data=PNG))),
    Turn(
        role="assistant",
        parts=(
            Reasoning(text="Hm", signature="EqM=", provider="bedrock", model=CLAUDE),
            Reasoning(redacted="AQI=", provider="bedrock", model=CLAUDE),
            Opaque(
                provider="bedrock",
                kind="toolUse",
                model=CLAUDE,
                raw=msgspec.Raw(
                    b'{"toolUse":{"toolUseId":"s","name":"look","input":{"q":1},"type":"server_tool_use"}}'
                ),
            ),
            ToolCall(id="t1", name="get_weather", arguments='{"city":"Oslo","depth":[1,2.5,null,true,{}]}'),
        ),
    ),
    Turn(role="tool", parts=(ToolResult(id="t1", content=(Text(text="4 C"), Image(data=PNG)), is_error=True),)),
    Turn(role="user", parts=(Document(data=b"%PDF-1", name="a.pdf", cache="short"), Text(text="And this?"))),
)


def _request(turns: tuple[Turn, ...] = (text_turn("user", "Hi"),), **fields: Any) -> ChatRequest:
    return ChatRequest(request_id=RequestId("r"), turns=turns, **fields)


REQUESTS: dict[str, tuple[str, ChatRequest]] = {
    "least": ("m", _request()),
    "stream": ("m", _request(stream=True)),
    "everything": (
        CLAUDE,
        _request(
            ROUND_TRIP,
            tools=(WEATHER,),
            tool_choice=ToolChoice(mode="required"),
            max_output_tokens=4096,
            sampling=Sampling(temperature=0.5, top_k=3, stop=("END", "\u2028")),
            end_user_id="u-1",
            service_tier="priority",
            extra={
                "bedrock": msgspec.Raw(
                    b'{"guardrailConfig":{"guardrailIdentifier":"g","guardrailVersion":"1","trace":"enabled"},'
                    b'"performanceConfig":{"latency":"optimized"},"anthropic_beta":["x"]}'
                )
            },
        ),
    ),
    "budget": (CLAUDE, _request(reasoning=ReasoningOptions(budget_tokens=2000))),
    "adaptive": ("global.anthropic.claude-opus-5-5", _request(reasoning=ReasoningOptions(effort="high"))),
    "schema": (CLAUDE, _request(output=SCHEMA, stream=True)),
    "answer tool": ("amazon.nova-lite-v1:0", _request(output=SCHEMA)),
    "named tool": (CLAUDE, _request(tools=(WEATHER,), tool_choice=ToolChoice(mode="tool", name="get_weather"))),
    "history without tools": (PROFILE, _request(ROUND_TRIP)),
    "results alone": ("meta.llama3-3-70b-instruct-v1:0", _request(ROUND_TRIP, tools=(WEATHER,))),
    "results as json": (
        "mistral.mistral-large-2407-v1:0",
        _request(
            (
                *ROUND_TRIP[:2],
                Turn(role="assistant", parts=(ToolCall(id="t1", name="f"),)),
                Turn(role="tool", parts=(ToolResult(id="t1", content=(Text(text='{"a":[1,{"b":null}]}'),)),)),
            ),
            tools=(WEATHER,),
        ),
    ),
    "s3": (
        "m",
        _request(
            (
                Turn(
                    role="user",
                    parts=(
                        Image(file_id="s3://b/i.png"),
                        Document(url="s3://b/d.pdf", name="d"),
                        Document(text="t", name="e"),
                    ),
                ),
            )
        ),
    ),
    "odd id": ("a b?c#d%/\u00e9", _request()),
}


# --- the SDK ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rig() -> Iterator[tuple[Any, Recorder]]:
    """A client of the SDK and the recorder that it talks to."""
    with pytest.MonkeyPatch.context() as environment, recorder() as heard:
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        environment.setenv("AWS_CONFIG_FILE", "/nonexistent")
        environment.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        environment.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)
        client = Session().create_client(
            "bedrock-runtime",
            region_name=REGION,
            endpoint_url=heard.url,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            aws_session_token=TOKEN,
            config=Config(retries={"max_attempts": 0}, proxies={}),
        )
        yield client, heard
        client.close()


def arguments_of(client: Any, operation: str, body: dict[str, Any]) -> dict[str, Any]:
    """Turn a body into the SDK's arguments, by its own model: what the wire has as base64 the SDK takes as bytes."""
    model = client.meta.service_model.operation_model(operation).input_shape
    arguments: dict[str, Any] = _shaped(body, model)
    return arguments


def _shaped(value: Any, shape: Any) -> Any:
    if getattr(shape, "is_document_type", False):
        return value
    if shape.type_name == "structure":
        names = {member.serialization.get("name", name): (name, member) for name, member in shape.members.items()}
        unknown = value.keys() - names.keys()
        assert not unknown, f"{shape.name} has no {unknown}"
        return {names[key][0]: _shaped(member, names[key][1]) for key, member in value.items()}
    if shape.type_name == "list":
        return [_shaped(member, shape.member) for member in value]
    if shape.type_name == "blob":
        return base64.b64decode(value, validate=True)
    return value


def sent_by_sdk(rig: tuple[Any, Recorder], written: HttpRequest, model: str) -> Arrived:
    """Have the SDK send what we wrote; its answer is none, and is not read."""
    client, heard = rig
    streamed = written.path.endswith("converse-stream")
    operation = "ConverseStream" if streamed else "Converse"
    arguments = arguments_of(client, operation, json.loads(written.body))
    heard.answer(stream_answer(stream(), content_type=EVENT_STREAM) if streamed else _answer(converse([])))
    if streamed:
        client.converse_stream(modelId=model, **arguments)["stream"].close()
    else:
        client.converse(modelId=model, **arguments)
    return heard.last()


def _answer(body: bytes) -> Any:
    return stream_answer(body, content_type="application/json")


def credentials() -> SigV4:
    """Our signer, with the SDK's keys."""
    return SigV4(AwsKeys(ACCESS_KEY, SECRET_KEY, TOKEN), region=REGION)


def encoded(request: ChatRequest, model: str) -> HttpRequest:
    """Write a request."""
    written = codec_for("bedrock").encode(request, model, CodecOptions())
    assert isinstance(written, HttpRequest), written
    return written


# --- requests --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", list(REQUESTS), ids=lambda case: case.replace(" ", "-"))
async def test_our_requests_are_those_of_the_sdk(case: str, rig: tuple[Any, Recorder]) -> None:
    model, request = REQUESTS[case]
    written = encoded(request, model)
    theirs = sent_by_sdk(rig, written, model)
    await sent_by_us(written, rig[1].url, credentials=credentials())
    ours = rig[1].last()

    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert ours.json() == theirs.json()
    assert ours.header("content-type") == theirs.header("content-type")
    for header in ("x-amz-security-token", "host"):
        assert ours.header(header) == theirs.header(header)
    _check_signatures(ours, theirs)


def _check_signatures(ours: Arrived, theirs: Arrived) -> None:
    """Have each side check what the other signed, as it arrived."""
    for arrived in (ours, theirs):
        assert BedrockWire().admits(_as_sim_request(arrived), f"{ACCESS_KEY}:{SECRET_KEY}")
    signed = _signed_headers(ours)
    assert {"host", "x-amz-date", "x-amz-security-token", "content-type"} <= set(signed)
    headers = {name: value for name, value in ours.headers if name.lower() in signed and name.lower() != "host"}
    url = f"http://{ours.header('host')}{ours.path}"
    again = AWSRequest(method=ours.method, url=url, headers=headers, data=ours.body)
    signer = SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY, TOKEN), "bedrock", REGION)
    again.context["timestamp"] = ours.header("x-amz-date")
    signature = signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)
    assert (ours.header("authorization") or "").endswith(f"Signature={signature}")


def _signed_headers(arrived: Arrived) -> list[str]:
    shown = arrived.header("authorization") or ""
    return shown.partition("SignedHeaders=")[2].partition(",")[0].split(";")


def _as_sim_request(arrived: Arrived) -> SimRequest:
    path, _, query = arrived.path.partition("?")
    headers = {name.lower(): value for name, value in arrived.headers}
    return SimRequest(method=arrived.method, path=path, query=query, headers=headers, body=arrived.body)


def test_recorded_requests_are_known_to_the_sdk_and_sent_alike(rig: tuple[Any, Recorder]) -> None:
    compared = 0
    for exchange in exchanges(("bedrock", "converse"), ("bedrock", "converse-stream")):
        streamed = exchange["api"] == "converse-stream"
        try:
            request = request_of(exchange["request"]["body"], stream=streamed)
        except Inexpressible:
            continue
        written = encoded(request, "some-model")
        theirs = sent_by_sdk(rig, written, "some-model")
        assert theirs.path == written.path
        assert theirs.json() == json.loads(written.body), exchange["id"]
        compared += 1
    assert compared >= 73


# --- answers ---------------------------------------------------------------------------------------------


class Read:
    """What is read of one answer: the same by the SDK and by us."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.thought: list[str] = []
        self.seals: list[str] = []
        self.calls: dict[int, tuple[str, str, list[str]]] = {}
        self.stop: str | None = None
        self.usage: tuple[int, int, int, int] | None = None
        self.error: str | None = None

    def summary(self) -> tuple[object, ...]:
        calls = [(identifier, name, "".join(pieces)) for identifier, name, pieces in self.calls.values()]
        return "".join(self.text), "".join(self.thought), self.seals, calls, self.stop, self.usage, self.error


def read_by_sdk(rig: tuple[Any, Recorder], body: bytes, *, piece_bytes: int) -> tuple[object, ...]:
    """Have the SDK read a stream from a socket, in pieces."""
    client, heard = rig
    heard.answer(stream_answer(body, content_type=EVENT_STREAM, piece_bytes=piece_bytes))
    arguments = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
    read = Read()
    server_run: set[int] = set()
    with closing(client.converse_stream(**arguments)["stream"]) as events:
        try:
            for event in events:
                _note(read, server_run, event)
        except EventStreamError as error:
            read.error = str(error.response["Error"]["Code"])
    return read.summary()


def _note(read: Read, server_run: set[int], event: dict[str, Any]) -> None:
    match event:
        case {"contentBlockStart": {"start": {"toolUse": use}, "contentBlockIndex": number}}:
            if use.get("type") == "server_tool_use":
                server_run.add(number)
            else:
                read.calls[number] = (use["toolUseId"], use["name"], [])
        case {"contentBlockDelta": {"delta": {"text": text}}}:
            read.text.append(text)
        case {"contentBlockDelta": {"delta": {"toolUse": {"input": text}}, "contentBlockIndex": number}}:
            if number not in server_run:
                read.calls[number][2].append(text)
        case {"contentBlockDelta": {"delta": {"reasoningContent": {"text": text}}}}:
            read.thought.append(text)
        case {"contentBlockDelta": {"delta": {"reasoningContent": {"signature": seal}}}}:
            read.seals.append(seal)
        case {"contentBlockDelta": {"delta": {"reasoningContent": {"redactedContent": hidden}}}}:
            read.seals.append(base64.b64encode(hidden).decode())
        case {"messageStop": {"stopReason": reason}}:
            read.stop = reason
        case {"metadata": {"usage": usage}}:
            read.usage = (
                usage["inputTokens"],
                usage["outputTokens"],
                usage.get("cacheReadInputTokens", 0),
                usage.get("cacheWriteInputTokens", 0),
            )


def read_by_us(body: bytes, *, piece_bytes: int) -> tuple[object, ...]:
    """Read the same with our decoder."""
    decoder = codec_for("bedrock").decoder(stream=True, model="m", options=CodecOptions())
    events: list[StreamEvent] = []
    for place in range(0, len(body), piece_bytes):
        events.extend(decoder.feed(body[place : place + piece_bytes]))
    events.extend(decoder.finish())
    assembly = Assembly("bedrock", "m", Bounds())
    assembly.add(events)
    answer = assembly.answer()
    thoughts = [part for part in answer.parts if isinstance(part, Reasoning)]
    usage = answer.usage
    calls = [
        (part.id, part.name, "" if part.arguments == "{}" else part.arguments)
        for part in answer.parts
        if isinstance(part, ToolCall)
    ]
    counts = (usage.input_uncached, usage.output, usage.cache_read, usage.cache_write_short + usage.cache_write_long)
    return (
        "".join(part.text for part in answer.parts if isinstance(part, Text)),
        "".join(part.text for part in thoughts),
        [seal for part in thoughts for seal in (part.signature, part.redacted) if seal],
        calls,
        answer.finish.raw,
        counts if usage.source == "reported" else None,
        None if assembly.failure is None else assembly.failure.code,
    )


@pytest.mark.parametrize("piece_bytes", [7, 4096])
def test_recorded_streams_are_read_alike(rig: tuple[Any, Recorder], piece_bytes: int) -> None:
    compared = 0
    for exchange in exchanges(("bedrock", "converse-stream")):
        response = exchange["response"]
        if response["status"] != 200:
            continue
        body = base64.b64decode(response["body_base64"])
        theirs = list(read_by_sdk(rig, body, piece_bytes=piece_bytes))
        theirs[3] = [(identifier, name, "" if text == "{}" else text) for identifier, name, text in theirs[3]]  # type: ignore[attr-defined]
        assert list(read_by_us(body, piece_bytes=piece_bytes)) == theirs, exchange["id"]
        compared += 1
    assert compared >= 29


MADE = {
    "thinking and calls": stream(
        delta(0, reasoningContent={"text": "Hm "}),
        delta(0, reasoningContent={"signature": "EqM="}),
        stop(0),
        delta(1, reasoningContent={"redactedContent": "AQI="}),
        stop(1),
        delta(2, text="Gr\u00f6\u00dfe \U0001f30d\u2028"),
        stop(2),
        start(3, toolUse={"toolUseId": "a", "name": "f"}),
        start(4, toolUse={"toolUseId": "b", "name": "g"}),
        delta(4, toolUse={"input": '{"y"'}),
        delta(3, toolUse={"input": '{"x":1}'}),
        delta(4, toolUse={"input": ":2}"}),
        stop(3),
        stop(4),
        reason="tool_use",
    ),
    "no metadata": b"".join((MESSAGE_START, delta(0, text="Hi"), message_stop())),
    **{
        name: b"".join((MESSAGE_START, delta(0, text="Hi"), exception(name, {"message": "Sorry"}), metadata()))
        for name in (
            "internalServerException",
            "modelStreamErrorException",
            "serviceUnavailableException",
            "throttlingException",
            "validationException",
        )
    },
}


@pytest.mark.parametrize("case", list(MADE), ids=lambda case: case.replace(" ", "-"))
def test_made_streams_are_read_alike_errors_inside_too(rig: tuple[Any, Recorder], case: str) -> None:
    for piece_bytes in (3, 100_000):
        assert read_by_us(MADE[case], piece_bytes=piece_bytes) == read_by_sdk(rig, MADE[case], piece_bytes=piece_bytes)


async def test_refusals_are_named_alike(rig: tuple[Any, Recorder]) -> None:
    client, heard = rig
    for exchange in exchanges(("bedrock", "converse"), ("bedrock", "converse-stream")):
        response = exchange["response"]
        if response["status"] < 400:
            continue
        canned = _answer(response["body_text"].encode())
        name = response["headers"].get("x-amzn-errortype")
        headers = (("x-amzn-errortype", name),) if name else ()
        heard.answer(msgspec.structs.replace(canned, status=response["status"], headers=headers))
        with pytest.raises(ClientError) as refused:
            client.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "Hi"}]}])
        ours = await asked_by_us("bedrock", _request(), "m", heard.url, credentials=credentials())
        assert ours.failure is not None
        assert ours.failure.status == refused.value.response["ResponseMetadata"]["HTTPStatusCode"]
        if name:
            assert ours.failure.code == refused.value.response["Error"]["Code"]
        said = refused.value.response["Error"]["Message"].rstrip(".")
        assert said in ours.failure.message
