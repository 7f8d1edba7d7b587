"""Own what a Converse request says of tools and of the form of the answer (bedrock.md, sections 2 and 7).

Converse cannot say "no tools", and demands the tools' definitions as soon as the history holds calls; many models
cannot be forced to call one. Where the wire has no word, the model is asked in words, with a warning. A schema for
the answer goes as `outputConfig.textFormat` where the model has it, else as a made-up tool whose arguments are the
answer, and where that cannot be, in words.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from manus.actors.codecs.anthropic_schema import Grammatical, NoGrammar, grammatical, tool_schema
from manus.actors.codecs.bedrock_models import BedrockFamily
from manus.actors.codecs.encoding import Body, Unencodable, Warnings
from manus.actors.codecs.json_text import dump
from manus.messages.content import ToolCall, ToolResult, Turn
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, OutputFormat, Tool, ToolChoice

_NO_TOOLS = "Do not call any tool now: answer in text."
_MUST_CALL = "Call a tool now; do not answer in text."
_FITTING = "Answer with one JSON value that fits this JSON Schema and nothing else: no other text, no code fence.\n"
_ANSWER_DESCRIPTION = "Gives the final answer. Call it once, with the whole answer."


class ToolPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the request says of tools.

    Args:
        config: the value of `toolConfig`; None to leave it out.
        text_format: the value of `outputConfig.textFormat`.
        answer_tool: the made-up tool that carries the answer (`HttpRequest.answer_tool`).
        forced: the model has no other way than to call a tool.
        asked_besides: what the model is told in words.
    """

    config: Body | None = None
    text_format: Body | None = None
    answer_tool: str | None = None
    forced: bool = False
    asked_besides: tuple[str, ...] = ()


def plan_tools(
    request: ChatRequest, turns: Sequence[Turn], family: BedrockFamily, card: ModelCard | None, warnings: Warnings
) -> ToolPlan:
    """Decide about tools, their choice, and the form of the answer.

    Raises:
        Unencodable: the arguments of a tool are no object.
    """
    output = request.output
    if output is None or output.any_object:
        return _plan_choice(request, turns, family, card, warnings)
    native = family.text_format if card is None or card.json_schema is None else card.json_schema
    text_format = _text_format(output, warnings) if native else None
    if text_format is None:
        return _plan_answer_tool(request, output, turns, family, card, warnings)
    plan = _plan_choice(request, turns, family, card, warnings)
    return msgspec.structs.replace(plan, text_format=text_format)


def _plan_choice(
    request: ChatRequest, turns: Sequence[Turn], family: BedrockFamily, card: ModelCard | None, warnings: Warnings
) -> ToolPlan:
    specs = _specs(request.tools, family, warnings)
    choice = request.tool_choice or ToolChoice()
    if not choice.parallel and request.tools:
        warnings.say("parallel_not_enforced", "This wire cannot demand one call at a time.")
    called = _called_before(turns)
    if not request.tools or choice.mode == "none":
        if not called:
            return ToolPlan()
        known = {tool.name for tool in request.tools}
        specs.extend(_former(name) for name in called if name not in known)
        warnings.say("tools_kept", "The history holds calls, so tools are named; the model was asked to call none.")
        return ToolPlan(config={"tools": specs}, asked_besides=(_NO_TOOLS,))
    config: Body = {"tools": specs}
    if choice.mode == "auto":
        if request.tool_choice is not None:
            config["toolChoice"] = {"auto": {}}
        return ToolPlan(config=config)
    return _forced(config, choice, family, card, warnings)


def _forced(
    config: Body, choice: ToolChoice, family: BedrockFamily, card: ModelCard | None, warnings: Warnings
) -> ToolPlan:
    wire_choice, forced = _wire_choice(choice, family, card)
    config["toolChoice"] = wire_choice
    if forced:
        return ToolPlan(config=config, forced=True)
    warnings.say("tool_choice_in_words", "The model cannot be forced to call a tool; it was asked to in words.")
    asked = _MUST_CALL if choice.name is None else f"Call the tool {choice.name} now; do not answer in text."
    return ToolPlan(config=config, asked_besides=(asked,))


def _wire_choice(choice: ToolChoice, family: BedrockFamily, card: ModelCard | None) -> tuple[Body, bool]:
    """Give `toolChoice` for a choice that forces, and whether it does."""
    permitted = None if card is None else card.forced_tools
    if choice.mode == "tool" and (family.forced_tool if permitted is None else permitted):
        return {"tool": {"name": choice.name}}, True
    if choice.mode == "required" and (family.forced_any if permitted is None else permitted):
        return {"any": {}}, True
    return {"auto": {}}, False


def _plan_answer_tool(
    request: ChatRequest, output: OutputFormat, turns: Sequence[Turn], family: BedrockFamily, card: ModelCard | None,
    warnings: Warnings,
) -> ToolPlan:  # fmt: skip
    schema = _object_schema(output) if card is None or card.tools is not False else None
    if schema is None:
        plan = _plan_choice(request, turns, family, card, warnings)
        asked = _FITTING + bytes(output.schema).decode("utf-8", "replace")
        warnings.say("json_schema_in_words", "Nothing enforces the schema at this model; it was asked for in words.")
        return msgspec.structs.replace(plan, asked_besides=(*plan.asked_besides, asked))
    name = _free_name(output.name, {tool.name for tool in request.tools} | set(_called_before(turns)))
    answer = Tool(name=name, description=_ANSWER_DESCRIPTION, schema=schema)
    choice = request.tool_choice or ToolChoice()
    others = request.tools if choice.mode != "none" else ()
    known = {tool.name for tool in others}
    specs = [*_specs(others, family, warnings), _spec(answer, 0, family, warnings)]
    specs.extend(_former(former) for former in _called_before(turns) if former not in known)
    config: Body = {"tools": specs}
    if choice.mode == "tool":
        # The caller's own demand comes first; the answer can come in a later turn.
        plan = _forced(config, choice, family, card, warnings)
        return msgspec.structs.replace(plan, answer_tool=name)
    wanted = ToolChoice(mode="required") if others else ToolChoice(mode="tool", name=name)
    # A forced tool and thinking exclude each other on some models: there it is asked for in words.
    thinks = request.reasoning is not None and request.reasoning.effort != "off"
    wire_choice, forced = _wire_choice(wanted, family, card)
    if thinks or not forced:
        wire_choice, forced = {"auto": {}}, False
        warnings.say("json_schema_not_forced", "Nothing forces the model to keep to the schema; it was asked in words.")
    config["toolChoice"] = wire_choice
    asked = f"Give your final answer only by calling the tool {name}; write no other text."
    return ToolPlan(config=config, answer_tool=name, forced=forced, asked_besides=() if forced else (asked,))


def _text_format(output: OutputFormat, warnings: Warnings) -> Body | None:
    """Write the format; None where the vendor's grammar cannot hold the schema. It travels as text."""
    try:
        native = grammatical(output.schema)
    except NoGrammar as reason:
        text = f"The vendor cannot enforce the schema, as {reason}; the answer was asked for in another way."
        warnings.say("json_schema_not_native", text)
        return None
    _say_loosened(native, warnings)
    schema: Body = {"schema": dump(native.schema), "name": output.name}
    return {"type": "json_schema", "structure": {"jsonSchema": schema}}


def _say_loosened(schema: Grammatical, warnings: Warnings) -> None:
    if schema.loosened:
        said = ", ".join(schema.loosened)
        warnings.say("schema_bounds_in_words", f"The vendor enforces none of these, they were put into words: {said}.")


def _object_schema(output: OutputFormat) -> msgspec.Raw | None:
    """Give the schema as that of a tool's arguments; None where they cannot be such, as a list cannot."""
    try:
        schema, loosened = tool_schema(output.schema)
    except NoGrammar:
        return None
    if loosened:
        return None
    return schema if isinstance(schema, msgspec.Raw) else msgspec.Raw(msgspec.json.encode(schema))


def _specs(tools: Sequence[Tool], family: BedrockFamily, warnings: Warnings) -> list[Body]:
    return [_spec(tool, place, family, warnings) for place, tool in enumerate(tools)]


def _spec(tool: Tool, place: int, family: BedrockFamily, warnings: Warnings) -> Body:
    spec: Body = {"name": tool.name}
    if tool.description.strip():
        spec["description"] = tool.description
    try:
        schema, loosened = tool_schema(tool.schema)
    except NoGrammar as reason:
        text = f"The schema of the tool {tool.name!r} cannot be used: {reason}."
        raise Unencodable("invalid_request", text, f"tools.{place}.schema") from None
    if loosened:
        warnings.say("tool_schema_loosened", f"The tool {tool.name!r} has a union at the root of its schema.")
    spec["inputSchema"] = {"json": schema}
    if tool.strict:
        _make_strict(spec, tool, family, warnings)
    return {"toolSpec": spec}


def _make_strict(spec: Body, tool: Tool, family: BedrockFamily, warnings: Warnings) -> None:
    if not family.text_format:
        warnings.say("strict_dropped", "The model does not enforce the schemas of tools.")
        return
    schema = spec["inputSchema"]["json"]
    try:
        strict = grammatical(schema if isinstance(schema, msgspec.Raw) else msgspec.Raw(msgspec.json.encode(schema)))
    except NoGrammar as reason:
        text = f"The tool {tool.name!r} was sent without `strict`: of its schema there is no grammar, as {reason}."
        warnings.say("tool_not_strict", text)
        return
    _say_loosened(strict, warnings)
    spec["inputSchema"] = {"json": strict.schema}
    spec["strict"] = True


def _former(name: str) -> Body:
    description = "Was called earlier in this conversation; it is not available any more."
    return {
        "toolSpec": {"name": name, "description": description, "inputSchema": {"json": {"type": "object"}}},
    }


def _called_before(turns: Sequence[Turn]) -> tuple[str, ...]:
    """Name the tools whose calls or results stand in the history, each once and in order."""
    names: dict[str, None] = {}
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, ToolCall) or (isinstance(part, ToolResult) and part.name):
                names.setdefault(part.name or "", None)
    return tuple(names)


def _free_name(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted[:60]}_{number}"
    return name
