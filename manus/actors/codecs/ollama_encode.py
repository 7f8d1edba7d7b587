"""Own the writing of an Ollama chat request (ollama.md, section 2, read 2026-11).

The native API has no tool choice, no parallel control, no URLs and no documents: what can be said with
what it has is said so, what cannot be said is a warning or a failure.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence

import msgspec

from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.codecs.encoding import (
    Body,
    Unencodable,
    Warnings,
    options_of,
    result_text,
    text_document,
    wrapped_arguments,
    write_body,
)
from manus.actors.codecs.normalise import WireRules, normalise
from manus.messages.content import (
    AnyPart,
    Audio,
    Document,
    Image,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from manus.messages.failures import Failed
from manus.messages.requests import ChatRequest, Effort, Tool

WIRE = "ollama"

RULES = WireRules(wire=WIRE, id_shape=re.compile(r".{1,256}", re.DOTALL), keeps_reasoning=True)

_THINK: dict[Effort, bool | str] = {
    "off": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "max",
}

_TOP_LEVEL = {"format", "keep_alive", "logprobs", "shift", "template", "think", "top_logprobs", "truncate"}
"""Vendor options that stand beside `options`; every other name is a model option and goes into it, where a
top-level field that the server does not know would be ignored without a word."""


def encode_ollama(request: ChatRequest, model: str, options: CodecOptions) -> HttpRequest | Failed:
    """Write the request; a `Failed` says what cannot go over this wire."""
    warnings = Warnings()
    try:
        body = write_body(_body(request, model, options, warnings), options.bounds)
    except Unencodable as refusal:
        return refusal.failure
    accept = "application/x-ndjson" if request.stream else "application/json"
    return HttpRequest(
        method="POST",
        path="/api/chat",
        headers=(("content-type", "application/json"), ("accept", accept)),
        body=body,
        warnings=warnings.all(),
    )


def _body(request: ChatRequest, model: str, options: CodecOptions, warnings: Warnings) -> Body:
    body: Body = {"model": model, "messages": _messages(normalise(request.turns, RULES, model))}
    tools = _tools(request, warnings)
    if tools:
        body["tools"] = [_tool(tool) for tool in tools]
    if request.output is not None:
        body["format"] = "json" if request.output.any_object else request.output.schema
    think = _think(request, model, options, warnings)
    if think is not None:
        body["think"] = think
    if request.sampling.logprobs is not None:
        body["logprobs"] = True
        body["top_logprobs"] = request.sampling.logprobs
    if not options.truncate:
        # Otherwise the oldest turns are dropped without a word, and the answer is to another question.
        body["truncate"] = False
        body["shift"] = False
    body["options"] = _options(request, options)
    body["stream"] = request.stream
    _merge(body, options_of(request.extra, WIRE, options.provider))
    if not body["options"]:
        del body["options"]
    return body


def _messages(turns: Sequence[Turn]) -> list[Body]:
    messages: list[Body] = []
    pictures: list[Image] = []
    for turn in turns:
        if turn.role != "tool" and pictures:
            messages.append(_pictures_message(pictures))
            pictures = []
        if turn.role == "tool":
            results = [part for part in turn.parts if isinstance(part, ToolResult)]
            messages.extend(_tool_message(result) for result in results)
            pictures.extend(part for result in results for part in result.content if isinstance(part, Image))
        else:
            messages.append(_message(turn))
    if pictures:
        messages.append(_pictures_message(pictures))
    return messages


def _message(turn: Turn) -> Body:
    texts = [text for text in map(_text_of, turn.parts) if text is not None]
    joint = "" if turn.role == "assistant" else "\n"
    message: Body = {"role": turn.role, "content": joint.join(texts)}
    thought = "".join(part.text for part in turn.parts if isinstance(part, Reasoning))
    if thought:
        message["thinking"] = thought
    images = [_image(part) for part in turn.parts if isinstance(part, Image)]
    if images:
        message["images"] = images
    calls = [part for part in turn.parts if isinstance(part, ToolCall)]
    if calls:
        message["tool_calls"] = [_call(call, index) for index, call in enumerate(calls)]
    return message


def _text_of(part: AnyPart) -> str | None:
    if isinstance(part, Text | Refusal):
        return part.text
    if isinstance(part, Document):
        text = part.text
        if text is None and part.data is not None:
            text = text_document(part.data, part.media_type)
        if text is None:
            message = "Ollama takes no documents: send their text, or choose a provider that reads them."
            raise Unencodable("unsupported", message, "turns.document")
        return f"{part.name}:\n{text}"
    if isinstance(part, Audio):
        raise Unencodable("unsupported", "Ollama's chat takes no audio: choose another provider.", "turns.audio")
    return None


def _image(image: Image) -> str:
    if image.data is None:
        message = "Ollama takes images as bytes only: fetch the image first."
        raise Unencodable("unsupported", message, "turns.image")
    return base64.b64encode(image.data).decode()


def _call(call: ToolCall, index: int) -> Body:
    arguments = call.arguments if call.valid else wrapped_arguments(call.arguments)
    try:
        # Checked, because one bad call in a long history would spoil the whole body.
        parsed = _decode_object(arguments)
    except (ValueError, RecursionError):
        parsed = _decode_object(wrapped_arguments(arguments))
    return {"id": call.id, "function": {"index": index, "name": call.name, "arguments": parsed}}


def _tool_message(result: ToolResult) -> Body:
    # Older servers know the name only, newer ones both.
    message: Body = {"role": "tool", "content": result_text(result)}
    if result.name:
        message["tool_name"] = result.name
    message["tool_call_id"] = result.id
    return message


def _pictures_message(pictures: Iterable[Image]) -> Body:
    return {
        "role": "user",
        "content": "Images that the tools returned:",
        "images": [_image(image) for image in pictures],
    }


def _tools(request: ChatRequest, warnings: Warnings) -> tuple[Tool, ...]:
    choice = request.tool_choice
    if choice is None or not request.tools:
        return request.tools
    if not choice.parallel:
        warnings.say("parallel_not_enforced", "Ollama cannot be told to make one call at a time.")
    if choice.mode == "none":
        return ()
    if choice.mode in ("required", "tool"):
        warnings.say("tool_choice_not_enforced", "Ollama cannot be forced to call a tool; the model may not.")
    if choice.mode == "tool":
        return tuple(tool for tool in request.tools if tool.name == choice.name)
    return request.tools


def _tool(tool: Tool) -> Body:
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema},
    }


def _think(request: ChatRequest, model: str, options: CodecOptions, warnings: Warnings) -> bool | str | None:
    if request.reasoning is None:
        return None
    if request.reasoning.budget_tokens is not None:
        warnings.say("reasoning_budget_dropped", "Ollama has no thinking budget in tokens; set an effort.")
    effort = request.reasoning.effort
    if effort is None:
        return None
    if effort != "off" and options.card is not None and options.card.reasoning is False:
        warnings.say("reasoning_effort_dropped", "The model does not think.")
        return None
    if effort == "off" and "gpt-oss" in model:
        warnings.say("reasoning_not_off", "gpt-oss always thinks; it was asked to think as little as it can.")
        return "low"
    return _THINK[effort]


def _options(request: ChatRequest, options: CodecOptions) -> Body:
    sampling = request.sampling
    written: Body = {
        "num_ctx": options.context_tokens,
        "num_predict": request.max_output_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
    }
    return {name: value for name, value in written.items() if value is not None}


def _merge(body: Body, extra: dict[str, msgspec.Raw]) -> None:
    for name, value in extra.items():
        if name == "options":
            try:
                body["options"].update(_decode_members(value))
            except (ValueError, RecursionError):
                message = "The vendor option `options` must be a JSON object."
                raise Unencodable("invalid_request", message, f"extra.{WIRE}.options") from None
        elif name in _TOP_LEVEL:
            body[name] = value
        else:
            body["options"][name] = value


_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_object = _decode_members
