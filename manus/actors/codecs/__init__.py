"""Own the table of codecs: which wire families we speak."""

from __future__ import annotations

from manus.actors.codecs.base import Codec
from manus.actors.codecs.ollama import Ollama
from manus.actors.codecs.openai_chat import OpenAIChat

CODECS: dict[str, Codec] = {codec.wire: codec for codec in (OpenAIChat(), Ollama())}
"""One codec per wire family. They hold no state, so all actors share them."""


def codec_for(wire: str) -> Codec:
    """Give the codec of a wire family.

    Raises:
        KeyError: nobody wrote it; the wiring only asks for types that the configuration has checked.
    """
    return CODECS[wire]
