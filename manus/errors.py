"""Own the exceptions of the public face, and the one place where a failure becomes one of them.

```
LLMError
├── ConfigurationError          the configuration cannot be used; `.problems` has all that is wrong
├── InvalidRequestError         the request itself is wrong, as we or the provider found (also a ValueError)
│   └── ConversationNotFoundError   there is no conversation of the name that was given
├── ProviderError               a provider refused or broke
│   ├── AuthenticationError     key missing, wrong or without permission
│   ├── RateLimitError          too fast for a limit, the provider's or yours, or its quota is used up; `.retry_after_s`
│   ├── ContentPolicyError      the provider's content policy
│   └── StreamingError          the answer broke off or made no sense; `.partial` has what came
├── TokenLimitError             more tokens or money than allowed
│   ├── ContextLengthError      more than the model's context window
│   └── BudgetExceededError     a budget of yours is used up; nothing was sent; `.retry_after_s`
├── TimeoutError                a named wait or the request's deadline ran out (also a builtin TimeoutError)
├── FallbackError               every candidate failed, or there was none; `.attempts` tells each story
├── LedgerError                 the books cannot be kept, so nothing was sent: a full disk, a locked file
├── OverloadedError             too much at once, on our side; nothing was sent; `.retry_after_s`
├── ReloadError                 a reload was refused, or failed on its way: what was configured before is in force
├── RequestCancelledError       cancelled or the agent stopped before there was an answer
├── OutputFormatError           the answer came, but is not of the shape that was asked for; `.partial`
└── InternalError               a defect of ours: an actor crashed or hung with the request in hand
```

Inside Manus a failure is a value (`messages.failures.Failed`); only the face raises. Every error carries what is known:
`failure`, `request_id`, `route` with its `attempts`, `partial`, `usage`, `cost_nano_usd`. Its text says what happened
and what to do next, and holds neither a key nor a prompt. All of it survives pickling.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Final, Self, assert_never

from manus.durations import span
from manus.messages.content import Text
from manus.messages.failures import Failed, FailureKind
from manus.messages.ids import RequestId
from manus.messages.outcomes import Answer, Attempt, Route, Unfinished
from manus.messages.usage import NO_USAGE, Usage
from manus.responses import usage_of
from manus.supervisor.terminals import (
    ActorFailed,
    Expired,
    SupervisorTerminal,
    Unavailable,
    Undelivered,
    Withdrawn,
)

if TYPE_CHECKING:
    from manus.config.problems import InvalidConfig, Problem


class LLMError(Exception):
    """Whatever goes wrong at the public face.

    Attributes:
        failure: the failure that decided, as the router saw it; None where no request was made.
        request_id: the request's id in the ledger.
        route: how it was routed: the plan, who was left out of it and why, every attempt, and why none followed.
        partial: what had been answered by then.
        usage: tokens of all attempts.
        cost_nano_usd: what they cost; None where a price is unknown.
        durable: False where the ledger's disk could not confirm in time.
    """

    failure: Failed | None = None
    request_id: str | None = None
    route: Route = Route()
    partial: Answer | None = None
    usage: Usage = NO_USAGE
    cost_nano_usd: int | None = None
    durable: bool = True

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every call that was made, with its own failure and booking."""
        return self.route.attempts

    @property
    def kind(self) -> FailureKind | None:
        """What happened, in one word."""
        return None if self.failure is None else self.failure.kind

    @property
    def provider(self) -> str | None:
        """The provider entry that the deciding failure came from."""
        return None if self.failure is None else self.failure.provider

    @property
    def model(self) -> str | None:
        """The model that the deciding failure came from."""
        return None if self.failure is None else self.failure.model

    @property
    def partial_text(self) -> str:
        """The text of the answer as far as it came."""
        return (
            "" if self.partial is None else "".join(part.text for part in self.partial.parts if isinstance(part, Text))
        )

    @property
    def vendor_request_id(self) -> str | None:
        """The vendor's own id of the call that decided, for its support desk."""
        return None if self.failure is None else self.failure.vendor_request_id

    @property
    def retry_after_s(self) -> float | None:
        """When to come back, in seconds from when it was raised, where somebody said so."""
        return None if self.failure is None else self.failure.retry_after_s

    def to_dict(self) -> dict[str, object]:
        """Give it as plain data, for a log or another process."""
        return {
            "type": type(self).__name__,
            "message": str(self),
            "kind": self.kind,
            "provider": self.provider,
            "model": self.model,
            "request_id": self.request_id,
            "vendor_request_id": self.vendor_request_id,
            "retry_after_s": self.retry_after_s,
            "attempts": len(self.attempts),
            "usage": usage_of(self.usage, self.cost_nano_usd, durable=self.durable).to_dict(),
            "cost_nano_usd": self.cost_nano_usd,
            "route": self.route.to_dict(),
        }

    def _about(self, unfinished: Unfinished) -> Self:
        self.failure = unfinished.failure
        self.request_id = unfinished.request_id
        self.route = unfinished.route
        self.partial = unfinished.partial
        self.usage = unfinished.usage
        self.cost_nano_usd = unfinished.cost_nano_usd
        self.durable = unfinished.durable
        return self


class ConfigurationError(LLMError):
    """The configuration cannot be used.

    Attributes:
        problems: everything that is wrong with it, each with file, line, path and mend.
    """

    def __init__(self, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message, problems)
        self.problems = problems

    def __str__(self) -> str:
        return str(self.args[0])


class InvalidRequestError(LLMError, ValueError):
    """The request is wrong in itself; the text names the place and the mend. Nothing was billed for it."""


class ConversationNotFoundError(InvalidRequestError):
    """There is no conversation of this name: it was never begun, was deleted, or was forgotten."""


class ProviderError(LLMError):
    """A provider refused the request or broke while answering it."""


class AuthenticationError(ProviderError):
    """The provider does not accept the key, or the key may not do this."""


class RateLimitError(ProviderError):
    """Too many requests or tokens for now: the provider says so, or a limit of the configuration.

    With `kind` `admission` it is a limit or a budget of yours that open calls fill at present: nothing was sent, and
    `retry_after_s` says when there may be room. Else it is the provider's word: `rate_limited`, or `quota_exhausted`.
    """


class ContentPolicyError(ProviderError):
    """The provider's content policy stands against the request or its answer."""


class StreamingError(ProviderError):
    """The answer broke off or made no sense; `partial` has what had come."""


class TokenLimitError(LLMError):
    """The request would use more than it may: tokens, bytes or money."""


class ContextLengthError(TokenLimitError):
    """The prompt does not fit into the context window of any candidate."""


class BudgetExceededError(TokenLimitError):
    """A budget of the configuration is used up, or too small for the request; nothing was sent.

    The text names the budget; `retry_after_s` is when its period ends, where that is known.
    """


class TimeoutError(LLMError, builtins.TimeoutError):  # noqa: A001  # the name users know
    """A named wait or the request's deadline ran out."""


class FallbackError(LLMError):
    """Every candidate failed, or no candidate was able to answer."""


class OverloadedError(LLMError):
    """Too much is in flight already on our side, or the provider's actor is resting after failures."""


class LedgerError(LLMError):
    """The books cannot be kept or read at present, and nothing is called unbooked; the text says why."""


class ReloadError(LLMError):
    """A reload that did not come about: the agent is closing, or an actor did not start. Nothing has changed."""


class RequestCancelledError(LLMError):
    """The request was cancelled, or the agent was stopped, before there was an answer."""


class OutputFormatError(LLMError):
    """The answer is not of the shape that `response_format` asked for; `partial` has it as it came."""


class InternalError(LLMError):
    """A defect of ours. The books are right all the same; please report it with the request id."""


ERROR_OF: Final[dict[FailureKind, type[LLMError]]] = {
    "auth": AuthenticationError,
    "permission": AuthenticationError,
    "not_found": ProviderError,
    "invalid_request": InvalidRequestError,
    "context_length": ContextLengthError,
    "content_policy": ContentPolicyError,
    "too_large": TokenLimitError,
    "rate_limited": RateLimitError,
    "quota_exhausted": RateLimitError,
    "overloaded": ProviderError,
    "timeout": TimeoutError,
    "server": ProviderError,
    "network": ProviderError,
    "protocol": StreamingError,
    "incomplete": StreamingError,
    "unsupported": InvalidRequestError,
    "no_candidate": FallbackError,
    "admission": RateLimitError,
    "budget_exceeded": BudgetExceededError,
    "shed": OverloadedError,
    "slow_consumer": StreamingError,
    "deadline": TimeoutError,
    "cancelled": RequestCancelledError,
    "actor_crashed": InternalError,
    "actor_hung": InternalError,
    "stopped": RequestCancelledError,
    "unavailable": OverloadedError,
    "ledger": LedgerError,
}
"""The exception of each kind of failure, where one candidate decided alone."""

_OURS: Final = frozenset({"admission", "budget_exceeded"})
"""What limits and budgets of the configuration say, before anything is sent."""

_NAMED_BY_THE_CALLER: Final = frozenset({"provider", "model", "fallback_providers"})


def error_of(unfinished: Unfinished) -> LLMError:
    """Make the exception for a request that found no success."""
    return _class_of(unfinished.failure, unfinished.route)(_story(unfinished))._about(unfinished)


def error_of_terminal(terminal: SupervisorTerminal, request_id: str) -> LLMError:
    """Make the exception for a request that the supervisor ended in an actor's place."""
    match terminal:
        case ActorFailed(kind="stopped") | Undelivered(reason="stopping"):
            kind: FailureKind = "stopped"
            message = "The agent was closed. Open another one."
        case ActorFailed(safe_to_retry=True):
            kind = "actor_crashed"
            message = "An actor of the agent failed before anything was sent. Ask again."
        case ActorFailed():
            kind = "actor_crashed"
            message = "An actor of the agent failed with the request in hand. The books have what was sent."
        case Undelivered(reason="full"):
            kind = "shed"
            message = "A mailbox of the agent is full; come back soon."
        case Undelivered() | Unavailable():
            kind = "unavailable"
            message = "An actor of the agent is not running; it is being restarted."
        case Expired():
            kind = "deadline"
            message = "The request's deadline passed before there was an answer (`timeout_s`)."
        case Withdrawn():
            kind = "cancelled"
            message = "The request was cancelled."
        case _:
            assert_never(terminal)
    failure = Failed(
        kind=kind,
        message=message,
        retry_after_s=terminal.retry_after_s if isinstance(terminal, Unavailable) else None,
        safe_to_retry=isinstance(terminal, ActorFailed) and terminal.safe_to_retry,
    )
    return error_of(Unfinished(request_id=RequestId(request_id), failure=failure))


def configuration_error(invalid: InvalidConfig) -> ConfigurationError:
    """Make the exception for a configuration that did not pass its checks."""
    return ConfigurationError(str(invalid), invalid.problems)


def _class_of(failure: Failed, route: Route) -> type[LLMError]:
    if failure.kind == "no_candidate" and failure.param in _NAMED_BY_THE_CALLER:
        return InvalidRequestError  # a name of the caller's that stands for nobody
    if failure.kind in _OURS and all(each.failure is None or each.failure.kind in _OURS for each in route.attempts):
        return ERROR_OF[failure.kind]  # nobody was asked: to fall back is of no use where one's own bounds stand
    asked = {(attempt.provider, attempt.model) for attempt in route.attempts}  # its keys are one provider's
    taken_up = any(attempt.role in ("continue", "splice") for attempt in route.attempts)
    if len(asked) > 1 and failure.what_to_do.elsewhere == "yes" and not taken_up:
        return FallbackError  # of a stream that nobody could take up, the caller is told how it broke off
    if failure.kind == "network" and failure.phase == "streaming":
        return StreamingError  # the answer had begun: to the caller it broke off, whatever broke
    return ERROR_OF[failure.kind]


def _story(unfinished: Unfinished) -> str:
    """Tell what happened, when to come back, and, where somebody was asked, the names under which the books have it."""
    failure, attempts = unfinished.failure, unfinished.route.attempts
    parts = [failure.message]
    if failure.retry_after_s is not None:
        parts.append(f"Come back in {span(failure.retry_after_s)}.")
    if attempts:
        parts.append(f"[{attempts[-1].deployment}, request {unfinished.request_id}]")
    return " ".join(parts)
