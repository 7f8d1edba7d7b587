"""Own the way from a call of the face, `generate("...", seed=7)`, to the canonical request, all of it checked."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict, get_args

import msgspec

from manus.actors.validate import problem_of
from manus.config.did_you_mean import listing, suggestion
from manus.errors import InvalidRequestError
from manus.messages.ids import RequestId, RequestKey
from manus.messages.policy import Bounds
from manus.messages.requests import (
    ChatRequest,
    Effort,
    OnInterrupt,
    ReasoningOptions,
    RoutingCriteria,
    Sampling,
    ToolChoice,
)
from manus.output_format import ResponseFormat, output_format_of
from manus.prompts import Prompt, clean, turns_of
from manus.tools import ToolLike, tool_choice_of, tools_of

NAME_CHARS_MAX: Final = 256
TOKENS_MAX: Final = 10**9
TIMEOUT_S_MAX: Final = 86_400.0
STOPS_MAX: Final = 64
TAGS_MAX: Final = 64
SEED_MAX: Final = 2**63 - 1


class AskOptions(TypedDict, total=False):
    """What `generate` and `stream` take besides the prompt. What is left out is the vendor's or the configuration's.

    Args:
        provider, model: the first choice; failover may go elsewhere, unless `fallback_providers=[]`.
        fallback_providers: who is asked next, for this request.
        system_prompt: put before the conversation as a system turn.
        temperature, top_p, top_k, seed, stop: how the answer is drawn.
        max_tokens: upper bound of the answer, thinking included.
        tools, tool_choice: functions the model may ask for; `auto`, `none`, `required`, or a tool's name.
        response_format: a msgspec Struct type (then `parsed` is an instance), a JSON Schema, or `"json"`.
        reasoning: how much to think: an effort (`low`, `medium`, `high` ...) or `ReasoningOptions`.
        criteria: what is asked of the model that answers.
        timeout_s: the whole request's time, all attempts included.
        on_interrupt: what happens when a stream breaks off: `auto`, `restart` (a `reset` chunk, then anew), `error`.
        tags: labels kept in the ledger.
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
    max_tokens: int | None
    tools: Sequence[ToolLike] | None
    tool_choice: ToolChoice | str | None
    response_format: ResponseFormat | None
    reasoning: ReasoningOptions | Effort | None
    criteria: RoutingCriteria | None
    timeout_s: float | None
    on_interrupt: OnInterrupt
    tags: Sequence[str]
    request_key: str | None
    extra: Mapping[str, Any]  # Any: options of vendors' own making


BOUNDS: Final = Bounds()
"""What one request may hold; the provider actors keep to the same."""

OPTIONS: Final = tuple(AskOptions.__annotations__)


def chat_request(prompt: Prompt, options: Mapping[str, Any], *, stream: bool) -> ChatRequest:
    """Build the request. Any: the options as Python callers really give them, each checked here.

    Raises:
        InvalidRequestError: something in it cannot be; the error names the place and the mend.
        TypeError: an option that does not exist.
    """
    for name in options:
        if name not in OPTIONS:
            raise TypeError(f"there is no option {name!r}{suggestion(name, OPTIONS)}")
    given = {name: value for name, value in options.items() if value is not None}
    request = ChatRequest(
        request_id=new_request_id(),
        turns=turns_of(prompt, system_prompt=given.get("system_prompt")),
        request_key=RequestKey(_name(given["request_key"], "request_key")) if "request_key" in given else None,
        provider=_name(given["provider"], "provider") if "provider" in given else None,
        model=_name(given["model"], "model") if "model" in given else None,
        stream=stream,
        max_output_tokens=_whole(given, "max_tokens", 1, TOKENS_MAX),
        sampling=_sampling(given),
        tools=tools_of(given.get("tools", ())),
        tool_choice=tool_choice_of(given["tool_choice"]) if "tool_choice" in given else None,
        output=output_format_of(given["response_format"]) if "response_format" in given else None,
        reasoning=_reasoning(given.get("reasoning")),
        criteria=_criteria(given.get("criteria")),
        fallback_providers=_names(given["fallback_providers"], "fallback_providers", NAME_CHARS_MAX)
        if "fallback_providers" in given
        else None,
        on_interrupt=_one_of(given.get("on_interrupt", "auto"), get_args(OnInterrupt), "on_interrupt"),
        tags=_names(given.get("tags", ()), "tags", TAGS_MAX),
        timeout_s=_number(given, "timeout_s", TIMEOUT_S_MAX, positive=True),
        extra=_extra(given.get("extra", {})),
    )
    problem = problem_of(request, BOUNDS)
    if problem is not None:
        raise InvalidRequestError(problem.message)
    return request


def new_request_id() -> RequestId:
    """Make an id that no other request of any process has."""
    return RequestId(f"req-{secrets.token_hex(12)}")


def _sampling(given: Mapping[str, Any]) -> Sampling:
    stop = given.get("stop", ())
    stops = (stop,) if isinstance(stop, str) else _names(stop, "stop", STOPS_MAX)
    return Sampling(
        temperature=_number(given, "temperature", 2.0, positive=False),
        top_p=_number(given, "top_p", 1.0, positive=True),
        top_k=_whole(given, "top_k", 1, TOKENS_MAX),
        seed=_whole(given, "seed", -SEED_MAX, SEED_MAX),
        stop=tuple(clean(text, f"stop[{index}]") for index, text in enumerate(stops)),
    )


def _reasoning(asked: object) -> ReasoningOptions | None:
    if asked is None or isinstance(asked, ReasoningOptions):
        return asked
    return ReasoningOptions(effort=_one_of(asked, get_args(Effort), "reasoning"))


def _criteria(asked: object) -> RoutingCriteria | None:
    if asked is None or isinstance(asked, RoutingCriteria):
        return asked
    raise InvalidRequestError(f"criteria: expected RoutingCriteria; got {type(asked).__name__}")


def _number(given: Mapping[str, Any], name: str, most: float, *, positive: bool) -> float | None:
    value = given.get(name)
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < 0 or (positive and value == 0) or value > most:
        least = "more than 0" if positive else "0 or more"
        raise InvalidRequestError(f"{name}: expected a number, {least} and at most {most:g}")
    return float(value)


def _whole(given: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidRequestError(f"{name}: expected a whole number from {least} to {most}")
    return value


def _name(value: object, place: str) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > NAME_CHARS_MAX:
        raise InvalidRequestError(f"{place}: expected 1 to {NAME_CHARS_MAX} characters of text")
    return value


def _names(value: object, place: str, most: int) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(each, str) for each in value):
        raise InvalidRequestError(f"{place}: expected a list of texts")
    if len(value) > most:
        raise InvalidRequestError(f"{place}: {len(value)} of them; at most {most}")
    return tuple(clean(each, f"{place}[{index}]") for index, each in enumerate(value))


def _one_of(value: object, choices: tuple[str, ...], place: str) -> Any:
    """Give `value` if it is one of `choices`; Any, because it then has the Literal type they come from."""
    if value not in choices:
        hint = suggestion(value, choices) if isinstance(value, str) else ""
        raise InvalidRequestError(f"{place}: expected {listing(choices)}{hint}")
    return value


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
