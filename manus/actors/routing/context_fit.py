"""Own the choice among windows once the prompt's size is known: too small goes last, then out. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from manus.actors.routing.plan import Choice, left_out_of
from manus.messages.failures import Failed
from manus.messages.outcomes import Candidate


def fit_context(choices: Sequence[Choice], tokens: int) -> tuple[list[Choice], list[Candidate]] | Failed:
    """Put windows that may be too small last, and tell of those that surely are.

    The estimate is crude, so only a window that even half of it overflows is left out; between that and the
    estimate the vendor decides, after the windows that surely fit.
    """
    sure: list[Choice] = []
    doubtful: list[Choice] = []
    left_out: list[Candidate] = []
    for choice in choices:
        window = choice.card.longest_prompt_tokens
        if window is None or tokens <= window:
            sure.append(choice)
        elif tokens <= 2 * window:
            doubtful.append(choice)
        else:
            told = f"its window of {window} tokens is too small for a prompt of about {tokens}"
            left_out.append(left_out_of(choice, told))
    if not _has_primary(sure):
        # Nothing that would be asked at once surely fits: models kept for long prompts come forward.
        sure = _come_forward(sure)
    if not _has_primary(sure) and not _has_primary(doubtful):
        doubtful = _come_forward(doubtful)
    kept = [*sure, *doubtful]
    if not _has_primary(kept):
        largest = max(choice.card.longest_prompt_tokens or 0 for choice in choices)
        return Failed(
            kind="context_length",
            safe_to_retry=True,
            message=f"The prompt has about {tokens} tokens and the largest window among the candidates is "
            f"{largest}. Shorten it, or configure a model with a larger window.",
        )
    # Whoever is asked in its turn comes before those in reserve. Sorting is stable.
    return sorted(kept, key=_in_reserve), left_out


def _has_primary(choices: Sequence[Choice]) -> bool:
    return any(choice.use == "any" for choice in choices)


def _come_forward(choices: Sequence[Choice]) -> list[Choice]:
    return [
        msgspec.structs.replace(choice, use="any") if choice.use == "larger_window" else choice for choice in choices
    ]


def _in_reserve(choice: Choice) -> bool:
    return choice.use != "any"
