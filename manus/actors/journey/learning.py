"""Own what the router learns of a model from an answer that came whole: how its vendor counts, against our estimates.

Costs a few microseconds at first, and next to nothing once a model is known.
"""

from __future__ import annotations

from manus.actors.estimates.calibration import Calibration
from manus.actors.estimates.measure import Measured
from manus.actors.estimates.text import estimate_tokens
from manus.actors.journey.attempt import OpenAttempt
from manus.messages.content import Refusal, Text


def learn(calibration: Calibration, attempt: OpenAttempt, measured: Measured) -> None:
    """Take the vendor's counts of an attempt whose prompt is `measured` to heart, if they are its own and plain."""
    ended, choice = attempt.ended, attempt.choice
    if ended is None or ended.billed != "reported":
        return
    answer = ended.answer
    usage = answer.usage
    if usage.server_tool_calls:
        return  # what the vendor's tools found stands in the prompt, too
    provider, model, base = choice.provider, choice.model, choice.card.vendor_name
    calibration.observe_prompt(provider, model, base, measured, usage.input_total)
    shown = usage.output - usage.reasoning
    if shown <= 0 or (measured.thinking and not usage.reasoning) or not calibration.wants_output(provider, model):
        return  # thinking that is counted but not told apart would pass for a dense vocabulary
    text = 0
    for part in answer.parts:
        if not isinstance(part, Text | Refusal):
            return
        text += estimate_tokens(part.text)
    calibration.observe_output(provider, model, base, text, shown)
