"""Own what a vendor answers to a call beyond its limits: its 429, in its words, with its hint when to come back.

Sources: provider notes on errors of each vendor, and recorded 429s.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import msgspec

from manus.sim.quota import Dimension, Excess
from manus.sim.wire import Reply, Wire, WireName, encode_json

_OPENAI_NAMES: Final[dict[Dimension, str]] = {
    "requests": "requests per min (RPM)",
    "tokens": "tokens per min (TPM)",
    "input_tokens": "input tokens per min (TPM)",
    "output_tokens": "output tokens per min (TPM)",
    "concurrency": "concurrent requests",
}

_MUTE: Final[tuple[WireName, ...]] = ("bedrock", "ollama")
"""Who never says when to come back."""


def excess_reply(wire: Wire, excess: Excess, *, number: int, model: str) -> Reply:
    """Refuse a call as the vendor does."""
    waits_s = excess.free_in_s
    mute = wire.name in _MUTE or waits_s is None or math.isinf(waits_s)
    hint_s = None if mute or waits_s is None else math.ceil(waits_s * 1000) / 1000
    reply = wire.rejection(429, number=number, model=model, retry_after_s=hint_s)
    say = _SAID.get(wire.name)
    if say is None:
        return reply
    body = msgspec.json.decode(reply.body)
    say(body, excess, model, hint_s)
    return msgspec.structs.replace(reply, body=encode_json(body))


def _as_openai(body: dict[str, Any], excess: Excess, model: str, hint_s: float | None) -> None:
    named = _OPENAI_NAMES[excess.dimension]
    count = f"Limit {excess.limit}, Used {excess.used}, Requested {excess.requested}."
    again = "" if hint_s is None else f" Please try again in {hint_s:g}s."
    if excess.requested > excess.limit:
        text = (
            f"Request too large for {model} in organization org-sim on {named}: Limit {excess.limit}, "
            f"Requested {excess.requested}. The input or output tokens must be reduced in order to run successfully."
        )
    else:
        text = f"Rate limit reached for {model} in organization org-sim on {named}: {count}{again}"
    kind = "requests" if excess.dimension in ("requests", "concurrency") else "tokens"
    body["error"].update(message=text, type=kind, code="rate_limit_exceeded")


def _as_azure(body: dict[str, Any], excess: Excess, model: str, hint_s: float | None) -> None:
    what = "call" if excess.dimension in ("requests", "concurrency") else "token"
    again = "" if hint_s is None else f" Please retry after {math.ceil(hint_s)} seconds."
    text = f"Requests to the ChatCompletions_Create Operation have exceeded {what} rate limit.{again}"
    body["error"]["message"] = text


def _as_anthropic(body: dict[str, Any], excess: Excess, model: str, hint_s: float | None) -> None:
    if excess.dimension == "concurrency":
        text = "Number of concurrent connections has exceeded your rate limit. Please try again later."
    else:
        named = excess.dimension.replace("_", " ")
        text = (
            f"This request would exceed your organization's rate limit of {excess.limit:,} {named} per minute. "
            "For details, refer to: https://docs.claude.com/en/api/rate-limits."
        )
    body["error"]["message"] = text


def _as_bedrock(body: dict[str, Any], excess: Excess, model: str, hint_s: float | None) -> None:
    what = "requests" if excess.dimension in ("requests", "concurrency") else "tokens"
    body["message"] = f"Too many {what}, please wait before trying again."


_SAID: Final[dict[WireName, Callable[[dict[str, Any], Excess, str, float | None], None]]] = {
    "openai": _as_openai,
    "openai-responses": _as_openai,
    "azure": _as_azure,
    "anthropic": _as_anthropic,
    "bedrock": _as_bedrock,
}
"""Who has words of its own for each limit; Ollama has one sentence for all."""
