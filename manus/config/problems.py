"""Own what is wrong with a configuration, as data, and the one exception that carries all of it.

A problem never quotes a string out of the file or the environment: whatever stands in the wrong place may be a
key. It names the place (file, line, path) and the mend, and that is enough to look.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

KEY_CHARS_MAX = 64
"""What is shown of a key that is no plain word."""

Severity = Literal["error", "warning"]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong at one place.

    Args:
        message: what was expected, what was found, and what to do.
        path: the place inside the configuration, `providers.openai.models[0].cost_per_input`; empty for the whole.
        file: the file's path as the user gave it; None for a configuration that came from no file.
        line, column: 1-based, where known.
        severity: an error stops the start; a warning is said aloud and lived with.
    """

    message: str
    path: str = ""
    file: str | None = None
    line: int | None = None
    column: int | None = None
    severity: Severity = "error"

    def __str__(self) -> str:
        """Write it as compilers do, so that editors can jump to it: `llm.toml:12: warning: path: message`."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        severity = "" if self.severity == "error" else f"{self.severity}: "
        return ": ".join(part for part in (place, f"{severity}{self.path}".strip(), self.message) if part)


class InvalidConfig(Exception):
    """A configuration that cannot be used. The face turns it into its own `ConfigurationError`.

    Attributes:
        problems: everything found, errors and warnings, in the order of the file.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def errors_of(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Keep what stops the start."""
    return tuple(problem for problem in problems if problem.severity == "error")


def warnings_of(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Keep what is only said aloud."""
    return tuple(problem for problem in problems if problem.severity == "warning")


def child_path(path: str, key: str) -> str:
    """Spell the path of `key` below `path`, the one way it is spelt everywhere; odd keys are quoted and made safe."""
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    shown = key if bare else f'"{printable(key)}"'
    return f"{path}.{shown}" if path else shown


def printable(key: str) -> str:
    """Give a key as it can be shown: not too long, and without what a terminal would act upon."""
    return "".join(char if char.isprintable() else "?" for char in key[:KEY_CHARS_MAX])
