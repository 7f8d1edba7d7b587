"""Own the agent of a Trio program: the runtime lives in the caller's own loop, and there is no thread between.

What its methods promise stands in `agent`. `opening` makes an agent and ends it.
"""

from __future__ import annotations

import os.path
import time
from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Final, Unpack, final

import msgspec
import trio

from manus import conversations
from manus.agent import LLMAgent
from manus.agent_config import AgentConfig
from manus.asking import AskOptions, ChatOptions, chat_request
from manus.books import BY_MODEL, By, ask_limits, ask_request, ask_usage, dimensions_of
from manus.config.did_you_mean import listing, suggestion
from manus.config.load import Loaded, Source
from manus.config.schema import LLMConfig
from manus.embedding import EmbeddingResponse, EmbedOptions, embed_request, embedding_or_error
from manus.errors import (
    InvalidRequestError,
    error_of,
    error_of_terminal,
)
from manus.health_report import Health, ask_health
from manus.in_force import InForce
from manus.limit_reports import RateLimiter
from manus.messages.accounting import RequestStatus
from manus.messages.calls import ProviderStatus, StatusAsked
from manus.messages.conversations import ChatAsked
from manus.messages.failures import Failed
from manus.messages.outcomes import Route, Unfinished
from manus.messages.policy import Durability, ProviderPolicy
from manus.messages.requests import ChatRequest, EmbedRequest
from manus.messages.routing import ExplainAsked, RoutingMetrics, RoutingMetricsAsked
from manus.option_checks import number
from manus.output_format import ResponseFormat
from manus.prompts import Prompt
from manus.reloading import Reloaded, Reloader
from manus.reports import ProviderState, UsageReport, provider_state
from manus.responses import LLMResponse
from manus.supervisor.bus import EventBus, Subscription
from manus.supervisor.ref import Ref
from manus.supervisor.spec import ChildSpec
from manus.supervisor.terminals import ActorFailed, Expired, Unavailable, Undelivered, Withdrawn
from manus.supervisor.tree import Tree
from manus.token_counts import TokenCount, ask_tokens
from manus.token_tracker import TokenTracker
from manus.trio_stream import TrioStream, response_or_error
from manus.wiring import ADAPTERS, Wiring

NO_DEFAULTS: Final = AgentConfig()

STATUS_S: Final = 1.0
"""How long a provider's actor has to say how it is; the supervisor's picture is given in any case."""

DAY_S: Final = 86_400.0

DAYS_MAX: Final = 36_500.0

_days = number("days", DAYS_MAX, positive=True)


@final
class TrioAgent(LLMAgent):
    """The agent in the running loop. Made by `open_agent`; used from the loop that made it."""

    def __init__(
        self,
        tree: Tree,
        in_force: InForce,
        reloader: Reloader,
        *,
        defaults: AgentConfig = NO_DEFAULTS,
        now_unix_s: Callable[[], float] = time.time,
    ) -> None:
        self._tree = tree
        self._in_force = in_force
        self._reloader = reloader
        self._now_unix_s = now_unix_s
        self._router = tree.ref("router")
        self._accounting = tree.ref("accounting")
        self._conversations = tree.ref("conversations")
        self._defaults = defaults.options()
        self._streaming = defaults.streaming
        self._first_choice: tuple[str | None, str | None] | None = None
        if defaults.provider is not None or defaults.model is not None:
            self._choose(defaults.provider, defaults.model)

    @property
    def _wiring(self) -> Wiring:
        return self._in_force.wiring

    @property
    def _loaded(self) -> Loaded:
        return self._in_force.loaded

    @property
    def config(self) -> LLMConfig:
        return self._in_force.loaded.config

    @property
    def notes(self) -> tuple[str, ...]:
        return self._loaded.notes

    @property
    def origin(self) -> str:
        return self._loaded.origin

    @property
    def enable_streaming(self) -> bool:
        return self._loaded.config.enable_streaming if self._streaming is None else self._streaming

    # --- asking ---------------------------------------------------------------------------------------

    async def generate(self, prompt: Prompt, **options: Unpack[AskOptions]) -> LLMResponse:
        return await self.answer(self.request(prompt, options, stream=False), options.get("response_format"))

    def begin(self, prompt: Prompt, *, streamed: bool = True, **options: Unpack[AskOptions]) -> TrioStream:
        return self.open_stream(self.request(prompt, options, stream=streamed), options.get("response_format"))

    def request(self, prompt: Prompt, options: AskOptions, *, stream: bool) -> ChatRequest:
        """Build a request out of what a caller gave and this agent's defaults. Pure: any thread may call it.

        Raises:
            InvalidRequestError: what was given is of no shape that a request has.
        """
        given: dict[str, Any] = dict(options)
        if self._defaults:
            given = self._defaults | {name: value for name, value in given.items() if value is not None}
        return chat_request(prompt, given, stream=stream)

    async def answer(self, request: ChatRequest, asked: ResponseFormat | None) -> LLMResponse:
        """Have a request answered: what `generate` is made of."""
        request = self._chosen(request)
        outcome = await self._router.ask(request, deadline=self._deadline(request), trace_id=request.request_id)
        return response_or_error(outcome, request.request_id, asked)

    def open_stream(self, request: ChatRequest, asked: ResponseFormat | None) -> TrioStream:
        """Have a request answered in chunks: what `begin` is made of."""
        request = self._chosen(request)
        dialog = self._router.ask_stream(
            request,
            deadline=self._deadline(request),
            buffer=self._wiring.router.stream_buffer,
            trace_id=request.request_id,
        )
        return TrioStream(dialog, request_id=request.request_id, asked=asked)

    async def embed(self, inputs: str | Sequence[str], **options: Unpack[EmbedOptions]) -> EmbeddingResponse:
        request = embed_request(inputs, options)
        outcome = await self._router.ask(request, deadline=self._deadline(request), trace_id=request.request_id)
        return embedding_or_error(outcome, request.request_id)

    async def explain(self, prompt: Prompt, *, streamed: bool = False, **options: Unpack[AskOptions]) -> Route:
        request = self._chosen(self.request(prompt, options, stream=streamed))
        answer = await self._question(ExplainAsked(request=request), deadline_s=STATUS_S)
        if isinstance(answer, Failed):
            raise error_of(Unfinished(request_id=request.request_id, failure=answer))
        assert isinstance(answer, Route)
        return answer

    async def count_tokens(self, prompt: Prompt, *, exact: bool | None = None, **ask: Unpack[AskOptions]) -> TokenCount:
        request = self._chosen(self.request(prompt, ask, stream=False))
        return await ask_tokens(self._router, request, exact=exact)

    # --- conversations --------------------------------------------------------------------------------

    async def chat(
        self, message: conversations.Message, conversation_id: str | None = None, **options: Unpack[ChatOptions]
    ) -> LLMResponse:
        chat = self.turn(message, conversation_id, options, stream=False)
        return await self.answer_chat(chat, options.get("response_format"))

    def begin_chat(
        self,
        message: conversations.Message,
        conversation_id: str | None = None,
        *,
        streamed: bool = True,
        **options: Unpack[ChatOptions],
    ) -> TrioStream:
        chat = self.turn(message, conversation_id, options, stream=streamed)
        return self.open_chat(chat, options.get("response_format"))

    def turn(
        self, message: conversations.Message, conversation_id: str | None, options: ChatOptions, *, stream: bool
    ) -> ChatAsked:
        """Build a turn of a conversation as `request` builds a request. Pure: any thread may call it.

        The agent's own system prompt is only what a conversation begins with.

        Raises:
            InvalidRequestError: what was given is of no shape that a request has.
        """
        given = {name: value for name, value in options.items() if value is not None}
        given["conversation_id"] = conversations.conversation_name(conversation_id)
        defaults = dict(self._defaults)
        opening = conversations.opening_turns(defaults.pop("system_prompt", None))
        prompt = conversations.prompt_of_message(message)
        return ChatAsked(request=chat_request(prompt, defaults | given, stream=stream), opening=opening)

    async def answer_chat(self, chat: ChatAsked, asked: ResponseFormat | None) -> LLMResponse:
        """Have a turn answered: what `chat` is made of."""
        chat = msgspec.structs.replace(chat, request=self._chosen(chat.request))
        request = chat.request
        deadline = self._deadline(request)
        outcome = await self._conversations.ask(chat, deadline=deadline, trace_id=request.request_id)
        response = response_or_error(outcome, request.request_id, asked)
        return msgspec.structs.replace(response, conversation_id=request.conversation_id)

    def open_chat(self, chat: ChatAsked, asked: ResponseFormat | None) -> TrioStream:
        """Have a turn answered in chunks: what `begin_chat` is made of."""
        chat = msgspec.structs.replace(chat, request=self._chosen(chat.request))
        request = chat.request
        dialog = self._conversations.ask_stream(
            chat,
            deadline=self._deadline(request),
            buffer=self._wiring.router.stream_buffer,
            trace_id=request.request_id,
        )
        return TrioStream(dialog, request_id=request.request_id, asked=asked, conversation_id=request.conversation_id)

    async def create_conversation(self, conversation_id: str | None = None, *, system_prompt: str | None = None) -> str:
        if system_prompt is None:
            system_prompt = self._defaults.get("system_prompt")
        return await conversations.create(self._conversations, conversation_id, system_prompt)

    async def get_conversation(self, conversation_id: str) -> conversations.Conversation:
        return await conversations.tell(self._conversations, conversation_id)

    async def delete_conversation(self, conversation_id: str) -> bool:
        return await conversations.delete(self._conversations, conversation_id)

    # --- providers ------------------------------------------------------------------------------------

    def get_available_providers(self) -> list[str]:
        first = self._first_choice[0] if self._first_choice else self._wiring.router.default_provider
        ordered = sorted(self._wiring.policies, key=lambda policy: (policy.name != first, policy.priority))
        return [policy.name for policy in ordered]

    async def get_provider_status(self) -> dict[str, ProviderState]:
        wiring = self._wiring  # a reload may come in between
        actors = {actor.id: actor for actor in self._tree.status()}
        said: dict[str, ProviderStatus] = {}
        metrics = RoutingMetrics()
        async with trio.open_nursery(strict_exception_groups=True) as nursery:
            for policy in wiring.policies:
                nursery.start_soon(self._ask_status, policy.name, self._tree.ref(wiring.actor_of(policy.name)), said)
            answer = await self._router.ask(RoutingMetricsAsked(), deadline=trio.current_time() + STATUS_S)
            metrics = answer if isinstance(answer, RoutingMetrics) else metrics
        states = {
            policy.name: provider_state(
                actors[wiring.actor_of(policy.name)],
                said.get(policy.name),
                metrics,
                name=policy.name,
                kind=policy.type,
                priority=policy.priority,
                models=tuple(card.name for card in policy.models),
            )
            for policy in wiring.policies
        }
        return states | {state.name: state for state in wiring.disabled}

    async def switch_provider(self, name: str, model: str | None = None) -> None:
        await trio.lowlevel.checkpoint()
        self._choose(name, model)

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

    @property
    def bus(self) -> EventBus:
        """What carries the agent's events. Belongs to the loop."""
        return self._tree.bus

    def events(self, capacity: int = 256) -> Subscription:
        return self._tree.bus.subscribe(capacity)

    async def health(self) -> Health:
        return await ask_health(self._tree, self._in_force)

    async def reload(self, config: Source = None) -> Reloaded:
        return await self._reloader.reload(config)

    # --- for adapters -------------------------------------------------------------------------------------

    @property
    def durability(self) -> Durability:
        """What the books survive: only of books on a disk does another process know what became of a request."""
        return self._wiring.ledger.survives

    def view(self) -> TrioAgent:
        """Give another handle on the same runtime, with a first choice of its own: one for each of many connections."""
        other = copy(self)
        other._first_choice = None
        return other

    def path_of(self, configured: str) -> Path:
        """Give the place that the configuration means by a path: relative ones start at its own directory."""
        file = self._loaded.path
        return (Path() if file is None else file.parent) / os.path.expanduser(configured)

    def add_adapter(self, spec: ChildSpec) -> None:
        """Add an actor that serves hosts of other processes; it stops before everything it may ask for.

        Raises:
            SpecError: the spec does not fit into the tree.
        """
        self._tree.add(ADAPTERS.id, spec)

    # --- inside ---------------------------------------------------------------------------------------

    def _chosen(self, request: ChatRequest) -> ChatRequest:
        """Give the request the agent's first choice, unless it has one of its own. Its id stays."""
        if self._first_choice is None or request.provider is not None or request.model is not None:
            return request
        provider, model = self._first_choice
        if not self._has(provider, model):
            return request  # it has left with a reload; should it come back, it is the first choice again
        return msgspec.structs.replace(request, provider=provider, model=model)

    def _choose(self, provider: str | None, model: str | None) -> None:
        policies = self._wiring.policies if provider is None else [self._policy(provider)]
        if model is not None and not any(policy.any_model for policy in policies):
            known = list(dict.fromkeys(card.name for policy in policies for card in policy.models))
            if model not in known:
                told = "no provider lists a model" if provider is None else f"{provider} lists no model"
                hint = f"there is {listing(known)}{suggestion(str(model), known)}"
                raise InvalidRequestError(f"model: {told} of this name; {hint}")
        self._first_choice = (provider, model)

    def _has(self, provider: str | None, model: str | None) -> bool:
        """Whether what was chosen is configured."""
        policies = [policy for policy in self._wiring.policies if provider is None or policy.name == provider]
        return any(
            model is None or policy.any_model or model in (card.name for card in policy.models) for policy in policies
        )

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

    async def _ask_status(self, name: str, actor: Ref, said: dict[str, ProviderStatus]) -> None:
        answer = await actor.ask(StatusAsked(), deadline=trio.current_time() + STATUS_S, shed=True)
        if isinstance(answer, ProviderStatus):
            said[name] = answer

    async def _question(self, question: object, *, deadline_s: float) -> object:
        answer = await self._router.ask(question, deadline=trio.current_time() + deadline_s)
        match answer:
            case ActorFailed() | Undelivered() | Unavailable() | Expired() | Withdrawn():
                raise error_of_terminal(answer, "")
            case _:
                return answer
