"""What is left out of a request because its model is known to reject it, and when it is refused instead."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.actors.shaping import EFFORTS, Shaped, refusal_of, shape
from manus.config.catalogue import packaged_catalogue
from manus.config.model_cards import known_card
from manus.messages.content import Document, Image, Text, Turn
from manus.messages.events import WarningRaised
from manus.messages.failures import Failed
from manus.messages.ids import RequestId
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, Effort, ReasoningOptions, Sampling
from tests.actors.test_pictures import png

ALL = Sampling(
    temperature=0.5,
    top_p=0.9,
    top_k=40,
    seed=7,
    stop=("END",),
    presence_penalty=0.1,
    frequency_penalty=0.2,
    logprobs=3,
)
NOTHING = dict.fromkeys(("sampling", "seed", "stop", "penalties", "logprobs"), False)


def asking(**more: Any) -> ChatRequest:
    turns = (Turn(role="user", parts=(Text(text="Why?"),)),)
    return ChatRequest(request_id=RequestId("r"), turns=turns, **more)


def card(**facts: Any) -> ModelCard:
    return msgspec.structs.replace(ModelCard(name="m"), **facts)


def shaped(request: ChatRequest, facts: ModelCard) -> Shaped:
    result = shape(request, facts)
    assert isinstance(result, Shaped)
    return result


def codes(result: Shaped) -> list[str]:
    return [warning.code for warning in result.warnings]


def test_a_request_is_untouched_where_nothing_is_known() -> None:
    request = asking(sampling=ALL, reasoning=ReasoningOptions(effort="max"), max_output_tokens=10**6)
    for unknown in (None, card()):
        result = shape(request, unknown)
        assert isinstance(result, Shaped)
        assert result.request is request
        assert result.warnings == ()


def test_a_request_is_untouched_where_all_is_taken() -> None:
    able = card(**dict.fromkeys(NOTHING, True), reasoning=True, efforts=("low", "high"), max_output_tokens=100)
    request = asking(sampling=ALL, reasoning=ReasoningOptions(effort="high"), max_output_tokens=100)
    assert shaped(request, able).request is request


@pytest.mark.parametrize(
    ("capability", "fields"),
    [
        ("sampling", {"temperature", "top_p", "top_k"}),
        ("seed", {"seed"}),
        ("stop", {"stop"}),
        ("penalties", {"presence_penalty", "frequency_penalty"}),
        ("logprobs", {"logprobs"}),
    ],
)
def test_what_a_model_rejects_is_left_out_and_nothing_else(capability: str, fields: set[str]) -> None:
    result = shaped(asking(sampling=ALL), card(**{capability: False}))
    empty = Sampling()
    for field in Sampling.__struct_fields__:
        expected = empty if field in fields else ALL
        assert getattr(result.request.sampling, field) == getattr(expected, field)
    (warning,) = result.warnings
    assert warning.code == f"{capability}_dropped"
    assert all(field in warning.message for field in fields)


def test_what_was_not_asked_for_is_not_warned_of() -> None:
    request = asking(sampling=Sampling(temperature=0.0))
    assert shaped(request, card(seed=False, stop=False, penalties=False, logprobs=False)).request is request


def test_a_temperature_of_zero_is_left_out_like_any_other() -> None:
    result = shaped(asking(sampling=Sampling(temperature=0.0)), card(sampling=False))
    assert result.request.sampling.temperature is None
    assert codes(result) == ["sampling_dropped"]


@pytest.mark.parametrize(
    ("taken", "wanted", "sent"),
    [
        (("low", "medium", "high"), "max", "high"),
        (("low", "medium", "high"), "minimal", "low"),
        (("minimal", "medium"), "low", "minimal"),
        (("off", "high"), "minimal", "high"),
        (("high",), "low", "high"),
    ],
)
def test_an_effort_becomes_the_nearest_that_is_taken_and_never_none(
    taken: tuple[Effort, ...], wanted: Effort, sent: Effort
) -> None:
    result = shaped(asking(reasoning=ReasoningOptions(effort=wanted)), card(efforts=taken))
    assert result.request.reasoning == ReasoningOptions(effort=sent)
    assert codes(result) == ["reasoning_effort_changed"]


def test_no_effort_is_sent_to_a_model_that_takes_none() -> None:
    result = shaped(asking(reasoning=ReasoningOptions(effort="high", budget_tokens=500)), card(efforts=()))
    assert result.request.reasoning == ReasoningOptions(budget_tokens=500)
    assert codes(result) == ["reasoning_effort_dropped"]


def test_an_effort_is_left_to_the_codec_where_a_budget_can_stand_for_it() -> None:
    request = asking(reasoning=ReasoningOptions(effort="high"))
    assert shaped(request, card(efforts=(), thinking_budget=True)).request is request


def test_a_model_that_does_not_reason_is_not_asked_to() -> None:
    result = shaped(asking(reasoning=ReasoningOptions(effort="high")), card(reasoning=False))
    assert result.request.reasoning is None
    assert codes(result) == ["reasoning_dropped"]
    quiet = shaped(asking(reasoning=ReasoningOptions(effort="off")), card(reasoning=False))
    assert quiet.request.reasoning is None
    assert quiet.warnings == ()


def test_a_longer_answer_than_the_model_writes_is_lowered() -> None:
    result = shaped(asking(max_output_tokens=200_000), card(max_output_tokens=64_000))
    assert result.request.max_output_tokens == 64_000
    assert codes(result) == ["max_output_tokens_lowered"]
    assert "200000" in result.warnings[0].message


def test_a_picture_is_called_what_its_bytes_show() -> None:
    fine, wrong = Image(data=png(1, 1), media_type="image/png"), Image(data=png(1, 1), media_type="image/jpeg")
    request = asking()
    request = msgspec.structs.replace(request, turns=(*request.turns, Turn(role="user", parts=(fine, wrong))))
    result = shaped(request, card())
    assert result.request.turns == (request.turns[0], Turn(role="user", parts=(fine, fine)))
    assert result.request.turns[0] is request.turns[0]
    assert codes(result) == ["image_type_corrected"]


def test_text_in_a_document_is_written_into_the_prompt_of_a_model_that_reads_none() -> None:
    request = asking()
    parts = (
        Document(text="a tale", name="tale.txt", cache="short"),
        Document(data=b"{}", media_type="application/json", name="data"),
        Document(data=b"%PDF-1.7"),
    )
    request = msgspec.structs.replace(request, turns=(Turn(role="user", parts=parts),))
    result = shaped(request, card(documents=False))
    assert result.request.turns[0].parts == (
        Text(text="tale.txt:\na tale", cache="short"),
        Text(text="data:\n{}"),
        parts[2],
    )
    assert result.warnings == ()
    assert shaped(request, card(documents=True)).request is request
    assert shaped(request, card()).request is request


@pytest.mark.parametrize(
    ("request_", "facts", "param"),
    [
        (asking(sampling=Sampling(top_p=0.5)), {"sampling": False}, "sampling.top_p"),
        (asking(sampling=Sampling(seed=1)), {"seed": False}, "sampling.seed"),
        (asking(reasoning=ReasoningOptions(effort="max")), {"efforts": ("low",)}, "reasoning.effort"),
        (asking(reasoning=ReasoningOptions(budget_tokens=9)), {"reasoning": False}, "reasoning.budget_tokens"),
        (asking(max_output_tokens=2), {"max_output_tokens": 1}, "max_output_tokens"),
    ],
)
def test_where_the_policy_says_so_it_is_refused_by_name(
    request_: ChatRequest, facts: dict[str, object], param: str
) -> None:
    refusal = shape(request_, card(**facts), "refuse")
    assert isinstance(refusal, Failed)
    assert (refusal.kind, refusal.param) == ("unsupported", param)
    assert refusal.safe_to_retry
    assert refusal.what_to_do.elsewhere == "yes"
    assert "on_unsupported" in refusal.message


def test_the_requests_own_word_comes_before_the_entrys() -> None:
    rejected = card(seed=False)
    asked = asking(sampling=Sampling(seed=1), on_unsupported="drop")
    assert isinstance(shape(asked, rejected, "refuse"), Shaped)
    asked = asking(sampling=Sampling(seed=1), on_unsupported="refuse")
    assert isinstance(shape(asked, rejected, "drop"), Failed)


def test_what_is_only_corrected_is_never_refused() -> None:
    request = asking(on_unsupported="refuse")
    wrong = Image(data=png(1, 1), media_type="image/jpeg")
    request = msgspec.structs.replace(request, turns=(Turn(role="user", parts=(wrong,)),))
    assert isinstance(shape(request, card()), Shaped)


@pytest.mark.parametrize(
    ("code", "param"),
    [
        ("sampling_dropped", "sampling"),
        ("top_k_dropped", "top_k"),
        ("tool_choice_in_words", "tool_choice"),
        ("reasoning_off_for_tools", "reasoning"),
        ("json_schema_in_words", "json_schema_in_words"),
    ],
)
def test_what_a_codec_would_leave_out_is_refused_alike(code: str, param: str) -> None:
    refusal = refusal_of((WarningRaised(code=code, message="It takes none."),), "m")
    assert refusal is not None
    assert (refusal.kind, refusal.param) == ("unsupported", param)


@pytest.mark.parametrize("code", ["cache_dropped", "cache_life_shortened", "turn_name_dropped", "name_dropped"])
def test_hints_that_change_no_answer_are_not_worth_a_refusal(code: str) -> None:
    assert refusal_of((WarningRaised(code=code, message="No."),), "m") is None
    assert refusal_of((), "m") is None


@pytest.mark.parametrize(
    ("kind", "base_url", "name", "dropped"),
    [
        ("anthropic", None, "claude-opus-5-5", {"sampling", "seed", "penalties", "logprobs"}),
        ("anthropic", None, "claude-haiku-4-5", {"seed", "penalties", "logprobs"}),
        ("openai", "https://api.openai.com/v1", "gpt-6.1-sol", {"sampling", "penalties", "logprobs", "stop"}),
        ("openai", "https://api.openai.com/v1", "gpt-4o", set()),
        ("bedrock", None, "global.openai.gpt-6.1-sol", {"sampling", "seed", "penalties", "logprobs"}),
        ("bedrock", None, "amazon.nova-pro-v1:0", {"seed", "penalties", "logprobs"}),
        ("ollama", "http://127.0.0.1:11434", "llama3.1", set()),
        ("openai", "http://gateway.example/v1", "gpt-6.1-sol", set()),
    ],
)
def test_the_catalogue_decides_what_the_large_vendors_are_not_sent(
    kind: str, base_url: str | None, name: str, dropped: set[str]
) -> None:
    result = shaped(asking(sampling=ALL), known_card(kind, base_url, name))
    assert {code.removesuffix("_dropped") for code in codes(result)} == dropped


efforts = st.sampled_from(EFFORTS)
requests = st.builds(
    asking,
    sampling=st.sampled_from([Sampling(), ALL, Sampling(temperature=0.0), Sampling(seed=1, stop=("a",))]),
    reasoning=st.none()
    | st.builds(ReasoningOptions, effort=st.none() | efforts, budget_tokens=st.none() | st.integers(1, 9)),
    max_output_tokens=st.none() | st.integers(1, 10**6),
)
names = [row.id for row in packaged_catalogue().rows("openai")]


@given(requests, st.sampled_from(names))
def test_what_was_shaped_once_needs_no_shaping(request_: ChatRequest, name: str) -> None:
    facts = known_card("openai", "https://api.openai.com/v1", name)
    once = shaped(request_, facts)
    again = shaped(once.request, facts)
    assert again.request == once.request
    assert again.warnings == ()
    assert (once.request == request_) or once.warnings or request_.reasoning is not None
