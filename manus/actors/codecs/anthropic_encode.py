"""Own the writing of a Messages request (anthropic.md, sections 2 and 3, read 2026-11).

What a model refuses is left out or said in another way, and a warning tells so: sampling where the model takes none
(and top_p beside a temperature), seeds, penalties and log probabilities, which the wire does not have. How tools,
schemas, thinking and the conversation are adapted stands in the modules that write them.

Vendor options (`extra["anthropic"]`, or under the entry's own name) are merged over the body. Three of them are
read here: `betas` is a list that joins the `anthropic-beta` header; `tools` are added to the request's own, so that
tools run by the vendor can be offered; `output_config` and `metadata` are merged member by member.
"""

from __future__ import annotations

from typing import Any

import msgspec

from manus.actors.codecs.anthropic_messages import (
    RULES,
    RULES_WITH_SYSTEM,
    WIRE,
    bound_breakpoints,
    container_of,
    stands_in_loop_without_thinking,
    write_messages,
    write_system,
)
from manus.actors.codecs.anthropic_models import Family, family_of
from manus.actors.codecs.anthropic_thinking import Thinking, plan_thinking
from manus.actors.codecs.anthropic_tools import plan_tools
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.codecs.encoding import Body, Unencodable, Warnings, options_of, write_body
from manus.actors.codecs.json_text import MALFORMED_ERRORS
from manus.actors.codecs.normalise import normalise
from manus.messages.failures import Failed
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest

VERSION = "2023-06-01"
"""The value of `anthropic-version`; there has been no other since."""

PATH = "/v1/messages"

BINDING_BETA = "thinking-binding-controls-2026-08-01"

_TIERS = {"auto": "auto", "priority": "auto", "default": "standard_only", "standard": "standard_only"} | {
    "standard_only": "standard_only"
}
_TOP_P_WITH_THINKING_MIN = 0.95


class MessagesBody(msgspec.Struct, kw_only=True):
    """A request as it is written for this wire, before it is bytes."""

    body: Body
    betas: tuple[str, ...]
    answer_tool: str | None


def encode_anthropic(request: ChatRequest, model: str, options: CodecOptions) -> HttpRequest | Failed:
    """Write the request; a `Failed` says what cannot go over this wire or to this model."""
    warnings = Warnings()
    try:
        written = messages_body(request, model, options, warnings)
        body = write_body(written.body, options.bounds)
    except Unencodable as refusal:
        return refusal.failure
    accept = "text/event-stream" if request.stream else "application/json"
    headers = [("content-type", "application/json"), ("accept", accept), ("anthropic-version", VERSION)]
    if written.betas:
        headers.append(("anthropic-beta", ",".join(written.betas)))
    return HttpRequest(
        method="POST",
        path=PATH,
        headers=tuple(headers),
        body=body,
        warnings=warnings.all(),
        answer_tool=written.answer_tool,
    )


def messages_body(request: ChatRequest, model: str, options: CodecOptions, warnings: Warnings) -> MessagesBody:
    """Write the body.

    Raises:
        Unencodable: something of it cannot go over this wire or to this model.
    """
    card = options.card
    family = family_of(model if card is None else card.vendor_name)
    extra = options_of(request.extra, WIRE, options.provider)
    betas = {*options.betas, *_list_of(extra, "betas", str)}
    turns = normalise(request.turns, RULES_WITH_SYSTEM if family.mid_system else RULES, model)
    plan = plan_tools(request, _list_of(extra, "tools", msgspec.Raw), family, card, warnings)
    thinking = plan_thinking(
        request,
        family,
        card,
        forced=plan.forced,
        begun_without=stands_in_loop_without_thinking(turns),
        warnings=warnings,
    )
    prefill = family.prefill if card is None or card.prefill is None else card.prefill
    system, spoken = write_system(turns)
    messages = write_messages(
        spoken,
        prefill=prefill and thinking.body is None and plan.format is None,
        asked_besides=plan.sentences,
        betas=betas,
        warnings=warnings,
    )
    bound_breakpoints(plan.tools, system, messages, warnings)
    # Tools, system and messages in the order in which the vendor caches them.
    body: Body = {"model": model, "max_tokens": thinking.max_tokens}
    if plan.tools:
        body["tools"] = plan.tools
    if plan.choice is not None:
        body["tool_choice"] = plan.choice
    if system:
        body["system"] = _plain(system)
    body["messages"] = [{"role": message["role"], "content": _plain(message["content"])} for message in messages]
    _write_thinking(body, thinking, family, messages, extra, betas)
    output = {name: value for name, value in (("effort", thinking.effort), ("format", plan.format)) if value}
    if output:
        body["output_config"] = output
    _write_sampling(body, request, family, card, thinking, warnings)
    _write_account(body, request, warnings)
    container = container_of(turns)
    if container is not None:
        body["container"] = container
    body["stream"] = request.stream
    _merge(body, extra)
    return MessagesBody(body=body, betas=tuple(sorted(betas)), answer_tool=plan.answer_tool)


def _plain(blocks: list[Body]) -> str | list[Body]:
    """Spell one plain text as a string, as everybody does; all else is a list."""
    return blocks[0]["text"] if len(blocks) == 1 and blocks[0].keys() == {"type", "text"} else blocks


def _write_thinking(
    body: Body, thinking: Thinking, family: Family, messages: list[Body], extra: dict[str, msgspec.Raw],
    betas: set[str],
) -> None:  # fmt: skip
    written = thinking.body
    given_back = any("thinking" in block["type"] for message in messages for block in message["content"])
    adaptive = written is None or written["type"] == "adaptive"
    if family.bound_thinking and given_back and adaptive and "thinking" not in extra:
        # Thinking that goes back is refused where anything before it has changed (a clock in the system turn, a
        # sentence that forced a tool). The conversation would be stuck; so the vendor is told to drop it instead.
        written = {"type": "adaptive", **(written or {})}
        written["block_binding"] = {"prefix_mismatch_behavior": "drop_block"}
        betas.add(BINDING_BETA)
    if written is not None:
        body["thinking"] = written


def _write_sampling(
    body: Body, request: ChatRequest, family: Family, card: ModelCard | None, thinking: Thinking, warnings: Warnings
) -> None:
    sampling = request.sampling
    wanted = {
        name: value
        for name, value in (("temperature", sampling.temperature), ("top_p", sampling.top_p), ("top_k", sampling.top_k))
        if value is not None
    }
    free = family.sampling if card is None or card.sampling is None else card.sampling
    if not free:
        _drop(wanted, list(wanted), "The model takes none of these", warnings)
    elif thinking.body is not None and thinking.body["type"] != "disabled":
        kept = wanted.get("top_p", 0) >= _TOP_P_WITH_THINKING_MIN and family.budget
        refused = [name for name in wanted if not (name == "top_p" and kept)]
        _drop(wanted, refused, "The model takes none of these while it thinks", warnings)
    if family.one_of_temperature_and_top_p and {"temperature", "top_p"} <= wanted.keys():
        _drop(wanted, ["top_p"], "The model takes a temperature or top_p, not both", warnings)
    if wanted.get("temperature", 0) > 1:
        warnings.say("temperature_lowered", "Temperatures go from 0 to 1 at this vendor; 1 was sent.")
        wanted["temperature"] = 1
    body.update(wanted)
    _write_stop(body, sampling.stop, warnings)
    absent = {
        "seed": sampling.seed,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "logprobs": sampling.logprobs,
    }
    for name, value in absent.items():
        if value is not None:
            warnings.say(f"{name}_dropped", f"This wire has no {name}.")


def _drop(wanted: dict[str, Any], names: list[str], why: str, warnings: Warnings) -> None:
    missed = [name for name in names if (name, wanted.pop(name)) != ("temperature", 1)]  # 1 is what it does anyway
    if missed:
        warnings.say("sampling_dropped", f"{why}: {', '.join(missed)}.")


def _write_stop(body: Body, stop: tuple[str, ...], warnings: Warnings) -> None:
    kept = [sequence for sequence in stop if sequence.strip()]
    if len(kept) < len(stop):
        warnings.say("stop_dropped", "Stop sequences of nothing but blanks are refused by this vendor.")
    if kept:
        body["stop_sequences"] = kept


def _write_account(body: Body, request: ChatRequest, warnings: Warnings) -> None:
    if request.end_user_id is not None:
        body["metadata"] = {"user_id": request.end_user_id}
    if request.service_tier is None:
        return
    tier = _TIERS.get(request.service_tier)
    if tier is None:
        warnings.say("service_tier_dropped", f"Anthropic has no service tier {request.service_tier!r}.")
    else:
        body["service_tier"] = tier


def _merge(body: Body, extra: dict[str, msgspec.Raw]) -> None:
    for name, value in extra.items():
        if name in ("betas", "tools"):
            continue
        if name in ("output_config", "metadata") and name in body:
            try:
                body[name] = {**body[name], **msgspec.json.decode(value, type=dict[str, msgspec.Raw])}
            except MALFORMED_ERRORS:
                raise _wrong_option(name, "a JSON object") from None
        else:
            body[name] = value


def _list_of(extra: dict[str, msgspec.Raw], name: str, kind: Any) -> list[Any]:  # Any: text, or JSON kept unread
    if name not in extra:
        return []
    try:
        if kind is str:
            return msgspec.json.decode(extra[name], type=list[str])
        tools = msgspec.json.decode(extra[name], type=list[dict[str, msgspec.Raw]])
    except MALFORMED_ERRORS:
        raise _wrong_option(name, "a list of names" if kind is str else "a list of definitions") from None
    return [msgspec.Raw(msgspec.json.encode(tool)) for tool in tools]


def _wrong_option(name: str, shape: str) -> Unencodable:
    return Unencodable("invalid_request", f"The vendor option `{name}` must be {shape}.", f"extra.{WIRE}.{name}")
