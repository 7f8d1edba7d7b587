"""Own the streams that codecs are measured on: two thousand chunks of text, as each vendor sends them."""

from __future__ import annotations

import json

import msgspec

from manus.actors.codecs.event_stream import encode_frame

CHUNKS = 2000
BURST_BYTES = 16384
"""What one socket read gives in a burst."""


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream in three forms: the JSON alone, the frames around it, and what a fast server has read at once."""

    wire: str
    payloads: tuple[bytes, ...]
    frames: tuple[bytes, ...]

    @property
    def bursts(self) -> tuple[bytes, ...]:
        """The body in pieces of `BURST_BYTES`."""
        body = b"".join(self.frames)
        return tuple(body[place : place + BURST_BYTES] for place in range(0, len(body), BURST_BYTES))


def streams() -> tuple[Stream, ...]:
    """Give one stream per wire; Azure's are OpenAI's."""
    return (_openai_chat(), _openai_responses(), _anthropic(), _bedrock(), _ollama())


def _openai_chat() -> Stream:
    head = '{"id":"chatcmpl-C1abcdefghijklmnop","object":"chat.completion.chunk","created":1790000000,'
    head += '"model":"gpt-5.4-mini-2026-03-17","service_tier":"default","system_fingerprint":"fp_0123456789",'
    body = '"choices":[{"index":0,"delta":{"content":" word%d"},"logprobs":null,"finish_reason":null}],'
    payloads = [head + body % number + '"usage":null,"obfuscation":"aZ9xyz"}' for number in range(CHUNKS - 1)]
    last = '"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}'
    return _sse("openai-chat", [("", text) for text in (*payloads, head + last)])


def _openai_responses() -> Stream:
    response = '"response":{"id":"resp_0123456789abcdef","object":"response","created_at":1790000000,"status":"%s",'
    response += '"model":"gpt-5.4-2026-03-05","output":[],"usage":%s}'
    used = '{"input_tokens":26,"output_tokens":1999,"total_tokens":2025}'
    said = '"type":"message","status":"in_progress","content":[],"role":"assistant"}'
    begun = f'{{"type":"response.output_item.added","output_index":0,"item":{{"id":"msg_0123456789",{said}}}'
    delta = (
        '{"type":"response.output_text.delta","sequence_number":%d,"item_id":"msg_0123456789abcdef0123456789abcdef",'
    )
    delta += '"output_index":0,"content_index":0,"delta":" word%d","logprobs":[],"obfuscation":"aZ9xyz"}'
    events = [
        ("response.created", '{"type":"response.created",' + response % ("in_progress", "null") + "}"),
        ("response.output_item.added", begun),
        *(("response.output_text.delta", delta % (number, number)) for number in range(CHUNKS - 3)),
        ("response.completed", '{"type":"response.completed",' + response % ("completed", used) + "}"),
    ]
    return _sse("openai-responses", events)


def _anthropic() -> Stream:
    start = '{"type":"message_start","message":{"id":"msg_0123456789","type":"message","role":"assistant","content":[],'
    start += '"model":"claude-sonnet-5-20260601","stop_reason":null,"stop_sequence":null,'
    start += '"usage":{"input_tokens":26,"output_tokens":1}}}'
    delta = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" word%d"}}'
    stopped = '{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
    stopped += '"usage":{"output_tokens":1995}}'
    events = [
        ("message_start", start),
        ("content_block_start", '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}'),
        *(("content_block_delta", delta % number) for number in range(CHUNKS - 5)),
        ("content_block_stop", '{"type":"content_block_stop","index":0}'),
        ("message_delta", stopped),
        ("message_stop", '{"type":"message_stop"}'),
    ]
    return _sse("anthropic", events)


def _bedrock() -> Stream:
    delta = '{"contentBlockIndex":0,"delta":{"text":" word%d"},"p":"abcdefghijklmnopqrstuvwxyz"}'
    metadata = (
        '{"metrics":{"latencyMs":900},"p":"abc","usage":{"inputTokens":26,"outputTokens":1996,"totalTokens":2022}}'
    )
    events = [
        ("messageStart", '{"p":"abcdefgh","role":"assistant"}'),
        *(("contentBlockDelta", delta % number) for number in range(CHUNKS - 4)),
        ("contentBlockStop", '{"contentBlockIndex":0,"p":"abcdef"}'),
        ("messageStop", '{"p":"abcdefghij","stopReason":"end_turn"}'),
        ("metadata", metadata),
    ]
    frames = []
    for name, text in events:
        headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
        frames.append(encode_frame(headers, text.encode()))
    return Stream(wire="bedrock", payloads=tuple(text.encode() for _, text in events), frames=tuple(frames))


def _ollama() -> Stream:
    line = '{"model":"qwen3:8b","created_at":"2026-09-01T10:00:00.123456789Z",'
    line += '"message":{"role":"assistant","content":" word%d"},"done":false}'
    last = '{"model":"qwen3:8b","created_at":"2026-09-01T10:00:01Z","message":{"role":"assistant","content":""},'
    last += '"done":true,"done_reason":"stop","prompt_eval_count":26,"eval_count":1999}'
    payloads = tuple(text.encode() for text in (*(line % number for number in range(CHUNKS - 1)), last))
    return Stream(wire="ollama", payloads=payloads, frames=tuple(text + b"\n" for text in payloads))


def _sse(wire: str, events: list[tuple[str, str]]) -> Stream:
    frames = []
    for name, text in events:
        json.loads(text)  # a benchmark of something that is no JSON would measure the mending of it
        named = f"event: {name}\n" if name else ""
        frames.append(f"{named}data: {text}\n\n".encode())
    if wire == "openai-chat":
        frames[-1] += b"data: [DONE]\n\n"
    return Stream(wire=wire, payloads=tuple(text.encode() for _, text in events), frames=tuple(frames))
