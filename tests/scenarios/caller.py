"""Own the caller of a scenario: a program that uses the public face, and notes what it saw."""

from __future__ import annotations

from typing import Any

import trio

import manus
from manus.agent import LLMAgent
from manus.errors import LLMError
from manus.messages.content import Text
from manus.messages.outcomes import Answer
from manus.messages.requests import OnInterrupt
from manus.responses import LLMResponse
from tests.scenarios.vocabulary import Books, Method, Result

PROMPT = "What is a gateway for?"


async def ask(agent: LLMAgent, method: Method, *, timeout_s: float, on_interrupt: OnInterrupt | None = None) -> Result:
    """Make one request, and note what came of it, whatever that is."""
    began = trio.current_time()
    options: dict[str, Any] = {"timeout_s": timeout_s}
    if on_interrupt is not None:
        options["on_interrupt"] = on_interrupt
    pieces: list[str] = []
    resets = 0
    try:
        if method == "generate":
            response = await agent.generate(PROMPT, **options)
            pieces.append(response.content)
        else:
            async with agent.stream(PROMPT, **options) as stream:
                async for chunk in stream:
                    if chunk.kind == "reset":
                        pieces.clear()
                        resets += 1
                    pieces.append(chunk.delta)
                response = await stream.response()
    except LLMError as error:
        return _failed(error, "".join(pieces), resets, trio.current_time() - began)
    return _answered(response, "".join(pieces), resets, trio.current_time() - began)


async def books(agent: LLMAgent) -> Books:
    """Ask how the books stand."""
    total = (await agent.get_usage_stats()).total
    return Books(settled=total.settled, released=total.released, in_doubt=total.in_doubt, open=total.open)


def _answered(response: LLMResponse, delivered: str, resets: int, took_s: float) -> Result:
    attempts = response.route.attempts
    return Result(
        delivered=delivered,
        content=response.content,
        provider=response.provider,
        finish_reason=response.finish_reason,
        roles=tuple(attempt.role for attempt in attempts),
        results=tuple(attempt.result for attempt in attempts),
        bookings=tuple(attempt.booking for attempt in attempts),
        resets=resets,
        took_s=took_s,
        usage=(response.usage.input_tokens, response.usage.output_tokens),
    )


def _failed(error: manus.LLMError, delivered: str, resets: int, took_s: float) -> Result:
    return Result(
        delivered=delivered,
        provider=error.provider,
        error=type(error).__name__,
        kind=error.kind,
        message=str(error),
        partial=_text_of(error.partial),
        roles=tuple(attempt.role for attempt in error.attempts),
        results=tuple(attempt.result for attempt in error.attempts),
        bookings=tuple(attempt.booking for attempt in error.attempts),
        resets=resets,
        took_s=took_s,
        usage=(error.usage.input_total, error.usage.output),
    )


def _text_of(partial: Answer | None) -> str:
    return "" if partial is None else "".join(part.text for part in partial.parts if isinstance(part, Text))
