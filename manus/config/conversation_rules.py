"""Own the rules about `[conversations]` that no single key can break."""

from __future__ import annotations

from collections.abc import Iterator
from os.path import expanduser, normpath

from manus.config.problems import Problem
from manus.config.schema import LLMConfig


def conversations_path_names_a_file(config: LLMConfig) -> Iterator[Problem]:
    """An empty path is the directory of the configuration, which is no file; and the books have a file of their own."""
    path = config.conversations.path
    if path is None:
        return
    if not path.strip() or path.endswith(("/", "/.", "/..")) or path in (".", ".."):
        message = "names no file; name one, or leave it out to keep conversations in memory"
        yield Problem(path="conversations.path", message=message)
    elif path != ":memory:" and _is_same(path, config.ledger.path):
        message = "is the file of the ledger; give conversations one of their own"
        yield Problem(path="conversations.path", message=message)


def a_conversation_fits_among_all(config: LLMConfig) -> Iterator[Problem]:
    """One conversation cannot hold more than all of them together."""
    table = config.conversations
    if table.conversation_bytes_max > table.bytes_max:
        yield Problem(
            path="conversations.conversation_bytes_max",
            message=f"is {table.conversation_bytes_max}, more than bytes_max = {table.bytes_max}; make it smaller",
        )


def _is_same(path: str, other: str | None) -> bool:
    return other is not None and normpath(expanduser(path)) == normpath(expanduser(other))
