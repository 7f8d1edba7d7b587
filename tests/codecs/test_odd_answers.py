"""Answers in shapes that no vendor documents and some server sends: nothing of what they say is lost or doubled."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from manus.messages.content import Reasoning, ToolCall
from tests.codecs.decoding import assemble, sse

# Any, throughout this file: JSON as servers write it.


def _chat(message: dict[str, Any], reason: str = "stop", **more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return json.dumps({"id": "c", "model": "m", "choices": [choice], **more}).encode()


def _responses(**more: Any) -> dict[str, Any]:
    used = {"input_tokens": 3, "output_tokens": 2}
    return {"id": "r", "object": "response", "model": "m", "status": "completed", "usage": used, "output": [], **more}


def _event(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields})


def _said(text: object) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": text}


_HI = [{"type": "output_text", "text": "Hi"}]
_CHUNK = json.dumps({"choices": [{"index": 0, "delta": {"content": "Hi"}}]})
_LAST = json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
_FULL = {"choices": [{"index": 0, "delta": {"content": ""}, "message": {"content": "Hi"}, "finish_reason": "stop"}]}
_TEXT_DONE = _event("response.output_text.done", output_index=0, content_index=0, text="Hi")
_ITEM_DONE = _event("response.output_item.done", output_index=0, item=_said(_HI))
_DELTA = _event("response.output_text.delta", output_index=0, content_index=0, delta="Hi")
_BARE = _event("response.output_text.delta", delta="Hi")
_COMPLETED = _event("response.completed", response=_responses(output=[_said(_HI)]))
_COMPLETED_EMPTY = _event("response.completed", response=_responses())
_OLLAMA_END = '"done":true,"done_reason":"stop"}'

SAY_HI: dict[str, tuple[str, bool, bytes]] = {
    "content in pieces": ("openai-chat", False, _chat({"content": [{"type": "text", "text": "Hi"}]})),
    "content in pieces with sources": (
        "openai-chat",
        False,
        _chat({"content": [{"type": "text", "text": "Hi"}, {"type": "reference", "reference_ids": [1]}]}),
    ),
    "a finish reason in capitals": ("openai-chat", False, _chat({"content": "Hi"}, "STOP")),
    "sources beside the choices": ("openai-chat", False, _chat({"content": "Hi"}, citations=["https://a.example"])),
    "counts as text": ("openai-chat", False, _chat({"content": "Hi"}, usage={"prompt_tokens": "3"})),
    "no index": ("openai-chat", True, sse(_CHUNK.replace('"index": 0, ', ""), _LAST)),
    "no marker": ("openai-chat", True, sse(_CHUNK, _LAST)),
    "the whole message beside the last delta": ("openai-chat", True, sse(_CHUNK, json.dumps(_FULL), "[DONE]")),
    "a document for a stream": ("openai-chat", True, _chat({"content": "Hi"})),
    "a stream for a document": ("openai-chat", False, sse(_CHUNK, _LAST, "[DONE]")),
    "content as text": ("openai-responses", False, json.dumps(_responses(output=[_said("Hi")])).encode()),
    "the end alone": ("openai-responses", True, sse(_COMPLETED)),
    "deltas without a place": ("openai-responses", True, sse(_BARE, _COMPLETED)),
    "text without deltas": ("openai-responses", True, sse(_TEXT_DONE, _COMPLETED_EMPTY)),
    "text without deltas, and again": ("openai-responses", True, sse(_TEXT_DONE, _ITEM_DONE, _COMPLETED)),
    "text in every way": ("openai-responses", True, sse(_DELTA, _TEXT_DONE, _ITEM_DONE, _COMPLETED)),
    "the item before its text": ("openai-responses", True, sse(_ITEM_DONE, _TEXT_DONE, _DELTA, _COMPLETED)),
    "the item twice": ("openai-responses", True, sse(_DELTA, _ITEM_DONE, _ITEM_DONE, _COMPLETED)),
    "a document for a stream of items": (
        "openai-responses",
        True,
        json.dumps(_responses(output=[_said(_HI)])).encode(),
    ),
    "a line of /api/generate": ("ollama", False, f'{{"model":"m","response":"Hi",{_OLLAMA_END}'.encode()),
    "an end without a message": (
        "ollama",
        True,
        f'{{"message":{{"content":"Hi"}},"done":false}}\n{{"model":"m",{_OLLAMA_END}'.encode(),
    ),
}


@pytest.mark.parametrize(("wire", "stream", "body"), SAY_HI.values(), ids=SAY_HI.keys())
def test_an_odd_answer_is_read_whole_and_once(wire: str, stream: bool, body: bytes) -> None:
    assembly = assemble(wire, body, stream=stream)

    assert assembly.failure is None
    assert assembly.text_so_far == "Hi"
    assert assembly.finish is not None
    assert assembly.finish.reason == "stop"


CALLS: dict[str, tuple[str, bytes]] = {
    "arguments as an object": (
        "openai-chat",
        _chat({"tool_calls": [{"id": "x", "function": {"name": "f", "arguments": {"a": 1}}}]}, "tool_calls"),
    ),
    "an empty id": (
        "openai-chat",
        _chat({"tool_calls": [{"id": "", "function": {"name": "f", "arguments": '{"a":1}'}}]}, "tool_calls"),
    ),
    "stop for a finish reason": (
        "openai-chat",
        _chat({"tool_calls": [{"id": "x", "function": {"name": "f", "arguments": '{"a":1}'}}]}),
    ),
    "arguments as text": (
        "ollama",
        json.dumps(
            {
                "message": {"tool_calls": [{"function": {"name": "f", "arguments": '{"a":1}'}}]},
                "done": True,
                "done_reason": "stop",
            }
        ).encode(),
    ),
}


@pytest.mark.parametrize(("wire", "body"), CALLS.values(), ids=CALLS.keys())
def test_an_odd_call_is_a_call_with_an_id_and_arguments(wire: str, body: bytes) -> None:
    answer = assemble(wire, body, stream=False).answer()

    (call,) = answer.parts
    assert isinstance(call, ToolCall)
    assert (call.name, msgspec.json.decode(call.arguments), call.valid) == ("f", {"a": 1}, True)
    assert call.id
    assert answer.finish.reason == "tool_calls"


def test_thinking_in_pieces_of_content_is_no_text() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hmm"}]}
    answer = assemble(
        "openai-chat", _chat({"content": [thought, {"type": "text", "text": "Hi"}]}), stream=False
    ).answer()

    assert [part.text for part in answer.parts if isinstance(part, Reasoning)] == ["hmm"]
