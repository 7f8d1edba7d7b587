"""Own the table of codecs: which wire families we speak, and where each is written.

A codec is imported when a provider speaks its wire, for most programs speak one or two.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final, cast

from manus.actors.codecs.base import Codec, EmbedCodec

CODECS: Final[dict[str, tuple[str, str]]] = {
    "openai-chat": ("openai_chat", "OpenAIChat"),
    "openai-responses": ("responses", "OpenAIResponses"),
    "anthropic": ("anthropic", "Anthropic"),
    "bedrock": ("bedrock", "Bedrock"),
    "azure-chat": ("azure", "AzureChat"),
    "azure-responses": ("azure", "AzureResponses"),
    "ollama": ("ollama", "Ollama"),
}
"""The module beside this one and the class in it, by wire family."""

EMBED_CODECS: Final[dict[str, tuple[str, str]]] = {
    "openai-chat": ("openai_embed", "OpenAIEmbed"),
    "openai-responses": ("openai_embed", "OpenAIEmbed"),
    "azure-chat": ("azure_embed", "AzureEmbed"),
    "azure-responses": ("azure_embed", "AzureEmbed"),
    "bedrock": ("bedrock_embed", "BedrockEmbed"),
    "ollama": ("ollama_embed", "OllamaEmbed"),
}
"""The same for embeddings, by the wire family of the entry. Anthropic has none."""

_made: dict[str, Codec] = {}
_made_embed: dict[str, EmbedCodec] = {}


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


def embed_codec_for(wire: str) -> EmbedCodec | None:
    """Give the embedding codec for entries of a wire family; None where the vendor has no embeddings."""
    if wire not in EMBED_CODECS:
        return None
    codec = _made_embed.get(wire)
    if codec is None:
        module, name = EMBED_CODECS[wire]
        codec = _made_embed[wire] = cast(EmbedCodec, getattr(import_module(f"{__name__}.{module}"), name)())
    return codec
