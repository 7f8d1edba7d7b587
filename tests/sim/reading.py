"""Own the reading of the six wires for these tests: plainly, on whole bytes, and apart from the codecs.

A stream is taken apart into the payloads of its events; each wire's words for text, error, ending and usage are here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from zlib import crc32

from manus.sim.wire import WireName

MARKS: dict[WireName, bytes] = {
    "openai": b'"content":"',
    "azure": b'"content":"',
    "openai-responses": b'"type":"response.output_text.delta"',
    "anthropic": b'"text_delta"',
    "bedrock": b'"delta":{"text"',
    "ollama": b'"message"',
}
"""What stands once in every chunk of text."""

OPENS_WITH_TEXT: tuple[WireName, ...] = ("openai", "azure")
"""Whose opening event holds an empty text, and so the mark."""


def payloads(wire: WireName, body: bytes) -> list[bytes]:
    """Give what each whole event of a stream carries; comments carry nothing."""
    match wire:
        case "ollama":
            return body[: body.rfind(b"\n") + 1].splitlines()
        case "bedrock":
            return [payload for _, payload in frames(body)]
        case _:
            whole = body[: body.rfind(b"\n\n") + 2].removesuffix(b"\n\n")
            return [_data_of(event) for event in whole.split(b"\n\n")]


def frames(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Give headers and payload of each whole frame; both checksums have to be right."""
    while len(body) >= 4 and len(body) >= (length := int.from_bytes(body[:4], "big")):
        frame, body = body[:length], body[length:]
        headers_end = 12 + int.from_bytes(frame[4:8], "big")
        assert crc32(frame[:8]) == int.from_bytes(frame[8:12], "big")
        assert crc32(frame[:-4]) == int.from_bytes(frame[-4:], "big")
        yield frame[12:headers_end], frame[headers_end:-4]


def ends_on_an_event(wire: WireName, body: bytes) -> bool:
    """Whether nothing is left over behind the last whole event."""
    if wire == "bedrock":
        return sum(16 + len(headers) + len(payload) for headers, payload in frames(body)) == len(body)
    return body.endswith(b"\n" if wire == "ollama" else b"\n\n")


def text_in(wire: WireName, body: bytes) -> str:
    """Join the text of all whole events of a stream."""
    return "".join(_said(wire, json.loads(payload)) for payload in payloads(wire, body) if is_json(payload))


def is_last(wire: WireName, payload: bytes) -> bool:
    """Whether an event is the vendor's terminal marker."""
    match wire:
        case "openai" | "azure":
            return payload == b"[DONE]"
        case "openai-responses":
            return b'"type":"response.completed"' in payload
        case "anthropic":
            return b'"type":"message_stop"' in payload
        case "bedrock":
            return b'"latencyMs"' in payload
        case "ollama":
            return b'"done":true' in payload


def is_error(wire: WireName, payload: bytes) -> bool:
    """Whether an event, or a body, is nothing but an error."""
    told = json.loads(payload)
    match wire:
        case "openai-responses":
            return bool(told["type"] in ("response.failed", "error"))
        case "anthropic":
            return bool(told["type"] == "error")
        case "bedrock":
            return bool(told.keys() <= {"__type", "message"})
        case _:
            return list(told) == ["error"]


def usage_in(wire: WireName, body: bytes, *, stream: bool) -> tuple[int, int]:
    """Give the tokens in and out that an answer reports: all of the prompt, whatever the cache did with it."""
    told = [json.loads(each) for each in (payloads(wire, body) if stream else [body]) if is_json(each)]
    if wire == "ollama":
        return told[-1]["prompt_eval_count"], told[-1]["eval_count"]
    usages = [usage for each in told if isinstance(usage := _usage(each), dict)]
    usage = usages[-1]
    match wire:
        case "openai" | "azure":
            return usage["prompt_tokens"], usage["completion_tokens"]
        case "openai-responses":
            return usage["input_tokens"], usage["output_tokens"]
        case "anthropic":
            cached = usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"]
            return usage["input_tokens"] + cached, usage["output_tokens"]
        case "bedrock":
            cached = usage["cacheReadInputTokens"] + usage["cacheWriteInputTokens"]
            return usage["inputTokens"] + cached, usage["outputTokens"]


def is_json(data: bytes) -> bool:
    """Whether all of it is one JSON value."""
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def _data_of(event: bytes) -> bytes:
    return b"".join(line[6:] for line in event.split(b"\n") if line.startswith(b"data: "))


def _usage(told: dict[str, Any]) -> object:
    return told.get("usage") or (told.get("response") or {}).get("usage")


def _said(wire: WireName, event: dict[str, Any]) -> str:
    match wire:
        case "openai" | "azure":
            return "".join(choice.get("delta", {}).get("content") or "" for choice in event.get("choices", ()))
        case "openai-responses":
            return str(event["delta"]) if event["type"] == "response.output_text.delta" else ""
        case "ollama":
            return str(event.get("message", {}).get("content", ""))
        case _:
            return str(event.get("delta", {}).get("text", ""))
