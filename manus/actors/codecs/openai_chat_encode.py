"""Own the writing of a Chat Completions request (openai.md, sections 2.2 to 2.4).

What a model's family refuses is left out, and said in a warning; what cannot be left out without changing
the question (tools, images) is a failure that names it.
"""

from __future__ import annotations

from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.codecs.encoding import Body, Unencodable, Warnings, write_body
from manus.actors.codecs.normalise import normalise
from manus.actors.codecs.openai_chat_messages import rules_for, write_messages
from manus.actors.codecs.openai_models import Family, family_of
from manus.actors.codecs.openai_shared import (
    Surface,
    caller_fields,
    chosen_effort,
    named_schema,
    own_options,
    sampling_is_free,
    tool_choice,
    turns_to_write,
)
from manus.messages.failures import Failed
from manus.messages.requests import ChatRequest, Effort, Tool

OPENAI = Surface(wire="openai-chat", path="/chat/completions")

_STOPS_MAX = 4


def encode_chat(
    request: ChatRequest, model: str, options: CodecOptions, surface: Surface = OPENAI
) -> HttpRequest | Failed:
    """Write the request; a `Failed` says what cannot go over this wire or to this model."""
    warnings = Warnings()
    try:
        body = write_body(_body(request, model, options, warnings, surface), options.bounds)
    except Unencodable as refusal:
        return refusal.failure
    accept = "text/event-stream" if request.stream else "application/json"
    return HttpRequest(
        method="POST",
        path=surface.path,
        headers=(("content-type", "application/json"), ("accept", accept)),
        body=body,
        warnings=warnings.all(),
    )


def _body(request: ChatRequest, model: str, options: CodecOptions, warnings: Warnings, surface: Surface) -> Body:
    named = model if options.card is None else options.card.vendor_name
    family = family_of(named)
    rules = rules_for(surface.wire, named, keeps_reasoning=options.reasoning_field is not None)
    turns = normalise(turns_to_write(request, family, surface), rules, model)
    # Tools and messages first and in a fixed order: prompt caches work on prefixes.
    body: Body = {"model": model, "messages": write_messages(turns, family, options, files=surface.files)}
    effort = chosen_effort(request, family, options, warnings)
    if request.tools:
        if family.tools == "no":
            message = f"{model} takes function tools only over the Responses API. Choose another model."
            raise Unencodable("unsupported", message, "tools")
        body["tools"] = [_tool(tool) for tool in request.tools]
        body.update(tool_choice(request.tool_choice, nested=True))
        if family.tools == "unless_reasoning" and family.thinks_with(effort):
            warnings.say("reasoning_off_for_tools", f"{model} takes tools on this wire only while it does not think.")
            effort = "off"
    if request.output is not None:
        body["response_format"] = _response_format(request)
    if request.max_output_tokens is not None:
        body[_max_tokens_field(family, options)] = request.max_output_tokens
    _write_sampling(body, request, family, effort, options, warnings)
    if effort is not None:
        body["reasoning_effort"] = "none" if effort == "off" else effort
    body.update(caller_fields(request, family, surface))
    body["stream"] = request.stream
    if request.stream and options.include_usage:
        body["stream_options"] = {"include_usage": True}
    body.update(own_options(request, surface, options, warnings))
    return body


def _max_tokens_field(family: Family, options: CodecOptions) -> str:
    if options.max_tokens_field != "auto":
        return options.max_tokens_field
    # Refused under the old name by everything that thinks; the only name that other vendors' servers read.
    return "max_tokens" if family.reasons in ("never", "unknown") else "max_completion_tokens"


def _write_sampling(
    body: Body, request: ChatRequest, family: Family, effort: Effort | None, options: CodecOptions, warnings: Warnings
) -> None:
    sampling = request.sampling
    drawn: Body = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "logprobs": None if sampling.logprobs is None else True,
        "top_logprobs": sampling.logprobs,
    }
    wanted = {name: value for name, value in drawn.items() if value is not None}
    if sampling_is_free(family, effort, options.card):
        body.update(wanted)
    elif wanted:
        warnings.say("sampling_dropped", f"The model takes none of these while it thinks: {', '.join(wanted)}.")
    if sampling.top_k is not None:
        if options.top_k:
            body["top_k"] = sampling.top_k
        else:
            warnings.say("top_k_dropped", "This wire has no top_k.")
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.stop:
        _write_stop(body, sampling.stop, family, warnings)


def _write_stop(body: Body, stop: tuple[str, ...], family: Family, warnings: Warnings) -> None:
    # o3, o4-mini and everything later that thinks refuse the field, whatever the effort.
    if family.reasons not in ("never", "unknown"):
        warnings.say("stop_dropped", "The model takes no stop sequences.")
        return
    if family.openai and len(stop) > _STOPS_MAX:
        message = f"OpenAI takes at most {_STOPS_MAX} stop sequences, {len(stop)} were given."
        raise Unencodable("unsupported", message, "sampling.stop")
    body["stop"] = list(stop)


def _tool(tool: Tool) -> Body:
    function: Body = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.schema
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _response_format(request: ChatRequest) -> Body:
    output = request.output
    assert output is not None
    if output.any_object:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": named_schema(output)}
