"""Own the side file in which a process that will be killed notes what it has told, heard and sent.

Every note is one write to a file opened for appending, made after what it says has happened. So whatever the moment of
death, each whole line is true; what happened last may be missing.
"""

from __future__ import annotations

import os
from pathlib import Path


class Notes:
    """The side file, for writing."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, *words: str) -> None:
        """Note a line; no word may hold a space."""
        os.write(self._fd, (" ".join(words) + "\n").encode())


def lines_of(path: Path) -> list[list[str]]:
    """Read the whole lines of a file that somebody was writing when he died."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [line.split(" ") for line in text[: text.rfind("\n") + 1].splitlines()]
