"""Own `AgentConfig`: what one agent's requests are like where they do not say otherwise themselves.

The configuration (`LLMConfig`, a file) says what there is: providers, limits, books. This says how one agent uses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from manus.asking import checked_fields, given_options
from manus.config.load import Source
from manus.config.routing_schema import RoutingStrategy
from manus.errors import ConfigurationError, InvalidRequestError
from manus.prompts import turns_of


class AgentConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The defaults of one agent. What is left out is the configuration's or the vendor's.

    Args:
        provider, model: the first choice, as `switch_provider` sets it; `model` alone is that model wherever it is.
        temperature, max_tokens, system_prompt: of every answer; embeddings are not concerned.
        streaming: whether answers are streamed where the caller leaves it open (`enable_streaming`).
        routing_strategy: how candidates are ordered, a `RoutingStrategy` or its name.
        fallback_providers: who is asked next: `entry` or `entry/model`.
        timeout: each request's time in seconds, all attempts included.
        enable_fallback: False asks nobody but the first choice.
    """

    provider: str | None = None
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    system_prompt: str | None = None
    streaming: bool | None = None
    routing_strategy: RoutingStrategy | str | None = None
    fallback_providers: Sequence[str] | None = None
    timeout: float | None = None
    enable_fallback: bool = True

    def options(self) -> dict[str, Any]:
        """Give the options that every request of the agent has. Any: each option has its own type.

        Raises:
            ConfigurationError: one of them cannot be.
        """
        if not self.enable_fallback and self.fallback_providers:
            raise ConfigurationError("AgentConfig.fallback_providers: names somebody although enable_fallback is False")
        given: dict[str, Any] = {
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "routing_strategy": self.routing_strategy,
            "fallback_providers": self.fallback_providers if self.enable_fallback else (),
            "timeout_s": self.timeout,
        }
        options = given_options(given, tuple(given))
        try:
            checked_fields(options)
            if self.system_prompt is not None:
                turns_of("", system_prompt=self.system_prompt)
                options["system_prompt"] = self.system_prompt
        except InvalidRequestError as error:
            named = str(error).replace("timeout_s:", "timeout:", 1)
            raise ConfigurationError(f"AgentConfig.{named}") from None
        return options


def told_apart(config: Source | AgentConfig, config_path: Source) -> tuple[Source, AgentConfig]:
    """Tell the configuration from the agent's defaults, whichever of them was handed over.

    Raises:
        ConfigurationError: two configurations, and no saying which of them holds.
    """
    if isinstance(config, AgentConfig):
        return config_path, config
    if config is not None and config_path is not None:
        raise ConfigurationError("config and config_path both name a configuration; leave out one of them")
    return (config_path if config is None else config), AgentConfig()
