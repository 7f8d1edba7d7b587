"""What strict mode refuses in a schema, and references that lead nowhere."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.actors.schema_rules import dangling_reference, not_strict


def closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }


def strict_problem(schema: object) -> str:
    return not_strict(msgspec.json.encode(schema))


TEXT = {"type": "string"}


@pytest.mark.parametrize(
    "schema",
    [
        closed(),
        closed(name=TEXT),
        closed(age={"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        closed(tags={"type": "array", "items": closed(name=TEXT)}),
        closed(kind={"enum": ["a", "b"]}, size={"type": "number", "minimum": 0}),
        {**closed(next={"$ref": "#/$defs/Node"}), "$defs": {"Node": closed(next={"$ref": "#/$defs/Node"})}},
    ],
    ids=["empty", "flat", "union with null", "list of objects", "enum and bounds", "recursive"],
)
def test_a_schema_that_fits_is_let_through(schema: dict[str, Any]) -> None:
    assert strict_problem(schema) == ""


@pytest.mark.parametrize(
    ("schema", "place", "mend"),
    [
        ({"type": "array", "items": TEXT}, "its root", "wrap"),
        ({"anyOf": [closed(), closed()], "type": "object"}, "its root", "wrap"),
        ({"type": "object", "properties": {}}, "its root", '"additionalProperties": false'),
        (closed() | {"additionalProperties": True}, "its root", '"additionalProperties": false'),
        (closed(name=TEXT) | {"required": []}, "its root", "'name'"),
        (closed(inner={"type": "object", "properties": {}}), "properties.inner", '"additionalProperties": false'),
        (closed(items={"type": "array", "items": {"type": ["object", "null"]}}), "properties.items.items", "close"),
        (closed(x={"properties": {}}), "properties.x", "close"),
        (closed(x={"allOf": [closed()]}), "properties.x.allOf", "otherwise"),
        (closed(x={"oneOf": [closed()]}), "properties.x.oneOf", "otherwise"),
        (closed(x={"not": TEXT}), "properties.x.not", "otherwise"),
        (closed(x={"patternProperties": {".": TEXT}}), "properties.x.patternProperties", "otherwise"),
        (closed() | {"$defs": {"A": {"type": "object"}}}, "$defs.A", "close"),
        (closed(x={"anyOf": [TEXT, {"type": "object"}]}), "properties.x.anyOf[1]", "close"),
    ],
)
def test_what_strict_mode_refuses_is_named_with_its_place_and_the_mend(
    schema: dict[str, Any], place: str, mend: str
) -> None:
    problem = strict_problem(schema)
    assert problem.startswith(place)
    assert mend in problem


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"properties": {"a": {"$ref": "#/properties/b"}, "b": TEXT}},
        {"$defs": {"a/b": TEXT}, "items": {"$ref": "#/$defs/a~1b"}},
        {"anyOf": [TEXT, {"$ref": "#/anyOf/0"}]},
        {"properties": {"$ref": TEXT}},
    ],
)
def test_references_into_the_schema_are_followed(schema: object) -> None:
    assert dangling_reference(msgspec.json.encode(schema)) == ""


@pytest.mark.parametrize(
    "reference",
    ["#/$defs/Missing", "https://example.com/schema.json", "other.json#/A", "#/anyOf/9", "#Anchor", ""],
)
def test_a_reference_that_leads_nowhere_is_named(reference: str) -> None:
    schema = {"properties": {"a": {"items": {"$ref": reference}}}, "anyOf": [TEXT]}
    assert dangling_reference(msgspec.json.encode(schema)).startswith("properties.a.items.$ref")


json = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.just("#/$defs/x") | st.just("object"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "$ref", "$defs", "anyOf", "required", "additionalProperties"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(json)
def test_no_json_whatever_makes_the_check_raise(schema: object) -> None:
    raw = msgspec.json.encode(schema)
    assert isinstance(not_strict(raw), str)
    assert isinstance(dangling_reference(raw), str)


@pytest.mark.parametrize("raw", [b"", b"{", b"[" * 100_000, b"null"])
def test_what_is_no_schema_is_somebody_elses_to_refuse(raw: bytes) -> None:
    assert not_strict(raw) == dangling_reference(raw) == ""


def test_a_huge_schema_is_looked_at_within_a_bound() -> None:
    schema = closed(**{f"p{number}": TEXT for number in range(30_000)})
    assert strict_problem(schema) == ""
