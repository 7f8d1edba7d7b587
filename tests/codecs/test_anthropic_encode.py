"""What a Messages request says besides the conversation, thinking and tools: bounds, sampling, vendor options."""

from __future__ import annotations

import json
from typing import Any

import pytest

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
from manus.messages.content import text_turn
from manus.messages.policy import Bounds, ModelCard
from manus.messages.requests import OutputFormat, ReasoningOptions, Sampling, Tool
from tests.codecs.anthropic_requests import OPUS_55, SONNET_45, USER, asked, body_of, raw, refused, sent, warned

TOOL = Tool(name="f", schema=raw({"type": "object", "properties": {}, "additionalProperties": False}))
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
OUTPUT = OutputFormat(schema=raw(SCHEMA))


# --- the frame -------------------------------------------------------------------------------------------


def test_a_plain_request_is_small_and_addressed() -> None:
    written = sent(asked(stream=True))
    assert (written.method, written.path) == ("POST", "/v1/messages")
    assert dict(written.headers) == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "anthropic-version": "2023-06-01",
    }
    assert json.loads(written.body) == {
        "model": SONNET_45,
        "max_tokens": 32_000,
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
    }
    assert written.warnings == ()


def test_the_bound_that_the_wire_demands_fits_the_model() -> None:
    assert body_of(asked(), "claude-3-opus-20240229")["max_tokens"] == 4096
    assert body_of(asked(), "claude-3-5-sonnet-20241022")["max_tokens"] == 8192
    assert body_of(asked(), OPUS_55)["max_tokens"] == 32_000
    assert body_of(asked(reasoning=ReasoningOptions(effort="max")), OPUS_55)["max_tokens"] == 64_000
    assert body_of(asked(), "other")["max_tokens"] == 32_000
    assert body_of(asked(), "other", card=ModelCard(name="other", max_output_tokens=2000))["max_tokens"] == 2000
    assert body_of(asked(max_output_tokens=7))["max_tokens"] == 7


def test_a_bound_above_the_models_own_is_lowered_and_said() -> None:
    request = asked(max_output_tokens=100_000)
    assert body_of(request)["max_tokens"] == 64_000
    assert warned(request) == ["max_output_tokens_lowered"]


def test_equal_requests_are_equal_bytes() -> None:
    request = asked(text_turn("system", "S"), USER, tools=(TOOL,), sampling=Sampling(temperature=0.5, top_k=2))
    assert sent(request).body == sent(request).body


def test_a_body_over_the_bound_is_refused() -> None:
    failed = codec_for("anthropic").encode(asked(), SONNET_45, CodecOptions(bounds=Bounds(request_bytes=10)))
    assert failed.kind == "too_large"  # type: ignore[union-attr]


# --- sampling and account --------------------------------------------------------------------------------


def test_sampling_goes_as_it_is_where_the_model_takes_it() -> None:
    body = body_of(asked(sampling=Sampling(temperature=0.3, top_k=5, stop=("a", "b"))))
    assert (body["temperature"], body["top_k"], body["stop_sequences"]) == (0.3, 5, ["a", "b"])


def test_of_temperature_and_top_p_the_temperature_goes() -> None:
    request = asked(sampling=Sampling(temperature=0.3, top_p=0.9))
    assert "top_p" not in body_of(request)
    assert warned(request) == ["sampling_dropped"]
    assert body_of(request, "claude-3-opus-20240229")["top_p"] == 0.9


@pytest.mark.parametrize("model", ["claude-opus-4-7", "claude-sonnet-5", OPUS_55])
def test_sampling_that_is_a_400_is_left_out_and_said(model: str) -> None:
    request = asked(sampling=Sampling(temperature=0.3, top_p=0.9, top_k=5))
    assert not {"temperature", "top_p", "top_k"} & body_of(request, model).keys()
    assert warned(request, model) == ["sampling_dropped"]


def test_the_default_temperature_is_left_out_without_a_word() -> None:
    request = asked(sampling=Sampling(temperature=1.0))
    assert "temperature" not in body_of(request, OPUS_55)
    assert warned(request, OPUS_55) == []


def test_a_card_knows_better_than_the_name() -> None:
    request = asked(sampling=Sampling(temperature=0.3))
    assert body_of(request, OPUS_55, card=ModelCard(name=OPUS_55, sampling=True))["temperature"] == 0.3
    assert "temperature" not in body_of(request, card=ModelCard(name=SONNET_45, sampling=False))
    assert "temperature" not in body_of(request, "mine", card=ModelCard(name="mine", base="anthropic.claude-opus-5-5"))


def test_a_temperature_above_one_is_lowered() -> None:
    request = asked(sampling=Sampling(temperature=1.7))
    assert body_of(request)["temperature"] == 1
    assert warned(request) == ["temperature_lowered"]


def test_while_it_thinks_only_a_high_top_p_is_kept() -> None:
    thinking = ReasoningOptions(budget_tokens=2000)
    request = asked(sampling=Sampling(temperature=0.3, top_k=4), reasoning=thinking)
    assert not {"temperature", "top_k"} & body_of(request).keys()
    assert warned(request) == ["sampling_dropped"]
    assert body_of(asked(sampling=Sampling(top_p=0.97), reasoning=thinking))["top_p"] == 0.97
    assert "top_p" not in body_of(asked(sampling=Sampling(top_p=0.5), reasoning=thinking))


def test_what_the_wire_does_not_have_is_said() -> None:
    request = asked(sampling=Sampling(seed=1, presence_penalty=0.1, frequency_penalty=0.1, logprobs=2, stop=(" ", "x")))
    assert body_of(request)["stop_sequences"] == ["x"]
    assert set(warned(request)) == {
        "seed_dropped",
        "presence_penalty_dropped",
        "frequency_penalty_dropped",
        "logprobs_dropped",
        "stop_dropped",
    }


def test_the_end_user_and_the_tier_are_named() -> None:
    body = body_of(asked(end_user_id="u", service_tier="priority"))
    assert (body["metadata"], body["service_tier"]) == ({"user_id": "u"}, "auto")
    assert body_of(asked(service_tier="default"))["service_tier"] == "standard_only"
    assert warned(asked(service_tier="flex")) == ["service_tier_dropped"]


# --- vendor options --------------------------------------------------------------------------------------


def test_vendor_options_go_over_the_body_and_the_entrys_own_over_those_of_the_wire() -> None:
    extra = {"anthropic": raw({"speed": "slow", "container": "c"}), "claude": raw({"speed": "fast"})}
    body = body_of(asked(extra=extra))
    assert (body["speed"], body["container"]) == ("fast", "c")


def test_betas_stand_in_the_header_and_not_in_the_body() -> None:
    written = sent(asked(extra={"anthropic": raw({"betas": ["b-1", "a-1", "b-1"]})}))
    assert dict(written.headers)["anthropic-beta"] == "a-1,b-1"
    assert "betas" not in json.loads(written.body)
    configured = codec_for("anthropic").encode(asked(), SONNET_45, CodecOptions(betas=("c-1",)))
    assert dict(configured.headers)["anthropic-beta"] == "c-1"  # type: ignore[union-attr]


def test_tools_that_the_vendor_runs_join_the_callers_own() -> None:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    body = body_of(asked(tools=(TOOL,), extra={"anthropic": raw({"tools": [search]})}))
    assert [tool["name"] for tool in body["tools"]] == ["f", "web_search"]
    assert body["tools"][1] == search


def test_output_config_is_merged_with_what_is_written_already() -> None:
    extra = {"anthropic": raw({"output_config": {"task_budget": {"tokens": 5}}})}
    body = body_of(asked(output=OUTPUT, extra=extra))
    assert set(body["output_config"]) == {"format", "task_budget"}


@pytest.mark.parametrize("options", [{"betas": "b"}, {"tools": {}}, {"tools": [1]}, {"metadata": 1}])
def test_a_vendor_option_of_the_wrong_shape_is_refused_by_name(options: dict[str, Any]) -> None:
    failed = refused(asked(end_user_id="u", extra={"anthropic": raw(options)}))
    assert failed.kind == "invalid_request"
    assert failed.param == f"extra.anthropic.{next(iter(options))}"
