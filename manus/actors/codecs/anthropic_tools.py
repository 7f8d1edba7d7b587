"""Own what a Messages request says of tools and of the form of its answer (anthropic.md, sections 2.3 and 2.4).

| asked | written |
|---|---|
| a tool choice | as asked; models that refuse a forced choice get `auto` and a sentence, with a warning |
| a JSON schema | `output_config.format`; where the model has none, or the schema has no grammar, a made-up tool that |
|  | must be called: its input is the answer's text; where that is refused too, a sentence, with a warning |
| any JSON object | a sentence |
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from manus.actors.codecs.anthropic_models import Family
from manus.actors.codecs.anthropic_schema import NoGrammar, grammatical, tool_schema
from manus.actors.codecs.encoding import Body, Unencodable, Warnings
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, OutputFormat, Tool, ToolChoice

_NAME_CHARS_MAX = 128


class ToolPlan(msgspec.Struct, kw_only=True):
    """What the request says of tools and form.

    Args:
        tools, choice: the values of `tools` and `tool_choice`; an empty list and None to leave them out.
        format: the value of `output_config.format`.
        answer_tool: the made-up tool whose input is the answer.
        sentences: what is asked in words.
        forced: the choice leaves the model no other way.
    """

    tools: list[Body]
    choice: Body | None = None
    format: Body | None = None
    answer_tool: str | None = None
    sentences: list[str] = []
    forced: bool = False


def plan_tools(
    request: ChatRequest, vendor_tools: Sequence[msgspec.Raw], family: Family, card: ModelCard | None,
    warnings: Warnings,
) -> ToolPlan:  # fmt: skip
    """Decide what is said of tools and of the answer's form.

    Args:
        vendor_tools: definitions in the vendor's own form that the caller added, as of tools that the vendor runs.
    """
    plan = ToolPlan(tools=[_tool(tool, place, warnings) for place, tool in enumerate(request.tools)])
    plan.tools.extend(msgspec.json.decode(tool, type=dict[str, msgspec.Raw]) for tool in vendor_tools)
    can_force = family.forced_tools if card is None or card.forced_tools is None else card.forced_tools
    if plan.tools:
        _write_choice(plan, request.tool_choice, can_force=can_force, warnings=warnings)
    if request.output is not None:
        has_format = family.json_schema if card is None or card.json_schema is None else card.json_schema
        _write_output(plan, request, has_format=has_format, can_force=can_force, warnings=warnings)
    return plan


def _tool(tool: Tool, place: int, warnings: Warnings) -> Body:
    try:
        schema, loosened = tool_schema(tool.schema)
    except NoGrammar as reason:
        text = f"The schema of the tool {tool.name!r} cannot be used: {reason}."
        raise Unencodable("invalid_request", text, f"tools.{place}.schema") from None
    if loosened:
        warnings.say("tool_schema_loosened", f"The tool {tool.name!r} has a union at the root of its schema.")
    body: Body = {"name": tool.name}
    if tool.description:
        body["description"] = tool.description
    body["input_schema"] = schema
    if tool.strict:
        _make_strict(body, tool, warnings)
    return body


def _make_strict(body: Body, tool: Tool, warnings: Warnings) -> None:
    schema = body["input_schema"]
    raw = schema if isinstance(schema, msgspec.Raw) else msgspec.Raw(msgspec.json.encode(schema))
    try:
        strict = grammatical(raw)
    except NoGrammar as reason:
        text = f"The tool {tool.name!r} was sent without `strict`: of its schema there is no grammar, as {reason}."
        warnings.say("tool_not_strict", text)
        return
    if strict.loosened:
        said = ", ".join(strict.loosened)
        warnings.say("schema_bounds_in_words", f"The vendor enforces none of these, they were put into words: {said}.")
    body["input_schema"] = strict.schema
    body["strict"] = True


def _write_choice(plan: ToolPlan, choice: ToolChoice | None, *, can_force: bool, warnings: Warnings) -> None:
    if choice is None:
        return
    match choice.mode:
        case "none":
            plan.choice = {"type": "none"}
            return
        case "auto":
            plan.choice = {"type": "auto"} if not choice.parallel else None
        case "required" | "tool" if not can_force:
            plan.choice = {"type": "auto"}
            named = f"the tool `{choice.name}`" if choice.mode == "tool" else "one of the tools"
            plan.sentences.append(f"Call {named} now; answer with nothing but that call.")
            warnings.say("tool_choice_in_words", "The model cannot be forced to call a tool; it was asked to in words.")
        case "required":
            plan.choice, plan.forced = {"type": "any"}, True
        case "tool":
            plan.choice, plan.forced = {"type": "tool", "name": choice.name}, True
    if not choice.parallel and plan.choice is not None:
        plan.choice["disable_parallel_tool_use"] = True


def _write_output(
    plan: ToolPlan, request: ChatRequest, *, has_format: bool, can_force: bool, warnings: Warnings
) -> None:
    output = request.output
    assert output is not None
    if output.any_object:
        plan.sentences.append("Answer with one JSON object and nothing else: no other text and no code fence.")
        return
    try:
        native = grammatical(output.schema)
    except NoGrammar as reason:
        native = None
        if has_format:
            text = f"The vendor cannot enforce the schema, as {reason}; the answer was asked for in another way."
            warnings.say("json_schema_not_native", text)
    if has_format and native is not None:
        if native.loosened:
            said = ", ".join(native.loosened)
            text = f"The vendor enforces none of these, they were put into words: {said}."
            warnings.say("schema_bounds_in_words", text)
        plan.format = {"type": "json_schema", "schema": native.schema}
        return
    # A tool that the caller demands goes before the form: a made-up tool beside it would break that demand.
    if can_force and not plan.forced and _make_answer_tool(plan, request, output):
        return
    schema = bytes(output.schema).decode("utf-8", "replace")
    plan.sentences.append(
        "Answer with one JSON value that fits this JSON Schema and nothing else: no other text and no code fence.\n"
        f"{schema}"
    )
    warnings.say("json_schema_in_words", "Nothing enforces the schema at this model; it was asked for in words.")


def _make_answer_tool(plan: ToolPlan, request: ChatRequest, output: OutputFormat) -> bool:
    try:
        schema, loosened = tool_schema(output.schema)
    except NoGrammar:
        return False
    if loosened:
        return False
    taken = {tool.name for tool in request.tools}
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", output.name)[:_NAME_CHARS_MAX] or "answer"
    while name in taken:
        name = f"{name[: _NAME_CHARS_MAX - 1]}_"
    description = "Gives the answer. Call it once, with the whole answer, when you are ready to answer."
    others = bool(plan.tools) and (plan.choice is None or plan.choice["type"] != "none")
    plan.tools.append({"name": name, "description": description, "input_schema": schema})
    plan.choice = {"type": "any"} if others else {"type": "tool", "name": name}
    plan.choice["disable_parallel_tool_use"] = True
    plan.answer_tool = name
    plan.forced = True
    return True
