"""Own what a test needs to aim a whole agent at simulated providers, and to strike one of its actors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from manus.sim.provider import SimProvider
from manus.sim.server import SimServer

if TYPE_CHECKING:
    from manus.agent import LLMAgent

COST_PER_INPUT, COST_PER_OUTPUT = 1.0, 2.0
"""What the models of `sim_config` cost, in USD per million tokens."""


def sim_config(servers: Mapping[str, SimServer | SimProvider], **sections: Any) -> dict[str, Any]:
    """Give a configuration with one provider entry per simulated provider, in the shape of the file.

    A `SimProvider` without a server gets an address that nobody has; pass `open_agent` its transport as well:
    `transports={"name": lambda base_url: SimTransport(provider)}`.

    Args:
        servers: by the entry's name; the first is asked first.
        sections: further tables of the file, `timeouts={"headers_s": 1.0}` for instance.
    """
    entries = {name: _entry(server, priority=place) for place, (name, server) in enumerate(servers.items(), start=1)}
    return {"providers": entries, **sections}


def crash_actor(agent: LLMAgent, name: str, error: Exception | None = None) -> None:
    """Raise `error` inside the running actor of provider `name`, as a bug in its own code would.

    What it has in hand is answered at once, what is queued for it waits for its next incarnation.

    Raises:
        LookupError: there is no such actor, or it is not running at present.
    """
    agent._tree.crash(f"provider/{name}", error or RuntimeError("crashed on purpose"))


def _entry(server: SimServer | SimProvider, *, priority: int) -> dict[str, Any]:
    provider = server if isinstance(server, SimProvider) else server.provider
    wire = provider.wire
    base_url = "http://sim.invalid" + wire.base_path if isinstance(server, SimProvider) else server.base_url
    entry: dict[str, Any] = {
        "type": wire.name,
        "base_url": base_url,
        "priority": priority,
        "models": [
            {"name": model, "cost_per_input": COST_PER_INPUT, "cost_per_output": COST_PER_OUTPUT}
            for model in provider.models
        ],
        "any_model": provider.any_model,
    }
    if wire.name == "openai":
        entry["api_key"] = "simulated"
    return entry
