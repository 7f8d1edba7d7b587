"""Own the view of a configuration as it takes effect: TOML again, every default filled in, every secret hidden."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from manus.config.limit_schema import BudgetsTable, LimitsTable
from manus.config.problems import child_path
from manus.config.schema import General, KeyConfig, LLMConfig
from manus.config.secrets import Secret

_LEFT_OUT: Final = (None, LimitsTable(), BudgetsTable())
"""What is not shown of a model or a key: bounds that it has not."""


def show(config: LLMConfig) -> str:
    """Render `config` as TOML. What is None (left out, and without a default) is left out here too."""
    general = {name: getattr(config, name) for name in General.__struct_fields__}
    sections = {
        name: getattr(config, name) for name in config.__struct_fields__ if name not in General.__struct_fields__
    }
    lines = [*_table("general", general)]
    for name, section in sections.items():
        lines.extend(_tables(name, section))
    return "\n".join(lines).strip() + "\n"


def _tables(path: str, value: object) -> Iterator[str]:
    if isinstance(value, msgspec.Struct):
        yield from _table(path, msgspec.structs.asdict(value))
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _tables(child_path(path, str(name)), item)


def _table(path: str, fields: Mapping[str, object]) -> Iterator[str]:
    nested = {name: item for name, item in fields.items() if isinstance(item, msgspec.Struct)}
    yield f"[{path}]"
    for name, item in fields.items():
        if item is not None and name not in nested:
            yield f"{name} = {_value(item)}"
    yield ""
    for name, item in nested.items():
        assert isinstance(item, msgspec.Struct)
        if any(getattr(item, field) not in (None, ()) for field in item.__struct_fields__):
            yield from _tables(f"{path}.{name}", item)


def _value(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case Secret():
            return _string(repr(value))
        case enum.Enum():
            return _string(str(value.value))
        case str():
            return _string(value)
        case int() | float():
            return repr(value)
        case list() | tuple():
            return _array([_value(item) for item in value])
        case KeyConfig(key=key) if value == KeyConfig(key=key):
            return _value(key)
        case msgspec.Struct():
            return _inline(msgspec.structs.asdict(value))
        case Mapping():
            return _inline(value)
        case _:
            raise AssertionError(f"the schema holds a {type(value).__name__}, which is not shown yet")


def _array(items: list[str]) -> str:
    one_line = f"[{', '.join(items)}]"
    return one_line if len(one_line) < 100 else "[\n" + "".join(f"    {item},\n" for item in items) + "]"


def _inline(fields: Mapping[str, object]) -> str:
    shown = [f"{_key(name)} = {_value(item)}" for name, item in fields.items() if item not in _LEFT_OUT]
    return f"{{ {', '.join(shown)} }}" if shown else "{}"


def _key(name: str) -> str:
    """Write a key; a tag or a model may hold whatever can be printed."""
    return name if child_path("", name) == name else _string(name)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
