"""Own what the command line writes: the answer to stdout, byte by byte as it comes, and everything else to stderr."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from manus.cli import exits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manus.errors import LLMError
    from manus.responses import LLMResponse

STDOUT_FD = 1


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay rows of cells out in columns, the last one as wide as it is."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return [
        "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1])).rstrip()
        for row in rows
    ]


def say(text: str) -> None:
    """Write a line for people. A stderr that nobody reads is no reason to fail."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        return


def write_all(text: str) -> None:
    """Write `text` to stdout whole, past Python's buffer, so that nothing is left to flush when the reader is gone.

    Blocks while the reader is slow: call it in a thread.

    Raises:
        BrokenPipeError: the reader has left.
    """
    left = memoryview(text.encode("utf-8", "replace"))
    while left:
        left = left[os.write(STDOUT_FD, left) :]


def status_of(error: LLMError) -> int:
    """Give the exit status of a failure: wrong input is what no second try would mend."""
    from manus.errors import BudgetExceededError, ConfigurationError, InvalidRequestError, RateLimitError

    if isinstance(error, BudgetExceededError) or (isinstance(error, RateLimitError) and error.kind == "admission"):
        return exits.LIMITED
    is_input = isinstance(error, ConfigurationError | InvalidRequestError) or error.kind == "no_candidate"
    return exits.BAD_INPUT if is_input else exits.FAILED


def story_of(response: LLMResponse, *, with_attempts: bool = True) -> str:
    """Tell on a line who answered, what it used and what it cost; on more, who was asked before."""
    from manus.messages.usage import format_usd

    usage = response.usage
    tokens = f"{usage.input_tokens} in + {usage.output_tokens} out tokens ({usage.source})"
    cost = f"cost {format_usd(usage.cost_nano_usd)}" + ("" if usage.durable else ", not yet on disk")
    who = f"{response.provider}/{response.model}" if response.provider else "nobody asked"
    before = response.route.attempts[:-1] if with_attempts else ()
    lines = [f"{attempt.deployment}: {attempt.result}" for attempt in before]
    facts = (who, response.finish_reason, tokens, cost, f"{response.latency_ms / 1000:.2f} s", response.request_id)
    return "\n".join(f"[{line}]" for line in (*lines, " | ".join(facts)))


def story_of_failure(error: LLMError, *, with_attempts: bool = True) -> str:
    """Tell what a failed request used and cost, if anything was sent."""
    from manus.messages.usage import format_usd

    if not error.attempts:
        return ""
    if status_of(error) == exits.LIMITED:
        return f"[nothing was sent | {error.request_id}]"
    usage = error.usage
    told = error.attempts if with_attempts else ()
    lines = [f"{attempt.deployment}: {attempt.result}, {attempt.booking}" for attempt in told]
    tokens = f"{usage.input_total} in + {usage.output} out tokens ({usage.source})"
    lines.append(f"{tokens} | cost {format_usd(error.cost_nano_usd)} | {error.request_id}")
    return "\n".join(f"[{line}]" for line in lines)
