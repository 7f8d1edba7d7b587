"""Own `create_agent` and the agent it makes: for asyncio and Trio programs, with the runtime in a thread of its own.

What its methods promise stands in `manus.agent`. A caller's loop that blocks delays its own answers and nothing else:
timeouts, retries and the books are kept in the runtime's thread.
"""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from types import TracebackType
from typing import ParamSpec, Self, TypeVar, Unpack, final

from manus.agent import LLMAgent
from manus.agent_config import AgentConfig
from manus.asking import AskOptions, ChatOptions
from manus.books import BY_MODEL, By
from manus.config.load import Source
from manus.config.schema import LLMConfig
from manus.conversations import Conversation, Message
from manus.embedding import EmbeddingResponse, EmbedOptions
from manus.health_report import Health
from manus.hosts.border import stopped
from manus.hosts.callers import Here, loop_here
from manus.hosts.hosted_events import DistantBus, EventPump, HostedEvents
from manus.hosts.hosted_stream import HostedStream, StreamPump
from manus.hosts.runtime_thread import RuntimeThread
from manus.limit_reports import RateLimiter
from manus.messages.accounting import RequestStatus
from manus.messages.ids import RequestId
from manus.messages.outcomes import Route
from manus.messages.routing import RoutingMetrics
from manus.open_agents import closed, opened
from manus.opening import OpenOptions, open_agent
from manus.prompts import Prompt
from manus.reloading import Reloaded
from manus.reports import ProviderState, UsageReport
from manus.responses import LLMResponse
from manus.token_counts import TokenCount
from manus.token_tracker import TokenTracker
from manus.trio_agent import TrioAgent
from manus.trio_stream import TrioStream

P = ParamSpec("P")
T = TypeVar("T")


async def create_agent(
    config: Source | AgentConfig = None, config_path: Source = None, **options: Unpack[OpenOptions]
) -> HostedAgent:
    """Open an agent for an asyncio or a Trio program. End it with `await agent.shutdown()`, or use it in `async with`.

    It belongs to the process and not to the loop: a later `asyncio.run`, and several loops at once, may use it.
    Cancelled, it opens none. Callables among the options are called in the runtime's thread, which runs Trio.

    Args:
        config: a path, an `LLMConfig`, a mapping in the file's shape, or an `AgentConfig`, the defaults of this agent;
            None searches the usual places and then the environment.
        config_path: the configuration, where `config` is an `AgentConfig` or left out.
        options: those of `open_agent`.

    Raises:
        ConfigurationError: the configuration cannot be used; it lists every problem.
        InternalError: an actor could not be kept running.
    """
    agent = await open_hosted(config, config_path, options, loop_here)
    opened(agent)
    return agent


async def open_hosted(
    config: Source | AgentConfig, config_path: Source, options: OpenOptions, here: Here
) -> HostedAgent:
    """Start a runtime and give the agent whose callers sleep as `here` says."""
    runtime = RuntimeThread(partial(open_agent, config, config_path=config_path, **options))
    return HostedAgent(runtime, await runtime.start(here), here)


@final
class HostedAgent(LLMAgent):
    """The agent of an asyncio or Trio program. Made by `create_agent`; used from any loop of the process."""

    def __init__(self, runtime: RuntimeThread[TrioAgent], agent: TrioAgent, here: Here) -> None:
        self._runtime = runtime
        self._border = runtime.border
        self._agent = agent
        self._here = here

    @property
    def config(self) -> LLMConfig:
        return self._agent.config

    @property
    def notes(self) -> tuple[str, ...]:
        return self._agent.notes

    @property
    def origin(self) -> str:
        return self._agent.origin

    @property
    def enable_streaming(self) -> bool:
        return self._agent.enable_streaming

    # --- its end --------------------------------------------------------------------------------------

    async def shutdown(self, *, drain_s: float | None = None) -> None:
        """End the agent, and return when its thread is gone and the books are closed. Harmless when repeated.

        New calls are refused from now on, and after the end all raise `RequestCancelledError`. Cancelled, the agent
        ends all the same, and is not waited for.

        Args:
            drain_s: how long requests in flight may finish; what is in flight then is cancelled and settled. 0 ends
                them at once, None waits as long as the agent was opened with.

        Raises:
            InternalError: the runtime had ended by itself: an actor could not be kept running.
        """
        self._runtime.stop(drain_s)
        closed(self)
        await self._runtime.wait_ended(self._here)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown(drain_s=None if kind is None else 0.0)

    def __del__(self) -> None:
        runtime = self._runtime
        if not (runtime.stopping or runtime.ended):
            runtime.stop(0.0)
            warnings.warn("an agent was dropped without `shutdown()`", ResourceWarning, stacklevel=2, source=self)

    # --- asking ---------------------------------------------------------------------------------------
    # Requests are built in the caller's thread: errors of shape are raised by the call itself, and whoever has called
    # may change his lists as soon as the call has returned.

    async def generate(self, prompt: Prompt, **options: Unpack[AskOptions]) -> LLMResponse:
        request = self._agent.request(prompt, options, stream=False)
        return await self._call(self._agent.answer, request, options.get("response_format"))

    def begin(self, prompt: Prompt, *, streamed: bool = True, **options: Unpack[AskOptions]) -> HostedStream:
        request = self._agent.request(prompt, options, stream=streamed)
        begun = partial(self._agent.open_stream, request, options.get("response_format"))
        return self._stream(begun, request.request_id)

    async def embed(self, inputs: str | Sequence[str], **options: Unpack[EmbedOptions]) -> EmbeddingResponse:
        return await self._call(self._agent.embed, inputs, **options)

    async def explain(self, prompt: Prompt, *, streamed: bool = False, **options: Unpack[AskOptions]) -> Route:
        return await self._call(self._agent.explain, prompt, streamed=streamed, **options)

    async def count_tokens(self, prompt: Prompt, *, exact: bool | None = None, **ask: Unpack[AskOptions]) -> TokenCount:
        return await self._call(self._agent.count_tokens, prompt, exact=exact, **ask)

    # --- conversations --------------------------------------------------------------------------------

    async def chat(
        self, message: Message, conversation_id: str | None = None, **options: Unpack[ChatOptions]
    ) -> LLMResponse:
        turn = self._agent.turn(message, conversation_id, options, stream=False)
        return await self._call(self._agent.answer_chat, turn, options.get("response_format"))

    def begin_chat(
        self,
        message: Message,
        conversation_id: str | None = None,
        *,
        streamed: bool = True,
        **options: Unpack[ChatOptions],
    ) -> HostedStream:
        turn = self._agent.turn(message, conversation_id, options, stream=streamed)
        begun = partial(self._agent.open_chat, turn, options.get("response_format"))
        return self._stream(begun, turn.request.request_id)

    async def create_conversation(self, conversation_id: str | None = None, *, system_prompt: str | None = None) -> str:
        return await self._call(self._agent.create_conversation, conversation_id, system_prompt=system_prompt)

    async def get_conversation(self, conversation_id: str) -> Conversation:
        return await self._call(self._agent.get_conversation, conversation_id)

    async def delete_conversation(self, conversation_id: str) -> bool:
        return await self._call(self._agent.delete_conversation, conversation_id)

    # --- providers ------------------------------------------------------------------------------------

    def get_available_providers(self) -> list[str]:
        return self._agent.get_available_providers()

    async def get_provider_status(self) -> dict[str, ProviderState]:
        return await self._call(self._agent.get_provider_status)

    async def switch_provider(self, name: str, model: str | None = None) -> None:
        await self._call(self._agent.switch_provider, name, model)

    # --- the books ------------------------------------------------------------------------------------

    async def get_usage_stats(self, *, by: By = BY_MODEL) -> UsageReport:
        return await self._call(self._agent.get_usage_stats, by=by)

    async def get_usage_summary(self, days: float = 1.0, *, by: By = BY_MODEL) -> UsageReport:
        return await self._call(self._agent.get_usage_summary, days, by=by)

    async def request_status(self, request_key: str) -> RequestStatus:
        return await self._call(self._agent.request_status, request_key)

    async def get_limits(self) -> RateLimiter:
        return await self._call(self._agent.get_limits)

    def token_tracker(self) -> TokenTracker:
        return TokenTracker(DistantBus(self, self._border, self._agent))

    async def get_routing_metrics(self) -> RoutingMetrics:
        return await self._call(self._agent.get_routing_metrics)

    # --- watching -------------------------------------------------------------------------------------

    def events(self, capacity: int = 256) -> HostedEvents:
        pump = EventPump(self._border, self._agent, capacity)
        self._border.enter(pump)
        self._border.post(pump.start)
        return HostedEvents(self, self._border, self._here, pump)

    async def health(self) -> Health:
        return await self._call(self._agent.health)

    # --- another configuration ------------------------------------------------------------------------

    async def reload(self, config: Source = None) -> Reloaded:
        return await self._call(self._agent.reload, config)

    # --- inside ---------------------------------------------------------------------------------------

    async def _call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._runtime.stopping:
            raise stopped()
        return await self._border.call(self._here(), function, *args, **kwargs)

    def _stream(self, begun: Callable[[], TrioStream], request_id: RequestId) -> HostedStream:
        if self._runtime.stopping:
            raise stopped()
        pump = StreamPump(self._border, begun)
        self._border.enter(pump)
        self._border.post(pump.start)
        return HostedStream(self, self._border, self._here, pump, request_id)
