"""Own the expansion of environment variables in strings: `${NAME}`, `${NAME:-default}`, and `$${` for a plain `${`.

As in the shell, `:-` stands in for a variable that is unset or empty. What a variable holds is never expanded again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

_TOKEN = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}|\$\{")


class Expanded(msgspec.Struct, frozen=True):
    """A string with its variables filled in.

    Args:
        text: the result; a missing variable contributes nothing.
        variables: the names it refers to, in order.
        missing: those of them that are not set and have no default.
        malformed: whether a `${` is not the beginning of a variable.
    """

    text: str
    variables: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    malformed: bool = False


def expand(text: str, environ: Mapping[str, str]) -> Expanded:
    """Fill in the variables of `text` from `environ`."""
    if "${" not in text:
        return Expanded(text)
    variables: list[str] = []
    missing: list[str] = []
    malformed = False

    def fill(match: re.Match[str]) -> str:
        nonlocal malformed
        name, default = match.group(1), match.group(2)
        if match.group(0) == "$${":
            return "${"
        if name is None:
            malformed = True
            return ""
        variables.append(name)
        value = environ.get(name)
        if default is not None:
            return value or default
        if value is None:
            missing.append(name)
            return ""
        return value

    return Expanded(_TOKEN.sub(fill, text), tuple(variables), tuple(missing), malformed)
