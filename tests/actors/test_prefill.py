"""Who goes on from a partial answer, and what it is asked."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from manus.actors.codecs import codec_for
from manus.actors.codecs.base import CodecOptions, HttpRequest
from manus.actors.fitness import unfit
from manus.actors.journey.prefill import accepts_prefill, continued
from manus.actors.shaping import Shaped, shape
from manus.actors.validate import problem_of
from manus.messages.content import Text, ToolCall, ToolResult, Turn, text_turn
from manus.messages.ids import RequestId
from manus.messages.policy import Bounds, ModelCard
from manus.messages.requests import ChatRequest, OutputFormat, ReasoningOptions, Tool, ToolChoice

OLDER = "claude-sonnet-4-5"
NEWER = "claude-sonnet-4-6"
TOOL = Tool(name="look", description="Looks.")


def asked(**fields: Any) -> ChatRequest:
    turns = fields.pop("turns", (text_turn("user", "Tell me a story."),))
    return ChatRequest(request_id=RequestId("r1"), turns=turns, stream=True, **fields)


def accepts(model: str, wire: str | None, request: ChatRequest | None = None, *, prefill: bool | None = None) -> bool:
    return accepts_prefill(request or asked(), ModelCard(name=model, prefill=prefill), wire, "entry")


@pytest.mark.parametrize(
    ("wire", "model", "expected"),
    [
        ("anthropic", OLDER, True),
        ("anthropic", "claude-haiku-4-5-20251001", True),
        ("anthropic", "claude-3-opus-20240229", True),
        ("anthropic", NEWER, False),
        ("anthropic", "claude-opus-5", False),
        ("anthropic", "claude-fable-5-1", False),
        ("anthropic", "claude-mythos-5", False),
        ("anthropic", "somebody-elses", False),
        ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", True),
        ("bedrock", "anthropic.claude-opus-4-7", False),
        ("bedrock", "amazon.nova-pro-v1:0", False),
        ("bedrock", "meta.llama3-3-70b-instruct-v1:0", False),
        ("openai-chat", "gpt-4o", False),
        ("openai-responses", "gpt-5.6", False),
        ("azure-chat", "gpt-4o", False),
        ("ollama", "gemma4:12b", True),
        ("ollama", "somebody/qwen3.5:latest", True),
        ("ollama", "my-own-template", False),
        (None, OLDER, False),
    ],
)
def test_family_decides_where_the_card_is_silent(wire: str | None, model: str, expected: bool) -> None:
    assert accepts(model, wire) is expected


@pytest.mark.parametrize("wire", ["anthropic", "bedrock", "openai-chat", "ollama", None])
def test_card_decides_before_the_family(wire: str | None) -> None:
    assert accepts("anything", wire, prefill=True)
    assert not accepts(OLDER, wire, prefill=False)


def test_name_of_ones_own_is_judged_by_the_model_behind_it() -> None:
    assert accepts_prefill(asked(), ModelCard(name="mine", base=OLDER), "anthropic", "entry")


IN_THE_WAY: list[tuple[dict[str, Any], bool, bool]] = [
    # fields, on Anthropic's own API, on Bedrock
    ({"output": OutputFormat()}, False, False),
    ({"reasoning": ReasoningOptions(effort="low")}, False, False),
    ({"reasoning": ReasoningOptions(budget_tokens=2000)}, False, False),
    ({"reasoning": ReasoningOptions(effort="off")}, True, True),
    ({"reasoning": ReasoningOptions()}, True, True),
    ({"tools": (TOOL,)}, True, False),
    ({"tools": (TOOL,), "tool_choice": ToolChoice(mode="required")}, False, False),
    ({"tools": (TOOL,), "tool_choice": ToolChoice(mode="tool", name="look")}, False, False),
    ({"extra": {"entry": msgspec.Raw(b'{"thinking":{"type":"enabled"}}')}}, False, False),
    ({"extra": {"entry": msgspec.Raw(b'{"additionalModelRequestFields":{"thinking":{}}}')}}, False, False),
    ({"extra": {"entry": msgspec.Raw(b'{"toolConfig":{}}')}}, True, False),
    ({"extra": {"another": msgspec.Raw(b'{"thinking":{}}')}}, True, True),
    ({"extra": {"entry": msgspec.Raw(b'{"top_k":3}')}}, True, True),
    ({"extra": {"entry": msgspec.Raw(b"[1]")}}, False, False),
    ({"turns": (text_turn("user", "u"), text_turn("assistant", "The answer is"))}, False, False),
]


@pytest.mark.parametrize(("fields", "own", "bedrock"), IN_THE_WAY)
def test_what_a_request_asks_besides_may_be_in_the_way(fields: dict[str, Any], own: bool, bedrock: bool) -> None:
    request = asked(**fields)

    assert accepts(OLDER, "anthropic", request) is own
    assert accepts("anthropic." + OLDER, "bedrock", request) is bedrock
    assert accepts("anthropic." + OLDER, "bedrock", request, prefill=True) is bedrock


def test_history_with_tools_is_in_the_way_on_bedrock() -> None:
    turns = (
        text_turn("user", "Look."),
        Turn(role="assistant", parts=(ToolCall(id="c", name="look"),)),
        Turn(role="tool", parts=(ToolResult(id="c", content=(Text(text="seen"),)),)),
    )

    assert accepts(OLDER, "anthropic", asked(turns=turns))
    assert not accepts(OLDER, "bedrock", asked(turns=turns))


def test_continued_request_is_the_same_with_one_turn_more_and_what_is_left_of_the_bound() -> None:
    request = asked(max_output_tokens=100, tools=(TOOL,))

    rest = continued(request, "word " * 20, spent="thought " * 10)

    assert rest.turns == (*request.turns, text_turn("assistant", "word " * 20))
    assert rest.max_output_tokens is not None
    assert 50 < rest.max_output_tokens < 85
    assert msgspec.structs.replace(rest, turns=request.turns, max_output_tokens=100) == request
    assert continued(asked(), "word").max_output_tokens is None


def test_bound_that_is_used_up_leaves_one_token() -> None:
    assert continued(asked(max_output_tokens=5), "word " * 50).max_output_tokens == 1


CONTINUING = [
    ("anthropic", OLDER, None),
    ("anthropic", "unheard-of", True),
    ("bedrock", "anthropic." + OLDER, None),
    ("bedrock", "unheard-of", True),
    ("ollama", "gemma4", None),
    ("openai-chat", "a-servers-own", True),
]


@pytest.mark.parametrize(("wire", "model", "prefill"), CONTINUING)
def test_no_codec_drops_or_answers_in_words_what_it_was_said_to_go_on_from(
    wire: str, model: str, prefill: bool | None
) -> None:
    card = ModelCard(name=model, prefill=prefill, tools=True)
    request = asked(max_output_tokens=50, tools=() if wire == "bedrock" else (TOOL,))
    assert accepts_prefill(request, card, wire, "entry")
    rest = continued(request, "Once upon")

    shaped = shape(rest, card, "refuse")
    encoded = codec_for(wire).encode(rest, model, CodecOptions(provider="entry", card=card))

    assert problem_of(rest, Bounds()) is None
    assert unfit(rest, card) is None
    assert isinstance(shaped, Shaped)
    assert shaped.request.turns == rest.turns
    assert isinstance(encoded, HttpRequest)
    assert [warning.code for warning in encoded.warnings] == []
    last = msgspec.json.decode(encoded.body)["messages"][-1]
    content = last["content"]
    text = content if isinstance(content, str) else "".join(block["text"] for block in content)
    assert (last["role"], text) == ("assistant", "Once upon")
