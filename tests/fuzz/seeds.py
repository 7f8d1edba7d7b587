"""Own the bodies that fuzzing starts from: for each wire one answer with everything its vendor can put in one.

Written by hand after the vendors' descriptions, so that every kind of event is met although no recording holds
them all; what was recorded joins them where it is to be had (`recorded_seeds`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import msgspec

from manus.actors.codecs import CODECS
from manus.testing.wire_replay import WIRES
from tests.fuzz.framing import Form, Item, body_of
from tests.shared_data import exchanges

# Any, throughout this file: JSON as vendors write it.


class Seed(msgspec.Struct, frozen=True, kw_only=True):
    """One whole body, and how its client asked for it."""

    name: str
    wire: str
    stream: bool
    body: bytes


TEXT = "Hé 水\U0001f600\u2028 there"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _chat_chunk(delta: dict[str, Any], **choice: Any) -> Item:
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "service_tier": "default"}
    return Item("", _json({**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None, **choice}]}))


def _chat_call(index: int, **fields: Any) -> Item:
    return _chat_chunk({"tool_calls": [{"index": index, **fields}]})


_CHAT_USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 20,
    "total_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 5, "audio_tokens": 0},
}
_FILTERED = {"hate": {"filtered": False, "severity": "safe"}}
_TOP = {"token": "H", "logprob": -0.1, "bytes": [72], "top_logprobs": []}
_CITED = {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A", "start_index": 0}}

CHAT_STREAM = [
    Item(
        "", _json({"choices": [], "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": _FILTERED}]})
    ),
    _chat_chunk({"role": "assistant", "content": ""}),
    _chat_chunk({"reasoning_content": "Think "}),
    _chat_chunk({"reasoning": "more", "reasoning_details": [{"type": "reasoning.text", "text": "more"}]}),
    _chat_chunk({"content": TEXT}, logprobs={"content": [_TOP], "refusal": None}, content_filter_results=_FILTERED),
    _chat_chunk({"content": " you", "annotations": [_CITED]}),
    _chat_call(0, id="call_1", type="function", function={"name": "f", "arguments": ""}),
    _chat_call(1, id="call_2", type="function", function={"name": "g", "arguments": '{"b"'}),
    _chat_call(0, function={"arguments": '{"a":1}'}),
    _chat_call(1, function={"arguments": ":2}"}),
    _chat_chunk({"audio": {"id": "a1", "data": "AAAA", "transcript": "Hé", "expires_at": 9}}),
    _chat_chunk({}, finish_reason="tool_calls"),
    Item("", _json({"id": "c1", "choices": [], "usage": _CHAT_USAGE, "x_groq": {"id": "r"}})),
    Item("", b"[DONE]"),
]
_CHAT_MESSAGE = {
    "role": "assistant",
    "content": TEXT,
    "refusal": None,
    "reasoning_content": "Think",
    "annotations": [_CITED],
    "audio": {"id": "a1", "data": "AAAA", "transcript": "Hé", "expires_at": 9},
    "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}],
    "function_call": {"name": "old", "arguments": "{}"},
}
CHAT_DOCUMENT = {
    "id": "c1",
    "model": "m",
    "choices": [
        {"index": 0, "message": _CHAT_MESSAGE, "logprobs": {"content": [_TOP]}, "finish_reason": "tool_calls"},
        {"index": 1, "message": {"content": "other"}, "finish_reason": "stop"},
    ],
    "usage": _CHAT_USAGE,
}
CHAT_REFUSED = [_chat_chunk({"refusal": "I will not"}), _chat_chunk({}, finish_reason="content_filter")]
CHAT_FAILED = [_chat_chunk({"content": "a"}), Item("error", _json({"error": {"message": "m", "code": 500}}))]


def _responses(kind: str, **fields: Any) -> Item:
    return Item(kind, _json({"type": kind, "sequence_number": 1, **fields}))


_RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "model": "m",
    "status": "in_progress",
    "output": [],
    "usage": None,
}
_THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": []}
_SEALED = {**_THOUGHT, "summary": [{"type": "summary_text", "text": "Think"}], "encrypted_content": "gAAA"}
_OUTPUT_TEXT = {"type": "output_text", "text": TEXT, "annotations": [], "logprobs": [_TOP]}
_SAID = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [_OUTPUT_TEXT]}
_CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "", "status": "x"}
_CALLED = {**_CALL, "arguments": '{"a":1}'}
_SEARCHED = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}}
_NOTE = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 1}
_RESPONSES_USAGE = {
    "input_tokens": 30,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 50,
}
RESPONSES_DOCUMENT = {
    **_RESPONSE,
    "status": "completed",
    "output": [_SEALED, _SEARCHED, _SAID, _CALLED],
    "usage": _RESPONSES_USAGE,
    "error": None,
    "incomplete_details": None,
    "service_tier": "default",
}
RESPONSES_STREAM = [
    _responses("response.created", response=_RESPONSE),
    _responses("response.in_progress", response=_RESPONSE),
    _responses("response.output_item.added", output_index=0, item=_THOUGHT),
    _responses("response.reasoning_summary_part.added", item_id="rs_1", output_index=0, summary_index=0, part={}),
    _responses("response.reasoning_summary_text.delta", item_id="rs_1", output_index=0, summary_index=0, delta="Think"),
    _responses("response.reasoning_summary_text.done", item_id="rs_1", output_index=0, summary_index=0, text="Think"),
    _responses("response.reasoning_text.delta", item_id="rs_1", output_index=0, content_index=0, delta="x"),
    _responses("response.output_item.done", output_index=0, item=_SEALED),
    _responses("response.output_item.added", output_index=1, item={**_SEARCHED, "status": "in_progress"}),
    _responses("response.web_search_call.searching", output_index=1, item_id="ws_1"),
    _responses("response.output_item.done", output_index=1, item=_SEARCHED),
    _responses("response.output_item.added", output_index=2, item={**_SAID, "content": []}),
    _responses("response.content_part.added", output_index=2, content_index=0, item_id="msg_1", part=_OUTPUT_TEXT),
    _responses("response.output_text.delta", output_index=2, content_index=0, item_id="msg_1", delta=TEXT),
    _responses("response.output_text.annotation.added", output_index=2, content_index=0, annotation=_NOTE),
    _responses("response.output_text.done", output_index=2, content_index=0, item_id="msg_1", text=TEXT),
    _responses("response.refusal.delta", output_index=2, content_index=1, item_id="msg_1", delta="No"),
    _responses("response.refusal.done", output_index=2, content_index=1, item_id="msg_1", refusal="No"),
    _responses("response.output_item.done", output_index=2, item=_SAID),
    _responses("response.output_item.added", output_index=3, item=_CALL),
    _responses("response.function_call_arguments.delta", output_index=3, item_id="fc_1", delta='{"a"'),
    _responses("response.function_call_arguments.delta", output_index=3, item_id="fc_1", delta=":1}"),
    _responses("response.function_call_arguments.done", output_index=3, item_id="fc_1", arguments='{"a":1}'),
    _responses("response.output_item.done", output_index=3, item=_CALLED),
    _responses("response.completed", response=RESPONSES_DOCUMENT),
]
_CUT = {**RESPONSES_DOCUMENT, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
RESPONSES_CUT = [*RESPONSES_STREAM[:-1], _responses("response.incomplete", response=_CUT)]
_BROKEN = {**_RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "m"}}
RESPONSES_FAILED = [*RESPONSES_STREAM[:5], _responses("response.failed", response=_BROKEN)]
RESPONSES_ERROR = [RESPONSES_STREAM[0], _responses("error", code="server_error", message="m", param=None)]


def _messages(kind: str, **fields: Any) -> Item:
    return Item(kind, _json({"type": kind, **fields}))


def _block(index: int, block: dict[str, Any], *deltas: dict[str, Any]) -> list[Item]:
    begun = _messages("content_block_start", index=index, content_block=block)
    middle = [_messages("content_block_delta", index=index, delta=delta) for delta in deltas]
    return [begun, *middle, _messages("content_block_stop", index=index)]


_ANTHROPIC_USAGE = {
    "input_tokens": 30,
    "cache_creation_input_tokens": 3,
    "cache_read_input_tokens": 4,
    "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2},
    "output_tokens": 20,
    "server_tool_use": {"web_search_requests": 1},
    "service_tier": "standard",
}
_WEB = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
_FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "web_search_result"}]}
_QUOTE = {"type": "web_search_result_location", "cited_text": "x", "url": "https://a.example", "title": "A"}
_MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": None,
}
_THINKING = {"type": "thinking", "thinking": "", "signature": ""}
_USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
ANTHROPIC_STREAM = [
    _messages("message_start", message={**_MESSAGE, "usage": {**_ANTHROPIC_USAGE, "output_tokens": 1}}),
    *_block(
        0, _THINKING, {"type": "thinking_delta", "thinking": "Think"}, {"type": "signature_delta", "signature": "E"}
    ),
    _messages("ping"),
    *_block(1, {"type": "redacted_thinking", "data": "AAAA"}),
    *_block(2, _WEB, {"type": "input_json_delta", "partial_json": '{"query":"q"}'}),
    *_block(3, _FOUND),
    *_block(
        4,
        {"type": "text", "text": ""},
        {"type": "citations_delta", "citation": _QUOTE},
        {"type": "text_delta", "text": TEXT},
    ),
    *_block(
        5,
        _USE,
        {"type": "input_json_delta", "partial_json": ""},
        {"type": "input_json_delta", "partial_json": '{"a"'},
        {"type": "input_json_delta", "partial_json": ":1}"},
    ),
    _messages("message_delta", delta={"stop_reason": "tool_use", "stop_sequence": None}, usage=_ANTHROPIC_USAGE),
    _messages("message_stop"),
]
ANTHROPIC_DOCUMENT: dict[str, Any] = {
    **_MESSAGE,
    "content": [
        {**_THINKING, "thinking": "Think", "signature": "E"},
        {"type": "redacted_thinking", "data": "AAAA"},
        _WEB,
        _FOUND,
        {"type": "text", "text": TEXT, "citations": [_QUOTE]},
        {**_USE, "input": {"a": 1}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "stop_details": {"type": "refusal", "category": "x"},
    "container": {"id": "c", "expires_at": "2026-01-01T00:00:00Z"},
    "context_management": {"applied_edits": []},
    "usage": _ANTHROPIC_USAGE,
}
ANTHROPIC_FAILED = [
    *ANTHROPIC_STREAM[:3],
    _messages("error", error={"type": "overloaded_error", "message": "Overloaded"}, request_id="req_1"),
]

_BEDROCK_USAGE = {
    "inputTokens": 30,
    "outputTokens": 20,
    "totalTokens": 57,
    "cacheReadInputTokens": 4,
    "cacheWriteInputTokens": 3,
    "cacheDetails": [{"ttl": "5m", "inputTokens": 3}],
}
_BASE64 = base64.b64encode(b"hidden").decode()


def _bedrock_delta(index: int, **delta: Any) -> Item:
    return Item("contentBlockDelta", _json({"contentBlockIndex": index, "delta": delta, "p": "abcdef"}))


def _bedrock_stop(index: int) -> Item:
    return Item("contentBlockStop", _json({"contentBlockIndex": index, "p": "ab"}))


BEDROCK_STREAM = [
    Item("messageStart", _json({"role": "assistant", "p": "abc"})),
    _bedrock_delta(0, reasoningContent={"text": "Think"}),
    _bedrock_delta(0, reasoningContent={"signature": "E"}),
    _bedrock_stop(0),
    _bedrock_delta(1, reasoningContent={"redactedContent": _BASE64}),
    _bedrock_stop(1),
    _bedrock_delta(2, text=TEXT),
    _bedrock_delta(2, citation={"title": "A", "sourceContent": [{"text": "x"}], "location": {"web": {"url": "u"}}}),
    _bedrock_stop(2),
    Item("contentBlockStart", _json({"contentBlockIndex": 3, "start": {"toolUse": {"toolUseId": "t1", "name": "f"}}})),
    _bedrock_delta(3, toolUse={"input": '{"a"'}),
    _bedrock_delta(3, toolUse={"input": ":1}"}),
    _bedrock_stop(3),
    Item("messageStop", _json({"stopReason": "tool_use", "additionalModelResponseFields": {"x": 1}})),
    Item("metadata", _json({"usage": _BEDROCK_USAGE, "metrics": {"latencyMs": 9}, "trace": {"guardrail": {}}})),
]
_BEDROCK_CONTENT = [
    {"reasoningContent": {"reasoningText": {"text": "Think", "signature": "E"}}},
    {"reasoningContent": {"redactedContent": _BASE64}},
    {"text": TEXT},
    {
        "citationsContent": {
            "content": [{"text": "x"}],
            "citations": [{"title": "A", "location": {"web": {"url": "u"}}}],
        }
    },
    {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1}}},
]
BEDROCK_DOCUMENT = {
    "output": {"message": {"role": "assistant", "content": _BEDROCK_CONTENT}},
    "stopReason": "tool_use",
    "usage": _BEDROCK_USAGE,
    "metrics": {"latencyMs": 9},
    "trace": {"guardrail": {}},
}
BEDROCK_FAILED = [*BEDROCK_STREAM[:2], Item("!throttlingException", _json({"message": "Too many tokens"}))]


def _ollama(**fields: Any) -> Item:
    return Item("", _json({"model": "m", "created_at": "2026-01-01T00:00:00Z", "done": False, **fields}))


def _ollama_says(**message: Any) -> Item:
    return _ollama(message={"role": "assistant", "content": "", **message})


_OLLAMA_END = {"done": True, "done_reason": "stop", "prompt_eval_count": 30, "eval_count": 20, "total_duration": 1}
OLLAMA_STREAM = [
    _ollama_says(thinking="Think"),
    _ollama_says(content=TEXT),
    _ollama_says(tool_calls=[{"id": "call_1", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}}]),
    _ollama(message={"role": "assistant", "content": ""}, logprobs=[_TOP], **_OLLAMA_END),
]
OLLAMA_DOCUMENT = {
    "model": "m",
    "message": {
        "role": "assistant",
        "content": TEXT,
        "thinking": "Think",
        "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}],
    },
    **_OLLAMA_END,
}
OLLAMA_FAILED = [*OLLAMA_STREAM[:2], Item("", _json({"error": "model runner has unexpectedly stopped"}))]

_STREAMS: dict[str, tuple[Form, dict[str, list[Item]]]] = {
    "openai-chat": ("sse", {"whole": CHAT_STREAM, "refused": CHAT_REFUSED, "failed": CHAT_FAILED}),
    "openai-responses": (
        "sse",
        {"whole": RESPONSES_STREAM, "cut": RESPONSES_CUT, "failed": RESPONSES_FAILED, "error": RESPONSES_ERROR},
    ),
    "anthropic": ("sse", {"whole": ANTHROPIC_STREAM, "failed": ANTHROPIC_FAILED}),
    "bedrock": ("frames", {"whole": BEDROCK_STREAM, "failed": BEDROCK_FAILED}),
    "ollama": ("lines", {"whole": OLLAMA_STREAM, "failed": OLLAMA_FAILED}),
}
_DOCUMENTS: dict[str, Any] = {
    "openai-chat": CHAT_DOCUMENT,
    "openai-responses": RESPONSES_DOCUMENT,
    "anthropic": ANTHROPIC_DOCUMENT,
    "bedrock": BEDROCK_DOCUMENT,
    "ollama": OLLAMA_DOCUMENT,
}
_LIKE = {"azure-chat": "openai-chat", "azure-responses": "openai-responses"}
"""Wires whose answers have the shape of another's."""


def seeds(wire: str) -> list[Seed]:
    """Give the hand-written bodies of a wire, streams first.

    Raises:
        KeyError: nobody has written any; every registered wire needs some.
    """
    shape = _LIKE.get(wire, wire)
    form, streams = _STREAMS[shape]
    written = [
        Seed(name=f"{wire}:{name}", wire=wire, stream=True, body=body_of(form, items))
        for name, items in streams.items()
    ]
    return [*written, Seed(name=f"{wire}:document", wire=wire, stream=False, body=_json(_DOCUMENTS[shape]))]


def all_seeds() -> list[Seed]:
    """Give the hand-written bodies of every registered wire."""
    return [seed for wire in sorted(CODECS) for seed in seeds(wire)]


def recorded_seeds(*, bytes_max: int) -> Iterator[Seed]:
    """Give recorded successful answers that are not longer than that. Skips the test where there are no recordings."""
    for (provider, api), wire in WIRES.items():
        for exchange in exchanges((provider, api)):
            response = exchange["response"]
            if wire not in CODECS or response["status"] != 200:
                continue
            encoded = response.get("body_base64")
            body = base64.b64decode(encoded) if encoded else (response.get("body_text") or "").encode()
            if 0 < len(body) <= bytes_max:
                yield Seed(name=exchange["id"], wire=wire, stream="stream" in exchange["features"], body=body)
