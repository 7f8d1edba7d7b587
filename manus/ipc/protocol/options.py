"""Own the way from params to what the agent's methods take: the prompt, and the options under their own names."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from manus.ipc.protocol.params import AskParams, Criteria, EmbedParams, GenerateParams, Reasoning
from manus.messages.requests import ReasoningOptions, RoutingCriteria, ToolChoice
from manus.prompts import Prompt

_OPTIONS: Final = {
    kind: tuple(name for name in kind.__struct_fields__ if name != "inputs") for kind in (AskParams, EmbedParams)
}


def prompt_of(params: GenerateParams) -> Prompt:
    """Give the prompt: `params_of` has made sure that there is exactly one."""
    if params.messages is not None:
        return params.messages
    assert params.prompt is not None, "params_of refuses params without a prompt"
    return params.prompt


def options_of(params: AskParams | EmbedParams) -> dict[str, Any]:
    """Give the options that were named. Any: each has its own type, which the agent checks."""
    names = _OPTIONS[AskParams if isinstance(params, AskParams) else EmbedParams]
    options = {name: value for name in names if (value := getattr(params, name)) is not None}
    for name in ("criteria", "reasoning", "tool_choice"):
        if name in options:
            options[name] = _own(options[name])
    return options


def _own(value: object) -> object:
    """Make our own Struct out of what JSON has for it."""
    match value:
        case Criteria():
            return RoutingCriteria(**msgspec.structs.asdict(value) | {"tags": tuple(value.tags)})
        case Reasoning():
            return ReasoningOptions(**msgspec.structs.asdict(value))
        case {"mode": _}:
            return msgspec.convert(value, ToolChoice)
        case _:
            return value
