"""Own the writing of a Converse request (bedrock.md, section 2, read 2026-11).

The model stands in the path and the stream in its last step. What Converse has no field for goes into
`additionalModelRequestFields`, where a family takes it; what the family refuses is left out, and said in a warning;
what cannot be left out without changing the question is a failure that names it.
"""

from __future__ import annotations

import re
from urllib.parse import quote

import msgspec

from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.codecs.bedrock_messages import RULES, WIRE, MessageWriter
from manus.actors.codecs.bedrock_models import BedrockFamily, family_of
from manus.actors.codecs.bedrock_thinking import ThinkingFields, thinking_fields
from manus.actors.codecs.bedrock_tools import ToolPlan, plan_tools
from manus.actors.codecs.encoding import Body, Unencodable, Warnings, options_of, write_body
from manus.actors.codecs.json_text import MALFORMED_ERRORS
from manus.actors.codecs.normalise import normalise
from manus.messages.failures import Failed
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest

EVENT_STREAM = "application/vnd.amazon.eventstream"

_TOP_LEVEL = {
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "outputConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
    "toolConfig",
}
"""Vendor options that stand at the top, in place of ours; every other name is the model's own, and goes into
`additionalModelRequestFields`."""

_MERGED = {"additionalModelRequestFields", "inferenceConfig"}
"""Vendor options whose members are put among ours."""

_TIERS = {"priority": "priority", "default": "default", "standard": "default", "flex": "flex", "reserved": "reserved"}

_METADATA = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}", re.ASCII)

_JSON_ONLY = "Answer with one JSON object and nothing else: no other text, no code fence."


def encode_bedrock(request: ChatRequest, model: str, options: CodecOptions) -> HttpRequest | Failed:
    """Write the request; a `Failed` says what cannot go over this wire or to this model."""
    warnings = Warnings()
    try:
        path = model_path(model, "converse-stream" if request.stream else "converse")
        body, tools = _body(request, model, options, warnings)
        written = write_body(body, options.bounds)
    except Unencodable as refusal:
        return refusal.failure
    return HttpRequest(
        method="POST",
        path=path,
        headers=(
            ("content-type", "application/json"),
            ("accept", EVENT_STREAM if request.stream else "application/json"),
        ),
        body=written,
        warnings=warnings.all(),
        answer_tool=tools.answer_tool,
    )


def model_path(model: str, operation: str) -> str:
    """Write the path of an operation on a model; its id or ARN is one step, percent-encoded.

    Raises:
        Unencodable: the id is none: servers read such a step as "here" or "one up".
    """
    if model.strip(".") == "":
        raise Unencodable("invalid_request", f"{model!r} cannot be the id of a model.", "model")
    return f"/model/{quote(model, safe='')}/{operation}"


def _body(request: ChatRequest, model: str, options: CodecOptions, warnings: Warnings) -> tuple[Body, ToolPlan]:
    card = options.card
    family = family_of(model if card is None else card.vendor_name)
    turns = normalise(request.turns, RULES, model)
    tools = plan_tools(request, turns, family, card, warnings)
    asked_besides = list(tools.asked_besides)
    if request.output is not None and request.output.any_object:
        asked_besides.append(_JSON_ONLY)
        warnings.say("json_in_words", "This wire has no way to demand any JSON object; it was asked for in words.")
    writer = MessageWriter(family, warnings, cache=_permits(card, family), prefill=_prefill(card, family, tools))
    system, messages = writer.write(turns, asked_besides)
    body: Body = {}
    # Tools, system and messages first and in a fixed order: prompt caches work on prefixes.
    if tools.config is not None:
        body["toolConfig"] = tools.config
    if system:
        body["system"] = system
    body["messages"] = messages
    thinking = thinking_fields(request, turns, family, card, forced=tools.forced, warnings=warnings)
    additional: Body = dict(thinking.fields)
    inference = _inference(request, family, card, thinking, additional, warnings)
    if tools.text_format is not None:
        body["outputConfig"] = {"textFormat": tools.text_format}
    if family.claude is not None and request.sampling.stop:
        body["additionalModelResponseFieldPaths"] = ["/stop_sequence"]
    _write_end_user(body, request.end_user_id, warnings)
    _write_tier(body, request.service_tier, warnings)
    _merge(body, inference, additional, options_of(request.extra, WIRE, options.provider))
    if inference:
        body["inferenceConfig"] = inference
    if additional:
        body["additionalModelRequestFields"] = additional
    return body, tools


def _permits(card: ModelCard | None, family: BedrockFamily) -> bool:
    return family.cache if card is None or card.cache_control is None else card.cache_control


def _prefill(card: ModelCard | None, family: BedrockFamily, tools: ToolPlan) -> bool:
    # A beginning of the answer goes with neither tools nor a format on the models that take one.
    if tools.config is not None or tools.text_format is not None:
        return False
    return family.prefill if card is None or card.prefill is None else card.prefill


def _inference(
    request: ChatRequest, family: BedrockFamily, card: ModelCard | None, thinking: ThinkingFields, additional: Body,
    warnings: Warnings,
) -> Body:  # fmt: skip
    inference: Body = {}
    if thinking.max_tokens is not None:
        if thinking.bounded:
            inference["maxTokens"] = thinking.max_tokens
        else:
            warnings.say("max_output_tokens_dropped", "The model takes no bound of its answer at this effort.")
    _write_sampling(inference, additional, request, family, card, thinking, warnings)
    sampling = request.sampling
    if sampling.stop:
        _write_stop(inference, sampling.stop, family, card, warnings)
    if sampling.seed is not None:
        warnings.say("seed_dropped", "This wire has no seed.")
    if sampling.presence_penalty is not None or sampling.frequency_penalty is not None:
        warnings.say("penalties_dropped", "This wire has no presence or frequency penalty.")
    if sampling.logprobs is not None:
        warnings.say("logprobs_dropped", "This wire gives no log probabilities.")
    return inference


def _write_stop(
    inference: Body, stop: tuple[str, ...], family: BedrockFamily, card: ModelCard | None, warnings: Warnings
) -> None:
    if not (family.stop if card is None or card.stop is None else card.stop):
        warnings.say("stop_dropped", "The model takes no stop sequences.")
        return
    kept = [sequence for sequence in stop if sequence.strip() or (sequence and family.claude is None)]
    if len(kept) < len(stop):
        warnings.say("stop_dropped", "Stop sequences of nothing but blanks are refused by the model.")
    if kept:
        inference["stopSequences"] = kept


def _write_sampling(
    inference: Body, additional: Body, request: ChatRequest, family: BedrockFamily, card: ModelCard | None,
    thinking: ThinkingFields, warnings: Warnings,
) -> None:  # fmt: skip
    sampling = request.sampling
    drawn = {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": sampling.top_k}
    wanted = {name: value for name, value in drawn.items() if value is not None}
    free = family.claude is None or family.claude.sampling
    if card is not None and card.sampling is not None:
        free = card.sampling
    if not wanted:
        return
    if not free or not thinking.free_sampling:
        when = "" if thinking.free_sampling else " while it thinks"
        warnings.say("sampling_dropped", f"The model takes none of these{when}: {', '.join(wanted)}.")
        return
    if family.claude is not None and family.claude.one_of_temperature_and_top_p and len(wanted.keys() - {"top_k"}) > 1:
        del wanted["top_p"]
        warnings.say("top_p_dropped", "The model takes temperature or top_p, not both: temperature was sent.")
    if "temperature" in wanted:
        temperature = min(wanted["temperature"], 1.0)
        if temperature != wanted["temperature"]:
            warnings.say("temperature_clamped", "Bedrock takes temperatures from 0 to 1; 1 was sent.")
        inference["temperature"] = temperature
    if "top_p" in wanted:
        inference["topP"] = wanted["top_p"]
    if "top_k" in wanted:
        _write_top_k(additional, family.top_k, wanted["top_k"], warnings)


def _write_top_k(additional: Body, place: tuple[str, ...], top_k: float, warnings: Warnings) -> None:
    if not place:
        warnings.say("top_k_dropped", "This wire has no top_k for the model; it may take one as an option of its own.")
        return
    into = additional
    for step in place[:-1]:
        into = into.setdefault(step, {})
    into[place[-1]] = top_k


def _write_end_user(body: Body, end_user_id: str | None, warnings: Warnings) -> None:
    if end_user_id is None:
        return
    if _METADATA.fullmatch(end_user_id):
        body["requestMetadata"] = {"end_user_id": end_user_id}
    else:
        text = "Bedrock takes letters, digits, blanks and :_@$#=/+,-. in the end user's id, 256 at most."
        warnings.say("end_user_id_dropped", text)


def _write_tier(body: Body, tier: str | None, warnings: Warnings) -> None:
    if tier is None or tier == "auto":
        return
    if tier in _TIERS:
        body["serviceTier"] = {"type": _TIERS[tier]}
    else:
        warnings.say("service_tier_dropped", f"Bedrock has no service tier {tier!r}; it has {', '.join(_TIERS)}.")


def _merge(body: Body, inference: Body, additional: Body, extra: dict[str, msgspec.Raw]) -> None:
    for name, value in extra.items():
        if name in _MERGED:
            try:
                members = _decode_members(value)
            except MALFORMED_ERRORS:
                message = f"The vendor option `{name}` must be a JSON object."
                raise Unencodable("invalid_request", message, f"extra.{WIRE}.{name}") from None
            (inference if name == "inferenceConfig" else additional).update(members)
        elif name in _TOP_LEVEL:
            body[name] = value
        else:
            additional[name] = value


_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
