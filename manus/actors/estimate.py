"""Own nothing: names that moved to `manus.actors.estimates`, for edits under way."""

from manus.actors.estimates.bound import (
    OUTPUT_SLACK_TOKENS,
    OUTPUT_TOKENS,
    WINDOW_TOKENS,
    bound_output_tokens,
    bound_usage,
    worst_cost_nano_usd,
)
from manus.actors.estimates.picture_tokens import PICTURE_TOKENS_MAX as IMAGE_TOKENS_MAX
from manus.actors.estimates.prompt import (
    EXPECTED_OUTPUT_TOKENS,
    estimate_prompt_tokens,
    estimate_usage,
    expected_usage,
)
from manus.actors.estimates.text import bound_tokens, estimate_tokens

__all__ = [
    "EXPECTED_OUTPUT_TOKENS",
    "IMAGE_TOKENS_MAX",
    "OUTPUT_SLACK_TOKENS",
    "OUTPUT_TOKENS",
    "WINDOW_TOKENS",
    "bound_output_tokens",
    "bound_tokens",
    "bound_usage",
    "estimate_prompt_tokens",
    "estimate_tokens",
    "estimate_usage",
    "expected_usage",
    "worst_cost_nano_usd",
]
