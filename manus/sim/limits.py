"""Own what a vendor's rate-limit headers say once a limit is used up, each in its own spelling."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from manus.sim.steps import Head, Planned
from manus.sim.wire import EPOCH_UNIX_S, Headers


def telling_limits(steps: Iterable[Planned], reset_s: float) -> Iterator[Planned]:
    """Play `steps` with a head that says: no request remains, until `reset_s` seconds from now."""
    for step in steps:
        yield msgspec.structs.replace(step, headers=used_up(step.headers, reset_s)) if isinstance(step, Head) else step


def used_up(headers: Headers, reset_s: float) -> Headers:
    """Change the headers of a vendor that tells of its limits; those of others stay as they are."""
    date = dict(headers).get("date", "")
    return tuple((name, _told(name, value, date, reset_s)) for name, value in headers)


def _told(name: str, value: str, date: str, reset_s: float) -> str:
    match name:
        case "x-ratelimit-remaining-requests" | "anthropic-ratelimit-requests-remaining":
            return "0"
        case "x-ratelimit-reset-requests":
            return str(math.ceil(reset_s)) if value.isdigit() else f"{reset_s:g}s"
        case "anthropic-ratelimit-requests-reset":
            now_s = parsedate_to_datetime(date).timestamp() if date else float(EPOCH_UNIX_S)
            return datetime.fromtimestamp(now_s + math.ceil(reset_s), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case _:
            return value
