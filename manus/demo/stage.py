"""Own who plays in the demo, and when: the providers, the configuration over them, the timetable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from manus.sim.behaviour import Behaviour, Script
from manus.sim.faults import HtmlBody, Malformed, Stall
from manus.sim.provider import SimProvider
from manus.sim.server import SimServer
from manus.testing.agents import sim_config

HEALTHY: Final = "oak"
KILLED: Final = "birch"
HUNG: Final = "cedar"
GARBLED: Final = "elder"
VICTIMS: Final = (KILLED, HUNG, GARBLED)

ROLES: Final = {
    HEALTHY: "stays healthy; everybody's fallback",
    KILLED: "its actor will be killed",
    HUNG: "will hang: connections stay open, nothing comes",
    GARBLED: "will answer garbage: web pages, and events that are no JSON",
}

MODEL: Final = "sim-large"
CALLERS: Final = 4
"""Callers per provider; every other one streams."""

QUESTIONS: Final = 10
"""Questions of each caller of the healthy provider, the same in the quiet run and in the storm."""

MAX_TOKENS: Final = 64
"""What an answer may have; so that the bounds of calls in doubt are not those of the longest answer on offer."""

STRIKE_S: Final = 1.0
"""From the beginning of the storm to the first blow."""

BETWEEN_S: Final = 0.3
"""Between one blow and the next."""

HEAL_S: Final = 4.0
"""From the beginning of the storm until the provider's faults are taken away."""

STORM_S: Final = 6.0
"""How long the callers of the victims go on asking."""

STORM_MAX_S: Final = 20.0
"""How long they go on where a victim is slow to come back."""

PAUSE_S: Final = 0.05
"""Between an answer and the caller's next question."""

WAIT_S: Final = 1.0
"""How long the provider that will hang is waited for. The others have the usual patience."""

USUAL: Final = Behaviour(script=Script(words=20, latency_s=0.05, first_token_s=0.05, gap_s=0.02))
"""What every provider answers: the text depends on the question alone, so fallbacks say the same."""

HANGING: Final = Behaviour(script=Script(words=20, latency_s=0.05, fault=Stall(where="headers")))

GARBLING: Final = Behaviour(
    script=Script(words=20, latency_s=0.05, gap_s=0.02),
    fault_rate=1.0,
    faults=(HtmlBody(), Malformed(after_chunks=0)),
)


def providers() -> dict[str, SimProvider]:
    """Make the four providers, each of another vendor: who falls is answered for in a format not its own."""
    return {
        HEALTHY: SimProvider("openai", USUAL),
        KILLED: SimProvider("ollama", USUAL),
        HUNG: SimProvider("bedrock", USUAL),
        GARBLED: SimProvider("anthropic", USUAL),
    }


def configuration(servers: Mapping[str, SimServer], ledger: str) -> dict[str, Any]:
    """Give the agent's configuration: the healthy provider is everybody's fallback, no call is repeated."""
    config = sim_config(
        servers,
        general={"default_provider": KILLED, "fallback_providers": [HEALTHY], "enable_logging": False},
        timeouts={"request_s": 30.0},
        retry={"same_deployment": 0},
        ledger={"path": ledger},
    )
    waits = ("headers_s", "answer_s", "first_content_s", "idle_s")
    config["providers"][HUNG]["timeouts"] = dict.fromkeys(waits, WAIT_S)
    return config
