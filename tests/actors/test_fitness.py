"""Pictures, documents and schemas against what a model and its API take: the field, the limit and the mend."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from manus.actors.fitness import unfit
from manus.config.model_cards import known_card
from manus.messages.content import AnyPart, Document, Image, Text, ToolResult, Turn
from manus.messages.failures import Failed
from manus.messages.ids import RequestId
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, OutputFormat, Tool
from tests.actors.test_pictures import gif, jpeg, png

CLAUDE = known_card("anthropic", None, "claude-opus-5-5")
BEDROCK = known_card("bedrock", None, "us.anthropic.claude-opus-5-5")
GPT = known_card("openai", "https://api.openai.com/v1", "gpt-5.4")
ANYBODY = ModelCard(name="somebody's")

PDF = b"%PDF-1.7\n"


def asking(*parts: AnyPart, **more: Any) -> ChatRequest:
    turns = (Turn(role="user", parts=(Text(text="What is this?"), *parts)),)
    return ChatRequest(request_id=RequestId("r"), turns=turns, **more)


def refused(request: ChatRequest, card: ModelCard) -> Failed:
    failure = unfit(request, card)
    assert failure is not None
    assert failure.safe_to_retry
    assert failure.phase == "queued"
    assert failure.param is not None
    assert failure.message.startswith(f"{failure.param}: ")
    return failure


def pictures(count: int, data: bytes) -> list[Image]:
    return [Image(data=data) for _ in range(count)]


@pytest.mark.parametrize("card", [CLAUDE, BEDROCK, GPT, ANYBODY])
def test_what_fits_is_let_through(card: ModelCard) -> None:
    request = asking(Image(data=png(100, 100)), Image(url="https://x.example/a.png"), Document(data=PDF))
    assert unfit(request, card) is None


def test_nothing_is_refused_to_a_model_of_which_nothing_is_known() -> None:
    request = asking(Image(data=b"BM" + bytes(10**7)), *pictures(200, jpeg(9000, 9000)), Document(data=PDF))
    assert unfit(request, ANYBODY) is None
    assert unfit(request, None) is None


@pytest.mark.parametrize(
    ("data", "what"),
    [(b"BM" + bytes(40), "image/bmp"), (b"not a picture", "no picture"), (PDF, "application/pdf"), (b"", "no picture")],
)
def test_a_picture_of_a_type_that_is_not_taken_is_refused_with_the_types_that_are(data: bytes, what: str) -> None:
    failure = refused(asking(Image(data=data, media_type="image/png")), CLAUDE)
    assert (failure.kind, failure.param) == ("unsupported", "turns[0].parts[1]")
    assert what in failure.message
    assert "png, jpeg, gif, webp" in failure.message


@pytest.mark.parametrize("card", [CLAUDE, BEDROCK], ids=["anthropic", "bedrock"])
def test_a_picture_over_the_limit_is_refused_with_the_limit(card: ModelCard) -> None:
    small, large = png(10, 10), png(10, 10) + bytes(3_932_160)
    assert unfit(asking(Image(data=large[:3_932_160])), card) is None
    failure = refused(asking(Image(data=small), Image(data=large)), card)
    assert (failure.kind, failure.param) == ("too_large", "turns[0].parts[2]")
    assert "3932160" in failure.message
    assert str(len(large)) in failure.message


def test_a_picture_with_too_many_pixels_is_refused() -> None:
    failure = refused(asking(Image(data=gif(8001, 10))), CLAUDE)
    assert "8001 pixels" in failure.message
    assert "8000" in failure.message


def test_many_pictures_have_to_be_smaller() -> None:
    assert unfit(asking(*pictures(20, png(2001, 10))), CLAUDE) is None
    failure = refused(asking(*pictures(21, png(2001, 10))), CLAUDE)
    assert "more than 20" in failure.message


def test_too_many_pictures_are_counted_wherever_they_stand() -> None:
    result = ToolResult(id="c", content=tuple(Image(data=png(1, 1)) for _ in range(15)))
    assert unfit(asking(result), BEDROCK) is None
    failure = refused(asking(result, *pictures(6, png(1, 1))), BEDROCK)
    assert "21 pictures" in failure.message
    assert "at most 20" in failure.message


def test_pictures_to_a_model_that_does_not_see_are_refused() -> None:
    blind = known_card("bedrock", None, "amazon.nova-micro-v1:0")
    failure = refused(asking(Image(url="https://x.example/a.png")), blind)
    assert failure.param == "turns[0].parts[1]"
    assert "choose a model with vision" in failure.message


def test_a_pdf_to_a_model_without_documents_is_refused_and_its_text_is_not() -> None:
    blind = known_card("bedrock", None, "amazon.nova-micro-v1:0")
    assert "cannot read documents" in refused(asking(Document(data=PDF)), blind).message
    assert unfit(asking(Document(text="once upon a time")), blind) is None
    assert unfit(asking(Document(data=b"once", media_type="text/plain")), blind) is None
    lie = asking(Document(text="fine"), Document(data=b"\xff\xfe", media_type="text/plain"))
    assert refused(lie, blind).param == "turns[0].parts[2]"


def test_a_document_that_is_not_what_it_says_is_refused_by_everybody() -> None:
    failure = refused(asking(Document(data=b"hello")), ANYBODY)
    assert failure.kind == "invalid_request"
    assert "media_type" in failure.message


def test_documents_of_another_type_over_the_limit_or_too_many_are_refused() -> None:
    word = Document(data=b"PK\x03\x04", media_type="application/vnd.openxmlformats-officedocument")
    assert "application/pdf" in refused(asking(word), CLAUDE).message
    assert unfit(asking(word), BEDROCK) is None
    assert unfit(asking(Document(data=b"{}", media_type="application/json")), CLAUDE) is None
    large = Document(data=PDF + bytes(5 * 1024 * 1024))
    assert "4718592" in refused(asking(large), BEDROCK).message
    many = [Document(data=PDF)] * 6
    assert "at most 5" in refused(asking(*many), BEDROCK).message


OPEN = msgspec.Raw(b'{"type":"object","properties":{"a":{"type":"string"}}}')


def test_an_open_schema_under_strict_mode_is_refused_where_the_vendor_would() -> None:
    failure = refused(asking(output=OutputFormat(schema=OPEN)), GPT)
    assert failure.param == "output.schema"
    assert '"additionalProperties": false' in failure.message
    assert unfit(asking(output=OutputFormat(schema=OPEN, strict=False)), GPT) is None
    assert unfit(asking(output=OutputFormat(schema=OPEN)), CLAUDE) is None
    assert unfit(asking(output=OutputFormat()), GPT) is None


def test_a_strict_tool_with_an_open_schema_is_named() -> None:
    fine, wrong = Tool(name="a", schema=OPEN), Tool(name="b", schema=OPEN, strict=True)
    assert unfit(asking(tools=(fine,)), GPT) is None
    assert refused(asking(tools=(fine, wrong)), GPT).param == "tools[1].schema"
