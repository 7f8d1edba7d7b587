"""Own the simulated embedding models of Bedrock: InvokeModel, with a body of each vendor's own.

Which vendor's a model is, is told by its name, as at the real service: Cohere's and Nova's by theirs, all others are
taken for Titan's. Source: provider notes (Bedrock, section 8).
"""

from __future__ import annotations

from typing import Any

from manus.sim.embeddings import asked_to_embed, vectors_of
from manus.sim.wire import ChatAsked, Spoken, encode_json

_INPUTS_MAX = 96


def read_embedding(asked: dict[str, Any], model: str) -> ChatAsked | str:
    """Read the body of an InvokeModel request; a text says what is wrong with it, in the vendor's words."""
    if "cohere" in model:
        texts = asked.get("texts")
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
            return (
                "Malformed input request: #: required key [texts] not found, please reformat your input and try again."
            )
        if len(texts) > _INPUTS_MAX:
            return f"Malformed input request: #/texts: expected maximum item count: {_INPUTS_MAX}, found: {len(texts)}"
        if "input_type" not in asked:
            return "Malformed input request: #: required key [input_type] not found"
        return asked_to_embed(model, texts, dimensions=asked.get("output_dimension"), count=False)
    if "nova" in model:
        params = asked.get("singleEmbeddingParams") or {}
        text = (params.get("text") or {}).get("value")
        if asked.get("taskType") != "SINGLE_EMBEDDING" or not text or "embeddingPurpose" not in params:
            return "Malformed input request: singleEmbeddingParams is not valid for the taskType"
        return asked_to_embed(model, [text], dimensions=params.get("embeddingDimension"), count=False)
    text = asked.get("inputText")
    if not isinstance(text, str) or not text:
        return (
            "Malformed input request: #: required key [inputText] not found, please reformat your input and try again."
        )
    return asked_to_embed(model, [text], dimensions=asked.get("dimensions"))


def embedding_body(spoken: Spoken, *, finished: bool, usage: bool) -> bytes:
    """Write the vectors; where the answer does not finish the last one is missing."""
    vectors = vectors_of(spoken, finished=finished)
    if "cohere" in spoken.model:
        return encode_json({"id": spoken.request_id, "embeddings": vectors, "response_type": "embeddings_floats"})
    if "nova" in spoken.model:
        return encode_json({"embeddings": [{"embeddingType": "TEXT", "embedding": vector} for vector in vectors]})
    body: dict[str, Any] = {"embedding": vectors[0] if vectors else []}
    if usage:
        body["inputTextTokenCount"] = spoken.input_tokens
    return encode_json(body)
