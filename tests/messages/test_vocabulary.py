"""Every message is frozen, tagged, keyword-only data that survives a round trip through JSON."""

from __future__ import annotations

import importlib
import pkgutil
from typing import get_args

import msgspec
import pytest

import manus.messages
from manus.messages.content import (
    AnyPart,
    Audio,
    Citation,
    Document,
    Image,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Turn,
    VendorTurn,
    text_of,
    text_turn,
)
from manus.messages.events import StreamEvent, TextDelta, UsageReported
from manus.messages.failures import ADVICE, Failed, FailureKind
from manus.messages.ids import DeploymentId, RequestId, RequestKey, deployment_id
from manus.messages.outcomes import Answer, Attempt, Finished, Outcome, Route, Unfinished
from manus.messages.requests import (
    ChatRequest,
    OutputFormat,
    ReasoningOptions,
    RoutingCriteria,
    Sampling,
    Tool,
    ToolChoice,
)
from manus.messages.usage import Usage


def structs() -> list[type[msgspec.Struct]]:
    found: dict[str, type[msgspec.Struct]] = {}
    for module in pkgutil.iter_modules(manus.messages.__path__):
        namespace = vars(importlib.import_module(f"manus.messages.{module.name}"))
        for value in namespace.values():
            if isinstance(value, type) and issubclass(value, msgspec.Struct) and value is not msgspec.Struct:
                found[value.__qualname__] = value
    return list(found.values())


@pytest.mark.parametrize("struct", structs(), ids=lambda struct: struct.__name__)
def test_messages_are_frozen(struct: type[msgspec.Struct]) -> None:
    assert struct.__struct_config__.frozen


REQUEST = ChatRequest(
    request_id=RequestId("r-1"),
    request_key=RequestKey("host-7"),
    turns=(
        text_turn("system", "Be terse."),
        Turn(
            role="user",
            parts=(
                Text(text="What is on it? \u2028 \U0001f9ed", cache="short"),
                Image(data=b"\x89PNG\x00\xff", media_type="image/png", detail="low"),
                Document(text="pages", name="notes"),
                Audio(data=b"RIFF"),
            ),
        ),
        Turn(
            role="assistant",
            parts=(
                Reasoning(text="hm", signature="sig", provider="anthropic", model="m"),
                ToolCall(id="call_1", name="look", arguments='{"at":"map"}'),
                Refusal(text="no"),
                Citation(title="t", raw=msgspec.Raw(b'{"a":1}')),
                Opaque(provider="openai-chat", kind="audio", raw=msgspec.Raw(b'{"id":"a"}')),
            ),
            vendor=VendorTurn(provider="openai-chat", model="m", raw=msgspec.Raw(b"{}")),
        ),
        Turn(role="tool", parts=(ToolResult(id="call_1", content=(Text(text="4 C"),), is_error=True),)),
    ),
    sampling=Sampling(temperature=0.0, stop=("END",)),
    tools=(Tool(name="look", description="Look.", schema=msgspec.Raw(b'{"type":"object"}')),),
    tool_choice=ToolChoice(mode="tool", name="look", parallel=False),
    output=OutputFormat(schema=msgspec.Raw(b"{}")),
    reasoning=ReasoningOptions(effort="low"),
    criteria=RoutingCriteria(task_complexity=8),
    extra={"openai-chat": msgspec.Raw(b'{"store":false}')},
)


def test_a_request_with_every_part_survives_json() -> None:
    encoded = msgspec.json.encode(REQUEST)
    assert msgspec.json.encode(msgspec.json.decode(encoded, type=ChatRequest)) == encoded


def test_every_kind_of_part_is_in_the_example() -> None:
    used = {type(part) for turn in REQUEST.turns for part in turn.parts}
    assert used == set(get_args(AnyPart))


def test_outcomes_are_told_apart_by_their_tag() -> None:
    finished = Finished(request_id=RequestId("r"), answer=Answer(parts=(Text(text="hi"),)), provider="p", model="m")
    unfinished = Unfinished(
        request_id=RequestId("r"),
        failure=Failed(kind="incomplete", message="cut", provider="p"),
        partial=Answer(),
        usage=Usage(output=3, source="estimated"),
        route=Route(
            attempts=(
                Attempt(
                    number=1,
                    deployment=DeploymentId("p/m"),
                    provider="p",
                    model="m",
                    result="incomplete",
                    started_s=0.0,
                    ended_s=1.0,
                ),
            )
        ),
    )
    decoder = msgspec.json.Decoder(Outcome)
    for outcome in (finished, unfinished):
        assert decoder.decode(msgspec.json.encode(outcome)) == outcome


def test_events_are_told_apart_by_their_tag() -> None:
    decoder = msgspec.json.Decoder(StreamEvent)
    for event in (TextDelta(text="x", index=2), UsageReported(usage=Usage(output=1))):
        assert decoder.decode(msgspec.json.encode(event)) == event


def test_every_failure_kind_has_advice() -> None:
    assert set(ADVICE) == set(get_args(FailureKind))


def test_a_failure_may_carry_better_advice_than_its_kind() -> None:
    own = ADVICE["server"]
    assert Failed(kind="invalid_request", message="m").what_to_do == ADVICE["invalid_request"]
    assert Failed(kind="invalid_request", message="m", advice=own).what_to_do is own


def test_text_of_leaves_out_what_is_not_text() -> None:
    assert text_of((Text(text="a"), Reasoning(text="no"), Text(text="b"))) == "ab"


def test_a_deployment_is_spelt_one_way() -> None:
    assert deployment_id("openai", "gpt-4o") == "openai/gpt-4o"
    assert deployment_id("openai", "gpt-4o", "k2") == "openai/gpt-4o#k2"


def test_an_output_format_without_a_schema_wants_any_object() -> None:
    assert OutputFormat().any_object
    assert not OutputFormat(schema=msgspec.Raw(b'{"type":"object"}')).any_object
