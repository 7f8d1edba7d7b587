"""Own what the public face hands out: the whole answer, and the pieces of one that is streamed.

Plain frozen data, made from the router's outcomes and the canonical events. Every object has `to_dict()`.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from manus.messages.content import Citation, Reasoning, Refusal, Text, ToolCall, Turn
from manus.messages.events import FinishReason
from manus.messages.outcomes import Answer, Finished, Route, Unfinished
from manus.messages.usage import NANO_USD, Usage, UsageSource

ChunkKind = Literal["delta", "reasoning", "refusal", "tool_call", "tool_arguments", "warning", "reset", "final"]
"""What a chunk brings; only `delta` has a text that belongs into the answer."""


class ResponseUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What a request used, over all its attempts.

    Args:
        input_tokens: the whole prompt; `cache_read_tokens` and `cache_write_tokens` are parts of it.
        output_tokens: the whole answer; `reasoning_tokens` is a part of it.
        cost_nano_usd: in 1e-9 USD, exact; None where a price is unknown, which is not the same as 0.
        source: who says so: the provider (`reported`), our `estimated` count, an upper `bound`, or nobody (`missing`).
        durable: False where the ledger's disk could not confirm in time; the row then recovers as in doubt.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nano_usd: int | None = None
    source: UsageSource = "missing"
    durable: bool = True

    @property
    def total_tokens(self) -> int:
        """Prompt and answer together."""
        return self.input_tokens + self.output_tokens

    @property
    def cost_usd(self) -> float | None:
        """The cost in USD, rounded to what a float holds; for sums use `cost_nano_usd`."""
        return None if self.cost_nano_usd is None else self.cost_nano_usd / NANO_USD

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        fields = msgspec.structs.asdict(self)
        return fields | {"total_tokens": self.total_tokens, "cost_usd": self.cost_usd}


class LLMResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer.

    Args:
        content: its text.
        parsed: its text as data, where `response_format` asked for a shape: an instance of the Struct type, or JSON.
        tool_calls: tools the model wants run; one with `valid=False` was cut short and must never be run.
        reasoning, refusal: the model's thinking and its words for declining, where it showed any.
        citations: the sources that the answer names; each keeps the vendor's own object.
        logprobs: log probabilities as the vendor gave them, where they were asked for.
        finish_reason: why it ended: `stop`, `length`, `tool_calls`, `content_filter`, `refusal`, `pause`; `cancelled`
            where the caller ended it.
        provider, model: who answered.
        conversation_id: the conversation that it is a turn of; None for what was not asked by `chat`.
        request_id, vendor_request_id: ours in the ledger, and the vendor's own for its support desk.
        latency_ms: from the request to its end, all attempts included.
        warnings: what the caller asked for and did not get, in words, such as a parameter that the model rejects.
        route: the plan and every attempt.
        answer: the canonical answer with all its parts; `turn` is what goes into the next prompt.
    """

    content: str
    parsed: Any = None  # Any: whatever type the caller asked for
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str | None = None
    refusal: str | None = None
    citations: tuple[Citation, ...] = ()
    logprobs: tuple[Any, ...] = ()  # Any: the vendor's own JSON
    finish_reason: FinishReason = "stop"
    provider: str = ""
    model: str = ""
    usage: ResponseUsage = ResponseUsage()
    conversation_id: str | None = None
    request_id: str = ""
    vendor_request_id: str | None = None
    latency_ms: float = 0.0
    warnings: tuple[str, ...] = ()
    route: Route = Route()
    answer: Answer = Answer()

    @property
    def turn(self) -> Turn:
        """The answer as a turn, to continue the conversation here or with another provider.

        It holds what the vendor wants back (signed thinking, its own parts); another vendor is never shown that.
        """
        return self.answer.turn or Turn(role="assistant", parts=self.answer.parts)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data; the canonical `answer`, which says the same again, is left out."""
        fields = msgspec.structs.asdict(self)
        del fields["answer"]
        told = fields | {"usage": self.usage.to_dict(), "route": self.route.to_dict()}
        plain = msgspec.to_builtins(told, enc_hook=_as_plain)
        assert isinstance(plain, dict)
        return plain


class ToolCallDelta(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a tool call: `id` and `name` with its beginning, then pieces of the JSON text of its arguments."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


class StreamChunk(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One piece of a streamed answer.

    Args:
        kind: what it brings.
        delta: text to be appended to the answer; empty for every other kind, so that printing it is always right.
        text: the text of a `reasoning`, `refusal` or `warning` chunk, and the reason of a `reset`.
        tool_call: the piece of a `tool_call` (its beginning) or `tool_arguments` chunk.
        index: which part of the answer it belongs to.
        finish_reason, usage, provider, model: of the `final` chunk, which is the last one of every success.
    """

    kind: ChunkKind = "delta"
    delta: str = ""
    text: str = ""
    tool_call: ToolCallDelta | None = None
    index: int = 0
    finish_reason: FinishReason | None = None
    usage: ResponseUsage | None = None
    provider: str | None = None
    model: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data, what is empty left out."""
        told: dict[str, Any] = {"kind": self.kind, "delta": self.delta} | msgspec.to_builtins(self)
        if self.usage is not None:
            told["usage"] = self.usage.to_dict()
        return told


def usage_of(usage: Usage, cost_nano_usd: int | None, *, durable: bool) -> ResponseUsage:
    """Sum up what was used, for people."""
    return ResponseUsage(
        input_tokens=usage.input_total,
        output_tokens=usage.output,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write_short + usage.cache_write_long,
        reasoning_tokens=usage.reasoning,
        cost_nano_usd=cost_nano_usd,
        source=usage.source,
        durable=durable,
    )


def response_of(outcome: Finished, *, parsed: object = None) -> LLMResponse:
    """Make the response of a success."""
    return _response(
        outcome,
        outcome.answer,
        finish_reason=outcome.answer.finish.reason,
        provider=outcome.provider,
        model=outcome.model,
        parsed=parsed,
    )


def cut_response_of(outcome: Unfinished) -> LLMResponse:
    """Make the response of a request that its caller ended: what had come, and what it cost."""
    last = outcome.route.attempts[-1] if outcome.route.attempts else None
    return _response(
        outcome,
        outcome.partial or Answer(),
        finish_reason="cancelled",
        provider="" if last is None else last.provider,
        model="" if last is None else last.model,
    )


def text_in(answer: Answer, kind: type[Text] | type[Reasoning] | type[Refusal]) -> str:
    """Join the text of the parts of one kind."""
    return "".join(part.text for part in answer.parts if isinstance(part, kind))


def _response(
    outcome: Finished | Unfinished,
    answer: Answer,
    *,
    finish_reason: FinishReason,
    provider: str,
    model: str,
    parsed: object = None,
) -> LLMResponse:
    return LLMResponse(
        content=text_in(answer, Text),
        parsed=parsed,
        tool_calls=tuple(part for part in answer.parts if isinstance(part, ToolCall)),
        reasoning=text_in(answer, Reasoning) or None,
        refusal=text_in(answer, Refusal) or None,
        citations=tuple(part for part in answer.parts if isinstance(part, Citation)),
        logprobs=tuple(msgspec.json.decode(raw) for raw in answer.logprobs),
        finish_reason=finish_reason,
        provider=provider,
        model=model,
        usage=usage_of(outcome.usage, outcome.cost_nano_usd, durable=outcome.durable),
        request_id=outcome.request_id,
        vendor_request_id=answer.vendor_request_id,
        latency_ms=outcome.latency_s * 1000,
        warnings=answer.warnings,
        route=outcome.route,
        answer=answer,
    )


def _as_plain(value: object) -> object:
    """Give a vendor's own JSON as it is, and show what else is no plain data (inside `parsed`) by its type's name."""
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else f"<{type(value).__name__}>"
