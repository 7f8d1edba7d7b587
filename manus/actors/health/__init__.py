"""Own the health of deployments: breakers, cooldowns, latency. Pure; time and chance are arguments."""

from manus.actors.health.health import Health
from manus.actors.health.verdicts import NotBefore, Ready, Ticket

__all__ = ["Health", "NotBefore", "Ready", "Ticket"]
