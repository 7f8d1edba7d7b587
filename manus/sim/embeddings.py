"""Own what the simulated embedding models of all wires have in common: vectors that depend on the text alone.

A text's vector is drawn from its hash and has the length 1, so equal texts have equal vectors and different ones are
nearly at right angles. A wire reads its own request into an `EmbedAsked` (inside its `ChatAsked`) and writes its own
body; prices and faults are those of any other answer.
"""

from __future__ import annotations

import base64
import hashlib
import math
from array import array
from typing import Any

from manus.sim.wire import ChatAsked, EmbedAsked, Spoken, encode_json
from manus.sim.words import count_tokens

DIMENSIONS = 16
"""How long vectors are where the request does not say."""


def vector_of(text: str, dimensions: int) -> list[float]:
    """Draw the vector of `text`: float32 numbers of length 1."""
    digest = hashlib.shake_128(text.encode()).digest(2 * dimensions)
    numbers = [
        int.from_bytes(digest[at : at + 2], "little") / 32768 - 1.0 + 1 / 65536 for at in range(0, len(digest), 2)
    ]
    norm = math.hypot(*numbers)
    return array("f", (number / norm for number in numbers)).tolist()


def asked_to_embed(
    model: str, inputs: list[str], *, dimensions: int | None = None, packed: bool = False, count: bool = True
) -> ChatAsked:
    """Say what an embedding request asks for, in the words of every other request.

    Args:
        packed: vectors are to be written as base64.
        count: the answer tells the tokens.
    """
    return ChatAsked(
        model=model,
        stream=False,
        prompt=inputs[-1],
        include_usage=count,
        input_tokens=sum(count_tokens(text) for text in inputs),
        embed=EmbedAsked(inputs=tuple(inputs), dimensions=dimensions, packed=packed),
    )


def vectors_of(spoken: Spoken, *, finished: bool) -> list[list[float]]:
    """Draw the vectors of an answer; one that does not finish lacks the last."""
    asked = spoken.embed
    assert asked is not None
    inputs = asked.inputs if finished else asked.inputs[:-1]
    return [vector_of(text, asked.dimensions or DIMENSIONS) for text in inputs]


def openai_embeddings(spoken: Spoken, *, finished: bool, usage: bool) -> bytes:
    """Write the vectors as OpenAI and Azure do: numbers, or base64 of float32."""
    asked = spoken.embed
    assert asked is not None
    data = [
        {"object": "embedding", "index": index, "embedding": _packed(vector) if asked.packed else vector}
        for index, vector in enumerate(vectors_of(spoken, finished=finished))
    ]
    body: dict[str, Any] = {"object": "list", "data": data, "model": spoken.model}
    if usage:
        body["usage"] = {"prompt_tokens": spoken.input_tokens, "total_tokens": spoken.input_tokens}
    return encode_json(body)


def openai_embeddings_asked(asked: dict[str, Any]) -> ChatAsked | str:
    """Read the body of a request in OpenAI's form; a text says which field is wrong."""
    given = asked.get("input")
    inputs = [given] if isinstance(given, str) else given
    if not isinstance(inputs, list) or not inputs or not all(isinstance(text, str) and text for text in inputs):
        return "input"
    dimensions = asked.get("dimensions")
    if dimensions is not None and not (isinstance(dimensions, int) and dimensions > 0):
        return "dimensions"
    packed = asked.get("encoding_format") == "base64"
    return asked_to_embed(str(asked.get("model", "")), inputs, dimensions=dimensions, packed=packed)


def _packed(vector: list[float]) -> str:
    return base64.b64encode(array("f", vector).tobytes()).decode()
