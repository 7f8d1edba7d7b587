"""Own what an entry is and where it lives: its type, its base URL, its region."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from manus.config.schema import ProviderConfig

TYPES: Final = ("openai", "anthropic", "bedrock", "ollama", "azure", "local")

DEFAULT_BASE_URLS: Final = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "ollama": "http://127.0.0.1:11434",
}
"""Of the types that live at one place; Bedrock has a host per region, Azure one per resource."""

BEDROCK_HOST: Final = "https://bedrock-runtime.{region}.amazonaws.com"

_BEDROCK_HOST = re.compile(r"bedrock(?:-runtime)?(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)")

_AZURE_PATHS: Final = ("/openai/v1", "/openai", "/models")
"""What people copy along with the endpoint of an Azure resource; the codec writes it itself. The last one is that of an
older API for other vendors' models, which v1 has as well."""

_ANTHROPIC_PATHS: Final = ("/v1/messages", "/v1")
"""The same for Anthropic and the servers that speak its wire."""


def type_of(name: str, entry: ProviderConfig) -> str | None:
    """Tell an entry's type: the one it states, or its name where that is a type; None where neither helps."""
    return entry.type or (name if name in TYPES else None)


def base_url_of(kind: str, entry: ProviderConfig) -> str | None:
    """Tell where an entry's API lives, without a slash at the end."""
    url = entry.base_url or DEFAULT_BASE_URLS.get(kind)
    if url is None and kind == "bedrock" and entry.region is not None:
        url = BEDROCK_HOST.format(region=entry.region)
    if url is None:
        return None
    url = url.rstrip("/")
    for path in {"azure": _AZURE_PATHS, "anthropic": _ANTHROPIC_PATHS}.get(kind, ()):
        url = url.removesuffix(path)
    return url


def is_openai(base_url: str | None) -> bool:
    """Tell whether a base URL is OpenAI's own service, in whatever region, and no other server that speaks its wire."""
    url = None if base_url is None else parsed_url(base_url)
    host = "" if url is None else url.hostname or ""
    return host == "api.openai.com" or host.endswith(".api.openai.com")


def region_of(entry: ProviderConfig) -> str | None:
    """Tell the AWS region of an entry: the one it states, or the one in the host of its base URL."""
    if entry.region is not None or entry.base_url is None:
        return entry.region
    url = parsed_url(entry.base_url)
    match = _BEDROCK_HOST.fullmatch((url.hostname or "") if url is not None else "")
    return match.group(1) if match else None


def parsed_url(text: str) -> SplitResult | None:
    """Split a URL, or give None for what is none; a port out of range and an odd host count as none."""
    if not text.isascii() or any(char.isspace() or not char.isprintable() for char in text):
        return None
    try:
        url = urlsplit(text)
        assert url.port is None or url.port >= 0
        return url
    except ValueError:
        return None
