"""JSON drawn for a schema fits it, whatever the schema, and is the same for the same seed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from manus.sim.shapes import DEPTH_MAX, draw_json

LINKED: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "next": {"$ref": "#/$defs/link"}},
    "required": ["name"],
    "$defs": {
        "link": {
            "type": "object",
            "properties": {"again": {"anyOf": [{"$ref": "#/$defs/link"}, {"type": "null"}]}},
        }
    },
}


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, str),
        ({"type": "string", "minLength": 40}, str),
        ({"type": "string", "maxLength": 2}, str),
        ({"type": "integer"}, int),
        ({"type": "number", "minimum": 2.5, "maximum": 3.5, "multipleOf": 0.5}, float),
        ({"type": "boolean"}, bool),
        ({"type": "null"}, type(None)),
        ({"type": ["array", "null"], "items": {"type": "integer"}}, list),
        ({"type": "array", "items": {"type": "string"}, "minItems": 3}, list),
        ({"prefixItems": [{"type": "integer"}], "type": "array", "maxItems": 1}, list),
        ({"enum": ["a", "b"]}, str),
        ({"const": 7}, int),
        ({"properties": {"a": {"type": "integer"}}}, dict),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, int),
        ({"allOf": [{"type": "object"}, {"properties": {"a": {"const": 1}}}]}, dict),
        ({}, str),
    ],
)
def test_a_value_is_of_the_kind_that_is_asked_for(schema: dict[str, Any], kind: type) -> None:
    value = json.loads(draw_json(schema, "seed"))
    assert isinstance(value, kind)
    if isinstance(value, str) and kind is str:
        assert schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10_000)
    if isinstance(value, list):
        assert schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10_000)


@pytest.mark.parametrize("seed", range(20))
def test_numbers_keep_to_their_bounds(seed: int) -> None:
    drawn = json.loads(draw_json({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 6}, f"{seed}"))
    assert drawn in (4, 5)


def test_required_members_are_always_there_and_self_reference_ends() -> None:
    value = json.loads(draw_json(LINKED, "seed"))
    assert "name" in value
    depth, link = 0, value.get("next")
    while link:
        depth, link = depth + 1, link.get("again")
    assert 0 < depth <= DEPTH_MAX


def test_the_same_seed_draws_the_same_value() -> None:
    schema = {"type": "object", "properties": {str(at): {"type": "integer"} for at in range(8)}}
    assert draw_json(schema, "a") == draw_json(schema, "a")
    assert draw_json(schema, "a") != draw_json(schema, "b")
