"""Own the walk of a configuration along its schema: every problem of shape at once, and what is left of it, built.

msgspec stops at the first problem and TOML readers have no positions, so this walks by itself, along what
`msgspec.inspect` says of the Structs. A value that does not fit is reported and left out, so that its default stands
and the rules across keys still have something to look at. No problem quotes a string: it could be a key.
"""

from __future__ import annotations

import datetime
import math
import os.path
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import inspect

from manus.config.did_you_mean import closest, listing, suggestion
from manus.config.expand import expand
from manus.config.problems import Problem, child_path
from manus.config.schema import General, KeyConfig, LLMConfig
from manus.config.secrets import Secret

SECRET_BYTES_MAX: Final = 64 * 1024
"""A key file larger than this is no key file."""

INTEGER_MAX: Final = 2**63 - 1
"""TOML promises 64 bits; Python's reader takes more, and nothing of ours means more."""


class LeftOut:
    """Stands for a value that did not fit."""

    __slots__ = ()


LEFT_OUT: Final = LeftOut()

GENERAL_KEYS: Final = frozenset(General.__struct_fields__)


class Walk:
    """One walk; `problems` grows as it goes.

    Args:
        environ: what `${NAME}` refers to; None leaves strings as they are (a configuration made by a program).
        base: where relative paths of key files start.
    """

    __slots__ = ("_base", "_environ", "_lenient", "problems")

    def __init__(self, environ: Mapping[str, str] | None, *, base: Path) -> None:
        self._environ = environ
        self._base = base
        self._lenient = False
        self.problems: list[Problem] = []

    def config(self, raw: Mapping[str, Any]) -> LLMConfig:  # Any: parsed TOML
        """Build the configuration out of a parsed file: `[general]` flat, the other tables by name."""
        fields = {field.name: field for field in _struct_type(LLMConfig).fields}
        sections = [name for name in fields if name not in GENERAL_KEYS]
        values: dict[str, object] = {}
        for key, value in raw.items():
            if key == "general":
                values.update(self._fields(value, {name: fields[name] for name in sorted(GENERAL_KEYS)}, "general"))
            elif key in sections:
                self._put(values, key, self.value(value, fields[key].type, key))
            elif key in GENERAL_KEYS:
                self._wrong(key, "stands outside of [general]; move it below a line [general]")
            else:
                hint = suggestion(key, ["general", *sections])
                self._wrong(child_path("", key), f"unknown table or key{hint}")
        return LLMConfig(**values)  # type: ignore[arg-type]  # each value was built along the field's own type

    def value(self, value: object, kind: inspect.Type, path: str) -> object:
        """Build one value of type `kind`, or report it and give `LEFT_OUT`."""
        match kind:
            case inspect.Metadata(type=inner, extra_json_schema=extra):
                return self._number(value, inner, path, (extra or {}).get("description", ""))
            case inspect.UnionType(types=types):
                if value is None:
                    return None
                kinds = [each for each in types if not isinstance(each, inspect.NoneType)]
                if len(kinds) == 1:
                    return self.value(value, kinds[0], path)
                # A switch that may also be a table.
                (table,) = (each for each in kinds if isinstance(each, inspect.StructType))
                if isinstance(value, Mapping):
                    return self.value(value, table, path)
                return value if isinstance(value, bool) else self._unfit(path, "true, false or a table", value)
            case inspect.BoolType():
                return value if isinstance(value, bool) else self._unfit(path, "true or false", value)
            case inspect.IntType() | inspect.FloatType():
                return self._number(value, kind, path, "")
            case inspect.StrType():
                return self._text(value, path)
            case inspect.LiteralType(values=choices):
                return self._choice(value, [str(choice) for choice in choices], str, path)
            case inspect.EnumType(cls=cls):
                return self._choice(value, [str(member.value) for member in cls], cls, path)
            case inspect.CustomType(cls=cls) if cls is Secret:
                return self._secret(value, path)
            case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
                return self._array(value, item, path)
            case inspect.DictType(value_type=item):
                return self._table(value, item, path)
            case inspect.StructType(cls=cls, fields=fields) if cls is KeyConfig:
                return self._key(value, fields, path)
            case inspect.StructType(cls=cls, fields=fields):
                return self._struct(value, cls, fields, path)
            case _:
                raise AssertionError(f"the schema uses a type the walk does not know: {kind!r}")

    def _struct(self, value: object, cls: type, fields: tuple[inspect.Field, ...], path: str) -> object:
        if not isinstance(value, Mapping):
            return self._unfit(path, "a table", value)
        lenient = self._lenient
        self._lenient = lenient or value.get("enabled") is False
        built = self._fields(value, {field.name: field for field in fields}, path)
        self._lenient = lenient
        lacking = [field.name for field in fields if field.required and field.name not in built]
        for name in lacking:
            if name not in value:
                self._wrong(path, f"has no '{name}', which it needs")
        return LEFT_OUT if lacking else cls(**built)

    def _fields(self, value: object, fields: Mapping[str, inspect.Field], path: str) -> dict[str, object]:
        built: dict[str, object] = {}
        if not isinstance(value, Mapping):
            self._unfit(path, "a table", value)
            return built
        for key, item in value.items():
            if key in fields:
                self._put(built, key, self.value(item, fields[key].type, child_path(path, key)))
            else:
                self._wrong(child_path(path, key), f"unknown key{_meant(str(key), fields, path)}")
        return built

    def _put(self, built: dict[str, object], key: str, value: object) -> None:
        if value is not LEFT_OUT:
            built[key] = value

    def _array(self, value: object, item: inspect.Type, path: str) -> object:
        if not isinstance(value, list | tuple):
            return self._unfit(path, "an array [...]", value)
        built = [self.value(each, item, f"{path}[{index}]") for index, each in enumerate(value)]
        return tuple(each for each in built if each is not LEFT_OUT)

    def _table(self, value: object, item: inspect.Type, path: str) -> object:
        if not isinstance(value, Mapping):
            return self._unfit(path, "a table", value)
        built: dict[str, object] = {}
        for key, each in value.items():
            self._put(built, str(key), self.value(each, item, child_path(path, str(key))))
        return built

    def _number(self, value: object, kind: inspect.Type, path: str, expected: str) -> object:
        assert isinstance(kind, inspect.IntType | inspect.FloatType), "only numbers carry bounds"
        wants_float = isinstance(kind, inspect.FloatType)
        expected = expected or ("a number" if wants_float else "a whole number")
        if isinstance(value, bool) or not isinstance(value, int | float if wants_float else int):
            return self._unfit(path, expected, value)
        if isinstance(value, int) and abs(value) > INTEGER_MAX:
            return self._unfit(path, expected, value)
        if isinstance(value, float) and not math.isfinite(value):
            return self._unfit(path, expected, value)
        low, high = kind.ge if kind.ge is not None else kind.gt, kind.le
        if low is not None and (value < low or (kind.gt is not None and value == low)):
            return self._unfit(path, expected, value)
        if high is not None and value > high:
            return self._unfit(path, expected, value)
        return float(value) if wants_float else value

    def _text(self, value: object, path: str) -> object:
        if not isinstance(value, str):
            return self._unfit(path, "a string", value)
        text = self._expanded(value, path)
        if isinstance(text, str) and not text.isprintable():
            return self._wrong(path, "holds characters that cannot be printed (a line break at its end?)")
        return text

    def _choice(self, value: object, choices: list[str], make: Callable[[str], object], path: str) -> object:
        expected = listing(f"'{choice}'" for choice in choices)
        if not isinstance(value, str):
            return self._unfit(path, expected, value)
        text = self._expanded(value, path)
        if not isinstance(text, str):
            return text
        if text not in choices:
            return self._wrong(path, f"expected {expected}{suggestion(text, choices)}")
        return make(text)

    def _secret(self, value: object, path: str) -> object:
        text: str | LeftOut
        match value:
            case Secret(source=source):
                text = value.reveal()
            case str():
                text = self._expanded(value, path)
                source = _source_of(value)
            case {"env": str(name), **rest} if not rest:
                text = self._expanded(f"${{{name}}}", path)
                source = f"${{{name}}}"
            case {"file": str(file), **rest} if not rest:
                text = self._expanded(file, path)
                source = f"file {file}"
                if isinstance(text, str):
                    text = self._read(text, path)
            case _:
                return self._unfit(path, 'a string, { env = "NAME" } or { file = "PATH" }', value)
        return self._fit_for_a_header(text.strip(), source, path) if isinstance(text, str) else text

    def _key(self, value: object, fields: tuple[inspect.Field, ...], path: str) -> object:
        """Build one of several keys: a secret as anywhere else, or a table that says more about it."""
        if not isinstance(value, Mapping):
            secret = self._secret(value, path)
            return KeyConfig(key=secret) if isinstance(secret, Secret) else secret
        known = {field.name: field for field in fields}
        more = {name: each for name, each in value.items() if name in known and name != "key"}
        built = self._fields(more, known, path)
        spelt = {name: each for name, each in value.items() if name not in more}
        secret = self._secret(spelt["key"] if spelt.keys() == {"key"} else spelt, path)
        return KeyConfig(key=secret, **built) if isinstance(secret, Secret) else secret  # type: ignore[arg-type]

    def _fit_for_a_header(self, text: str, source: str, path: str) -> object:
        if not text:
            return LEFT_OUT if self._lenient else self._wrong(path, f"is empty (it comes from {source}); set it")
        if not (text.isascii() and text.isprintable()):
            return self._wrong(path, "holds characters that cannot stand in an HTTP header; was it copied whole?")
        return Secret(text, source=source)

    def _read(self, file: str, path: str) -> str | LeftOut:
        try:
            with (self._base / os.path.expanduser(file)).open("rb") as stream:
                content = stream.read(SECRET_BYTES_MAX + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is no path"
            return LEFT_OUT if self._lenient else self._wrong(path, f"its file cannot be read: {reason}")
        if len(content) > SECRET_BYTES_MAX:
            return self._wrong(path, f"its file holds more than {SECRET_BYTES_MAX} bytes; that is no key")
        return content.decode("latin-1")

    def _expanded(self, text: str, path: str) -> str | LeftOut:
        if self._environ is None:
            return text
        result = expand(text, self._environ)
        if result.malformed:
            return self._wrong(path, "has a ${ that begins no variable; write ${NAME}, ${NAME:-default}, or $${ for ${")
        if not result.missing:
            return result.text
        if not self._lenient:
            names = listing(dict.fromkeys(result.missing))
            self._wrong(path, f"the environment variable {names} is not set; {_mend_of_missing(path)}")
        return LEFT_OUT

    def _unfit(self, path: str, expected: str, value: object) -> LeftOut:
        return self._wrong(path, f"expected {expected}; got {_kind_of(value)}")

    def _wrong(self, path: str, message: str) -> LeftOut:
        self.problems.append(Problem(path=path, message=message))
        return LEFT_OUT


def _meant(key: str, fields: Mapping[str, inspect.Field], path: str) -> str:
    """Suggest a key of the same table, or the table that a key of another one belongs into."""
    here = suggestion(key, fields)
    if path not in _TABLES:
        return here
    for table, names in _TABLES.items():
        if key in names:
            return f"; it belongs into [{table}]"
    if here:
        return here
    there = {name: table for table, names in _TABLES.items() for name in names}
    close = closest(key, there)
    return f"; did you mean '{close}' in [{there[close]}]?" if close else ""


def _struct_type(cls: type) -> inspect.StructType:
    kind = inspect.type_info(cls)
    assert isinstance(kind, inspect.StructType)
    return kind


def _source_of(text: str) -> str:
    """Name the variables a secret is made of; what is written around them stays unseen."""
    variables = expand(text, {}).variables
    return " and ".join(f"${{{name}}}" for name in dict.fromkeys(variables)) or "the configuration"


def _mend_of_missing(path: str) -> str:
    match path.split("."):
        case ["providers", name, *_]:
            return f"set it, or write enabled = false for the provider {name}"
        case _:
            return "set it, or give a default: ${NAME:-default}"


def _kind_of(value: object) -> str:
    """Name what stands there; numbers and truth values are shown, strings never."""
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value) if abs(value) <= INTEGER_MAX else "a number beyond 64 bits"
        case float():
            return repr(value)
        case str():
            return "a string" if value else "an empty string"
        case list() | tuple():
            return "an array"
        case Mapping():
            return "a table"
        case datetime.date() | datetime.time():
            return "a date or time"
        case _:
            return f"a value of type {type(value).__name__}"


_TABLES: Final[Mapping[str, frozenset[str]]] = {"general": GENERAL_KEYS} | {
    field.name: frozenset(each.name for each in field.type.fields)
    for field in _struct_type(LLMConfig).fields
    if isinstance(field.type, inspect.StructType)
}
"""The keys of each table that stands at the top of a file."""
