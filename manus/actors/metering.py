"""Own what an attempt is said to have used, and what is known of its bill, when it is over.

Pure. Three sources, in this order: the vendor's own counts where its answer came to its end; an estimate of what was
received, which begins where the vendor's last count ended; nobody, and then the books keep the bound.
A disconnect does not reliably stop a vendor's meter, so what was received is the least that was billed. A count of
zero is a count: only what nobody said is estimated.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from manus.actors.assembly import Assembly
from manus.actors.estimates.text import estimate_tokens
from manus.messages.calls import Call
from manus.messages.failures import Failed
from manus.messages.usage import Usage

Billed = Literal["no", "reported", "estimated", "unknown"]

GATEWAY_STATUSES = frozenset({408, 499, 502, 504, 520, 522, 524})
"""Error statuses that a gateway gives while the model behind it may be at work: nobody knows what was billed.
Any other error status is the vendor's word that it did not serve the call, or the gateway's (521, 523, 525 and 526)
that it never reached the vendor."""

FILTERED_PROMPTS_BILLED: Final = frozenset({"azure-chat", "azure-responses"})
"""Wires whose vendor may charge for a prompt that its content filter refused with an error (azure.md, section 6)."""

BATCHING_WIRES: Final = frozenset({"anthropic", "bedrock"})
"""Wires whose events carry several tokens as a rule, though not with every model. On the others an event is one token,
unless the server batches: so it is in all recorded answers of OpenAI, Groq, Together, vLLM, llama.cpp and Ollama."""

TOKENWISE_MAX: Final = 1.5
TOKENWISE_SLACK: Final = 4
"""A text's events pass for tokens where it is estimated at no more than this many per event, and one more for each of
the first four: estimates of a few characters, beyond ASCII above all, are rough."""


def is_reported(assembly: Assembly) -> bool:
    """Whether the vendor's counts cover the whole answer: they came, and so did its finish.

    What is still to come after the finish (an end marker) adds nothing to what was used.
    """
    if assembly.usage.source != "reported":
        return False
    finish = assembly.finish
    if finish is not None:
        return finish.reason != "error"
    return assembly.finishing and not any(assembly.uncounted())


def usage_received(
    assembly: Assembly | None,
    *,
    estimated_input_tokens: int,
    output_ratio: float = 1.0,
    output_max: int | None = None,
) -> Usage:
    """Say what an attempt used of which `assembly` was received.

    `output_ratio` and `output_max` are those of `Call`: what was set aside bounds what is estimated, never what the
    vendor has said.
    """
    if assembly is None:
        return Usage(input_uncached=estimated_input_tokens, source="estimated")
    reported = assembly.usage
    if is_reported(assembly):
        return reported
    batched = assembly.origin[0] in BATCHING_WIRES
    received = tokens_received(assembly.uncounted(), batched=batched, ratio=output_ratio)
    # A complete count is of all that came before it; the figure that merely opens an answer is of nothing yet.
    output = reported.output + received if reported.source == "reported" else max(reported.output, received)
    if output_max is not None:
        output = min(output, max(output_max, reported.output))
    return msgspec.structs.replace(
        reported,
        input_uncached=reported.input_uncached if _told_input(assembly) else estimated_input_tokens,
        output=output,
        source="estimated",
    )


def usage_of_call(assembly: Assembly | None, call: Call) -> Usage:
    """Say what `call` used of which `assembly` was received, by what it says of itself."""
    return usage_received(
        assembly,
        estimated_input_tokens=call.estimated_input_tokens,
        output_ratio=call.output_ratio,
        output_max=call.output_max,
    )


def tokens_received(parts: list[list[str]], *, batched: bool, ratio: float = 1.0) -> int:
    """Count the tokens of an answer's parts, given in the pieces in which they came.

    Every piece that says anything is a token at least. Most servers send each token as they have it, and then their
    number is the vendor's own, but for the token that ends an answer; where they come in batches, which shows in their
    length, the text is estimated.

    Args:
        batched: whether batches are the rule on this wire, so that not even a few pieces get the benefit of the doubt.
        ratio: tokens of the model for each that we estimate.
    """
    said = [piece for part in parts for piece in part if piece]
    pieces, estimated = len(said), estimate_tokens("".join(said)) if said else 0
    slack = 0 if batched else min(pieces, TOKENWISE_SLACK)
    if estimated <= TOKENWISE_MAX * pieces + slack:
        return pieces
    return max(pieces, round(ratio * estimated))


def billed(
    failure: Failed | None, *, sent: bool, status: int | None, assembly: Assembly | None, wire: str = ""
) -> Billed:
    """Say what is known of the bill.

    Args:
        failure: how the attempt ended, None for success. Before there is a status it may know that nothing left
            even where the transport did not report its phases.
        sent: whether the whole request had left.
        status: the HTTP status, once there was one.
        assembly: what was received.
        wire: the wire family.
    """
    if assembly is not None and (failure is None or is_measured(assembly)):
        return "reported" if is_reported(assembly) else "estimated"
    if not sent or (status is None and failure is not None and failure.safe_to_retry):
        return "no"
    if status is not None and not 200 <= status < 300:
        if wire in FILTERED_PROMPTS_BILLED and failure is not None and failure.kind == "content_policy":
            return "estimated"  # the prompt was read, and nothing was answered
        return "unknown" if status in GATEWAY_STATUSES else "no"
    # A 200 without content: the vendor had begun to work, and an error that it reports inside is no receipt.
    return "unknown"


def is_measured(assembly: Assembly) -> bool:
    """Whether enough was received to say what was used: some of the answer, or the vendor's counts with its finish.

    Counts before anything else has come may be a form yet to be filled in.
    """
    over = assembly.finishing or assembly.finish is not None
    return assembly.has_content or (over and assembly.usage.source == "reported")


def _told_input(assembly: Assembly) -> bool:
    """Whether the vendor said how long the prompt was. Zero is an answer."""
    counts = assembly.vendor_counts
    return assembly.usage.source == "reported" or (counts is not None and counts.input is not None)
