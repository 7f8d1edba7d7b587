"""Say what a mutant is: one small lie in our own code, and the tests that must find it out."""

from __future__ import annotations

import msgspec


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """One change to one file.

    Args:
        name: unique; in words.
        file: below the repository, e.g. `manus/supervisor/core.py`.
        original: a snippet that occurs exactly once in the file.
        mutated: what stands there instead. The file must still be importable.
        killers: the tests that must fail, as pytest selects them. Few and fast.
        rule: the rule of the design that it breaks.
    """

    name: str
    file: str
    original: str
    mutated: str
    killers: tuple[str, ...]
    rule: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What pytest said: its exit code (None: it did not end in time) and the end of its output."""

    name: str
    exit_code: int | None
    seconds: float
    output: str
