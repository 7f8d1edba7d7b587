"""Own what an attempt is said to have used, and what is known of its bill, when it is over.

Pure. Three sources, in this order: the vendor's own counts where its answer came to its end; an estimate of what was
received, at least as high as whatever the vendor had reported by then; nobody, and then the books keep the bound.
A disconnect does not reliably stop a vendor's meter, so what was received is the least that was billed.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from manus.actors.assembly import Assembly
from manus.actors.estimate import estimate_tokens
from manus.messages.content import Reasoning, Refusal, Text, ToolCall
from manus.messages.failures import Failed
from manus.messages.usage import Usage

Billed = Literal["no", "reported", "estimated", "unknown"]

GATEWAY_STATUSES = frozenset({408, 499, 502, 504, 520, 521, 522, 523, 524, 525, 526})
"""Error statuses that a gateway gives while the model behind it may be at work: nobody knows what was billed.
Any other error status is the vendor's word that it did not serve the call."""


def is_reported(assembly: Assembly) -> bool:
    """Whether the vendor's counts cover the whole answer: they came, and so did its finish."""
    finish = assembly.finish
    return assembly.usage.source == "reported" and finish is not None and finish.reason != "error"


def usage_received(assembly: Assembly | None, *, estimated_input_tokens: int) -> Usage:
    """Say what an attempt used of which `assembly` was received."""
    if assembly is None:
        return Usage(input_uncached=estimated_input_tokens, source="estimated")
    reported = assembly.usage
    if is_reported(assembly):
        return reported
    output = 0
    for part in assembly.answer().parts:
        match part:
            case Text(text=text) | Refusal(text=text) | Reasoning(text=text):
                output += estimate_tokens(text)
            case ToolCall():
                output += estimate_tokens(part.name) + estimate_tokens(part.arguments)
            case _:
                pass
    return msgspec.structs.replace(
        reported,
        input_uncached=reported.input_uncached if reported.input_total else estimated_input_tokens,
        output=max(output, reported.output),
        source="estimated",
    )


def billed(failure: Failed | None, *, sent: bool, status: int | None, assembly: Assembly | None) -> Billed:
    """Say what is known of the bill.

    Args:
        failure: how the attempt ended, None for success. Before there is a status it may know that nothing left
            even where the transport did not report its phases.
        sent: whether the whole request had left.
        status: the HTTP status, once there was one.
        assembly: what was received.
    """
    if assembly is not None and (failure is None or assembly.has_content):
        return "reported" if is_reported(assembly) else "estimated"
    if not sent or (status is None and failure is not None and failure.safe_to_retry):
        return "no"
    if status is not None and not 200 <= status < 300:
        return "unknown" if status in GATEWAY_STATUSES else "no"
    # A 200 without content: the vendor had begun to work, and an error that it reports inside is no receipt.
    return "unknown"
