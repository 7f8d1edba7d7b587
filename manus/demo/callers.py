"""Own the load of the demo: callers who ask one question after the other, and what each was told."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import trio

from manus.agent import LLMAgent
from manus.demo.stage import CALLERS, MAX_TOKENS, MODEL, PAUSE_S, QUESTIONS
from manus.errors import LLMError
from manus.messages.outcomes import Attempt


class Told(msgspec.Struct, kw_only=True):
    """One question and what its caller was told.

    Args:
        at: when it was asked, in seconds of the loop's clock.
        provider: who was asked.
        text: the answer, or the part of it that came.
        answered_by: who gave the answer; None where the caller was told of a failure.
        error: the failure's text.
        attempts: every call that was made for it.
    """

    at: float
    provider: str
    question: str
    streamed: bool
    text: str = ""
    answered_by: str | None = None
    error: str | None = None
    total_s: float = 0.0
    attempts: tuple[Attempt, ...] = ()

    @property
    def failed_over(self) -> bool:
        """Whether somebody else answered."""
        return self.answered_by is not None and self.answered_by != self.provider


Listener = Callable[[Told], None]


async def ask_all(agent: LLMAgent, provider: str, tell: Listener) -> None:
    """Ask `provider` the fixed list of questions, from all its callers at once."""
    async with trio.open_nursery(strict_exception_groups=True) as nursery:
        for caller in range(CALLERS):
            nursery.start_soon(_ask, agent, provider, caller, QUESTIONS, tell)


async def ask_while(agent: LLMAgent, provider: str, going_on: Callable[[], bool], tell: Listener) -> None:
    """Ask `provider` from all its callers for as long as `going_on`; questions under way are still answered."""
    async with trio.open_nursery(strict_exception_groups=True) as nursery:
        for caller in range(CALLERS):
            nursery.start_soon(_ask_on, agent, provider, caller, going_on, tell)


async def _ask(agent: LLMAgent, provider: str, caller: int, questions: int, tell: Listener) -> None:
    for number in range(questions):
        tell(await ask(agent, provider, f"{provider} {caller}.{number}", streamed=caller % 2 == 0))
        await trio.sleep(PAUSE_S)


async def _ask_on(agent: LLMAgent, provider: str, caller: int, going_on: Callable[[], bool], tell: Listener) -> None:
    number = 0
    while going_on():
        tell(await ask(agent, provider, f"{provider} {caller}.{number}", streamed=caller % 2 == 0))
        number += 1
        await trio.sleep(PAUSE_S)


async def ask(agent: LLMAgent, provider: str, question: str, *, streamed: bool) -> Told:
    """Ask one question and note everything that its caller was told."""
    told = Told(at=trio.current_time(), provider=provider, question=question, streamed=streamed)
    pieces: list[str] = []
    try:
        if streamed:
            async with agent.stream(question, provider=provider, model=MODEL, max_tokens=MAX_TOKENS) as stream:
                async for chunk in stream:
                    pieces.append(chunk.delta)
                response = await stream.response()
            told.text = "".join(pieces)
        else:
            response = await agent.generate(question, provider=provider, model=MODEL, max_tokens=MAX_TOKENS)
            told.text = response.content
        told.answered_by, told.attempts = response.provider, response.route.attempts
    except LLMError as error:
        told.text, told.error, told.attempts = "".join(pieces), str(error), error.attempts
    told.total_s = trio.current_time() - told.at
    return told
