"""Own scripts: what a simulated provider answers, at which pace, with which fault, to which request.

Everything here is frozen data that survives JSON, so that a chaos plan or a control request can hold it.
Chance is drawn from strings (`f"{seed}/..."`), never from a global generator: the text depends on the
seed and the prompt alone, the choice of a fault on the seed and the request's place in the order of
arrival.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

import msgspec

from manus.sim.faults import Fault
from manus.sim.wire import ChatAsked

ScriptedFinish = Literal["stop", "length", "content_filter"]

Prefill = Literal["continue", "ignore", "refuse"]
"""What a model does with a last turn of the assistant: go on from it, answer as if it were history, or answer 400."""


class ScriptedCall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tool call the simulated model makes; `arguments` is JSON text, sent as it stands.

    Ollama, and Anthropic and Bedrock in an answer of one piece, carry arguments as an object: there the text has to be
    one.
    """

    name: str
    arguments: str = "{}"


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One answer.

    Args:
        text: what is said; None draws `words` words from the behaviour's seed and the prompt, or JSON that fits where
            the request asks for a schema, or calls the tool that has to be called.
        reasoning: thinking before the answer, billed as output; where it is empty and the request asks for thinking,
            a few words are drawn. Chat Completions only counts it, the others show it.
        tool_calls: made after the text; the finish reason follows from them.
        finish: the finish reason, where it is not to follow from the answer.
        prefill: what becomes of a last turn of the assistant; None for what the vendor's models do (`prefill.py`).
        cached_tokens: how much of the prompt is reported as read from the cache.
        cache_write_tokens: how much of the rest is reported as written to the cache, where the wire says so.
        service_tier: at what the answer says it was served; None for the vendor's word for its usual service.
        chunk_tokens: how many tokens go into one chunk of a stream.
        latency_s: until the response's head.
        first_token_s: from the head to the first content.
        gap_s: between chunks of content. An answer that is not streamed takes the same time in all.
        split_bytes: send the body in pieces of this many bytes, cut anywhere; 0 sends event by event.
        limits_reset_s: the rate-limit headers of a vendor that has any say that no request remains, until so many
            seconds later.
        fault: what goes wrong.
    """

    text: str | None = None
    words: int = 24
    reasoning: str = ""
    tool_calls: tuple[ScriptedCall, ...] = ()
    finish: ScriptedFinish | None = None
    prefill: Prefill | None = None
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    service_tier: str | None = None
    chunk_tokens: int = 1
    latency_s: float = 0.0
    first_token_s: float = 0.0
    gap_s: float = 0.0
    split_bytes: int = 0
    limits_reset_s: float | None = None
    fault: Fault | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that no provider could play."""
        waits = (self.latency_s, self.first_token_s, self.gap_s, self.limits_reset_s or 0.0)
        counts = (self.words, self.cached_tokens, self.cache_write_tokens, self.split_bytes)
        if min(*waits, *counts) < 0:
            raise ValueError("a script's waits and counts must not be negative")
        if self.chunk_tokens < 1:
            raise ValueError("chunk_tokens must be at least 1")


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a simulated provider answers request after request.

    Args:
        script: the usual answer.
        first: answers to the first requests after this behaviour was set, one each, in order of arrival.
        fault_rate: the share of the other requests, 0 to 1, that meet one of `faults`.
        faults: what may go wrong, drawn evenly.
        seed: decides the texts and who meets which fault.
    """

    script: Script = Script()
    first: tuple[Script, ...] = ()
    fault_rate: float = 0.0
    faults: tuple[Fault, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a rate without faults to draw from."""
        if not 0.0 <= self.fault_rate <= 1.0:
            raise ValueError("fault_rate must be between 0 and 1")
        if self.fault_rate > 0 and not self.faults:
            raise ValueError("fault_rate needs faults to draw from")

    def script_for(self, position: int) -> Script:
        """Choose the script of the `position`-th request (from 0) since this behaviour was set."""
        if position < len(self.first):
            return self.first[position]
        if self.fault_rate > 0:
            rng = random.Random(f"{self.seed}/fault/{position}")
            if rng.random() < self.fault_rate:
                return msgspec.structs.replace(self.script, fault=rng.choice(self.faults))
        return self.script


Responder = Callable[[ChatAsked], Script]
"""A function from what was asked to a script, for tests that answer by content."""
