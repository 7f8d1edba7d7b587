"""Own `open_sync` and the agent it makes: the same methods without `await`, for threads, scripts and notebooks.

It works where a loop is running too, as in a notebook's cell: the call blocks the thread, and that loop with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self, Unpack, final

from manus.agent_config import AgentConfig
from manus.asking import AskOptions, ChatOptions
from manus.books import BY_MODEL, By
from manus.config.load import Source
from manus.config.schema import LLMConfig
from manus.conversations import Conversation, Message
from manus.embedding import EmbeddingResponse, EmbedOptions
from manus.health_report import Health
from manus.hosts.callers import ThreadWaiter
from manus.hosts.hosted_agent import HostedAgent, open_hosted
from manus.hosts.sync_stream import SyncEvents, SyncSSEStream, SyncStream, finish
from manus.limit_reports import RateLimiter
from manus.messages.accounting import RequestStatus
from manus.messages.outcomes import Route
from manus.messages.routing import RoutingMetrics
from manus.opening import OpenOptions
from manus.prompts import Prompt
from manus.reloading import Reloaded
from manus.reports import ProviderState, UsageReport
from manus.responses import LLMResponse
from manus.token_counts import TokenCount
from manus.token_tracker import TokenTracker


def open_sync(
    config: Source | AgentConfig = None, config_path: Source = None, **options: Unpack[OpenOptions]
) -> SyncAgent:
    """Open an agent for a program without a loop. End it with its `with` block, or with `shutdown()`.

    Any number of threads may use it at once. Callables among the options are called in the runtime's thread, which
    runs Trio.

    Args:
        config: a path, an `LLMConfig`, a mapping in the file's shape, or an `AgentConfig`, the defaults of this agent;
            None searches the usual places and then the environment.
        config_path: the configuration, where `config` is an `AgentConfig` or left out.
        options: those of `open_agent`.

    Raises:
        ConfigurationError: the configuration cannot be used; it lists every problem.
        InternalError: an actor could not be kept running.
    """
    return SyncAgent(finish(open_hosted(config, config_path, options, ThreadWaiter)))


@final
class SyncAgent:
    """The agent of a program without a loop. Made by `open_sync`; used from any thread.

    Each method is that of `LLMAgent`, where its promises stand, and blocks the calling thread meanwhile. Ctrl-C gets
    through: the call is cancelled, what it used is settled, and the agent stays as good as it was.
    """

    def __init__(self, hosted: HostedAgent) -> None:
        self._hosted = hosted

    def __repr__(self) -> str:
        return f"<SyncAgent {', '.join(self.get_available_providers())}>"

    @property
    def config(self) -> LLMConfig:
        """See `LLMAgent.config`."""
        return self._hosted.config

    @property
    def notes(self) -> tuple[str, ...]:
        """See `LLMAgent.notes`."""
        return self._hosted.notes

    @property
    def origin(self) -> str:
        """See `LLMAgent.origin`."""
        return self._hosted.origin

    @property
    def enable_streaming(self) -> bool:
        """See `LLMAgent.enable_streaming`."""
        return self._hosted.enable_streaming

    # --- its end --------------------------------------------------------------------------------------

    def shutdown(self, *, drain_s: float | None = None) -> None:
        """End the agent; see `HostedAgent.shutdown`. Ctrl-C ends at once what is still in flight."""
        try:
            finish(self._hosted.shutdown(drain_s=drain_s))
        except KeyboardInterrupt:
            finish(self._hosted.shutdown(drain_s=0.0))
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown(drain_s=None if kind is None else 0.0)

    # --- asking ---------------------------------------------------------------------------------------

    def generate(self, prompt: Prompt, **options: Unpack[AskOptions]) -> LLMResponse:
        """See `LLMAgent.generate`."""
        return finish(self._hosted.generate(prompt, **options))

    def stream(self, prompt: Prompt, **options: Unpack[AskOptions]) -> SyncStream:
        """See `LLMAgent.stream`."""
        return SyncStream(self._hosted.stream(prompt, **options))

    def begin(self, prompt: Prompt, *, streamed: bool = True, **options: Unpack[AskOptions]) -> SyncStream:
        """See `LLMAgent.begin`."""
        return SyncStream(self._hosted.begin(prompt, streamed=streamed, **options))

    def stream_sse(self, prompt: Prompt, **options: Unpack[AskOptions]) -> SyncSSEStream:
        """See `LLMAgent.stream_sse`."""
        return SyncSSEStream(self._hosted.stream_sse(prompt, **options))

    def embed(self, inputs: str | Sequence[str], **options: Unpack[EmbedOptions]) -> EmbeddingResponse:
        """See `LLMAgent.embed`."""
        return finish(self._hosted.embed(inputs, **options))

    def explain(self, prompt: Prompt, *, streamed: bool = False, **options: Unpack[AskOptions]) -> Route:
        """See `LLMAgent.explain`."""
        return finish(self._hosted.explain(prompt, streamed=streamed, **options))

    def count_tokens(self, prompt: Prompt, *, exact: bool | None = None, **ask: Unpack[AskOptions]) -> TokenCount:
        """See `LLMAgent.count_tokens`."""
        return finish(self._hosted.count_tokens(prompt, exact=exact, **ask))

    # --- conversations --------------------------------------------------------------------------------

    def chat(self, message: Message, conversation_id: str | None = None, **options: Unpack[ChatOptions]) -> LLMResponse:
        """See `LLMAgent.chat`."""
        return finish(self._hosted.chat(message, conversation_id, **options))

    def chat_stream(
        self, message: Message, conversation_id: str | None = None, **options: Unpack[ChatOptions]
    ) -> SyncStream:
        """See `LLMAgent.chat_stream`."""
        return SyncStream(self._hosted.chat_stream(message, conversation_id, **options))

    def begin_chat(
        self,
        message: Message,
        conversation_id: str | None = None,
        *,
        streamed: bool = True,
        **options: Unpack[ChatOptions],
    ) -> SyncStream:
        """See `LLMAgent.begin_chat`."""
        return SyncStream(self._hosted.begin_chat(message, conversation_id, streamed=streamed, **options))

    def create_conversation(self, conversation_id: str | None = None, *, system_prompt: str | None = None) -> str:
        """See `LLMAgent.create_conversation`."""
        return finish(self._hosted.create_conversation(conversation_id, system_prompt=system_prompt))

    def get_conversation(self, conversation_id: str) -> Conversation:
        """See `LLMAgent.get_conversation`."""
        return finish(self._hosted.get_conversation(conversation_id))

    def delete_conversation(self, conversation_id: str) -> bool:
        """See `LLMAgent.delete_conversation`."""
        return finish(self._hosted.delete_conversation(conversation_id))

    # --- providers ------------------------------------------------------------------------------------

    def get_available_providers(self) -> list[str]:
        """See `LLMAgent.get_available_providers`."""
        return self._hosted.get_available_providers()

    def get_provider_status(self) -> dict[str, ProviderState]:
        """See `LLMAgent.get_provider_status`."""
        return finish(self._hosted.get_provider_status())

    def switch_provider(self, name: str, model: str | None = None) -> None:
        """See `LLMAgent.switch_provider`."""
        finish(self._hosted.switch_provider(name, model))

    # --- the books ------------------------------------------------------------------------------------

    def get_usage_stats(self, *, by: By = BY_MODEL) -> UsageReport:
        """See `LLMAgent.get_usage_stats`."""
        return finish(self._hosted.get_usage_stats(by=by))

    def get_usage_summary(self, days: float = 1.0, *, by: By = BY_MODEL) -> UsageReport:
        """See `LLMAgent.get_usage_summary`."""
        return finish(self._hosted.get_usage_summary(days, by=by))

    def request_status(self, request_key: str) -> RequestStatus:
        """See `LLMAgent.request_status`."""
        return finish(self._hosted.request_status(request_key))

    def get_limits(self) -> RateLimiter:
        """See `LLMAgent.get_limits`."""
        return finish(self._hosted.get_limits())

    def token_tracker(self) -> TokenTracker:
        """See `LLMAgent.token_tracker`."""
        return self._hosted.token_tracker()

    def get_routing_metrics(self) -> RoutingMetrics:
        """See `LLMAgent.get_routing_metrics`."""
        return finish(self._hosted.get_routing_metrics())

    # --- watching -------------------------------------------------------------------------------------

    def events(self, capacity: int = 256) -> SyncEvents:
        """See `LLMAgent.events`."""
        return SyncEvents(self._hosted.events(capacity))

    def health(self) -> Health:
        """See `LLMAgent.health`."""
        return finish(self._hosted.health())

    # --- another configuration ------------------------------------------------------------------------

    def reload(self, config: Source = None) -> Reloaded:
        """See `LLMAgent.reload`."""
        return finish(self._hosted.reload(config))
