"""Own AWS Signature Version 4: the headers that let one request in, as a function of the request and a date.

Pure: no clock, no environment, no state. A request is signed as it goes on the wire, so it is signed last, and
again for every attempt. Source: bedrock.md section 1.1, read 2026-11; the tests compare with AWS's own signer.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

Headers = tuple[tuple[str, str], ...]

ALGORITHM = "AWS4-HMAC-SHA256"

_DATE = re.compile(r"\d{8}T\d{6}Z", re.ASCII)

_UNSIGNED = frozenset(
    {
        "authorization",
        "baggage",
        "connection",
        "date",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-amzn-trace-id",
    }
)
"""Headers that stay out of the signature: proxies and libraries change them on the way."""

_WRITTEN_HERE = frozenset({"authorization", "x-amz-date", "x-amz-security-token"})

_DEFAULT_PORTS = {"http": 80, "https": 443}


def sign(
    method: str,
    url: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    *,
    access_key: str,
    secret_key: str,
    session_token: str | None = None,
    region: str,
    service: str,
    amz_date: str,
) -> Headers:
    """Give the headers to add: the date, the session's token where there is one, and the authorization.

    Args:
        url: as it goes on the wire: its path is percent-encoded once. The signature is made over that path
            encoded once more, as every AWS service but S3 demands.
        headers: those of the request that are to be signed; names in any case. `Host` is made from the URL where
            it is not among them. An earlier signature among them is passed over.
        amz_date: the moment of signing, as `20260102T030405Z`. AWS takes five minutes either way.

    Raises:
        ValueError: `amz_date` is not of that form. The message never holds a secret.
    """
    if not _DATE.fullmatch(amz_date):
        raise ValueError(f"{amz_date!r} is no date of the form 20260102T030405Z")
    added: list[tuple[str, str]] = [("X-Amz-Date", amz_date)]
    if session_token:
        added.append(("X-Amz-Security-Token", session_token))
    kept = [(name, value) for name, value in headers if name.lower() not in _WRITTEN_HERE]
    canonical, signed = canonical_request(method, url, (*kept, *added), body)
    scope = f"{amz_date[:8]}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = _signing_key(secret_key, amz_date[:8], region, service)
    signature = hmac.new(key, f"{ALGORITHM}\n{amz_date}\n{scope}\n{digest}".encode(), hashlib.sha256).hexdigest()
    added.append(
        ("Authorization", f"{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={signed}, Signature={signature}")
    )
    return tuple(added)


def canonical_request(method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes) -> tuple[str, str]:
    """Write the text that is hashed and signed, and the list of the headers that stand in it.

    The date and the token must be among `headers`: they are signed like any other.
    """
    parts = urlsplit(url)
    values: dict[str, list[str]] = {}
    for name, value in headers:
        lower = name.lower().strip()
        if lower not in _UNSIGNED:
            values.setdefault(lower, []).append(" ".join(value.split()))
    if "host" not in values:
        values["host"] = [_host(parts.scheme, parts.hostname or "", parts.port)]
    names = sorted(values)
    signed = ";".join(names)
    lines = (
        method.upper(),
        quote(_without_dots(parts.path), safe="/~"),
        "&".join(_query_pairs(parts.query)),
        *(f"{name}:{','.join(values[name])}" for name in names),
        "",
        signed,
        hashlib.sha256(body).hexdigest(),
    )
    return "\n".join(lines), signed


def _signing_key(secret_key: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for word in (date, region, service, "aws4_request"):
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    return key


def _host(scheme: str, hostname: str, port: int | None) -> str:
    host = f"[{hostname}]" if ":" in hostname else hostname
    return host if port is None or port == _DEFAULT_PORTS.get(scheme) else f"{host}:{port}"


def _query_pairs(query: str) -> list[str]:
    # Sorted by name, then by value; "a" is written "a=".
    pairs = (pair.partition("=") for pair in query.split("&")) if query else ()
    return [f"{name}={value}" for name, value in sorted((name, value) for name, _, value in pairs)]


def _without_dots(path: str) -> str:
    # The service normalises the path before it checks: dot segments (RFC 3986, section 5.2.4) and empty ones go.
    kept: list[str] = []
    for step in path.split("/"):
        if step == "..":
            del kept[-1:]
        elif step and step != ".":
            kept.append(step)
    last = "/" if path.endswith("/") and kept else ""
    return f"/{'/'.join(kept)}{last}"
