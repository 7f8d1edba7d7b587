"""Own the configuration of a machine that has no file: what the usual environment variables and wheels offer.

Everything found is said in a note, because nobody wrote it down. Prices of the models named here are dated data,
read 2026-11-22 from genai-prices 0.2.3; a file of one's own overrides all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from manus.config.problems import InvalidConfig, Problem
from manus.config.schema import LLMConfig, ModelConfig, ProviderConfig
from manus.config.secrets import Secret
from manus.config.wheels import LOCAL_WHEELS

OPENAI_MODELS: Final = (
    ModelConfig(
        name="gpt-5.4-mini",
        cost_per_input=0.75,
        cost_per_cache_read=0.075,
        cost_per_output=4.5,
        context_length=400_000,
    ),
    ModelConfig(name="gpt-5.4", cost_per_input=2.5, cost_per_cache_read=0.25, cost_per_output=15),
    ModelConfig(
        name="gpt-4o-mini",
        cost_per_input=0.15,
        cost_per_cache_read=0.075,
        cost_per_output=0.6,
        context_length=128_000,
    ),
)

LOCAL_MODEL: Final = "smollm2-135m-instruct"

OLLAMA_PORT: Final = 11434

NOT_SPOKEN: Final = {
    "ANTHROPIC_API_KEY": "anthropic",
    "AZURE_OPENAI_API_KEY": "azure",
    "AWS_BEARER_TOKEN_BEDROCK": "bedrock",
}
"""Variables of providers that this version cannot talk to; worth a word, not an error."""


class Found(msgspec.Struct, frozen=True):
    """What the environment offers, and one sentence on each thing for people."""

    config: LLMConfig
    notes: tuple[str, ...]


def config_from_environment(environ: Mapping[str, str], *, installed: Callable[[str], bool]) -> Found:
    """Make a configuration out of what is there, best first: OpenAI, Ollama, the embedded local model.

    Args:
        environ: the environment's variables.
        installed: whether a top-level module can be imported; it must not import it.

    Raises:
        InvalidConfig: nothing was found; it says what can be done.
    """
    providers: dict[str, ProviderConfig] = {}
    notes: list[str] = []
    if environ.get("OPENAI_API_KEY", "").strip() or environ.get("OPENAI_BASE_URL", "").strip():
        providers["openai"], note = _openai(environ)
        notes.append(note)
    if environ.get("OLLAMA_HOST", "").strip():
        providers["ollama"], note = _ollama(environ)
        notes.append(note)
    if all(installed(wheel) for wheel in LOCAL_WHEELS):
        providers["local"] = local_provider()
        notes.append(f"provider local: the embedded model {LOCAL_MODEL}, run on this machine")
    notes.extend(
        f"{variable} is set, but providers of type {kind} are not available in this version"
        for variable, kind in NOT_SPOKEN.items()
        if environ.get(variable)
    )
    if not providers:
        raise InvalidConfig([Problem(message=" ".join(("no configuration file and no provider found.", *_WHAT_TO_DO)))])
    return Found(LLMConfig(providers=providers), tuple(notes))


def local_provider() -> ProviderConfig:
    """Describe the embedded local model: asked last, and free."""
    model = ModelConfig(name=LOCAL_MODEL, cost_per_input=0, cost_per_output=0)
    return ProviderConfig(type="local", priority=1000, models=(model,))


def ollama_url(host: str) -> str:
    """Spell `OLLAMA_HOST` as a URL the way Ollama's own client reads it.

    `[scheme://]host[:port][/path]`: http and port 11434 where there is no scheme, else the scheme's own port;
    0.0.0.0, which servers listen on, is reached at 127.0.0.1 (Ollama, envconfig, read 2026-08).
    """
    text = host.strip().strip("\"'")
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "https" if text.split("/")[0].split(":")[0] == "ollama.com" else "http", text
    address, _, path = rest.partition("/")
    name, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or (name.startswith("[") and not name.endswith("]")):
        name, port = address.removesuffix(":"), ""
    if name in ("", "0.0.0.0", "[::]"):  # noqa: S104  # compared with, not listened on
        name = "127.0.0.1"
    if not port and not separator and scheme == "http":
        port = str(OLLAMA_PORT)
    return f"{scheme}://{name}{':' if port else ''}{port}{'/' if path else ''}{path}".rstrip("/")


def _openai(environ: Mapping[str, str]) -> tuple[ProviderConfig, str]:
    key = environ.get("OPENAI_API_KEY", "").strip()
    url = environ.get("OPENAI_BASE_URL", "").strip() or None
    model = environ.get("OPENAI_MODEL", "").strip()
    models = (ModelConfig(name=model),) if model else ()
    entry = ProviderConfig(
        type="openai",
        priority=10,
        api_key=Secret(key, source="${OPENAI_API_KEY}") if key else None,
        base_url=url,
        organization=environ.get("OPENAI_ORG_ID", "").strip() or None,
        project=environ.get("OPENAI_PROJECT_ID", "").strip() or None,
        models=models or (OPENAI_MODELS if url is None else ()),
        any_model=True,
    )
    found = [name for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL") if environ.get(name, "").strip()]
    return entry, f"provider openai: found by {' and '.join(found)}"


def _ollama(environ: Mapping[str, str]) -> tuple[ProviderConfig, str]:
    key = environ.get("OLLAMA_API_KEY", "").strip()
    model = environ.get("OLLAMA_MODEL", "").strip()
    entry = ProviderConfig(
        type="ollama",
        priority=20,
        api_key=Secret(key, source="${OLLAMA_API_KEY}") if key else None,
        base_url=ollama_url(environ["OLLAMA_HOST"]),
        models=(ModelConfig(name=model, cost_per_input=0, cost_per_output=0),) if model else (),
        any_model=True,
    )
    return entry, "provider ollama: found by OLLAMA_HOST"


_WHAT_TO_DO: Final = (
    "Do one of these: set OPENAI_API_KEY;",
    "set OLLAMA_HOST to a running Ollama (OLLAMA_MODEL names its model);",
    "install the embedded local model (make setup);",
    "or write a file with `manus config init` and edit it.",
)
