"""Own what each method of the protocol asks of the agent.

What a host says by `providers.switch` holds for its own connection: there is one object of this kind for each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, final

import msgspec

from manus.ipc.protocol import params as p
from manus.ipc.protocol.options import options_of, prompt_of
from manus.messages.policy import Durability
from manus.streams import LLMStream
from manus.trio_agent import TrioAgent

STREAMED: Final = frozenset({"stream", "chat_stream"})
"""Methods whose answers come as events, and then the reply."""

WHOLE: Final = frozenset({"generate", "chat"})
"""Methods whose answers come in one piece; cancelled, they say all the same what they cost."""


@final
class Methods:
    """The methods of one connection over an agent's own view of who is asked first."""

    __slots__ = ("_agent",)

    def __init__(self, agent: TrioAgent) -> None:
        self._agent = agent

    @property
    def durability(self) -> Durability:
        """What the agent's books survive."""
        return self._agent.durability

    def begin(self, method: str, params: msgspec.Struct) -> LLMStream:
        """Begin what has an answer of a model: the methods in `STREAMED` and `WHOLE`. Synchronous.

        Raises:
            LLMError: the request is wrong in itself.
        """
        streamed = method in STREAMED
        match params:
            case p.GenerateParams():
                return self._agent.begin(prompt_of(params), streamed=streamed, **options_of(params))
            case p.ChatParams():
                options = options_of(params)
                conversation_id = options.pop("conversation_id", None)
                return self._agent.begin_chat(params.message, conversation_id, streamed=streamed, **options)
            case _:
                raise AssertionError(f"{method} is no method that begins a stream")

    async def answer(self, method: str, params: msgspec.Struct) -> object:
        """Do what every other method asks.

        Raises:
            LLMError: it failed.
        """
        return await _ANSWERS[method](self._agent, params)


def window_of(params: msgspec.Struct) -> int | None:
    """Give the window that a stream asks for, if it does."""
    return params.window if isinstance(params, p.StreamParams | p.ChatStreamParams) else None


def time_of(params: msgspec.Struct) -> float | None:
    """Give the time that a request allows itself, if it says so, in seconds."""
    return params.timeout_s if isinstance(params, p.AskParams) else None


async def _embed(agent: TrioAgent, params: p.EmbedParams) -> object:
    return await agent.embed(params.inputs, **options_of(params))


async def _explain(agent: TrioAgent, params: p.ExplainParams) -> object:
    return await agent.explain(prompt_of(params), streamed=params.streamed, **options_of(params))


async def _count_tokens(agent: TrioAgent, params: p.CountTokensParams) -> object:
    return await agent.count_tokens(prompt_of(params), exact=params.exact, **options_of(params))


async def _conversation_create(agent: TrioAgent, params: p.ConversationCreateParams) -> object:
    made = await agent.create_conversation(params.conversation_id, system_prompt=params.system_prompt)
    return {"conversation_id": made}


async def _conversation_get(agent: TrioAgent, params: p.ConversationParams) -> object:
    return await agent.get_conversation(params.conversation_id)


async def _conversation_delete(agent: TrioAgent, params: p.ConversationParams) -> object:
    return {"deleted": await agent.delete_conversation(params.conversation_id)}


async def _providers_list(agent: TrioAgent, _: p.NoParams) -> object:
    return {"providers": agent.get_available_providers()}


async def _providers_status(agent: TrioAgent, _: p.NoParams) -> object:
    states = await agent.get_provider_status()
    return {"providers": {name: state.to_dict() for name, state in states.items()}}


async def _providers_switch(agent: TrioAgent, params: p.SwitchParams) -> object:
    await agent.switch_provider(params.provider, params.model)
    return {"provider": params.provider, "model": params.model}


async def _usage_stats(agent: TrioAgent, params: p.UsageStatsParams) -> object:
    return await agent.get_usage_stats(**_named(params, "by"))


async def _usage_summary(agent: TrioAgent, params: p.UsageSummaryParams) -> object:
    return await agent.get_usage_summary(**_named(params, "by", "days"))


async def _limits(agent: TrioAgent, _: p.NoParams) -> object:
    return await agent.get_limits()


async def _routing_metrics(agent: TrioAgent, _: p.NoParams) -> object:
    return await agent.get_routing_metrics()


async def _request_status(agent: TrioAgent, params: p.RequestStatusParams) -> object:
    return await agent.request_status(params.request_key)


async def _health(agent: TrioAgent, _: p.NoParams) -> object:
    return await agent.health()


async def _reload(agent: TrioAgent, _: p.NoParams) -> object:
    return await agent.reload()


def _named(params: msgspec.Struct, *names: str) -> dict[str, Any]:
    """Leave out what the host left out. Any: each has its own type, which the agent checks."""
    return {name: value for name in names if (value := getattr(params, name)) is not None}


# Any: each takes the Struct that `params_of` makes for its method.
_ANSWERS: Final[Mapping[str, Callable[[TrioAgent, Any], Awaitable[object]]]] = {
    "embed": _embed,
    "explain": _explain,
    "count_tokens": _count_tokens,
    "conversation.create": _conversation_create,
    "conversation.get": _conversation_get,
    "conversation.delete": _conversation_delete,
    "providers.list": _providers_list,
    "providers.status": _providers_status,
    "providers.switch": _providers_switch,
    "usage.stats": _usage_stats,
    "usage.summary": _usage_summary,
    "limits": _limits,
    "routing.metrics": _routing_metrics,
    "request.status": _request_status,
    "health": _health,
    "reload": _reload,
}
