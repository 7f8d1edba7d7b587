"""Own the step from a method of the protocol to the call of the Python face that it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tests.conformance.driver import Plain, plain

Params = dict[str, Any]  # Any: options of every kind, as a caller gives them


def begun(agent: Any, method: str, params: Params) -> Any:
    """Make the call. Any: the asynchronous agent gives an awaitable, the synchronous one the value itself."""
    given = dict(params)
    match method:
        case "generate" | "explain" | "count_tokens" | "stream":
            prompt = given.pop("prompt") if "prompt" in given else given.pop("messages")
            return getattr(agent, method)(prompt, **given)
        case "chat" | "chat_stream":
            return getattr(agent, method)(given.pop("message"), given.pop("conversation_id", None), **given)
        case "embed":
            return agent.embed(given.pop("inputs"), **given)
        case "conversation.create":
            return agent.create_conversation(given.pop("conversation_id", None), **given)
        case "conversation.get":
            return agent.get_conversation(given["conversation_id"])
        case "conversation.delete":
            return agent.delete_conversation(given["conversation_id"])
        case "providers.switch":
            return agent.switch_provider(given["provider"], given.get("model"))
        case "providers.status":
            return agent.get_provider_status()
        case "usage.stats":
            return agent.get_usage_stats(**given)
        case "usage.summary":
            return agent.get_usage_summary(**given)
        case "limits":
            return agent.get_limits()
        case "routing.metrics":
            return agent.get_routing_metrics()
        case "health":
            return agent.health()
        case "reload":
            return agent.reload()
        case "request.status":
            return agent.request_status(given["request_key"])
        case "providers.list":
            raise AssertionError("the face answers this one at once: see `at_once`")
        case _:
            raise AssertionError(f"the suite has no word for {method}")


def at_once(agent: Any, method: str) -> Plain | None:
    """Answer what needs no loop; None for the rest. Any: agents of three kinds."""
    return {"providers": agent.get_available_providers()} if method == "providers.list" else None


def told(method: str, params: Mapping[str, object], value: object) -> Plain:
    """Give the value of the call in the shape that the protocol has for it."""
    match method:
        case "conversation.create":
            return {"conversation_id": value}
        case "conversation.delete":
            return {"deleted": value}
        case "providers.switch":
            return {"provider": params["provider"], "model": params.get("model")}
        case "providers.status":
            assert isinstance(value, dict)
            return {"providers": {name: plain(state) for name, state in value.items()}}
        case "request.status":
            return plain(msgspec.to_builtins(value))
        case _:
            return plain(value)


def shown(chunk: Any) -> Plain | None:
    """Give a chunk as the protocol does; None for the final one. Any: a chunk of any of the faces."""
    return None if chunk.kind == "final" else plain(chunk)
