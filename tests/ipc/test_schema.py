"""`manus schema` prints a valid JSON Schema, pinned by a golden file: a change of the protocol is seen in its diff."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from manus.cli import main
from manus.ipc.protocol.methods import METHODS, NOTIFICATIONS

GOLDEN = Path(__file__).parent / "schema.json"


@pytest.fixture(scope="module")
def printed() -> str:
    with redirect_stdout(StringIO()) as out:
        assert main(["schema"]) == 0
    return out.getvalue()


def test_the_schema_is_the_golden_one(printed: str) -> None:
    assert printed == GOLDEN.read_text(encoding="utf-8"), (
        f"the protocol has changed. If that was meant: manus schema > {GOLDEN.name}, and say it in docs/ipc.md"
    )


def test_the_schema_is_one_of_json_schema_2020_12(printed: str) -> None:
    schema = json.loads(printed)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere_and_nothing_stands_there_unused(printed: str) -> None:
    schema = json.loads(printed)
    named = {reference.removeprefix("#/$defs/").replace("~1", "/") for reference in references(schema)}
    assert named == set(schema["$defs"])


def references(schema: Any) -> Iterator[str]:  # Any: JSON Schema
    match schema:
        case dict():
            if "$ref" in schema:
                yield schema["$ref"]
            for each in schema.values():
                yield from references(each)
        case list():
            for each in schema:
                yield from references(each)


def test_every_method_and_notification_has_its_lines(printed: str) -> None:
    made = json.loads(printed)["$defs"]
    assert {name for name in made if name.startswith("request:")} == {f"request:{name}" for name in METHODS}
    assert {name for name in made if name.startswith("reply:")} == {f"reply:{name}" for name in METHODS}
    notifications = {name for name in made if name.startswith("notification:")}
    assert notifications == {f"notification:{name}" for name in NOTIFICATIONS}


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ({"jsonrpc": "2.0", "id": 1, "method": "ping"}, True),
        ({"jsonrpc": "2.0", "id": 1, "method": "pong"}, False),
        ({"jsonrpc": "2.0", "id": 1.5, "method": "ping"}, False),
        ({"jsonrpc": "2.0", "id": 1, "method": "generate", "params": {"prompt": "x", "temperature": 2}}, True),
        ({"jsonrpc": "2.0", "id": 1, "method": "generate", "params": {"prompt": "x", "temperature": 2.1}}, False),
        ({"jsonrpc": "2.0", "id": 1, "method": "generate", "params": {"prompt": "x", "temprature": 1}}, False),
        ({"jsonrpc": "2.0", "id": 1, "method": "generate"}, False),
        ({"jsonrpc": "2.0", "method": "$/credit", "params": {"id": 1, "n": 1}}, True),
        ({"jsonrpc": "2.0", "method": "$/credit", "params": {"id": 1}}, False),
        ({"command": "generate", "params": {"prompt": "x"}}, True),
        ({"command": "reload"}, False),
        ({"id": "m", "type": 0, "timestamp": 1, "payload": {"request_id": "r", "prompt": "x"}}, True),
        ({"id": "m", "type": 1, "timestamp": 1, "payload": {"request_id": "r"}}, False),
    ],
)
def test_a_line_fits_if_it_is_one(printed: str, line: object, fits: bool) -> None:
    assert jsonschema.Draft202012Validator(json.loads(printed)).is_valid(line) is fits
