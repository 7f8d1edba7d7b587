"""Which of OpenAI's two wires carries a call: by the entry's word, the card, the model's name, the request."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from manus.actors.codecs.base import CodecOptions
from manus.actors.wire_choice import wire_of
from manus.messages.content import Document, Turn, text_turn
from manus.messages.ids import RequestId
from manus.messages.policy import ModelCard
from manus.messages.requests import ChatRequest, Sampling, Tool

CHAT, RESPONSES = "openai-chat", "openai-responses"
ASK = (text_turn("user", "Hi"),)
PAPER = (Turn(role="user", parts=(Document(data=b"%PDF"),)),)
TOOLS = (Tool(name="t"),)


def _wire(entry: str = CHAT, *, card: ModelCard | None = None, turns: tuple[Turn, ...] = ASK, **more: Any) -> str:
    options = {key: more.pop(key) for key in ("api", "api_version") if key in more}
    request = ChatRequest(request_id=RequestId("r"), turns=turns, **more)
    return wire_of(entry, request, CodecOptions(card=card, **options))


def _named(name: str, **fields: Any) -> ModelCard:
    return ModelCard(name=name, **fields)


@pytest.mark.parametrize(
    ("model", "wire"),
    [
        ("gpt-4.1", CHAT),
        ("gpt-5-mini", CHAT),
        ("o3", CHAT),
        ("o3-pro", RESPONSES),
        ("o4-mini-deep-research", RESPONSES),
        ("gpt-5-pro-2025-10-06", RESPONSES),
        ("gpt-5.1-codex-max", RESPONSES),
        ("codex-mini-latest", RESPONSES),
        ("computer-use-preview", RESPONSES),
        ("gpt-5.4-mini", RESPONSES),
        ("gpt-5.6", RESPONSES),
        ("gpt-6-astra", RESPONSES),
        ("gpt-oss-120b", CHAT),
        ("openai/gpt-5.6", CHAT),
        ("openai/o3-pro", CHAT),
        ("gemini-2.5-pro", CHAT),
        ("no-such-model", CHAT),
    ],
)
def test_the_models_name_decides(model: str, wire: str) -> None:
    assert _wire(card=_named(model)) == wire
    assert _wire(card=_named("ours", base=model)) == wire


def test_without_a_card_nothing_is_assumed() -> None:
    assert _wire() == CHAT


@pytest.mark.parametrize("said", [True, False])
def test_the_card_comes_before_the_name(said: bool) -> None:
    assert _wire(card=_named("gpt-5.6", responses_api=said)) == (RESPONSES if said else CHAT)
    assert _wire(card=_named("gpt-4.1", responses_api=said)) == (RESPONSES if said else CHAT)


def test_the_entry_comes_before_the_card() -> None:
    assert _wire(card=_named("gpt-5.6", responses_api=True), api="chat") == CHAT
    assert _wire(card=_named("gpt-4.1", responses_api=False), api="responses") == RESPONSES
    assert _wire(api="responses") == RESPONSES


@pytest.mark.parametrize(
    "sampling", [Sampling(seed=1), Sampling(presence_penalty=0.1), Sampling(frequency_penalty=0.1)]
)
def test_what_only_chat_has_goes_there_unless_there_are_tools(sampling: Sampling) -> None:
    assert _wire(card=_named("gpt-5.4"), sampling=sampling) == CHAT
    assert _wire(card=_named("gpt-5.4"), sampling=sampling, tools=TOOLS) == RESPONSES
    assert _wire(card=_named("gpt-5.4-pro"), sampling=sampling) == RESPONSES


def test_options_that_the_caller_wrote_for_chat_go_there() -> None:
    own = {"openai-chat": msgspec.Raw(b'{"n":1}')}

    assert _wire(card=_named("gpt-5.4"), extra=own) == CHAT


@pytest.mark.parametrize("entry", ["ollama", "anthropic", "bedrock", "openai-responses"])
def test_other_wires_are_what_they_are(entry: str) -> None:
    assert _wire(entry, card=_named("gpt-5.6"), api="responses") == entry


def test_azure_goes_by_what_stands_behind_a_deployment() -> None:
    assert _wire("azure-chat", card=_named("ours")) == "azure-chat"
    assert _wire("azure-chat", card=_named("ours", base="gpt-5.6")) == "azure-responses"


def test_azures_classic_api_is_asked_for_responses_only_where_somebody_says_so() -> None:
    newer = _named("ours", base="gpt-5.6")

    assert _wire("azure-chat", card=newer, api_version="2024-10-21") == "azure-chat"
    assert _wire("azure-chat", card=newer, api_version="2025-04-01-preview", api="responses") == "azure-responses"
    assert _wire("azure-chat", card=newer, api_version="preview") == "azure-responses"


def test_azure_reads_files_over_responses() -> None:
    assert _wire("azure-chat", turns=PAPER) == "azure-responses"
    assert _wire("azure-chat", turns=PAPER, api_version="2024-10-21") == "azure-chat"
    assert _wire("azure-chat", turns=PAPER, card=_named("ours", responses_api=False)) == "azure-chat"
    text = (Turn(role="user", parts=(Document(text="x"), Document(data=b"x", media_type="text/csv"))),)
    assert _wire("azure-chat", turns=text) == "azure-chat"
    assert _wire(CHAT, turns=PAPER) == CHAT
