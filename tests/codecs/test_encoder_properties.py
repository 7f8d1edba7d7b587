"""Whatever is asked, an encoder writes clean JSON, keys of the right types, the same bytes each time, or refuses."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import botocore.loaders
import botocore.model
import botocore.validate
import msgspec
import pytest
from hypothesis import given, settings

from manus.actors.codecs import CODECS, codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.messages.content import Image, Opaque, Text, ToolCall, ToolResult, Turn, VendorTurn, text_turn
from manus.messages.failures import Failed
from manus.messages.ids import RequestId
from manus.messages.requests import ChatRequest, OutputFormat, ReasoningOptions, Sampling, Tool, ToolChoice
from tests.codecs.any_request import MODELS, PNG, options, requests

# Any, throughout this file: JSON as our encoders wrote it.

CODECS_ROOM = Path(__file__).resolve().parent.parent.parent / "manus" / "actors" / "codecs"
IMPURE = {
    "asyncio", "httpx", "logging", "os", "random", "secrets", "socket", "threading", "time", "trio", "uuid",
}  # fmt: skip
CLOCKS = {"now", "today", "utcnow", "time", "monotonic"}

_NUMBER, _WHOLE, _TEXT, _FLAG, _LIST, _OBJECT = (int, float), (int,), (str,), (bool,), (list,), (dict,)
TYPES: dict[str, tuple[type, ...]] = {
    # of all wires; a key that has different types at two vendors stands with both
    "model": _TEXT,
    "messages": _LIST,
    "input": _LIST + _TEXT,
    "system": _LIST + _TEXT,
    "instructions": _TEXT,
    "stream": _FLAG,
    "store": _FLAG,
    "max_tokens": _WHOLE,
    "max_completion_tokens": _WHOLE,
    "max_output_tokens": _WHOLE,
    "temperature": _NUMBER,
    "top_p": _NUMBER,
    "top_k": _WHOLE,
    "seed": _WHOLE,
    "stop": _LIST,
    "stop_sequences": _LIST,
    "presence_penalty": _NUMBER,
    "frequency_penalty": _NUMBER,
    "logprobs": _FLAG,
    "top_logprobs": _WHOLE,
    "tools": _LIST,
    "tool_choice": _OBJECT + _TEXT,
    "parallel_tool_calls": _FLAG,
    "response_format": _OBJECT,
    "text": _OBJECT,
    "thinking": _OBJECT,
    "output_config": _OBJECT,
    "reasoning": _OBJECT,
    "reasoning_effort": _TEXT,
    "include": _LIST,
    "metadata": _OBJECT,
    "stream_options": _OBJECT,
    "service_tier": _TEXT,
    "user": _TEXT,
    "safety_identifier": _TEXT,
    "prompt_cache_key": _TEXT,
    "options": _OBJECT,
    "format": _OBJECT + _TEXT,
    "think": _FLAG + _TEXT,
    "keep_alive": _TEXT,
    "inferenceConfig": _OBJECT,
    "toolConfig": _OBJECT,
    "additionalModelRequestFields": _OBJECT,
    "outputConfig": _OBJECT,
    "serviceTier": _OBJECT,
    "requestMetadata": _OBJECT,
    "performanceConfig": _OBJECT,
}


def _read(body: bytes) -> Any:
    """Read JSON as strictly as a server may: UTF-8, every key once, no number that is none."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in found]
        assert len(set(names)) == len(names), names
        return dict(found)

    def refuse(constant: str) -> Any:
        raise AssertionError(constant)

    value = json.loads(body.decode("utf-8"), object_pairs_hook=pairs, parse_constant=refuse)
    json.dumps(value, ensure_ascii=False).encode("utf-8")  # an escaped half of a character makes this raise
    return value


@pytest.mark.parametrize("wire", sorted(CODECS))
@given(request=requests, options=options, number=...)
@settings(max_examples=100)
def test_a_request_is_clean_json_or_a_refusal_and_always_the_same(
    wire: str, request: ChatRequest, options: CodecOptions, number: int
) -> None:
    _check(wire, request, options, MODELS[number % len(MODELS)])


@pytest.mark.long
@pytest.mark.parametrize("wire", sorted(CODECS))
@given(request=requests, options=options, number=...)
@settings(max_examples=3000)
def test_many_more_requests_are_clean(wire: str, request: ChatRequest, options: CodecOptions, number: int) -> None:
    _check(wire, request, options, MODELS[number % len(MODELS)])


@pytest.mark.parametrize("raw", [b'"\\ud83d"', b"7", b'{"a":', b"", b"[1]", b"null", b'["\\ud83d"]'])
@pytest.mark.parametrize("wire", sorted(CODECS))
def test_a_vendor_turn_that_is_none_is_a_refusal_or_left_out(wire: str, raw: bytes) -> None:
    vendor = VendorTurn(provider=wire, model="m", raw=msgspec.Raw(raw))
    turns = (text_turn("user", "Hi"), Turn(role="assistant", parts=(Text(text="Ho"),), vendor=vendor))
    request = ChatRequest(request_id=RequestId("r"), turns=(*turns, text_turn("user", "Hi again")))

    _check(wire, request, CodecOptions(), "m")


def _check(wire: str, request: ChatRequest, options: CodecOptions, model: str) -> None:
    before = repr(request)
    written = codec_for(wire).encode(request, model, options)
    assert repr(request) == before
    again = codec_for(wire).encode(request, model, options)
    assert again == written
    if isinstance(written, Failed):
        assert written.message
        msgspec.json.encode(written)
        return
    body = _read(written.body)
    for name, value in body.items():
        if name in TYPES and not _of_the_callers(request, name):
            assert isinstance(value, TYPES[name]), f"{name}: {value!r}"
            assert not (isinstance(value, bool) and bool not in TYPES[name]), f"{name}: {value!r}"
    for name, value in written.headers:
        assert f"{name}{value}".isascii()
        assert f"{name}{value}".isprintable()
    assert written.path.isascii()
    assert written.path.startswith("/")
    for warning in written.warnings:
        msgspec.json.encode(warning)
    if wire == "bedrock":
        _judge_by_botocore(written, body, carries_unread=_carries_unread(request))


def _of_the_callers(request: ChatRequest, name: str) -> bool:
    return any(f'"{name}"'.encode() in bytes(raw) for raw in request.extra.values())


_SERVICE = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("bedrock-runtime", "service-2"))
_CONVERSE = _SERVICE.operation_model("Converse").input_shape


def _carries_unread(request: ChatRequest) -> bool:
    return any(turn.vendor is not None or any(isinstance(p, Opaque) for p in turn.parts) for turn in request.turns)


def _judge_by_botocore(written: HttpRequest, body: dict[str, Any], *, carries_unread: bool) -> None:
    params = {name: value for name, value in body.items() if name not in ("user", "temperature", "x")}
    report = botocore.validate.ParamValidator().validate({"modelId": "m", **params}, _CONVERSE)
    # Lengths and patterns are the caller's words, and blocks that are carried unread are as they came, names and
    # all; types and all other names are ours.
    callers = ["length", "min", "tagged union"]
    if carries_unread:
        callers.append("Unknown parameter in messages[")
    faults = [line for line in report.generate_report().splitlines() if not any(word in line for word in callers)]
    assert faults == [], faults


def test_codecs_know_no_clock_no_chance_and_no_world() -> None:
    found = []
    for path in sorted(CODECS_ROOM.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=names):
                    found += [(path.name, each.name) for each in names if each.name.split(".")[0] in IMPURE]
                case ast.ImportFrom(module=str(module)) if module.split(".")[0] in IMPURE:
                    found.append((path.name, module))
                case ast.Call(func=ast.Attribute(attr=attr)) if attr in CLOCKS:
                    found.append((path.name, attr))
                case ast.Call(func=ast.Name(id="open" | "print" | "input" | "hash" | "id" as name)):
                    found.append((path.name, name))
                case _:
                    pass

    assert found == []


def test_the_bytes_do_not_hang_on_the_order_of_sets() -> None:
    program = (
        "import hashlib\n"
        "from tests.codecs.test_encoder_properties import rich_bodies\n"
        "print(hashlib.sha256(b'|'.join(rich_bodies())).hexdigest())\n"
    )
    root = CODECS_ROOM.parent.parent.parent
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(hashes) == 1


def rich_bodies() -> list[bytes]:
    """Give what each wire writes for a request with most things in it."""
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in "zyxwv"}, "required": ["z", "y"]}
    raw = msgspec.Raw(json.dumps(schema).encode())
    request = ChatRequest(
        request_id=RequestId("r"),
        turns=(
            Turn(role="system", parts=(Text(text="Be brief.", cache="short"),)),
            Turn(role="user", parts=(Text(text="Look."), Image(data=PNG))),
            Turn(role="assistant", parts=(ToolCall(id="a.1", name="f", arguments='{"z":1,"a":2}'),)),
            Turn(role="tool", parts=(ToolResult(id="a.1", content=(Text(text="4 C"),)),)),
        ),
        stream=True,
        max_output_tokens=100,
        sampling=Sampling(temperature=0.5, stop=("a", "b")),
        tools=(Tool(name="f", schema=raw), Tool(name="g", schema=raw)),
        tool_choice=ToolChoice(mode="auto", parallel=False),
        output=OutputFormat(schema=raw),
        reasoning=ReasoningOptions(effort="low"),
        end_user_id="u",
    )
    bodies = []
    for wire in sorted(CODECS):
        for model in MODELS:
            written = codec_for(wire).encode(request, model, CodecOptions(provider="entry"))
            bodies.append(written.body if isinstance(written, HttpRequest) else msgspec.json.encode(written))
    return bodies
