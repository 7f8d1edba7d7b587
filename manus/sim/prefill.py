"""Own what simulated models do with a last turn of the assistant: which vendors' models go on from it, and with what.

Source: canonical.md, section 4, and the providers' notes on prefill, read 2026-11. The names are Claude's own as far
as they matter; a model of no known name does what most models of its wire do.
"""

from __future__ import annotations

import re

from manus.sim.behaviour import Prefill, Script
from manus.sim.wire import ChatAsked, WireName

_BY_WIRE: dict[WireName, Prefill] = {
    "openai": "ignore",
    "openai-responses": "ignore",
    "azure": "ignore",
    "anthropic": "continue",
    "bedrock": "continue",
    "ollama": "continue",
}

_OLDER_CLAUDE = re.compile(
    r"claude-(?:instant|v?2|3|(?:opus|sonnet|haiku)-4(?:-[0-5])?(?:-\d{8}|@|[:-]v|$)|(?:opus|sonnet|haiku)-3)"
)
"""Up to the 4.5 generation; every later Claude answers 400."""

_OTHERS_OF_BEDROCK = re.compile(r"(?:amazon|meta|mistral|qwen|openai|cohere|ai21|writer|deepseek)\.")


def prefill_of(wire: WireName, asked: ChatAsked, script: Script) -> Prefill | None:
    """Say what becomes of the last turn of the assistant; None where the conversation ends with no such turn."""
    if not asked.begun:
        return None
    if script.prefill is not None:
        return script.prefill
    usual = _BY_WIRE[wire]
    if wire in ("anthropic", "bedrock"):
        name = asked.model.lower()
        if "claude" in name and not _OLDER_CLAUDE.search(name):
            return "refuse"
        if wire == "bedrock" and (_OTHERS_OF_BEDROCK.search(name) or asked.tools):
            return "refuse"
        if asked.thinking or asked.schema is not None:
            return "refuse"
    return usual


def rest_of(text: str, begun: str) -> str:
    """Give what follows `begun` in `text`; a model that would have said something else goes on in its own words."""
    return text[len(begun) :] if text.startswith(begun) else f" {text}"
