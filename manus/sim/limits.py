"""Own what a vendor's rate-limit headers say, each in its own spelling: the truth, or that a limit is used up.

Bedrock and Ollama send no such headers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from manus.sim.quota import Dimension, Quota, Reading
from manus.sim.steps import Head, Planned
from manus.sim.wire import EPOCH_UNIX_S, Headers, WireName

ROUNDED_FROM = 10_000
"""From this limit on, Anthropic tells what remains of tokens in whole thousands."""


def telling_limits(steps: Iterable[Planned], reset_s: float) -> Iterator[Planned]:
    """Play `steps` with a head that says: no request remains, until `reset_s` seconds from now."""
    for step in steps:
        yield msgspec.structs.replace(step, headers=used_up(step.headers, reset_s)) if isinstance(step, Head) else step


def telling_truly(
    steps: Iterable[Planned], wire: WireName, quota: Quota, now_s: Callable[[], float]
) -> Iterator[Planned]:
    """Play `steps` with a head that says how the limits stand when it is sent."""
    for step in steps:
        if isinstance(step, Head):
            headers = as_it_stands(step.headers, wire, quota.readings(now_s()))
            step = msgspec.structs.replace(step, headers=headers)
        yield step


def used_up(headers: Headers, reset_s: float) -> Headers:
    """Change the headers of a vendor that tells of its limits; those of others stay as they are."""
    date = dict(headers).get("date", "")
    return tuple((name, _told(name, value, date, reset_s)) for name, value in headers)


def as_it_stands(headers: Headers, wire: WireName, readings: tuple[Reading, ...]) -> Headers:
    """Put true numbers for all limits that there are into the headers of a vendor that tells of them."""
    if wire == "anthropic":
        said = _anthropic(readings, dict(headers).get("date", ""))
    elif wire in ("openai", "openai-responses", "azure"):
        said = _openai(readings, whole_seconds=wire == "azure")
    else:
        return headers
    known = {name for name, _ in headers}
    return tuple((name, said.get(name, value)) for name, value in headers) + tuple(
        (name, value) for name, value in said.items() if name not in known
    )


def _openai(readings: tuple[Reading, ...], *, whole_seconds: bool) -> dict[str, str]:
    said: dict[str, str] = {}
    for reading in readings:
        if reading.dimension not in ("requests", "tokens"):
            continue  # it has no others
        said[f"x-ratelimit-limit-{reading.dimension}"] = str(reading.limit)
        said[f"x-ratelimit-remaining-{reading.dimension}"] = str(reading.remaining)
        said[f"x-ratelimit-reset-{reading.dimension}"] = (
            str(math.ceil(reading.reset_s)) if whole_seconds else go_duration(reading.reset_s)
        )
    return said


def _anthropic(readings: tuple[Reading, ...], date: str) -> dict[str, str]:
    said: dict[str, str] = {}
    told: dict[Dimension, Reading] = {reading.dimension: reading for reading in readings}
    tokens = [reading for reading in readings if reading.dimension in ("tokens", "input_tokens", "output_tokens")]
    if tokens:
        # The headers without a direction are those of the most restrictive limit on tokens.
        told["tokens"] = min(tokens, key=_share_left)
    for dimension, reading in told.items():
        name = f"anthropic-ratelimit-{dimension.replace('_', '-')}"
        exact = dimension == "requests" or reading.limit < ROUNDED_FROM
        said[f"{name}-limit"] = str(reading.limit)
        said[f"{name}-remaining"] = str(reading.remaining if exact else round(reading.remaining, -3))
        said[f"{name}-reset"] = _date_in(reading.reset_s, date)
    return said


def _share_left(reading: Reading) -> float:
    return reading.remaining / reading.limit


def go_duration(seconds: float) -> str:
    """Write a duration as OpenAI does, which is how Go does: `6m0s`, `1.5s`, `12ms`, `0s`."""
    milliseconds = math.ceil(seconds * 1000 - 1e-6)
    if milliseconds <= 0:
        return "0s"
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    lead = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{lead}{rest / 1000:g}s"


def _told(name: str, value: str, date: str, reset_s: float) -> str:
    match name:
        case "x-ratelimit-remaining-requests" | "anthropic-ratelimit-requests-remaining":
            return "0"
        case "x-ratelimit-reset-requests":
            return str(math.ceil(reset_s)) if value.isdigit() else f"{reset_s:g}s"
        case "anthropic-ratelimit-requests-reset":
            return _date_in(reset_s, date)
        case _:
            return value


def _date_in(seconds: float, date: str) -> str:
    """Write a time so many seconds after the answer's own, as RFC 3339 does."""
    now_s = parsedate_to_datetime(date).timestamp() if date else float(EPOCH_UNIX_S)
    return datetime.fromtimestamp(now_s + math.ceil(seconds), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
