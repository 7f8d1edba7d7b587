"""Own the reading of recorded Chat Completions requests: as a `ChatRequest`, and in one spelling of the wire."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec

from manus.messages.content import AnyPart, Audio, Document, Image, Text, ToolCall, ToolResult, Turn
from manus.messages.ids import RequestId
from manus.messages.requests import ChatRequest, OutputFormat, ReasoningOptions, Sampling, Tool, ToolChoice

# Any, throughout this file: recorded JSON of a foreign hand.


class Inexpressible(Exception):
    """The record holds something that the canonical request has no word for."""


def only(value: dict[str, Any], *known: str) -> None:
    unknown = {key for key, entry in value.items() if entry not in (None, [])} - set(known)
    if unknown:
        raise Inexpressible(", ".join(sorted(unknown)))


def raw_of(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def _part(part: dict[str, Any]) -> AnyPart:
    match part["type"]:
        case "text":
            only(part, "type", "text")
            return Text(text=part["text"])
        case "image_url":
            url = part["image_url"]["url"]
            detail = part["image_url"].get("detail", "auto")
            if url.startswith("data:"):
                head, _, data = url.partition(",")
                media_type = head.removeprefix("data:").removesuffix(";base64")
                return Image(data=base64.b64decode(data), media_type=media_type, detail=detail)
            return Image(url=url, detail=detail)
        case "input_audio":
            audio = part["input_audio"]
            return Audio(data=base64.b64decode(audio["data"]), format=audio["format"])
        case "file" if "file_id" in part["file"]:
            return Document(file_id=part["file"]["file_id"])
        case "file" if "file_data" in part["file"]:
            head, _, data = part["file"]["file_data"].partition(",")
            media_type = head.removeprefix("data:").removesuffix(";base64")
            return Document(data=base64.b64decode(data), name=part["file"]["filename"], media_type=media_type)
        case other:
            raise Inexpressible(str(other))


def _parts(content: object) -> tuple[AnyPart, ...]:
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(text=content),)
    assert isinstance(content, list)
    return tuple(_part(part) for part in content)


def _turn(message: dict[str, Any]) -> Turn:
    only(message, "role", "content", "tool_calls", "tool_call_id", "name")
    role = {"developer": "system"}.get(message["role"], message["role"])
    if role == "tool":
        texts = tuple(part for part in _parts(message["content"]) if isinstance(part, Text))
        return Turn(role="tool", parts=(ToolResult(id=message["tool_call_id"], content=texts),))
    calls = tuple(
        ToolCall(id=call["id"], name=call["function"]["name"], arguments=call["function"]["arguments"])
        for call in message.get("tool_calls") or ()
    )
    return Turn(role=role, parts=(*_parts(message.get("content")), *calls), name=message.get("name"))


def _tool(tool: dict[str, Any]) -> Tool:
    if tool.get("type") != "function":
        raise Inexpressible("custom tool")
    function = tool["function"]
    only(function, "name", "description", "parameters", "strict")
    return Tool(
        name=function["name"],
        description=function.get("description") or "",
        schema=raw_of(function.get("parameters")),
        strict=function.get("strict") or False,
    )


def _choice(body: dict[str, Any]) -> ToolChoice | None:
    choice, parallel = body.get("tool_choice"), body.get("parallel_tool_calls", True)
    if choice is None and parallel:
        return None
    if isinstance(choice, dict):
        return ToolChoice(mode="tool", name=choice["function"]["name"], parallel=parallel)
    return ToolChoice(mode=choice or "auto", parallel=parallel)


def _output(wanted: dict[str, Any] | None) -> OutputFormat | None:
    if wanted is None or wanted["type"] == "text":
        return None
    if wanted["type"] == "json_object":
        return OutputFormat()
    schema = wanted["json_schema"]
    only(schema, "name", "schema", "strict", "description")
    return OutputFormat(
        schema=raw_of(schema["schema"]),
        name=schema["name"],
        description=schema.get("description", ""),
        strict=schema.get("strict", False),
    )


def request_of(body: dict[str, Any]) -> ChatRequest:
    known = {"model", "messages", "tools", "tool_choice", "parallel_tool_calls", "response_format", "stream", "n"}
    sampled = {"temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty"}
    bounds = {"max_tokens", "max_completion_tokens", "stream_options", "reasoning_effort", "user", "logprobs"}
    written = {*known, *sampled, *bounds, "top_logprobs", "service_tier"}
    others = {key: value for key, value in body.items() if key not in written}
    if body.get("n", 1) != 1:
        raise Inexpressible("n > 1")
    effort = body.get("reasoning_effort")
    stop = body.get("stop") or ()
    return ChatRequest(
        request_id=RequestId("r"),
        turns=tuple(_turn(message) for message in body["messages"]),
        stream=bool(body.get("stream")),
        max_output_tokens=body.get("max_tokens") or body.get("max_completion_tokens"),
        sampling=Sampling(
            temperature=body.get("temperature"),
            top_p=body.get("top_p"),
            seed=body.get("seed"),
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            presence_penalty=body.get("presence_penalty"),
            frequency_penalty=body.get("frequency_penalty"),
            logprobs=body.get("top_logprobs", 0) if body.get("logprobs") else None,
        ),
        tools=tuple(_tool(tool) for tool in body.get("tools") or ()),
        tool_choice=_choice(body),
        output=_output(body.get("response_format")),
        reasoning=None if effort is None else ReasoningOptions(effort="off" if effort == "none" else effort),
        end_user_id=body.get("user"),
        service_tier=body.get("service_tier"),
        extra={"openai-chat": raw_of(others)} if others else {},
    )


def one_spelling(body: dict[str, Any]) -> dict[str, Any]:
    """Bring two spellings of one thing to one, without losing anything a server would read differently."""
    spelt = {key: value for key, value in body.items() if value not in (None, False, [], {"type": "text"})}
    spelt["messages"] = [_message(message) for message in body["messages"]]
    spelt["stream"] = bool(body.get("stream"))
    bound = spelt.pop("max_completion_tokens", None) or spelt.pop("max_tokens", None)
    spelt["bound"] = bound
    spelt.pop("stream_options", None)
    if spelt.get("parallel_tool_calls", True):
        spelt.pop("parallel_tool_calls", None)
    if spelt.get("tool_choice", "auto") == "auto":
        spelt.pop("tool_choice", None)
    if isinstance(spelt.get("stop"), str):
        spelt["stop"] = [spelt["stop"]]
    for tool in spelt.get("tools", ()):
        for empty in ("description", "strict"):
            if not tool["function"].get(empty):
                tool["function"].pop(empty, None)
    if spelt.get("response_format", {}).get("type") == "json_schema":
        spelt["response_format"]["json_schema"].setdefault("strict", False)
    if spelt.get("logprobs"):
        spelt.setdefault("top_logprobs", 0)
    spelt.pop("n", None)
    return spelt


def _message(message: dict[str, Any]) -> dict[str, Any]:
    spelt = {key: value for key, value in message.items() if value not in (None, [])}
    if spelt["role"] == "developer":
        spelt["role"] = "system"
    content = spelt.get("content", "")
    if isinstance(content, list) and all(part["type"] == "text" for part in content):
        content = "\n".join(part["text"] for part in content)
    elif isinstance(content, list):
        for part in content:
            if part["type"] == "image_url" and part["image_url"].get("detail") == "auto":
                del part["image_url"]["detail"]
    spelt["content"] = content
    for call in spelt.get("tool_calls", ()):
        call.pop("index", None)  # an answer's field, which some clients send back
    if spelt["role"] == "tool":
        spelt.pop("name", None)  # the wire's tool messages have none; the call they answer names the tool
    return spelt


def is_tidy(request: ChatRequest) -> bool:
    """Whether nothing needs mending: records of refused requests may hold ids and orders we would mend."""
    calls = [part.id for turn in request.turns for part in turn.parts if isinstance(part, ToolCall)]
    results = [part.id for turn in request.turns for part in turn.parts if isinstance(part, ToolResult)]
    return calls == results and all(0 < len(name) <= 40 for name in calls)
