"""Own what one request is expected to cost at a deployment, and at most, in nano-USD, before it is reserved.

The expectation is the one that accounting reserves by (`estimate.expected_usage`), worked out without the upper bound
of the prompt, which is dear for long ones. An unknown price gives None, which is never zero.
"""

from __future__ import annotations

from manus.actors.estimates.bound import bound_output_tokens, bound_usage, worst_cost_nano_usd
from manus.actors.estimates.prompt import EXPECTED_OUTPUT_TOKENS, estimate_prompt_tokens, expected_usage
from manus.messages.outcomes import Reservation
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, EmbedRequest
from manus.messages.usage import Usage


class ExpectedCost:
    """One request's, at any model. Made per request."""

    __slots__ = ("_prompt_tokens", "_request", "_service_tier", "_usages")

    def __init__(self, request: ChatRequest | EmbedRequest, prompt_tokens: int) -> None:
        self._request = request
        self._prompt_tokens = estimate_prompt_tokens(request) if isinstance(request, EmbedRequest) else prompt_tokens
        self._service_tier = request.service_tier if isinstance(request, ChatRequest) else None
        self._usages: dict[tuple[int | None, int | None], Usage] = {}

    def nano_usd(self, card: ModelCard) -> int | None:
        """Give the expected cost at a model; None where its price is unknown."""
        price = card.price if self._service_tier is None else card.price_at(self._service_tier)
        limits = (card.context_tokens, card.max_output_tokens)
        return price.cost_nano_usd(self._usages.get(limits) or self._usage(limits, card))

    def cap_nano_usd(self, card: ModelCard) -> int | None:
        """Give what `max_cost_usd` is held against: the worst cost where the caller bounds the answer, else expected.

        Without such a bound the worst is an answer as long as the model can write, which hardly any cap would admit.
        """
        request = self._request
        if isinstance(request, ChatRequest) and request.max_output_tokens is not None:
            return worst_cost_nano_usd(card.price_at(self._service_tier), bound_usage(request, card))
        return self.nano_usd(card)

    def _usage(self, limits: tuple[int | None, int | None], card: ModelCard) -> Usage:
        """Expect what is used at a model; the same at all that have its limits."""
        request, prompt, output = self._request, self._prompt_tokens, 0
        if isinstance(request, ChatRequest):
            if card.context_tokens is not None:
                prompt = min(prompt, card.context_tokens)
            output = min(EXPECTED_OUTPUT_TOKENS, bound_output_tokens(request, card))
        usage = self._usages[limits] = Usage(input_uncached=prompt, output=output, source="estimated")
        return usage


def reservation_of(request: ChatRequest | EmbedRequest, card: ModelCard, prompt_tokens: int) -> Reservation:
    """Tell what an attempt at `card` would set aside: what it is expected to use, and what it can use at most."""
    bound = bound_usage(request, card)
    estimate = expected_usage(prompt_tokens, bound)
    price = card.price_at(request.service_tier if isinstance(request, ChatRequest) else None)
    return Reservation(
        estimate=estimate,
        bound=bound,
        estimate_nano_usd=price.cost_nano_usd(estimate),
        bound_nano_usd=worst_cost_nano_usd(price, bound),
    )
