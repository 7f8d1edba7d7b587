"""Own what a Trio program asks of an agent: answers, streams, vectors, plans, and how all is doing.

The runtime lives in the caller's own loop; there is no thread between. `opening` makes an agent and ends it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Unpack, final

import trio

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
from manus.streams import LLMStream, SSEStream, response_or_error
from manus.supervisor.bus import Subscription
from manus.supervisor.terminals import ActorFailed, Expired, Unavailable, Undelivered, Withdrawn
from manus.supervisor.tree import Tree
from manus.token_counts import TokenCount, ask_tokens
from manus.token_tracker import TokenTracker
from manus.wiring import Wiring

STATUS_S: Final = 1.0
"""How long a provider's actor has to say how it is; the supervisor's picture is given in any case."""

DAY_S: Final = 86_400.0

DAYS_MAX: Final = 36_500.0

_days = number("days", DAYS_MAX, positive=True)


@final
class LLMAgent:
    """Ask the best of the configured models. Made by `open_agent`; used from the loop that made it."""

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

    def __repr__(self) -> str:
        return f"<LLMAgent {', '.join(self.get_available_providers())}>"

    @property
    def notes(self) -> tuple[str, ...]:
        """What the configuration wants said aloud: providers found by themselves, and warnings."""
        return self._loaded.notes

    @property
    def origin(self) -> str:
        """Where the configuration came from."""
        return self._loaded.origin

    @property
    def enable_streaming(self) -> bool:
        """Whether the configuration wants answers streamed where the caller leaves it open."""
        return self._loaded.config.enable_streaming

    # --- asking ---------------------------------------------------------------------------------------

    async def generate(self, prompt: Prompt, **options: Unpack[AskOptions]) -> LLMResponse:
        """Ask, and wait for the whole answer. Failover is invisible but for `response.route`.

        Cancelled, the call upstream is cancelled with it and what was used is settled.

        Raises:
            InvalidRequestError: the request is wrong in itself; nothing was sent.
            LLMError: it failed; the tree of errors is drawn in `manus.errors`.
        """
        request = self._request(prompt, options, stream=False)
        outcome = await self._router.ask(request, deadline=self._deadline(request), trace_id=request.request_id)
        return response_or_error(outcome, request.request_id, options.get("response_format"))

    def stream(self, prompt: Prompt, **options: Unpack[AskOptions]) -> LLMStream:
        """Ask, and get the answer in chunks as it comes. The request is on its way when this returns.

        Raises:
            InvalidRequestError: what was given is of no shape that a request has. All else is raised by the stream.
        """
        return self.begin(prompt, **options)

    def begin(self, prompt: Prompt, *, streamed: bool = True, **options: Unpack[AskOptions]) -> LLMStream:
        """Ask, and get a handle that can be cancelled and still tells what was used: what `stream` is made of.

        With `streamed=False` the provider is asked for the answer in one piece, and there is one chunk, the final one.

        Raises:
            InvalidRequestError: what was given is of no shape that a request has. All else is raised by the stream.
        """
        request = self._request(prompt, options, stream=streamed)
        dialog = self._router.ask_stream(
            request,
            deadline=self._deadline(request),
            buffer=self._wiring.router.stream_buffer,
            trace_id=request.request_id,
        )
        return LLMStream(dialog, request_id=request.request_id, asked=options.get("response_format"))

    def stream_sse(self, prompt: Prompt, **options: Unpack[AskOptions]) -> SSEStream:
        """Ask, and get the answer as server-sent events: text with ids, ending in `final` or `error`."""
        return SSEStream(self.stream(prompt, **options))

    async def embed(self, inputs: str | Sequence[str], **options: Unpack[EmbedOptions]) -> EmbeddingResponse:
        """Turn texts into vectors, in their order. Any number of them: the calls that a vendor takes are made in turn.

        All vectors are of one model. Failover goes to other deployments of that model, unless `fallback_providers`
        names who else may answer, from the start and with a model of its own.

        Raises:
            InvalidRequestError: the request is wrong in itself; nothing was sent.
            LLMError: it failed; the tree of errors is drawn in `manus.errors`. Vectors that earlier calls gave are in
                `error.partial.vectors`, packed as float32, for the first of the texts.
        """
        request = embed_request(inputs, options)
        outcome = await self._router.ask(request, deadline=self._deadline(request), trace_id=request.request_id)
        return embedding_or_error(outcome, request.request_id)

    async def explain(self, prompt: Prompt, *, streamed: bool = False, **options: Unpack[AskOptions]) -> Route:
        """Tell how a request would be routed now, without making it: nothing is sent and nothing booked.

        Raises:
            InvalidRequestError: the request is wrong in itself.
            LLMError: nobody could answer it; the text lists each candidate and why it was left out.
        """
        request = self._request(prompt, options, stream=streamed)
        answer = await self._question(ExplainAsked(request=request), deadline_s=STATUS_S)
        if isinstance(answer, Failed):
            raise error_of(Unfinished(request_id=request.request_id, failure=answer))
        assert isinstance(answer, Route)
        return answer

    async def count_tokens(self, prompt: Prompt, *, exact: bool | None = None, **ask: Unpack[AskOptions]) -> TokenCount:
        """Count a prompt for whoever would be asked; `exact` insists on the vendor's own count (True) or on ours."""
        return await ask_tokens(self._router, self._request(prompt, ask, stream=False), exact=exact)

    # --- providers ------------------------------------------------------------------------------------

    def get_available_providers(self) -> list[str]:
        """Name the enabled providers, the one that is asked first before the others."""
        first = self._first_choice[0] if self._first_choice else self._wiring.router.default_provider
        ordered = sorted(self._wiring.policies, key=lambda policy: (policy.name != first, policy.priority))
        return [policy.name for policy in ordered]

    async def get_provider_status(self) -> dict[str, ProviderState]:
        """Tell how each provider is doing, those that are switched off included.

        Never waits longer than a second: of an actor that is too busy to answer, its supervisor tells.
        """
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
        """Make `name` (and `model`, if given) the first choice of this agent's later requests, and change nothing else.

        Raises:
            InvalidRequestError: there is no such provider, or it has no such model.
        """
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
        """Give the books of all time; crashed runs and other processes on the same ledger are in them.

        Args:
            by: what they are split by: `provider`, `model`, `deployment`, `key`, `tag`, `conversation`, `day`, or
                several of these, in the order of the lines.
        """
        return await ask_usage(self._accounting, since_unix_s=None, by=dimensions_of(by))

    async def get_usage_summary(self, days: float = 1.0, *, by: By = BY_MODEL) -> UsageReport:
        """Give the books of the last `days` days, counted back from now, split as `get_usage_stats` tells."""
        since_unix_s = self._now_unix_s() - _days(days) * DAY_S
        return await ask_usage(self._accounting, since_unix_s=since_unix_s, by=dimensions_of(by))

    async def request_status(self, request_key: str) -> RequestStatus:
        """Tell what became of the latest request that was made with this `request_key`, by whatever process.

        The ledger knows it also after a crash. Of a key that it does not know nothing was ever sent, or longer ago than
        its rows are kept; books in memory know their own process's latest.
        """
        return await ask_request(self._accounting, request_key)

    async def get_limits(self) -> RateLimiter:
        """Tell how far every limit and budget is used now, those that the vendors' headers taught included."""
        return await ask_limits(self._accounting)

    def token_tracker(self) -> TokenTracker:
        """Count what this agent's attempts use from now on, live and without a look at the ledger."""
        return TokenTracker(self._tree.bus)

    async def get_routing_metrics(self) -> RoutingMetrics:
        """Give the router's counts since the agent was opened."""
        answer = await self._question(RoutingMetricsAsked(), deadline_s=STATUS_S)
        assert isinstance(answer, RoutingMetrics)
        return answer

    # --- watching -------------------------------------------------------------------------------------

    def events(self, capacity: int = 256) -> Subscription:
        """Subscribe to what happens inside: an async iterator and a context manager, which closes it.

        A reader that falls behind by more than `capacity` events loses the oldest, and is told how many.
        """
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
