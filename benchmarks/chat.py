"""Own the plainest decoding of an OpenAI answer: what the floors and the bare clients do, and nothing more."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from benchmarks.contract import MAX_TOKENS, PROMPT


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    delta: _Message | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice]


_decode = msgspec.json.Decoder(_Answer).decode


def request_body(model: str, *, streamed: bool) -> bytes:
    """Give the request that everybody sends."""
    fields: dict[str, object] = {
        "model": model,
        "messages": [{"role": "user", "content": PROMPT}],
        "max_tokens": MAX_TOKENS,
    }
    if streamed:
        fields |= {"stream": True, "stream_options": {"include_usage": True}}
    return msgspec.json.encode(fields)


def text_of(body: bytes) -> str:
    """Give the text of a whole answer."""
    message = _decode(body).choices[0].message
    assert message is not None
    return message.content or ""


class EventText:
    """Takes the text out of server-sent events as bytes arrive."""

    def __init__(self, on_text: Callable[[str], None]) -> None:
        self._on_text = on_text
        self._rest = b""
        self.done = False

    def feed(self, data: bytes) -> None:
        """Take what arrived."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            if not line.startswith(b"data: "):
                continue
            if line == b"data: [DONE]":
                self.done = True
                continue
            choices = _decode(line[6:]).choices
            if choices and choices[0].delta is not None and choices[0].delta.content:
                self._on_text(choices[0].delta.content)
