"""Own the shapes of a Chat Completions answer, streamed or not (openai.md, sections 3 and 4, read 2026-11).

Only what we read is declared; the parser skips the rest without building it. Every field may be null or
absent, because some server sends it so. `Chunk` is the hot path: one is parsed per event.
"""

from __future__ import annotations

import msgspec

from manus.actors.codecs.json_text import NULL


class FunctionPiece(msgspec.Struct, gc=False):
    """Name and arguments of a call, or a fragment of them."""

    name: str | None = None
    arguments: str | None = None


class CustomPiece(msgspec.Struct, gc=False):
    """Name and raw input of a custom tool's call, or a fragment of them."""

    name: str | None = None
    input: str | None = None


class ToolPiece(msgspec.Struct, gc=False):
    """One entry of `tool_calls`."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: FunctionPiece | None = None
    custom: CustomPiece | None = None


class ReasoningDetail(msgspec.Struct, gc=False):
    """One entry of `reasoning_details` (OpenRouter): only its text is read."""

    text: str | None = None
    summary: str | None = None


class Delta(msgspec.Struct, gc=False):
    """A `delta`, or a whole `message`: they have the same fields."""

    content: str | None = None
    tool_calls: list[ToolPiece] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[ReasoningDetail] | None = None
    function_call: FunctionPiece | None = None
    annotations: list[msgspec.Raw] | None = None
    audio: msgspec.Raw = NULL


class Choice(msgspec.Struct, gc=False):
    """One entry of `choices`."""

    index: int | None = None
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None
    logprobs: msgspec.Raw = NULL
    content_filter_results: msgspec.Raw = NULL
    error: msgspec.Raw = NULL


class InputDetails(msgspec.Struct, gc=False):
    """`prompt_tokens_details`."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None


class OutputDetails(msgspec.Struct, gc=False):
    """`completion_tokens_details`."""

    reasoning_tokens: int | None = None
    audio_tokens: int | None = None


class ServerToolUse(msgspec.Struct, gc=False):
    """`server_tool_use_details` (OpenRouter): what it ran itself, which its bill has beside the tokens."""

    web_search_requests: int | None = None
    tool_calls_executed: int | None = None


class UsageObject(msgspec.Struct, gc=False):
    """`usage`, with the spellings of compatible servers.

    `cached_tokens` at the top is Together's and Moonshot's, `prompt_cache_hit_tokens` is DeepSeek's,
    `cache_read_input_tokens` and `cache_creation_input_tokens` come from gateways to Anthropic.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None
    cached_tokens: int | None = None
    prompt_cache_hit_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    server_tool_use_details: ServerToolUse | None = None


class GroqExtension(msgspec.Struct, gc=False):
    """`x_groq`: where Groq put the usage of streams before it knew `include_usage`."""

    usage: UsageObject | None = None


class Chunk(msgspec.Struct, gc=False):
    """One event of a stream after the first, or all that matters of it."""

    choices: list[Choice] | None = None
    usage: UsageObject | None = None
    error: msgspec.Raw = NULL
    service_tier: str | None = None
    x_groq: GroqExtension | None = None
    prompt_filter_results: msgspec.Raw = NULL
    moderation: msgspec.Raw = NULL


class Opening(Chunk, gc=False):
    """The first event of a stream, or a whole answer: it also names the answer."""

    id: str | None = None
    model: str | None = None
    created: int | None = None
