"""Own what one request is expected to cost at a deployment, and at most, in nano-USD, before it is reserved.

The expectation is the one that accounting reserves by (`estimate.expected_usage`), worked out without the upper bound
of the prompt, which is dear for long ones. An unknown price gives None, which is never zero.
"""

from __future__ import annotations

from manus.actors.estimates.bound import bound_output_tokens, bound_usage, worst_cost_nano_usd
from manus.actors.estimates.families import UNKNOWN, Family, family_of
from manus.actors.estimates.measure import Measured
from manus.actors.estimates.prompt import (
    EXPECTED_OUTPUT_TOKENS,
    estimate_prompt_tokens,
    expected_usage,
    prompt_tokens,
)
from manus.messages.outcomes import Reservation
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, EmbedRequest
from manus.messages.usage import Usage


class ExpectedCost:
    """One request's, at any model. Made per request."""

    __slots__ = ("_measured", "_prompt_tokens", "_request", "_service_tier", "_usages")

    def __init__(self, request: ChatRequest | EmbedRequest, tokens: int, measured: Measured | None = None) -> None:
        """Take the prompt as `tokens` long, or, where it is `measured`, as long as it is for each family."""
        self._request = request
        self._measured = measured
        self._prompt_tokens = estimate_prompt_tokens(request) if isinstance(request, EmbedRequest) else tokens
        self._service_tier = request.service_tier if isinstance(request, ChatRequest) else None
        self._usages: dict[tuple[int | None, int | None, str], Usage] = {}

    def nano_usd(self, card: ModelCard) -> int | None:
        """Give the expected cost at a model; None where its price is unknown."""
        price = card.price if self._service_tier is None else card.price_at(self._service_tier)
        family = UNKNOWN if self._measured is None else family_of(card.base or card.name)
        alike = (card.context_tokens, card.max_output_tokens, family.name)
        return price.cost_nano_usd(self._usages.get(alike) or self._usage(alike, card, family))

    def cap_nano_usd(self, card: ModelCard) -> int | None:
        """Give what `max_cost_usd` is held against: the worst cost where the caller bounds the answer, else expected.

        Without such a bound the worst is an answer as long as the model can write, which hardly any cap would admit.
        """
        request = self._request
        if isinstance(request, ChatRequest) and request.max_output_tokens is not None:
            return worst_cost_nano_usd(card.price_at(self._service_tier), bound_usage(request, card))
        return self.nano_usd(card)

    def _usage(self, alike: tuple[int | None, int | None, str], card: ModelCard, family: Family) -> Usage:
        """Expect what is used at a model; the same at all that have its limits and count as it does."""
        request, prompt, output = self._request, self._prompt_tokens, 0
        if self._measured is not None:
            prompt = prompt_tokens(self._measured, family)
        if isinstance(request, ChatRequest):
            if card.context_tokens is not None:
                prompt = min(prompt, card.context_tokens)
            output = min(EXPECTED_OUTPUT_TOKENS, bound_output_tokens(request, card))
        usage = self._usages[alike] = Usage(input_uncached=prompt, output=output, source="estimated")
        return usage


def reservation_of(request: ChatRequest | EmbedRequest, card: ModelCard, tokens: int) -> Reservation:
    """Tell what an attempt at `card` would set aside: what it is expected to use, and what it can use at most."""
    bound = bound_usage(request, card)
    estimate = expected_usage(tokens, bound)
    price = card.price_at(request.service_tier if isinstance(request, ChatRequest) else None)
    return Reservation(
        estimate=estimate,
        bound=bound,
        estimate_nano_usd=price.cost_nano_usd(estimate),
        bound_nano_usd=worst_cost_nano_usd(price, bound),
    )
