"""Own the writing of a Responses request (openai.md, section 5).

Nothing is stored at the server: `store` is off, and what thinks is asked for its thinking in encrypted form, so
that it can be given back with the next request. What this wire has no word for (stop sequences, a seed, penalties)
or the model's family refuses is left out and said in a warning; a caller's own options go over everything.
"""

from __future__ import annotations

from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.codecs.encoding import Body, Unencodable, Warnings, write_body
from manus.actors.codecs.normalise import normalise
from manus.actors.codecs.openai_models import Family, family_for
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
from manus.actors.codecs.responses_items import rules_for, write_items
from manus.messages.content import Text, Turn
from manus.messages.failures import Failed
from manus.messages.requests import ChatRequest, Effort, Tool

OUTPUT_TOKENS_MIN = 16
"""A smaller bound is refused."""


OPENAI = Surface(wire="openai-responses", path="/responses")


def encode_responses(
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
    family = family_for(model, options.card)
    effort = chosen_effort(request, family, options, warnings)
    body: Body = {"model": model}
    turns = normalise(turns_to_write(request, family, surface), rules_for(surface.wire), model)
    if turns and _are_instructions(turns[0], request, family):
        body["instructions"] = "\n".join(part.text for part in turns[0].parts if isinstance(part, Text))
        turns = turns[1:]
    role = family.system if options.system_role == "auto" else options.system_role
    body["input"] = write_items(turns, role, breakpoints=family.explicit_cache, warnings=warnings)
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        body.update(tool_choice(request.tool_choice, nested=False))
    if request.output is not None:
        body["text"] = {"format": _format(request)}
    if request.max_output_tokens is not None:
        body["max_output_tokens"] = max(request.max_output_tokens, OUTPUT_TOKENS_MIN)
        if request.max_output_tokens < OUTPUT_TOKENS_MIN:
            warnings.say("max_output_tokens_raised", f"This wire takes no bound under {OUTPUT_TOKENS_MIN} tokens.")
    _write_sampling(body, request, family, effort, options, warnings)
    _write_reasoning(body, request, family, effort)
    body["store"] = False
    body.update(caller_fields(request, family, surface))
    body["stream"] = request.stream
    body.update(own_options(request, surface, options, warnings))
    return body


def _are_instructions(turn: Turn, request: ChatRequest, family: Family) -> bool:
    """Tell whether a first turn can be the `instructions`: no breakpoint has a place there, nor does "JSON" count."""
    marked = family.explicit_cache and any(part.cache for part in turn.parts)
    counts = request.output is not None and request.output.any_object
    plain = turn.role == "system" and all(isinstance(part, Text) for part in turn.parts)
    return plain and not marked and not counts


def _write_reasoning(body: Body, request: ChatRequest, family: Family, effort: Effort | None) -> None:
    reasoning: Body = {}
    if effort is not None:
        reasoning["effort"] = "none" if effort == "off" else effort
    thinks = family.thinks_with(effort) or (family.reasons == "unknown" and effort not in (None, "off"))
    if request.reasoning is not None and request.reasoning.show and thinks:
        reasoning["summary"] = "auto"
    if reasoning:
        body["reasoning"] = reasoning
    if thinks:
        # Asked of a model that does not think it is refused.
        body["include"] = [*body.get("include", ()), "reasoning.encrypted_content"]


def _write_sampling(
    body: Body, request: ChatRequest, family: Family, effort: Effort | None, options: CodecOptions, warnings: Warnings
) -> None:
    sampling = request.sampling
    drawn = {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_logprobs": sampling.logprobs}
    wanted = {name: value for name, value in drawn.items() if value is not None}
    if not wanted or sampling_is_free(family, effort, options.card):
        body.update(wanted)
        if sampling.logprobs is not None:
            body["include"] = ["message.output_text.logprobs"]
    else:
        warnings.say("sampling_dropped", f"The model takes none of these while it thinks: {', '.join(wanted)}.")
    absent = {
        "stop": sampling.stop or None,
        "seed": sampling.seed,
        "top_k": sampling.top_k,
        "penalties": sampling.presence_penalty if sampling.frequency_penalty is None else sampling.frequency_penalty,
    }
    for name, value in absent.items():
        if value is not None:
            warnings.say(f"{name}_dropped", f"The Responses API has no {name}.")


def _tool(tool: Tool) -> Body:
    written: Body = {"type": "function", "name": tool.name}
    if tool.description:
        written["description"] = tool.description
    written["parameters"] = tool.schema
    # Left out, it counts as true here, unlike in Chat Completions; and most schemas are not fit for that.
    written["strict"] = tool.strict
    return written


def _format(request: ChatRequest) -> Body:
    output = request.output
    assert output is not None
    if output.any_object:
        return {"type": "json_object"}
    return {"type": "json_schema", **named_schema(output)}
