"""Own `load_config` of the public face: a checked configuration, or a `ConfigurationError` with all that is wrong."""

from __future__ import annotations

import os
from pathlib import Path

from manus.config.load import Loaded, Source, load, state_directory
from manus.config.problems import InvalidConfig
from manus.config.schema import LLMConfig
from manus.errors import configuration_error


def load_config(path: str | Path | None = None) -> LLMConfig:
    """Load the configuration from `path`, or from where it is usually found.

    The search order: `$MANUS_CONFIG`, `config/llm.toml`, `llm.toml`, the user's configuration directory, and last
    what the environment offers (keys, a local Ollama, the embedded model).

    Raises:
        ConfigurationError: it cannot be used; the error lists every problem.
    """
    return load_source(path).config


def load_source(source: Source) -> Loaded:
    """Load and check whatever a program hands over as a configuration.

    Raises:
        ConfigurationError: it cannot be used.
    """
    try:
        return load(source)
    except InvalidConfig as invalid:
        raise configuration_error(invalid) from None


def state_directory_of_user() -> Path | None:
    """Give the directory for the ledger of a configuration that names none."""
    return state_directory(os.environ)
