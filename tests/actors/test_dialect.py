"""Between a call and its codec: what a model is known to reject or not to fit never reaches a wire."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.dialect import dialect_of
from manus.config.model_cards import known_card
from manus.messages.calls import Call
from manus.messages.content import Document, Image, Text, Turn
from manus.messages.failures import Failed
from manus.messages.ids import RequestId, deployment_id
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, OnUnsupported, ReasoningOptions, Sampling

WIRES = ("openai-chat", "openai-responses", "anthropic", "ollama")

REJECTING = ModelCard(name="m", sampling=False, seed=False, stop=False, penalties=False, logprobs=False)


def encoded(
    wire: str, card: ModelCard, entrys: OnUnsupported = "drop", **more: Any
) -> tuple[HttpRequest | Failed, dict[str, Any]]:
    """What is written for a request to the model of `card`, and its body as data."""
    fields: dict[str, Any] = {"turns": (Turn(role="user", parts=(Text(text="Why?"),)),)} | more
    request = ChatRequest(request_id=RequestId("r"), model=card.name, **fields)
    call = Call(
        request=request,
        model=card.name,
        deployment=deployment_id("p", card.name),
        attempt=1,
        estimated_input_tokens=5,
    )
    written = dialect_of(wire, call, CodecOptions(provider="p", card=card), entrys).encode()
    return written, {} if isinstance(written, Failed) else msgspec.json.decode(written.body)


def everything(body: object) -> set[str]:
    """All keys of a body, however deep."""
    match body:
        case dict():
            return set(body) | {key for value in body.values() for key in everything(value)}
        case list():
            return {key for value in body for key in everything(value)}
        case _:
            return set()


@pytest.mark.parametrize("wire", WIRES)
def test_no_wire_carries_what_a_model_rejects_and_each_says_so(wire: str) -> None:
    sampling = Sampling(temperature=0.5, top_p=0.9, seed=1, stop=("x",), presence_penalty=0.5, logprobs=2)
    written, body = encoded(wire, REJECTING, sampling=sampling)
    assert isinstance(written, HttpRequest)
    unwanted = {"temperature", "top_p", "seed", "stop", "stop_sequences", "presence_penalty", "logprobs"}
    assert not unwanted & everything(body)
    said = {warning.code for warning in written.warnings}
    assert {"sampling_dropped", "seed_dropped", "stop_dropped", "penalties_dropped", "logprobs_dropped"} <= said
    assert len(said) == len(written.warnings)


@pytest.mark.parametrize("wire", WIRES)
def test_where_the_policy_says_so_the_request_is_refused_before_a_byte_leaves(wire: str) -> None:
    written, _ = encoded(wire, REJECTING, "refuse", sampling=Sampling(seed=1))
    assert isinstance(written, Failed)
    assert (written.kind, written.param) == ("unsupported", "sampling.seed")
    assert written.safe_to_retry


def test_what_only_the_codec_knows_is_refused_alike() -> None:
    unknown = ModelCard(name="gpt-6.1-sol")
    told, _ = encoded("openai-chat", unknown, sampling=Sampling(temperature=0.5))
    assert isinstance(told, HttpRequest)
    assert [warning.code for warning in told.warnings] == ["sampling_dropped"]
    written, _ = encoded("openai-chat", unknown, "refuse", sampling=Sampling(temperature=0.5))
    assert isinstance(written, Failed)
    assert written.param == "sampling"


def test_a_request_may_be_stricter_or_laxer_than_its_entry() -> None:
    strict, _ = encoded("openai-chat", REJECTING, "drop", sampling=Sampling(seed=1), on_unsupported="refuse")
    assert isinstance(strict, Failed)
    lax, _ = encoded("openai-chat", REJECTING, "refuse", sampling=Sampling(seed=1), on_unsupported="drop")
    assert isinstance(lax, HttpRequest)


def test_a_longer_answer_than_the_model_writes_is_asked_for_as_long_as_it_writes() -> None:
    card = known_card("openai", "https://api.openai.com/v1", "gpt-4o")
    written, body = encoded("openai-chat", card, max_output_tokens=100_000)
    assert isinstance(written, HttpRequest)
    assert body["max_tokens"] == 16_384


def test_an_effort_that_a_known_model_lacks_becomes_its_nearest() -> None:
    card = known_card("anthropic", None, "claude-opus-4-6")
    _, body = encoded("anthropic", card, reasoning=ReasoningOptions(effort="xhigh"), max_output_tokens=1000)
    assert body["output_config"]["effort"] == "high"


@pytest.mark.parametrize(
    ("part", "what"),
    [(Image(data=b"BM" + bytes(9)), "image/bmp"), (Document(data=b"hello"), "does not begin as a PDF")],
)
def test_what_a_model_cannot_be_sent_fails_by_field_and_may_go_elsewhere(part: Image | Document, what: str) -> None:
    card = known_card("anthropic", None, "claude-opus-5-5")
    written, _ = encoded("anthropic", card, turns=(Turn(role="user", parts=(part,)),))
    assert isinstance(written, Failed)
    assert written.param == "turns[0].parts[0]"
    assert what in written.message
