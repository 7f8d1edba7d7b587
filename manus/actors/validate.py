"""Own the check of a request before anything is planned, reserved or sent.

Pure. A request that no vendor could take is refused here with one `Failed` that names the field and the
mend; what only some vendors refuse is left to their codecs, because another candidate may take it.
Messages name fields and never repeat what the caller wrote in them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import assert_never, get_args

import msgspec

from manus.actors.schema_rules import dangling_reference
from manus.messages.content import (
    AnyPart,
    Audio,
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
from manus.messages.failures import Failed, FailureKind
from manus.messages.policy import Bounds
from manus.messages.requests import ChatRequest, EmbedRequest, RoutingCriteria, Sampling, Strategy, Tool

TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""The names that every vendor takes (canonical.md, section 5)."""

_NAMES = ("request_id", "request_key", "provider", "model", "conversation_id", "end_user_id", "service_tier")

_Problem = tuple[str, str]
"""The field to blame and what is wrong with it, mend included."""

_SCHEMAS_KEPT = 512

_AS_THE_VENDOR_DOES = Sampling()


EMBED_INPUTS_MAX = 100_000
"""Texts of one request for embeddings. Vendors take some 2,000 in a call; the calls of more are made in turn."""

DIMENSIONS_MAX = 65_536

STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


def problem_of(request: ChatRequest | EmbedRequest, bounds: Bounds) -> Failed | None:
    """Give the first thing that is wrong with `request`, or None where nothing is."""
    if isinstance(request, EmbedRequest):
        return _problem_of_embed(request, bounds)
    for param, message in _problems(request):
        return _failed("invalid_request", param, message)
    size = 0
    for turn in request.turns:
        for part in turn.parts:
            size += _size_bytes(part)
        if turn.vendor is not None:
            size += len(bytes(turn.vendor.raw))
    if size > bounds.request_bytes:
        message = f"hold about {size} bytes; the bound is {bounds.request_bytes} (request_bytes). Send less at once."
        return _failed("too_large", "turns", message)
    return None


def _problem_of_embed(request: EmbedRequest, bounds: Bounds) -> Failed | None:
    for param, message in _embed_problems(request):
        return _failed("invalid_request", param, message)
    size = sum(_utf8_bytes(text) for text in request.inputs)
    if size > bounds.request_bytes:
        message = f"hold {size} bytes; the bound is {bounds.request_bytes} (request_bytes). Send less at once."
        return _failed("too_large", "inputs", message)
    return None


def _embed_problems(request: EmbedRequest) -> Iterator[_Problem]:
    yield from _named(request, ("request_id", "request_key", "provider", "model", "end_user_id"))
    if not request.inputs:
        yield "inputs", "are empty: give at least one text."
    elif len(request.inputs) > EMBED_INPUTS_MAX:
        yield "inputs", f"are {len(request.inputs)}; at most {EMBED_INPUTS_MAX} fit into one request."
    for number, text in enumerate(request.inputs):
        if not text.strip():
            yield f"inputs[{number}]", "is empty: there is nothing to embed."
        yield from _text(text, f"inputs[{number}]")
    for number, tag in enumerate(request.tags):
        yield from _text(tag, f"tags[{number}]")
    if request.dimensions is not None and not 1 <= request.dimensions <= DIMENSIONS_MAX:
        yield "dimensions", f"must be from 1 to {DIMENSIONS_MAX}."
    for number, name in enumerate(request.fallback_providers or ()):
        yield from _fallback(name, f"fallback_providers[{number}]")
    yield from _timeout(request.timeout_s)
    yield from _vendor_options(request.extra)


def _failed(kind: FailureKind, param: str, message: str) -> Failed:
    return Failed(kind=kind, message=f"{param}: {message}", param=param, safe_to_retry=True, phase="queued")


def _problems(request: ChatRequest) -> Iterator[_Problem]:
    yield from _names(request)
    yield from _prompt(request.turns)
    for number, turn in enumerate(request.turns):
        if not _is_plain(turn):
            yield from _turn(turn, f"turns[{number}]")
    if request.tools:
        yield from _tools(request.tools)
    yield from _tool_choice(request)
    yield from _numbers(request)
    yield from _routing(request)
    if request.output is not None:
        if not TOOL_NAME.fullmatch(request.output.name):
            yield "output.name", "must be 1 to 64 letters, digits, _ or -."
        if not request.output.any_object and (what := _no_object(bytes(request.output.schema))):
            yield "output.schema", f"must be a JSON Schema, that is a JSON object; it is {what}."
        elif what := dangling_reference(bytes(request.output.schema)):
            yield "output.schema", f"{what}."
    yield from _vendor_options(request.extra)


def _vendor_options(extra: Mapping[str, msgspec.Raw]) -> Iterator[_Problem]:
    for name, raw in extra.items():
        if what := _no_object(bytes(raw)):
            yield f"extra.{name}", f"must be a JSON object of vendor options; it is {what}."


def _named(request: ChatRequest | EmbedRequest, fields: tuple[str, ...]) -> Iterator[_Problem]:
    for field in fields:
        value = getattr(request, field)
        if value is not None:
            if not _is_clean(value):
                yield from _text(value, field)
            if not value.strip():
                yield field, "is empty: leave it out, or name one."


def _names(request: ChatRequest) -> Iterator[_Problem]:
    yield from _named(request, _NAMES)
    for number, stop in enumerate(request.sampling.stop):
        yield from _text(stop, f"sampling.stop[{number}]")
        if not stop:
            yield f"sampling.stop[{number}]", "is empty: an answer would end before it began."
    for number, tag in enumerate(request.tags):
        yield from _text(tag, f"tags[{number}]")


def _prompt(turns: tuple[Turn, ...]) -> Iterator[_Problem]:
    spoken = [turn for turn in turns if turn.role != "system"]
    if not spoken:
        yield "turns", "hold no question: give at least one user's turn."
    elif spoken[-1].role == "user" and not any(_says_something(part) for part in spoken[-1].parts):
        yield "turns", "end with an empty prompt: write what you want to know."


def _says_something(part: AnyPart) -> bool:
    return not isinstance(part, Text) or bool(part.text.strip())


def _is_plain(turn: Turn) -> bool:
    """Whether a turn is what most are, clean text, in which nothing can be wrong; all else is looked at closely."""
    return turn.name is None and all(type(part) is Text and _is_clean(part.text) for part in turn.parts)


def _turn(turn: Turn, place: str) -> Iterator[_Problem]:
    if turn.name is not None:
        yield from _text(turn.name, f"{place}.name")
    for number, part in enumerate(turn.parts):
        where = f"{place}.parts[{number}]"
        if isinstance(part, ToolCall) and turn.role != "assistant":
            yield where, "is a tool call, which only an assistant's turn can hold."
        if isinstance(part, ToolResult) and turn.role not in ("tool", "user"):
            yield where, "is a tool result, which belongs into a turn of role tool."
        if turn.role == "system" and not isinstance(part, Text):
            yield where, "is no text; a system turn holds nothing else."
        yield from _part(part, where)


def _part(part: AnyPart, where: str) -> Iterator[_Problem]:
    match part:
        case Text() | Refusal() | Reasoning():
            yield from _text(part.text, f"{where}.text")
        case Image():
            yield from _one_source(where, part.data, part.url, part.file_id)
            if part.data == b"":
                yield f"{where}.data", "is empty: give the picture's bytes."
            yield from _text(part.url or "", f"{where}.url")
        case Document():
            yield from _one_source(where, part.data, part.url, part.text, part.file_id)
            if part.data == b"":
                yield f"{where}.data", "is empty: give the document's bytes."
            for field, value in (("text", part.text), ("url", part.url), ("name", part.name)):
                yield from _text(value or "", f"{where}.{field}")
        case Audio():
            if not part.data:
                yield f"{where}.data", "is empty: give the sound's bytes."
        case ToolCall():
            for field, value in (("id", part.id), ("name", part.name), ("arguments", part.arguments)):
                yield from _text(value, f"{where}.{field}")
        case ToolResult():
            yield from _text(part.id, f"{where}.id")
            yield from _text(part.name or "", f"{where}.name")
            for number, inner in enumerate(part.content):
                yield from _part(inner, f"{where}.content[{number}]")
        case Citation() | Opaque():
            pass
        case _:
            assert_never(part)


def _one_source(where: str, *sources: bytes | str | None) -> Iterator[_Problem]:
    if sum(source is not None for source in sources) != 1:
        yield where, "needs exactly one source: its bytes, a URL or a file id."


def _is_clean(text: str) -> bool:
    """Whether nothing can be wrong with a text; where this is False something may be."""
    return text.isascii() and "\0" not in text


def _text(text: str, where: str) -> Iterator[_Problem]:
    if "\0" in text:
        yield where, "holds a NUL character. Remove it."
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            code = ord(text[error.start])
            yield (
                where,
                (
                    f"holds a lone surrogate (U+{code:04X} at character {error.start}), which is half a character. "
                    "Decode the text properly, or replace it."
                ),
            )


def _tools(tools: tuple[Tool, ...]) -> Iterator[_Problem]:
    seen: dict[str, int] = {}
    for number, tool in enumerate(tools):
        where = f"tools[{number}]"
        if not TOOL_NAME.fullmatch(tool.name):
            yield f"{where}.name", "must be 1 to 64 letters, digits, _ or -."
        if tool.name in seen:
            yield f"{where}.name", f"is the same as that of tools[{seen[tool.name]}]. Rename one of them."
        seen[tool.name] = number
        yield from _text(tool.description, f"{where}.description")
        if what := _no_object_schema(bytes(tool.schema)):
            yield (
                f"{where}.schema",
                f'must be a JSON Schema of an object, like {{"type": "object", "properties": {{}}}}; {what}.',
            )
        elif what := dangling_reference(bytes(tool.schema)):
            yield f"{where}.schema", f"{what}."


def _tool_choice(request: ChatRequest) -> Iterator[_Problem]:
    choice = request.tool_choice
    if choice is None:
        return
    if choice.mode in ("required", "tool") and not request.tools:
        yield "tool_choice", "demands a tool call, but tools is empty. Offer tools, or leave tool_choice out."
    elif choice.mode == "tool" and choice.name is None:
        yield "tool_choice.name", "is missing: mode tool names the tool."
    elif choice.mode == "tool" and choice.name not in {tool.name for tool in request.tools}:
        yield "tool_choice.name", "is none of the tools offered."


def _numbers(request: ChatRequest) -> Iterator[_Problem]:
    sampling = request.sampling
    budget = None if request.reasoning is None else request.reasoning.budget_tokens
    if sampling == _AS_THE_VENDOR_DOES and budget is None and request.max_output_tokens is None:
        yield from _timeout(request.timeout_s)
        return
    ranges: tuple[tuple[str, float | None, float, float], ...] = (
        ("sampling.temperature", sampling.temperature, 0, 2),
        ("sampling.top_p", sampling.top_p, 0, 1),
        ("sampling.top_k", sampling.top_k, 1, 2**31 - 1),
        ("sampling.seed", sampling.seed, -(2**63), 2**63 - 1),
        ("sampling.presence_penalty", sampling.presence_penalty, -2, 2),
        ("sampling.frequency_penalty", sampling.frequency_penalty, -2, 2),
        ("sampling.logprobs", sampling.logprobs, 0, 20),
        ("max_output_tokens", request.max_output_tokens, 1, 2**31 - 1),
        ("reasoning.budget_tokens", budget, 1, 2**31 - 1),
    )
    for field, value, least, most in ranges:
        # Written so that NaN, which compares with nothing, is out of range too.
        if value is not None and not least <= value <= most:
            yield field, f"must be from {least} to {most}."
    yield from _timeout(request.timeout_s)


def _routing(request: ChatRequest) -> Iterator[_Problem]:
    for number, name in enumerate(request.fallback_providers or ()):
        yield from _fallback(name, f"fallback_providers[{number}]")
    if request.strategy is not None and request.strategy not in STRATEGIES:
        yield "strategy", f"must be one of {', '.join(STRATEGIES)}."
    if request.criteria is not None:
        yield from _criteria(request.criteria)


def _fallback(name: str, where: str) -> Iterator[_Problem]:
    yield from _text(name, where)
    if not name.strip():
        yield where, "is empty: name a provider, or provider/model."


def _criteria(criteria: RoutingCriteria) -> Iterator[_Problem]:
    complexity, cost, latency = criteria.task_complexity, criteria.max_cost_usd, criteria.max_latency_ms
    if complexity is not None and not (isinstance(complexity, int) and 1 <= complexity <= 10):
        yield "criteria.task_complexity", "must be a whole number from 1 (trivial) to 10 (hard)."
    if criteria.min_context_length is not None and criteria.min_context_length < 0:
        yield "criteria.min_context_length", "must be a number of tokens, zero or more."
    if cost is not None and not (cost >= 0 and math.isfinite(cost)):
        yield "criteria.max_cost_usd", "must be an amount of USD, zero or more."
    if latency is not None and not (latency > 0 and math.isfinite(latency)):
        yield "criteria.max_latency_ms", "must be a number of milliseconds above zero."
    for number, tag in enumerate(criteria.tags):
        where = f"criteria.tags[{number}]"
        yield from _text(tag, where)
        if not tag:
            yield where, "is empty: nothing bears it."


def _timeout(timeout_s: float | None) -> Iterator[_Problem]:
    if timeout_s is not None and not (timeout_s > 0 and math.isfinite(timeout_s)):
        yield "timeout_s", "must be a number of seconds above zero."


@lru_cache(maxsize=_SCHEMAS_KEPT)
def _no_object(raw: bytes) -> str:
    """Say what JSON is instead of an object; empty where it is one. Programs send the same few schemas."""
    try:
        value = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return "no JSON"
    return "" if isinstance(value, dict) else f"a JSON {_JSON_NAMES.get(type(value), 'value')}"


@lru_cache(maxsize=_SCHEMAS_KEPT)
def _no_object_schema(raw: bytes) -> str:
    what = _no_object(raw)
    if what:
        return f"it is {what}"
    kind = msgspec.json.decode(raw).get("type")
    if kind == "object":
        return ""
    return "its type is missing" if kind is None else "its type is another"


_JSON_NAMES = {str: "string", int: "number", float: "number", bool: "boolean", list: "array", type(None): "null"}


def _size_bytes(part: AnyPart) -> int:
    """Tell about how many bytes a part takes on the wire: text as UTF-8, bytes as base64."""
    match part:
        case Text() | Refusal() | Reasoning():
            text = part.text
            return len(text) if text.isascii() else len(text.encode())
        case Image() | Audio():
            return _base64_bytes(part.data)
        case Document():
            return _base64_bytes(part.data) + _utf8_bytes(part.text or "")
        case ToolCall():
            return _utf8_bytes(part.arguments)
        case ToolResult():
            return sum(_size_bytes(inner) for inner in part.content)
        case Citation() | Opaque():
            return len(bytes(part.raw))
        case _:
            assert_never(part)


def _utf8_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _base64_bytes(data: bytes | None) -> int:
    return 0 if data is None else (len(data) + 2) // 3 * 4
