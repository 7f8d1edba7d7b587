"""Own the reading of genai-prices: its table of models, taken from the wheel's source without running it.

`genai_prices/data.py` is one literal: nested calls of its own classes with keyword arguments. It is parsed, not
imported, so that neither its requirements nor anybody's code is needed. Its prices are USD per million tokens.
"""

from __future__ import annotations

import ast
import re
import zipfile
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from manus.config.catalogue_file import Rates
from scripts.catalogue.facts import BadSource, Facts, nano_per_call, nano_per_million

CODE = "g"

VENDORS = {
    "anthropic": "anthropic",
    "aws": "bedrock",
    "deepseek": "deepseek",
    "groq": "groq",
    "mistral": "mistral",
    "openai": "openai",
    "openrouter": "openrouter",
    "together": "together",
}
"""Its providers that we take, and what we call them. Its Azure stops years ago, so that is left to others."""

_PARTS = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "read",
    "cache_write_mtok": "write",
    "cache_write_1h_mtok": "write_long",
    "input_audio_mtok": "audio_in",
    "output_audio_mtok": "audio_out",
}
_SOUNDS = ("input_audio_mtok", "output_audio_mtok")
_TOOLS = {"web_searches_kcount": "web_search", "storage_searches_kcount": "file_search"}
"""What is charged per thousand calls, and what we call such a call."""
_AREA = re.compile(r"(regional|global)\.(?=[a-z0-9]+\.)")

Node = dict[str, Any]
"""A call of the literal: its class under `_`, its arguments by name. Any: the values are whatever a literal holds."""


def read_wheel(path: Path, as_of: date) -> list[Facts]:
    """Read what the wheel at `path` says for the day `as_of`."""
    with zipfile.ZipFile(path) as wheel:
        source = wheel.read("genai_prices/data.py").decode()
    return read_source(source, as_of)


def read_source(source: str, as_of: date) -> list[Facts]:
    """Read the source of its data module.

    Raises:
        BadSource: it is no longer the literal we know.
    """
    found: list[Facts] = []
    for provider in _literal(source):
        vendor = VENDORS.get(provider["id"])
        if vendor is not None:
            found.extend(_facts(vendor, model, as_of) for model in provider["models"] if not model.get("deprecated"))
    return found


def _facts(vendor: str, model: Node, as_of: date) -> Facts:
    name, area = model["id"], ""
    if vendor == "bedrock" and (prefix := _AREA.match(name)):
        name, area = name[prefix.end() :], prefix[1]
    try:
        prices = _in_force(model["prices"], as_of)
        price = _rates(prices)
        services = {
            service: _rates(variant["prices"])
            for variant in model.get("price_variants", ())
            if (service := _service(variant["when"])) and _has_begun(variant.get("constraint"), as_of)
        }
        tools = {kind: nano_per_call(_base(prices[part]) / 1000) for part, kind in _TOOLS.items() if part in prices}
    except BadSource as error:
        raise BadSource(f"genai-prices, {vendor}, {name}: {error}") from None
    return Facts(
        vendor=vendor,
        id=name,
        names=tuple(dict.fromkeys((name, *(n for n in _equals(model["match"]) if not _is_profile(n))))),
        matches=_matcher(model["match"]),
        area=area,
        price=price,
        services={tier: rates for tier, rates in services.items() if rates is not None},
        tools=tools,
        context=model.get("context_window"),
    )


def _service(when: dict[str, str]) -> str | None:
    """Name the service whose price holds `when`; None where it holds for something else, as for batches."""
    if set(when) == {"service_tier"}:
        return when["service_tier"]
    return "fast" if when == {"speed": "fast"} else None


def _is_profile(name: str) -> bool:
    """Whether a name is one that genai-prices makes up for a Bedrock profile, or a part of an ARN."""
    return name.startswith("/") or _AREA.match(name) is not None


def _in_force(prices: Node | list[Node], as_of: date) -> Node:
    """Choose among dated prices; of those that hold for hours of the day only, the dearest."""
    if isinstance(prices, dict):
        return prices
    chosen: Node | None = None
    hourly: list[Node] = []
    for each in prices:
        constraint = each.get("constraint")
        if constraint is not None and constraint["_"] == "TimeOfDateConstraint":
            hourly.append(each["prices"])
        elif _has_begun(constraint, as_of):
            chosen = each["prices"]
    candidates = [*([] if chosen is None else [chosen]), *hourly]
    if not candidates:
        raise BadSource("none of its dated prices has begun")
    return max(candidates, key=_dearness)


def _has_begun(constraint: Node | None, as_of: date) -> bool:
    if constraint is None:
        return True
    if constraint["_"] != "StartDateConstraint":
        raise BadSource(f"an unknown condition on a price, {constraint['_']}")
    begins: date = constraint["start_date"]
    return begins <= as_of


def _dearness(prices: Node) -> Decimal:
    return sum((_base(prices[part]) for part in _PARTS if part in prices), Decimal(0))


def _rates(prices: Node) -> Rates | None:
    """Read one price with its tiers; None where it does not charge for text."""
    if not {"input_mtok", "output_mtok"} & prices.keys():
        return None
    given = {field: prices[part] for part, field in _PARTS.items() if part in prices}
    starts = sorted({tier["start"] for value in given.values() if _is_tiered(value) for tier in value["tiers"]})
    flat = {field: nano_per_million(_base(value)) for field, value in given.items()}
    tiers = tuple(
        msgspec.structs.replace(
            Rates(above=start),
            **{
                _PARTS[part]: nano_per_million(_at(prices[part], start))
                for part in _PARTS
                if part in prices and part not in _SOUNDS
            },
        )
        for start in starts
    )
    return msgspec.structs.replace(Rates(tiers=tiers), **flat)


def _is_tiered(value: Any) -> bool:
    return isinstance(value, dict)


def _base(value: Any) -> Decimal:
    return Decimal(value["base"] if _is_tiered(value) else value)


def _at(value: Any, start: int) -> Decimal:
    """Give a price for prompts longer than `start` tokens."""
    if not _is_tiered(value):
        return Decimal(value)
    passed = [tier for tier in value["tiers"] if tier["start"] <= start]
    return Decimal(max(passed, key=_start_of)["price"]) if passed else _base(value)


def _start_of(tier: Node) -> int:
    start: int = tier["start"]
    return start


# -- names


def _equals(clause: Node) -> list[str]:
    """List the names that a clause gives outright."""
    match clause["_"]:
        case "ClauseEquals":
            return [clause["equals"]]
        case "ClauseOr":
            return [name for each in clause["or_"] for name in _equals(each)]
        case _:
            return []


def _matcher(clause: Node) -> Callable[[str], bool]:
    def matches(name: str) -> bool:
        return _holds(clause, name)

    return matches


def _holds(clause: Node, name: str) -> bool:
    match clause["_"]:
        case "ClauseEquals":
            return name == str(clause["equals"])
        case "ClauseStartsWith":
            return name.startswith(clause["starts_with"])
        case "ClauseEndsWith":
            return name.endswith(clause["ends_with"])
        case "ClauseContains":
            return clause["contains"] in name
        case "ClauseRegex":
            return re.search(clause["regex"], name) is not None
        case "ClauseOr":
            return any(_holds(each, name) for each in clause["or_"])
        case "ClauseAnd":
            return all(_holds(each, name) for each in clause["and_"])
        case other:
            raise BadSource(f"genai-prices: an unknown clause, {other}")


# -- the literal


def _literal(source: str) -> list[Node]:
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == "providers":
            value = None if statement.value is None else _value(statement.value)
            if isinstance(value, list):
                return value
    raise BadSource("genai-prices: its data module has no list `providers`")


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            return {_value(key): _value(value) for key, value in zip(keys, values, strict=True) if key is not None}
        case ast.Attribute():
            return ast.unparse(node)
        case ast.Call(func=function, args=arguments, keywords=keywords):
            called = ast.unparse(function)
            if called == "Decimal":
                return Decimal(_value(arguments[0]))
            if called == "datetime.date":
                return date(*(_value(argument) for argument in arguments))
            if called == "datetime.time":
                return time(*(_value(argument) for argument in arguments))
            return {"_": called, **{str(keyword.arg): _value(keyword.value) for keyword in keywords}}
        case _:
            raise BadSource(f"genai-prices: its data is no literal in line {node.lineno}")
