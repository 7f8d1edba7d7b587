"""Structured output: which schema is sent for what the caller asks, and how the answer becomes data."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

import manus
from manus.messages.content import Refusal, Text, ToolCall
from manus.messages.events import FinishReason
from manus.messages.ids import RequestId
from manus.messages.outcomes import Answer, Finish, Finished
from manus.messages.requests import OutputFormat
from manus.output_format import ResponseFormat, output_format_of, parsed_response


class Street(msgspec.Struct):
    name: str


class City(msgspec.Struct):
    name: str
    streets: list[Street]


class Tree(msgspec.Struct):
    left: Tree | None = None


class Circle(msgspec.Struct, tag=True):
    radius: float


class Square(msgspec.Struct, tag=True):
    side: float


class Drawing(msgspec.Struct):
    shapes: list[Circle | Square]
    title: str | None
    corners: tuple[int, int]


class Counts(msgspec.Struct):
    by_name: dict[str, int]


class Größe(msgspec.Struct):  # a name that vendors do not take
    wert: int


class Impossible(msgspec.Struct):
    value: complex


def schema_of(asked: ResponseFormat) -> Any:
    return msgspec.json.decode(output_format_of(asked).schema)


def test_a_struct_type_becomes_a_closed_schema_with_the_object_at_its_top() -> None:
    made = output_format_of(City)
    schema = schema_of(City)
    assert (made.name, made.strict) == ("City", True)
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Street"]["additionalProperties"] is False
    assert "City" not in schema["$defs"]


def test_a_type_that_holds_itself_keeps_its_definition() -> None:
    schema = schema_of(Tree)
    assert schema["type"] == "object"
    assert schema["$defs"]["Tree"]["properties"]
    assert not output_format_of(Tree).strict, "a field that may be left out is not strict to vendors"


def test_lists_unions_and_fields_that_may_be_null_are_strict_and_read_back() -> None:
    made = output_format_of(Drawing)
    schema = schema_of(Drawing)
    assert made.strict
    assert set(schema["$defs"]) == {"Circle", "Square"}
    assert all(schema["$defs"][name]["additionalProperties"] is False for name in ("Circle", "Square"))
    text = '{"shapes":[{"type":"Circle","radius":1},{"type":"Square","side":2}],"title":null,"corners":[1,2]}'
    expected = Drawing(shapes=[Circle(radius=1), Square(side=2)], title=None, corners=(1, 2))
    assert parsed_response(finished(text), Drawing).parsed == expected


def test_a_table_of_any_names_is_not_strict_for_no_vendor_would_take_it() -> None:
    assert not output_format_of(Counts).strict
    assert parsed_response(finished('{"by_name":{"a":1}}'), Counts).parsed == Counts({"a": 1})


def test_a_type_with_an_unusual_name_is_called_so_that_vendors_take_it() -> None:
    assert output_format_of(Größe).name == "Gr__e"


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"name": "Oslo", "streets": []}\n```',
        '\n```\n{"name": "Oslo", "streets": []}```\n',
        '```JSON  \r\n{"name": "Oslo",\n "streets": []}\n```',
    ],
)
def test_a_fence_around_the_json_is_taken_off(text: str) -> None:
    assert parsed_response(finished(text), City).parsed == City("Oslo", [])
    assert parsed_response(finished(text), "json").parsed == {"name": "Oslo", "streets": []}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("json", OutputFormat()),
        ({"type": "json_object"}, OutputFormat()),
        (OutputFormat(name="own"), OutputFormat(name="own")),
    ],
)
def test_any_json_object_can_be_asked_for(asked: ResponseFormat, expected: OutputFormat) -> None:
    made = output_format_of(asked)
    assert made.any_object
    assert (made.name, made.strict) == (expected.name, expected.strict)


def test_openais_own_spelling_of_a_schema_is_understood() -> None:
    asked = {"type": "json_schema", "json_schema": {"name": "city", "schema": {"type": "object"}, "strict": False}}
    made = output_format_of(asked)
    assert (made.name, made.strict, bytes(made.schema)) == ("city", False, b'{"type":"object"}')


def test_a_type_without_a_schema_is_refused_by_name() -> None:
    with pytest.raises(manus.InvalidRequestError, match="Impossible has a field"):
        output_format_of(Impossible)


def finished(text: str, reason: FinishReason = "stop", *parts: ToolCall | Refusal) -> Finished:
    answer = Answer(parts=(Text(text=text), *parts), finish=Finish(reason=reason))
    return Finished(request_id=RequestId("req-1"), answer=answer, provider="p", model="m")


def test_the_text_is_read_as_what_was_asked_for() -> None:
    assert parsed_response(finished('{"name": "Oslo", "streets": []}'), City).parsed == City("Oslo", [])
    assert parsed_response(finished('{"a": [1]}'), "json").parsed == {"a": [1]}
    assert parsed_response(finished("no json"), None).parsed is None


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (finished('{"name": "Os', "length"), "length"),
        (finished("", "tool_calls", ToolCall(id="a", name="b")), "tool_calls"),
        (finished("", "refusal", Refusal(text="no")), "refusal"),
        (finished("", "content_filter"), "content_filter"),
    ],
    ids=["length", "tool calls", "refusal", "content filter"],
)
def test_an_answer_that_could_not_have_its_shape_is_handed_out_unparsed(outcome: Finished, reason: str) -> None:
    response = parsed_response(outcome, City)
    assert (response.parsed, response.finish_reason) == (None, reason)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("no json", City),
        ('{"name": 5, "streets": []}', City),
        ("[]", City),
        ("no json", "json"),
        ("[" * 100_000, "json"),
        ('{"a": NaN', "json"),
        ('{"name": "Os', City),
        ('```json\n{"name": "no json', City),
    ],
)
def test_an_answer_of_another_shape_is_an_error_that_does_not_quote_it(text: str, asked: ResponseFormat) -> None:
    with pytest.raises(manus.OutputFormatError) as caught:
        parsed_response(finished(text), asked)
    assert caught.value.partial is not None
    assert "no json" not in str(caught.value)
    assert len(str(caught.value)) < 400
