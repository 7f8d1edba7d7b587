"""Own the passage of one recorded exchange through a codec: whole, byte by byte, and at random splits.

Nothing here knows what was expected; `wire_tally` does, and `wire` is the command.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
from manus.actors.codecs.call_ids import is_made
from manus.messages.content import AnyPart, Reasoning, Refusal, Text
from manus.messages.events import StreamEvent, ToolArgumentsDelta, ToolCallStarted
from manus.messages.failures import Failed
from manus.messages.policy import Bounds
from manus.messages.usage import Usage, VendorCounts
from manus.testing.wire_invoke import unwrapped, wire_inside

# Any, throughout this file: an exchange is a JSON file of a foreign hand, read and printed.

Line = dict[str, Any]

WIRES: Final[dict[tuple[str, str], str]] = {
    ("openai", "chat"): "openai-chat",
    ("openai-compat", "chat"): "openai-chat",
    ("openai-responses", "responses"): "openai-responses",
    ("anthropic", "messages"): "anthropic",
    ("bedrock", "converse"): "bedrock",
    ("bedrock", "converse-stream"): "bedrock",
    ("ollama", "chat"): "ollama",
    ("ollama", "generate"): "ollama",
    ("ollama", "v1-chat"): "openai-chat",
    ("azure", "deployments-chat"): "azure-chat",
    ("azure", "v1-chat"): "azure-chat",
    ("azure", "models-chat"): "azure-chat",
    ("azure", "other-chat"): "azure-chat",
    ("azure", "responses"): "azure-responses",
}
"""Which codec speaks the API that an exchange was recorded from."""

_INVOKE = "InvokeModel carries a body of each model family's own; of these Messages and Converse are read"

UNSPOKEN: Final[dict[tuple[str, str], str]] = {
    ("bedrock", "invoke"): _INVOKE,
    ("bedrock", "invoke-with-response-stream"): _INVOKE,
}
"""Why an API has no codec, for those that somebody might miss."""

CACHE_WRITES_NAMED: Final = frozenset({"anthropic", "bedrock"})
"""The wires where a recording's `expect` names cache writes: OpenAI's got them only newly. `usage` shows them all."""

BOUNDS: Final = Bounds()
"""The bounds that actors use by default: a recording that does not fit would not fit a live call."""


class NotAnExchange(ValueError):
    """A file of the directory does not have the recordings' format."""


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """One way through the codec: the line that is printed, and the model that the answer named.

    `unsupported` says why there was none; the line then holds nothing else.
    """

    line: Line
    model: str | None = None
    unsupported: str | None = None


def replay(exchange: Mapping[str, Any], *, seed: int = 0, splits: int = 2) -> Iterator[Line]:
    """Give the lines of one exchange: `whole`, `bytes`, then `random-1` and so on.

    The random splits depend on the seed and the exchange's id alone, not on its place in a directory.

    Raises:
        NotAnExchange: a field that a replay needs is missing or of the wrong kind.
    """
    return (each.line for each in passes(exchange, seed=seed, splits=splits))


def passes(exchange: Mapping[str, Any], *, seed: int = 0, splits: int = 2) -> Iterator[Pass]:
    """Do the same, with what is not printed.

    Raises:
        NotAnExchange: as `replay`.
    """
    try:
        name, response = str(exchange["id"]), exchange["response"]
        api = str(exchange["provider"]), str(exchange["api"])
        status, body = int(response["status"]), _body(response)
        headers = {str(key).lower(): str(value) for key, value in (response.get("headers") or {}).items()}
        request = exchange.get("request") or {}
        stream, model = _streamed(api, request.get("body"), headers), _model(request)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotAnExchange(f"no exchange: {type(error).__name__}: {error}") from error
    invoked = UNSPOKEN.get(api) == _INVOKE
    wire = wire_inside(status, body) if invoked else WIRES.get(api)
    if wire is None:
        reason = UNSPOKEN.get(api, "no codec speaks this API")
        line = {"id": name, "split": "whole", "unsupported": True}
        yield Pass(line=line, unsupported=reason)
        return
    if not 200 <= status < 300:
        failure = codec_for(wire).failure(status, headers, body, now_unix_s=0.0)
        yield Pass(line=_line(name, "whole", None, failure))
        return
    for split, pieces in _splits(body, random.Random(f"{seed}:{name}"), splits):
        decoded = _Decoded(wire, model, stream=stream)
        decoded.take(unwrapped(pieces, wire) if invoked else pieces)
        started = decoded.assembly.started
        line = _line(name, split, decoded, decoded.assembly.failure)
        yield Pass(line=line, model=None if started is None else started.model)


class _Decoded:
    """One pass of a body through a codec's decoder."""

    def __init__(self, wire: str, model: str, *, stream: bool) -> None:
        options = CodecOptions(provider="wire", bounds=BOUNDS)
        self._decoder = codec_for(wire).decoder(stream=stream, model=model, options=options)
        self.wire = wire
        self.assembly = Assembly(wire, model, BOUNDS)
        self.arguments: dict[int, list[str]] = {}
        self.calls: list[ToolCallStarted] = []

    def take(self, pieces: Iterator[bytes]) -> None:
        for piece in pieces:
            self._fold(self._decoder.feed(piece))
        self._fold(self._decoder.finish())

    def tool_calls(self) -> list[Line]:
        return [
            {
                "id": None if is_made(call.id) else call.id,
                "name": call.name,
                "arguments": _json_or_none("".join(self.arguments.get(call.index, []))),
            }
            for call in self.calls
        ]

    def _fold(self, events: list[StreamEvent]) -> None:
        self.assembly.add(events)
        for event in events:
            if isinstance(event, ToolCallStarted):
                self.calls.append(event)
            elif isinstance(event, ToolArgumentsDelta):
                # As they came: the assembled call has `{}` where the vendor sent nothing at all.
                self.arguments.setdefault(event.index, []).append(event.json)


def _line(name: str, split: str, decoded: _Decoded | None, failure: Failed | None) -> Line:
    assembly = None if decoded is None else decoded.assembly
    answer = None if assembly is None else assembly.answer()
    finish = None if assembly is None else assembly.finish
    counts = (None if assembly is None else assembly.vendor_counts) or VendorCounts()
    usage = Usage() if answer is None else answer.usage
    parts = () if answer is None else answer.parts
    refusals = [part.text for part in parts if isinstance(part, Refusal)]
    writes_named = decoded is not None and decoded.wire in CACHE_WRITES_NAMED
    return {
        "id": name,
        "split": split,
        "text": None if answer is None else "".join(part.text for part in parts if isinstance(part, Text)),
        "finish_reason": "error" if finish is None else finish.reason,
        "finish_reason_raw": None if finish is None else finish.raw,
        "tool_calls": [] if decoded is None else decoded.tool_calls(),
        "input_tokens": counts.input,
        "output_tokens": counts.output,
        "cached_tokens": counts.cached,
        "cache_write_tokens": counts.cache_write if writes_named else None,
        "reasoning_tokens": counts.reasoning,
        "reasoning_text": _reasoning_text(parts),
        "refusal": "".join(refusals) or None,
        "error_kind": None if failure is None else failure.kind,
        "error_retryable": None if failure is None else failure.what_to_do.retry_here != "no",
        "usage": msgspec.to_builtins(usage),
    }


def _streamed(api: tuple[str, str], body: object, headers: Mapping[str, str]) -> bool:
    """Tell whether the exchange's client asked for a stream; where its request is not recorded, what it got says so."""
    if api[1].endswith("-stream"):
        return True
    if isinstance(body, dict):
        return body.get("stream", api == ("ollama", "chat")) is True
    return "stream" in headers.get("content-type", "") or "ndjson" in headers.get("content-type", "")


def _model(request: Mapping[str, Any]) -> str:
    """Give the model as asked: named in the body, or in the address as Bedrock has it; empty where neither does."""
    body = request.get("body")
    if isinstance(body, dict) and body.get("model"):
        return str(body["model"])
    _, marker, rest = str(request.get("url") or "").partition("/model/")
    return unquote(rest.partition("/")[0]) if marker else ""


def _splits(body: bytes, rng: random.Random, count: int) -> Iterator[tuple[str, Iterator[bytes]]]:
    yield "whole", iter([body])
    yield "bytes", (body[place : place + 1] for place in range(len(body)))
    for number in range(1, count + 1):
        yield f"random-{number}", _cut(body, rng)


def _cut(body: bytes, rng: random.Random) -> Iterator[bytes]:
    place = 0
    while place < len(body):
        # Mostly small pieces, some that hold many events: sizes are spread evenly over magnitudes.
        size = int(2 ** rng.uniform(0, 14))
        yield body[place : place + size]
        place += size


def _body(response: Mapping[str, Any]) -> bytes:
    encoded = response.get("body_base64")
    if encoded is not None:
        return base64.b64decode(encoded, validate=True)
    text = response.get("body_text")
    if text is None:
        return b""
    return str(text).encode("utf-8", "surrogatepass")


def _reasoning_text(parts: tuple[AnyPart, ...]) -> str | None:
    """Join the thinking; empty where it came signed and hidden, None where none came."""
    thoughts = [part.text for part in parts if isinstance(part, Reasoning) and (part.text or part.signature)]
    return "".join(thoughts) if thoughts else None


def _json_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
