"""Own where things are at an Azure resource, below its endpoint: `https://NAME.openai.azure.com` and the like.

Two surfaces (azure.md, section 1, read 2026-11). The classic one has the deployment in the path and wants a dated
`api-version`; v1 has the deployment as the body's model and needs no version.
"""

from __future__ import annotations

from urllib.parse import quote

from manus.actors.codecs.base import CodecOptions

_V1_VERSIONS = ("v1", "preview", "latest")
"""Versions that are none: v1 takes them too."""


def is_classic(options: CodecOptions) -> bool:
    """Tell whether the entry speaks the classic API, of a dated version."""
    return options.api_version is not None and options.api_version not in _V1_VERSIONS


def reads_version(options: CodecOptions, since: str) -> bool:
    """Tell whether the entry's version has what came with `since` (`2024-09-01`); v1 has everything."""
    version = options.api_version
    return version is None or not is_classic(options) or version[: len(since)] >= since


def deployment_path(operation: str, deployment: str, options: CodecOptions) -> str:
    """Give the path of an operation that a deployment serves: `chat/completions`, `embeddings`."""
    if is_classic(options):
        return f"/openai/deployments/{quote(deployment, safe='')}/{operation}{_query(options)}"
    return f"/openai/v1/{operation}{_query(options)}"


def resource_path(operation: str, options: CodecOptions) -> str:
    """Give the path of an operation of the resource itself: `responses`, `models`."""
    return f"/openai/{'' if is_classic(options) else 'v1/'}{operation}{_query(options)}"


def _query(options: CodecOptions) -> str:
    return "" if options.api_version is None else f"?api-version={quote(options.api_version, safe='')}"
