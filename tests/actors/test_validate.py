"""Bad requests are refused with one sentence that names the field and the mend, before anything is spent."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.actors.validate import problem_of
from manus.messages.content import (
    Audio,
    Document,
    Image,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    VendorTurn,
    text_turn,
)
from manus.messages.failures import Failed
from manus.messages.ids import RequestId, RequestKey
from manus.messages.policy import Bounds
from manus.messages.requests import (
    ChatRequest,
    OutputFormat,
    ReasoningOptions,
    RoutingCriteria,
    Sampling,
    Tool,
    ToolChoice,
)

ASK = text_turn("user", "Hi")
TOOL = Tool(name="f")


def _request(*turns: Turn, **fields: Any) -> ChatRequest:
    return ChatRequest(request_id=RequestId("r"), turns=turns or (ASK,), **fields)


def _wanting(**criteria: Any) -> ChatRequest:
    return _request(criteria=RoutingCriteria(**criteria))


def _problem(request: ChatRequest) -> Failed:
    failure = problem_of(request, Bounds())
    assert failure is not None
    assert failure.kind == "invalid_request"
    assert failure.safe_to_retry
    assert failure.what_to_do.elsewhere == "no"
    return failure


def _user(*parts: Any) -> Turn:
    return Turn(role="user", parts=parts)


def test_a_full_request_passes() -> None:
    request = _request(
        text_turn("system", "Be brief."),
        _user(Text(text="é😀"), Image(url="https://e.org/x.png"), Document(text="x"), Audio(data=b"x")),
        Turn(role="assistant", parts=(Reasoning(text="hm"), ToolCall(id="a", name="f", arguments="{"))),
        Turn(role="tool", parts=(ToolResult(id="a", content=(Text(text=""),)),)),
        Turn(role="assistant", parts=(Refusal(text="no"),)),
        ASK,
        request_key=RequestKey("k"),
        tools=(TOOL, Tool(name="g")),
        tool_choice=ToolChoice(mode="tool", name="g"),
        sampling=Sampling(temperature=0, top_p=1, top_k=1, seed=-1, stop=("\n",), presence_penalty=-2, logprobs=0),
        output=OutputFormat(schema=msgspec.Raw(b'{"type":"object"}')),
        reasoning=ReasoningOptions(effort="low", budget_tokens=1),
        max_output_tokens=1,
        timeout_s=0.1,
        strategy="round_robin",
        fallback_providers=("a", "b/org/m"),
        criteria=RoutingCriteria(
            task_complexity=10, min_context_length=0, max_cost_usd=0.0, max_latency_ms=0.5, tags=("eu",)
        ),
        extra={"ollama": msgspec.Raw(b"{}")},
    )
    assert problem_of(request, Bounds()) is None


@pytest.mark.parametrize(
    "turns",
    [
        (text_turn("system", "Be brief."),),
        (text_turn("user", ""),),
        (text_turn("user", " \n\t"),),
        (Turn(role="user"),),
        (ASK, text_turn("assistant", "Hello"), text_turn("user", "")),
    ],
)
def test_an_empty_prompt_is_refused(turns: tuple[Turn, ...]) -> None:
    assert _problem(_request(*turns)).param == "turns"


def test_no_turns_at_all_are_refused() -> None:
    assert _problem(ChatRequest(request_id=RequestId("r"), turns=())).param == "turns"


def test_a_picture_alone_and_an_assistants_beginning_are_no_empty_prompts() -> None:
    assert problem_of(_request(_user(Image(url="https://e.org/x.png"))), Bounds()) is None
    assert problem_of(_request(ASK, text_turn("assistant", "")), Bounds()) is None


TEXTS = {
    "turns[0].parts[0].text": lambda text: _request(_user(Text(text=text))),
    "turns[1].parts[0].text": lambda text: _request(ASK, Turn(role="assistant", parts=(Refusal(text=text),))),
    "turns[0].name": lambda text: _request(Turn(role="user", parts=(Text(text="a"),), name=text)),
    "turns[0].parts[0].name": lambda text: _request(_user(Document(data=b"x", name=text))),
    "turns[0].parts[0].url": lambda text: _request(_user(Image(url=text))),
    "turns[1].parts[0].arguments": lambda text: _request(
        ASK, Turn(role="assistant", parts=(ToolCall(id="a", name="f", arguments=text),))
    ),
    "turns[1].parts[0].content[0].text": lambda text: _request(
        ASK, Turn(role="tool", parts=(ToolResult(id="a", content=(Text(text=text),)),))
    ),
    "tools[0].description": lambda text: _request(tools=(Tool(name="f", description=text),)),
    "sampling.stop[1]": lambda text: _request(sampling=Sampling(stop=("a", text))),
    "end_user_id": lambda text: _request(end_user_id=text),
    "model": lambda text: _request(model=text),
    "request_key": lambda text: _request(request_key=text),
    "tags[0]": lambda text: _request(tags=(text,)),
}


@pytest.mark.parametrize(("bad", "word"), [("secret\0", "NUL"), ("secret\ud83d", "U+D83D"), ("\udc00secret", "U+DC00")])
@pytest.mark.parametrize("param", TEXTS)
def test_text_that_is_no_text_is_refused_by_its_place(param: str, bad: str, word: str) -> None:
    failure = _problem(TEXTS[param](bad))

    assert failure.param == param
    assert word in failure.message
    assert "secret" not in failure.message
    failure.message.encode()


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (_request(tools=(Tool(name=""),)), "tools[0].name"),
        (_request(tools=(Tool(name="a b"),)), "tools[0].name"),
        (_request(tools=(Tool(name="é"),)), "tools[0].name"),
        (_request(tools=(Tool(name="x" * 65),)), "tools[0].name"),
        (_request(tools=(TOOL, Tool(name="g"), TOOL)), "tools[2].name"),
        (_request(tools=(Tool(name="f", schema=msgspec.Raw(b'{"type":"string"}')),)), "tools[0].schema"),
        (_request(tools=(Tool(name="f", schema=msgspec.Raw(b'{"properties":{}}')),)), "tools[0].schema"),
        (
            _request(tools=(Tool(name="f", schema=msgspec.Raw(b'{"type":"object","items":{"$ref":"#/$defs/x"}}')),)),
            "tools[0].schema",
        ),
        (_request(output=OutputFormat(schema=msgspec.Raw(b'{"$ref":"https://x.test/s.json"}'))), "output.schema"),
        (_request(_user(Image(data=b""))), "turns[0].parts[0].data"),
        (_request(_user(Document(data=b""))), "turns[0].parts[0].data"),
        (_request(tools=(Tool(name="f", schema=msgspec.Raw(b"[]")),)), "tools[0].schema"),
        (_request(tools=(Tool(name="f", schema=msgspec.Raw(b"nonsense")),)), "tools[0].schema"),
        (_request(tools=(Tool(name="f", schema=msgspec.Raw(b"[" * 5000)),)), "tools[0].schema"),
        (_request(tool_choice=ToolChoice(mode="required")), "tool_choice"),
        (_request(tool_choice=ToolChoice(mode="tool", name="f")), "tool_choice"),
        (_request(tools=(TOOL,), tool_choice=ToolChoice(mode="tool")), "tool_choice.name"),
        (_request(tools=(TOOL,), tool_choice=ToolChoice(mode="tool", name="g")), "tool_choice.name"),
        (_request(sampling=Sampling(temperature=2.1)), "sampling.temperature"),
        (_request(sampling=Sampling(temperature=-0.1)), "sampling.temperature"),
        (_request(sampling=Sampling(temperature=math.nan)), "sampling.temperature"),
        (_request(sampling=Sampling(top_p=1.01)), "sampling.top_p"),
        (_request(sampling=Sampling(top_k=0)), "sampling.top_k"),
        (_request(sampling=Sampling(seed=2**63)), "sampling.seed"),
        (_request(sampling=Sampling(presence_penalty=3)), "sampling.presence_penalty"),
        (_request(sampling=Sampling(frequency_penalty=-3)), "sampling.frequency_penalty"),
        (_request(sampling=Sampling(logprobs=21)), "sampling.logprobs"),
        (_request(sampling=Sampling(stop=("",))), "sampling.stop[0]"),
        (_request(max_output_tokens=0), "max_output_tokens"),
        (_request(reasoning=ReasoningOptions(budget_tokens=0)), "reasoning.budget_tokens"),
        (_request(timeout_s=0), "timeout_s"),
        (_request(timeout_s=math.inf), "timeout_s"),
        (_request(timeout_s=math.nan), "timeout_s"),
        (_request(strategy="fastest"), "strategy"),
        (_request(fallback_providers=("a", " ")), "fallback_providers[1]"),
        (_request(fallback_providers=("a\0",)), "fallback_providers[0]"),
        (_wanting(task_complexity=0), "criteria.task_complexity"),
        (_wanting(task_complexity=11), "criteria.task_complexity"),
        (_wanting(task_complexity=2.5), "criteria.task_complexity"),
        (_wanting(min_context_length=-1), "criteria.min_context_length"),
        (_wanting(max_cost_usd=-0.01), "criteria.max_cost_usd"),
        (_wanting(max_cost_usd=math.inf), "criteria.max_cost_usd"),
        (_wanting(max_cost_usd=math.nan), "criteria.max_cost_usd"),
        (_wanting(max_latency_ms=0), "criteria.max_latency_ms"),
        (_wanting(max_latency_ms=math.inf), "criteria.max_latency_ms"),
        (_wanting(max_latency_ms=math.nan), "criteria.max_latency_ms"),
        (_wanting(tags=("eu", "")), "criteria.tags[1]"),
        (_wanting(tags=("\0",)), "criteria.tags[0]"),
        (_request(output=OutputFormat(name="a b")), "output.name"),
        (_request(output=OutputFormat(schema=msgspec.Raw(b"[1]"))), "output.schema"),
        (_request(extra={"x": msgspec.Raw(b"1")}), "extra.x"),
        (_request(model=" "), "model"),
        (_request(_user(Image())), "turns[0].parts[0]"),
        (_request(_user(Image(url="u", data=b"x"))), "turns[0].parts[0]"),
        (_request(_user(Document())), "turns[0].parts[0]"),
        (_request(_user(Audio(data=b""))), "turns[0].parts[0].data"),
        (_request(_user(ToolCall(id="a", name="f"))), "turns[0].parts[0]"),
        (_request(ASK, Turn(role="assistant", parts=(ToolResult(id="a"),))), "turns[1].parts[0]"),
        (_request(Turn(role="system", parts=(Image(url="u"),)), ASK), "turns[0].parts[0]"),
    ],
)
def test_fields_out_of_order_are_named(request_: ChatRequest, param: str) -> None:
    failure = _problem(request_)
    assert failure.param == param
    assert failure.message.startswith(f"{param}: ")


def test_a_request_over_the_bound_is_refused_as_too_large() -> None:
    for turn in (text_turn("user", "é" * 600), _user(Image(data=b"x" * 900)), _user(Document(text="x" * 1200))):
        failure = problem_of(_request(turn), Bounds(request_bytes=1000))
        assert failure is not None
        assert (failure.kind, failure.param) == ("too_large", "turns")
        assert problem_of(_request(turn), Bounds(request_bytes=1300)) is None


def test_the_vendors_own_payload_of_a_turn_counts_too() -> None:
    vendor = VendorTurn(provider="w", model="m", raw=msgspec.Raw(b'"%s"' % (b"x" * 1200)))
    request = _request(ASK, Turn(role="assistant", vendor=vendor), ASK)
    failure = problem_of(request, Bounds(request_bytes=1000))
    assert failure is not None
    assert failure.kind == "too_large"
    assert problem_of(request, Bounds(request_bytes=1300)) is None


@given(text=st.text(st.characters(categories=["L", "N", "P", "Cs", "Cc", "So"]), max_size=20))
def test_text_is_refused_exactly_when_it_cannot_be_sent(text: str) -> None:
    try:
        text.encode()
        sendable = "\0" not in text
    except UnicodeEncodeError:
        sendable = False

    failure = problem_of(_request(_user(Text(text=f"x{text}"))), Bounds())

    assert (failure is None) == sendable
