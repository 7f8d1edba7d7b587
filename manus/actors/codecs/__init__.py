"""Own the table of codecs: which wire families we speak, and where each is written.

A codec is imported when a provider speaks its wire, for most programs speak one or two.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final, cast

from manus.actors.codecs.base import Codec

CODECS: Final[dict[str, tuple[str, str]]] = {
    "openai-chat": ("openai_chat", "OpenAIChat"),
    "ollama": ("ollama", "Ollama"),
}
"""The module beside this one and the class in it, by wire family."""

_made: dict[str, Codec] = {}


def codec_for(wire: str) -> Codec:
    """Give the codec of a wire family. Codecs hold no state, so all actors share one.

    Raises:
        KeyError: nobody wrote it; the wiring only asks for types that the configuration has checked.
    """
    codec = _made.get(wire)
    if codec is None:
        module, name = CODECS[wire]
        codec = _made[wire] = cast(Codec, getattr(import_module(f"{__name__}.{module}"), name)())
    return codec
