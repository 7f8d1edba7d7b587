"""Own the reading of recorded Responses requests: as a `ChatRequest`, and in one spelling of the wire."""

from __future__ import annotations

import base64
import copy
from typing import Any

from manus.messages.content import (
    AnyPart,
    Citation,
    Document,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from manus.messages.ids import RequestId
from manus.messages.requests import ChatRequest, OutputFormat, ReasoningOptions, Sampling, Tool, ToolChoice
from tests.codecs.recorded.chat_requests import Inexpressible, only, raw_of

# Any, throughout this file: recorded JSON of a foreign hand.

KNOWN = {
    "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "max_output_tokens",
    "temperature", "top_p", "reasoning", "include", "store", "stream", "user", "service_tier",
}  # fmt: skip


def request_of(body: dict[str, Any], wire: str) -> ChatRequest:
    """Read a recorded body.

    Raises:
        Inexpressible: it holds something that the canonical request has no word for.
    """
    if body.get("previous_response_id"):
        raise Inexpressible("previous_response_id: state that the server keeps")
    if body.get("store") and any(item.get("type") == "reasoning" for item in items_of(body)):
        raise Inexpressible("a stored answer's thinking, named by its id")
    others = {key: value for key, value in body.items() if key not in KNOWN}
    if any(tool["type"] != "function" for tool in body.get("tools") or ()):
        others["tools"] = body.pop("tools")  # the vendor's own: the caller's options carry them
    if isinstance(body.get("tool_choice"), dict) and body["tool_choice"]["type"] != "function":
        others["tool_choice"] = body.pop("tool_choice")
    return ChatRequest(
        request_id=RequestId("r"),
        turns=_turns(body, wire),
        stream=bool(body.get("stream")),
        max_output_tokens=body.get("max_output_tokens"),
        sampling=Sampling(temperature=body.get("temperature"), top_p=body.get("top_p")),
        tools=tuple(_tool(tool) for tool in body.get("tools") or ()),
        tool_choice=_choice(body),
        output=_output(body.get("text") or {}),
        reasoning=_reasoning(body.get("reasoning") or {}),
        end_user_id=body.get("user"),
        service_tier=body.get("service_tier"),
        extra={wire: raw_of(others)} if others else {},
    )


def items_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the input as items."""
    given = body["input"]
    return [{"role": "user", "content": given}] if isinstance(given, str) else list(given)


def one_spelling(body: dict[str, Any]) -> dict[str, Any]:
    """Bring two spellings of one thing to one, without losing anything a server would read differently.

    Left out are `store` and the asking for encrypted thinking, which are our policy and no part of the question.
    """
    body = copy.deepcopy(body)
    spelt = {key: value for key, value in body.items() if value not in (None, False, [], {})}
    for ours in ("store", "include", "instructions", "user", "safety_identifier"):
        spelt.pop(ours, None)
    spelt["caller"] = body.get("safety_identifier") or body.get("user")
    system = [{"role": "system", "content": body["instructions"]}] if body.get("instructions") else []
    spelt["input"] = [_item(item) for item in (*system, *items_of(body))]
    if spelt.get("parallel_tool_calls"):
        del spelt["parallel_tool_calls"]
    if spelt.get("tool_choice") == "auto":
        del spelt["tool_choice"]
    for tool in spelt.get("tools", ()):
        tool.setdefault("strict", True)  # what the server takes an absent one for
        if not tool.get("description"):
            tool.pop("description", None)
    if spelt.get("text", {}).get("format", {}).get("type") == "json_schema":
        spelt["text"]["format"].setdefault("strict", False)
    if spelt.get("reasoning", {}).get("summary"):
        spelt["reasoning"]["summary"] = "auto"  # "detailed" and "concise" have no canonical word
    return spelt


def _item(item: dict[str, Any]) -> dict[str, Any]:
    spelt = {key: value for key, value in item.items() if value not in (None, []) and key != "status"}
    if "role" not in spelt:
        if spelt["type"] == "reasoning":
            spelt.setdefault("summary", [])
        else:
            spelt.pop("id", None)  # stored under it at the server, or nowhere
        return spelt
    spelt.pop("type", None)
    spelt.pop("id", None)
    if spelt["role"] == "developer":
        spelt["role"] = "system"
    content = spelt["content"]
    if isinstance(content, list):
        for part in content:
            if part["type"] == "input_image" and part.get("detail") == "auto":
                del part["detail"]
            if part["type"] == "input_file" and "file_data" in part:
                part.setdefault("filename", "document")
            part.pop("logprobs", None)
            if part.get("annotations") == []:
                del part["annotations"]
        if len(content) == 1 and set(content[0]) == {"type", "text"}:
            spelt["content"] = content[0]["text"]
    return spelt


def _turns(body: dict[str, Any], wire: str) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    if body.get("instructions"):
        turns.append(Turn(role="system", parts=(Text(text=body["instructions"]),)))
    for item in items_of(body):
        role, parts = _turn(item, wire, body["model"])
        if role in ("assistant", "tool") and turns and turns[-1].role == role:
            turns[-1] = Turn(role=role, parts=(*turns[-1].parts, *parts))
        else:
            turns.append(Turn(role=role, parts=parts))
    return tuple(turns)


def _turn(item: dict[str, Any], wire: str, model: str) -> tuple[Any, tuple[AnyPart, ...]]:
    match item.get("type", "message"):
        case "message":
            only(item, "type", "role", "content", "id", "status")
            role = {"developer": "system"}.get(item["role"], item["role"])
            content = item["content"]
            if isinstance(content, str):
                return role, (Text(text=content),)
            return role, tuple(part for each in content for part in _parts(each))
        case "function_call":
            call = ToolCall(id=item["call_id"], name=item["name"], arguments=item["arguments"])
            return "assistant", (call,)
        case "function_call_output":
            if not isinstance(item["output"], str):
                raise Inexpressible("a tool's result with a file")
            return "tool", (ToolResult(id=item["call_id"], content=(Text(text=item["output"]),)),)
        case "reasoning":
            text = "".join(each["text"] for each in item["summary"])
            sealed = item.get("encrypted_content")
            thought = Reasoning(text=text, encrypted=sealed, id=item.get("id"), provider=wire, model=model)
            return "assistant", (thought,)
        case kind:
            return "assistant", (Opaque(provider=wire, kind=kind, raw=raw_of(item), model=model),)


def _parts(part: dict[str, Any]) -> list[AnyPart]:
    match part["type"]:
        case "input_text":
            return [Text(text=part["text"])]
        case "output_text":
            cited = [Citation(raw=raw_of(annotation)) for annotation in part.get("annotations") or ()]
            return [Text(text=part["text"]), *cited]
        case "refusal":
            return [Refusal(text=part["refusal"])]
        case "input_image" if part.get("file_id"):
            return [Image(file_id=part["file_id"])]
        case "input_image":
            media_type, data = _data(part["image_url"])
            detail = part.get("detail", "auto")
            if data is None:
                return [Image(url=part["image_url"], detail=detail)]
            return [Image(data=data, media_type=media_type, detail=detail)]
        case "input_file" if "file_url" in part:
            return [Document(url=part["file_url"])]
        case "input_file":
            media_type, data = _data(part["file_data"])
            return [Document(data=data, name=part.get("filename", "document"), media_type=media_type)]
        case other:
            raise Inexpressible(str(other))


def _data(url: str) -> tuple[str, bytes | None]:
    if not url.startswith("data:"):
        return "", None
    head, _, data = url.partition(",")
    return head.removeprefix("data:").removesuffix(";base64"), base64.b64decode(data, validate=True)


def _tool(tool: dict[str, Any]) -> Tool:
    only(tool, "type", "name", "description", "parameters", "strict")
    strict = tool.get("strict")
    return Tool(
        name=tool["name"],
        description=tool.get("description") or "",
        schema=raw_of(tool.get("parameters")),
        strict=True if strict is None else strict,
    )


def _choice(body: dict[str, Any]) -> ToolChoice | None:
    choice, parallel = body.get("tool_choice"), body.get("parallel_tool_calls", True)
    if choice is None and parallel:
        return None
    if isinstance(choice, dict):
        return ToolChoice(mode="tool", name=choice["name"], parallel=parallel)
    return ToolChoice(mode=choice or "auto", parallel=parallel)


def _output(text: dict[str, Any]) -> OutputFormat | None:
    only(text, "format")
    wanted = text.get("format") or {"type": "text"}
    if wanted["type"] == "text":
        return None
    if wanted["type"] == "json_object":
        return OutputFormat()
    only(wanted, "type", "name", "schema", "strict", "description")
    return OutputFormat(
        schema=raw_of(wanted["schema"]),
        name=wanted["name"],
        description=wanted.get("description") or "",
        strict=wanted.get("strict") or False,
    )


def _reasoning(reasoning: dict[str, Any]) -> ReasoningOptions | None:
    only(reasoning, "effort", "summary")
    if not reasoning:
        return None
    effort = reasoning.get("effort")
    return ReasoningOptions(effort="off" if effort == "none" else effort, show=bool(reasoning.get("summary")))


def is_tidy(request: ChatRequest) -> bool:
    """Whether nothing needs mending: some records answer calls in another order, or not at all."""
    calls = [part.id for turn in request.turns for part in turn.parts if isinstance(part, ToolCall)]
    results = [part.id for turn in request.turns for part in turn.parts if isinstance(part, ToolResult)]
    return calls == results
