"""Own what a request needs of the model that answers it, inferred from its content and its criteria. Pure."""

from __future__ import annotations

from manus.actors.documents import is_text
from manus.messages.content import Audio, Document, Image, Text, ToolResult
from manus.messages.requests import ChatRequest, EmbedRequest

NEEDS = {
    "vision": "cannot read images",
    "documents": "cannot read documents",
    "audio": "cannot hear audio",
    "tools": "cannot call tools",
    "json_schema": "cannot answer to a JSON schema",
    "reasoning": "does not reason",
    "streaming": "cannot stream",
    "embeddings": "makes no vectors",
}
"""What a request may need of a model (fields of `ModelCard`), and what is said of a model known to lack it."""

Needs = tuple[str, ...]
"""Keys of `NEEDS`, each once."""

Routable = ChatRequest | EmbedRequest
"""What can be planned for."""


def needs_of(request: Routable) -> Needs:
    """Infer which capabilities `request` needs, from its content and its criteria."""
    if isinstance(request, EmbedRequest):
        return ("embeddings",)
    needs: list[str] = []
    for turn in request.turns:
        for part in turn.parts:
            kind = type(part)
            if kind is Text:
                continue
            if kind is Image or (isinstance(part, ToolResult) and any(type(c) is Image for c in part.content)):
                needs.append("vision")
            elif isinstance(part, Document):
                if not is_text(part):  # text can stand in any prompt
                    needs.append("documents")
            elif kind is Audio:
                needs.append("audio")
    if request.tools:
        needs.append("tools")
    if request.output is not None and not request.output.any_object:
        needs.append("json_schema")
    if request.stream:
        needs.append("streaming")
    criteria = request.criteria
    if criteria is not None:
        wanted = (
            (criteria.requires_vision, "vision"),
            (criteria.requires_functions, "tools"),
            (criteria.requires_json_schema, "json_schema"),
            (criteria.requires_reasoning, "reasoning"),
            (criteria.requires_streaming, "streaming"),
        )
        needs.extend(need for is_wanted, need in wanted if is_wanted)
    return tuple(dict.fromkeys(needs)) if len(needs) > 1 else tuple(needs)


def field_of(need: str, request: ChatRequest) -> str:
    """Name the field of `request` from which a need was inferred."""
    fields = {"tools": "tools", "json_schema": "output.schema", "streaming": "stream"}
    inferred = {"tools": bool(request.tools), "json_schema": request.output is not None, "streaming": request.stream}
    if inferred.get(need):
        return fields[need]
    kinds = {"vision": Image, "documents": Document, "audio": Audio}
    for number, turn in enumerate(request.turns):
        for index, part in enumerate(turn.parts):
            pieces = part.content if isinstance(part, ToolResult) and need == "vision" else (part,)
            if need in kinds and any(isinstance(piece, kinds[need]) for piece in pieces):
                return f"turns[{number}].parts[{index}]"
    return "criteria"
