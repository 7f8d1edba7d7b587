"""Own the counting of prompts that the face offers: how many tokens, how that is known, and how far off it may be."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
import trio

from manus.actors.estimates.counting import Counted, can_be_exact, count_exactly, roughly
from manus.actors.estimates.families import family_of
from manus.actors.estimates.tokenizer import NoTokenizer, is_installed
from manus.errors import ConfigurationError, InvalidRequestError, error_of, error_of_terminal
from manus.messages.failures import Failed
from manus.messages.outcomes import Unfinished
from manus.messages.requests import ChatRequest
from manus.messages.routing import TokensAsked, TokensTold
from manus.supervisor.ref import Ref
from manus.supervisor.terminals import ActorFailed, Expired, Unavailable, Undelivered, Withdrawn

ASK_S: Final = 5.0
"""How long the router has to say whom it would ask."""

COUNTING_AT_ONCE: Final = 2
"""Prompts that are counted exactly at the same time: each keeps a thread busy, and the interpreter with it."""

_threads: trio.lowlevel.RunVar[trio.CapacityLimiter] = trio.lowlevel.RunVar("manus threads that count tokens")


class TokenCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many tokens a prompt has for one model.

    Args:
        tokens: of the whole prompt, with what the vendor puts around it.
        kind: `exact` where the vendor counts the same, else `estimated`.
        vocabulary: the tokenizer that counted the text; None where it was weighed by classes of characters.
        likely_error: nine of ten such estimates are nearer than this share; 0.0 for an exact count.
        bound: what the prompt cannot exceed; limits and budgets set so many aside.
        provider, model: for whom it was counted.
    """

    tokens: int
    kind: Literal["exact", "estimated"]
    vocabulary: str | None
    likely_error: float
    bound: int
    provider: str
    model: str

    def to_dict(self) -> dict[str, Any]:
        """Give plain data for JSON."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return fields


async def ask_tokens(router: Ref, request: ChatRequest, *, exact: bool | None) -> TokenCount:
    """Count the prompt of `request` for whoever would be asked first, as `count_prompt` tells.

    Raises:
        LLMError: nobody could be asked, or the request is wrong in itself.
    """
    answer = await router.ask(TokensAsked(request=request), deadline=trio.current_time() + ASK_S)
    match answer:
        case TokensTold() as told:
            return await count_prompt(request, told, exact=exact)
        case Failed() as failure:
            raise error_of(Unfinished(request_id=request.request_id, failure=failure))
        case ActorFailed() | Undelivered() | Unavailable() | Expired() | Withdrawn() as terminal:
            raise error_of_terminal(terminal, "")
        case other:
            raise TypeError(f"the router answered a count with a {type(other).__name__}")


async def count_prompt(request: ChatRequest, told: TokensTold, *, exact: bool | None) -> TokenCount:
    """Count the prompt of `request` for the model that `told` names.

    Args:
        exact: True insists on an exact count; None takes one where it can be had; False estimates. What is counted
            exactly is counted in a thread: the loop goes on, if slowly while it lasts.

    Raises:
        ConfigurationError: an exact count was insisted on, and the extra that counts is not installed.
        InvalidRequestError: it was insisted on where there is none: nobody publishes this model's vocabulary, the
            prompt holds more than plain text, or it is too long.
    """
    family = family_of(told.base)
    counted: Counted | None = None
    if exact or (exact is None and can_be_exact(family) and is_installed()):
        try:
            counted = await trio.to_thread.run_sync(
                count_exactly, request, family, abandon_on_cancel=True, limiter=_limiter()
            )
        except NoTokenizer as missing:
            raise ConfigurationError(str(missing)) from None
        if exact and (counted is None or counted.kind != "exact"):
            why = "it is too long" if counted is None else _why_not(told.base, family.vocabulary)
            raise InvalidRequestError(
                f"The prompt cannot be counted exactly for {told.model}: {why}. Leave out `exact`."
            )
    if counted is None or counted.kind != "exact":
        # What was learnt of the model beats a count of what its vendor rewrites.
        counted = roughly(told.expected, family, is_plain=told.is_plain)
    return TokenCount(
        tokens=counted.tokens,
        kind=counted.kind,
        vocabulary=counted.vocabulary,
        likely_error=counted.likely_error,
        bound=max(told.bound, counted.tokens),
        provider=told.provider,
        model=told.model,
    )


def _why_not(base: str, vocabulary: str | None) -> str:
    if vocabulary is None:
        return f"nobody publishes the vocabulary of {base}"
    return "it holds more than plain text (tools, a schema, files or vendor options), or others serve the model too"


def _limiter() -> trio.CapacityLimiter:
    try:
        return _threads.get()
    except LookupError:
        limiter = trio.CapacityLimiter(COUNTING_AT_ONCE)
        _threads.set(limiter)
        return limiter
