"""Own the contract of every agent: what may be asked of one, from whatever loop or thread.

Three faces keep it: `trio_agent.TrioAgent` in the caller's own Trio loop, `hosts.HostedAgent` for asyncio and Trio with
the runtime in a thread of its own, and `hosts.SyncAgent`, the same methods without `await`, for threads and scripts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol, Self, Unpack

from manus.asking import AskOptions, ChatOptions
from manus.books import BY_MODEL, By
from manus.config.load import Source
from manus.config.schema import LLMConfig
from manus.conversations import Conversation, Message
from manus.embedding import EmbeddingResponse, EmbedOptions
from manus.health_report import Health
from manus.limit_reports import RateLimiter
from manus.messages.accounting import RequestStatus
from manus.messages.outcomes import Route
from manus.messages.routing import RoutingMetrics
from manus.prompts import Prompt
from manus.reloading import Reloaded
from manus.reports import ProviderState, UsageReport
from manus.responses import LLMResponse
from manus.streams import LLMStream, SSEStream
from manus.token_counts import TokenCount
from manus.token_tracker import TokenTracker


class AgentEvents(Protocol):
    """What `LLMAgent.events` gives: an async iterator over events, and a context manager that closes it."""

    def __aiter__(self) -> Self:
        """Give itself."""

    async def __anext__(self) -> object:
        """Wait for the next event. Cancelled, it takes nothing."""

    def close(self) -> None:
        """Stop collecting; what has come can still be read. Synchronous; closing twice is fine."""

    def __enter__(self) -> Self:
        """Give itself."""

    def __exit__(self, *_: object) -> None:
        """Close it."""


class LLMAgent(ABC):
    """Ask the best of the configured models. Made by `open_agent` or `create_agent`."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(self.get_available_providers())}>"

    @property
    @abstractmethod
    def config(self) -> LLMConfig:
        """The configuration that is in force. A reload puts another one in its place, so keep no copy."""

    @property
    @abstractmethod
    def notes(self) -> tuple[str, ...]:
        """What the configuration wants said aloud: providers found by themselves, and warnings."""

    @property
    @abstractmethod
    def origin(self) -> str:
        """Where the configuration came from."""

    @property
    @abstractmethod
    def enable_streaming(self) -> bool:
        """Whether the configuration wants answers streamed where the caller leaves it open."""

    # --- asking ---------------------------------------------------------------------------------------

    @abstractmethod
    async def generate(self, prompt: Prompt, **options: Unpack[AskOptions]) -> LLMResponse:
        """Ask, and wait for the whole answer. Failover is invisible but for `response.route`.

        Cancelled, the call upstream is cancelled with it and what was used is settled.

        Raises:
            InvalidRequestError: the request is wrong in itself; nothing was sent.
            LLMError: it failed; the tree of errors is drawn in `manus.errors`.
        """

    def stream(self, prompt: Prompt, **options: Unpack[AskOptions]) -> LLMStream:
        """Ask, and get the answer in chunks as it comes. The request is on its way when this returns.

        Raises:
            InvalidRequestError: what was given is of no shape that a request has. All else is raised by the stream.
        """
        return self.begin(prompt, **options)

    @abstractmethod
    def begin(self, prompt: Prompt, *, streamed: bool = True, **options: Unpack[AskOptions]) -> LLMStream:
        """Ask, and get a handle that can be cancelled and still tells what was used: what `stream` is made of.

        With `streamed=False` the provider is asked for the answer in one piece, and there is one chunk, the final one.

        Raises:
            InvalidRequestError: what was given is of no shape that a request has. All else is raised by the stream.
        """

    def stream_sse(self, prompt: Prompt, **options: Unpack[AskOptions]) -> SSEStream:
        """Ask, and get the answer as server-sent events: text with ids, ending in `final` or `error`."""
        return SSEStream(self.stream(prompt, **options))

    @abstractmethod
    async def embed(self, inputs: str | Sequence[str], **options: Unpack[EmbedOptions]) -> EmbeddingResponse:
        """Turn texts into vectors, in their order. Any number of them: the calls that a vendor takes are made in turn.

        All vectors are of one model. Failover goes to other deployments of that model, unless `fallback_providers`
        names who else may answer, from the start and with a model of its own.

        Raises:
            InvalidRequestError: the request is wrong in itself; nothing was sent.
            LLMError: it failed; the tree of errors is drawn in `manus.errors`. Vectors that earlier calls gave are in
                `error.partial.vectors`, packed as float32, for the first of the texts.
        """

    @abstractmethod
    async def explain(self, prompt: Prompt, *, streamed: bool = False, **options: Unpack[AskOptions]) -> Route:
        """Tell how a request would be routed now, without making it: nothing is sent and nothing booked.

        Raises:
            InvalidRequestError: the request is wrong in itself.
            LLMError: nobody could answer it; the text lists each candidate and why it was left out.
        """

    @abstractmethod
    async def count_tokens(self, prompt: Prompt, *, exact: bool | None = None, **ask: Unpack[AskOptions]) -> TokenCount:
        """Count a prompt for whoever would be asked; `exact` insists on the vendor's own count (True) or on ours."""

    # --- conversations --------------------------------------------------------------------------------

    @abstractmethod
    async def chat(
        self, message: Message, conversation_id: str | None = None, **options: Unpack[ChatOptions]
    ) -> LLMResponse:
        """Say something in a conversation, and wait for the answer; both become its history.

        Turns of one conversation run one after another, in the order of asking. A turn that fails, is cancelled or
        comes too late leaves the history as it was.

        Args:
            message: text, parts, results of tools, or whatever else `generate` takes.
            conversation_id: the conversation; one that there is not yet is begun, and None begins a new one. Its name
                is in the response.
            options: those of `generate`. `system_prompt` becomes the conversation's, in place of the one that it had.

        Raises:
            InvalidRequestError: the request is wrong in itself; nothing was sent.
            LLMError: it failed; the tree of errors is drawn in `manus.errors`.
        """

    def chat_stream(
        self, message: Message, conversation_id: str | None = None, **options: Unpack[ChatOptions]
    ) -> LLMStream:
        """Say something in a conversation, and get the answer in chunks; what `chat` promises holds here too.

        Raises:
            InvalidRequestError: what was given is of no shape that a request has. All else is raised by the stream.
        """
        return self.begin_chat(message, conversation_id, **options)

    @abstractmethod
    def begin_chat(
        self,
        message: Message,
        conversation_id: str | None = None,
        *,
        streamed: bool = True,
        **options: Unpack[ChatOptions],
    ) -> LLMStream:
        """Say something in a conversation, and get a handle that can be cancelled: what `chat_stream` is made of.

        Raises:
            InvalidRequestError: what was given is of no shape that a request has. All else is raised by the stream.
        """

    @abstractmethod
    async def create_conversation(self, conversation_id: str | None = None, *, system_prompt: str | None = None) -> str:
        """Begin a conversation, and give its name: the given one, or a new one.

        Raises:
            InvalidRequestError: there is one of this name already.
            OverloadedError: there is no room for one more (`conversations.when_full`).
        """

    @abstractmethod
    async def get_conversation(self, conversation_id: str) -> Conversation:
        """Give a conversation as it is now, without the turn that may run in it.

        Raises:
            ConversationNotFoundError: there is none of this name.
        """

    @abstractmethod
    async def delete_conversation(self, conversation_id: str) -> bool:
        """Forget a conversation, and tell whether there was one. Turns that run or wait in it are cancelled."""

    # --- providers ------------------------------------------------------------------------------------

    @abstractmethod
    def get_available_providers(self) -> list[str]:
        """Name the enabled providers, the one that is asked first before the others."""

    @abstractmethod
    async def get_provider_status(self) -> dict[str, ProviderState]:
        """Tell how each provider is doing, those that are switched off included.

        Never waits longer than a second: of an actor that is too busy to answer, its supervisor tells.
        """

    @abstractmethod
    async def switch_provider(self, name: str, model: str | None = None) -> None:
        """Make `name` (and `model`, if given) the first choice of this agent's later requests, and change nothing else.

        Raises:
            InvalidRequestError: there is no such provider, or it has no such model.
        """

    # --- the books ------------------------------------------------------------------------------------

    @abstractmethod
    async def get_usage_stats(self, *, by: By = BY_MODEL) -> UsageReport:
        """Give the books of all time; crashed runs and other processes on the same ledger are in them.

        Args:
            by: what they are split by: `provider`, `model`, `deployment`, `key`, `tag`, `conversation`, `day`, or
                several of these, in the order of the lines.
        """

    @abstractmethod
    async def get_usage_summary(self, days: float = 1.0, *, by: By = BY_MODEL) -> UsageReport:
        """Give the books of the last `days` days, counted back from now, split as `get_usage_stats` tells."""

    @abstractmethod
    async def request_status(self, request_key: str) -> RequestStatus:
        """Tell what became of the latest request that was made with this `request_key`, by whatever process.

        The ledger knows it also after a crash. Of a key that it does not know nothing was ever sent, or longer ago than
        its rows are kept; books in memory know their own process's latest.
        """

    @abstractmethod
    async def get_limits(self) -> RateLimiter:
        """Tell how far every limit and budget is used now, those that the vendors' headers taught included."""

    @abstractmethod
    def token_tracker(self) -> TokenTracker:
        """Count what this agent's attempts use from now on, live and without a look at the ledger."""

    @abstractmethod
    async def get_routing_metrics(self) -> RoutingMetrics:
        """Give the router's counts since the agent was opened."""

    # --- watching -------------------------------------------------------------------------------------

    @abstractmethod
    def events(self, capacity: int = 256) -> AgentEvents:
        """Subscribe to what happens inside: an async iterator and a context manager, which closes it.

        A reader that falls behind by more than `capacity` events loses the oldest, and is told how many.
        """

    @abstractmethod
    async def health(self) -> Health:
        """Tell what works and what does not, and why. Never waits longer than a second, and raises nothing of its own.

        `status` is `ok`, `degraded` (requests are answered, and something should be looked at) or `unavailable`.
        """

    # --- another configuration ------------------------------------------------------------------------

    @abstractmethod
    async def reload(self, config: Source = None) -> Reloaded:
        """Put another configuration in force while requests run, and tell what it has changed.

        Entries of providers that differ get new actors, the others are not touched. Nothing in flight is dropped:
        calls that are being made end as they were begun, streams run on, and a request that is between two attempts
        goes on with what there is. What was used of limits and budgets stays used. Two reloads at once are one after
        the other; cancelled, a reload goes on without its caller.

        Args:
            config: a path, an `LLMConfig` or a mapping in the file's shape; None reads again what the agent was opened
                with, or what the latest reload was given.

        Raises:
            ConfigurationError: it is wrong, all problems listed, or names what needs a restart. Nothing has changed.
            ReloadError: an actor did not start, or the agent closes. Nothing has changed.
        """
