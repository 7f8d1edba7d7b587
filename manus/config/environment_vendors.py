"""Own what each vendor's usual environment variables mean: one entry per vendor, or a word on what is missing.

The variables are those that the vendors' own tools read (anthropic.md section 1, azure.md section 2, bedrock.md
section 1, openai.md section 1, ollama.md section 1); `..._MODEL` names the model to ask where none is named.
"""

from __future__ import annotations

import configparser
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from manus.config.schema import ModelConfig, ProviderConfig
from manus.config.secrets import Secret

OPENAI_MODELS: Final = ("gpt-5.4-mini", "gpt-5.4", "gpt-4o-mini")
ANTHROPIC_MODELS: Final = ("claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5")
"""What is offered where nobody names a model; what they cost and can do is in the catalogue."""

OLLAMA_PORT: Final = 11434

COMPATIBLE: Final[Mapping[str, str]] = {
    "openrouter": "https://openrouter.ai/api/v1",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "together": "https://api.together.xyz/v1",
}
"""Vendors whose servers speak OpenAI's wire, and where; the key of each is in `<NAME>_API_KEY`."""

_CONFIG_BYTES_MAX: Final = 1024 * 1024


class Variables:
    """The environment's variables, blank ones left out, and a note of those that were read and found."""

    __slots__ = ("_environ", "found")

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.found: list[str] = []

    def text(self, *names: str) -> str | None:
        """Give the first of these variables that is set to something."""
        for name in names:
            value = self._environ.get(name, "").strip()
            if value:
                self.found.append(name)
                return value
        return None

    def secret(self, *names: str) -> Secret | None:
        """Give the first of these variables that is set, as a secret."""
        value = self.text(*names)
        return None if value is None else Secret(value, source=f"${{{self.found[-1]}}}")

    def peek(self, name: str) -> str | None:
        """Give a variable without noting it."""
        return self._environ.get(name, "").strip() or None

    def models(self, *names: str, usual: tuple[str, ...] = ()) -> tuple[ModelConfig, ...]:
        """Give the model that a variable names, else the usual ones."""
        named = self.text(*names)
        return tuple(ModelConfig(name=name) for name in (usual if named is None else (named,)))


Installed = Callable[[str], bool]
"""Whether a module can be imported; it must not import it."""

Offer = ProviderConfig | str | None
"""An entry; or one sentence on why there is none although something is set; or nothing at all."""


def openai(variables: Variables, installed: Installed) -> Offer:
    """OpenAI itself, or a server that speaks its wire."""
    if not variables.peek("OPENAI_API_KEY") and not variables.peek("OPENAI_BASE_URL"):
        return None
    key, url = variables.secret("OPENAI_API_KEY"), variables.text("OPENAI_BASE_URL")
    return ProviderConfig(
        type="openai",
        priority=10,
        api_key=key,
        base_url=url,
        organization=variables.text("OPENAI_ORG_ID"),
        project=variables.text("OPENAI_PROJECT_ID"),
        models=variables.models("OPENAI_MODEL", usual=OPENAI_MODELS if url is None else ()),
        any_model=True,
    )


def anthropic(variables: Variables, installed: Installed) -> Offer:
    """Anthropic; of a key and a token the key, for the service refuses both together."""
    key = variables.secret("ANTHROPIC_API_KEY")
    token = None if key is not None else variables.secret("ANTHROPIC_AUTH_TOKEN")
    if key is None and token is None:
        return None
    return ProviderConfig(
        type="anthropic",
        priority=11,
        api_key=key,
        auth_token=token,
        base_url=variables.text("ANTHROPIC_BASE_URL"),
        models=variables.models("ANTHROPIC_MODEL", usual=ANTHROPIC_MODELS),
        any_model=True,
    )


def azure(variables: Variables, installed: Installed) -> Offer:
    """An Azure OpenAI resource; its deployments are named by their owner, so one has to be named."""
    endpoint = variables.text("AZURE_OPENAI_ENDPOINT")
    if endpoint is None:
        set_ = [name for name in ("AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_API_KEY") if variables.peek(name)]
        return f"{set_[0]} is set and AZURE_OPENAI_ENDPOINT is not, so Azure is left out" if set_ else None
    token = variables.secret("AZURE_OPENAI_AD_TOKEN")
    key = None if token is not None else variables.secret("AZURE_OPENAI_API_KEY")
    if key is None and token is None and not installed("azure.identity"):
        return (
            "AZURE_OPENAI_ENDPOINT is set without AZURE_OPENAI_API_KEY, and tokens of Microsoft Entra ID need "
            'pip install "manus-llm[azure]", so Azure is left out'
        )
    return ProviderConfig(
        type="azure",
        priority=12,
        api_key=key,
        auth_token=token,
        entra=key is None and token is None,
        base_url=endpoint,
        api_version=variables.text("AZURE_OPENAI_API_VERSION", "OPENAI_API_VERSION"),
        models=variables.models("AZURE_OPENAI_DEPLOYMENT", "AZURE_OPENAI_DEPLOYMENT_NAME"),
        any_model=True,
    )


def bedrock(variables: Variables, installed: Installed) -> Offer:
    """Bedrock: a bearer key before access keys before a profile, as AWS's own tools rank them."""
    bearer = variables.secret("AWS_BEARER_TOKEN_BEDROCK")
    has_keys = variables.peek("AWS_ACCESS_KEY_ID") and variables.peek("AWS_SECRET_ACCESS_KEY")
    access_key = secret_key = session_token = profile = None
    if bearer is None and has_keys:
        access_key = variables.secret("AWS_ACCESS_KEY_ID")
        secret_key = variables.secret("AWS_SECRET_ACCESS_KEY")
        session_token = variables.secret("AWS_SESSION_TOKEN")
    elif bearer is None:
        profile = variables.text("AWS_PROFILE")
        if profile is None:
            return None
        if not installed("botocore"):
            return 'AWS_PROFILE is set, and reading it needs pip install "manus-llm[bedrock]", so Bedrock is left out'
    found = variables.found[0]
    region = variables.text("AWS_REGION", "AWS_DEFAULT_REGION") or _region_of_profile(variables)
    if region is None:
        return f"{found} is set and AWS_REGION is not, so Bedrock is left out"
    return ProviderConfig(
        type="bedrock",
        priority=13,
        api_key=bearer,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=session_token,
        profile=profile,
        region=region,
        base_url=variables.text("AWS_ENDPOINT_URL_BEDROCK_RUNTIME"),
        models=variables.models("BEDROCK_MODEL"),
        any_model=True,
    )


def compatible(name: str) -> Callable[[Variables, Installed], Offer]:
    """Make the reader of one of the `COMPATIBLE` vendors."""

    def read(variables: Variables, installed: Installed) -> Offer:
        key = variables.secret(f"{name.upper()}_API_KEY")
        if key is None:
            return None
        models = variables.models(f"{name.upper()}_MODEL")
        return ProviderConfig(
            type="openai", priority=15, api_key=key, base_url=COMPATIBLE[name], models=models, any_model=True
        )

    return read


def ollama(variables: Variables, installed: Installed) -> Offer:
    """A running Ollama, by its address."""
    host = variables.text("OLLAMA_HOST")
    if host is None:
        return None
    return ProviderConfig(
        type="ollama",
        priority=20,
        api_key=variables.secret("OLLAMA_API_KEY"),
        base_url=ollama_url(host),
        models=variables.models("OLLAMA_MODEL"),
        any_model=True,
    )


VENDORS: Final[Mapping[str, Callable[[Variables, Installed], Offer]]] = {
    "openai": openai,
    "anthropic": anthropic,
    "azure": azure,
    "bedrock": bedrock,
    **{name: compatible(name) for name in COMPATIBLE},
    "ollama": ollama,
}
"""Who is looked for, best first, by the name of the entry."""


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


def _region_of_profile(variables: Variables) -> str | None:
    """Read a profile's region in the configuration file of the AWS tools; None where there is none to be read."""
    named, home = variables.peek("AWS_CONFIG_FILE"), variables.peek("HOME")
    if named is None and home is None:
        return None
    path = Path(named) if named is not None else Path(home or "") / ".aws" / "config"
    parser = configparser.RawConfigParser()
    try:
        with path.expanduser().open(encoding="utf-8") as file:
            parser.read_string(file.read(_CONFIG_BYTES_MAX))
    except (OSError, RuntimeError, ValueError, configparser.Error):
        return None  # botocore reads it again where it matters, and says what is wrong with it
    profile = variables.peek("AWS_PROFILE")
    section = "default" if profile in (None, "default") else f"profile {profile}"
    return parser.get(section, "region", fallback="").strip() or None
