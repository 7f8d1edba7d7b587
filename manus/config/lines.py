"""Own the search for the line on which a key stands: TOML readers tell values, not positions.

This scans a text that a TOML reader has accepted already, so it checks nothing; it only follows table headers,
dotted keys, arrays and inline tables closely enough to name every path and the line where it begins.
"""

from __future__ import annotations

import contextlib
import re
from typing import Final

import tomli

from manus.config.problems import child_path

DEPTH_MAX: Final = 32
"""Arrays and inline tables nested deeper than any of ours: the scan stops there and keeps what it has."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_PLAIN_VALUE = re.compile(r"[^,\]}\n#]*")


def lines_of(text: str) -> dict[str, int]:
    """Map every path of a valid TOML text to the 1-based line where it first stands."""
    scan = _Scan(text)
    # A text stranger than this scan: what was found so far still helps, the rest has no line.
    with contextlib.suppress(_Lost):
        scan.document()
    return scan.found


def line_of(path: str, lines: dict[str, int]) -> int | None:
    """Find the line of `path`, or of the nearest thing around it that has one."""
    while path and path not in lines:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return lines.get(path)


class _Lost(Exception):
    """The scan met something it does not follow."""


class _Scan:
    __slots__ = ("_arrays", "_at", "_line", "_line_at", "_text", "found")

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n")
        self._at = 0
        self._line = 1
        self._line_at = 0
        self._arrays: dict[str, int] = {}
        self.found: dict[str, int] = {}

    def document(self) -> None:
        table = ""
        while True:
            self._take(_BLANK)
            if self._at >= len(self._text):
                return
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table, depth=0)

    def _header(self) -> str:
        is_array = self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        *outer, last = self._key()
        path = ""
        for part in outer:
            path = self._inside(child_path(path, part))
        path = child_path(path, last)
        self._note(path)
        if is_array:
            self._arrays[path] = self._arrays.get(path, -1) + 1
        path = self._inside(path)
        self._note(path)
        self._at += 2 if is_array else 1
        return path

    def _inside(self, path: str) -> str:
        return f"{path}[{self._arrays[path]}]" if path in self._arrays else path

    def _pair(self, table: str, *, depth: int) -> None:
        path = table
        for part in self._key():
            path = child_path(path, part)
            self._note(path)
        if not self._text.startswith("=", self._at):
            raise _Lost
        self._at += 1
        self._take(_SPACE)
        self._value(path, depth=depth)

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self._take(_SPACE)
            quoted = _STRING.match(self._text, self._at)
            bare = _BARE_KEY.match(self._text, self._at)
            if quoted:
                parts.append(str(tomli.loads(f"key = {quoted.group()}")["key"]))
                self._at = quoted.end()
            elif bare:
                parts.append(bare.group())
                self._at = bare.end()
            else:
                raise _Lost
            self._take(_SPACE)
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _value(self, path: str, *, depth: int) -> None:
        if depth > DEPTH_MAX:
            raise _Lost
        if self._text.startswith("[", self._at):
            self._array(path, depth=depth + 1)
        elif self._text.startswith("{", self._at):
            self._inline_table(path, depth=depth + 1)
        elif string := _STRING.match(self._text, self._at):
            self._at = string.end()
        else:
            self._take(_PLAIN_VALUE)

    def _array(self, path: str, *, depth: int) -> None:
        self._at += 1
        index = 0
        while not self._closed("]"):
            item = f"{path}[{index}]"
            self._note(item)
            self._value(item, depth=depth)
            index += 1
            self._comma()

    def _inline_table(self, path: str, *, depth: int) -> None:
        self._at += 1
        while not self._closed("}"):
            self._pair(path, depth=depth)
            self._comma()

    def _closed(self, bracket: str) -> bool:
        self._take(_BLANK)
        if self._at >= len(self._text):
            raise _Lost
        if self._text[self._at] != bracket:
            return False
        self._at += 1
        return True

    def _comma(self) -> None:
        self._take(_BLANK)
        if self._text.startswith(",", self._at):
            self._at += 1
        elif not self._text.startswith(("]", "}"), self._at):
            raise _Lost

    def _take(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        assert match is not None, "these patterns match the empty string too"
        self._at = match.end()

    def _note(self, path: str) -> None:
        self._line += self._text.count("\n", self._line_at, self._at)
        self._line_at = self._at
        self.found.setdefault(path, self._line)
