"""Manus: a supervised LLM agent layer on Trio. The public names, resolved when they are first used.

```python
async with manus.open_agent("llm.toml") as agent:
    response = await agent.generate("Hello")
    async for chunk in agent.stream("Tell me a story"):
        print(chunk.delta, end="")
```
Importing this package loads no loop and no HTTP: a name's module is imported when the name is asked for (PEP 562).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from manus._version import __version__

if TYPE_CHECKING:
    from manus.agent import AgentEvents as AgentEvents
    from manus.agent import LLMAgent as LLMAgent
    from manus.agent_config import AgentConfig as AgentConfig
    from manus.asking import AskOptions as AskOptions
    from manus.asking import ChatOptions as ChatOptions
    from manus.attachments import document as document
    from manus.attachments import image as image
    from manus.config.limit_schema import BudgetsConfig as BudgetsConfig
    from manus.config.limit_schema import BudgetsTable as BudgetsTable
    from manus.config.limit_schema import LimitsConfig as LimitsConfig
    from manus.config.limit_schema import LimitsTable as LimitsTable
    from manus.config.limit_schema import RollingBudget as RollingBudget
    from manus.config.routing_schema import RoutingStrategy as RoutingStrategy
    from manus.config.schema import KeyConfig as KeyConfig
    from manus.config.schema import LLMConfig as LLMConfig
    from manus.config.schema import ModelConfig as ModelConfig
    from manus.config.schema import ProviderConfig as ProviderConfig
    from manus.config.secrets import Secret as Secret
    from manus.conversations import Conversation as Conversation
    from manus.embedding import EmbeddingResponse as EmbeddingResponse
    from manus.embedding import EmbedOptions as EmbedOptions
    from manus.errors import AuthenticationError as AuthenticationError
    from manus.errors import BudgetExceededError as BudgetExceededError
    from manus.errors import ConfigurationError as ConfigurationError
    from manus.errors import ContentPolicyError as ContentPolicyError
    from manus.errors import ContextLengthError as ContextLengthError
    from manus.errors import ConversationNotFoundError as ConversationNotFoundError
    from manus.errors import FallbackError as FallbackError
    from manus.errors import InternalError as InternalError
    from manus.errors import InvalidRequestError as InvalidRequestError
    from manus.errors import LedgerError as LedgerError
    from manus.errors import LLMError as LLMError
    from manus.errors import OutputFormatError as OutputFormatError
    from manus.errors import OverloadedError as OverloadedError
    from manus.errors import ProviderError as ProviderError
    from manus.errors import RateLimitError as RateLimitError
    from manus.errors import ReloadError as ReloadError
    from manus.errors import RequestCancelledError as RequestCancelledError
    from manus.errors import StreamingError as StreamingError
    from manus.errors import TimeoutError as TimeoutError  # noqa: A004
    from manus.errors import TokenLimitError as TokenLimitError
    from manus.health_report import Health as Health
    from manus.hosts.hosted_agent import HostedAgent as HostedAgent
    from manus.hosts.hosted_agent import create_agent as create_agent
    from manus.hosts.hosted_stream import HostedStream as HostedStream
    from manus.hosts.sync_agent import SyncAgent as SyncAgent
    from manus.hosts.sync_agent import open_sync as open_sync
    from manus.hosts.sync_stream import SyncStream as SyncStream
    from manus.limit_reports import RateLimiter as RateLimiter
    from manus.loading import load_config as load_config
    from manus.messages.accounting import RequestStatus as RequestStatus
    from manus.messages.content import Document as Document
    from manus.messages.content import Image as Image
    from manus.messages.content import Text as Text
    from manus.messages.content import ToolCall as ToolCall
    from manus.messages.content import ToolResult as ToolResult
    from manus.messages.content import Turn as Turn
    from manus.messages.conversations import Exchange as Exchange
    from manus.messages.outcomes import Route as Route
    from manus.messages.requests import OutputFormat as OutputFormat
    from manus.messages.requests import ReasoningOptions as ReasoningOptions
    from manus.messages.requests import RoutingCriteria as RoutingCriteria
    from manus.messages.requests import Tool as Tool
    from manus.messages.requests import ToolChoice as ToolChoice
    from manus.opening import open_agent as open_agent
    from manus.reloading import Reloaded as Reloaded
    from manus.reports import ProviderState as ProviderState
    from manus.reports import UsageLine as UsageLine
    from manus.reports import UsageReport as UsageReport
    from manus.responses import LLMResponse as LLMResponse
    from manus.responses import ResponseUsage as ResponseUsage
    from manus.responses import StreamChunk as StreamChunk
    from manus.stream_handler import StreamContext as StreamContext
    from manus.stream_handler import StreamHandler as StreamHandler
    from manus.streams import LLMStream as LLMStream
    from manus.streams import SSEStream as SSEStream
    from manus.token_counts import TokenCount as TokenCount
    from manus.token_tracker import TokenTotals as TokenTotals
    from manus.token_tracker import TokenTracker as TokenTracker
    from manus.trio_agent import TrioAgent as TrioAgent
    from manus.trio_stream import TrioStream as TrioStream

_MODULES = {
    "agent": ("AgentEvents", "LLMAgent"),
    "agent_config": ("AgentConfig",),
    "asking": ("AskOptions", "ChatOptions"),
    "attachments": ("document", "image"),
    "config.limit_schema": ("BudgetsConfig", "BudgetsTable", "LimitsConfig", "LimitsTable", "RollingBudget"),
    "config.routing_schema": ("RoutingStrategy",),
    "config.schema": ("KeyConfig", "LLMConfig", "ModelConfig", "ProviderConfig"),
    "config.secrets": ("Secret",),
    "conversations": ("Conversation",),
    "embedding": ("EmbedOptions", "EmbeddingResponse"),
    "errors": (
        "AuthenticationError",
        "BudgetExceededError",
        "ConfigurationError",
        "ContentPolicyError",
        "ContextLengthError",
        "ConversationNotFoundError",
        "FallbackError",
        "InternalError",
        "InvalidRequestError",
        "LLMError",
        "LedgerError",
        "OutputFormatError",
        "OverloadedError",
        "ProviderError",
        "RateLimitError",
        "ReloadError",
        "RequestCancelledError",
        "StreamingError",
        "TimeoutError",
        "TokenLimitError",
    ),
    "health_report": ("Health",),
    "hosts.hosted_agent": ("HostedAgent", "create_agent"),
    "hosts.hosted_stream": ("HostedStream",),
    "hosts.sync_agent": ("SyncAgent", "open_sync"),
    "hosts.sync_stream": ("SyncStream",),
    "limit_reports": ("RateLimiter",),
    "loading": ("load_config",),
    "messages.accounting": ("RequestStatus",),
    "messages.content": ("Document", "Image", "Text", "ToolCall", "ToolResult", "Turn"),
    "messages.conversations": ("Exchange",),
    "messages.outcomes": ("Route",),
    "messages.requests": ("OutputFormat", "ReasoningOptions", "RoutingCriteria", "Tool", "ToolChoice"),
    "opening": ("open_agent",),
    "reloading": ("Reloaded",),
    "reports": ("ProviderState", "UsageLine", "UsageReport"),
    "responses": ("LLMResponse", "ResponseUsage", "StreamChunk"),
    "stream_handler": ("StreamContext", "StreamHandler"),
    "streams": ("LLMStream", "SSEStream"),
    "token_counts": ("TokenCount",),
    "token_tracker": ("TokenTotals", "TokenTracker"),
    "trio_agent": ("TrioAgent",),
    "trio_stream": ("TrioStream",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = ["__version__", *sorted(_MODULE_OF)]  # the table above is the one list of names


def __getattr__(name: str) -> object:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'manus' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"manus.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
