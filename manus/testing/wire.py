"""Own the replay of recorded exchanges through the codecs: `python -m manus.testing.wire DIR`.

Each exchange file (the format is that of the recordings: `id`, `provider`, `api`, `request`, `response`) is
decoded whole, one byte at a time and at random splits, and gives one JSON line per exchange and split on
stdout, a summary on stderr. Token numbers are the provider's own, null where it gave none, so that a
line can be compared with the recording's `expect`; `usage` beside them is our normal form.

Exit codes: 0 all exchanges were replayed and the splits of each agree; 1 they do not, or a file is no
exchange; 2 the command line is wrong.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from manus.actors.assembly import Assembly
from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
from manus.actors.codecs.call_ids import is_made
from manus.messages.content import Refusal, Text
from manus.messages.events import StreamEvent, ToolArgumentsDelta, ToolCallStarted
from manus.messages.failures import Failed
from manus.messages.policy import Bounds
from manus.messages.usage import Usage, VendorCounts

# Any, throughout this file: an exchange is a JSON file of a foreign hand, read and printed.

Line = dict[str, Any]

WIRES: dict[tuple[str, str], str] = {
    ("openai", "chat"): "openai-chat",
    ("openai-compat", "chat"): "openai-chat",
    ("ollama", "v1-chat"): "openai-chat",
    ("ollama", "chat"): "ollama",
    ("azure", "deployments-chat"): "openai-chat",
    ("azure", "v1-chat"): "openai-chat",
    ("azure", "models-chat"): "openai-chat",
    ("azure", "other-chat"): "openai-chat",
}
"""Which codec speaks the API that an exchange was recorded from."""

BOUNDS = Bounds()
"""The bounds that actors use by default: a recording that does not fit would not fit a live call."""


class NotAnExchange(ValueError):
    """A file of the directory does not have the recordings' format."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m manus.testing.wire",
        description="Replay recorded provider exchanges through the codecs, one JSON line per exchange and split.",
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="directory of exchange files (*.json)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random splits (default 0)")
    parser.add_argument("--splits", type=int, default=2, metavar="N", help="random splits per exchange (default 2)")
    asked = parser.parse_args(arguments)
    if asked.splits < 0:
        parser.error(f"--splits must be 0 or more, not {asked.splits}")
    if not asked.directory.is_dir():
        parser.error(f"{asked.directory} is no directory")
    paths = sorted(asked.directory.glob("*.json"))
    if not paths:
        parser.error(f"{asked.directory} holds no exchange files (*.json)")
    return _replay_all(paths, seed=asked.seed, splits=asked.splits)


def replay(exchange: Mapping[str, Any], *, seed: int = 0, splits: int = 2) -> Iterator[Line]:
    """Give the lines of one exchange: `whole`, `bytes`, then `random-1` and so on.

    The random splits depend on the seed and the exchange's id alone, not on its place in a directory.

    Raises:
        NotAnExchange: a field that a replay needs is missing or of the wrong kind.
    """
    try:
        name, response = str(exchange["id"]), exchange["response"]
        wire = WIRES.get((str(exchange["provider"]), str(exchange["api"])))
        status, body = int(response["status"]), _body(response)
        headers = {str(key).lower(): str(value) for key, value in (response.get("headers") or {}).items()}
        request = (exchange.get("request") or {}).get("body")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotAnExchange(f"no exchange: {type(error).__name__}: {error}") from error
    if wire is None:
        yield {"id": name, "split": "whole", "unsupported": True}
        return
    if not 200 <= status < 300:
        failure = codec_for(wire).failure(status, headers, body, now_unix_s=0.0)
        yield _line(name, "whole", None, failure)
        return
    stream = isinstance(request, dict) and request.get("stream", wire == "ollama") is True
    model = str(request.get("model") or "") if isinstance(request, dict) else ""
    for split, pieces in _splits(body, random.Random(f"{seed}:{name}"), splits):
        decoded = _Decoded(wire, model, stream=stream)
        decoded.take(pieces)
        yield _line(name, split, decoded, decoded.assembly.failure)


class _Decoded:
    """One pass of a body through a codec's decoder."""

    def __init__(self, wire: str, model: str, *, stream: bool) -> None:
        options = CodecOptions(provider="wire", bounds=BOUNDS)
        self._decoder = codec_for(wire).decoder(stream=stream, model=model, options=options)
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
        # `expect` reads no cache writes from Chat Completions, which has only newly got them; `usage` does.
        "cache_write_tokens": None,
        "reasoning_tokens": counts.reasoning,
        "reasoning_text": (None if assembly is None else assembly.reasoning_so_far) or None,
        "refusal": "".join(refusals) or None,
        "error_kind": None if failure is None else failure.kind,
        "error_retryable": None if failure is None else failure.what_to_do.retry_here != "no",
        "usage": msgspec.to_builtins(usage),
    }


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


def _json_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _replay_all(paths: list[Path], *, seed: int, splits: int) -> int:
    counts: Counter[str] = Counter()
    faults: list[str] = []
    for path in paths:
        try:
            exchange = json.loads(path.read_bytes())
            lines = list(replay(exchange, seed=seed, splits=splits))
        except (NotAnExchange, ValueError) as error:
            counts["unreadable"] += 1
            faults.append(f"{path.name}: {error}")
            continue
        for line in lines:
            print(json.dumps(line, ensure_ascii=True, separators=(",", ":")))
        counts[_verdict(lines)] += 1
        if any({**line, "split": ""} != {**lines[0], "split": ""} for line in lines):
            counts["split differently"] += 1
            faults.append(f"{path.name}: its splits give different answers")
    summary = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    print(f"{len(paths)} exchanges: {summary}", file=sys.stderr)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def _verdict(lines: list[Line]) -> str:
    if "unsupported" in lines[0]:
        return "unsupported"
    return "answered" if lines[0]["error_kind"] is None else "failed"


if __name__ == "__main__":
    sys.exit(main())
