"""A JSON Schema becomes what the vendor's grammar takes, or is said to have none."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.actors.codecs.anthropic_schema import NoGrammar, grammatical, tool_schema


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def test_every_object_is_closed_however_deep() -> None:
    inner = {"type": "object", "properties": {"b": {"type": "string"}}}
    schema = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": inner}, "c": {"anyOf": [inner, {"type": "null"}]}},
        "$defs": {"d": inner},
    }
    closed = grammatical(raw(schema)).schema
    inner_closed = {**inner, "additionalProperties": False}
    assert closed["additionalProperties"] is False
    assert closed["properties"]["a"]["items"] == inner_closed
    assert closed["properties"]["c"]["anyOf"][0] == inner_closed
    assert closed["$defs"]["d"] == inner_closed


def test_a_schema_that_fits_stays_as_it_is() -> None:
    schema = {
        "type": "object",
        "description": "An answer",
        "properties": {"n": {"type": "integer"}, "k": {"enum": ["a", "b"]}, "w": {"type": "string", "format": "date"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    fitting = grammatical(raw(schema))
    assert fitting.schema == schema
    assert fitting.loosened == ()


def test_bounds_that_the_grammar_refuses_are_said_in_the_description() -> None:
    schema = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "minimum": 1, "maximum": 9, "description": "How many"},
            "s": {"type": "string", "minLength": 2, "format": "ipv9"},
            "l": {"type": "array", "items": {"type": "string"}, "minItems": 2},
        },
    }
    fitting = grammatical(raw(schema))
    number, text, items = (fitting.schema["properties"][key] for key in "nsl")
    assert number == {"type": "integer", "description": 'How many\n{"minimum":1,"maximum":9}'}
    assert text == {"type": "string", "description": '{"minLength":2,"format":"ipv9"}'}
    assert items["description"] == '{"minItems":2}'
    assert set(fitting.loosened) == {"minimum", "maximum", "minLength", "format", "minItems"}


def test_words_that_bind_nobody_go_without_a_word() -> None:
    fitting = grammatical(raw({"$schema": "x", "type": "string", "examples": ["a"]}))
    assert fitting.schema == {"type": "string"}
    assert fitting.loosened == ()


def test_one_of_becomes_any_of() -> None:
    assert grammatical(raw({"oneOf": [{"type": "string"}, {"type": "null"}]})).schema == {
        "anyOf": [{"type": "string"}, {"type": "null"}]
    }


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (True, "no JSON object"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "free keys"),
        ({"type": "object"}, "free keys"),
        ({"type": "array", "items": True}, "no JSON object"),
        ({"$ref": "https://example.com/x.json"}, "not among its definitions"),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "refers to itself"),
        ({"$ref": "#"}, "not among its definitions"),
    ],
)
def test_what_has_no_grammar_says_why(schema: Any, says: str) -> None:
    with pytest.raises(NoGrammar, match=says):
        grammatical(raw(schema))


def test_a_definition_may_be_used_twice() -> None:
    shared = {"type": "string"}
    schema = {
        "$defs": {"s": shared, "p": {"type": "array", "items": {"$ref": "#/$defs/s"}}},
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/s"}, "b": {"$ref": "#/$defs/p"}},
    }
    assert grammatical(raw(schema)).schema["$defs"]["s"] == shared


def test_nesting_without_end_has_no_grammar() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(200):
        schema = {"type": "array", "items": schema}
    with pytest.raises(NoGrammar, match="deeper"):
        grammatical(raw(schema))


@given(
    st.recursive(
        st.sampled_from([{"type": "string"}, {"type": "integer", "minimum": 0}, {"enum": [1, "a"]}, {}]),
        lambda inner: st.one_of(
            st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
            st.dictionaries(st.sampled_from("abc"), inner, min_size=1).map(
                lambda properties: {"type": "object", "properties": properties, "required": ["a"]}
            ),
            st.lists(inner, min_size=1, max_size=2).map(lambda members: {"anyOf": members}),
        ),
        max_leaves=8,
    )
)
def test_a_second_pass_changes_nothing(schema: dict[str, Any]) -> None:
    once = grammatical(raw(schema))
    twice = grammatical(raw(once.schema))
    assert twice.schema == once.schema
    assert twice.loosened == ()


def test_a_tool_schema_that_is_good_is_not_written_again() -> None:
    schema = raw({"type": "object", "properties": {}})
    assert tool_schema(schema) == (schema, False)


def test_a_tool_schema_gets_the_type_that_the_vendor_demands() -> None:
    assert tool_schema(raw({"properties": {"a": {"type": "string"}}})) == (
        {"properties": {"a": {"type": "string"}}, "type": "object"},
        False,
    )


def test_a_reference_at_the_root_of_a_tool_schema_is_put_in_its_place() -> None:
    person = {"type": "object", "properties": {"friend": {"$ref": "#/$defs/P"}}}
    written, loosened = tool_schema(raw({"$ref": "#/$defs/P", "$defs": {"P": person}}))
    assert not loosened
    assert json.loads(msgspec.json.encode(written)) == {**person, "$defs": {"P": person}}
    with pytest.raises(NoGrammar, match="not among"):
        tool_schema(raw({"$ref": "https://example.com/x.json"}))


def test_a_union_at_the_root_offers_the_properties_of_all_its_members() -> None:
    members = [
        {"type": "object", "properties": {"a": {"type": "string"}}},
        {"type": "object", "properties": {"b": {"type": "string"}}, "required": ["b"]},
    ]
    written, loosened = tool_schema(raw({"anyOf": members, "properties": {"c": {"type": "null"}}}))
    assert loosened
    assert isinstance(written, dict)
    assert written["type"] == "object"
    assert set(written["properties"]) == {"a", "b", "c"}
    assert "anyOf" not in written
    assert '"anyOf"' in written["description"]


@pytest.mark.parametrize("schema", [True, {"type": "string"}, {"type": ["string", "null"]}])
def test_arguments_that_are_no_object_are_refused(schema: Any) -> None:
    with pytest.raises(NoGrammar):
        tool_schema(raw(schema))
