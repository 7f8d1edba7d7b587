"""Own the shapes of Ollama's native answers (ollama.md, section 3, read 2026-11).

Only what we read is declared. Every field may be absent: counters that are zero are left out.
"""

from __future__ import annotations

import msgspec

from manus.actors.codecs.json_text import NULL


class CalledFunction(msgspec.Struct, gc=False):
    """The function of a call; its arguments are an object, not text."""

    name: str | None = None
    arguments: msgspec.Raw = NULL


class CalledTool(msgspec.Struct, gc=False):
    """One entry of `tool_calls`: always whole. Only newer servers send an id."""

    id: str | None = None
    function: CalledFunction | None = None


class Said(msgspec.Struct, gc=False):
    """The `message` of one line: what was said since the line before."""

    content: str | None = None
    thinking: str | None = None
    tool_calls: list[CalledTool] | None = None


class Line(msgspec.Struct, gc=False):
    """One line of a stream, or the whole answer.

    `response` and `thinking` are what `/api/generate` has in place of `message`.
    """

    message: Said | None = None
    response: str | None = None
    thinking: str | None = None
    done: bool | None = None
    error: msgspec.Raw = NULL
    logprobs: msgspec.Raw = NULL
    model: str | None = None
    created_at: str | None = None
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None


class InstalledModel(msgspec.Struct, gc=False):
    """One entry of `GET /api/tags`."""

    name: str | None = None
    model: str | None = None


class InstalledModels(msgspec.Struct, gc=False):
    """The body of `GET /api/tags`."""

    models: list[InstalledModel] | None = None
