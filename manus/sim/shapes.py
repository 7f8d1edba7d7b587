"""Own JSON that fits a schema: what a simulated model answers, or calls a tool with, where a schema binds it.

The keywords that the vendors take in strict schemas are followed; others are ignored. The value depends on the seed and
the schema alone.
"""

from __future__ import annotations

import math
import random
from typing import Any

from manus.sim.wire import encode_json
from manus.sim.words import draw_text

DEPTH_MAX = 12
"""A schema that refers to itself is followed so deep; below, optional members are left out and lists are empty."""

ITEMS_MAX = 256
CHARACTERS_MAX = 10_000
"""A schema that asks for more items or characters than this gets so many."""

_STRINGS = {
    "date": "2026-09-01",
    "date-time": "2026-09-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "somebody@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def draw_json(schema: dict[str, Any], seed: str) -> str:
    """Write a value that fits `schema` as compact JSON."""
    return encode_json(_Drawing(schema, seed).value(schema, 0)).decode()


class _Drawing:
    """One value being drawn; references are looked up in the whole schema."""

    def __init__(self, whole: dict[str, Any], seed: str) -> None:
        self._whole = whole
        self._rng = random.Random(f"{seed}/shape")

    def value(self, schema: object, depth: int) -> Any:
        """Draw one value; anything will do where the schema says nothing."""
        rules = self._resolved(schema)
        if "const" in rules:
            return rules["const"]
        if rules.get("enum"):
            return self._rng.choice(rules["enum"])
        match self._type_of(rules):
            case "object":
                return self._object(rules, depth)
            case "array":
                return self._array(rules, depth)
            case "integer":
                return self._number(rules, whole=True)
            case "number":
                return self._number(rules, whole=False)
            case "boolean":
                return self._rng.random() < 0.5
            case "null":
                return None
            case _:
                return self._string(rules)

    def _resolved(self, schema: object) -> dict[str, Any]:
        """Follow references, take the first alternative, join what must all hold."""
        rules = dict(schema) if isinstance(schema, dict) else {}
        for _ in range(DEPTH_MAX):
            reference = rules.pop("$ref", None)
            chosen = rules.pop("anyOf", None) or rules.pop("oneOf", None)
            parts = [self._referred(reference)] if isinstance(reference, str) else []
            parts += chosen[:1] if chosen else []
            parts += rules.pop("allOf", None) or []
            if not parts:
                break
            for part in parts:
                rules = {**(part if isinstance(part, dict) else {}), **rules}
        return rules

    def _referred(self, reference: str) -> object:
        found: Any = self._whole
        for step in reference.removeprefix("#").split("/")[1:]:
            found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        return found

    def _type_of(self, rules: dict[str, Any]) -> str:
        named = rules.get("type")
        if isinstance(named, list):
            return str(named[0]) if named else "string"
        if named is None:
            return "object" if "properties" in rules else "array" if "items" in rules else "string"
        return str(named)

    def _object(self, rules: dict[str, Any], depth: int) -> dict[str, Any]:
        required = rules.get("required") or ()
        members = rules.get("properties") or {}
        return {
            name: self.value(member, depth + 1)
            for name, member in members.items()
            if name in required or depth < DEPTH_MAX // 2
        }

    def _array(self, rules: dict[str, Any], depth: int) -> list[Any]:
        least = rules.get("minItems", 0)
        wanted = least if depth >= DEPTH_MAX // 2 else max(least, min(2, rules.get("maxItems", 2)))
        first = rules.get("prefixItems") or []
        rest = rules.get("items", {})
        count = max(wanted, len(first))
        count = min(count, ITEMS_MAX)
        return [self.value(first[at] if at < len(first) else rest, depth + 1) for at in range(count)]

    def _number(self, rules: dict[str, Any], *, whole: bool) -> float:
        step = rules.get("multipleOf", 1)
        low = rules.get("minimum", rules.get("exclusiveMinimum", 0))
        low += step if "exclusiveMinimum" in rules else 0
        high = rules.get("maximum", rules.get("exclusiveMaximum", low + 100 * step))
        high -= step if "exclusiveMaximum" in rules else 0
        first, last = math.ceil(low / step), math.floor(high / step)
        drawn = self._rng.randint(first, max(first, last)) * step
        return int(drawn) if whole else drawn

    def _string(self, rules: dict[str, Any]) -> str:
        text = _STRINGS.get(rules.get("format", "")) or draw_text(f"{self._rng.random()}", 3)
        least: int = min(rules.get("minLength", 0), CHARACTERS_MAX)
        most: int = rules.get("maxLength", len(text) + least)
        return (text + "." * max(0, least - len(text)))[:most]
