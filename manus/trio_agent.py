"""Own the agent of a Trio program: the runtime lives in the caller's own loop, and there is no thread between.

What its methods promise stands in `agent`. `opening` makes an agent and ends it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Unpack, final

import trio

from manus.agent import LLMAgent
from manus.asking import AskOptions, chat_request
from manus.books import BY_MODEL, By, ask_limits, ask_request, ask_usage, dimensions_of
from manus.config.did_you_mean import listing, suggestion
from manus.config.load import Loaded
from manus.embedding import EmbeddingResponse, EmbedOptions, embed_request, embedding_or_error
from manus.errors import (
    InvalidRequestError,
    error_of,
    error_of_terminal,
)
from manus.limit_reports import RateLimiter
from manus.messages.accounting import RequestStatus
from manus.messages.calls import ProviderStatus, StatusAsked
from manus.messages.failures import Failed
from manus.messages.outcomes import Route, Unfinished
from manus.messages.policy import ProviderPolicy
from manus.messages.requests import ChatRequest, EmbedRequest
from manus.messages.routing import ExplainAsked, RoutingMetrics, RoutingMetricsAsked
from manus.option_checks import number
from manus.prompts import Prompt
from manus.reports import ProviderState, UsageReport, provider_state
from manus.responses import LLMResponse
from manus.supervisor.bus import Subscription
from manus.supervisor.terminals import ActorFailed, Expired, Unavailable, Undelivered, Withdrawn
from manus.supervisor.tree import Tree
from manus.token_counts import TokenCount, ask_tokens
from manus.token_tracker import TokenTracker
from manus.trio_stream import TrioStream, response_or_error
from manus.wiring import Wiring

STATUS_S: Final = 1.0
"""How long a provider's actor has to say how it is; the supervisor's picture is given in any case."""

DAY_S: Final = 86_400.0

DAYS_MAX: Final = 36_500.0

_days = number("days", DAYS_MAX, positive=True)


@final
class TrioAgent(LLMAgent):
    """The agent in the running loop. Made by `open_agent`; used from the loop that made it."""

    def __init__(
        self, tree: Tree, wiring: Wiring, loaded: Loaded, *, now_unix_s: Callable[[], float] = time.time
    ) -> None:
        self._tree = tree
        self._wiring = wiring
        self._loaded = loaded
        self._now_unix_s = now_unix_s
        self._router = tree.ref("router")
        self._accounting = tree.ref("accounting")
        self._first_choice: tuple[str, str | None] | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        return self._loaded.notes

    @property
    def origin(self) -> str:
        return self._loaded.origin

    @property
    def enable_streaming(self) -> bool:
        return self._loaded.config.enable_streaming

    # --- asking ---------------------------------------------------------------------------------------

    async def generate(self, prompt: Prompt, **options: Unpack[AskOptions]) -> LLMResponse:
        request = self._request(prompt, options, stream=False)
        outcome = await self._router.ask(request, deadline=self._deadline(request), trace_id=request.request_id)
        return response_or_error(outcome, request.request_id, options.get("response_format"))

    def begin(self, prompt: Prompt, *, streamed: bool = True, **options: Unpack[AskOptions]) -> TrioStream:
        request = self._request(prompt, options, stream=streamed)
        dialog = self._router.ask_stream(
            request,
            deadline=self._deadline(request),
            buffer=self._wiring.router.stream_buffer,
            trace_id=request.request_id,
        )
        return TrioStream(dialog, request_id=request.request_id, asked=options.get("response_format"))

    async def embed(self, inputs: str | Sequence[str], **options: Unpack[EmbedOptions]) -> EmbeddingResponse:
        request = embed_request(inputs, options)
        outcome = await self._router.ask(request, deadline=self._deadline(request), trace_id=request.request_id)
        return embedding_or_error(outcome, request.request_id)

    async def explain(self, prompt: Prompt, *, streamed: bool = False, **options: Unpack[AskOptions]) -> Route:
        request = self._request(prompt, options, stream=streamed)
        answer = await self._question(ExplainAsked(request=request), deadline_s=STATUS_S)
        if isinstance(answer, Failed):
            raise error_of(Unfinished(request_id=request.request_id, failure=answer))
        assert isinstance(answer, Route)
        return answer

    async def count_tokens(self, prompt: Prompt, *, exact: bool | None = None, **ask: Unpack[AskOptions]) -> TokenCount:
        return await ask_tokens(self._router, self._request(prompt, ask, stream=False), exact=exact)

    # --- providers ------------------------------------------------------------------------------------

    def get_available_providers(self) -> list[str]:
        first = self._first_choice[0] if self._first_choice else self._wiring.router.default_provider
        ordered = sorted(self._wiring.policies, key=lambda policy: (policy.name != first, policy.priority))
        return [policy.name for policy in ordered]

    async def get_provider_status(self) -> dict[str, ProviderState]:
        actors = {actor.id: actor for actor in self._tree.status()}
        said: dict[str, ProviderStatus] = {}
        metrics = RoutingMetrics()
        async with trio.open_nursery(strict_exception_groups=True) as nursery:
            for policy in self._wiring.policies:
                nursery.start_soon(self._ask_status, policy.name, said)
            answer = await self._router.ask(RoutingMetricsAsked(), deadline=trio.current_time() + STATUS_S)
            metrics = answer if isinstance(answer, RoutingMetrics) else metrics
        states = {
            policy.name: provider_state(
                actors[f"provider/{policy.name}"],
                said.get(policy.name),
                metrics,
                name=policy.name,
                kind=policy.type,
                priority=policy.priority,
                models=tuple(card.name for card in policy.models),
            )
            for policy in self._wiring.policies
        }
        return states | {state.name: state for state in self._wiring.disabled}

    async def switch_provider(self, name: str, model: str | None = None) -> None:
        await trio.lowlevel.checkpoint()
        policy = self._policy(name)
        if model is not None and not policy.any_model and model not in (card.name for card in policy.models):
            known = [card.name for card in policy.models]
            raise InvalidRequestError(
                f"model: {name} lists no model of this name; there is {listing(known)}{suggestion(str(model), known)}"
            )
        self._first_choice = (name, model)

    # --- the books ------------------------------------------------------------------------------------

    async def get_usage_stats(self, *, by: By = BY_MODEL) -> UsageReport:
        return await ask_usage(self._accounting, since_unix_s=None, by=dimensions_of(by))

    async def get_usage_summary(self, days: float = 1.0, *, by: By = BY_MODEL) -> UsageReport:
        since_unix_s = self._now_unix_s() - _days(days) * DAY_S
        return await ask_usage(self._accounting, since_unix_s=since_unix_s, by=dimensions_of(by))

    async def request_status(self, request_key: str) -> RequestStatus:
        return await ask_request(self._accounting, request_key)

    async def get_limits(self) -> RateLimiter:
        return await ask_limits(self._accounting)

    def token_tracker(self) -> TokenTracker:
        return TokenTracker(self._tree.bus)

    async def get_routing_metrics(self) -> RoutingMetrics:
        answer = await self._question(RoutingMetricsAsked(), deadline_s=STATUS_S)
        assert isinstance(answer, RoutingMetrics)
        return answer

    # --- watching -------------------------------------------------------------------------------------

    def events(self, capacity: int = 256) -> Subscription:
        return self._tree.bus.subscribe(capacity)

    # --- inside ---------------------------------------------------------------------------------------

    def _request(self, prompt: Prompt, options: AskOptions, *, stream: bool) -> ChatRequest:
        given: dict[str, Any] = dict(options)
        if self._first_choice is not None and given.get("provider") is None and given.get("model") is None:
            given["provider"], given["model"] = self._first_choice
        return chat_request(prompt, given, stream=stream)

    def _deadline(self, request: ChatRequest | EmbedRequest) -> float:
        timeout_s = self._wiring.router.timeout_s if request.timeout_s is None else request.timeout_s
        return trio.current_time() + timeout_s

    def _policy(self, name: object) -> ProviderPolicy:
        for policy in self._wiring.policies:
            if policy.name == name:
                return policy
        known = [policy.name for policy in self._wiring.policies]
        if name in [state.name for state in self._wiring.disabled]:
            raise InvalidRequestError(f"provider: this entry has enabled = false; there is {listing(known)}")
        raise InvalidRequestError(
            f"provider: there is no provider of this name; there is {listing(known)}{suggestion(str(name), known)}"
        )

    async def _ask_status(self, name: str, said: dict[str, ProviderStatus]) -> None:
        deadline = trio.current_time() + STATUS_S
        answer = await self._tree.ref(f"provider/{name}").ask(StatusAsked(), deadline=deadline, shed=True)
        if isinstance(answer, ProviderStatus):
            said[name] = answer

    async def _question(self, question: object, *, deadline_s: float) -> object:
        answer = await self._router.ask(question, deadline=trio.current_time() + deadline_s)
        match answer:
            case ActorFailed() | Undelivered() | Unavailable() | Expired() | Withdrawn():
                raise error_of_terminal(answer, "")
            case _:
                return answer
