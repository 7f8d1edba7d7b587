"""Own what a call reads off a transport's response besides its bytes. Pure."""

from __future__ import annotations

import httpx


def body_complete(response: httpx.Response) -> bool:
    """Whether the whole body has been received already, where the transport can tell."""
    return bool(getattr(response.stream, "complete", False))


def lower_case(headers: httpx.Headers) -> dict[str, str]:
    """Give headers by their names in lower case, at a fraction of what httpx takes for it."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers.raw}
