"""Own the check of a request against what a model and its API take of it: pictures, documents, tools, schemas.

Pure. What is wrong here cannot be left out, because the question would be another: the candidate is refused with a
`Failed` that names the field, the limit and the mend, and the router may ask another. What a card does not know is
permitted. Nothing is refused here that the wire could send in another form.
"""

from __future__ import annotations

from collections.abc import Iterator

from manus.actors.documents import is_text, text_of
from manus.actors.pictures import Picture, is_pdf, picture_of
from manus.actors.schema_rules import not_strict
from manus.messages.content import Document, Image, ToolResult
from manus.messages.failures import Failed, FailureKind
from manus.messages.policy import MANY_IMAGES, ModelCard
from manus.messages.requests import ChatRequest

PDF = "application/pdf"

_LOOKED_AT = frozenset({Image, Document, ToolResult})

_Placed = tuple[str, Image]


def unfit(request: ChatRequest, card: ModelCard | None) -> Failed | None:
    """Say why the model of `card` cannot be sent `request`; None where nothing speaks against it."""
    if card is None:
        return None
    problem: Failed | None = None
    if any(type(part) in _LOOKED_AT for turn in request.turns for part in turn.parts):
        problem = _files_unfit(request, card)
    if problem is None and card.schema_rules is not None and (request.output is not None or request.tools):
        problem = _schemas_unfit(request, card)
    return problem


def _failed(card: ModelCard, param: str, message: str, kind: FailureKind = "unsupported") -> Failed:
    return Failed(
        kind=kind, message=f"{param}: {message}", param=param, model=card.name, safe_to_retry=True, phase="queued"
    )


def _files_unfit(request: ChatRequest, card: ModelCard) -> Failed | None:
    images: list[_Placed] = []
    documents: list[tuple[str, Document]] = []
    for number, turn in enumerate(request.turns):
        for index, part in enumerate(turn.parts):
            where = f"turns[{number}].parts[{index}]"
            if isinstance(part, Image):
                images.append((where, part))
            elif isinstance(part, Document):
                documents.append((where, part))
            elif isinstance(part, ToolResult):
                held = enumerate(part.content)
                images.extend((f"{where}.content[{at}]", piece) for at, piece in held if isinstance(piece, Image))
    problem = _images_unfit(images, card) if images else None
    if problem is None and documents:
        problem = _documents_unfit(documents, card)
    return problem


# -- pictures


def _images_unfit(images: list[_Placed], card: ModelCard) -> Failed | None:
    where = images[0][0]
    if card.vision is False:
        return _failed(card, where, f"{card.name} cannot read pictures. Leave them out, or choose a model with vision.")
    if card.images_max is not None and len(images) > card.images_max:
        message = f"the request has {len(images)} pictures; {card.name} takes at most {card.images_max}. Send fewer."
        return _failed(card, images[card.images_max][0], message, "too_large")
    side_max = card.image_side_max
    if len(images) > MANY_IMAGES and card.image_side_max_many is not None:
        side_max = card.image_side_max_many
    for where, image in images:
        if image.data is not None:
            problem = _image_unfit(where, image.data, card, side_max, len(images))
            if problem is not None:
                return problem
    return None


def _image_unfit(where: str, data: bytes, card: ModelCard, side_max: int | None, count: int) -> Failed | None:
    picture = picture_of(data)
    if card.image_types is not None and (picture is None or picture.media_type not in card.image_types):
        shown = "its bytes are no picture that is known" if picture is None else f"it is {picture.media_type}"
        taken = ", ".join(each.removeprefix("image/") for each in card.image_types)
        return _failed(card, where, f"{shown}; {card.name} takes {taken}. Convert it.")
    if card.image_bytes_max is not None and len(data) > card.image_bytes_max:
        message = (
            f"the picture has {len(data)} bytes; {card.name} takes at most {card.image_bytes_max}. Make it smaller."
        )
        return _failed(card, where, message, "too_large")
    side = _longest_side(picture)
    if side is not None and side_max is not None and side > side_max:
        among = f" where a request has more than {MANY_IMAGES} pictures" if count > MANY_IMAGES else ""
        message = f"the picture is {side} pixels long; {card.name} takes at most {side_max}{among}. Make it smaller."
        return _failed(card, where, message, "too_large")
    return None


def _longest_side(picture: Picture | None) -> int | None:
    return None if picture is None else picture.longest_side


# -- documents


def _documents_unfit(documents: list[tuple[str, Document]], card: ModelCard) -> Failed | None:
    if card.documents is False:
        unreadable = next((where for where, document in documents if text_of(document) is None), None)
        if unreadable is not None:
            message = f"{card.name} cannot read documents. Send their text, or choose a model that can."
            return _failed(card, unreadable, message)
    if card.documents_max is not None and len(documents) > card.documents_max:
        message = f"the request has {len(documents)} documents; {card.name} takes at most {card.documents_max}."
        return _failed(card, documents[card.documents_max][0], f"{message} Send fewer.", "too_large")
    for where, document in documents:
        if document.data is not None:
            problem = next(_document_problems(where, document, document.data, card), None)
            if problem is not None:
                return problem
    return None


def _document_problems(where: str, document: Document, data: bytes, card: ModelCard) -> Iterator[Failed]:
    media_type = document.media_type
    if media_type == PDF and not is_pdf(data):
        message = "it is declared as application/pdf and does not begin as a PDF does. Correct media_type, or the file."
        yield _failed(card, where, message, "invalid_request")
    types = card.document_types
    if types is not None and media_type not in types and not is_text(document):
        message = f"it is {media_type}; {card.name} takes {', '.join(types)}. Convert it, or send its text."
        yield _failed(card, where, message)
    most = card.document_bytes_max
    if most is not None and len(data) > most:
        message = f"the document has {len(data)} bytes; {card.name} takes at most {most}. Send a part of it."
        yield _failed(card, where, message, "too_large")


# -- schemas


def _schemas_unfit(request: ChatRequest, card: ModelCard) -> Failed | None:
    output = request.output
    if output is not None and output.strict and not output.any_object:
        problem = not_strict(bytes(output.schema))
        if problem:
            message = f"strict mode of {card.name} refuses it: {problem}. Or set strict to false."
            return _failed(card, "output.schema", message)
    for number, tool in enumerate(request.tools):
        if tool.strict and (problem := not_strict(bytes(tool.schema))):
            message = f"strict mode of {card.name} refuses it: {problem}. Or set strict to false."
            return _failed(card, f"tools[{number}].schema", message)
    return None
