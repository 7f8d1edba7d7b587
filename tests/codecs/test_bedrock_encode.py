"""A request as Bedrock takes it: its address, its settings, its vendor options."""

from __future__ import annotations

import json

import msgspec
import pytest

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions
from manus.messages.content import (
    Text,
)
from manus.messages.policy import Bounds, ModelCard
from manus.messages.requests import Sampling

# Any, throughout this file: JSON.
from tests.codecs.bedrock_asking import (
    CLAUDE,
    CLAUDE_3,
    CLAUDE_5,
    CLAUDE_NEW,
    CLOCK,
    LLAMA,
    NOVA,
    PROFILE,
    WEATHER,
    asking,
    body_of,
    from_user,
    refusal_of,
    tool_loop,
    warnings_of,
    written_for,
)

# --- address and frame ---------------------------------------------------------------------------------


def test_the_least_request_is_a_message_and_nothing_else() -> None:
    written = written_for(asking())
    assert (written.method, written.path) == ("POST", "/model/m/converse")
    assert dict(written.headers) == {"content-type": "application/json", "accept": "application/json"}
    assert json.loads(written.body) == {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
    assert written.warnings == ()


def test_a_stream_is_asked_for_by_the_path() -> None:
    written = written_for(asking(stream=True))
    assert written.path == "/model/m/converse-stream"
    assert dict(written.headers)["accept"] == "application/vnd.amazon.eventstream"
    assert "stream" not in json.loads(written.body)


@pytest.mark.parametrize(
    ("model", "step"),
    [
        (CLAUDE, "us.anthropic.claude-sonnet-4-5-20250929-v1%3A0"),
        (
            PROFILE,
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2F1arbu5hu2sjr",
        ),
        ("a b?c#d%", "a%20b%3Fc%23d%25"),
        ("é", "%C3%A9"),
    ],
)
def test_a_models_id_is_one_step_of_the_path(model: str, step: str) -> None:
    assert written_for(asking(), model).path == f"/model/{step}/converse"


@pytest.mark.parametrize("model", ["", ".", ".."])
def test_a_name_that_would_be_another_path_is_refused(model: str) -> None:
    assert refusal_of(asking(), model).param == "model"


def test_equal_requests_are_equal_bytes() -> None:
    request = asking(tool_loop(), tools=(WEATHER, CLOCK), sampling=Sampling(temperature=0.5))
    assert written_for(request, CLAUDE).body == written_for(request, CLAUDE).body


def test_a_body_over_the_bound_is_refused() -> None:
    assert refusal_of(
        asking(from_user(Text(text="a" * 500))), options=CodecOptions(bounds=Bounds(request_bytes=300))
    ).kind == ("too_large")


# --- settings ------------------------------------------------------------------------------------------


def test_settings_have_their_place() -> None:
    sampling = Sampling(temperature=0.5, top_p=0.9, top_k=40, stop=("END",))
    body = body_of(asking(max_output_tokens=100, sampling=sampling, end_user_id="u1", service_tier="flex"), CLAUDE_3)
    assert body["inferenceConfig"] == {"maxTokens": 100, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]}
    assert body["additionalModelRequestFields"] == {"top_k": 40}
    assert body["additionalModelResponseFieldPaths"] == ["/stop_sequence"]
    assert body["requestMetadata"] == {"end_user_id": "u1"}
    assert body["serviceTier"] == {"type": "flex"}
    nova = body_of(asking(sampling=Sampling(top_k=10)), NOVA)
    assert nova["additionalModelRequestFields"] == {"inferenceConfig": {"topK": 10}}


@pytest.mark.parametrize(
    ("sampling", "model", "warned", "left"),
    [
        (Sampling(temperature=1.7), NOVA, ["temperature_clamped"], {"temperature": 1.0}),
        (Sampling(temperature=0.5, top_p=0.9), CLAUDE, ["top_p_dropped"], {"temperature": 0.5}),
        (Sampling(temperature=0.5, top_p=0.9), CLAUDE_5, ["sampling_dropped"], None),
        (Sampling(top_k=3), LLAMA, ["top_k_dropped"], None),
        (Sampling(seed=1), NOVA, ["seed_dropped"], None),
        (Sampling(presence_penalty=1.0), NOVA, ["penalties_dropped"], None),
        (Sampling(frequency_penalty=1.0), NOVA, ["penalties_dropped"], None),
        (Sampling(logprobs=2), NOVA, ["logprobs_dropped"], None),
    ],
)
def test_what_a_model_does_not_take_is_left_out_and_said(
    sampling: Sampling, model: str, warned: list[str], left: dict[str, object] | None
) -> None:
    request = asking(sampling=sampling)
    assert warnings_of(request, model) == warned
    assert body_of(request, model).get("inferenceConfig") == left


@pytest.mark.parametrize("user", ["a" * 257, "\u00e9", "a;b"])
def test_an_end_user_that_bedrock_would_refuse_is_dropped(user: str) -> None:
    assert "requestMetadata" not in body_of(asking(end_user_id=user))
    assert warnings_of(asking(end_user_id=user)) == ["end_user_id_dropped"]


def test_stop_sequences_of_blanks_go_only_where_they_are_taken() -> None:
    request = asking(sampling=Sampling(stop=("\n", "END")))
    assert body_of(request, NOVA)["inferenceConfig"]["stopSequences"] == ["\n", "END"]
    assert body_of(request, CLAUDE)["inferenceConfig"]["stopSequences"] == ["END"]
    assert warnings_of(request, CLAUDE) == ["stop_dropped"]


def test_cards_say_what_is_taken_of_stops_and_sampling() -> None:
    options = CodecOptions(card=ModelCard(name=LLAMA, stop=False, sampling=False))
    request = asking(sampling=Sampling(temperature=0.5, stop=("x",)))
    assert "inferenceConfig" not in body_of(request, LLAMA, options)
    assert warnings_of(request, LLAMA, options) == ["sampling_dropped", "stop_dropped"]


def test_a_profile_of_ones_own_is_known_by_the_model_behind_it() -> None:
    request = asking(sampling=Sampling(temperature=0.5))
    options = CodecOptions(card=ModelCard(name=PROFILE, base=CLAUDE_NEW))
    assert warnings_of(request, PROFILE, options) == ["sampling_dropped"]
    assert written_for(request, PROFILE, options).path.startswith("/model/arn%3A")


@pytest.mark.parametrize(("tier", "written"), [("priority", "priority"), ("standard", "default"), ("auto", None)])
def test_service_tiers_have_their_names(tier: str, written: str | None) -> None:
    body = body_of(asking(service_tier=tier))
    assert body.get("serviceTier") == (None if written is None else {"type": written})


def test_an_unknown_tier_is_dropped() -> None:
    assert warnings_of(asking(service_tier="gold")) == ["service_tier_dropped"]


# --- vendor options ------------------------------------------------------------------------------------


def test_vendor_options_stand_at_the_top_or_among_the_models_own() -> None:
    guardrail = {"guardrailIdentifier": "g", "guardrailVersion": "1", "trace": "enabled"}
    extra = {
        "bedrock": {
            "guardrailConfig": guardrail,
            "anthropic_beta": ["x"],
            "inferenceConfig": {"maxTokens": 7},
            "additionalModelRequestFields": {"top_k": 9},
        },
        "entry": {"performanceConfig": {"latency": "optimized"}},
    }
    request = asking(
        sampling=Sampling(temperature=0.5),
        extra={name: msgspec.Raw(json.dumps(value).encode()) for name, value in extra.items()},
    )
    body = body_of(request, CLAUDE, CodecOptions(provider="entry"))
    assert body["guardrailConfig"] == guardrail
    assert body["performanceConfig"] == {"latency": "optimized"}
    assert body["inferenceConfig"] == {"temperature": 0.5, "maxTokens": 7}
    assert body["additionalModelRequestFields"] == {"anthropic_beta": ["x"], "top_k": 9}


def test_vendor_options_of_the_wrong_form_are_refused() -> None:
    extra = {"bedrock": msgspec.Raw(b'{"inferenceConfig": 3}')}
    assert refusal_of(asking(extra=extra)).param == "extra.bedrock.inferenceConfig"


# --- models --------------------------------------------------------------------------------------------


def test_models_are_listed_at_the_control_plane() -> None:
    codec = codec_for("bedrock")
    request = codec.list_models_request(CodecOptions())
    assert request.url_at("https://bedrock-runtime.eu-west-1.amazonaws.com/") == (
        "https://bedrock.eu-west-1.amazonaws.com/foundation-models?byOutputModality=TEXT"
    )
    own = request.url_at("http://127.0.0.1:8080/bedrock-runtime")
    assert own == "http://127.0.0.1:8080/bedrock-runtime/foundation-models?byOutputModality=TEXT"
    assert codec.decode_models(b'{"modelSummaries":[{"modelId":"a"},{"modelId":null},{}]}') == ("a",)
    assert codec.decode_models(b'{"inferenceProfileSummaries":[{"inferenceProfileId":"us.a"}]}') == ("us.a",)
    assert codec.decode_models(b"<html>") == ()
