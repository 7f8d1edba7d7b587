"""Own the choice of the wire for one call, where a vendor has more than one for the same purpose.

OpenAI has two, and so has Azure. The newer models take tools together with thinking only over Responses, and some
are served nowhere else; Chat Completions alone has a seed and penalties, and is what other vendors' servers speak.
A conversation should stay on one wire, for its thinking and its cache are kept by it: so the model decides, and the
request only where the other wire could not carry it.
"""

from __future__ import annotations

from typing import Final

from manus.actors.codecs.azure_paths import is_classic
from manus.actors.codecs.base import CodecOptions
from manus.actors.codecs.encoding import is_text
from manus.actors.codecs.openai_models import family_for
from manus.messages.content import Document
from manus.messages.requests import ChatRequest

RESPONSES_BESIDE: Final = {"openai-chat": "openai-responses", "azure-chat": "azure-responses"}
"""By the wire family of an entry, the one of the Responses API at the same place."""


def wire_of(entry: str, request: ChatRequest, options: CodecOptions) -> str:
    """Name the wire that carries `request` to a provider whose entry speaks `entry`.

    Args:
        entry: the wire family of the entry's type.
        request: asked of the model that `options.card` describes.
        options: of the entry and the model.
    """
    responses = RESPONSES_BESIDE.get(entry)
    if responses is None or options.api == "chat":
        return entry
    return responses if options.api == "responses" or _suits_responses(entry, request, options) else entry


def _suits_responses(entry: str, request: ChatRequest, options: CodecOptions) -> bool:
    card = options.card
    if card is not None and card.responses_api is not None:
        return card.responses_api
    if is_classic(options):
        return False  # Azure's classic API has Responses only in previews: to be asked for, not to be assumed
    api = family_for("" if card is None else card.name, card).api
    if api == "responses_only" or (entry == "azure-chat" and _has_files(request)):
        return True
    return api == "responses" and not _is_for_chat_alone(request)


def _has_files(request: ChatRequest) -> bool:
    """Whether a document is no plain text: Azure takes such over Responses alone."""
    return any(
        isinstance(part, Document) and part.text is None and not is_text(part.media_type)
        for turn in request.turns
        for part in turn.parts
    )


def _is_for_chat_alone(request: ChatRequest) -> bool:
    """Whether a request without tools asks for what only Chat Completions has."""
    sampling = request.sampling
    return not request.tools and (
        sampling.seed is not None
        or sampling.presence_penalty is not None
        or sampling.frequency_penalty is not None
        or "openai-chat" in request.extra
        or "azure-chat" in request.extra
    )
