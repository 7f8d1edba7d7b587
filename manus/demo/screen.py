"""Own lines, tables and colours on a terminal. Plain text where nobody sees colours, or wants none."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Literal, TextIO

Colour = Literal["bold", "dim", "red", "green", "yellow"]

_CODES: dict[Colour, str] = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def wants_colours(out: TextIO) -> bool:
    """Whether `out` is a terminal whose user has not set NO_COLOR."""
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Screen:
    """Writes line by line, and at once.

    Args:
        out: where to; stdout by default.
        colours: None finds out by itself.
    """

    def __init__(self, out: TextIO | None = None, *, colours: bool | None = None) -> None:
        self._out = sys.stdout if out is None else out
        self._colours = wants_colours(self._out) if colours is None else colours

    def line(self, text: str = "") -> None:
        """Write one line."""
        print(text, file=self._out, flush=True)

    def heading(self, text: str) -> None:
        """Begin a section."""
        self.line()
        self.line(self.paint(text, "bold"))

    def paint(self, text: str, colour: Colour) -> str:
        """Colour `text`, where colours are wanted."""
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self._colours else text

    def verdict(self, good: bool, text: str) -> None:
        """Write a line that says whether something holds."""
        mark = self.paint("ok  ", "green") if good else self.paint("FAIL", "red")
        self.line(f"  {mark} {text}")

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write a table: the first column to the left, numbers to the right."""
        widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
        for row in (head, *rows):
            cells = [
                cell.ljust(width) if column == 0 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            text = "  " + "  ".join(cells)
            self.line(self.paint(text, "dim") if row is head else text)
