"""Own the names under which calls of vendors' own tools are counted: `web_search` is one kind, whoever ran it."""

from __future__ import annotations

from typing import Final

from manus.actors.codecs.json_text import well_formed

KINDS_MAX: Final = 16
"""Kinds that one answer may name; there are about ten. What is more is counted without a name."""

KIND_CHARS_MAX: Final = 40


class ServerToolTally:
    """Counts the calls of one answer by kind."""

    __slots__ = ("_calls", "total")

    def __init__(self) -> None:
        self.total = 0
        self._calls: dict[str, int] = {}

    def add(self, kind: str | None, calls: int = 1) -> None:
        """Count calls of a kind, None for one that nobody told."""
        if calls <= 0:
            return
        self.total += calls
        if kind is None or len(kind) > KIND_CHARS_MAX:
            return
        kind = well_formed(kind)
        if kind in self._calls or len(self._calls) < KINDS_MAX:
            self._calls[kind] = self._calls.get(kind, 0) + calls

    @property
    def kinds(self) -> tuple[tuple[str, int], ...]:
        """The calls by kind, as `Usage.server_tools` has them."""
        return tuple(sorted(self._calls.items())) if self._calls else ()
