"""Own the question whether a document is text, which can stand in any prompt, whatever reads documents or does not."""

from __future__ import annotations

from manus.actors.codecs.encoding import text_document
from manus.messages.content import Document

_TEXTUAL = (
    "text/",
    "application/json",
    "application/xml",
    "application/yaml",
    "application/x-yaml",
    "application/toml",
)


def is_text(document: Document) -> bool:
    """Whether a document says of itself that it is text; cheap, and not yet a proof that its bytes are."""
    return document.text is not None or (document.data is not None and document.media_type.startswith(_TEXTUAL))


def text_of(document: Document) -> str | None:
    """Give a document's text; None where it has none, or its bytes are no text after all."""
    if document.text is not None or document.data is None:
        return document.text
    return text_document(document.data, document.media_type)
