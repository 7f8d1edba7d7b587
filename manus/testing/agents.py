"""Own what a test needs to aim a whole agent at simulated providers, and to strike one of its actors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from manus.sim.provider import SimProvider
from manus.sim.server import SimServer
from manus.sim.wire import WireName

if TYPE_CHECKING:
    from manus.trio_agent import TrioAgent

COST_PER_INPUT, COST_PER_OUTPUT = 1.0, 2.0
"""What the models of `sim_config` cost, in USD per million tokens."""

ANY_KEY = "simulated"
"""What is shown to a provider that takes every key."""

_PLACES: dict[WireName, dict[str, Any]] = {
    "openai": {"type": "openai"},
    "openai-responses": {"type": "openai", "wire": {"api": "responses"}},
    "azure": {"type": "azure"},
    "anthropic": {"type": "anthropic"},
    "bedrock": {"type": "bedrock", "region": "us-east-1"},
    "ollama": {"type": "ollama"},
}


def sim_config(servers: Mapping[str, SimServer | SimProvider], **sections: Any) -> dict[str, Any]:
    """Give a configuration with one provider entry per simulated provider, in the shape of the file.

    A `SimProvider` without a server gets an address that nobody has; pass `open_agent` its transport as well:
    `transports={"name": lambda base_url: SimTransport(provider)}`.

    Args:
        servers: by the entry's name; the first is asked first.
        sections: further tables of the file, `timeouts={"headers_s": 1.0}` for instance.
    """
    entries = {name: sim_entry(server, priority=place) for place, (name, server) in enumerate(servers.items(), start=1)}
    return {"providers": entries, **sections}


def sim_entry(server: SimServer | SimProvider, *, priority: int = 1) -> dict[str, Any]:
    """Give the provider entry that reaches one simulated provider, in the shape of the file, with a key that it takes.

    The two wires of OpenAI are of one type, and which of them is spoken is said under `wire`.
    """
    provider = server if isinstance(server, SimProvider) else server.provider
    wire = provider.wire
    base_url = "http://sim.invalid" + wire.base_path if isinstance(server, SimProvider) else server.base_url
    return {
        **_PLACES[wire.name],
        **_proof(wire.name, provider.api_key),
        "base_url": base_url,
        "priority": priority,
        "models": [
            {"name": model, "cost_per_input": COST_PER_INPUT, "cost_per_output": COST_PER_OUTPUT}
            for model in provider.models
        ],
        "any_model": provider.any_model,
    }


def crash_actor(agent: TrioAgent, name: str, error: Exception | None = None) -> None:
    """Raise `error` inside the running actor of provider `name`, as a bug in its own code would.

    What it has in hand is answered at once, what is queued for it waits for its next incarnation.

    Raises:
        LookupError: there is no such actor, or it is not running at present.
    """
    agent._tree.crash(agent._wiring.actor_of(name), error or RuntimeError("crashed on purpose"))


def _proof(wire: WireName, api_key: str | None) -> dict[str, str]:
    """Give the fields that let a client in: a key, or the pair of keys that Bedrock has requests signed with."""
    if wire == "ollama" and api_key is None:
        return {}
    name, colon, secret = (api_key or ANY_KEY).partition(":")
    if wire == "bedrock" and colon:
        return {"aws_access_key_id": name, "aws_secret_access_key": secret}
    return {"api_key": api_key or ANY_KEY}
