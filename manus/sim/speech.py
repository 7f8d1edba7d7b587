"""Own what a simulated model says to one request: words, thinking, tool calls, JSON where a schema asks for it."""

from __future__ import annotations

from manus.sim.behaviour import Script, ScriptedCall
from manus.sim.bill import BillRow
from manus.sim.faults import Cut
from manus.sim.prefill import rest_of
from manus.sim.shapes import draw_json
from manus.sim.wire import Call, ChatAsked, Finish, Spoken, identifier
from manus.sim.words import count_tokens, draw_text, tokens_of

THINKING_WORDS = 8
"""How long a model thinks that is asked to, where the script has no thoughts for it."""

_BEYOND_ASCII = " 🌍"


def speak(asked: ChatAsked, script: Script, row: BillRow, *, seed: int, begun: bool = False) -> Spoken:
    """Plan the answer to `asked`, of which with `begun` the conversation holds the beginning.

    It depends on the arguments alone, and the words not on who asks, nor on what the assistant is said to have begun.
    """
    if asked.embed is not None:
        return Spoken(
            number=row.number,
            request_id=row.request_id,
            model=asked.model,
            input_tokens=asked.input_tokens,
            include_usage=asked.include_usage,
            embed=asked.embed,
        )
    scripted = _calls(asked, script, seed)
    text = _text(asked, script, seed, calls=bool(scripted))
    tokens = tokens_of(rest_of(text, asked.begun) if begun else text)
    reasoning = [] if begun else tokens_of(_thoughts(asked, script, seed))
    room = asked.max_output_tokens
    cut_short = room is not None and len(reasoning) + len(tokens) > room
    if room is not None and cut_short:
        reasoning = reasoning[:room]
        tokens = tokens[: room - len(reasoning)]
    chunks = [tokens[begin : begin + script.chunk_tokens] for begin in range(0, len(tokens), script.chunk_tokens)]
    calls = tuple(
        Call(
            id="call_" + identifier("call", row.request_id, position, length=24),
            name=call.name,
            arguments=call.arguments,
        )
        for position, call in enumerate(() if cut_short else scripted)
    )
    usual: Finish = "tool_calls" if calls else "stop"
    cached = min(script.cached_tokens, asked.input_tokens)
    return Spoken(
        number=row.number,
        request_id=row.request_id,
        model=asked.model,
        reasoning=tuple(reasoning),
        reasoning_tokens=len(reasoning),
        chunks=tuple("".join(chunk) for chunk in chunks),
        chunk_tokens=tuple(len(chunk) for chunk in chunks),
        calls=calls,
        call_tokens=tuple(count_tokens(call.name) + count_tokens(call.arguments) for call in calls),
        finish="length" if cut_short else script.finish or usual,
        input_tokens=asked.input_tokens,
        cached_tokens=cached,
        service_tier=script.service_tier,
        cache_write_tokens=min(script.cache_write_tokens, asked.input_tokens - cached),
        include_usage=asked.include_usage,
    )


def _text(asked: ChatAsked, script: Script, seed: int, *, calls: bool) -> str:
    if script.text is not None:
        text = script.text
    elif calls and not script.tool_calls:
        text = ""  # who has to call a tool says nothing besides
    elif asked.schema is not None:
        text = draw_json(asked.schema, f"{seed}/{asked.prompt}")
    else:
        text = draw_text(f"{seed}/{asked.prompt}", script.words)
    if isinstance(script.fault, Cut) and script.fault.where == "utf8" and text.isascii():
        text += _BEYOND_ASCII
    return text


def _thoughts(asked: ChatAsked, script: Script, seed: int) -> str:
    if script.reasoning or not asked.thinking:
        return script.reasoning
    return draw_text(f"{seed}/{asked.prompt}/thoughts", THINKING_WORDS)


def _calls(asked: ChatAsked, script: Script, seed: int) -> tuple[ScriptedCall, ...]:
    """Give the scripted calls, or the one call that the request insists on."""
    if script.tool_calls or script.text is not None or asked.must_call is None or not asked.tools:
        return script.tool_calls
    name = asked.must_call or asked.tools[0]
    schemas = dict(zip(asked.tools, asked.tool_schemas, strict=False))
    schema = schemas.get(name) or {"type": "object"}
    return (ScriptedCall(name=name, arguments=draw_json(schema, f"{seed}/{asked.prompt}/{name}")),)
