"""Own the configuration of a machine that has no file: what the usual environment variables and wheels offer.

Everything found is said in a note, because nobody wrote it down; a file of one's own overrides all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from manus.config.environment_vendors import VENDORS, Variables
from manus.config.problems import InvalidConfig, Problem
from manus.config.schema import LLMConfig, ModelConfig, ProviderConfig
from manus.config.wheels import LOCAL_MODEL, LOCAL_WHEELS


class Found(msgspec.Struct, frozen=True):
    """What the environment offers, and one sentence on each thing for people."""

    config: LLMConfig
    notes: tuple[str, ...]


def config_from_environment(environ: Mapping[str, str], *, installed: Callable[[str], bool]) -> Found:
    """Make a configuration out of what is there, best first: the vendors, Ollama, the embedded local model.

    Args:
        environ: the environment's variables.
        installed: whether a module can be imported; it must not import it.

    Raises:
        InvalidConfig: nothing was found; it says what can be done.
    """
    providers: dict[str, ProviderConfig] = {}
    notes: list[str] = []
    for name, read in VENDORS.items():
        variables = Variables(environ)
        match read(variables, installed):
            case ProviderConfig() as entry:
                providers[name] = entry
                asked = "" if entry.models else ", asked only for models that are named"
                notes.append(f"provider {name}: found by {' and '.join(variables.found)}{asked}")
            case str() as why_not:
                notes.append(why_not)
            case None:
                pass
    if all(installed(wheel) for wheel in LOCAL_WHEELS):
        providers["local"] = local_provider()
        notes.append(f"provider local: the embedded model {LOCAL_MODEL}, run on this machine")
    if not providers:
        words = ("no configuration file and no provider found.", *(f"{note}." for note in notes), *_WHAT_TO_DO)
        raise InvalidConfig([Problem(message=" ".join(words))])
    return Found(LLMConfig(providers=providers), tuple(notes))


def local_provider() -> ProviderConfig:
    """Describe the embedded local model: asked last, and free."""
    model = ModelConfig(name=LOCAL_MODEL, cost_per_input=0, cost_per_output=0)
    return ProviderConfig(type="local", priority=1000, models=(model,))


_WHAT_TO_DO: Final = (
    "Do one of these: set OPENAI_API_KEY, ANTHROPIC_API_KEY or another vendor's variables (docs/configuration.md);",
    "set OLLAMA_HOST to a running Ollama (OLLAMA_MODEL names its model);",
    "install the embedded local model (make setup);",
    "or write a file with `manus config init` and edit it.",
)
