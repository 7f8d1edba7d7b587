"""Own the Atomic Engine's envelope, on the Unix socket: `{id, type, timestamp, payload}`, one object per line.

Its client goes by `payload.request_id` alone, and reads every member without asking whether it is there: each message
has all of them, of their types, never `null`, and no text has a NUL or a lone surrogate. It does not look at an ERROR
for a request that is no stream, and would wait; so that one's failure is a RESPONSE with `error` set and no content. A
stream ends in one final STREAM_CHUNK or in one ERROR.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, final

import msgspec

from manus.asking import TAGS_BYTES_MAX, TAGS_MAX
from manus.ipc.protocol.errors import BadParams, error_object
from manus.ipc.protocol.frames import EngineMessage
from manus.ipc.protocol.lines import encode
from manus.ipc.protocol.plain_words import whole
from manus.ipc.protocol.reading_params import in_other_words, surrogate_in
from manus.ipc.protocol.results import wire_result
from manus.ipc.refusals import DuplicateId
from manus.option_checks import NAME_CHARS_MAX
from manus.responses import LLMResponse, StreamChunk

REQUEST: Final = 0
RESPONSE: Final = 1
STREAM_CHUNK: Final = 2
ERROR: Final = 3
HEALTH_CHECK: Final = 4
HEALTH_RESPONSE: Final = 5

REQUEST_TYPE_MAX: Final = 2**31 - 1
"""The engine's own kinds run from 0 (PARSE_IDEA) to 8 (INTENT_CLASSIFICATION); they are labels here, and may grow."""


class RequestPayload(msgspec.Struct, frozen=True, kw_only=True):
    """What a REQUEST asks. Members that are not known are left alone; 0 tokens are as many as the model gives."""

    request_id: str
    prompt: str
    request_type: int = 0
    metadata: dict[str, str] = {}
    stream: bool = False
    max_tokens: int | None = None
    temperature: float | None = None


class ResponsePayload(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer, or, with `error`, none."""

    request_id: str
    content: str
    model: str
    provider: str
    input_tokens: int
    output_tokens: int
    latency_ms: int
    is_final: bool
    error: str


class ChunkPayload(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of an answer, and all of it so far."""

    request_id: str
    delta: str
    accumulated_content: str
    chunk_index: int
    is_final: bool
    finish_reason: str


class ErrorPayload(msgspec.Struct, frozen=True, kw_only=True):
    """Why a stream ended without its final chunk, or what was wrong with a line (then `request_id` may be empty)."""

    request_id: str
    error: str


def now_ms() -> int:
    """Read the clock of the envelopes: milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def request_of(message: EngineMessage) -> RequestPayload:
    """Read the payload of a REQUEST.

    Raises:
        BadParams: it is not what the engine sends.
    """
    try:
        payload = msgspec.convert(message.payload, RequestPayload)
    except msgspec.ValidationError as error:
        raise in_other_words(str(error), "payload") from None
    except UnicodeEncodeError:
        raise surrogate_in(message.payload, "payload") from None
    if not payload.request_id or clean(payload.request_id) != payload.request_id:
        raise BadParams("payload.request_id", "expected some text without NUL, by which the answer is known")
    if not 0 <= payload.request_type <= REQUEST_TYPE_MAX:
        raise BadParams("payload.request_type", f"expected a whole number from 0 to {REQUEST_TYPE_MAX}")
    return payload


def params_of_payload(payload: RequestPayload) -> dict[str, Any]:
    """Say a REQUEST as params of `generate`. Any: JSON."""
    asked: dict[str, Any] = {"prompt": payload.prompt, "tags": tags_of(payload.request_type, payload.metadata)}
    if payload.max_tokens:
        asked["max_tokens"] = payload.max_tokens
    if payload.temperature is not None:
        asked["temperature"] = payload.temperature
    return asked


def tags_of(request_type: int, metadata: Mapping[str, str]) -> list[str]:
    """Make the ledger's labels: `request_type=0`, then `KEY=VALUE` each.

    No request fails for them: what is too long is cut, and what is too much left out.
    """
    tags = [f"request_type={request_type}"]
    size_bytes = len(tags[0])
    for key, value in metadata.items():
        tag = clean(f"{key}={value}")[:NAME_CHARS_MAX]
        size_bytes += len(tag.encode())
        if len(tags) >= TAGS_MAX or size_bytes > TAGS_BYTES_MAX:
            break
        tags.append(tag)
    return tags


def request_id_in(payload: Mapping[str, Any]) -> str:  # Any: JSON
    """Find out what an error is about, where that can be told."""
    given = payload.get("request_id")
    return given if type(given) is str else ""


def clean(text: str) -> str:
    """Take out what must not reach the engine: NUL and lone surrogates."""
    return whole(text.replace("\0", ""))


@final
class EngineVoice:
    """Writes for one REQUEST.

    Args:
        message_id: of the envelope that asked; answers bear it too.
        request_id: by which the engine knows its answer.
        streamed: whether it asked for a stream.
    """

    __slots__ = ("_accumulated", "_index", "_message_id", "_now_ms", "_request_id", "_streamed")

    needs_greeting = False

    def __init__(self, message_id: str, request_id: str, *, streamed: bool, now_ms: Callable[[], int] = now_ms) -> None:
        self._message_id = clean(message_id)
        self._request_id = clean(request_id)
        self._streamed = streamed
        self._now_ms = now_ms
        self._accumulated = ""
        self._index = 0

    def result(self, result: object) -> bytes:
        """Write the RESPONSE, or the final STREAM_CHUNK."""
        assert isinstance(result, LLMResponse), "the engine asks for nothing but answers of models"
        content = clean(result.content)
        if self._streamed:
            return self._chunk(content.removeprefix(self._accumulated), content, finish_reason=result.finish_reason)
        return self._response(result, content, error="")

    def failure(self, error: Exception) -> bytes:
        """Write the ERROR of a stream, or the RESPONSE without content of any other request.

        That of a second request with an id in flight names no request: the first one goes on.
        """
        said = clean(error_object(error).message)
        if isinstance(error, DuplicateId):
            return self._line(ERROR, ErrorPayload(request_id="", error=f"{said} ({self._request_id})"))
        if self._streamed:
            return self._line(ERROR, ErrorPayload(request_id=self._request_id, error=said))
        return self._response(LLMResponse(content=""), "", error=said)

    def event(self, seq: int, chunk: StreamChunk) -> bytes:  # what makes no line has no number here
        """Write the STREAM_CHUNK of a piece of text; nothing for what has no word here."""
        if chunk.kind == "reset":
            self._accumulated = ""
        if not chunk.delta:
            return b""
        delta = clean(chunk.delta)
        self._accumulated += delta
        return self._chunk(delta, self._accumulated, finish_reason="")

    def _response(self, response: LLMResponse, content: str, *, error: str) -> bytes:
        payload = ResponsePayload(
            request_id=self._request_id,
            content=content,
            model=clean(response.model),
            provider=clean(response.provider),
            input_tokens=response.usage.input_tokens,
            output_tokens=response.usage.output_tokens,
            latency_ms=round(response.latency_ms),
            is_final=True,
            error=error,
        )
        return self._line(RESPONSE, payload)

    def _chunk(self, delta: str, accumulated: str, *, finish_reason: str) -> bytes:
        payload = ChunkPayload(
            request_id=self._request_id,
            delta=delta,
            accumulated_content=accumulated,
            chunk_index=self._index,
            is_final=bool(finish_reason),
            finish_reason=finish_reason,
        )
        self._index += 1
        return self._line(STREAM_CHUNK, payload)

    def _line(self, kind: int, payload: msgspec.Struct) -> bytes:
        return envelope(self._message_id, kind, payload, self._now_ms())


@final
class EngineHealthVoice:
    """Writes for one HEALTH_CHECK. What goes wrong with it is news about health too."""

    __slots__ = ("_message_id", "_now_ms", "_request_id")

    needs_greeting = False

    def __init__(self, message_id: str, request_id: str, *, now_ms: Callable[[], int] = now_ms) -> None:
        self._message_id = clean(message_id)
        self._request_id = clean(request_id)
        self._now_ms = now_ms

    def result(self, result: object) -> bytes:
        """Write the HEALTH_RESPONSE: what `health` gives, but for what is `null` there."""
        told = _told(msgspec.to_builtins(wire_result(result)))
        assert isinstance(told, dict)
        return self._line(told)

    def failure(self, error: Exception) -> bytes:
        """Write that nobody can say how we are."""
        return self._line({"status": "unavailable", "error": clean(error_object(error).message)})

    def event(self, seq: int, chunk: StreamChunk) -> bytes:
        """Write nothing: health has no events."""
        raise AssertionError(f"event {seq} ({chunk.kind}) of a health check")

    def _line(self, told: dict[str, Any]) -> bytes:  # Any: JSON
        payload = told | {"request_id": self._request_id}
        return envelope(self._message_id, HEALTH_RESPONSE, payload, self._now_ms())


def engine_error(message_id: str, request_id: str, error: str) -> bytes:
    """Write the ERROR of an envelope that asks for nothing."""
    payload = ErrorPayload(request_id=clean(request_id), error=clean(error))
    return envelope(clean(message_id), ERROR, payload, now_ms())


def envelope(message_id: str, kind: int, payload: object, timestamp_ms: int) -> bytes:
    """Put a payload into its envelope."""
    return b'{"id":%b,"type":%d,"timestamp":%d,"payload":%b}\n' % (
        encode(message_id),
        kind,
        timestamp_ms,
        encode(payload),
    )


def _told(value: Any) -> Any:  # Any: plain data, as JSON has it
    """Leave out what is null, and clean every text."""
    match value:
        case str():
            return clean(value)
        case dict():
            return {clean(name): _told(each) for name, each in value.items() if each is not None}
        case list() | tuple():
            return [_told(each) for each in value if each is not None]
        case _:
            return value
