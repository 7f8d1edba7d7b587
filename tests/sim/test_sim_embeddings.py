"""Simulated embedding models: vectors of the text alone, refusals in the vendors' words, and a bill."""

from __future__ import annotations

import base64
import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.sim.embeddings import DIMENSIONS, vector_of
from manus.sim.provider import SimProvider
from manus.sim.steps import Head, Send
from manus.sim.wire import SimRequest

PATHS: dict[Any, str] = {
    "openai": "/v1/embeddings",
    "azure": "/openai/v1/embeddings",
    "ollama": "/api/embed",
}


def _answered(provider: SimProvider, path: str, body: object) -> tuple[int, Any]:
    """Ask, and give the status and the body's JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    exchange = provider.answer(SimRequest(method="POST", path=path, body=data))
    status, sent = 0, b""
    while (step := exchange.next_step()) is not None:
        if isinstance(step, Head):
            status = step.status
        elif isinstance(step, Send):
            sent += step.data
    return status, json.loads(sent)


@given(st.text(), st.integers(1, 64))
def test_a_vector_depends_on_the_text_alone_and_has_the_length_one(text: str, dimensions: int) -> None:
    vector = vector_of(text, dimensions)
    assert vector == vector_of(text, dimensions)
    assert len(vector) == dimensions
    assert math.hypot(*vector) == pytest.approx(1.0, abs=1e-6)
    assert vector == list(struct.unpack(f"<{dimensions}f", struct.pack(f"<{dimensions}f", *vector)))


@pytest.mark.parametrize("wire", PATHS)
def test_vectors_come_in_the_order_of_the_inputs_and_the_prompt_is_billed(wire: Any) -> None:
    provider = SimProvider(wire)
    status, body = _answered(provider, PATHS[wire], {"model": "m", "input": ["one two", "three"]})
    vectors = body["embeddings"] if wire == "ollama" else [entry["embedding"] for entry in body["data"]]
    assert status == 200
    assert vectors == [vector_of(text, DIMENSIONS) for text in ("one two", "three")]
    (row,) = provider.bill.rows()
    assert (row.state, row.billed, row.input_tokens, row.output_tokens) == ("complete", True, 3, 0)
    counted = body["prompt_eval_count"] if wire == "ollama" else body["usage"]["prompt_tokens"]
    assert counted == row.input_tokens


@pytest.mark.parametrize("wire", ["openai", "azure"])
def test_base64_holds_the_same_numbers(wire: Any) -> None:
    provider = SimProvider(wire)
    asked = {"model": "m", "input": "one", "dimensions": 3, "encoding_format": "base64"}
    _, body = _answered(provider, PATHS[wire], asked)
    packed = base64.b64decode(body["data"][0]["embedding"])
    assert list(struct.unpack("<3f", packed)) == vector_of("one", 3)


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        ("openai", {"input": "a"}),
        ("openai", {"model": "m"}),
        ("openai", {"model": "m", "input": ""}),
        ("openai", {"model": "m", "input": []}),
        ("openai", {"model": "m", "input": ["a", ""]}),
        ("openai", {"model": "m", "input": "a", "dimensions": 0}),
        ("openai", b"{"),
        ("azure", {"model": "m", "input": []}),
        ("ollama", {"input": "a"}),
        ("ollama", {"model": "m", "input": 5}),
        ("ollama", b"{"),
    ],
    ids=str,
)
def test_what_a_vendor_refuses_is_refused_and_costs_nothing(wire: Any, body: object) -> None:
    provider = SimProvider(wire)
    status, said = _answered(provider, PATHS[wire], body)
    assert status == 400
    assert said["error"]
    assert provider.bill.totals().billed == 0
