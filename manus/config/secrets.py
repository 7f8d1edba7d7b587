"""Own the value that must never be seen: an API key, a header, a proxy's password.

A `Secret` shows where it came from and never what it is: not in repr, str or format, not in a copy, a pickle or
JSON, not in an exception that mentions it. `reveal()` is the one way in, so a search for it finds every use.
"""

from __future__ import annotations

import hmac
from typing import NoReturn, Self


class Secret:
    """A value with its source. Two are equal when their values are.

    Args:
        value: what must not be seen.
        source: where it came from, for people: `${OPENAI_API_KEY}`, `file /run/secrets/key`, `the configuration`.
    """

    __slots__ = ("_value", "source")

    def __init__(self, value: str, *, source: str = "the configuration") -> None:
        self._value = value
        self.source = source

    def reveal(self) -> str:
        """Give the value itself, for the wire and for nothing else."""
        return self._value

    def __repr__(self) -> str:
        return f"<secret from {self.source}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode("utf-8", "surrogatepass"), _bytes_of(other))

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is never pickled; send where it comes from and let the other side read it there")


def _bytes_of(secret: Secret) -> bytes:
    return secret.reveal().encode("utf-8", "surrogatepass")
