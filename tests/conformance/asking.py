"""Own what every case asks with: calls that have to fail, names of its own, and who is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count
from typing import Any, Final

from tests.conformance.driver import Driver, HostError, Plain
from tests.conformance.records import read_all
from tests.conformance.vendors import Vendors

Case = Callable[[Driver, Vendors], Any]
"""Any: the record, of each case's own shape."""

ONLY_FIRST: Final[dict[str, Any]] = {"provider": "first", "fallback_providers": []}

_numbers = count()
_numbers_lock = threading.Lock()


def refused(call: Callable[[], object]) -> Plain:
    """Make a call that has to fail, and give what is said of the failure."""
    try:
        given = call()
    except HostError as error:
        return error.told
    raise AssertionError(f"it should have failed, and gave {given}")


def unique(word: str) -> str:
    """Give a name that no other request of this process has."""
    with _numbers_lock:
        return f"{word}-{next(_numbers)}"


def generating(host: Driver, params: dict[str, Any]) -> Callable[[], object]:
    return asking(host, "generate", params)


def asking(host: Driver, method: str, params: dict[str, Any]) -> Callable[[], object]:
    def call() -> object:
        return host.ask(method, **params)

    return call


def reading(stream: Any) -> Callable[[], object]:
    def call() -> object:
        read_all(stream)
        return stream.response()

    return call
