"""Own the check of a whole configuration: shape and rules together, every problem at once, each with its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import tomli

from manus.config.lines import line_of, lines_of
from manus.config.problems import InvalidConfig, Problem, child_path, errors_of
from manus.config.provider_rules import problems_of_entry
from manus.config.rules import RULES
from manus.config.schema import General, LLMConfig
from manus.config.walk import Walk


class Checked(msgspec.Struct, frozen=True):
    """What a check gives: the configuration as far as it could be built, and everything wrong with it."""

    config: LLMConfig
    problems: tuple[Problem, ...] = ()

    def or_raise(self) -> LLMConfig:
        """Give the configuration, or raise `InvalidConfig` if anything in it is an error."""
        if errors_of(self.problems):
            raise InvalidConfig(self.problems)
        return self.config


def check_text(text: str, *, file: str, environ: Mapping[str, str], base: Path) -> Checked:
    """Check a TOML text.

    Args:
        text: the file's content.
        file: how problems name it.
        environ: what `${NAME}` refers to.
        base: where relative paths in it start.
    """
    try:
        raw = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        problem = Problem(message=f"is not TOML: {error.msg}", file=file, line=error.lineno, column=error.colno)
        return Checked(LLMConfig(), (problem,))
    except (RecursionError, ValueError, OverflowError):
        message = "is not TOML that can be read: something in it is nested too deeply or too long"
        return Checked(LLMConfig(), (Problem(message=message, file=file),))
    checked = check_mapping(raw, environ=environ, base=base)
    if not checked.problems:
        return checked
    lines = lines_of(text)
    placed = (
        msgspec.structs.replace(problem, file=file, line=line_of(problem.path, lines)) for problem in checked.problems
    )
    return Checked(checked.config, tuple(sorted(placed, key=_line)))


def check_mapping(raw: Mapping[str, Any], *, environ: Mapping[str, str] | None, base: Path) -> Checked:
    """Check a configuration in the file's shape; without `environ`, its strings stand as they are."""
    walk = Walk(environ, base=base)
    config = walk.config(raw)
    seen = {problem.path for problem in walk.problems}
    followed = (problem for problem in _broken_rules(config) if not _follows(problem.path, seen, raw))
    return Checked(config, (*walk.problems, *followed))


def check_config(config: LLMConfig) -> Checked:
    """Check a configuration that a program made: the same shape and rules, no expansion."""
    raw = _plain(config)
    assert isinstance(raw, dict)
    return check_mapping(raw, environ=None, base=Path())


_AWS_FIELDS: Final = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_FOLLOWS: Final[Mapping[str, tuple[str, ...]]] = {
    "api_key": ("base_url", "api_keys", "headers", "auth_token", "entra"),
    "region": ("base_url",),
    **dict.fromkeys(_AWS_FIELDS, _AWS_FIELDS),
}
"""What a key is missed for only because another one was reported already."""


_ABOUT_NAMES: Final = ("general.fallback_providers", "routing.fallbacks", "routing.content_policy_fallbacks")
"""Where providers and their models are named: wrong only because an entry was, and left out."""


def _broken_rules(config: LLMConfig) -> Iterator[Problem]:
    for rule in RULES:
        yield from rule(config)
    for name, entry in config.providers.items():
        place = child_path("providers", name)
        for problem in problems_of_entry(name, entry):
            yield msgspec.structs.replace(problem, path=f"{place}.{problem.path}" if problem.path else place)


def _follows(path: str, seen: set[str], raw: Mapping[str, Any]) -> bool:
    """Tell whether a broken rule only follows from a value that was reported already and replaced by its default."""
    if path in seen or f"{path}.type" in seen:
        return True
    entry, _, field = path.rpartition(".")
    if field in _FOLLOWS:
        return any(f"{entry}.{other}" in seen for other in _FOLLOWS[field])
    if path in ("providers", "general.default_provider") or path.startswith(_ABOUT_NAMES):
        entries = raw.get("providers")
        names = entries if isinstance(entries, Mapping) else ()
        return not seen.isdisjoint({"providers", *(child_path("providers", str(name)) for name in names)})
    return False


def _line(problem: Problem) -> int:
    return problem.line or 0


def _plain(value: object) -> object:
    """Turn Structs into the nested tables that a file would hold, `[general]` included; secrets stay secrets."""
    if isinstance(value, LLMConfig):
        fields = {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
        return {"general": {name: fields.pop(name) for name in General.__struct_fields__}} | fields
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
