"""What the vendor said goes back to it block for block: every recorded answer, decoded and put into a history."""

from __future__ import annotations

import json
from typing import Any

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.messages.content import ToolCall, ToolResult, Turn, text_turn
from manus.messages.ids import RequestId
from manus.messages.policy import Bounds
from manus.messages.requests import ChatRequest
from tests.shared_data import exchanges

CODEC = codec_for("anthropic")


def _given_back(body: str, model: str) -> list[dict[str, Any]]:
    """Decode an answer, go on from it, and give the assistant's blocks that are then sent."""
    decoder = CODEC.decoder(stream=True, model=model, options=CodecOptions())
    assembly = Assembly("anthropic", model, Bounds())
    assembly.add(decoder.feed(body.encode()))
    assembly.add(decoder.finish())
    turn = assembly.answer().turn
    assert turn is not None
    results = tuple(ToolResult(id=part.id) for part in turn.parts if isinstance(part, ToolCall))
    after = Turn(role="tool", parts=results) if results else text_turn("user", "And?")
    request = ChatRequest(request_id=RequestId("r"), turns=(text_turn("user", "Hi"), turn, after))
    written = CODEC.encode(request, model, CodecOptions())
    assert isinstance(written, HttpRequest)
    messages = json.loads(written.body)["messages"]
    if len(messages) == 1:
        return []  # nothing had been said, and the user's two turns became one message
    content = messages[1]["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _streamed_blocks(body: str) -> list[dict[str, Any]]:
    """Put the blocks of a stream together, as plainly as can be."""
    blocks: dict[int, dict[str, Any]] = {}
    inputs: dict[int, str] = {}
    for line in body.splitlines():
        event = json.loads(line[5:]) if line.startswith("data:") else {}
        match event.get("type"):
            case "content_block_start":
                blocks[event["index"]] = event["content_block"]
            case "content_block_delta":
                block, delta = blocks[event["index"]], event["delta"]
                match delta["type"]:
                    case "text_delta":
                        block["text"] += delta["text"]
                    case "thinking_delta":
                        block["thinking"] += delta["thinking"]
                    case "signature_delta":
                        block["signature"] = delta["signature"]
                    case "citations_delta":
                        block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
                    case "input_json_delta":
                        inputs[event["index"]] = inputs.get(event["index"], "") + delta["partial_json"]
    for index, text in inputs.items():
        blocks[index]["input"] = json.loads(text) if text else {}
    return [blocks[index] for index in sorted(blocks)]


def _one_spelling(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out what says nothing: blank texts, which are refused, empty lists of sources, the usual caller."""
    spelt = []
    for block in blocks:
        if block["type"] == "text" and not block["text"].strip():
            continue
        kept = {key: value for key, value in block.items() if not (key == "citations" and not value)}
        if block["type"] == "tool_use" and kept.get("caller") == {"type": "direct"}:
            del kept["caller"]
        spelt.append(kept)
    return spelt


def test_every_recorded_answer_goes_back_as_it_came() -> None:
    compared = streamed = 0
    for exchange in exchanges(("anthropic", "messages")):
        body = exchange["response"]["body_text"]
        if exchange["response"]["status"] != 200 or exchange["expect"]["error"] is not None:
            continue
        whole = body.lstrip().startswith("{")
        theirs = json.loads(body)["content"] if whole else _streamed_blocks(body)
        ours = _given_back(body, "some-model")
        assert _one_spelling(ours) == _one_spelling(theirs), exchange["id"]
        compared += 1
        streamed += not whole
    assert compared >= 108
    assert streamed >= 36
