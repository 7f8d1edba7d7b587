"""What our codecs write, every simulated vendor reads: instructions, pictures, tools, schemas; and answers so."""

from __future__ import annotations

import json
from typing import Any, cast

import msgspec
import pytest

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.messages.content import Image, Text, ToolCall, Turn, text_turn
from manus.messages.ids import RequestId
from manus.messages.policy import Bounds, ModelCard
from manus.messages.requests import ChatRequest, OutputFormat, ReasoningOptions, Tool, ToolChoice
from manus.sim.behaviour import Script
from manus.sim.bill import BillRow
from manus.sim.provider import CODECS, WIRES, SimProvider
from manus.sim.steps import Send
from manus.sim.wire import ChatAsked, Reply, SimRequest, WireName

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
PIXEL = b"\x89PNG\r\n\x1a\n" + b"\x00" * 32
MODEL = "sim-large"
CARD = ModelCard(name=MODEL, max_output_tokens=8_000)
OPTIONS = CodecOptions(provider="sim", card=CARD)

CANNOT_FORCE = ("ollama",)
"""Wires without a choice of tools."""


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> WireName:
    return cast(WireName, request.param)


def request_for(**fields: Any) -> ChatRequest:
    turns = fields.pop("turns", (text_turn("system", "Be brief."), text_turn("user", "How will it be?")))
    return ChatRequest(request_id=RequestId("r"), turns=turns, **fields)


def addressed(wire: WireName, request: ChatRequest) -> tuple[SimRequest, CodecOptions]:
    """Write a request with our codec, at the provider's address; and what its decoder has to know."""
    encoded = codec_for(CODECS[wire]).encode(request, MODEL, OPTIONS)
    assert isinstance(encoded, HttpRequest), encoded
    path, _, query = (SimProvider(wire).wire.base_path + encoded.path).partition("?")
    headers = {name.lower(): value for name, value in encoded.headers}
    asked = SimRequest(method=encoded.method, path=path, query=query, headers=headers, body=encoded.body)
    return asked, msgspec.structs.replace(OPTIONS, answer_tool=encoded.answer_tool)


def read(wire: WireName, request: ChatRequest) -> ChatAsked:
    """Let the simulated vendor read what our codec writes."""
    asked = SimProvider(wire).wire.read(addressed(wire, request)[0], (MODEL,))
    assert not isinstance(asked, Reply), asked
    return asked


def answered(wire: WireName, request: ChatRequest, script: Script | None = None) -> tuple[Assembly, BillRow]:
    """Let the simulated vendor answer, and read that with our codec; and what it bills."""
    asked, options = addressed(wire, request)
    exchange = SimProvider(wire, script).answer(asked)
    decoder = codec_for(CODECS[wire]).decoder(stream=request.stream, model=MODEL, options=options)
    assembly = Assembly(CODECS[wire], MODEL, Bounds())
    while (step := exchange.next_step()) is not None:
        if isinstance(step, Send):
            assembly.add(decoder.feed(step.data))
    assembly.add(decoder.finish())
    assert assembly.failure is None
    return assembly, exchange.row


def test_instructions_and_the_question_are_told_apart(wire: WireName) -> None:
    asked = read(wire, request_for(stream=True))
    assert (asked.system, asked.prompt, asked.stream, asked.model) == ("Be brief.", "How will it be?", True, MODEL)
    assert (asked.images, asked.tools, asked.must_call, asked.schema, asked.thinking) == (0, (), None, None, False)


def test_pictures_are_counted_and_paid_for(wire: WireName) -> None:
    plain = read(wire, request_for(turns=(text_turn("user", "What is it?"),)))
    parts = (Text(text="What is it?"), Image(data=PIXEL, media_type="image/png"))
    asked = read(wire, request_for(turns=(Turn(role="user", parts=parts),)))
    assert (asked.images, asked.prompt) == (1, "What is it?")
    assert asked.input_tokens >= plain.input_tokens + 85


def test_tools_come_with_their_schemas(wire: WireName) -> None:
    tools = (Tool(name="weather", description="Look ahead.", schema=msgspec.Raw(json.dumps(WEATHER).encode())),)
    asked = read(wire, request_for(tools=tools))
    assert asked.tools == ("weather",)
    (schema,) = asked.tool_schemas
    assert schema is not None
    assert schema["properties"].keys() == WEATHER["properties"].keys()  # type: ignore[attr-defined]
    assert asked.must_call is None


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("wire", sorted(set(WIRES) - set(CANNOT_FORCE)))
def test_a_tool_that_must_be_called_is_called_as_its_schema_says(wire: WireName, stream: bool) -> None:
    tools = (Tool(name="weather", schema=msgspec.Raw(json.dumps(WEATHER).encode())),)
    for choice, must_call in ((ToolChoice(mode="required"), ""), (ToolChoice(mode="tool", name="weather"), "weather")):
        request = request_for(tools=tools, tool_choice=choice, stream=stream)
        assert read(wire, request).must_call == must_call
        assembly, _ = answered(wire, request)
        (call,) = [part for part in assembly.answer().parts if isinstance(part, ToolCall)]
        arguments = json.loads(call.arguments)
        assert call.name == "weather"
        assert isinstance(arguments["city"], str)
        assert 1 <= arguments["days"] <= 7


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_fits_the_schema_that_was_asked_for(wire: WireName, stream: bool) -> None:
    request = request_for(output=OutputFormat(schema=msgspec.Raw(json.dumps(WEATHER).encode())), stream=stream)
    assembly, _ = answered(wire, request)
    said = json.loads(assembly.text_so_far)
    assert said.keys() == {"city", "days"}
    assert isinstance(said["days"], int)


def test_who_is_asked_to_think_thinks(wire: WireName) -> None:
    calm = request_for(max_output_tokens=4_000)
    eager = msgspec.structs.replace(calm, reasoning=ReasoningOptions(effort="high"))
    assert not read(wire, calm).thinking
    assert read(wire, eager).thinking is (wire not in DO_NOT_THINK)
    spent = [answered(wire, request, Script(text="yes"))[1].output_tokens for request in (calm, eager)]
    assert (spent[1] > spent[0]) is (wire not in DO_NOT_THINK)


@pytest.mark.parametrize("stream", [True, False])
def test_what_the_cache_held_and_took_is_told_as_the_bill_has_it(wire: WireName, stream: bool) -> None:
    script = Script(text="yes", cached_tokens=4, cache_write_tokens=3)
    assembly, row = answered(wire, request_for(stream=stream), script)
    assert (row.cached_tokens, row.cache_write_tokens) == (4, 3)
    usage = assembly.usage
    assert (usage.input_total, usage.output) == (row.input_tokens, row.output_tokens)
    reads, writes = CACHE_TOLD[wire]
    assert usage.cache_read == (4 if reads else 0)
    assert usage.cache_write_short + usage.cache_write_long == (3 if writes else 0)


DO_NOT_THINK: tuple[WireName, ...] = ("bedrock",)
"""Where our codec asks no model to think whose family it does not know: each family there has words of its own."""

CACHE_TOLD: dict[WireName, tuple[bool, bool]] = {
    "openai": (True, False),
    "azure": (True, False),
    "openai-responses": (True, True),
    "anthropic": (True, True),
    "bedrock": (True, True),
    "ollama": (False, False),
}
"""Which vendor tells what was read from its cache, and what was written there."""


@pytest.mark.parametrize("wire", ["openai", "azure"])  # the others give one answer per request
def test_several_answers_at_once_are_refused_and_not_forgotten(wire: WireName) -> None:
    provider = SimProvider(wire)
    body = {"model": MODEL, "n": 2, "messages": [{"role": "user", "content": "?"}]}
    path = "/v1/chat/completions" if wire == "openai" else "/openai/v1/chat/completions"
    request = SimRequest(method="POST", path=path, body=json.dumps(body).encode())
    refused = provider.wire.read(request, (MODEL,))
    assert cast(Reply, refused).status == 400
