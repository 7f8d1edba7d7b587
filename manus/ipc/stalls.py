"""Own the end of a stream whose host takes nothing of it: what is told, and what it still says of the books."""

from __future__ import annotations

from manus.errors import StreamingError
from manus.messages.failures import Failed
from manus.messages.usage import Usage
from manus.responses import LLMResponse, ResponseUsage


class Stalled(Exception):
    """A host took nothing of a stream for too long."""

    def __init__(self, stall_s: float, *, paused: bool) -> None:
        said = (
            "the stream was paused until its request's time was up"
            if paused
            else f"the host took nothing of the stream for {stall_s:g} s (ipc.consumer_stall_s)"
        )
        super().__init__(said)


def slow_consumer(response: LLMResponse, stalled: Stalled) -> StreamingError:
    """Make the failure of a stalled stream: what had been answered is in `partial`, and what it cost beside it."""
    failure = Failed(
        kind="slow_consumer",
        message=str(stalled),
        provider=response.provider or None,
        model=response.model or None,
        safe_to_retry=False,
        phase="streaming",
    )
    error = StreamingError(f"{stalled}; read on, grant credit, or pause the stream")
    error.failure = failure
    error.request_id = response.request_id
    error.route = response.route
    error.partial = response.answer
    error.usage = _usage_of(response.usage)
    error.cost_nano_usd = response.usage.cost_nano_usd
    error.durable = response.usage.durable
    return error


def _usage_of(told: ResponseUsage) -> Usage:
    return Usage(
        input_uncached=told.input_tokens - told.cache_read_tokens - told.cache_write_tokens,
        cache_read=told.cache_read_tokens,
        cache_write_short=told.cache_write_tokens,
        output=told.output_tokens,
        reasoning=told.reasoning_tokens,
        source=told.source,
    )
