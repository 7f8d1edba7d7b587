"""Own the simulated Bedrock wire: Converse in true binary frames and whole, embeddings, and the control plane's lists.

The shapes are those of the provider notes (Bedrock, sections 1 to 5) and of recorded traffic: text begins without
a start, every event is padded, the usage comes after the stop, and errors inside a stream are exception frames.
A key of the form `id:secret` is a pair of AWS keys: requests must be signed with it. Any other is a bearer key.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote
from zlib import crc32

import msgspec

from manus.actors.codecs.event_stream import FrameSplitter, encode_frame
from manus.actors.credentials.aws_sigv4 import sign
from manus.sim.asked_bedrock import mistake_in, read_chat
from manus.sim.embed_bedrock import embedding_body, read_embedding
from manus.sim.errors_bedrock import (
    error_inside,
    exception_frame,
    rejection,
    request_id_of,
    unknown_operation,
    validation_error,
)
from manus.sim.wire import (
    ChatAsked,
    Finish,
    Headers,
    Piece,
    Reply,
    SimRequest,
    Spoken,
    WireName,
    encode_json,
    header_of,
    http_date,
    identifier,
)
from manus.sim.words import count_tokens, tokens_of

_JSON: Headers = (("content-type", "application/json"),)

_STOP_REASONS: dict[Finish, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "content_filtered",
    "refusal": "refusal",
    "pause": "pause_turn",
}

_PATH = re.compile(r"/model/([^/]+)/(converse|converse-stream|invoke)")
_SIGNATURE = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,]+)/(\d{8})/([^/,]+)/bedrock/aws4_request"
    r", SignedHeaders=([^,]+), Signature=(\w+)"
)
_BLOCK_BYTES = 64 * 1024
_DAMAGE = 0x01
_PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class BedrockWire:
    """Converse of the runtime and the lists of the control plane, on one host; an implementation of `Wire`."""

    name: WireName = "bedrock"
    base_path = ""

    def read(self, request: SimRequest, models: tuple[str, ...]) -> ChatAsked | Reply:
        """Read a chat request; answer the control plane's lists and everything that is wrong."""
        path = request.path.rstrip("/")
        if request.method == "GET":
            return _listing(path, models) or unknown_operation()
        found = _PATH.fullmatch(path)
        if found is None or request.method != "POST":
            return unknown_operation()
        try:
            asked = msgspec.json.decode(request.body)
        except msgspec.DecodeError:
            return validation_error("The request body is not valid JSON.")
        if not isinstance(asked, dict):
            return validation_error("The request body must be a JSON object.")
        if found[2] == "invoke":
            read = read_embedding(asked, unquote(found[1]))
            return validation_error(read) if isinstance(read, str) else read
        mistake = mistake_in(asked)
        if mistake is not None:
            return validation_error(mistake)
        return read_chat(asked, unquote(found[1]), stream=found[2] == "converse-stream")

    def key_of(self, request: SimRequest) -> str:
        """Find the bearer key, or the id of the keys that the request is signed with."""
        shown = header_of(request, "authorization")
        scheme, _, key = shown.partition(" ")
        signed = _SIGNATURE.fullmatch(shown)
        if signed is not None:
            return signed[1]
        return key.strip() if scheme.lower() == "bearer" else ""

    def admits(self, request: SimRequest, api_key: str) -> bool:
        """Whether the request is signed with these keys, over all that it says it is; or shows this bearer key."""
        access_key, colon, secret_key = api_key.partition(":")
        if not colon:
            return hmac.compare_digest(self.key_of(request).encode(), api_key.encode())
        shown = _SIGNATURE.fullmatch(header_of(request, "authorization"))
        if shown is None or shown[1] != access_key or not header_of(request, "x-amz-date").startswith(shown[2]):
            return False
        names = shown[4].split(";")
        if not {"host", "x-amz-date"} <= set(names):
            return False
        url = f"https://{header_of(request, 'host')}{request.path}" + (f"?{request.query}" if request.query else "")
        expected = sign(
            request.method,
            url,
            tuple((name, header_of(request, name)) for name in names),
            request.body,
            access_key=access_key,
            secret_key=secret_key,
            session_token=header_of(request, "x-amz-security-token") or None,
            region=shown[3],
            service="bedrock",
            amz_date=header_of(request, "x-amz-date"),
        )
        return hmac.compare_digest(dict(expected)["Authorization"], shown[0])

    def stream_head(self, spoken: Spoken) -> Headers:
        """Give the headers of a stream of frames."""
        return (
            ("content-type", "application/vnd.amazon.eventstream"),
            *_served_by(spoken),
            ("transfer-encoding", "chunked"),
        )

    def body_head(self, spoken: Spoken) -> Headers:
        """Give the headers of a JSON answer."""
        return (*_JSON, *_served_by(spoken))

    def pieces(self, spoken: Spoken, *, usage: bool) -> list[Piece]:
        """Write the start, thinking, text and calls as blocks, the stop, and the metadata with the usage."""
        pieces = [Piece("opening", _event("messageStart", {"role": "assistant"}))]
        for number, block in enumerate(_blocks(spoken)):
            end = _event("contentBlockStop", {"contentBlockIndex": number})
            for at, (event, payload, tokens) in enumerate(block):
                data = _event(event, {"contentBlockIndex": number, **payload})
                pieces.append(Piece("content", data + end if at == len(block) - 1 else data, tokens))
        pieces.append(Piece("finish", _event("messageStop", {"stopReason": _STOP_REASONS[spoken.finish]})))
        metadata: dict[str, Any] = {"metrics": {"latencyMs": 20 * spoken.output_tokens}, **_served(spoken)}
        if usage:
            metadata["usage"] = _usage(spoken)
        pieces.append(Piece("terminal", _event("metadata", metadata)))
        return pieces

    def body(self, spoken: Spoken, *, finished: bool, usage: bool) -> bytes:
        """Write one Converse answer, or the vectors that were asked for."""
        if spoken.embed is not None:
            return embedding_body(spoken, finished=finished, usage=usage)
        content: list[dict[str, Any]] = []
        if spoken.reasoning:
            said = {"text": "".join(spoken.reasoning), "signature": _seal(spoken)}
            content.append({"reasoningContent": {"reasoningText": said}})
        if spoken.text:
            content.append({"text": spoken.text})
        content += [
            {"toolUse": {"toolUseId": call.id, "name": call.name, "input": msgspec.Raw(call.arguments.encode())}}
            for call in spoken.calls
        ]
        body: dict[str, Any] = {
            "metrics": {"latencyMs": 20 * spoken.output_tokens},
            **_served(spoken),
            "output": {"message": {"content": content, "role": "assistant"}},
        }
        if finished:
            body["stopReason"] = _STOP_REASONS[spoken.finish]
        if usage:
            body["usage"] = _usage(spoken)
        return encode_json(body)

    def rejection(
        self, status: int, *, number: int, model: str, code: str | None = None, retry_after_s: float | None = None,
        key: str = "",
    ) -> Reply:  # fmt: skip
        """Write an HTTP error as Bedrock does; `key` is never shown."""
        return rejection(status, number=number, model=model, code=code, retry_after_s=retry_after_s)

    def error_body(self, code: str | None = None) -> bytes:
        """Write an exception in place of an answer."""
        return error_inside(code)

    def error_event(self, code: str | None = None) -> bytes:
        """Write an exception frame."""
        return exception_frame(code)

    def malformed_event(self) -> bytes:
        """Write a frame that is whole and holds no JSON."""
        return self.event(b'{"contentBlockIndex":0,"delta":{"text":"brok')

    def corrupt(self, event: bytes) -> bytes:
        """Spoil the checksum of the last frame."""
        return event[:-1] + bytes([event[-1] ^ _DAMAGE])

    def event(self, payload: bytes) -> bytes:
        """Frame any bytes as a delta."""
        return _frame("contentBlockDelta", payload)

    def event_around(self, filler_bytes: int) -> tuple[bytes, bytes]:
        """Write the head of a long frame, and the checksum that belongs behind so many letters."""
        empty = _frame("contentBlockDelta", b"")
        headers = empty[12:-4]
        prelude = (len(empty) + filler_bytes).to_bytes(4, "big") + empty[4:8]
        head = prelude + crc32(prelude).to_bytes(4, "big") + headers
        check = crc32(head)
        block = b"a" * min(_BLOCK_BYTES, filler_bytes)
        left = filler_bytes
        while left:
            part = block[:left]
            check = crc32(part, check)
            left -= len(part)
        return head, check.to_bytes(4, "big")

    def with_latin1(self, data: bytes) -> bytes:
        """Garble the texts, in frames whose checksums are right."""
        if data.startswith(b"{"):
            return _garbled(data)
        frames = FrameSplitter(len(data)).feed(data)
        return b"".join(_frame(str(headers[":event-type"]), _garbled(payload)) for headers, payload in frames)

    def ping(self) -> bytes:
        """Write a delta of no text: Bedrock has no keep-alive, but that it sends at times."""
        return _event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": ""}})


def _served(spoken: Spoken) -> dict[str, Any]:
    return {} if spoken.service_tier is None else {"serviceTier": {"type": spoken.service_tier}}


def _blocks(spoken: Spoken) -> Iterator[list[tuple[str, dict[str, Any], int]]]:
    """Give the blocks of an answer: for each its events without the number, with the tokens generated for them."""
    if spoken.reasoning:
        thought = [
            ("contentBlockDelta", {"delta": {"reasoningContent": {"text": piece}}}, count_tokens(piece))
            for piece in spoken.reasoning
        ]
        yield [*thought, ("contentBlockDelta", {"delta": {"reasoningContent": {"signature": _seal(spoken)}}}, 0)]
    if spoken.chunks:
        yield [
            ("contentBlockDelta", {"delta": {"text": text}}, tokens)
            for text, tokens in zip(spoken.chunks, spoken.chunk_tokens, strict=True)
        ]
    for call in spoken.calls:
        start = {"start": {"toolUse": {"toolUseId": call.id, "name": call.name}}}
        fragments = [
            ("contentBlockDelta", {"delta": {"toolUse": {"input": fragment}}}, 1)
            for fragment in tokens_of(call.arguments)
        ]
        yield [("contentBlockStart", start, count_tokens(call.name)), *fragments]


def _event(name: str, payload: dict[str, Any]) -> bytes:
    padding = _PADDING[: len(json.dumps(payload)) % len(_PADDING)]
    return _frame(name, encode_json({**payload, "p": padding}))


def _frame(name: str, payload: bytes) -> bytes:
    return encode_frame({":event-type": name, ":content-type": "application/json", ":message-type": "event"}, payload)


def _garbled(data: bytes) -> bytes:
    return data.replace(b'"text":"', b'"text":"\xe9')


def _seal(spoken: Spoken) -> str:
    return identifier("seal", spoken.request_id, length=32)


def _usage(spoken: Spoken) -> dict[str, Any]:
    written, read = spoken.cache_write_tokens, spoken.cached_tokens
    return {
        "inputTokens": spoken.input_tokens - read - written,
        "outputTokens": spoken.output_tokens,
        "totalTokens": spoken.input_tokens + spoken.output_tokens,
        "cacheReadInputTokens": read,
        "cacheReadInputTokenCount": read,
        "cacheWriteInputTokens": written,
        "cacheWriteInputTokenCount": written,
    }


def _served_by(spoken: Spoken) -> Headers:
    digits = spoken.request_id.removeprefix("req_")
    return (("date", http_date(spoken.number)), ("x-amzn-requestid", request_id_of(digits)))


def _listing(path: str, models: tuple[str, ...]) -> Reply | None:
    match path:
        case "/foundation-models":
            body: dict[str, Any] = {"modelSummaries": [_summary(name) for name in models]}
        case "/inference-profiles":
            body = {"inferenceProfileSummaries": []}
        case _:
            name = unquote(path.removeprefix("/foundation-models/"))
            if not path.startswith("/foundation-models/"):
                return None
            if name not in models:
                return rejection(404, number=0, model=name)
            body = {"modelDetails": _summary(name)}
    return Reply(status=200, body=encode_json(body), headers=_JSON)


def _summary(name: str) -> dict[str, Any]:
    return {
        "modelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{name}",
        "modelId": name,
        "modelName": name,
        "providerName": "Simulated",
        "inputModalities": ["TEXT", "IMAGE"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "customizationsSupported": [],
        "inferenceTypesSupported": ["ON_DEMAND"],
        "modelLifecycle": {"status": "ACTIVE"},
    }
