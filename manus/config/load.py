"""Own the way to a configuration: which file, how it is read, and what stands in where there is none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from manus.config.check import check_config, check_mapping, check_text
from manus.config.environment import config_from_environment
from manus.config.problems import InvalidConfig, Problem, warnings_of
from manus.config.schema import LLMConfig
from manus.config.wheels import is_installed

FILE_BYTES_MAX: Final = 1024 * 1024
"""A configuration larger than this is something else."""

VARIABLE: Final = "MANUS_CONFIG"
IN_THE_WORKING_DIRECTORY: Final = ("config/llm.toml", "llm.toml")

Source = LLMConfig | Mapping[str, Any] | str | Path | None
"""What a program may hand over: a configuration, one in the file's shape, a path, or nothing."""


class Loaded(msgspec.Struct, frozen=True):
    """A usable configuration.

    Args:
        config: the configuration, checked.
        origin: where it came from, for people.
        path: the file, where there is one.
        notes: what should be said aloud: providers found by themselves, and warnings.
    """

    config: LLMConfig
    origin: str
    path: Path | None = None
    notes: tuple[str, ...] = ()


def load(
    source: Source = None, *, environ: Mapping[str, str] | None = None, working_directory: Path | None = None
) -> Loaded:
    """Load a configuration from `source`, or from the first place of the search order that has one.

    The search order: `$MANUS_CONFIG`, `config/llm.toml`, `llm.toml`, the user's configuration directory; where none
    of them exists, what the environment offers. A program's `LLMConfig` that names no provider has those of the
    environment, so that `LLMConfig(routing_strategy=...)` is enough.

    Raises:
        InvalidConfig: with every problem found.
    """
    variables = os.environ if environ is None else environ
    directory = Path() if working_directory is None else working_directory
    match source:
        case LLMConfig(providers=providers) if not providers:
            return _with_what_there_is(source, variables)
        case LLMConfig():
            checked = check_config(source)
            return Loaded(checked.or_raise(), "the program", notes=_notes(checked.problems))
        case Mapping():
            checked = check_mapping(source, environ=variables, base=directory)
            return Loaded(checked.or_raise(), "the program", notes=_notes(checked.problems))
        case str() | Path():
            return load_file(Path(source), environ=variables)
        case _:
            path = find(variables, directory)
            if path is not None:
                return load_file(path, environ=variables)
            return _with_what_there_is(None, variables)


def _with_what_there_is(given: LLMConfig | None, environ: Mapping[str, str]) -> Loaded:
    """Take the providers that the environment offers, and all else from what a program gave, if it did."""
    found = config_from_environment(environ, installed=is_installed)
    config = found.config if given is None else msgspec.structs.replace(given, providers=found.config.providers)
    checked = check_config(config)
    origin = "the environment" if given is None else "the program, with the environment's providers"
    return Loaded(checked.or_raise(), origin, notes=(*found.notes, *_notes(checked.problems)))


def find(environ: Mapping[str, str], directory: Path) -> Path | None:
    """Give the file that the search order leads to; one that `$MANUS_CONFIG` names need not exist."""
    named = environ.get(VARIABLE, "")
    if named:
        return Path(named).expanduser()
    candidates = [*(directory / name for name in IN_THE_WORKING_DIRECTORY), user_file(environ)]
    return next((path for path in candidates if path is not None and path.exists()), None)


def user_file(environ: Mapping[str, str]) -> Path | None:
    """Give the place of the user's own file, by the XDG base directory rules; None where there is no home."""
    base = _xdg(environ, "XDG_CONFIG_HOME", ".config")
    return None if base is None else base / "manus" / "llm.toml"


def state_directory(environ: Mapping[str, str]) -> Path | None:
    """Give the directory for what must survive, by the XDG base directory rules; None where there is no home."""
    base = _xdg(environ, "XDG_STATE_HOME", ".local/state")
    return None if base is None else base / "manus"


def load_file(path: Path, *, environ: Mapping[str, str]) -> Loaded:
    """Load one file.

    Raises:
        InvalidConfig: with every problem found.
    """
    text = read_text(path, environ)
    checked = check_text(text, file=str(path), environ=environ, base=path.parent)
    return Loaded(checked.or_raise(), str(path), path=path, notes=_notes(checked.problems))


def read_text(path: Path, environ: Mapping[str, str]) -> str:
    """Read a configuration file.

    Raises:
        InvalidConfig: it cannot be read, is too large, or is not UTF-8.
    """
    try:
        if path.is_dir():
            raise _unusable(path, "is a directory; name the file in it")
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        named = environ.get(VARIABLE)
        why = f" ({VARIABLE} names it)" if named and Path(named).expanduser() == path else ""
        raise _unusable(path, f"does not exist{why}; write one with `manus config init`") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "its name is no path"
        raise _unusable(path, f"cannot be read: {reason}") from None
    if len(content) > FILE_BYTES_MAX:
        raise _unusable(path, f"holds more than {FILE_BYTES_MAX} bytes; that is no configuration")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _unusable(path, "is not UTF-8; save it in that encoding", line=line) from None


def _unusable(path: Path, message: str, *, line: int | None = None) -> InvalidConfig:
    shown = "".join(char if char.isprintable() else "?" for char in str(path))
    return InvalidConfig([Problem(message=message, file=shown, line=line)])


def _notes(problems: tuple[Problem, ...]) -> tuple[str, ...]:
    return tuple(str(problem) for problem in warnings_of(problems))


def _xdg(environ: Mapping[str, str], variable: str, below_home: str) -> Path | None:
    named = environ.get(variable, "")
    if named and Path(named).is_absolute():
        return Path(named)
    home = environ.get("HOME", "")
    return Path(home) / below_home if home else None
