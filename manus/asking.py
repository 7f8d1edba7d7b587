"""Own the way from a call of the face, `generate("...", seed=7)`, to the canonical request.

What is checked here is what Python's types leave open; the router checks the request that comes of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypedDict, get_args

import msgspec

from manus.config.did_you_mean import suggestion
from manus.config.routing_schema import RoutingStrategy
from manus.criteria import criteria_of
from manus.errors import InvalidRequestError
from manus.messages.ids import RequestId
from manus.messages.requests import (
    ChatRequest,
    Effort,
    EmbedPurpose,
    OnCancel,
    OnInterrupt,
    OnUnsupported,
    Priority,
    ReasoningOptions,
    RoutingCriteria,
    Sampling,
    Strategy,
    ToolChoice,
)
from manus.option_checks import NAME_CHARS_MAX, names_of, number, one_of, printable_name, whole_number
from manus.output_format import ResponseFormat, output_format_of
from manus.prompts import Prompt, clean, turns_of
from manus.tools import ToolLike, tool_choice_of, tools_of

TOKENS_MAX: Final = 10**9
TIMEOUT_S_MAX: Final = 86_400.0
STOPS_MAX: Final = 64
TAGS_MAX: Final = 64
TAGS_BYTES_MAX: Final = 12_288
"""All tags of a request together; they stand in the ledger's record of each of its attempts."""

SEED_MAX: Final = 2**63 - 1
PENALTY_MAX: Final = 2.0
LOGPROBS_MAX: Final = 20


class ChatOptions(TypedDict, total=False):
    """What `chat` takes besides the message. What is left out is the vendor's or the configuration's.

    Args:
        provider, model: the first choice; failover may go elsewhere, unless `fallback_providers=[]`.
        fallback_providers: who is asked next, for this request: `entry` or `entry/model`.
        system_prompt: put before the conversation as a system turn.
        temperature, top_p, top_k, seed, stop, presence_penalty, frequency_penalty: how the answer is drawn.
        logprobs: ask for log probabilities, with so many of the likeliest other tokens (0: none) beside each.
        max_tokens: upper bound of the answer, thinking included.
        tools, tool_choice: functions the model may ask for; `auto`, `none`, `required`, or a tool's name.
        response_format: a msgspec Struct type (then `parsed` is an instance), a JSON Schema, or `"json"`.
        reasoning: how much to think: an effort (`low`, `medium`, `high` ...) or `ReasoningOptions`.
        criteria: what is asked of the model that answers.
        routing_strategy: how candidates are ordered, a `RoutingStrategy` or its name.
        priority: `batch` gives way to `interactive`, which is the default.
        timeout_s: the whole request's time, all attempts included.
        on_interrupt: what happens when a stream breaks off: `auto` (it is taken up where it was, or raises), `restart`
            (a `reset` chunk, then anew), `error`; left out, what the configuration says.
        on_cancel: what happens to the call when you leave: `abort` (it is broken off, and what came is booked as an
            estimate), `drain` (it is read to its end for the vendor's count); left out, what the configuration says.
        on_unsupported: what happens to a parameter that the model rejects: `drop` it with a warning, or `refuse`.
        tags: labels kept in the ledger.
        end_user_id: who asks, in your own words; some vendors want to know it. Never a name or an address.
        service_tier: the vendor's own name for how fast and dear the call is to be.
        request_key: the host's own name for the request, to ask the ledger about it after a crash.
        extra: a vendor's own options, untouched, by wire (`openai-chat`, `ollama`) or provider entry.
    """

    provider: str | None
    model: str | None
    fallback_providers: Sequence[str] | None
    system_prompt: str | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    seed: int | None
    stop: str | Sequence[str] | None
    presence_penalty: float | None
    frequency_penalty: float | None
    logprobs: int | None
    max_tokens: int | None
    tools: Sequence[ToolLike] | None
    tool_choice: ToolChoice | str | None
    response_format: ResponseFormat | None
    reasoning: ReasoningOptions | Effort | None
    criteria: RoutingCriteria | None
    routing_strategy: RoutingStrategy | Strategy | None
    priority: Priority | None
    timeout_s: float | None
    on_interrupt: OnInterrupt | None
    on_cancel: OnCancel | None
    on_unsupported: OnUnsupported
    tags: Sequence[str]
    end_user_id: str | None
    service_tier: str | None
    request_key: str | None
    extra: Mapping[str, Any]  # Any: options of vendors' own making


class AskOptions(ChatOptions, total=False):
    """What `generate` and `stream` take besides the prompt: what `chat` does, and the name of a conversation.

    Args:
        conversation_id: a label kept in the ledger, by which routing keeps a conversation's requests together. Its
            history is the caller's own; `chat` is what keeps one.
    """

    conversation_id: str | None


OPTIONS: Final = tuple(AskOptions.__annotations__)


def chat_request(prompt: Prompt, options: Mapping[str, Any], *, stream: bool) -> ChatRequest:
    """Build the request. Any: the options as Python callers really give them, each checked here.

    Raises:
        InvalidRequestError: something in it cannot be; the error names the place and the mend.
        TypeError: an option that does not exist.
    """
    given = given_options(options, OPTIONS)
    turns = turns_of(prompt, system_prompt=given.pop("system_prompt", None))
    return ChatRequest(request_id=new_request_id(), turns=turns, stream=stream, **checked_fields(given))


def new_request_id() -> RequestId:
    """Make an id that no other request of any process has."""
    return RequestId(f"req-{secrets.token_hex(12)}")


def given_options(options: Mapping[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
    """Leave out the options that are None. Any: as Python callers really give them.

    Raises:
        TypeError: an option that does not exist.
    """
    for name in options:
        if name not in known:
            raise TypeError(f"there is no option {name!r}{suggestion(name, known)}")
    return {name: value for name, value in options.items() if value is not None}


def checked_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Check the options that were given and name the fields of the request that they make. Any: each has its type."""
    fields: dict[str, Any] = {}
    sampling: dict[str, Any] = {}
    for name, value in given.items():
        if name in _SAMPLING:
            sampling[name] = _SAMPLING[name](value)
        else:
            field, make = _FIELDS[name]
            fields[field] = make(value)
    if sampling:
        fields["sampling"] = Sampling(**sampling)
    return fields


def _stops(value: object) -> tuple[str, ...]:
    return (clean(value, "stop"),) if isinstance(value, str) else names_of(value, "stop", STOPS_MAX)


def _reasoning(asked: object) -> ReasoningOptions:
    return asked if isinstance(asked, ReasoningOptions) else ReasoningOptions(effort=_effort(asked))


def _penalty(name: str) -> Callable[[object], float]:
    def check(value: object) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= PENALTY_MAX:
            return float(value)
        raise InvalidRequestError(f"{name}: expected a number from -{PENALTY_MAX:g} to {PENALTY_MAX:g}")

    return check


def _fallbacks(value: object) -> tuple[str, ...]:
    return names_of(value, "fallback_providers", NAME_CHARS_MAX)


def _tags(value: object) -> tuple[str, ...]:
    tags = names_of(value, "tags", TAGS_MAX)
    for place, tag in enumerate(tags):
        if not 0 < len(tag) <= NAME_CHARS_MAX:
            raise InvalidRequestError(f"tags[{place}]: expected 1 to {NAME_CHARS_MAX} characters of text")
    if sum(len(tag.encode()) for tag in tags) > TAGS_BYTES_MAX:
        raise InvalidRequestError(f"tags: more than {TAGS_BYTES_MAX} bytes in all; name fewer, or shorter ones")
    return tags


def _extra(value: object) -> dict[str, msgspec.Raw]:
    if not isinstance(value, Mapping):
        raise InvalidRequestError(f"extra: expected a table of tables, by wire or provider; got {type(value).__name__}")
    made: dict[str, msgspec.Raw] = {}
    for key, options in value.items():
        if not isinstance(key, str) or not isinstance(options, Mapping):
            raise InvalidRequestError("extra: expected a table of tables, such as {'ollama': {'keep_alive': '10m'}}")
        try:
            made[key] = msgspec.Raw(msgspec.json.encode(options))
        except (TypeError, ValueError, RecursionError, OverflowError) as error:
            raise InvalidRequestError(f"extra.{key}: cannot be written as JSON ({type(error).__name__})") from None
    return made


_effort = one_of(get_args(Effort), "reasoning")

_SAMPLING: Final[dict[str, Callable[[object], object]]] = {
    "temperature": number("temperature", 2.0, positive=False),
    "top_p": number("top_p", 1.0, positive=True),
    "top_k": whole_number("top_k", 1, TOKENS_MAX),
    "seed": whole_number("seed", -SEED_MAX, SEED_MAX),
    "stop": _stops,
    "presence_penalty": _penalty("presence_penalty"),
    "frequency_penalty": _penalty("frequency_penalty"),
    "logprobs": whole_number("logprobs", 0, LOGPROBS_MAX),
}

_FIELDS: Final[dict[str, tuple[str, Callable[[Any], object]]]] = {
    "provider": ("provider", printable_name("provider")),
    "model": ("model", printable_name("model")),
    "fallback_providers": ("fallback_providers", _fallbacks),
    "max_tokens": ("max_output_tokens", whole_number("max_tokens", 1, TOKENS_MAX)),
    "tools": ("tools", tools_of),
    "tool_choice": ("tool_choice", tool_choice_of),
    "response_format": ("output", output_format_of),
    "reasoning": ("reasoning", _reasoning),
    "criteria": ("criteria", criteria_of),
    "routing_strategy": ("strategy", one_of(get_args(Strategy), "routing_strategy")),
    "priority": ("priority", one_of(get_args(Priority), "priority")),
    "timeout_s": ("timeout_s", number("timeout_s", TIMEOUT_S_MAX, positive=True)),
    "on_interrupt": ("on_interrupt", one_of(get_args(OnInterrupt), "on_interrupt")),
    "on_cancel": ("on_cancel", one_of(get_args(OnCancel), "on_cancel")),
    "on_unsupported": ("on_unsupported", one_of(get_args(OnUnsupported), "on_unsupported")),
    "tags": ("tags", _tags),
    "conversation_id": ("conversation_id", printable_name("conversation_id")),
    "end_user_id": ("end_user_id", printable_name("end_user_id")),
    "service_tier": ("service_tier", printable_name("service_tier")),
    "request_key": ("request_key", printable_name("request_key")),
    "extra": ("extra", _extra),
    "dimensions": ("dimensions", whole_number("dimensions", 1, TOKENS_MAX)),
    "purpose": ("purpose", one_of(get_args(EmbedPurpose), "purpose")),
}
"""Each option besides the prompt's and the sampling's: the field it makes, and the check that makes it."""
