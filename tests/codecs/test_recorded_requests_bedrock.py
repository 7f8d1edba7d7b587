"""Converse requests that other projects really sent are written alike when asked for canonically.

A small reader turns a recorded body into a `ChatRequest`; what our encoder makes of it is compared with the
record, after both are brought to one spelling where the wire has two. What the canonical request has no word for
is left out, and counted by its reason.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from typing import Any, assert_never
from urllib.parse import unquote

import msgspec

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.messages.content import AnyPart, Document, Image, Opaque, Reasoning, Text, ToolCall, ToolResult, Turn
from manus.messages.ids import RequestId
from manus.messages.requests import ChatRequest, OutputFormat, Sampling, Tool, ToolChoice
from tests.shared_data import exchanges

# Any, throughout this file: recorded JSON.

MODEL = "some-model"
"""A model's own name would have our tables leave fields out; here the wire is what is compared."""

MEDIA_TYPES = {
    "txt": "text/plain",
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}


INEXPRESSIBLE = {
    "citations": 2,
    "citations, context": 5,
    "description": 2,
    "recursive schema": 1,
    "result's json": 2,
    "result's searchResult": 1,
    "result's video": 2,
    "systemTool": 4,
    "user's guardContent": 2,
}
"""Why a record cannot be asked for canonically, and how many there are: documents with citations, descriptions of
an answer's schema, results that are no text or image, Bedrock's own tools and guarded text. A recursive schema is one
that Bedrock has no grammar for (it answered this very record with 500): we ask by a tool instead."""


class Inexpressible(Exception):
    """The record holds something that the canonical request has no word for."""


def _only(value: dict[str, Any], *known: str) -> None:
    unknown = value.keys() - set(known)
    if unknown:
        raise Inexpressible(", ".join(sorted(unknown)))


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def _source(source: dict[str, Any]) -> dict[str, Any]:
    match source:
        case {"bytes": data}:
            return {"data": base64.b64decode(data)}
        case {"text": text}:
            return {"text": text}
        case {"s3Location": {"uri": place}}:
            return {"file_id": place}
        case other:
            raise Inexpressible(f"source {next(iter(other))}")


def _part(block: dict[str, Any], *, role: str) -> AnyPart:
    (kind,) = block
    value = block[kind]
    match kind:
        case "text":
            return Text(text=value)
        case "image":
            return Image(media_type=f"image/{value['format']}", **_source(value["source"]))
        case "document":
            _only(value, "name", "format", "source")
            source = _source(value["source"])
            return Document(name=value["name"], media_type=MEDIA_TYPES[value["format"]], **source)
        case "toolUse" if value.get("type") != "server_tool_use":
            arguments = json.dumps(value["input"])
            return ToolCall(id=value["toolUseId"], name=value["name"], arguments=arguments)
        case "toolUse" | "toolResult" if role == "assistant":
            return Opaque(provider="bedrock", kind=kind, raw=_raw(block), model=MODEL)
        case "toolResult":
            parts = tuple(_part(part, role="result") for part in value["content"])
            content = tuple(part for part in parts if isinstance(part, Text | Image))
            return ToolResult(id=value["toolUseId"], content=content, is_error=value.get("status") == "error")
        case "reasoningContent" if "reasoningText" in value:
            said = value["reasoningText"]
            return Reasoning(text=said["text"], signature=said["signature"], provider="bedrock", model=MODEL)
        case other:
            raise Inexpressible(f"{role}'s {other}")


def _parts(blocks: list[dict[str, Any]], role: str) -> tuple[AnyPart, ...]:
    parts: list[AnyPart] = []
    for block in blocks:
        if "cachePoint" in block:
            life = "long" if block["cachePoint"].get("ttl") == "1h" else "short"
            parts[-1] = msgspec.structs.replace(parts[-1], cache=life)
        elif block.get("text", "x").strip():
            parts.append(_part(block, role=role))
    return tuple(parts)


def _turns(body: dict[str, Any]) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    if body.get("system"):
        turns.append(Turn(role="system", parts=_parts(body["system"], "system")))
    for message in body["messages"]:
        parts = _parts(message["content"], message["role"])
        results = tuple(part for part in parts if isinstance(part, ToolResult))
        if results:
            turns.append(Turn(role="tool", parts=results))
        others = tuple(part for part in parts if not isinstance(part, ToolResult))
        if others:
            turns.append(Turn(role=message["role"], parts=others))
    return tuple(turns)


def _tool(tool: dict[str, Any]) -> Tool:
    if "toolSpec" not in tool:
        raise Inexpressible(next(iter(tool)))
    spec = tool["toolSpec"]
    _only(spec, "name", "description", "inputSchema", "strict")
    return Tool(
        name=spec["name"],
        description=spec.get("description", ""),
        schema=_raw(spec["inputSchema"]["json"]),
        strict=spec.get("strict", False),
    )


def _choice(choice: dict[str, Any] | None) -> ToolChoice | None:
    match choice:
        case None:
            return None
        case {"auto": _}:
            return ToolChoice(mode="auto")
        case {"any": _}:
            return ToolChoice(mode="required")
        case {"tool": {"name": name}}:
            return ToolChoice(mode="tool", name=name)
        case other:
            raise Inexpressible(f"toolChoice {next(iter(other))}")


def _output(config: dict[str, Any] | None) -> OutputFormat | None:
    if config is None:
        return None
    schema = config["textFormat"]["structure"]["jsonSchema"]
    _only(schema, "schema", "name")
    if "TreeNode" in schema["schema"]:
        raise Inexpressible("recursive schema")
    return OutputFormat(schema=msgspec.Raw(schema["schema"].encode()), name=schema["name"])


def request_of(body: dict[str, Any], *, stream: bool) -> ChatRequest:
    """Read a recorded body; the wire's own options stay what they are.

    Raises:
        Inexpressible: with the reason.
    """
    own = {"guardrailConfig", "additionalModelRequestFields"}
    _only(body, "messages", "system", "inferenceConfig", "toolConfig", "outputConfig", *own)
    inference = body.get("inferenceConfig", {})
    tools = body.get("toolConfig", {})
    return ChatRequest(
        request_id=RequestId("r"),
        turns=_turns(body),
        stream=stream,
        max_output_tokens=inference.get("maxTokens"),
        sampling=Sampling(
            temperature=inference.get("temperature"),
            top_p=inference.get("topP"),
            stop=tuple(inference.get("stopSequences", ())),
        ),
        tools=tuple(_tool(tool) for tool in tools.get("tools", ())),
        tool_choice=_choice(tools.get("toolChoice")),
        output=_output(body.get("outputConfig")),
        extra={"bedrock": _raw({name: body[name] for name in own if body.get(name)})},
    )


def _one_spelling(value: Any) -> Any:
    """Leave out what says nothing: empty members, the default status, blank text."""
    match value:
        case {"schema": str(schema), **rest}:
            # Bedrock's grammar wants closed objects, so ours are; some records were sent without.
            return {"schema": {**json.loads(schema), "additionalProperties": False}, **_one_spelling(rest)}
        case dict():
            spelt = {key: _one_spelling(member) for key, member in value.items() if key != "inputSchema"}
            if "inputSchema" in value:
                spelt["inputSchema"] = value["inputSchema"]
            if spelt.get("status") == "success":
                del spelt["status"]
            return {key: member for key, member in spelt.items() if member not in ({}, []) or key in _CHOICES}
        case list():
            return [_one_spelling(member) for member in value if member != {"text": ""}]
        case str() | int() | float() | None:
            return value
        case other:
            assert_never(other)


_CHOICES = {"auto", "any", "input"}


def _merged(body: dict[str, Any]) -> dict[str, Any]:
    """Make one message of neighbours of one role, as Bedrock does itself for most models."""
    messages: list[dict[str, Any]] = []
    for message in body["messages"]:
        if messages and messages[-1]["role"] == message["role"]:
            messages[-1]["content"].extend(message["content"])
        else:
            messages.append({"role": message["role"], "content": list(message["content"])})
    # A recorder's placeholder for a document's name, with an underscore that Bedrock would refuse.
    text = json.dumps({**body, "messages": messages}).replace("document-REDACTED_1", "document-REDACTED-1")
    merged: dict[str, Any] = json.loads(text)
    return merged


def test_recorded_requests_are_written_alike() -> None:
    compared = 0
    reasons: Counter[str] = Counter()
    differing: list[str] = []
    for exchange in exchanges(("bedrock", "converse"), ("bedrock", "converse-stream")):
        recorded = exchange["request"]["body"]
        stream = exchange["api"] == "converse-stream"
        try:
            request = request_of(recorded, stream=stream)
        except Inexpressible as reason:
            reasons[str(reason)] += 1
            continue
        written = codec_for("bedrock").encode(request, MODEL, CodecOptions())
        assert isinstance(written, HttpRequest), (exchange["id"], written)
        ours, theirs = _one_spelling(json.loads(written.body)), _one_spelling(_merged(recorded))
        if ours != theirs:
            differing.append(f"{exchange['id']}:\n{json.dumps(ours)}\n{json.dumps(theirs)}")
        compared += 1
    assert differing == []
    assert dict(reasons) == INEXPRESSIBLE
    assert compared == 94 - sum(INEXPRESSIBLE.values())


def test_recorded_models_stand_in_the_path_as_they_were_sent() -> None:
    for exchange in exchanges(("bedrock", "converse"), ("bedrock", "converse-stream")):
        recorded = "/model/" + exchange["request"]["url"].partition("/model/")[2]
        model = unquote(recorded.split("/")[2])
        request = ChatRequest(
            request_id=RequestId("r"),
            turns=(Turn(role="user", parts=(Text(text="Hi"),)),),
            stream=exchange["api"] == "converse-stream",
        )
        written = codec_for("bedrock").encode(request, model, CodecOptions())
        assert isinstance(written, HttpRequest)
        assert unquote(written.path) == unquote(recorded)
        if "%" in recorded:  # some recorders decode the path
            assert written.path == recorded
