"""Measure the CPU time that decoding one chunk costs: `python benchmarks/codecs.py`.

For each wire the same recorded-shape payloads go, in interleaved rounds, through `json.loads` alone (the
least that any client written in plain Python pays), through an untyped msgspec parse (the floor), and
through framing, decoding and assembly as a call does them. Medians of CPU microseconds per chunk.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import msgspec

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
from manus.messages.policy import Bounds

CHUNKS = 2000
BURST_BYTES = 16384
"""What one socket read gives in a burst."""


def openai_payloads() -> list[str]:
    """Give the payloads of a stream as api.openai.com sends them."""
    head = '{"id":"chatcmpl-C1abcdefghijklmnop","object":"chat.completion.chunk","created":1790000000,'
    head += '"model":"gpt-5.4-mini-2026-03-17","service_tier":"default","system_fingerprint":"fp_0123456789",'
    body = '"choices":[{"index":0,"delta":{"content":" word%d"},"logprobs":null,"finish_reason":null}],'
    payloads = [head + body % number + '"usage":null,"obfuscation":"aZ9xyz"}' for number in range(CHUNKS - 1)]
    last = '"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}'
    return [*payloads, head + last]


def ollama_payloads() -> list[str]:
    """Give the lines of a stream as Ollama sends them."""
    line = '{"model":"qwen3:8b","created_at":"2026-09-01T10:00:00.123456789Z",'
    line += '"message":{"role":"assistant","content":" word%d"},"done":false}'
    last = '{"model":"qwen3:8b","created_at":"2026-09-01T10:00:01Z","message":{"role":"assistant","content":""},'
    last += '"done":true,"done_reason":"stop","prompt_eval_count":26,"eval_count":1999}'
    return [line % number for number in range(CHUNKS - 1)] + [last]


def main() -> None:
    """Print one table per wire."""
    parser = argparse.ArgumentParser(description="CPU time per decoded chunk.")
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    for wire, payloads in (("openai-chat", openai_payloads()), ("ollama", ollama_payloads())):
        _print_table(wire, payloads, rounds)


def _print_table(wire: str, payloads: list[str], rounds: int) -> None:
    texts = [payload.encode() for payload in payloads]
    frames = [b"data: " + text + b"\n\n" if wire == "openai-chat" else text + b"\n" for text in texts]
    whole = b"".join(frames)
    bursts = [whole[place : place + BURST_BYTES] for place in range(0, len(whole), BURST_BYTES)]
    untyped = msgspec.json.Decoder().decode
    cases: dict[str, Callable[[], None]] = {
        "json.loads alone": lambda: _each(json.loads, texts),
        "msgspec untyped alone": lambda: _each(untyped, texts),
        "decoder, one chunk per read": lambda: _decode(wire, frames, assemble=False),
        "decoder, 16 KB per read": lambda: _decode(wire, bursts, assemble=False),
        "decoder and assembly, one chunk per read": lambda: _decode(wire, frames, assemble=True),
        "decoder and assembly, 16 KB per read": lambda: _decode(wire, bursts, assemble=True),
    }
    spent: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, run in cases.items():
            began = time.process_time_ns()
            run()
            spent[name].append((time.process_time_ns() - began) / 1000 / CHUNKS)
    base = statistics.median(spent["json.loads alone"])
    print(f"{wire}: {CHUNKS} chunks of {len(whole) // CHUNKS} bytes")
    for name, times in spent.items():
        middle = statistics.median(times)
        print(f"  {name:<42} {middle:6.2f} us/chunk  {middle / base:5.2f}x json.loads")


def _each(parse: Callable[[bytes], object], texts: list[bytes]) -> None:
    for text in texts:
        parse(text)


def _decode(wire: str, pieces: list[bytes], *, assemble: bool) -> None:
    decoder = codec_for(wire).decoder(stream=True, model="m", options=CodecOptions())
    assembly = Assembly(wire, "m", Bounds())
    for piece in pieces:
        events = decoder.feed(piece)
        if assemble:
            assembly.add(events)
    decoder.finish()


if __name__ == "__main__":
    main()
