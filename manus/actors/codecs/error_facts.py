"""Own the reading of error bodies: message, code, type and parameter, in whatever shape they come.

Bodies seen in the wild: OpenAI's `{"error": {...}}`, the same in a list (Gemini), `{"error": "text"}`
(Ollama, xAI with `code` beside it), flat `{"object": "error", "message", ...}` (vLLM), `{"detail": ...}`
(FastAPI servers), `{"errors": [{...}]}` (Cloudflare), HTML and plain text from proxies, nothing at all.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from manus.actors.codecs.json_text import MALFORMED_ERRORS, load_tolerant, well_formed

MESSAGE_CHARS_MAX = 500
"""What of a vendor's message we repeat; some echo the whole request."""

_MESSAGE_CHARS_READ = 8 * MESSAGE_CHARS_MAX
"""What of it is looked at: striking keys out makes a line shorter, never by so much."""


class ErrorFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What an error says of itself; empty where it says nothing.

    `status` is the HTTP status that an error *inside* a body names, as gateways do in a 200 stream.
    """

    message: str = ""
    code: str = ""
    type: str = ""
    param: str | None = None
    status: int | None = None


NO_FACTS = ErrorFacts()


def facts_of_body(body: bytes) -> ErrorFacts:
    """Read a whole error body, or an `error` member. What is no JSON gives no facts: the status classifies."""
    try:
        return facts_of(load_tolerant(body))
    except MALFORMED_ERRORS:
        return NO_FACTS


def facts_of(value: Any) -> ErrorFacts:  # Any: JSON of a foreign hand, each field checked here
    """Read an error from parsed JSON: an error object, or something that holds one."""
    if isinstance(value, str):
        return ErrorFacts(message=well_formed(value))
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return NO_FACTS
    inner = value.get("error")
    if isinstance(inner, dict):
        return _object(inner)
    if isinstance(inner, str):
        return ErrorFacts(message=well_formed(inner), code=_word(value.get("code")), type=_word(value.get("type")))
    errors = value.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return _object(errors[0])
    if "message" not in value and "detail" in value:
        return _detail(value["detail"])
    return _object(value)


def vendor_words(message: str) -> str:
    """Make a vendor's message fit to show: one line, of bounded length, without keys."""
    # Word by word: a pattern for words with stars in their middle would take quadratic time over a long one.
    words = well_formed(message[:_MESSAGE_CHARS_READ]).split()
    line = " ".join("[key]" if "***" in word else word for word in words).replace("\0", "")
    line = _KEYS.sub("[key]", line)
    return line if len(line) <= MESSAGE_CHARS_MAX else line[: MESSAGE_CHARS_MAX - 1] + "…"


# Prefixes of the keys that vendors hand out, and whatever stands behind "Bearer" or "key:" in a message.
# OpenAI and DeepSeek repeat a wrong key with stars in its middle, which is still more than a log should hold.
_KEYS = re.compile(
    r"""(?ix)
    \b(?:sk|gsk|xai|pplx|hf|r8|tgp|nvapi|csk|AIza|AKIA|ASIA)[-_]?[A-Za-z0-9*._-]{8,}
    | (?<=bearer\s)\S{6,}
    | (?<=key\sprovided:\s)\S+
    | (?<=api\skey:\s)\S+
    """
)


def _object(error: dict[str, Any]) -> ErrorFacts:
    if isinstance(error.get("message"), dict):  # some gateways nest the upstream's error once more
        error = error["message"]
    code = error.get("code")
    message = error.get("message") or error.get("Message")  # the latter: load balancers and gateways of AWS
    return ErrorFacts(
        message=well_formed(message) if isinstance(message, str) else "",
        code=_word(code),
        type=_word(error.get("type")),
        param=well_formed(error["param"])[:200] if isinstance(error.get("param"), str) else None,
        status=_status(error.get("status_code")) or _status(error.get("status")) or _status(code),
    )


def _detail(detail: Any) -> ErrorFacts:
    if isinstance(detail, str):
        return ErrorFacts(message=well_formed(detail))
    if isinstance(detail, list) and detail and isinstance(detail[0], dict):
        place = detail[0].get("loc")
        param = ".".join(str(step) for step in place) if isinstance(place, list) else None
        return ErrorFacts(message=_word(detail[0].get("msg"), chars_max=MESSAGE_CHARS_MAX), param=param)
    return _object(detail) if isinstance(detail, dict) else NO_FACTS


def _word(value: Any, *, chars_max: int = 100) -> str:
    if isinstance(value, str):
        return well_formed(value)[:chars_max]
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)[:chars_max]
    return ""


def _status(value: Any) -> int | None:
    if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599:
        return value
    return None
