"""Own the reading of recorded traffic as what is needed to count it: a request, and the tokens its vendor reported.

A lenient reader for every vendor's bodies: what the canonical request has no word for goes in as raw JSON (`Opaque`,
or `extra`), so that a bound sees it, and is named in `hidden`, so that nobody blames an estimate for it.
The files stand beside the checkout, in `../shared/wire`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec

from manus.messages.content import (
    AnyPart,
    Audio,
    Document,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from manus.messages.ids import RequestId
from manus.messages.requests import ChatRequest, OutputFormat, ReasoningOptions, Tool

# Any, throughout this file: recorded JSON of many hands.

FileT = TypeVar("FileT", Image, Document)

NOT_AS_SENT = frozenset({"bedrock-invoke-52204c19de94", "bedrock-invoke-f7879ae667fa"})
"""Records whose long prompt is not there to be counted: they hold "very very long system prompt" and
"<MASSIVE_TEXT_FOR_RATE_LIMIT_TEST>" where 18,135 and 136,083 tokens were sent and reported. Nothing can be held against
those, so they are left out, and whoever prints figures says so."""

WIRE = Path(__file__).resolve().parent.parent.parent / "shared" / "wire"
"""Where the recordings stand, if they do."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange of which the vendor reported tokens.

    Args:
        vendor: whose endpoint it was, as the recordings name it.
        model: the name it was asked by.
        prompt_tokens: all of the prompt as reported, cached or not.
        output_tokens: reported, thinking included; `reasoning_tokens` the thinking in it, None where not told.
        answer: what was received as text, and the calls.
        says_it_all: whether the answer is text alone, and all thinking in its count is told apart.
        hidden: why counts may hold what the request does not show, or the answer does not; empty where they do not.
    """

    id: str
    vendor: str
    model: str
    request: ChatRequest
    prompt_tokens: int
    output_tokens: int
    reasoning_tokens: int | None
    answer: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    says_it_all: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether all that was counted can be seen."""
        return not self.hidden


def recorded(directory: Path = WIRE) -> Iterator[Recorded]:
    """Give every recorded chat whose prompt and tokens are known, in order of their ids."""
    for path in sorted(directory.glob("*.json")):
        exchange = json.loads(path.read_bytes())
        body, told = (exchange.get("request") or {}).get("body"), exchange["expect"]
        if exchange["id"] in NOT_AS_SENT:
            continue
        if isinstance(body, dict) and told.get("input_tokens"):
            read = _read(exchange, body, told)
            if read is not None:
                yield read


def _read(exchange: dict[str, Any], body: dict[str, Any], told: dict[str, Any]) -> Recorded | None:
    hidden: list[str] = []
    request = _request(body, hidden)
    if request is None:
        return None
    vendor = exchange["provider"]
    outside = vendor in ("anthropic", "bedrock")
    cached = (told.get("cached_tokens") or 0) + (told.get("cache_write_tokens") or 0) if outside else 0
    kinds = exchange["features"]
    hidden += [kind for kind in ("server_tools", "previous_response_id", "citations", "audio") if kind in kinds]
    calls = [f"{call['name']}{_text_of(call.get('arguments'))}" for call in told.get("tool_calls") or ()]
    if "multi_choice" in kinds:
        hidden.append("several answers")
    return Recorded(
        id=exchange["id"],
        vendor=vendor,
        model=_model(exchange, body),
        request=request,
        prompt_tokens=told["input_tokens"] + cached,
        output_tokens=told.get("output_tokens") or 0,
        reasoning_tokens=told.get("reasoning_tokens"),
        answer=tuple(piece for piece in (told.get("text"), *calls) if piece),
        hidden=tuple(dict.fromkeys(hidden)),
        says_it_all=bool(told.get("text")) and not calls and _thinking_is_told(request, told),
    )


def _thinking_is_told(request: ChatRequest, told: dict[str, Any]) -> bool:
    thinks = request.reasoning is not None or told.get("reasoning_text")
    return told.get("reasoning_tokens") is not None or not thinks


def _model(exchange: dict[str, Any], body: dict[str, Any]) -> str:
    place = re.search(r"/model/([^/]+)/", unquote(exchange["request"].get("url") or ""))
    named = place.group(1) if place else body.get("model") or ""
    answered = str(exchange["expect"].get("model") or "")
    # An Azure deployment may have any name; the answer says which model it is, unless the recorder struck it out.
    return answered if exchange["provider"] == "azure" and answered else named or answered


def _text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


# -- whole bodies


def _request(body: dict[str, Any], hidden: list[str]) -> ChatRequest | None:
    turns = _turns(body, hidden)
    if turns is None:
        return None
    tools, others = _tools(body, hidden)
    options = body.get("options") or {}
    config = body.get("inferenceConfig") or {}
    # Ollama's own bodies name their schema `format`.
    wanted = (
        body.get("format")
        or body.get("response_format")
        or body.get("output_format")
        or (body.get("text") or {}).get("format")
    )
    wanted = (
        wanted or (body.get("output_config") or {}).get("format") or (body.get("outputConfig") or {}).get("textFormat")
    )
    extra: dict[str, Any] = {
        key: body[key] for key in ("n", "plugins", "web_search_options", "previous_response_id") if key in body
    }
    if others:
        extra["tools"] = others
    return ChatRequest(
        request_id=RequestId("r"),
        turns=tuple(turns),
        tools=tuple(tools),
        output=_output(wanted),
        reasoning=_reasoning(body),
        max_output_tokens=body.get("max_tokens")
        or body.get("max_completion_tokens")
        or body.get("max_output_tokens")
        or config.get("maxTokens")
        or config.get("max_new_tokens")
        or body.get("max_gen_len")
        or body.get("max_tokens_to_sample")
        or (body.get("textGenerationConfig") or {}).get("maxTokenCount")
        or options.get("num_predict"),
        extra={"recorded": _raw(extra)} if extra else {},
    )


def _reasoning(body: dict[str, Any]) -> ReasoningOptions | None:
    thinking = body.get("thinking") or (body.get("additionalModelRequestFields") or {}).get("thinking") or {}
    asked = thinking.get("type") in ("enabled", "adaptive") or body.get("reasoning") or body.get("reasoning_effort")
    return ReasoningOptions() if asked else None


def _output(wanted: Any) -> OutputFormat | None:
    if not wanted or wanted == {"type": "text"}:
        return None
    if wanted == "json" or wanted == {"type": "json_object"}:
        return OutputFormat()
    schema = wanted.get("json_schema") or wanted.get("structure", {}).get("jsonSchema") or wanted
    return OutputFormat(schema=_raw(_parsed(schema.get("schema", schema))))


def _parsed(schema: Any) -> Any:
    """Read a schema that is written as a string, as Bedrock has it."""
    return json.loads(schema) if isinstance(schema, str) else schema


def _turns(body: dict[str, Any], hidden: list[str]) -> list[Turn] | None:
    turns: list[Turn] = []
    for key in ("system", "instructions"):
        if body.get(key):
            turns.append(Turn(role="system", parts=_parts(body[key], hidden)))
    match body:
        case {"messages": list(messages)}:
            turns += (_turn(message, hidden) for message in messages)
        case {"input": str(text)}:
            turns.append(Turn(role="user", parts=(Text(text=text),)))
        case {"input": list(items)}:
            turns += (_turn(item, hidden) for item in items)
        case {"prompt": str(text)} | {"inputText": str(text)}:
            turns.append(Turn(role="user", parts=(Text(text=text),)))
        case _:
            return None
    return turns


def _turn(message: dict[str, Any], hidden: list[str]) -> Turn:
    role: Role = {"developer": "system"}.get(message.get("role", ""), message.get("role", "assistant"))
    match message.get("type"):
        case "function_call":
            call = ToolCall(id=message["call_id"], name=message["name"], arguments=message["arguments"])
            return Turn(role="assistant", parts=(call,))
        case "function_call_output":
            result = ToolResult(id=message["call_id"], content=(Text(text=_text_of(message["output"])),))
            return Turn(role="tool", parts=(result,))
        case None | "message":
            pass
        case kind:
            hidden.append(str(kind))
            return Turn(role="assistant", parts=(Opaque(provider="recorded", kind=str(kind), raw=_raw(message)),))
    parts = _parts(message.get("content"), hidden)
    if role == "tool":
        name = message.get("tool_call_id") or message.get("tool_name") or ""
        texts = tuple(part for part in parts if isinstance(part, Text | Image))
        return Turn(role="tool", parts=(ToolResult(id=name, content=texts),))
    images = tuple(_file(Image, data) for data in message.get("images") or ())
    calls = tuple(_call(call) for call in message.get("tool_calls") or ())
    return Turn(role=role, parts=(*parts, *images, *calls), name=message.get("name"))


def _call(call: dict[str, Any]) -> ToolCall:
    function = call["function"]
    return ToolCall(id=call.get("id") or "", name=function["name"], arguments=_text_of(function["arguments"]))


def _tools(body: dict[str, Any], hidden: list[str]) -> tuple[list[Tool], list[Any]]:
    offered = body.get("tools") or (body.get("toolConfig") or {}).get("tools") or []
    tools: list[Tool] = []
    others: list[Any] = []
    for tool in offered:
        spec = tool.get("function") or tool.get("toolSpec") or tool
        schema = spec.get("parameters") or spec.get("input_schema") or (spec.get("inputSchema") or {}).get("json")
        if "name" not in spec or (schema is None and tool.get("type", "function") != "function"):
            others.append(tool)
            hidden.append("tools of the vendor's own")
            continue
        given = _raw({"type": "object", "properties": {}} if schema is None else schema)
        tools.append(Tool(name=spec["name"], description=spec.get("description") or "", schema=given))
    return tools, others


# -- parts


def _parts(content: Any, hidden: list[str]) -> tuple[AnyPart, ...]:
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(text=content),)
    return tuple(_part(part, hidden) for part in content)


def _part(part: Any, hidden: list[str]) -> AnyPart:
    match part:
        case str(text) | {"type": "text" | "input_text" | "output_text", "text": str(text)}:
            return Text(text=text)
        case {"type": "refusal", "refusal": str(text)}:
            return Refusal(text=text)
        case {"type": "image_url", "image_url": {"url": str(url)} as image}:
            return _image(url, image.get("detail", "auto"))
        case {"type": "input_image", "image_url": str(url)}:
            return _image(url, part.get("detail", "auto"))
        case {"type": "input_image", "file_id": str(name)}:
            return Image(file_id=name)
        case {"type": "input_audio", "input_audio": {"data": str(data)}}:
            return Audio(data=_bytes(data))
        case {"type": "image", "source": {"type": "base64", "data": str(data)}}:
            return _file(Image, data)
        case {"type": "image", "source": {"type": "url", "url": str(url)}}:
            return Image(url=url)
        case {"type": "document", "source": {"type": "text", "data": str(text)}}:
            return Document(text=text)
        case {"type": "document", "source": {"type": "base64", "data": str(data)}}:
            hidden.append("document")
            return _file(Document, data)
        case {"type": "tool_use" | "server_tool_use", "input": given, "name": str(name)}:
            return ToolCall(id=part.get("id") or "", name=name, arguments=_text_of(given))
        case {"type": "tool_result", "tool_use_id": str(id)}:
            return ToolResult(id=id, content=_inside(part.get("content"), hidden))
        case {"type": "thinking", "thinking": str(text)}:
            hidden.append("thinking given back")
            return Reasoning(text=text, signature=part.get("signature"))
        case dict() if "type" not in part:
            return _converse_part(part, hidden)
        case _:
            kind = part.get("type", "") if isinstance(part, dict) else ""
            hidden.append(kind or "part")
            if kind in ("document", "file", "input_file"):
                return Document(file_id="recorded")
            return Opaque(provider="recorded", kind=kind, raw=_raw(part))


def _converse_part(part: dict[str, Any], hidden: list[str]) -> AnyPart:
    match part:
        case {"text": str(text)}:
            return Text(text=text)
        case {"image": {"source": {"bytes": str(data)}}}:
            return _file(Image, data)
        case {"document": {"source": {"bytes": str(data)}} as document}:
            hidden.append("document")
            if document.get("format") in ("txt", "md", "csv", "html"):
                return Document(text=_bytes(data).decode("utf-8", "replace"))
            return _file(Document, data)
        case {"toolUse": {"name": str(name), "input": given, "toolUseId": str(id)}}:
            return ToolCall(id=id, name=name, arguments=_text_of(given))
        case {"toolResult": {"toolUseId": str(id), "content": content}}:
            return ToolResult(id=id, content=_inside(content, hidden))
        case {"cachePoint": _}:
            return Text(text="")
    kind = next(iter(part), "")
    hidden.append(kind)
    if kind in ("document", "video", "searchResult"):
        return Document(file_id="recorded")
    return Opaque(provider="recorded", kind=kind, raw=_raw(part))


def _inside(content: Any, hidden: list[str]) -> tuple[Text | Image, ...]:
    parts: list[Text | Image] = []
    for piece in [content] if isinstance(content, str) else content or ():
        match piece:
            case {"json": value}:
                parts.append(Text(text=_text_of(value)))
            case _:
                part = _part(piece, hidden)
                parts.append(part if isinstance(part, Text | Image) else Text(text=_text_of(piece)))
    return tuple(parts)


def _image(url: str, detail: Any) -> Image:
    if url.startswith("data:"):
        return Image(data=_bytes(url.partition(",")[2]), detail=detail)
    return Image(url=url, detail=detail)


def _file(kind: type[FileT], data: str) -> FileT:
    return kind(data=_bytes(data))


def _bytes(data: str) -> bytes:
    try:
        return base64.b64decode(data)
    except binascii.Error:
        return data.encode()
